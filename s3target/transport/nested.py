"""TLS inside TLS: an https origin through a proxy that is itself spoken to over TLS.

ssl.SSLSocket works on a descriptor, so it cannot wrap another one; this drives ssl.SSLObject by hand and has the few
methods of a socket that a connection uses. Timeouts and errors are those of the outer socket.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from ..value import TypeVar, cast

_RECEIVE_SIZE = 64 * 1024
_T = TypeVar("_T")


class NestedTls:
    """The inner of the two layers. The handshake is done in the constructor; if it fails, `outer` is closed."""

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, host: str) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        try:
            self._run(self._tls.do_handshake)
        except BaseException:
            outer.close()
            raise

    def recv(self, size: int) -> bytes:
        return self._run(lambda: self._tls.read(size))

    def recv_into(self, view: memoryview) -> int:
        return self._run(lambda: cast(int, self._tls.read(len(view), view)))  # so documented; typeshed says bytes

    def send(self, view: bytes | memoryview) -> int:
        return self._run(lambda: self._tls.write(view))

    def sendall(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[self.send(view) :]

    def pending(self) -> int:
        return self._tls.pending() + self._outer.pending() + self._incoming.pending

    def settimeout(self, seconds: float) -> None:
        self._outer.settimeout(seconds)

    def fileno(self) -> int:
        return self._outer.fileno()

    def close(self) -> None:
        self._outer.close()

    def _run(self, step: Callable[[], _T]) -> _T:
        """Do `step`, carrying its bytes to and from the outer socket until it is through."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush()
                self._fetch()
            except ssl.SSLError:
                self._flush()  # the alert that tells the other side why
                raise
            else:
                self._flush()
                return done

    def _fetch(self) -> None:
        received = self._outer.recv(_RECEIVE_SIZE)
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._outer.sendall(self._outgoing.read())

"""One connection: made, a request out, the head of its answer in; and what goes wrong there, in our own errors.

On plain sockets: http.client sends in two writes, its head parsing costs more than all the rest of an exchange, and to
load it, with ssl and email behind it, takes as long as all of this package.
"""

from __future__ import annotations

import os
import re
import select
import socket
import struct
import sys
import time
from io import BufferedIOBase

from ..errors import BadResponse, ConfigError, ConnectFailed, ConnectionDropped, TimedOut, TransportError
from ..protocol.messages import Body, BytesBody, FileSlice, Origin
from ..value import TYPE_CHECKING, Any, BinaryIO, cast
from .head import CHUNKED, HeadReader, body_length, keeps_alive
from .proxy import Proxy

if TYPE_CHECKING:
    from . import TransportOptions
    from .tls import Tls

RECEIVE_SIZE = 64 * 1024
SMALL_BODY = 64 * 1024
"""Bytes of a request that go out in one write."""
PIECE_SIZE = 256 * 1024
AT_ONCE = 1 << 30
"""Bytes that one call may be asked to move: macOS refuses what goes beyond 31 bits."""
_WAIT_FOR_ALL = getattr(socket, "MSG_WAITALL", 0)
_BAD_IN_HOST = re.compile(r"[\x00-\x20\x7f]")


class Answer:
    """Reads the head, fast, and leaves the body to body.py.

    begin() raises BadResponse, or OSError as it comes from the socket. status, headers, keep_alive: of the head.
    length: of the body, as body_length() gives it. rest: bytes received after the head. begun: some byte had come.
    patience: seconds that a head may take from its first byte on; silence is the socket's business.
    """

    patience = 60.0

    def __init__(self, sock: socket.socket, method: str) -> None:
        self._sock = sock
        self._method = method
        self.begun = False

    def begin(self) -> None:
        reader = HeadReader()
        head, end = None, 0.0
        while head is None:
            if not reader.rest:  # nothing yet, or a 1xx answer, by which a store says that it is at work
                end = 0.0
            elif time.monotonic() > (end := end or time.monotonic() + self.patience):
                raise BadResponse(f"the head of the answer has begun, but is not whole after {self.patience:g} s")
            piece = self._sock.recv(RECEIVE_SIZE)
            if not piece:
                raise ConnectionResetError(f"closed {'inside the head of' if self.begun else 'before'} the answer")
            self.begun = True
            head = reader.feed(piece)
        self.status, self.headers, self.rest = head.status, head.headers, reader.rest
        self.length = body_length(self._method, head.status, head.headers)
        self.keep_alive = keeps_alive(head)
        if self.length == CHUNKED:
            head.headers.pop("content-length", None)  # it does not hold then: RFC 9112 section 6.3


class Connection:
    """A connection to `origin`, by way of `proxy` if there is one; connect() before anything else.

    tls: None if neither of them is spoken to over TLS. era: whatever the pool was in when the connection was made.
    Every method raises TransportError, and leaves it to the caller to close() then.
    """

    sock: Any = None

    def __init__(
        self, origin: Origin, options: TransportOptions, proxy: Proxy | None, tls: Tls | None, era: object
    ) -> None:
        self.host, self.port = (proxy or origin).host, (proxy or origin).port
        if _BAD_IN_HOST.search(self.host):
            raise ConfigError(f"{self.host!r} is no host name: check the {'proxy' if proxy else 'endpoint'}")
        self.origin = origin
        self.era = era
        self._options = options
        self._proxy = proxy
        self._tls = tls
        self._served = 0
        self._plain = False
        self._poll: Any = None

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        sock, self.sock = self.sock, None
        if sock is not None:
            sock.close()

    @property
    def place(self) -> str:
        """Where this leads, for messages."""
        own = _at(self.host, self.port)
        return f"{_at(*self.origin[1:])} by proxy {own}" if self._proxy else own

    def connect(self) -> None:
        """Name, TCP, proxy and TLS. ConnectFailed or TimedOut; nothing of a request has been sent then."""
        try:
            if self._tls:
                self._tls.context()  # wrong settings show before the network is troubled
            self.sock = _connected(self.host, self.port, self._options.connect_timeout)
            if self._options.tcp_keepalive:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._proxy and self._proxy.scheme == "https":
                self._encrypt(self._proxy.host)
            if self.origin.scheme == "https":
                if self._proxy:
                    self._open_tunnel(self._proxy)
                self._encrypt(self.origin.host)
            self._plain = _wait_in_kernel(self.sock, self._options.read_timeout)
        except (OSError, UnicodeError, OverflowError) as error:
            self.close()
            raise self._connect_failure(error) from error
        except BaseException:
            self.close()
            raise

    def _encrypt(self, host: str) -> None:
        assert self._tls is not None
        self.sock = self._tls.wrap(self.sock, host)

    def _open_tunnel(self, proxy: Proxy) -> None:
        """Ask the proxy for a way through. RFC 9110 section 9.3.6."""
        target, where = _at(*self.origin[1:]), f"proxy {_at(proxy.host, proxy.port)}"
        lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}"]
        lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = Answer(self.sock, "CONNECT")
        try:
            answer.begin()
        except BadResponse as error:
            raise ConnectFailed(f"{where} does not speak HTTP: {error}") from error
        if not 200 <= answer.status < 300:
            hint = ": put user:password@ into the proxy's URL, or correct it" if answer.status == 407 else ""
            refusal = ConnectFailed(f"{where} refused {target}: {answer.status}{hint}")
            refusal.status = answer.status
            raise refusal
        if answer.rest:
            raise ConnectFailed(f"{where} sent bytes of its own into the tunnel")

    def _connect_failure(self, error: Exception) -> TransportError:
        if isinstance(error, TimeoutError):
            return TimedOut(f"no connection to {self.place} within {self._options.connect_timeout:g} s")
        if isinstance(error, (socket.gaierror, UnicodeError)):
            return ConnectFailed(f"cannot find the address of {self.host}: check the endpoint's host name ({error})")
        return ConnectFailed(f"cannot connect to {self.place}: {getattr(error, 'strerror', None) or error}")

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read. Bytes or an end on an idle connection mean that it is of no more use."""
        if not hasattr(select, "poll"):
            return not select.select([self.sock], [], [], 0)[0]
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.sock.fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def is_clean(self) -> bool:
        """Whether TLS holds nothing back that the socket cannot show."""
        pending = getattr(self.sock, "pending", None)
        return pending is None or not pending()

    def send_request(self, head: bytes, body: Body, reader: BinaryIO | None) -> bool:
        """Send it all. reader: body.open(), unless body is a BytesBody.

        False if the other side took only a part, but there is something to read: a store that refuses an upload
        says so, and closes, while we still send.
        """
        try:
            if isinstance(body, BytesBody):
                self._send_bytes(head, *body.pieces)
                return True
            self._send_bytes(head)
            sent = self._send_file(body, cast(BinaryIO, reader))
        except TransportError:
            if self.is_quiet():
                raise
            return False
        if sent < body.length:
            raise ConnectionDropped(
                f"what is to be sent has only {sent} of {body.length} bytes: did the file change? Connection closed"
            )
        return True

    def _send_bytes(self, *pieces: bytes | memoryview) -> None:
        """The head of a request first."""
        try:
            if sum(map(len, pieces)) <= SMALL_BODY:
                self.sock.sendall(b"".join(pieces))
            else:
                for piece in pieces:
                    self._send_view(memoryview(piece))
        except OSError as error:
            raise self.failure(error) from error

    def _send_view(self, view: memoryview) -> None:
        # Not sendall(): to it the timeout is one for the whole, however large.
        send = self.sock.send
        while view:
            view = view[send(view[:PIECE_SIZE]) :]

    def _send_file(self, body: Body, reader: BinaryIO) -> int:
        """The number of bytes sent: fewer than announced if there are no more."""
        # Not on macOS and BSD: interrupted by a signal, Python sends there again what has gone (its issue 80669).
        if not (isinstance(body, FileSlice) and self._plain and sys.platform == "linux"):
            return self._send_pieces(cast(BufferedIOBase, reader), body.length)
        out, source, sent = self.sock.fileno(), reader.fileno(), 0
        try:
            while sent < body.length:
                count = os.sendfile(out, source, body.offset + sent, min(body.length - sent, AT_ONCE))
                if not count:
                    break
                sent += count
        except OSError as error:
            raise self.failure(error) from error
        return sent

    def _send_pieces(self, reader: BufferedIOBase, length: int) -> int:
        """For TLS, and bodies that are no file: one buffer, used over and over."""
        buffer = memoryview(bytearray(min(length, PIECE_SIZE)))
        left = length
        while count := reader.readinto(buffer[:left]):
            try:
                self._send_view(buffer[:count])
            except OSError as error:
                raise self.failure(error) from error
            left -= count
        return length - left

    def read_answer(self, method: str) -> Answer:
        """The head of the answer. Its body is still to be read."""
        answer = Answer(self.sock, method)
        answer.patience = self._options.read_timeout
        try:
            answer.begin()
        except OSError as error:
            raise self.failure(error, answer.begun) from error
        self._served += 1
        return answer

    def receive(self, view: memoryview) -> int:
        """Bytes of a body into view, all of it if they come in time; 0 at the end of the connection."""
        if not self._plain:
            return self._receive_records(view)
        try:
            return cast(int, self.sock.recv_into(view, min(len(view), AT_ONCE), _WAIT_FOR_ALL))
        except OSError as error:
            raise self.failure(error, True) from error

    def _receive_records(self, view: memoryview) -> int:
        # TLS gives 16 KiB at a time, and whoever reads has much to do for each piece.
        got = 0
        try:
            while got < len(view) and (count := self.receive_some(view[got:])):
                got += count
        except TransportError:
            if not got:  # else the next call meets it
                raise
        return got

    def receive_some(self, view: memoryview) -> int:
        """What has come. For bodies of unknown length: they ask for more than there may be."""
        try:
            return cast(int, self.sock.recv_into(view[:AT_ONCE]))
        except OSError as error:
            raise self.failure(error, True) from error

    def failure(self, error: OSError, begun: bool = False) -> TransportError:
        """What an error of the socket means during an exchange. begun: some of the answer had come."""
        if isinstance(error, (TimeoutError, BlockingIOError)):
            return TimedOut(f"{self.place} was silent for {self._options.read_timeout:g} s")
        why = getattr(error, "strerror", None) or str(error)
        return ConnectionDropped(f"{self.place} dropped the connection: {why}", reused=bool(self._served) and not begun)


def _connected(host: str, port: int, timeout: float) -> socket.socket:
    """Each address of the host is tried, for so many seconds."""
    name: Any = host.encode() if host.isascii() else host  # text has to wait until IDNA's tables are loaded
    sock = socket.create_connection((name, port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _wait_in_kernel(sock: socket.socket, timeout: float) -> bool:
    """Set the read timeout; True if it is the kernel that keeps it, so that a receive may wait for a full buffer.

    Python keeps a socket's timeout by a poll() before each call; SO_RCVTIMEO saves those. TLS needs Python's way.
    """
    if type(sock) is not socket.socket or os.name != "posix":
        sock.settimeout(timeout)
        return False
    sock.settimeout(None)
    seconds, fraction = divmod(max(timeout, 0.001), 1.0)  # to the kernel, 0 is no timeout
    try:
        timeval = struct.pack("@ll", int(seconds), int(fraction * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    except (OSError, struct.error):  # another timeval: on 32 bits time may have 64
        sock.settimeout(timeout)
        return False
    return True


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

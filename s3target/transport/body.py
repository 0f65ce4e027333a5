"""The body of an answer, read as it arrives: of known length, chunked, or until the connection closes.

A body reads by `receive(view) -> count` (0 at the end of the connection; raises TransportError) and says once, by
`finish(whole)`, that it is done with the connection; whole means that nothing but the end of this body was read. A body
that ends early raises ConnectionDropped, and so does every later read: what came is never taken for all of it.
Large reads go from the socket straight into the caller's buffer. RFC 9112 sections 6 and 7.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from ..errors import BadResponse, ConnectionDropped
from ..value import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Receive = Callable[[memoryview], int]
Finish = Callable[[bool], None]

READ_SIZE = 64 * 1024
LINE_LIMIT = 8 * 1024
"""Bytes of a chunk's size line, extensions included."""
TRAILER_LIMIT = 64 * 1024
"""Bytes of all trailer lines."""

_CHUNK_SIZE = rb"(?s)([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?"  # compiled at its first use


class Body(io.RawIOBase):
    """What all bodies share. `rest`: what was received along with the head.

    A body that is dropped unread closes its connection: io.RawIOBase calls close() on its way out.
    """

    def __init__(self, receive: Receive, finish: Finish, rest: bytes) -> None:
        super().__init__()
        self._receive = receive
        self._finish: Finish | None = finish
        self._rest = rest
        self._at = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` with what has come, waiting for at least one byte; 0 only at the true end."""
        if self.closed:
            raise ValueError("read of a closed body")
        view = memoryview(buffer).cast("B")
        if self._ended or not view:
            return 0
        if self._finish is None:
            raise ConnectionDropped("the connection of this body is gone; what was read of it is not all")
        try:
            return self._fill(view)
        except BaseException:
            self._leave(False)
            raise

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes as they come, b"" only at the end; all that is left for a negative size."""
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(min(size, READ_SIZE))
        count = self.readinto(buffer)
        return bytes(memoryview(buffer)[:count])

    def readall(self) -> bytes:
        pieces = []
        while piece := self.read(READ_SIZE):
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        if not self.closed:
            self._leave(False)
            super().close()

    def _fill(self, view: memoryview) -> int:
        raise NotImplementedError

    def _take(self, view: memoryview) -> int:
        """Bytes into `view`: first what came with the head, then from the socket; 0 at the end of the connection."""
        held = len(self._rest) - self._at
        if not held:
            return self._receive(view)
        count = min(held, len(view))
        view[:count] = self._rest[self._at : self._at + count]
        self._at += count
        return count

    def _end(self) -> None:
        """All of the body has been read. Bytes that nobody asked for spoil the connection."""
        self._ended = True
        self._leave(self._at == len(self._rest))

    def _leave(self, whole: bool) -> None:
        finish, self._finish = self._finish, None
        if finish is not None:
            self._rest, self._at = b"", 0
            finish(whole)


class LengthBody(Body):
    """A body of `length` bytes, more than `rest` holds."""

    def __init__(self, receive: Receive, finish: Finish, rest: bytes, length: int) -> None:
        super().__init__(receive, finish, rest)
        self._length = self._left = length

    def _fill(self, view: memoryview) -> int:
        count = self._take(view[: self._left])
        if not count:
            got = self._length - self._left
            raise ConnectionDropped(f"the body ended after {got} of {self._length} bytes")
        self._left -= count
        if not self._left:
            self._end()
        return count


class UntilCloseBody(Body):
    """A body that ends with its connection. Only a clean end is one: a reset, or TLS cut without goodbye, raises."""

    def _fill(self, view: memoryview) -> int:
        count = self._take(view)
        if not count:
            self._ended = True
            self._leave(False)
        return count


class ChunkedBody(Body):
    """Transfer-Encoding: chunked. Extensions and trailers are dropped; anything malformed raises BadResponse."""

    def __init__(self, receive: Receive, finish: Finish, rest: bytes) -> None:
        super().__init__(receive, finish, rest)
        self._left = 0
        self._begun = False

    def _fill(self, view: memoryview) -> int:
        if not self._left:
            self._left = self._next_chunk()
            if not self._left:
                self._skip_trailers()
                self._end()
                return 0
        count = self._take(view[: self._left])
        if not count:
            raise ConnectionDropped("the body ended inside a chunk")
        self._left -= count
        return count

    def _next_chunk(self) -> int:
        if self._begun and self._line():
            raise BadResponse("a chunk of the body is longer than it says")
        self._begun = True
        line = self._line()
        found = re.fullmatch(_CHUNK_SIZE, line)
        if found is None:
            raise BadResponse(f"malformed chunk size: {line[:40]!r}")
        return int(found[1], 16)

    def _skip_trailers(self) -> None:
        size = 0
        while line := self._line():
            size += len(line)
            if size > TRAILER_LIMIT:
                raise BadResponse(f"the trailers of the body are longer than {TRAILER_LIMIT} bytes")

    def _line(self) -> bytes:
        """The next line, without its end."""
        while (end := self._rest.find(b"\n", self._at)) < 0:
            self._more()
        line = self._rest[self._at : end]
        self._at = end + 1
        return line[:-1] if line.endswith(b"\r") else line

    def _more(self) -> None:
        held = self._rest[self._at :]
        if len(held) > LINE_LIMIT:
            raise BadResponse(f"a line between chunks is longer than {LINE_LIMIT} bytes")
        buffer = memoryview(bytearray(READ_SIZE))
        count = self._receive(buffer)
        if not count:
            raise ConnectionDropped("the body ended between two chunks")
        self._rest, self._at = held + buffer[:count], 0

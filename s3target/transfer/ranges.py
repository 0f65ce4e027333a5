"""Ranges of one object: fetched, resumed where the connection breaks off, fetched ahead in parallel.

Contract: the bytes are of one state of the object, in order and without gaps. A body that breaks off is asked for again
from where it stopped, with If-Match; what cannot be the same object raises ObjectChanged. No bytes are held but those
that ReadAhead has fetched: at most (readahead + 1) x part_size.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from functools import partial
from threading import Event

from ..client import Client
from ..errors import ConnectionDropped, ObjectChanged, ServiceError, TimedOut, TransportError, Truncated
from ..protocol.messages import Stream
from ..protocol.operations.objects import ByteRange, GetObject, ObjectInfo, ObjectStream
from ..value import NamedTuple, replace
from .workers import Stopped, Ticket, Workers, end_threads

_SCRATCH_SIZE = 64 * 1024
_WORTH_IT = 64 * 1024
"""Bytes that must have come since a body broke off before, for it not to count as tried in vain; of a short range less:
one 32nd of it. So a store that gives a byte at a time is not asked for ever."""


class RangeBody:
    """The bytes that a GetObject asks for, asked for again from where they break off.

    known: what the object was when reading began; anything else is ObjectChanged. end: behind the last byte, None if
    the store does not say. Raises what Client.call() raises, and ConnectionDropped or TimedOut where resuming is no
    use: without an ETag, or when the policy's attempts in a row have brought next to nothing. After any exception it is
    to be closed, since how far the stream has come is not known then. position: of the next byte. whole: one answer
    covers the whole object.
    """

    def __init__(self, client: Client, operation: GetObject, known: ObjectInfo | None = None) -> None:
        self._client = client
        self._operation = operation
        self._known = known
        self._breaks = self._surplus = 0
        self._stream: Stream | None = None
        self.position, self._last = operation.byte_range or ByteRange(0)
        self.end: int | None = None
        answer = self._ask()
        size = answer.info.size
        self.info = self._known = known or answer.info
        self.whole = size == (-1 if answer.length is None else answer.length)
        self._broke_at = self.position
        self._worth_it = _WORTH_IT if self.end is None else min(_WORTH_IT, (self.end - self.position) // 32)

    def readinto(self, view: memoryview, /) -> int:
        """Fill view with what has come, waiting for at least one byte; 0 only at the end."""
        if self.end is not None:
            view = view[: max(0, self.end - self.position)]
        while view:
            stream = self._stream or self._ask().stream
            try:
                got = self._receive(stream, view)
            except (ConnectionDropped, TimedOut) as error:
                self._break_off(error)
                continue
            self.position += got
            return got
        return 0

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def read_up_to(self, end: int) -> None:
        """Read less than was asked for: the rest is somebody else's."""
        self.end, self._last = end, end - 1

    def read_to_the_end(self) -> None:
        """Go on to the end of the object: the store was asked for a range and sends all of it anyway."""
        self._last = None
        self.end = self.info.size if self.info.size >= 0 else None

    def _ask(self) -> ObjectStream:
        known, operation = self._known, self._operation
        if known:
            ranged = self.position > 0 or self._last is not None
            byte_range = ByteRange(self.position, self._last) if ranged else None
            operation = replace(operation, byte_range=byte_range, if_match=known.e_tag)
        try:
            answer = self._client.call(operation)
        except ServiceError as error:
            if known and error.status in (412, 416):
                raise self._changed() from error
            raise
        self._stream = answer.stream
        # A store that ignores Range sends all from byte 0: what was read before is dropped.
        if answer.first not in (0, self.position) or (known and _differs(known, answer.info)):
            self.close()
            raise self._changed()
        self._surplus = self.position - answer.first
        if self.end is None:  # a range may tell what the stream before it did not, and come in part
            self.end = self._end(answer.info.size)
        return answer

    def _end(self, size: int) -> int | None:
        if self._last is None:
            return size if size >= 0 else None
        return min(self._last + 1, size) if size >= 0 else self._last + 1

    def _receive(self, stream: Stream, view: memoryview) -> int:
        if self._surplus:
            scratch = memoryview(bytearray(_SCRATCH_SIZE))
            while self._surplus:
                self._surplus -= self._counted(stream.readinto(scratch[: self._surplus]), False)
        return self._counted(stream.readinto(view), self.end is None)

    def _counted(self, got: int, may_end: bool) -> int:
        if not got and not may_end:
            raise ConnectionDropped(f"{place(self._operation)} ended early, with {self.position} bytes read")
        return got

    def _break_off(self, error: TransportError) -> None:
        """Wait until it may be asked for again, or raise error."""
        self.close()
        if not self.info.e_tag:
            raise error
        came = self.position - self._broke_at
        self._breaks = 1 if came and came >= self._worth_it else self._breaks + 1
        self._broke_at = self.position
        self._client.pause(self._breaks, error)

    def _changed(self) -> ObjectChanged:
        return ObjectChanged(f"{place(self._operation)} was replaced while it was being read; open it again")


def _differs(known: ObjectInfo, info: ObjectInfo) -> bool:
    sizes_known = known.size >= 0 and info.size >= 0
    same = info.e_tag == known.e_tag if known.e_tag else info.modified == known.modified
    return not same or (sizes_known and info.size != known.size)


def place(operation: GetObject) -> str:
    return f"s3://{operation.bucket}/{operation.key}"


def read_range(
    client: Client,
    operation: GetObject,
    buffer: memoryview,
    known: ObjectInfo | None = None,
    stop: Event | None = None,
) -> None:
    """Fill buffer from the start of operation.byte_range, resuming as RangeBody does, whose errors it raises.

    stop: looked at whenever bytes have come; Stopped if it is set. Truncated if there are not so many bytes.
    """
    body = RangeBody(client, operation, known)
    try:
        while buffer:
            if stop is not None and stop.is_set():
                raise Stopped("reading was stopped")
            got = body.readinto(buffer)
            if not got:
                raise Truncated(f"{place(operation)} ended {len(buffer)} bytes before the end of a range")
            buffer = buffer[got:]
    finally:
        body.close()


class _Fetch(NamedTuple):
    ticket: Ticket[None]
    buffer: bytearray
    length: int


class ReadAhead:
    """The bytes of an object from `head` on: head as it comes, and while it does, the ranges behind it in parallel."""

    whole = False

    def __init__(self, client: Client, operation: GetObject, head: RangeBody, readahead: int, part_size: int) -> None:
        assert head.end is not None
        self.info = head.info
        self.position = head.position
        self._client, self._operation = client, operation
        self._readahead, self._part_size = readahead, part_size
        self._head = head
        self._next = head.end
        self._fetches: deque[_Fetch] = deque()
        self._idle: list[bytearray] = []
        self._buffer: bytearray | None = None
        self._rest = memoryview(b"")
        self._workers = Workers(readahead)
        # Also when the interpreter ends: its daemon threads cannot be joined any more once it clears the modules.
        self._finish = weakref.finalize(self, end_threads, self._workers, os.getpid())
        self._fetch_ahead()

    def readinto(self, view: memoryview, /) -> int:
        got = self._head.readinto(view)
        if not got:
            if not self._rest:
                self._take_next()
            got = min(len(view), len(self._rest))
            view[:got] = self._rest[:got]
            self._rest = self._rest[got:]
        self.position += got
        return got

    def close(self) -> None:
        self._finish()
        self._head.close()

    def _take_next(self) -> None:
        """Wait for the next range. Its predecessor's buffer is filled anew."""
        if self._fetches:
            fetch = self._fetches.popleft()
            fetch.ticket.result()
            if self._buffer is not None:
                self._idle.append(self._buffer)
            self._buffer = fetch.buffer
            self._rest = memoryview(fetch.buffer)[: fetch.length]
            self._fetch_ahead()

    def _fetch_ahead(self) -> None:
        while self._next < self.info.size and len(self._fetches) < self._readahead:
            length = min(self._part_size, self.info.size - self._next)
            # Only the last range is shorter, so a buffer that was used before is never too small.
            buffer = self._idle.pop() if self._idle else bytearray(length)
            operation = replace(self._operation, byte_range=ByteRange(self._next, self._next + length - 1))
            view = memoryview(buffer)[:length]
            job = partial(read_range, self._client, operation, view, self.info, self._workers.stop)
            self._fetches.append(_Fetch(self._workers.submit(job), buffer, length))
            self._next += length

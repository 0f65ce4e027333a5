"""An object to a file.

The first request asks for the first part only and learns the size by its Content-Range, so there is no HEAD; the other
parts follow from several threads, each bound to the same ETag. Memory: one buffer per thread. What came is compared
with the store's CRC32 where there is one. Invariant: the file appears whole, all from one state of the object, or not
at all.
"""

from __future__ import annotations

import threading
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice

from ..client import Client
from ..errors import (
    BadResponse,
    ChecksumMismatch,
    ConnectionDropped,
    ObjectChanged,
    PreconditionFailed,
    ServiceError,
    TransportError,
)
from ..protocol.checksum import crc32_combine
from ..protocol.messages import Headers, Stream
from ..protocol.operations.objects import ByteRange, GetObject, ObjectInfo, ObjectStream
from ..protocol.options import headers_for
from .destination import Destination
from .plan import MIB, TransferOptions, part_ranges, threads_for
from .workers import Meter, Stopped, run_all

BUFFER = MIB // 2
"""Bytes that each thread holds."""
_WORTH_IT = MIB
# A body that broke off only counts as tried in vain if less than this has come since it broke off before.
_DEFAULT = TransferOptions()


def download(
    client: Client,
    bucket: str,
    key: str,
    path: str,
    options: TransferOptions = _DEFAULT,
    version_id: str | None = None,
) -> ObjectInfo:
    """Write the object to the file at `path`, which is replaced. options.progress hears of each piece.

    OSError if the file cannot be made (before anything is asked of the store) or written; ObjectChanged if the object
    is replaced meanwhile; ChecksumMismatch if the bytes are not those that were stored.
    """
    version_id = version_id or options.extra_args.get("VersionId")
    get = GetObject(bucket, key, headers=_headers(client, options), version_id=version_id)
    with Destination(path) as destination:
        first = _begin(client, get, options.part_size)
        size = _Download(client, get, first, destination, options).run()
        destination.commit()
    return first.info._replace(size=size)


def _headers(client: Client, options: TransferOptions) -> Headers:
    wanted = {"x-amz-checksum-mode": "ENABLED"} if client.checksums else {}
    return {**wanted, **headers_for("GetObject", options.extra_args)}


def _begin(client: Client, get: GetObject, part_size: int) -> ObjectStream:
    """The answer to the first request: the first part of an object of known size and ETag, or else all of it."""
    try:
        answer = client.call(replace(get, byte_range=ByteRange(0, part_size - 1)))
    except ServiceError as error:
        if error.status != 416:  # what an empty object answers to any range
            raise
        return client.call(get)
    size, length = answer.info.size, answer.length
    if answer.first == 0 and (length == size or (answer.info.e_tag and size >= 0 and length == min(part_size, size))):
        return answer
    if answer.first == 0 and size < 0 and "content-range" not in answer.info.headers:
        return answer
    # Parts that nothing binds together, or not the range that was asked for: one stream is safe.
    answer.stream.close()
    return client.call(get)


class _Piece:
    """A range on its way. end None: up to the end of the body. crc32: of what has come. claimed: by the store."""

    __slots__ = ("claimed", "crc32", "end", "offset", "position")

    def __init__(self, offset: int, end: int | None) -> None:
        self.offset = self.position = offset
        self.end = end
        self.crc32 = 0
        self.claimed: int | None = None


class _Download:
    """One download, from its first answer on."""

    def __init__(
        self, client: Client, get: GetObject, first: ObjectStream, destination: Destination, options: TransferOptions
    ) -> None:
        self._client = client
        self._get = replace(get, if_match=first.info.e_tag or None)
        self._first = first
        self._destination = destination
        self._options = options
        self._checked = full_crc32(first.info.headers) is not None
        self._buffers: list[memoryview] = []
        self._stop = threading.Event()
        self._size = first.info.size
        self._meter = Meter(options.progress, self._size if self._size >= 0 else None)

    def run(self) -> int:
        """Fetch it all and compare. The object's size."""
        try:
            self._destination.allocate(max(0, self._size))
        except BaseException:
            self._first.stream.close()
            raise
        whole = self._first.length in (None, self._size)
        threads = 1 if whole else threads_for(self._size, self._options.part_size, self._options.threads)
        pieces = run_all(self._jobs(), threads, self._stop)
        self._verify(pieces)
        if not pieces[-1].position:
            self._meter.add(0)
        return pieces[-1].position

    def _jobs(self) -> Iterator[Callable[[], _Piece]]:
        length = self._first.length
        yield partial(self._fetch, _Piece(0, length), self._first)
        if length is not None and length < self._size:
            for part in islice(part_ranges(self._size, self._options.part_size), 1, None):
                yield partial(self._fetch, _Piece(part.offset, part.offset + part.length))

    def _fetch(self, piece: _Piece, answer: ObjectStream | None = None) -> _Piece:
        """Get the piece into the file; where its body breaks off, ask for the rest."""
        failures, seen = 0, piece.position
        while True:
            answer = answer or self._ask(piece)
            if piece.position == piece.offset:
                piece.claimed = full_crc32(answer.info.headers)
            try:
                with closing(answer.stream), self._destination.used():
                    self._receive(piece, answer.stream)
                return piece
            except TransportError as error:
                if not self._get.if_match:  # the rest might be of another object
                    raise
                failures = 1 if piece.position - seen >= _WORTH_IT else failures + 1
                seen = piece.position
                self._client.pause(failures, error)
                answer = None

    def _ask(self, piece: _Piece) -> ObjectStream:
        last = None if piece.end is None else piece.end - 1
        try:
            answer = self._client.call(replace(self._get, byte_range=ByteRange(piece.position, last)))
        except PreconditionFailed as error:
            raise self._changed() from error
        try:
            self._check(answer, piece)
        except BaseException:
            answer.stream.close()
            raise
        return answer

    def _check(self, answer: ObjectStream, piece: _Piece) -> None:
        # rclone ignores If-Match, so the answer's own ETag is what counts.
        if answer.info.e_tag != self._get.if_match or (self._size >= 0 and answer.info.size != self._size):
            raise self._changed()
        wanted = None if piece.end is None else piece.end - piece.position
        if answer.first != piece.position or (wanted is not None and answer.length != wanted):
            asked, got = f"{wanted} bytes from {piece.position} on", f"{answer.length} from {answer.first} on"
            raise BadResponse(f"asked for {asked}, the store gave {got}")

    def _changed(self) -> ObjectChanged:
        return ObjectChanged(f"s3://{self._get.bucket}/{self._get.key} was replaced while it was being read; try again")

    def _receive(self, piece: _Piece, stream: Stream) -> None:
        """Move bytes from the stream to the file until the piece is whole."""
        try:
            buffer = self._buffers.pop()
        except IndexError:
            buffer = memoryview(bytearray(BUFFER if piece.end is None else min(BUFFER, piece.end - piece.offset)))
        while piece.end is None or piece.position < piece.end:
            if self._stop.is_set():
                raise Stopped("the download was stopped")
            left = BUFFER if piece.end is None else piece.end - piece.position
            count = stream.readinto(buffer[:left])
            if not count:
                if piece.end is None:
                    break
                raise ConnectionDropped(f"the body ended {left} bytes early")
            self._keep(piece, buffer[:count])
        self._buffers.append(buffer)

    def _keep(self, piece: _Piece, view: memoryview) -> None:
        self._destination.write(view, piece.position)
        if self._checked:
            piece.crc32 = zlib.crc32(view, piece.crc32)
        piece.position += len(view)
        self._meter.add(len(view))

    def _verify(self, pieces: list[_Piece]) -> None:
        """Compare with what the store told. With a range comes the checksum of the whole, or of that very range."""
        if not self._checked:
            return
        whole = crc32_combine((piece.crc32, piece.position - piece.offset) for piece in pieces)
        if any(piece.claimed not in (None, whole, piece.crc32) for piece in pieces):
            place = f"s3://{self._get.bucket}/{self._get.key}"
            raise ChecksumMismatch(
                f"{place}: the bytes that came do not have the CRC32 that was stored; no file was made"
            )


def full_crc32(headers: Headers) -> int | None:
    """The CRC32 of the bytes themselves; None if there is none, or one of parts' checksums (which has a "-N")."""
    value = headers.get("x-amz-checksum-crc32", "")
    if len(value) != 8 or headers.get("x-amz-checksum-type") == "COMPOSITE":
        return None
    try:
        return int.from_bytes(b64decode(value, validate=True), "big")
    except Base64Error:
        return None

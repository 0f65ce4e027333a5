"""An object to a file.

The first request is a plain GetObject, which tells size, ETag and the checksum of the whole. Of a large object only the
first part is read from that answer; the other parts follow as ranges from several threads, each bound to the same ETag,
and their CRC32s are combined. Memory: one buffer per thread. Invariant: the file appears whole, all from one state of
the object, or not at all.
"""

from __future__ import annotations

import threading
import zlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice

from ..client import Client
from ..errors import ChecksumMismatch
from ..protocol.checksum import crc32_combine, stored_checksum
from ..protocol.messages import Headers
from ..protocol.operations.objects import ByteRange, GetObject, ObjectInfo
from ..protocol.options import headers_for
from ..value import NamedTuple, replace
from .destination import Destination
from .plan import MIB, PartRange, TransferOptions, part_ranges, threads_for
from .ranges import RangeBody, place
from .workers import Meter, Stopped, run_all

BUFFER = MIB // 2
"""Bytes that each thread holds."""
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
    with Destination(path) as destination, closing(RangeBody(client, get)) as head:
        size = _Download(client, get, head, destination, options).run()
        destination.commit()
    return head.info._replace(size=size)


def _headers(client: Client, options: TransferOptions) -> Headers:
    wanted = {"x-amz-checksum-mode": "ENABLED"} if client.validation else {}
    return {**wanted, **headers_for("GetObject", options.extra_args)}


class _Piece(NamedTuple):
    """Bytes that are in the file: where from, how many, and their CRC32 where it will be compared."""

    offset: int
    length: int
    crc32: int


class _Download:
    """One download, from its first answer on: `head`, the object from byte 0."""

    def __init__(
        self, client: Client, get: GetObject, head: RangeBody, destination: Destination, options: TransferOptions
    ) -> None:
        self._client = client
        self._get = get
        self._head = head
        self._destination = destination
        self._options = options
        self._crc32 = full_crc32(head.info.headers)
        self._digest, self._expected = stored_checksum(head.info.headers)
        self._buffers: list[memoryview] = []
        self._stop = threading.Event()
        size = head.end
        self._meter = Meter(options.progress, size)
        # Ranges that nothing binds together, or that the store does not know (RFC 9110 section 14.3), are no help.
        in_parts = head.info.e_tag and head.info.headers.get("accept-ranges") != "none"
        self._parts: Iterator[PartRange] | None = None
        if size and size > options.part_size and in_parts:
            self._parts = islice(part_ranges(size, options.part_size), 1, None)

    def run(self) -> int:
        """Fetch it all and compare. The object's size."""
        size = self._head.end or 0
        self._destination.allocate(size)
        threads = 1
        if self._parts:
            threads = threads_for(size, self._options.part_size, self._options.threads)
            self._head.read_up_to(self._options.part_size)
            self._digest = None
        pieces = run_all(self._jobs(), threads, self._stop)
        self._verify(pieces)
        if not pieces[-1].length:
            self._meter.add(0)
        return pieces[-1].offset + pieces[-1].length

    def _jobs(self) -> Iterator[Callable[[], _Piece]]:
        yield partial(self._keep, self._head)
        for part in self._parts or ():
            yield partial(self._fetch, ByteRange(part.offset, part.offset + part.length - 1))

    def _fetch(self, byte_range: ByteRange) -> _Piece:
        return self._keep(RangeBody(self._client, replace(self._get, byte_range=byte_range), self._head.info))

    def _keep(self, body: RangeBody) -> _Piece:
        """Move the body's bytes into the file."""
        offset, crc32 = body.position, 0
        with closing(body), self._destination.used():
            buffer = self._buffer()
            while count := body.readinto(buffer):
                piece = buffer[:count]
                self._destination.write(piece, body.position - count)
                if self._crc32 is not None:
                    crc32 = zlib.crc32(piece, crc32)
                elif self._digest is not None:
                    self._digest.update(piece)
                self._meter.add(count)
                if self._stop.is_set():
                    raise Stopped("the download was stopped")
            self._buffers.append(buffer)
        return _Piece(offset, body.position - offset, crc32)

    def _buffer(self) -> memoryview:
        try:
            return self._buffers.pop()
        except IndexError:
            return memoryview(bytearray(BUFFER))

    def _verify(self, pieces: list[_Piece]) -> None:
        """Compare with the checksum of the whole object, if its first answer told one."""
        if self._crc32 is not None:
            same = crc32_combine((piece.crc32, piece.length) for piece in pieces) == self._crc32
        else:
            same = self._digest is None or b64encode(self._digest.digest()).decode() == self._expected
        if not same:
            raise ChecksumMismatch(
                f"{place(self._get)}: the bytes that came do not have the checksum that was stored; no file was made"
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

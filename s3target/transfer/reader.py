"""An object as a raw binary stream: lazy, seekable, resumed where a connection breaks off, read ahead if asked to be.

Contract: what a Reader hands out are bytes of one state of the object, in order and without gaps; see ranges.py. Where
all of it comes in one answer that carries a checksum of the whole, the last bytes are handed out only if it is right;
what comes in several ranges is counted and bound to one ETag. Bytes held in memory: none without readahead, else at
most (readahead + 1) x part_size. One thread at a time.
"""

from __future__ import annotations

import io
import os
from base64 import b64encode

from ..client import Client
from ..errors import ChecksumMismatch, ConfigError, ServiceError
from ..protocol.checksum import Digest, stored_checksum
from ..protocol.operations.objects import ByteRange, GetObject, ObjectInfo
from ..protocol.options import ExtraArgs, headers_for
from ..value import TYPE_CHECKING, dataclass, field, replace
from .plan import DEFAULT_PART, Progress
from .ranges import RangeBody, ReadAhead, place

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True)
class ReaderOptions:
    """How to read. ConfigError if a number cannot be right.

    extra_args: by boto3's names, checked by the caller (protocol.options.check). readahead: how many ranges of
    part_size bytes are fetched at once ahead of whoever reads; 0: one GetObject, as it comes. progress is called by
    the thread that reads.
    """

    version_id: str | None = None
    extra_args: ExtraArgs = field(default_factory=dict, repr=False)
    readahead: int = 0
    part_size: int = DEFAULT_PART
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.readahead < 0:
            raise ConfigError(f"readahead is a number of ranges, 0 or more, not {self.readahead!r}")
        if self.part_size < 1:
            raise ConfigError(f"part_size must be 1 byte or more, not {self.part_size!r}")


class Reader(io.RawIOBase):
    """The object as a file opened for reading. io.BufferedReader around it is for lines and small reads.

    Opens at the first read, or by open(): a missing key raises there. Raises S3Error of any kind. Seeking is free until
    the next read, which costs a new connection. A forked child that goes on reading makes a request of its own.
    """

    _source: RangeBody | ReadAhead | None = None
    _digest: Digest | None = None
    _expected = ""
    _process = 0

    def __init__(self, client: Client, bucket: str, key: str, options: ReaderOptions | None = None) -> None:
        super().__init__()
        self._client = client
        self._options = options or ReaderOptions()
        extra_args = self._options.extra_args
        wanted = {"x-amz-checksum-mode": "ENABLED"} if client.validation else {}
        headers = {**wanted, **headers_for("GetObject", extra_args)}
        version_id = self._options.version_id or extra_args.get("VersionId")
        self._operation = GetObject(bucket, key, headers=headers, version_id=version_id)
        self._info: ObjectInfo | None = None
        self._position = 0
        self._damaged = False

    @property
    def name(self) -> str:
        return place(self._operation)

    def open(self) -> ObjectInfo:
        """What the store tells of the object. The first time, this is the GetObject whose bytes are read later on."""
        self._check_open()
        if self._info is None:
            self._reopen()
            assert self._info is not None
        return self._info

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._check_open()
        view = memoryview(buffer).cast("B")
        if not view or self._is_past_end():
            return 0
        try:
            if self._damaged:
                raise self._mismatch()
            source = self._source
            if source is None or source.position != self._position or self._process != os.getpid():
                source = self._reopen()
            got = source.readinto(view)
            self._verify(view[:got])
        except BaseException:
            self._drop()
            raise
        self._position += got
        if self._options.progress is not None and got:
            size = source.info.size
            self._options.progress(self._position, size if size >= 0 else None)
        return got

    def readall(self) -> bytes:
        left = self.open().size - self._position
        if left < 0:
            return super().readall() or b""
        # io's own takes 8 KiB at a time.
        buffer = bytearray(left)
        view, got = memoryview(buffer), 0
        while got < left and (count := self.readinto(view[got:])):
            got += count
        return bytes(view[:got])

    def readable(self) -> bool:
        self._check_open()
        return True

    def seekable(self) -> bool:
        self._check_open()
        return True

    def tell(self) -> int:
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Where the next read begins, in bytes from the start. io.UnsupportedOperation if the end is not known."""
        if whence == io.SEEK_CUR:
            offset += self.tell()
        elif whence == io.SEEK_END:
            size = self.open().size
            if size < 0:
                raise io.UnsupportedOperation(f"the store does not say how long {self.name} is")
            offset += size
        elif whence != io.SEEK_SET:
            raise ValueError(f"whence is 0, 1 or 2, not {whence!r}")
        if offset < 0:
            raise ValueError(f"cannot seek to {offset}, before the start")
        if offset != self.tell():
            self.open()  # from here on it must stay the same object
            self._position, self._damaged = offset, False
        return offset

    def close(self) -> None:
        if not self.closed:
            try:
                self._drop()
            finally:
                super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("this reader is closed")

    def _is_past_end(self) -> bool:
        """Only a seek leads here: a read that comes to the end has a source that knows."""
        known = self._info is not None and 0 <= self._info.size <= self._position
        return known and (self._source is None or self._source.position != self._position)

    def _drop(self) -> None:
        source, self._source, self._digest = self._source, None, None
        if source is not None:
            source.close()

    def _reopen(self) -> RangeBody | ReadAhead:
        self._drop()
        self._process = os.getpid()
        source = self._source = self._open_source()
        self._info = source.info
        if self._position == 0 and source.whole:
            self._digest, self._expected = stored_checksum(source.info.headers)
        return source

    def _open_source(self) -> RangeBody | ReadAhead:
        client, operation, options = self._client, self._operation, self._options
        everything = replace(operation, byte_range=ByteRange(self._position)) if self._position else operation
        if not options.readahead:
            return RangeBody(client, everything, self._info)
        first = ByteRange(self._position, self._position + options.part_size - 1)
        try:
            head = RangeBody(client, replace(operation, byte_range=first), self._info)
        except ServiceError as error:
            if error.status != 416:
                raise
            return RangeBody(client, everything, self._info)  # no byte of an empty object can be asked for
        if head.whole:
            head.read_to_the_end()
        if head.whole or head.end == head.info.size:
            return head
        if head.info.size < 0 or not head.info.e_tag:
            head.close()  # ranges that may be of different objects are not to be put together
            return RangeBody(client, everything, self._info)
        return ReadAhead(client, operation, head, options.readahead, options.part_size)

    def _verify(self, piece: memoryview) -> None:
        if self._digest is None or self._info is None:
            return
        self._digest.update(piece)
        at_end = not piece or self._position + len(piece) == self._info.size
        if at_end and b64encode(self._digest.digest()).decode() != self._expected:
            self._damaged = True
            raise self._mismatch()

    def _mismatch(self) -> ChecksumMismatch:
        return ChecksumMismatch(f"{self.name}: the bytes that came do not have the checksum that was stored")


def open_reader(client: Client, bucket: str, key: str, options: ReaderOptions | None = None) -> Reader:
    """A Reader whose GetObject has been answered: NotFound and its kin are raised here."""
    reader = Reader(client, bucket, key, options)
    try:
        reader.open()
    except BaseException:
        reader.close()
        raise
    return reader

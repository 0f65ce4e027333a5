"""A file to an object.

A file of one part goes up as one PutObject, a larger one in parts from several threads; of what is larger than 1 MiB
only the pieces on their way to a socket are in memory. Invariant: the object appears whole or not at all, no upload is
left behind, and the first error is the one raised. A file that changes meanwhile is an error; an object of two states
of it can only be made by a single PutObject, to a store that compares no checksum, and that is an error too.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from collections.abc import Mapping
from functools import partial

from ..client import Client
from ..errors import ConfigError, IntegrityError, S3Error
from ..protocol.messages import Body, BytesBody, FileSlice, Headers
from ..protocol.operations.multipart import Part, UploadPart
from ..protocol.operations.objects import PutObject, WrittenObject
from ..protocol.options import ExtraArgs, headers_for
from ..value import TYPE_CHECKING, BinaryIO, NamedTuple, cast, dataclass, field
from .marks import is_conditional, mark
from .multipart import CHECKSUM_TYPE, FULL_OBJECT, MultipartUpload, declared_checksum
from .once import insist, keeps_condition
from .plan import MAX_SINGLE, MIB, TransferOptions, part_ranges, part_size_for, threads_for
from .workers import Meter, Stopped, run_all

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_AT_ONCE = MIB
"""A file of up to so many bytes is read into memory: one state of it is hashed and sent."""
_COMPLETE = "CompleteMultipartUpload"
_DEFAULT = TransferOptions()
_NOTHING: Mapping[int, Headers] = {}
_NOT_BY_PARTS = ("ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256")


class _StoppableFile(io.FileIO):
    """A file that raises Stopped in place of giving more, once `stop` is set."""

    stop: threading.Event

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        if self.stop.is_set():
            raise Stopped("the upload was stopped")
        return super().readinto(buffer)


@dataclass(frozen=True)
class StoppableSlice(FileSlice):
    """A FileSlice that is neither hashed, nor sent, nor sent again after `stop`; so Ctrl-C waits for little."""

    stop: threading.Event = field(compare=False, repr=False)

    def open(self) -> BinaryIO:
        if self.stop.is_set():
            raise Stopped("the upload was stopped")
        file = _StoppableFile(self.path)
        file.stop = self.stop
        file.seek(self.offset)
        return cast(BinaryIO, file)


class _Snapshot(NamedTuple):
    """What tells one state of a file from another. size: bytes. changed: nanoseconds since 1970."""

    path: str
    device: int
    inode: int
    size: int
    changed: int

    def check(self, during: S3Error | None = None) -> None:
        """IntegrityError if the file is not in that state any more. during: the error that made us ask."""
        now = _snapshot(self.path)
        if now != self:
            told = f"from {self.size} to {now.size} bytes" if now.size != self.size else "in place"
            raise IntegrityError(
                f"{self.path} changed {told} while it was uploaded: write it, close it, then upload"
            ) from during


def _snapshot(path: str) -> _Snapshot:
    """OSError if there is no such file or it is a directory; ConfigError for a pipe or a device."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(
            f"{path} is no regular file, so its size is not known; copy it to one, or write to the object"
        )
    return _Snapshot(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def upload(
    client: Client,
    path: str,
    bucket: str,
    key: str,
    options: TransferOptions = _DEFAULT,
    hashed: Mapping[int, Headers] = _NOTHING,
) -> WrittenObject:
    """Store the file at `path` as bucket/key. options.progress hears of each part when it is up. hashed: what a
    HashAhead, of the same options, knows of its parts.

    OSError if the file cannot be read, ConfigError if it is no regular one or too large, or if nothing may be
    overwritten and the store does not see to that; IntegrityError if it changes.
    """
    before = _snapshot(path)
    small = before.size <= options.part_size or _needs_one_piece(client, before.size, bucket, key, options)
    insist(client, bucket, key, options.extra_args, "PutObject" if small else _COMPLETE)
    try:
        if small:
            return _put(client, before, bucket, key, options)
        return _in_parts(client, before, bucket, key, options, hashed)
    except IntegrityError:
        raise
    except S3Error as error:
        # A file that shrank looks like a connection that was cut off, or a wrong checksum: say what it is.
        before.check(error)
        raise


def _needs_one_piece(client: Client, size: int, bucket: str, key: str, options: TransferOptions) -> bool:
    """Whether If-None-Match works for one PutObject alone, as on Ceph 16."""
    if not is_conditional(options.extra_args) or size > MAX_SINGLE:
        return False
    return not keeps_condition(client, bucket, key, options.extra_args, _COMPLETE)


def _put(client: Client, file: _Snapshot, bucket: str, key: str, options: TransferOptions) -> WrittenObject:
    body: Body = _read(file) if file.size <= READ_AT_ONCE else FileSlice(file.path, 0, file.size)
    headers = {**headers_for("PutObject", options.extra_args), **mark(options.extra_args)}
    written = client.call(PutObject(bucket, key, body, headers))
    if not isinstance(body, BytesBody):
        file.check()
    Meter(options.progress, file.size).add(file.size)
    return written


def _read(file: _Snapshot) -> BytesBody:
    with open(file.path, "rb") as reader:
        content = reader.read(file.size + 1)
    if len(content) != file.size:
        raise IntegrityError(f"{file.path} changed from {file.size} bytes while it was read: close it, then upload")
    return BytesBody(content)


def _in_parts(
    client: Client, file: _Snapshot, bucket: str, key: str, options: TransferOptions, hashed: Mapping[int, Headers]
) -> WrittenObject:
    part_size = part_size_for(file.size, options.part_size)
    headers = _create_headers(client, options.extra_args)
    open(file.path, "rb").close()  # a file that may not be read is known before anything is begun
    with MultipartUpload(client, bucket, key, options.extra_args, headers) as parted:
        meter, stop = Meter(options.progress, file.size), threading.Event()
        slices = (
            (part.number, StoppableSlice(file.path, part.offset, part.length, stop))
            for part in part_ranges(file.size, part_size)
        )
        headers = headers_for("UploadPart", options.extra_args)
        known = hashed if part_size == options.part_size else _NOTHING
        jobs = (partial(_send, parted, number, body, known.get(number, headers), meter) for number, body in slices)
        parts = run_all(jobs, threads_for(file.size, part_size, options.threads), stop)
        file.check()
        return parted.complete(parts)


def _send(parted: MultipartUpload, number: int, body: FileSlice, headers: Headers, meter: Meter) -> Part:
    sent = parted.part(UploadPart(parted.bucket, parted.key, parted.upload_id, number, body, headers))
    meter.add(body.length)
    return sent


def _create_headers(client: Client, extra_args: ExtraArgs) -> Headers:
    given = next((name for name in _NOT_BY_PARTS if extra_args.get(name)), None)
    if given:
        raise ConfigError(f"{given} cannot be given for an upload in parts; give ChecksumCRC32, or a larger part_size")
    headers = {**headers_for("CreateMultipartUpload", extra_args), **declared_checksum(client, extra_args)}
    if extra_args.get("ChecksumCRC32"):
        headers = {"x-amz-checksum-algorithm": "CRC32", **headers, CHECKSUM_TYPE: FULL_OBJECT}
    return headers

"""A file to an object.

A file of one part goes up as one PutObject, a larger one in parts from several threads; nothing but the pieces on their
way to a socket is in memory. Invariant: the object appears whole or not at all, no upload is left behind, and the first
error is the one raised. A file that changes meanwhile is an error: no object is made of two states of it, except by a
single PutObject to a store that checks no checksum, which is told as well.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ..client import Client
from ..errors import ConfigError, IntegrityError, S3Error
from ..protocol.checksum import crc32_combine, decode_crc32, encode_crc32
from ..protocol.messages import FileSlice, Headers
from ..protocol.operations.multipart import Part, UploadPart
from ..protocol.operations.objects import PutObject, WrittenObject
from ..protocol.options import headers_for
from .multipart import MultipartUpload, declared_checksum
from .plan import MIN_PART, PartRange, TransferOptions, part_ranges, part_size_for, threads_for
from .workers import Meter, run_all

_NO_COMBINING = ("ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256")


class Snapshot(NamedTuple):
    """What tells one state of a file from another: device, inode, size in bytes, time of change in nanoseconds."""

    device: int
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, path: str) -> Snapshot:
        status = os.stat(path)
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def upload(
    client: Client, path: str, bucket: str, key: str, options: TransferOptions = TransferOptions()  # noqa: B008
) -> WrittenObject:
    """Store the file at `path` as bucket/key. options.progress hears of each part when it is up.

    OSError if the file cannot be read, ConfigError if it is no regular one or too large, IntegrityError if it changes.
    """
    _check_readable(path)
    before = Snapshot.of(path)
    try:
        if before.size <= options.part_size:
            return _put(client, path, bucket, key, before, options)
        return _in_parts(client, path, bucket, key, before, options)
    except S3Error as error:
        # A file that shrank looks like a connection that was cut off: say what it is.
        if not isinstance(error, IntegrityError):
            _check_unchanged(path, before, error)
        raise

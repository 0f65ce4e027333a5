"""Whether an ETag is that of a file: its MD5, or the MD5 of its parts' MD5s where it was uploaded in parts.

How long the parts were an ETag does not tell; of "...-12" those lengths are tried that are usual and come to 12 parts.
"""

from __future__ import annotations

import hashlib
import re

from ..transfer.plan import MIB, part_count

_USUAL = (8, 5, 16, 15, 32, 64, 100, 128, 256, 512, 1024)
"""MiB: of this package and aws s3, of the smallest part, of rclone, s3cmd, MinIO, s5cmd and others."""


def is_etag_of(e_tag: str, path: str, size: int) -> bool:
    """OSError if the file cannot be read."""
    found = re.fullmatch(r"([0-9a-f]{32})(?:-([0-9]{1,5}))?", e_tag)
    if not found:
        return False
    if found[2] is None:
        return _md5(path, 0, size) == found[1]
    count = int(found[2])
    return any(_of_parts(path, size, part) == found[1] for part in _lengths(size, count))


def _lengths(size: int, count: int) -> list[int]:
    """The usual part lengths in bytes by which `size` bytes come to `count` parts."""
    return [unit * MIB for unit in _USUAL if max(1, part_count(size, unit * MIB)) == count]


def _of_parts(path: str, size: int, length: int) -> str:
    digests = [_digest(path, offset, length).digest() for offset in range(0, max(size, 1), length)]
    return _new(b"".join(digests)).hexdigest()


def _md5(path: str, offset: int, length: int) -> str:
    return _digest(path, offset, length).hexdigest()


def _digest(path: str, offset: int, length: int) -> hashlib._Hash:
    digest, left = _new(b""), length
    with open(path, "rb") as file:
        file.seek(offset)
        while left and (piece := file.read(min(left, MIB))):
            digest.update(piece)
            left -= len(piece)
    return digest


def _new(content: bytes) -> hashlib._Hash:
    return hashlib.md5(content, usedforsecurity=False)

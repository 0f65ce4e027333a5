"""ETags of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from s3target.cli.syncing import is_etag_of

MIB = 1 << 20


def etag(content: bytes, part: int) -> str:
    """As S3 makes it of an upload in parts."""
    digests = [hashlib.md5(content[place : place + part]).digest() for place in range(0, len(content) or 1, part)]
    return f"{hashlib.md5(b''.join(digests)).hexdigest()}-{len(digests)}"


@pytest.mark.parametrize("size", [0, 1, MIB + 1])
def test_the_md5_of_a_file(tmp_path: Path, size: int) -> None:
    """And of no other."""
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    right = hashlib.md5(bytes(size)).hexdigest()
    assert is_etag_of(right, str(path), size)
    assert not is_etag_of(right.replace(right[0], "0" if right[0] != "0" else "1"), str(path), size)


@pytest.mark.parametrize("part", [5, 8, 16])
def test_of_parts_of_usual_lengths(tmp_path: Path, part: int) -> None:
    """The length is not told, only how many parts there are."""
    content = bytes(range(256)) * (MIB // 256 * 17)
    path = tmp_path / "file"
    path.write_bytes(content)
    right = etag(content, part * MIB)
    assert is_etag_of(right, str(path), len(content))
    path.write_bytes(b"x" + content[1:])
    assert not is_etag_of(right, str(path), len(content))


@pytest.mark.parametrize(
    "e_tag", ["", "0x8D", "d41d8cd98f00b204e9800998ecf8427e-x", "d41d8cd98f00b204e9800998ecf8427e-9"]
)
def test_what_is_no_checksum_is_that_of_no_file(tmp_path: Path, e_tag: str) -> None:
    """So it is copied once more."""
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert not is_etag_of(e_tag, str(path), 0)

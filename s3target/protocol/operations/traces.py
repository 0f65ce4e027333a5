"""By what a write is known again, once its answer was lost: what it must have left at its key. Pure.

A condition such as If-None-Match refuses the second attempt because of what the first one did, and an upload that was
completed is no longer there to be completed. Then the object that is there decides: by its mark, where the write had
one (transfer/marks.py), else by its size, and a checksum or an ETag that follows from the bytes sent. Without a mark it
cannot be told whether somebody else has written the same bytes since; where the store gives nothing to compare, such as
an ETag that is no MD5 (SSE-KMS, SSE-C) and no checksum, a write counts as refused.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence

from ...value import TYPE_CHECKING
from ..checksum import crc32_combine, digest_body, stored_checksum
from ..messages import Body, Headers

if TYPE_CHECKING:
    from .multipart import Part
    from .objects import ObjectInfo

MARK = "x-amz-meta-s3target-once"
_META = "x-amz-meta-"
_SHARED = ("x-amz-server-side-encryption-customer-", "x-amz-request-payer", "x-amz-expected-bucket-owner")
_MD5 = "[0-9a-f]{32}"


def inquiry_headers(headers: Headers) -> Headers:
    """Of a HeadObject for what a write with these headers has left."""
    shared = {name: value for name, value in headers.items() if name.startswith(_SHARED)}
    return {**shared, "x-amz-checksum-mode": "ENABLED"}


def holds(info: ObjectInfo, body: Body, headers: Headers) -> bool:
    """Whether the object has the mark of headers, or else their metadata and the bytes of body.

    OSError if body's file is gone.
    """
    if MARK in headers:
        return info.headers.get(MARK) == headers[MARK] and info.size == body.length
    if info.size != body.length or not _has_metadata(info, headers):
        return False
    digest, expected = stored_checksum(info.headers)
    if digest is not None:
        digest_body(body, digest)
        return b64encode(digest.digest()).decode() == expected
    if _has_opaque_e_tag(info.headers):
        return False
    md5 = hashlib.md5(usedforsecurity=False)
    digest_body(body, md5)
    return md5.hexdigest() == info.e_tag


def consists_of(info: ObjectInfo, parts: Sequence[Part]) -> bool | None:
    """Whether the object is these parts joined; None if there is no more to go by than that the size is right."""
    sizes_known = all(part.size for part in parts)
    if sizes_known and info.size != sum(part.size for part in parts):
        return False
    expected, stored = _checksum_of(info.headers, parts), info.headers.get("x-amz-checksum-crc32")
    if stored and expected and sizes_known:
        return stored == expected
    _, mark, count = info.e_tag.partition("-")
    if not mark:
        return None if sizes_known else False  # rclone gives the MD5 of the whole
    joined = _e_tag_of(parts)
    if joined and not _has_opaque_e_tag(info.headers):
        return info.e_tag == joined
    return None if sizes_known and count == str(len(parts)) else False


def _has_metadata(info: ObjectInfo, headers: Headers) -> bool:
    given = {name: value.strip() for name, value in headers.items() if name.startswith(_META)}
    return all(info.headers.get(name) == value for name, value in given.items())


def _has_opaque_e_tag(headers: Headers) -> bool:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html"""
    by_customer = "x-amz-server-side-encryption-customer-algorithm" in headers
    return by_customer or headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")


def _e_tag_of(parts: Sequence[Part]) -> str | None:
    """The ETag that S3 makes of MD5s of parts; None if theirs are something else."""
    if not all(re.fullmatch(_MD5, part.e_tag) for part in parts):
        return None
    joined = b"".join(bytes.fromhex(part.e_tag) for part in parts)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _checksum_of(headers: Headers, parts: Sequence[Part]) -> str | None:
    """The CRC32 of the joined parts, in the form in which the store has it; None if theirs are not all known."""
    if not all(part.checksum and part.algorithm == "CRC32" for part in parts):
        return None
    values = [b64decode(part.checksum or "") for part in parts]
    if headers.get("x-amz-checksum-type") == "FULL_OBJECT":
        pairs = ((int.from_bytes(value, "big"), part.size) for value, part in zip(values, parts, strict=True))
        return b64encode(crc32_combine(pairs).to_bytes(4, "big")).decode()
    return f"{b64encode(zlib.crc32(b''.join(values)).to_bytes(4, 'big')).decode()}-{len(parts)}"

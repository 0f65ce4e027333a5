"""Checksums of what goes out and what comes in.

seal() puts them on a request, once per call, since the body does not change between attempts: Content-MD5 where S3
insists, else a CRC32 in a plain header, and the payload hash that SigV4 wants. No trailers and no chunked bodies: most
look-alikes refuse them. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable
from functools import lru_cache, partial

from ..errors import ConfigError, Truncated
from ..value import Protocol
from .messages import Body, BytesBody, Headers, Request
from .sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD

_PIECE = 256 * 1024
_FLAG = "x-amz-sdk-checksum-algorithm"


class Digest(Protocol):
    def update(self, piece: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


class Crc32:
    """zlib's CRC32 with hashlib's verbs."""

    def __init__(self) -> None:
        self.value = 0

    def update(self, piece: bytes | memoryview, /) -> None:
        self.value = zlib.crc32(piece, self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(4, "big")


_md5 = partial(hashlib.md5, usedforsecurity=False)
ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "CRC32": Crc32,
    "SHA1": partial(hashlib.sha1, usedforsecurity=False),
    "SHA256": hashlib.sha256,
}
"""S3's checksum algorithms that the standard library computes at C speed, by the names of the API."""


def digest_body(body: Body, *digests: Digest) -> None:
    """Feed the whole body to all digests in one pass. Truncated if it is shorter than it says."""
    if isinstance(body, BytesBody):
        for piece in body.pieces:
            for digest in digests:
                digest.update(piece)
        return
    buffer = memoryview(bytearray(min(_PIECE, body.length)))
    left = body.length
    with body.open() as reader:
        while left:
            got = reader.readinto(buffer[: min(left, len(buffer))])  # type: ignore[attr-defined]
            if not got:
                raise Truncated(f"{body} ends {left} bytes early; was the file changed while it was sent?")
            for digest in digests:
                digest.update(buffer[:got])
            left -= got


def seal(request: Request, checksum: str | None, payload_signing: bool | None = None) -> Request:
    """request with its checksum header and x-amz-content-sha256; as it is if it has been sealed before.

    checksum: what the operation calls for: "MD5" (Content-MD5, compulsory), "CRC32" (or another that the request's own
    x-amz-sdk-checksum-algorithm names), or None. payload_signing: True hashes the payload always, False never; None by
    botocore's rule: on plain http always, on https unless a checksum protects the body already.
    """
    if "x-amz-content-sha256" in request.headers:
        return request
    if not checksum and not request.body.length and _FLAG not in request.headers:  # most of what is not a write
        return request.with_headers({"x-amz-content-sha256": EMPTY_SHA256})
    digests: dict[str, Digest] = {}
    name = _checksum_header(request, checksum)
    if name == "content-md5":
        digests[name] = _md5()
    elif name:
        digests[name] = ALGORITHMS[name.rpartition("-")[2].upper()]()
    covered = bool(name) or any(_is_checksum(header) for header in request.headers)
    signed = payload_signing
    if signed is None:
        signed = request.origin.scheme != "https" or not covered or checksum == "MD5"
    sha256 = hashlib.sha256() if signed and request.body.length else None
    if digests or sha256:
        digest_body(request.body, *digests.values(), *([sha256] if sha256 else []))
    headers = {header: b64encode(digest.digest()).decode() for header, digest in digests.items()}
    unhashed = EMPTY_SHA256 if not request.body.length else UNSIGNED_PAYLOAD
    headers["x-amz-content-sha256"] = sha256.hexdigest() if sha256 else unhashed
    return request.with_headers(headers)


def _is_checksum(header: str) -> bool:
    about = ("-type", "-mode", "-algorithm")
    return header == "content-md5" or (header.startswith("x-amz-checksum-") and not header.endswith(about))


def _checksum_header(request: Request, checksum: str | None) -> str | None:
    """The header that seal() is to fill in, None if there is none or the caller gave the value."""
    algorithm = request.headers.get(_FLAG, checksum)  # the flag alone, without a checksum, S3 would refuse
    if algorithm is None or any(_is_checksum(header) for header in request.headers):
        return None
    if checksum == "MD5":
        return "content-md5"
    if algorithm not in ALGORITHMS:
        raise ConfigError(
            f"ChecksumAlgorithm={algorithm!r} cannot be computed on the standard library; "
            f"use one of {', '.join(ALGORITHMS)}, or pass the value itself as Checksum{algorithm}=..."
        )
    return f"x-amz-checksum-{algorithm.lower()}"


def crc32_combine(parts: Iterable[tuple[int, int]]) -> int:
    """The CRC32 of joined pieces from (crc32, length) of each, without their bytes.

    A CRC is a polynomial over GF(2); n more bytes behind it multiply it by x**8n, modulo the polynomial of CRC32.
    """
    total = 0
    for crc, length in parts:
        total = _product(total, _bytes_behind(length)) ^ crc
    return total


@lru_cache(maxsize=64)  # all parts but the last are of one length
def _bytes_behind(count: int) -> int:
    """x**8count, by square and multiply."""
    power, square = 1 << 31, 1 << 23
    while count:
        if count & 1:
            power = _product(power, square)
        square = _product(square, square)
        count >>= 1
    return power


def _product(one: int, other: int) -> int:
    """Of polynomials in CRC32's bit order: bit 31 is x**0."""
    product = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            product ^= other
        other = other >> 1 ^ (0xEDB88320 if other & 1 else 0)
    return product


def stored_checksum(headers: Headers) -> tuple[Digest | None, str]:
    """A digest to feed with the whole object, and what it must come to in base64; None if there is nothing to check.

    headers: of the object. A checksum of parts' checksums, which ends in "-" and their number, cannot be checked so.
    """
    for algorithm, digest in ALGORITHMS.items():
        value = headers.get(f"x-amz-checksum-{algorithm.lower()}", "")
        if value and "-" not in value and headers.get("x-amz-checksum-type") != "COMPOSITE":
            return digest(), value
    return None, ""

"""What is told of an object that may be one's own: by its size, its checksum, its ETag, and by nothing else."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode

import pytest

from s3target.errors import NoSuchKey, NoSuchUpload, PreconditionFailed
from s3target.protocol.messages import BytesBody, FileSlice
from s3target.protocol.operations.multipart import CompleteMultipartUpload, Part
from s3target.protocol.operations.objects import (
    CopyObject,
    CopySource,
    HeadObject,
    ObjectInfo,
    PutObject,
    WrittenObject,
)
from s3target.protocol.operations.traces import MARK, consists_of, holds, inquiry_headers
from s3target.value import replace

BODY = b"five!"
MD5 = hashlib.md5(BODY).hexdigest()
KMS = {"x-amz-server-side-encryption": "aws:kms"}
CUSTOMER = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
PIECES = (b"a" * 7, b"b" * 7, b"cc")
WHOLE = b"".join(PIECES)


def crc(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(4, "big")


def crc_header(content: bytes) -> dict[str, str]:
    return {"x-amz-checksum-crc32": b64encode(crc(content)).decode()}


def info(size: int, e_tag: str = "", headers: dict[str, str] | None = None) -> ObjectInfo:
    return ObjectInfo("b", "k", size, e_tag, headers=headers or {})


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (info(5, MD5), True),
        (info(4, MD5), False),
        (info(5, hashlib.md5(b"four!").hexdigest()), False),
        (info(5, f"{MD5}-1"), False),
        (info(5, ""), False),
        (info(5, MD5, KMS), False),
        (info(5, MD5, CUSTOMER), False),
        (info(5, MD5, {"x-amz-server-side-encryption": "AES256"}), True),
        (info(5, "0" * 32, {**KMS, **crc_header(BODY)}), True),
        (info(5, MD5, crc_header(b"other")), False),
        (info(5, MD5, {"x-amz-checksum-crc32": "AAAAAA==-2"}), True),
    ],
)
def test_whether_an_object_holds_a_body(found, same):
    """The checksum decides, else an ETag that is an MD5; the size must be right in any case."""
    assert holds(found, BytesBody(BODY), {}) is same


def test_body_in_a_file(tmp_path):
    """It is read again."""
    (tmp_path / "f").write_bytes(b"xx" + BODY)
    assert holds(info(5, MD5), FileSlice(str(tmp_path / "f"), 2, 5), {})


@pytest.mark.parametrize(
    ("stored", "same"), [({"x-amz-meta-run": "1"}, True), ({"x-amz-meta-run": "2"}, False), ({}, False)]
)
def test_metadata_belongs_to_it(stored, same):
    """So whoever names each of his writes knows his own from a twin's."""
    assert holds(info(5, MD5, stored), BytesBody(BODY), {"x-amz-meta-run": "1 "}) is same


@pytest.mark.parametrize(("there", "same"), [("1f", True), ("2e", False), (None, False)])
def test_a_mark_alone_decides(there, same):
    """Stores may give other metadata back in a form of their own, and an ETag may be opaque."""
    stored = {**KMS, "x-amz-meta-name": "=?UTF-8?Q?=C3=A9?=", **({MARK: there} if there else {})}
    assert holds(info(5, "0" * 32, stored), BytesBody(BODY), {MARK: "1f", "x-amz-meta-name": "\xe9"}) is same
    assert not holds(info(4, "0" * 32, stored), BytesBody(BODY), {MARK: "1f"})


def parts(sizes: bool = True, checksums: bool = False, md5: bool = True, algorithm: str = "CRC32") -> list[Part]:
    return [
        Part(
            number,
            hashlib.md5(piece).hexdigest() if md5 else f"opaque-{number}",
            len(piece) if sizes else 0,
            b64encode(crc(piece)).decode() if checksums else None,
            algorithm,
        )
        for number, piece in enumerate(PIECES, 1)
    ]


JOINED = f"{hashlib.md5(b''.join(hashlib.md5(piece).digest() for piece in PIECES)).hexdigest()}-3"
COMPOSITE = b64encode(crc(b"".join(crc(piece) for piece in PIECES))).decode() + "-3"


@pytest.mark.parametrize(
    ("found", "of", "same"),
    [
        (info(16, JOINED), parts(), True),
        (info(15, JOINED), parts(), False),
        (info(16, JOINED), parts(sizes=False), True),
        (info(16, f"{'0' * 32}-3"), parts(), False),
        (info(16, f"{'0' * 32}-3", KMS), parts(), None),
        (info(16, f"{'0' * 32}-4", KMS), parts(), False),
        (info(16, f"{'0' * 32}-3", KMS), parts(sizes=False), False),
        (info(16, f"{'0' * 32}-3"), parts(md5=False), None),
        (info(16, hashlib.md5(WHOLE).hexdigest()), parts(), None),
        (info(16, hashlib.md5(WHOLE).hexdigest()), parts(sizes=False), False),
        (info(16, "x-3", {**KMS, "x-amz-checksum-crc32": COMPOSITE}), parts(checksums=True), True),
        (info(16, JOINED, {"x-amz-checksum-crc32": "AAAAAA==-3"}), parts(checksums=True), False),
        (info(16, JOINED, {"x-amz-checksum-crc32": COMPOSITE}), parts(), True),
        (info(16, JOINED), parts(checksums=True), True),
        (info(16, JOINED, {"x-amz-checksum-crc32": "AAAAAA==-3"}), parts(checksums=True, algorithm="CRC32C"), True),
        (
            info(16, "x-3", {**crc_header(WHOLE), "x-amz-checksum-type": "FULL_OBJECT"}),
            parts(checksums=True),
            True,
        ),
    ],
)
def test_whether_an_object_consists_of_parts(found, of, same):
    """None is for a right size and nothing else to compare."""
    assert consists_of(found, of) is same


REFUSED = PreconditionFailed(412, "PreconditionFailed")
GONE = NoSuchUpload(404, "NoSuchUpload")
PUT = PutObject("b", "k", BytesBody(BODY), {"if-none-match": "*"})
COMPLETE = CompleteMultipartUpload("b", "k", "u", tuple(parts()))
ONCE = CompleteMultipartUpload("b", "k", "u", tuple(parts()), {"if-none-match": "*"})
MARKED = CompleteMultipartUpload("b", "k", "u", tuple(parts()), mark="1f")
COPY = CopyObject(CopySource("f", "g"), "b", "k", {"if-none-match": "*"})
OVER = CompleteMultipartUpload("b", "k", "u", tuple(parts()), {"if-match": "e"})


@pytest.mark.parametrize(
    ("operation", "error", "asks"),
    [
        (PUT, REFUSED, True),
        (PUT, NoSuchKey(404, "NoSuchKey"), False),
        (PUT, GONE, False),
        (COMPLETE, GONE, True),
        (ONCE, REFUSED, True),
        (COMPLETE, NoSuchKey(404, "NoSuchKey"), False),
        (HeadObject("b", "k"), REFUSED, False),
        (COPY, REFUSED, False),
        (replace(COPY, headers={MARK: "1f"}), REFUSED, True),
    ],
)
def test_errors_that_may_be_ones_own_doing(operation, error, asks):
    """A condition that failed, and an upload that is gone; the object is what is looked at then."""
    inquiry = operation.inquiry(error)
    assert (inquiry is not None) is asks
    if asks:
        assert inquiry == HeadObject("b", "k", {"x-amz-checksum-mode": "ENABLED"})


@pytest.mark.parametrize(
    ("operation", "found", "ours"),
    [
        (PUT, info(5, MD5), True),
        (PUT, info(5, "0" * 32), False),
        (COMPLETE, info(16, JOINED), True),
        (COMPLETE, info(16, "0" * 32), True),
        (COMPLETE, info(16, f"{'0' * 32}-3"), False),
        (ONCE, info(16, JOINED), True),
        (ONCE, info(16, "0" * 32), False),
        (OVER, info(16, "0" * 32), False),
        (MARKED, info(16, "x-3", {MARK: "1f"}), True),
        (MARKED, info(16, JOINED, {MARK: "2e"}), False),
    ],
)
def test_recognized_as_ones_own(operation, found, ours):
    """With a condition only what is certain counts: somebody else's object of the same size is to be expected then."""
    assert operation.recognize(found) == (WrittenObject(found.e_tag, None, found.headers) if ours else None)


def test_keys_of_the_customer_go_along():
    """Nobody may look at such an object without."""
    sse = {"x-amz-server-side-encryption-customer-key": "k", "x-amz-request-payer": "requester"}
    given = {**sse, "if-none-match": "*", "x-amz-meta-a": "1", "x-amz-server-side-encryption": "AES256"}
    assert inquiry_headers(given) == {**sse, "x-amz-checksum-mode": "ENABLED"}

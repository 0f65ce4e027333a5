"""boto3's option names become the headers that botocore sends for them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import botocore.session
import pytest
from s3transfer.manager import TransferManager

from s3target.errors import ConfigError
from s3target.protocol.options import COPY, DOWNLOAD, UPLOAD, check, headers_for, source_headers

ELSEWHERE = {"Metadata", "VersionId"}  # many headers; no header
NOT_SENT = {
    # The whole object's, which is sent once.
    "UploadPart": {*(f"Checksum{kind}" for kind in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")), "ContentMD5"},
    # It asks what there is, whatever that is.
    "HeadObject": {"IfMatch", "IfNoneMatch", "IfModifiedSince"},
}
OPERATIONS = (
    *("AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload"),
    *("GetObject", "HeadObject", "PutObject", "UploadPart", "UploadPartCopy"),
)


@pytest.fixture(scope="module")
def model():
    return botocore.session.get_session().get_service_model("s3")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_header_of_every_option(model, operation):
    """By botocore's model of the operation: all that it takes are sent, and no header of one that it does not take."""
    members = model.operation_model(operation).input_shape.members
    options = (UPLOAD | COPY | DOWNLOAD | {"ChecksumMode"}) - ELSEWHERE
    sent = {name: next(iter(headers_for(operation, {name: "x"})), None) for name in options}
    told = {name: members[name].serialization["name"].lower() for name, header in sent.items() if header}
    assert told == {name: header for name, header in sent.items() if header}
    takes = {name for name, shape in members.items() if shape.serialization.get("location") == "header"}
    assert takes & options - told.keys() <= NOT_SENT.get(operation, set())
    assert {"RequestPayer", "ExpectedBucketOwner"} <= told.keys()


LATER = {*(f"Checksum{kind}" for kind in ("MD5", "SHA512", "XXHASH3", "XXHASH64", "XXHASH128")), "AnnotationDirective"}
"""Of boto3 1.44, and not yet here."""


@pytest.mark.parametrize(
    ("ours", "boto3s", "more"),
    [
        (UPLOAD, TransferManager.ALLOWED_UPLOAD_ARGS, {"ContentMD5", "IfMatch", "IfNoneMatch", "BucketKeyEnabled"}),
        (COPY, TransferManager.ALLOWED_COPY_ARGS, {"IfMatch", "IfNoneMatch", "BucketKeyEnabled"}),
        (DOWNLOAD, TransferManager.ALLOWED_DOWNLOAD_ARGS, {"IfMatch", "IfNoneMatch", "IfModifiedSince"}),
    ],
    ids=["upload", "copy", "download"],
)
def test_what_boto3_takes(ours, boto3s, more):
    """As ExtraArgs of its transfers; and conditions, which it takes of single requests."""
    assert set(boto3s) - ours <= LATER
    assert more <= ours


NOON = datetime(2026, 11, 25, 12, tzinfo=timezone(timedelta(hours=2)))
HTTP_NOON = "Wed, 25 Nov 2026 10:00:00 GMT"
SSE = "x-amz-server-side-encryption-customer"
KEY = {f"{SSE}-key": "MDEyMw==", f"{SSE}-key-md5": "62L2uTBttXXC1ZaxJ5YnpA=="}


@pytest.mark.parametrize(
    ("operation", "name", "value", "headers"),
    [
        # An ETag that is to be compared is quoted; that of a write goes as it is.
        ("GetObject", "IfMatch", "e", {"if-match": '"e"'}),
        ("GetObject", "IfNoneMatch", '"e"', {"if-none-match": '"e"'}),
        ("CopyObject", "CopySourceIfMatch", "e", {"x-amz-copy-source-if-match": '"e"'}),
        ("CopyObject", "CopySourceIfNoneMatch", "e", {"x-amz-copy-source-if-none-match": '"e"'}),
        ("PutObject", "IfMatch", "e", {"if-match": "e"}),
        ("CompleteMultipartUpload", "IfNoneMatch", "*", {"if-none-match": "*"}),
        ("PutObject", "Metadata", {"Made-By": "x", "n": ""}, {"x-amz-meta-made-by": "x", "x-amz-meta-n": ""}),
        ("PutObject", "Tagging", {"a": "b c", "d": "&"}, {"x-amz-tagging": "a=b%20c&d=%26"}),
        ("PutObject", "Tagging", "a=b", {"x-amz-tagging": "a=b"}),
        ("PutObject", "BucketKeyEnabled", True, {"x-amz-server-side-encryption-bucket-key-enabled": "true"}),
        ("PutObject", "BucketKeyEnabled", False, {"x-amz-server-side-encryption-bucket-key-enabled": "false"}),
        ("CompleteMultipartUpload", "MpuObjectSize", 5, {"x-amz-mp-object-size": "5"}),
        ("PutObject", "Expires", NOON, {"expires": HTTP_NOON}),
        ("GetObject", "IfModifiedSince", NOON, {"if-modified-since": HTTP_NOON}),
        ("UploadPartCopy", "CopySourceIfUnmodifiedSince", NOON, {"x-amz-copy-source-if-unmodified-since": HTTP_NOON}),
        (
            *("PutObject", "ObjectLockRetainUntilDate", NOON),
            {"x-amz-object-lock-retain-until-date": "2026-11-25T10:00:00Z"},
        ),
        ("PutObject", "ChecksumAlgorithm", "crc32", {"x-amz-sdk-checksum-algorithm": "CRC32"}),
        ("UploadPart", "ChecksumAlgorithm", "CRC32", {"x-amz-sdk-checksum-algorithm": "CRC32"}),
        ("CreateMultipartUpload", "ChecksumAlgorithm", "CRC32", {"x-amz-checksum-algorithm": "CRC32"}),
        ("CopyObject", "ChecksumAlgorithm", "CRC32", {"x-amz-checksum-algorithm": "CRC32"}),
        ("UploadPart", "SSECustomerKey", "0123", KEY),
        ("HeadObject", "SSECustomerKey", b"0123", KEY),
        ("PutObject", "ACL", None, {}),
        ("GetObject", "ACL", "private", {}),
    ],
)
def test_what_a_value_becomes(operation, name, value, headers):
    """None, and what is not the operation's, nothing."""
    assert headers_for(operation, {name: value}) == headers


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("Metadata", "a=b", "a mapping of names to strings, not str"),
        ("Metadata", {"a": 1}, "Metadata 'a' must be ASCII text"),
        ("Metadata", {"a": "\xfc"}, "Metadata 'a' must be ASCII text"),
        ("Metadata", {"\xfc": "a"}, "must be ASCII text"),
        ("SSECustomerKey", 123, "SSECustomerKey is the raw key as bytes or str, not int"),
        ("Tagging", ["a"], "Tagging is text, not list"),
        ("ACL", {"a": "b"}, "ACL is text, not dict"),
        ("CacheControl", NOON, "CacheControl is text, not datetime"),
        ("Expires", 1.5, "Expires is text, not float"),
        ("ObjectLockRetainUntilDate", b"", "ObjectLockRetainUntilDate is text, not bytes"),
    ],
)
def test_a_value_that_no_header_can_hold(name, value, told):
    """Is told; the value itself is not, for it may be a key."""
    with pytest.raises(ConfigError, match=told) as caught:
        headers_for("PutObject", {name: value})
    assert "123" not in str(caught.value)


def test_the_head_of_a_copys_source():
    """Is decrypted by the source's key, not by that of the copy; who pays is the same."""
    options = {"CopySourceSSECustomerKey": "0123", "CopySourceSSECustomerAlgorithm": "AES256"}
    others = {"SSECustomerKey": "4567", "RequestPayer": "requester", "CopySourceIfMatch": "e", "ACL": "private"}
    expected = {**KEY, f"{SSE}-algorithm": "AES256", "x-amz-request-payer": "requester"}
    assert source_headers({**options, **others}) == expected


@pytest.mark.parametrize(
    ("name", "told"),
    [("ContentTyp", "put knows no option 'ContentTyp'; did you mean ContentType"), ("zzz", "known are A")],
)
def test_an_unknown_option(name, told):
    """The nearest known one is named, or all."""
    check(["ACL"], UPLOAD, "put")
    with pytest.raises(ConfigError, match=told):
        check(["ACL", name], UPLOAD, "put")

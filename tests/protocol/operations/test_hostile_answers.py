"""Whatever a store answers, an operation gives a result or says BadResponse; an error answer is always an error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3target.errors import BadResponse, S3Error, ServiceError
from s3target.protocol.messages import Response
from s3target.protocol.operations.base import service_error
from s3target.protocol.operations.buckets import HeadBucket
from s3target.protocol.operations.identity import AssumeRole
from s3target.protocol.operations.listing import DeleteObjects, ListObjectsV2
from s3target.protocol.operations.multipart import (
    CompleteMultipartUpload,
    CreateMultipartUpload,
    ListMultipartUploads,
    Part,
    UploadPart,
    UploadPartCopy,
)
from s3target.protocol.operations.objects import (
    ByteRange,
    CopyObject,
    CopySource,
    GetObject,
    GetObjectTagging,
    HeadObject,
    PutObject,
)
from s3target.retry import judge
from scripted import NOW, Pieces

SOURCE = CopySource("b", "k")
OPERATIONS = [
    HeadBucket("b"),
    ListObjectsV2("b"),
    DeleteObjects("b", ("k",)),
    CreateMultipartUpload("b", "k"),
    UploadPart("b", "k", "u", 1),
    UploadPartCopy(SOURCE, "b", "k", "u", 1, ByteRange(0, 4)),
    CompleteMultipartUpload("b", "k", "u", (Part(1, "e"),)),
    ListMultipartUploads("b"),
    CopyObject(SOURCE, "b", "k"),
    HeadObject("b", "k"),
    GetObject("b", "k"),
    PutObject("b", "k"),
    GetObjectTagging("b", "k"),
    AssumeRole("arn:aws:iam::1:role/r", "s"),
]
DOCUMENTS = [
    b"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t"
    b"</NextContinuationToken><Contents><Key>a%20b</Key><LastModified>2026-11-22T00:00:00.000Z</LastModified>"
    b"<ETag>&quot;e&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>",
    b"<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>",
    b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    b"<CopyPartResult><ETag>&quot;e&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></CopyPartResult>",
    b"<CompleteMultipartUploadResult><ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>",
    b"<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</UploadId><Initiated>2026-11-22T00:00:00Z</Initiated>"
    b"</Upload></ListMultipartUploadsResult>",
    b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
    b"<Error><Code>SlowDown</Code><Message>m</Message><Region>eu-west-1</Region></Error>",
    b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>s"
    b"</SecretAccessKey><Expiration>2026-11-22T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
    b"</AssumeRoleResponse>",
]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("etag", "content-length", "content-range", "last-modified", "date", "age", "retry-after", "location"),
            *("x-amz-retry-after", "x-amz-bucket-region", "x-amz-request-id", "x-amz-checksum-crc32"),
        ]
    ),
    TEXT | st.sampled_from(["bytes 0-4/5", "bytes 4-0/5", "5", "-1", "99999999999999999999", "bytes 0-0/*"]),
    max_size=5,
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A good document with some of it replaced, moved or left out; or anything."""
    document = bytearray(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(document)))
        end = min(len(document), start + draw(st.integers(0, 12)))
        document[start:end] = draw(
            st.binary(max_size=6) | st.sampled_from([b"<", b"</", b"&a;", b"<Key>", b"%", b"]]>"])
        )
    return bytes(document)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@settings(max_examples=60)
@given(content=documents() | st.binary(max_size=60), headers=HEADERS)
def test_any_answer_is_a_result_or_a_bad_response(operation, content, headers):
    """Nothing else is ever raised, however the document is spoilt; what the result tells can be looked at."""
    stream = Pieces(content) if operation.streams else None
    try:
        result = operation.parse(Response(200, headers, b"" if stream else content, stream))
    except BadResponse:
        return
    repr(result)
    if isinstance(operation, ListObjectsV2):
        assert all(isinstance(key, str) for key in result.objects.keys)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@settings(max_examples=60)
@given(status=st.integers(200, 599), content=documents() | st.binary(max_size=60), headers=HEADERS)
def test_any_error_answer_is_an_error_and_has_a_verdict(operation, status, content, headers):
    """Status, code and text are there, and the loop knows what to do about it."""
    error = service_error(operation, Response(status, headers, content))
    assert isinstance(error, ServiceError)
    assert (error.status, bool(error.code), bool(str(error))) == (status, True, True)
    verdict = judge(operation, Response(status, headers, content), NOW)
    assert isinstance(getattr(verdict, "error", error), S3Error)

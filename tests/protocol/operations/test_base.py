"""What all operations share: paths, the root of a document, the error an answer stands for, values as such."""

from __future__ import annotations

import copy
import pickle

import pytest

from s3target.errors import BadResponse, ConfigError, NoSuchKey, NotFound, ServerFault, ServiceError, Throttled
from s3target.protocol.endpoint import Endpoint, Location, sts_endpoint
from s3target.protocol.messages import BytesBody, Origin, Response
from s3target.protocol.operations.base import Fixed, document, service_error, unquoted
from s3target.protocol.operations.buckets import CreateBucket, DeleteBucket, HeadBucket
from s3target.protocol.operations.identity import AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity
from s3target.protocol.operations.listing import DeleteObjects, ListObjectsV2
from s3target.protocol.operations.multipart import (
    AbortMultipartUpload,
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
    DeleteObject,
    GetObject,
    HeadObject,
    PutObject,
)
from scripted import STORE, Pieces, error_reply, reply

SOURCE = CopySource("from", "there")
SSE = {"x-amz-server-side-encryption-customer-key": "SECRET"}
ON_BUCKETS = [
    HeadBucket("b", headers=SSE),
    CreateBucket("b", "eu-west-1", headers=SSE),
    DeleteBucket("b", headers=SSE),
    ListObjectsV2("b", "p/", headers=SSE),
    DeleteObjects("b", ("k",), headers=SSE),
    ListMultipartUploads("b", headers=SSE),
]
ON_OBJECTS = [
    HeadObject("b", "k", SSE),
    GetObject("b", "k", ByteRange(1, 2), "e", SSE),
    PutObject("b", "k", BytesBody(b"SECRET"), SSE),
    DeleteObject("b", "k", SSE),
    CopyObject(SOURCE, "b", "k", SSE),
    CreateMultipartUpload("b", "k", SSE),
    UploadPart("b", "k", "u", 1, BytesBody(b"SECRET"), SSE),
    UploadPartCopy(SOURCE, "b", "k", "u", 1, ByteRange(0, 9), SSE),
    CompleteMultipartUpload("b", "k", "u", (Part(1, "e"),), SSE),
    AbortMultipartUpload("b", "k", "u", SSE),
]
OF_STS = [
    AssumeRole("arn:r", "me", 900, "x", "mfa", mfa_code="SECRET"),
    AssumeRoleWithWebIdentity("arn:r", "me", "SECRET"),
    GetCallerIdentity(),
]


@pytest.mark.parametrize("operation", [*ON_BUCKETS, *ON_OBJECTS, *OF_STS], ids=lambda operation: operation.name)
@pytest.mark.parametrize("again", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy])
def test_operations_are_values(operation, again):
    """They compare, pickle, keep nothing of the endpoint, and print without what is secret."""
    twin = again(operation)
    assert twin == operation
    assert twin is not operation
    assert repr(operation).startswith(f"{operation.name}(")
    assert "SECRET" not in repr(operation)
    endpoint = Fixed(sts_endpoint("us-east-1")) if operation in OF_STS else STORE
    assert twin.request(endpoint) == operation.request(endpoint)
    assert "SECRET" not in repr(operation.request(endpoint))


@pytest.mark.parametrize("operation", [*ON_BUCKETS, *ON_OBJECTS], ids=lambda operation: operation.name)
@pytest.mark.parametrize(
    ("endpoint", "bucket_url"),
    [
        (Endpoint(url="http://store.test:9000"), "http://store.test:9000/b"),
        (Endpoint(url="http://store.test/pre/fix"), "http://store.test/pre/fix/b"),
        (Endpoint(region="eu-west-1", addressing_style="path"), "https://s3.eu-west-1.amazonaws.com/b"),
        (Endpoint(url="http://store.test", addressing_style="virtual"), "http://bbb.store.test"),
        (Endpoint(url="http://store.test/x", addressing_style="virtual"), "http://bbb.store.test/x"),
    ],
)
def test_path_of_bucket_and_key(operation, endpoint, bucket_url):
    """The key follows the bucket, be that in the path or in the host; SigV4 wants "/" for an empty path."""
    bucket = "bbb" if "bbb" in bucket_url else "b"
    changes = {**operation.__dict__, "bucket": bucket}
    if operation in ON_OBJECTS:
        changes["key"] = "a b/../k"
    request = type(operation)(**changes).request(endpoint)
    whole = f"{request.origin.scheme}://{request.origin.authority}{request.path}"
    expected = f"{bucket_url}/a%20b/../k" if operation in ON_OBJECTS else bucket_url
    assert whole == (f"{expected}/" if expected == "http://bbb.store.test" else expected)
    assert (request.region, request.service) == (endpoint.region, "s3")


@pytest.mark.parametrize("operation", [*ON_BUCKETS, *ON_OBJECTS], ids=lambda operation: operation.name)
def test_empty_names_are_refused(operation):
    """DELETE of "" in a bucket would delete the bucket, PUT of "" would create it."""
    empty = [{"bucket": ""}] + ([{"key": ""}] if operation in ON_OBJECTS else [])
    for change in empty:
        with pytest.raises(ConfigError, match=f"{operation.name} needs the name of a bucket"):
            type(operation)(**{**operation.__dict__, **change}).request(STORE)


@pytest.mark.parametrize("kind", [type(operation) for operation in [*ON_BUCKETS, *ON_OBJECTS]])
def test_bucket_is_no_option(kind):
    """Leaving out the bucket is a mistake of the caller and is told at once."""
    with pytest.raises(TypeError, match="missing"):
        kind()


def test_headers_of_the_caller_are_sent():
    """On every operation on buckets and objects."""
    for operation in (*ON_BUCKETS, *ON_OBJECTS):
        assert operation.request(STORE).headers.items() >= SSE.items()


def test_fixed_locator():
    """One address for all buckets; only the region it is signed for can change."""
    location = Location(Origin("https", "sts.test", 443), "", "us-east-1", "sts")
    fixed = Fixed(location)
    assert fixed.locate() == fixed.locate("b") == location
    assert fixed.in_region("eu-west-1").locate() == location._replace(region="eu-west-1")


@pytest.mark.parametrize(
    ("e_tag", "bare"),
    [
        ('"abc-2"', "abc-2"),
        ("abc", "abc"),
        ('W/"abc"', "abc"),
        (' "abc" ', "abc"),
        ("", ""),
        ('""', ""),
    ],
)
def test_e_tag_without_quotes(e_tag, bare):
    """They come quoted, bare, weak (of a proxy that compresses) or empty."""
    assert unquoted(e_tag) == bare


def test_document_of_another_kind():
    """A 200 is not believed because of its status alone."""
    assert document(reply(content=b"<p:A xmlns:p='u'><B>x</B></p:A>"), "A").get("B") == "x"
    for content in (b"", b"<B/>", b"<A>", b"hello", b"<html/>"):
        with pytest.raises(BadResponse):
            document(reply(content=content), "A")


STS_ERROR = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>ExpiredTokenException</Code><Message>old</Message></Error><RequestId>R2</RequestId></ErrorResponse>"""
NAMESPACED = b'<s:Error xmlns:s="urn:x"><s:Code>NoSuchKey</s:Code></s:Error>'
OPERATION = GetObject("b", "k")


@pytest.mark.parametrize(
    ("answer", "kind", "status", "code", "message", "request_id"),
    [
        (error_reply(404, "NoSuchKey"), NoSuchKey, 404, "NoSuchKey", "so it is", "R1"),
        (error_reply(404, "NoSuchKey", x_amz_request_id="H"), NoSuchKey, 404, "NoSuchKey", "so it is", "H"),
        (error_reply(200, "InternalError"), ServerFault, 200, "InternalError", "so it is", "R1"),
        (error_reply(503, "SlowDown"), Throttled, 503, "SlowDown", "so it is", "R1"),
        (reply(400, STS_ERROR), ServiceError, 400, "ExpiredTokenException", "old", "R2"),
        (reply(404, NAMESPACED), NoSuchKey, 404, "NoSuchKey", "", None),
        (reply(404), NotFound, 404, "NotFound", "", None),
        (reply(500, b"<html><body>oops</body></html>"), ServerFault, 500, "InternalError", "", None),
        (reply(502, b"<html><br>not XML</html>"), ServerFault, 502, "HTTP502", "", None),
        (reply(503, b"busy"), ServerFault, 503, "ServiceUnavailable", "", None),
        (reply(404, b"<Error><Code>NoSuchK"), NotFound, 404, "NotFound", "", None),
        (reply(404, b"<Error/>"), NotFound, 404, "NotFound", "", None),
        (reply(500, b"<!DOCTYPE html><html></html>"), ServerFault, 500, "InternalError", "", None),
        (reply(418), ServiceError, 418, "HTTP418", "", None),
        (reply(429, b"\n<Error><Code></Code></Error>"), Throttled, 429, "TooManyRequests", "", None),
    ],
)
def test_error_of_an_answer(answer, kind, status, code, message, request_id):
    """S3's form or STS's, with or without namespace, message and body; else the bare status speaks."""
    error = service_error(OPERATION, answer)
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.request_id) == (status, code, message, request_id)
    assert (error.operation, error.bucket, error.key) == ("GetObject", "b", "k")


def test_details_of_an_error_answer():
    """All other elements of the body, by name."""
    answer = error_reply(301, "PermanentRedirect", "<Region>eu-west-1</Region><HostId>H</HostId>")
    error = service_error(OPERATION, answer)
    assert error.details == {"Region": "eu-west-1"}
    assert error.host_id == "H"


def test_error_of_an_operation_on_no_object():
    """Bucket and key are None, not empty."""
    for operation, bucket in ((HeadBucket("b"), "b"), (GetCallerIdentity(), None)):
        error = service_error(operation, reply(403))
        assert (error.bucket, error.key) == (bucket, None)


def test_facts_are_declared():
    """The loop goes by these and never by a name."""
    everything = [type(operation) for operation in (*ON_BUCKETS, *ON_OBJECTS, *OF_STS)]
    assert {kind for kind in everything if kind.streams} == {GetObject}
    assert {kind for kind in everything if kind.may_fail_in_200} == {
        CompleteMultipartUpload,
        CopyObject,
        DeleteObjects,
        UploadPartCopy,
    }
    assert {kind: kind.checksum for kind in everything if kind.checksum} == {
        DeleteObjects: "MD5",
        PutObject: "CRC32",
        UploadPart: "CRC32",
    }


def test_stream_is_no_part_of_an_error():
    """service_error() reads content only; the loop has read it by then."""
    pieces = Pieces(b"<Error><Code>NoSuchKey</Code></Error>")
    assert service_error(OPERATION, reply(404, b"", pieces)).code == "NotFound"
    assert pieces.reads == 0


def test_a_session_token_that_the_store_sends_back_is_masked() -> None:
    """Stores echo the token of a refused session, and in CanonicalRequest; an error must not carry it."""
    body = (
        b"<Error><Code>SignatureDoesNotMatch</Code><Token-0>SeCrEt</Token-0>"
        b"<CanonicalRequest>GET\n/\n\nhost:h\nx-amz-security-token:SeCrEt\n\nhost</CanonicalRequest></Error>"
    )
    error = service_error(HeadBucket("b"), Response(403, {}, body))
    assert "SeCrEt" not in repr(error.details)
    assert "host:h" in error.details["CanonicalRequest"]

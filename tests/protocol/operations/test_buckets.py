"""HeadBucket, CreateBucket, DeleteBucket, ListBuckets."""

from __future__ import annotations

import pytest

from s3target.errors import BadResponse
from s3target.protocol.operations.buckets import CreateBucket, DeleteBucket, HeadBucket, ListBuckets
from scripted import STORE, reply

CONFIGURATION = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
)


@pytest.mark.parametrize(
    ("operation", "method", "content"),
    [
        (HeadBucket("b"), "HEAD", b""),
        (CreateBucket("b"), "PUT", b""),
        (CreateBucket("b", "eu-west-1"), "PUT", CONFIGURATION),
        (DeleteBucket("b"), "DELETE", b""),
    ],
)
def test_requests(operation, method, content):
    """On the bucket, without query; a body only where a location is asked for."""
    request = operation.request(STORE)
    assert (request.method, request.path, request.query, request.headers) == (method, "/b", (), {})
    assert b"".join(request.body.pieces) == content


@pytest.mark.parametrize(
    ("operation", "headers", "result"),
    [
        (HeadBucket("b"), {"x-amz-bucket-region": "eu-west-1"}, "eu-west-1"),
        (HeadBucket("b"), {}, None),
        (CreateBucket("b"), {"location": "/b"}, None),
        (DeleteBucket("b"), {}, None),
    ],
)
def test_answers(operation, headers, result):
    """Only a HEAD has something to tell: the region, if the store knows regions."""
    assert operation.parse(reply(200)._replace(headers=headers)) == result


def bucket_list(inner: str) -> bytes:
    return f"<ListAllMyBucketsResult><Owner><ID>o</ID></Owner>{inner}</ListAllMyBucketsResult>".encode()


@pytest.mark.parametrize(("token", "query"), [(None, ()), ("t", (("continuation-token", "t"),))])
def test_request_for_a_list(token, query):
    """Of the service itself, going on where the last page ended."""
    request = ListBuckets(token).request(STORE)
    assert (request.method, request.path, request.query) == ("GET", "/", query)
    assert (request.region, request.service) == ("us-east-1", "s3")


@pytest.mark.parametrize(
    ("inner", "names", "token"),
    [
        ("", [], None),
        ("<Buckets/>", [], None),
        (
            "<Buckets><Bucket><Name>b</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket></Buckets>",
            ["b"],
            None,
        ),
        ("<Buckets/><ContinuationToken>new</ContinuationToken>", [], "new"),
    ],
)
def test_list_of_buckets(inner, names, token):
    """Names, and the token of the next page if there is one."""
    page = ListBuckets("old").parse(reply(200, bucket_list(inner)))
    assert ([bucket.name for bucket in page.buckets], page.next_token) == (names, token)


@pytest.mark.parametrize(
    "inner",
    [
        "<ContinuationToken>old</ContinuationToken>",
        "<Buckets><Bucket><Name>b</Name><CreationDate>once</CreationDate></Bucket></Buckets>",
        "<Buckets>",
    ],
)
def test_list_of_buckets_that_cannot_be_used(inner):
    """Going on from where it stood, it would never end."""
    with pytest.raises(BadResponse):
        ListBuckets("old").parse(reply(200, bucket_list(inner)))

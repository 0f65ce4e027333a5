"""HeadBucket, CreateBucket, DeleteBucket."""

from __future__ import annotations

import pytest

from s3target.protocol.operations.buckets import CreateBucket, DeleteBucket, HeadBucket
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
    assert request.body.content == content


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

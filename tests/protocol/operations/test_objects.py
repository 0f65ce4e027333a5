"""GetObject, HeadObject, PutObject, DeleteObject, CopyObject: what is sent, and how answers are read."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from s3target.errors import BadResponse
from s3target.protocol.messages import EMPTY, BytesBody
from s3target.protocol.operations.objects import (
    ByteRange,
    CopyObject,
    CopySource,
    DeleteObject,
    GetObject,
    HeadObject,
    ObjectInfo,
    PutObject,
    WrittenObject,
)
from scripted import STORE, Pieces, reply

BODY = BytesBody(b"hello")
META = {"x-amz-meta-a": "1"}
ARN = "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"


@pytest.mark.parametrize(
    ("operation", "method", "query", "headers", "body"),
    [
        (HeadObject("b", "k"), "HEAD", (), {}, EMPTY),
        (HeadObject("b", "k", META, "v 1"), "HEAD", (("versionId", "v 1"),), META, EMPTY),
        (GetObject("b", "k"), "GET", (), {}, EMPTY),
        (GetObject("b", "k", ByteRange(0)), "GET", (), {"range": "bytes=0-"}, EMPTY),
        (
            GetObject("b", "k", ByteRange(3, 7), "e-2", META, "v"),
            "GET",
            (("versionId", "v"),),
            {"range": "bytes=3-7", "if-match": '"e-2"', **META},
            EMPTY,
        ),
        (PutObject("b", "k"), "PUT", (), {}, EMPTY),
        (PutObject("b", "k", BODY, META), "PUT", (), META, BODY),
        (DeleteObject("b", "k"), "DELETE", (), {}, EMPTY),
        (DeleteObject("b", "k", {"x-amz-mfa": "m"}, "v"), "DELETE", (("versionId", "v"),), {"x-amz-mfa": "m"}, EMPTY),
        (
            CopyObject(CopySource("from", "a b"), "b", "k", META),
            "PUT",
            (),
            {"x-amz-copy-source": "from/a%20b", **META},
            EMPTY,
        ),
    ],
)
def test_requests(operation, method, query, headers, body):
    """Method, query, headers and body of each."""
    request = operation.request(STORE)
    assert (request.method, request.path) == (method, "/b/k")
    assert (request.query, request.headers, request.body) == (query, headers, body)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (CopySource("b", "k"), "b/k"),
        (CopySource("b", "a/b c+ü"), "b/a/b%20c%2B%C3%BC"),
        (CopySource("b", "k?x", "v 1"), "b/k%3Fx?versionId=v%201"),
        (
            CopySource(ARN, "k"),
            "arn%3Aaws%3As3%3Aus-west-2%3A123456789012%3Aaccesspoint%2Fmine/object/k",
        ),
    ],
)
def test_source_of_a_copy(source, text):
    """Encoded, but for the slashes of the key and the version's query."""
    assert str(source) == text


HEAD = {
    "etag": '"e"',
    "content-length": "12",
    "last-modified": "Sun, 22 Nov 2026 20:15:00 GMT",
    "content-type": "text/plain",
    "x-amz-version-id": "v1",
    "x-amz-storage-class": "GLACIER",
    "x-amz-meta-a": "1",
    "x-amz-meta-b-c": "",
}


def test_head_of_an_object():
    """Everything that the headers tell."""
    info = HeadObject("b", "k").parse(reply(200)._replace(headers=HEAD))
    assert info == ObjectInfo("b", "k", 12, "e", HEAD["last-modified"], "GLACIER", HEAD)
    assert info.last_modified == datetime(2026, 11, 22, 20, 15, tzinfo=timezone.utc)
    assert info.metadata == {"a": "1", "b-c": ""}
    assert (info.content_type, info.version_id) == ("text/plain", "v1")


def test_head_that_tells_little():
    """Look-alikes leave out what they do not know."""
    info = HeadObject("b", "k").parse(reply(200, content_length="0"))
    assert (info.size, info.e_tag, info.modified, info.storage_class) == (0, "", "", "STANDARD")
    assert (info.metadata, info.content_type, info.version_id) == ({}, "", None)


@pytest.mark.parametrize("length", [None, "", "x", "-1", "1 ", "²", "9" * 30])
def test_head_without_a_length(length):
    """An unknown size is not 0: who downloads by it would get an empty file and no error."""
    headers = {} if length is None else {"content-length": length}
    with pytest.raises(BadResponse, match="Content-Length"):
        HeadObject("b", "k").parse(reply(200, **headers))


def test_time_of_a_listed_object():
    """Listings write ISO 8601, heads write HTTP dates."""
    info = ObjectInfo("b", "k", 1, modified="2026-11-22T20:15:00.000Z")
    assert info.last_modified == datetime(2026, 11, 22, 20, 15, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("status", "headers", "first", "length", "size"),
    [
        (200, {"content-length": "10"}, 0, 10, 10),
        (200, {"content-length": "0"}, 0, 0, 0),
        (200, {}, 0, None, -1),
        (206, {"content-length": "3", "content-range": "bytes 2-4/10"}, 2, 3, 10),
        (200, {"content-length": "3", "content-range": "bytes 2-4/10"}, 2, 3, 10),  # rclone
        (206, {"content-range": "bytes 2-4/10"}, 2, 3, 10),
        (206, {"content-length": "3", "content-range": "bytes 2-4/*"}, 2, 3, -1),
        (206, {"content-length": "1", "content-range": "bytes 0-0/1"}, 0, 1, 1),
        (206, {"content-length": "10"}, 0, 10, 10),
    ],
)
def test_answers_to_get(status, headers, first, length, size):
    """By Content-Range and never by the status; the size is that of the whole object, -1 where nobody says."""
    pieces = Pieces(b"abc")
    got = GetObject("b", "k").parse(reply(status, b"", pieces, **headers))
    assert (got.first, got.length, got.info.size) == (first, length, size)
    assert got.stream is pieces
    assert pieces.reads == 0


@pytest.mark.parametrize(
    ("content_range", "length"),
    [
        ("bytes 2-4/10", "10"),
        ("bytes 2-4/10", "4"),
        ("bytes 4-2/10", None),
        ("bytes 0-10/10", None),
        ("bytes */10", None),
        ("bytes 2-/10", None),
        ("bytes -2/10", None),
        ("bytes 2-4", None),
        ("bytes 2-4/", None),
        ("bytes 2-4/x", None),
        ("items 2-4/10", None),
        ("2-4/10", None),
        ("bytes ²-4/10", None),
        ("bytes 0-" + "9" * 5000 + "/*", None),
    ],
)
def test_content_range_that_cannot_be(content_range, length):
    """It would put bytes where they do not belong."""
    headers = {"content-range": content_range} | ({"content-length": length} if length else {})
    with pytest.raises(BadResponse, match="Content-Range"):
        GetObject("b", "k").parse(reply(206, b"", Pieces(), **headers))


@pytest.mark.parametrize(
    ("headers", "e_tag", "version_id"),
    [({"etag": '"e"', "x-amz-version-id": "v"}, "e", "v"), ({"etag": "e"}, "e", None), ({}, "", None)],
)
def test_answers_to_put(headers, e_tag, version_id):
    """The ETag and version that the store chose to tell."""
    answer = reply(200)._replace(headers=headers)
    assert PutObject("b", "k").parse(answer) == WrittenObject(e_tag, version_id, headers)


def test_answer_to_delete():
    """Nothing to tell, whatever is in it."""
    assert DeleteObject("b", "k").parse(reply(204)) is None


@pytest.mark.parametrize(
    "content",
    [
        b'<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>&quot;e&quot;</ETag></CopyObjectResult>',
        b'<CopyObjectResult><LastModified>x</LastModified><ETag>"e"</ETag></CopyObjectResult>',
        b"<CopyObjectResult><ETag>&#34;e&#34;</ETag></CopyObjectResult>",
        b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>",  # Ceph, SeaweedFS
        b"<?xml version='1.0'?>\n<CopyObjectResult><ETag>e</ETag></CopyObjectResult>",
    ],
)
def test_answers_to_copy(content):
    """With or without namespace and quotes."""
    answer = reply(200, content, x_amz_version_id="v")
    assert CopyObject(CopySource("f", "g"), "b", "k").parse(answer) == WrittenObject("e", "v", answer.headers)


@pytest.mark.parametrize("content", [b"", b"<Other/>", b"<CopyObjectResult>"])
def test_copy_without_its_result(content):
    """A 200 that says nothing of a copy is none."""
    with pytest.raises(BadResponse):
        CopyObject(CopySource("f", "g"), "b", "k").parse(reply(200, content))

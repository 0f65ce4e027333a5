"""The multipart family: requests, and answers of stores that differ most where it matters."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from s3target.errors import BadResponse
from s3target.protocol.messages import EMPTY, BytesBody
from s3target.protocol.operations.multipart import (
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    ListMultipartUploads,
    Part,
    Upload,
    UploadPage,
    UploadPart,
    UploadPartCopy,
)
from s3target.protocol.operations.objects import ByteRange, CopySource, WrittenObject
from scripted import STORE, reply

BODY = BytesBody(b"hello")
ID = "u/1+="
SOURCE = CopySource("from", "ü")
COPY = UploadPartCopy(SOURCE, "b", "k", ID, 2, ByteRange(5, 9))
COMPLETE = CompleteMultipartUpload("b", "k", ID, (Part(1, "e1", 5, "AAAAAA=="), Part(3, "e3")))
SHA256 = {"x-amz-sdk-checksum-algorithm": "SHA256"}
NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@pytest.mark.parametrize(
    ("operation", "method", "query", "headers", "body"),
    [
        (CreateMultipartUpload("b", "k"), "POST", {"uploads": ""}, {}, EMPTY),
        (UploadPart("b", "k", ID, 7, BODY, {"a": "1"}), "PUT", {"partNumber": "7", "uploadId": ID}, {"a": "1"}, BODY),
        (
            COPY,
            "PUT",
            {"partNumber": "2", "uploadId": ID},
            {"x-amz-copy-source": "from/%C3%BC", "x-amz-copy-source-range": "bytes=5-9"},
            EMPTY,
        ),
        (
            COMPLETE,
            "POST",
            {"uploadId": ID},
            {"content-type": "application/xml"},
            BytesBody(
                b'<?xml version="1.0" encoding="UTF-8"?>\n'
                b'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                b"<Part><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ETag>&quot;e1&quot;</ETag><PartNumber>1</PartNumber></Part>"
                b"<Part><ETag>&quot;e3&quot;</ETag><PartNumber>3</PartNumber></Part></CompleteMultipartUpload>"
            ),
        ),
        (AbortMultipartUpload("b", "k", ID), "DELETE", {"uploadId": ID}, {}, EMPTY),
    ],
)
def test_requests(operation, method, query, headers, body):
    """Method, query, headers and body of each."""
    request = operation.request(STORE)
    assert (request.method, request.path) == (method, "/b/k")
    assert (dict(request.query), request.headers, request.body) == (query, headers, body)


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (ListMultipartUploads("b"), {}),
        (
            ListMultipartUploads("b", "p", "k", "u"),
            {"prefix": "p", "key-marker": "k", "upload-id-marker": "u"},
        ),
    ],
)
def test_uploads_request(operation, more):
    """Keys are asked for encoded here as well."""
    request = operation.request(STORE)
    assert (request.method, request.path) == ("GET", "/b")
    assert dict(request.query) == {"encoding-type": "url", "uploads": "", **more}


@pytest.mark.parametrize("namespace", ["", NAMESPACE])
def test_upload_begun(namespace):
    """The id is the store's text, whatever is in it."""
    content = f"<InitiateMultipartUploadResult{namespace}><UploadId>u/1+=</UploadId></InitiateMultipartUploadResult>"
    assert CreateMultipartUpload("b", "k").parse(reply(200, content.encode())) == ID


@pytest.mark.parametrize(
    "content", [b"", b"<InitiateMultipartUploadResult/>", b"<Other><UploadId>u</UploadId></Other>"]
)
def test_upload_begun_without_an_id(content):
    """Parts could go nowhere."""
    with pytest.raises(BadResponse):
        CreateMultipartUpload("b", "k").parse(reply(200, content))


@pytest.mark.parametrize(
    ("request_headers", "headers", "part"),
    [
        ({}, {"etag": '"e"'}, Part(7, "e", 5)),
        ({}, {"etag": "e", "x-amz-checksum-crc32": "AAAAAA=="}, Part(7, "e", 5, "AAAAAA==")),
        (SHA256, {"etag": '"e"', "x-amz-checksum-sha256": "S"}, Part(7, "e", 5, "S", "SHA256")),
        (SHA256, {"etag": '"e"', "x-amz-checksum-crc32": "C"}, Part(7, "e", 5, None, "SHA256")),
    ],
)
def test_part_uploaded(request_headers, headers, part):
    """Its checksum, by the algorithm that was asked for, where the store keeps one."""
    operation = UploadPart("b", "k", ID, 7, BODY, request_headers)
    assert operation.parse(reply(200)._replace(headers=headers)) == part


def test_part_uploaded_without_an_e_tag():
    """It could not be named when the upload is completed."""
    for headers in ({}, {"etag": '""'}):
        with pytest.raises(BadResponse, match="ETag"):
            UploadPart("b", "k", ID, 7, BODY).parse(reply(200)._replace(headers=headers))


@pytest.mark.parametrize(
    ("inner", "part"),
    [
        ('<ETag>"e"</ETag>', Part(2, "e", 5)),
        ("<LastModified>x</LastModified><ETag>&quot;e&quot;</ETag>", Part(2, "e", 5)),
        ("<ETag>e</ETag><ChecksumCRC32>C</ChecksumCRC32>", Part(2, "e", 5, "C", "CRC32")),
        (
            "<ETag>e</ETag><ChecksumType>COMPOSITE</ChecksumType><ChecksumCRC32/><ChecksumSHA256>S</ChecksumSHA256>",
            Part(2, "e", 5, "S", "SHA256"),
        ),
    ],
)
@pytest.mark.parametrize("namespace", ["", NAMESPACE])
def test_part_copied(inner, part, namespace):
    """The size is that of the range, as the answer does not say."""
    content = f"<CopyPartResult{namespace}>{inner}</CopyPartResult>".encode()
    assert COPY.parse(reply(200, content)) == part


def test_part_copied_to_the_end_of_the_source():
    """An open range has no known size."""
    operation = UploadPartCopy(SOURCE, "b", "k", ID, 2, ByteRange(5))
    assert operation.parse(reply(200, b"<CopyPartResult><ETag>e</ETag></CopyPartResult>")) == Part(2, "e", 0)


@pytest.mark.parametrize("content", [b"", b"<CopyPartResult/>", b"<CopyPartResult><ETag>e</ETag>", b"<Other/>"])
def test_part_copied_without_its_result(content):
    """rclone says 200, gives the ETag header of nothing, and copies nothing."""
    answer = reply(200, content, etag='"d41d8cd98f00b204e9800998ecf8427e"')
    with pytest.raises(BadResponse):
        COPY.parse(answer)


def test_checksum_of_another_algorithm_is_named_on_completion():
    """S3 wants each part's checksum again, by the element of its algorithm."""
    operation = CompleteMultipartUpload("b", "k", ID, (Part(1, "e", 5, "S", "SHA256"),))
    assert b"<Part><ChecksumSHA256>S</ChecksumSHA256><ETag>" in b"".join(operation.request(STORE).body.pieces)


@pytest.mark.parametrize(
    ("inner", "e_tag"),
    [
        ('<Location>x</Location><ETag>"e-2"</ETag>', "e-2"),
        ("<ETag>&#34;e-2&#34;</ETag>", "e-2"),
        ("<ETag></ETag>", ""),  # Ceph
        ("", ""),
    ],
)
@pytest.mark.parametrize("namespace", ["", NAMESPACE])
def test_upload_completed(inner, e_tag, namespace):
    """Ceph's answer has an empty ETag, rclone's no namespace."""
    content = f"<CompleteMultipartUploadResult{namespace}>{inner}</CompleteMultipartUploadResult>".encode()
    answer = reply(200, content, x_amz_version_id="v")
    assert COMPLETE.parse(answer) == WrittenObject(e_tag, "v", answer.headers)


@pytest.mark.parametrize("content", [b"", b"   ", b"<CompleteMultipartUploadResult><ETag>", b"<Other/>"])
def test_upload_completed_without_its_result(content):
    """S3 sends the 200 and blanks early, so only the whole document says that it worked."""
    with pytest.raises(BadResponse):
        COMPLETE.parse(reply(200, content))


def test_upload_aborted():
    """204 and nothing else."""
    assert AbortMultipartUpload("b", "k", ID).parse(reply(204)) is None


INITIATED = datetime(2026, 11, 22, 20, 15, tzinfo=timezone.utc)
UPLOAD = "<Upload><Key>a+b%2B</Key><UploadId>u+1</UploadId><Initiated>2026-11-22T20:15:00Z</Initiated></Upload>"
TRUNCATED = "<IsTruncated>true</IsTruncated>"


@pytest.mark.parametrize(
    ("inner", "page"),
    [
        ("", UploadPage([], None, None)),
        (UPLOAD, UploadPage([Upload("a+b%2B", "u+1", INITIATED)], None, None)),
        (f"<EncodingType>url</EncodingType>{UPLOAD}", UploadPage([Upload("a b+", "u+1", INITIATED)], None, None)),
        (
            f"<EncodingType>url</EncodingType>{TRUNCATED}<NextKeyMarker>a+b</NextKeyMarker>"
            "<NextUploadIdMarker>u+1</NextUploadIdMarker>",
            UploadPage([], "a b", "u+1"),
        ),
        (f"{TRUNCATED}<NextKeyMarker>k2</NextKeyMarker>", UploadPage([], "k2", "")),
    ],
)
@pytest.mark.parametrize("namespace", ["", NAMESPACE])
def test_list_of_uploads(inner, page, namespace):
    """Keys and key markers are decoded, upload ids are not."""
    content = f"<ListMultipartUploadsResult{namespace}>{inner}</ListMultipartUploadsResult>".encode()
    assert ListMultipartUploads("b").parse(reply(200, content)) == page


@pytest.mark.parametrize(
    "inner",
    [
        "<Upload><Key>k</Key><UploadId>u</UploadId></Upload>",
        "<Upload><Key>k</Key><UploadId>u</UploadId><Initiated>0001-01-01T00:00:00+01:00</Initiated></Upload>",
        TRUNCATED,
        f"{TRUNCATED}<NextUploadIdMarker>u</NextUploadIdMarker>",
        f"{TRUNCATED}<NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>",
    ],
)
def test_list_of_uploads_that_cannot_be_used(inner):
    """A time that is none, or a page that leads back to the beginning or to itself."""
    content = f"<ListMultipartUploadsResult>{inner}</ListMultipartUploadsResult>".encode()
    with pytest.raises(BadResponse):
        ListMultipartUploads("b", key_marker="k", upload_id_marker="u").parse(reply(200, content))

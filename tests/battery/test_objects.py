"""One object on real servers: what is put is what comes back, under the conditions that were asked for."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

import pytest

from s3target import NoSuchKey, NotFound, PreconditionFailed, ServiceError
from s3target.client import Client
from s3target.filesystem import FileSystem, S3Path
from s3target.protocol.messages import BytesBody
from s3target.protocol.operations.objects import (
    ByteRange,
    CopyObject,
    CopySource,
    DeleteObject,
    GetObject,
    GetObjectTagging,
    HeadObject,
    PutObject,
)
from s3target.protocol.options import headers_for
from servers.signed import request
from servers.store import Store
from stores import but, needs, over

DIGITS = b"0123456789"
BODIES = {
    "empty": b"",
    "one byte": b"\0",
    "text": DIGITS,
    "all bytes": bytes(range(256)) * 1024,
    "1 MiB": bytes(1 << 20),
}


def put(client: Client, bucket: str, key: str, content: bytes = DIGITS, **extra_args: object) -> str:
    """The new object's ETag."""
    headers = headers_for("PutObject", extra_args)
    return client.call(PutObject(bucket, key, BytesBody(content), headers)).e_tag


def get(client: Client, operation: GetObject) -> bytes:
    stream = client.call(operation).stream
    try:
        return stream.read()
    finally:
        stream.close()


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
def test_what_is_put_is_what_comes_back(store: Store, client: Client, bucket: str, content: bytes) -> None:
    """Bytes, size, ETag and date, for us and for a second opinion."""
    e_tag = put(client, bucket, "a/key", content)
    assert e_tag == hashlib.md5(content).hexdigest()
    found = client.call(GetObject(bucket, "a/key"))
    assert found.stream.read() == content
    found.stream.close()
    head = client.call(HeadObject(bucket, "a/key"))
    assert (head.size, head.e_tag) == (found.info.size, found.info.e_tag) == (len(content), e_tag)
    assert abs(datetime.now(timezone.utc) - head.last_modified) < timedelta(minutes=1)
    assert request(store, "GET", f"/{bucket}/a/key").body == content


def test_a_second_put_replaces_the_first(client: Client, bucket: str) -> None:
    """There is one object per key."""
    put(client, bucket, "k", b"old and long")
    put(client, bucket, "k", b"new")
    assert get(client, GetObject(bucket, "k")) == b"new"


def test_a_deleted_object_is_gone(store: Store, client: Client, bucket: str) -> None:
    """For GET, HEAD and a second opinion; deleting it again is no error."""
    put(client, bucket, "k")
    for _ in range(2):
        client.call(DeleteObject(bucket, "k"))
        with pytest.raises(NoSuchKey):
            client.call(GetObject(bucket, "k"))
        with pytest.raises(NotFound):
            client.call(HeadObject(bucket, "k"))
    assert request(store, "GET", f"/{bucket}/k").status == 404


@over(*but("juicefs"))  # which does not keep Content-Language
def test_what_describes_an_object_stays_with_it(client: Client, bucket: str) -> None:
    """Content type, other headers and metadata, with the blanks inside of their values."""
    put(
        client,
        bucket,
        "k",
        ContentType="text/x-test; charset=utf-8",
        CacheControl="max-age=60",
        ContentDisposition='attachment; filename="x y.txt"',
        ContentLanguage="en",
        Metadata={"plain": "value", "With-Capitals": "two  blanks", "plus": "a+b=c&d%20"},
    )
    info = client.call(HeadObject(bucket, "k"))
    assert info.content_type == "text/x-test; charset=utf-8"
    assert info.headers["cache-control"] == "max-age=60"
    assert info.headers["content-disposition"] == 'attachment; filename="x y.txt"'
    assert info.headers["content-language"] == "en"
    assert info.metadata == {"plain": "value", "with-capitals": "two  blanks", "plus": "a+b=c&d%20"}


@over(*but("juicefs"))  # which does not keep it
def test_a_content_encoding_is_kept_as_it_was_given(client: Client, bucket: str) -> None:
    """Nothing of ours (aws-chunked) is added, and nothing is unpacked on the way back."""
    put(client, bucket, "k", b"\x1f\x8b pretended", ContentEncoding="gzip")
    found = client.call(GetObject(bucket, "k"))
    assert found.stream.read() == b"\x1f\x8b pretended"
    found.stream.close()
    assert found.info.headers["content-encoding"] == "gzip"


@needs("tags")
def test_tags_given_with_the_object_are_there(client: Client, bucket: str) -> None:
    """As boto3 takes them, in the form of a query string."""
    put(client, bucket, "k", Tagging="team=a b&stage=r%2Fd%2Bx")
    assert sorted(client.call(GetObjectTagging(bucket, "k"))) == [("stage", "r/d+x"), ("team", "a b")]


@pytest.mark.parametrize(
    ("wanted", "first", "content"),
    [
        (ByteRange(0, 0), 0, b"0"),
        (ByteRange(2, 4), 2, b"234"),
        (ByteRange(7), 7, b"789"),
        (ByteRange(0), 0, DIGITS),
        (ByteRange(8, 100), 8, b"89"),
    ],
    ids=str,
)
def test_a_range_is_what_was_asked_for(
    client: Client, bucket: str, wanted: ByteRange, first: int, content: bytes
) -> None:
    """Its bytes, where they begin, and the size of the whole object."""
    put(client, bucket, "k")
    found = client.call(GetObject(bucket, "k", wanted))
    assert (found.first, found.length, found.info.size) == (first, len(content), 10)
    assert found.stream.read() == content
    found.stream.close()


@pytest.mark.parametrize(("content", "first"), [(DIGITS, 10), (b"", 0)], ids=["past the end", "of nothing"])
def test_a_range_that_is_not_there_is_refused(client: Client, bucket: str, content: bytes, first: int) -> None:
    """416 InvalidRange, so a reader can tell."""
    put(client, bucket, "k", content)
    with pytest.raises(ServiceError) as caught:
        client.call(GetObject(bucket, "k", ByteRange(first)))
    assert (caught.value.status, caught.value.code) == (416, "InvalidRange")


@over(*but("rclone"))  # which does not look at If-Match; readers compare ETags, see test_transfer
def test_a_range_of_a_changed_object_is_refused(client: Client, bucket: str) -> None:
    """If-Match with the ETag of before: what is read in pieces is of one object."""
    e_tag = put(client, bucket, "k")
    assert get(client, GetObject(bucket, "k", ByteRange(2, 4), if_match=e_tag)) == b"234"
    put(client, bucket, "k", b"abcdefghij")
    with pytest.raises(PreconditionFailed) as caught:
        client.call(GetObject(bucket, "k", ByteRange(2, 4), if_match=e_tag))
    assert caught.value.status == 412


@needs("conditional writes")
def test_only_the_first_writer_wins_if_nothing_may_be_there(client: Client, bucket: str) -> None:
    """IfNoneMatch="*" keeps what is there, and says so."""
    files, path = FileSystem(client), S3Path(bucket, "k")
    files.write(path, b"first", {"IfNoneMatch": "*"})
    with pytest.raises(PreconditionFailed) as caught:
        files.write(path, b"second", {"IfNoneMatch": "*"})
    assert (caught.value.status, caught.value.code) == (412, "PreconditionFailed")
    assert get(client, GetObject(bucket, "k")) == b"first"


@needs("conditional writes")
def test_a_writer_who_saw_another_object_loses(client: Client, bucket: str) -> None:
    """IfMatch with an old ETag is refused; with the present one it replaces."""
    files, path = FileSystem(client), S3Path(bucket, "k")
    old = files.write(path, b"old").e_tag
    files.write(path, b"new", {"IfMatch": old})
    with pytest.raises(PreconditionFailed):
        files.write(path, b"newer", {"IfMatch": old})
    assert get(client, GetObject(bucket, "k")) == b"new"


@needs("conditional writes")
@needs("quotes around an ETag")
def test_an_etag_may_be_given_in_quotes(client: Client, bucket: str) -> None:
    """As boto3 tells it."""
    files, path = FileSystem(client), S3Path(bucket, "k")
    old = files.write(path, b"old").e_tag
    files.write(path, b"new", {"IfMatch": f'"{old}"'})


def test_a_copy_takes_bytes_and_description_along(client: Client, bucket: str) -> None:
    """On the server: content, type and metadata of the source, an ETag of its own answer."""
    e_tag = put(client, bucket, "from", ContentType="text/x-test", Metadata={"a": "1"})
    copied = client.call(CopyObject(CopySource(bucket, "from"), bucket, "to/a copy"))
    assert copied.e_tag == e_tag
    info = client.call(HeadObject(bucket, "to/a copy"))
    assert (info.size, info.content_type, info.metadata["a"]) == (10, "text/x-test", "1")  # rclone adds mtime
    assert get(client, GetObject(bucket, "to/a copy")) == DIGITS


def test_a_copy_onto_itself_can_replace_the_metadata(client: Client, bucket: str) -> None:
    """The way to change what describes an object."""
    put(client, bucket, "k", Metadata={"a": "1"})
    headers = headers_for("CopyObject", {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}})
    client.call(CopyObject(CopySource(bucket, "k"), bucket, "k", headers))
    assert client.call(HeadObject(bucket, "k")).metadata == {"b": "2"}
    assert get(client, GetObject(bucket, "k")) == DIGITS


def test_a_copy_of_nothing_is_refused(client: Client, bucket: str) -> None:
    """NoSuchKey, and nothing at the destination."""
    with pytest.raises(NoSuchKey):
        client.call(CopyObject(CopySource(bucket, "missing"), bucket, "to"))
    with pytest.raises(NotFound):
        client.call(HeadObject(bucket, "to"))


@over(*but("rclone", "juicefs"))  # which know no versions: they refuse to turn them on (501)
def test_versions_are_read_copied_and_deleted_by_their_ids(store: Store, client: Client, bucket: str) -> None:
    """In a bucket that keeps versions the older ones stay in reach."""
    enable = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert request(store, "PUT", f"/{bucket}", {"versioning": ""}, enable).status == 200
    old, new = (client.call(PutObject(bucket, "k", BytesBody(content))).version_id for content in (b"old", b"new!"))
    assert old
    assert new
    assert old != new
    assert get(client, GetObject(bucket, "k")) == b"new!"
    assert get(client, GetObject(bucket, "k", version_id=old)) == b"old"
    info = client.call(HeadObject(bucket, "k", version_id=old))
    assert (info.size, info.version_id) == (3, old)
    client.call(CopyObject(CopySource(bucket, "k", old), bucket, "copy"))
    assert get(client, GetObject(bucket, "copy")) == b"old"
    client.call(DeleteObject(bucket, "k", version_id=new))
    assert get(client, GetObject(bucket, "k")) == b"old"
    client.call(DeleteObject(bucket, "k"))
    with pytest.raises(NoSuchKey):
        client.call(GetObject(bucket, "k"))
    assert get(client, GetObject(bucket, "k", version_id=old)) == b"old"

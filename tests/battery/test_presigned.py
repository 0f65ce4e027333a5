"""Presigned URLs, used by who knows nothing of S3: urllib, without keys."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request

import pytest

from connected import client_of
from s3target import ConfigError
from s3target.client import Client
from s3target.filesystem import FileSystem, S3Path
from s3target.protocol.operations.listing import ListObjectsV2
from s3target.protocol.operations.objects import ByteRange, DeleteObject, GetObject, HeadObject, PutObject
from servers.signed import request
from servers.store import Store
from stores import but, over

KEY = "a dir/ü+%20&=?#'\"~!*()@:;,$"


def fetch(
    store: Store, url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> bytes:
    """The answer's body. HTTPError as urllib raises it."""
    context = ssl.create_default_context(cafile=store.ca_file) if store.ca_file else None
    asked = urllib.request.Request(url, body, headers or {}, method=method)
    with urllib.request.urlopen(asked, timeout=20, context=context) as answer:
        content: bytes = answer.read()
        return content


def test_a_presigned_get_needs_no_keys(store: Store, client: Client, bucket: str) -> None:
    """The key's odd characters are in the URL as they were signed."""
    FileSystem(client).write(S3Path(bucket, KEY), b"0123456789")
    url = client.presign(GetObject(bucket, KEY))
    assert url.startswith(store.endpoint_url)
    assert store.secret_access_key not in url
    assert fetch(store, url) == b"0123456789"


def test_a_presigned_put_stores_what_is_sent(store: Store, client: Client, bucket: str) -> None:
    """Its payload is not signed, so that anything may be sent."""
    url = client.presign(PutObject(bucket, KEY))
    fetch(store, url, "PUT", b"from outside", {"Content-Type": "text/x-test"})
    assert request(store, "GET", f"/{bucket}/{KEY}").body == b"from outside"


def test_a_presigned_put_holds_its_sender_to_the_headers(store: Store, client: Client, bucket: str) -> None:
    """What was signed has to be sent: with it the metadata are there."""
    headers = {"content-type": "text/x-test", "x-amz-meta-from": "us"}
    url = client.presign(PutObject(bucket, "k", headers=headers))
    if store.checks_signatures:
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(store, url, "PUT", b"x", {"Content-Type": "text/x-test"})
        assert caught.value.code == (400 if store.kind == "juicefs" else 403)
        caught.value.close()
    fetch(store, url, "PUT", b"x", headers)
    info = client.call(HeadObject(bucket, "k"))
    assert (info.content_type, info.metadata) == ("text/x-test", {"from": "us"})


def test_a_presigned_range_head_listing_and_delete(store: Store, client: Client, bucket: str) -> None:
    """Any operation can be handed on, each by its method."""
    FileSystem(client).write(S3Path(bucket, "k"), b"0123456789")
    assert (
        fetch(store, client.presign(GetObject(bucket, "k", ByteRange(2, 4))), headers={"Range": "bytes=2-4"}) == b"234"
    )
    assert fetch(store, client.presign(HeadObject(bucket, "k")), "HEAD") == b""
    assert b"<Key>k</Key>" in fetch(store, client.presign(ListObjectsV2(bucket, "k")))
    fetch(store, client.presign(DeleteObject(bucket, "k")), "DELETE")
    assert request(store, "GET", f"/{bucket}/k").status == 404


@over(*but("moto"))
def test_a_url_is_good_for_its_method_and_key_only(store: Store, client: Client, bucket: str) -> None:
    """Whoever changes it is refused."""
    FileSystem(client).write(S3Path(bucket, "k"), b"x")
    url = client.presign(GetObject(bucket, "k"))
    for method, changed in (("PUT", url), ("GET", url.replace("/k?", "/k2?")), ("GET", url[:-4] + "0000")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(store, changed, method, b"y" if method == "PUT" else None)
        assert caught.value.code == 403
        caught.value.close()


@over("seaweedfs", "rclone", "ceph", "swift", "juicefs")
def test_a_url_ends_in_time(store: Store, bucket: str) -> None:
    """Signed two minutes ago for one minute: refused."""
    with client_of(store) as now:
        then = Client(now.transport, now.endpoint, now.credentials, clock=lambda: now._clock() - 120)
        FileSystem(now).write(S3Path(bucket, "k"), b"x")
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(store, then.presign(GetObject(bucket, "k"), expires=60))
        assert caught.value.code == (400 if store.kind == "rclone" else 403)
        caught.value.close()
        assert fetch(store, then.presign(GetObject(bucket, "k"), expires=600)) == b"x"


@over("seaweedfs", "ceph", "juicefs")
def test_a_session_presigns_with_its_token(store: Store, bucket: str) -> None:
    """The token is in the URL, and it works."""
    role = {"aws_role_arn": store.role_arn, "sts_endpoint_url": store.sts_endpoint_url}
    with client_of(store, **role) as client:
        FileSystem(client).write(S3Path(bucket, "k"), b"x")
        url = client.presign(GetObject(bucket, "k"))
    assert "X-Amz-Security-Token=" in url
    assert fetch(store, url) == b"x"


@pytest.mark.parametrize("store", ["moto"], indirect=True)
@pytest.mark.parametrize("expires", [0, -1, 604801])
def test_a_life_that_no_store_grants_is_refused(client: Client, bucket: str, expires: int) -> None:
    """One second to seven days."""
    with pytest.raises(ConfigError, match="604800"):
        client.presign(GetObject(bucket, "k"), expires=expires)

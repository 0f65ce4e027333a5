"""What a target tells of its object, and a path that comes from pathlib."""

from __future__ import annotations

import http.client
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest

from connected import Counting
from s3target import ConfigError, FileNotFoundException, NoCredentials, S3Client, S3Target
from servers.store import Store

both_stores = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


@both_stores
def test_a_target_tells_of_its_object(counted: tuple[S3Client, Counting], base: str) -> None:
    """One HEAD each, of what is there now."""
    client, counter = counted
    target = S3Target(f"{base}/key", client=client)
    client.put_string("hello", f"{base}/key")
    counter.sent.clear()
    assert target.size == 5
    assert target.etag == "5d41402abc4b2a76b9719d911017c592"
    assert abs(target.last_modified - datetime.now(timezone.utc)) < timedelta(minutes=5)
    assert counter.methods() == {"HEAD": 3}
    client.put_string("hello, world", f"{base}/key")
    assert target.size == 12


@pytest.mark.parametrize("name", ["size", "etag", "last_modified"])
def test_a_missing_object_has_no_properties(client: S3Client, base: str, name: str) -> None:
    """FileNotFoundException with its path."""
    with pytest.raises(FileNotFoundException, match="/nope"):
        getattr(S3Target(f"{base}/nope", client=client), name)


def fetched(url: str) -> tuple[int, bytes]:
    """By somebody without keys."""
    parts = urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@both_stores
def test_a_url_reads_the_object(counted: tuple[S3Client, Counting], store: Store, base: str) -> None:
    """Nothing is asked to make it; it says how long it is good for; SeaweedFS refuses one that was tampered with."""
    client, counter = counted
    client.put_string("hello", f"{base}/a key+?")
    counter.sent.clear()
    url = S3Target(f"{base}/a key+?", client=client).presign(expires=60)
    assert counter.sent == []
    assert "X-Amz-Expires=60" in url
    assert "X-Amz-Expires=3600" in S3Target(f"{base}/a key+?", client=client).presign()
    assert fetched(url) == (200, b"hello")
    if store.checks_signatures:
        assert fetched(url.replace("Expires=60", "Expires=61"))[0] == 403


@pytest.mark.parametrize("expires", [0, 604801])
def test_a_url_is_good_for_a_week_at_most(client: S3Client, base: str, expires: int) -> None:
    """By the rules of SigV4."""
    with pytest.raises(ConfigError, match="604"):
        S3Target(f"{base}/key", client=client).presign(expires)


def test_an_anonymous_client_signs_no_url(store: Store) -> None:
    """There is nothing to sign it with."""
    client = S3Client(anonymous=True, endpoint_url=store.endpoint_url)
    with pytest.raises(NoCredentials):
        S3Target("s3://bucket/key", client=client).presign()


@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3n", "S3"])
def test_a_path_of_pathlib(client: S3Client, base: str, scheme: str) -> None:
    """It has made one slash of two, and means the same all the same; as text that is no path."""
    path = PurePosixPath(f"{scheme}{base[2:]}") / "dir" / "key"
    assert "://" not in str(path)
    target = S3Target(path, client=client)
    assert target.path == f"{scheme}{base[2:]}/dir/key"
    with target.open("w") as file:
        file.write("x")
    assert target.exists()
    assert client.exists(path)
    assert list(client.listdir(path.parent)) == [target.path]
    assert list(client.list(path.parent)) == ["key"]
    assert list(client.glob(path.parent / "k*")) == [target.path]
    assert client.exists_many([path]) == {path: True}
    assert client.get_as_string(path) == "x"
    with pytest.raises(ConfigError, match="is no S3 path"):
        client.exists(str(path))

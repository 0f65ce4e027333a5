"""What goes wrong with a store, and what the error says of it: class, code, status, place, and what to do."""

from __future__ import annotations

import socket
import time

import pytest

from connected import client_of, count
from s3target import AccessDenied, ConnectFailed, NoCredentials, NoSuchBucket, NoSuchKey, NotFound, S3Error, connect
from s3target.client import Client
from s3target.protocol.messages import BytesBody
from s3target.protocol.operations.base import Operation
from s3target.protocol.operations.buckets import HeadBucket
from s3target.protocol.operations.listing import ListObjectsV2
from s3target.protocol.operations.objects import (
    ByteRange,
    CopyObject,
    CopySource,
    DeleteObject,
    GetObject,
    HeadObject,
    PutObject,
)
from servers.signed import request
from servers.store import Store
from stores import over

NOWHERE = "no-such-bucket-of-ours"


def check_missing(client: Client, operation: Operation[object], kind: type[NotFound]) -> None:
    """404 by its class and code; the text names operation, bucket and key; it is asked for once only."""
    counting = count(client)
    with pytest.raises(NotFound) as caught:
        client.call(operation)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.operation) == (404, kind.__name__, operation.name)
    assert (error.bucket, error.key) == (operation.bucket, operation.key)
    assert str(error).startswith(f"{operation.name} s3://{operation.bucket}/{operation.key or ''}: 404 {kind.__name__}")
    assert len(counting.sent) == error.attempts == 1


def test_a_missing_key_is_told_by_name(client: Client, bucket: str) -> None:
    """Where there is a body; HEAD has none, so it cannot tell the key from the bucket."""
    for operation, kind in (
        (GetObject(bucket, "a key/ü"), NoSuchKey),
        (GetObject(bucket, "k", ByteRange(0, 9)), NoSuchKey),
        (CopyObject(CopySource(bucket, "missing"), bucket, "a key/ü"), NoSuchKey),
        (HeadObject(bucket, "a key/ü"), NotFound),
    ):
        check_missing(client, operation, kind)


def test_a_missing_bucket_is_told_by_name(client: Client) -> None:
    """Likewise."""
    for operation, kind in (
        (GetObject(NOWHERE, "a key/ü"), NoSuchBucket),
        (ListObjectsV2(NOWHERE), NoSuchBucket),
        (HeadBucket(NOWHERE), NotFound),
    ):
        check_missing(client, operation, kind)


@over("moto", "rclone", "ceph", "swift", "juicefs")
def test_a_put_into_a_missing_bucket_is_refused(client: Client) -> None:
    """As by AWS; SeaweedFS makes the bucket."""
    check_missing(client, PutObject(NOWHERE, "k", BytesBody(b"x")), NoSuchBucket)


@over("ceph", "ceph-tls", "swift", "swift-tls", "rclone", "juicefs")
@pytest.mark.parametrize("wrong", ["aws_secret_access_key", "aws_access_key_id"])
def test_wrong_keys_are_denied_by_every_store(store: Store, bucket: str, wrong: str) -> None:
    """In the words of each: Ceph does not tell the key from the secret, Swift takes every key for a wrong secret."""
    told = {"ceph": "AccessDenied", "swift": "SignatureDoesNotMatch"}
    if wrong == "aws_secret_access_key":
        told |= dict.fromkeys(("rclone", "juicefs"), "SignatureDoesNotMatch")
    with client_of(store, **{wrong: "AKIDUNKNOWN000000000"}) as client, pytest.raises(AccessDenied) as caught:
        client.call(PutObject(bucket, "k", BytesBody(b"x")))
    assert (caught.value.status, caught.value.code) == (403, told.get(store.kind, "InvalidAccessKeyId"))
    assert request(store, "GET", f"/{bucket}/k").status == 404


@over("seaweedfs", "seaweedfs-tls")
@pytest.mark.parametrize(
    ("wrong", "code", "advice"),
    [
        ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch", "Check the secret key"),
        ({"aws_access_key_id": "AKIDUNKNOWN000000000"}, "InvalidAccessKeyId", "which credentials are in use"),
        ({"aws_session_token": "spoilt"}, "InvalidAccessKeyId", "which credentials are in use"),
    ],
)
def test_wrong_keys_are_denied_with_advice(
    store: Store, bucket: str, wrong: dict[str, str], code: str, advice: str
) -> None:
    """403 with the store's own code, no second try, and no secret in the text."""
    with client_of(store, **wrong) as client:
        counting = count(client)
        with pytest.raises(AccessDenied) as caught:
            client.call(PutObject(bucket, "k", BytesBody(b"x")))
        with pytest.raises(AccessDenied) as blind:
            client.call(HeadObject(bucket, "k"))
    assert (caught.value.status, caught.value.code) == (403, code)
    assert (blind.value.status, blind.value.code) == (403, "AccessDenied")
    assert advice in str(caught.value)
    assert len(counting.sent) == 2
    for secret in (store.secret_access_key, *wrong.values()):
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value)
    assert request(store, "GET", f"/{bucket}/k").status == 404


@over("seaweedfs", "ceph", "juicefs")
def test_anonymous_requests_are_denied_where_nobody_may_read(store: Store, bucket: str) -> None:
    """They go unsigned because somebody asked for it, and the store refuses them."""
    with connect(endpoint_url=store.endpoint_url, anonymous=True) as client:
        with pytest.raises(AccessDenied):
            client.call(ListObjectsV2(bucket))
        with pytest.raises(NoCredentials):
            client.presign(GetObject(bucket, "k"))


def test_without_any_keys_nothing_is_sent(store: Store) -> None:
    """NoCredentials says where it looked."""
    with connect(endpoint_url=store.endpoint_url, verify=store.ca_file) as client:
        counting = count(client)
        with pytest.raises(NoCredentials, match="AWS_ACCESS_KEY_ID"):
            client.call(ListObjectsV2("bucket"))
        assert counting.sent == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_closed_port_is_told_quickly(moto_store: Store, scheme: str) -> None:
    """ConnectFailed with the address, after all attempts, which take a second or two at most."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{held.getsockname()[1]}"
        begun = time.monotonic()
        with (
            client_of(moto_store, endpoint_url=f"{scheme}://{place}") as client,
            pytest.raises(ConnectFailed) as caught,
        ):
            client.call(DeleteObject("bucket", "k"))
    assert place in str(caught.value)
    assert caught.value.attempts == 6
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("store", ["seaweedfs-tls"], indirect=True)
def test_a_certificate_of_an_unknown_authority_is_refused(store: Store, bucket: str) -> None:
    """ConnectFailed that names the setting which would help."""
    with (
        client_of(store, verify=True, max_attempts=1) as client,
        pytest.raises(ConnectFailed, match="verify") as caught,
    ):
        client.call(HeadBucket(bucket))
    assert "certificate" in str(caught.value).lower()


@pytest.mark.parametrize("store", ["seaweedfs-tls", "moto-tls"], indirect=True)
@pytest.mark.parametrize("verify", ["the file", False, "false", "by variable"])
def test_a_certificate_is_good_by_our_own_authority_or_unchecked(
    store: Store, bucket: str, verify: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """verify= takes the path of a CA file, or False; AWS_CA_BUNDLE names a file too."""
    if verify == "by variable":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(store.ca_file))
    given = {"the file": store.ca_file, "by variable": None}.get(str(verify), verify)
    with client_of(store, verify=given) as client:
        client.call(HeadBucket(bucket))


@pytest.mark.parametrize("store", ["moto-tls", "seaweedfs-tls"], indirect=True)
def test_http_where_https_is_spoken_is_an_error_and_no_hang(store: Store, bucket: str) -> None:
    """The other way of a wrong endpoint_url."""
    url = store.endpoint_url.replace("https:", "http:")
    with client_of(store, endpoint_url=url, max_attempts=1) as client, pytest.raises(S3Error):
        client.call(HeadBucket(bucket))


@pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
def test_https_where_http_is_spoken_says_so(store: Store, bucket: str) -> None:
    """ConnectFailed, not a timeout."""
    url = store.endpoint_url.replace("http:", "https:")
    with client_of(store, endpoint_url=url, max_attempts=1) as client, pytest.raises(ConnectFailed):
        client.call(HeadBucket(bucket))

"""Roles: AssumeRole at the store's own STS, and work done with the session's keys."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from connected import client_of
from s3target import AccessDenied, CredentialsError, FileSystem
from s3target.client import Client
from s3target.composition import connect
from s3target.filesystem import S3Path
from s3target.protocol.endpoint import sts_endpoint
from s3target.protocol.messages import BytesBody, Credentials, Request, Response
from s3target.protocol.operations.base import Fixed
from s3target.protocol.operations.identity import AssumeRole, GetCallerIdentity
from s3target.protocol.operations.objects import GetObject, PutObject
from s3target.transport import HttpTransport, TransportOptions
from servers.signed import request
from servers.store import Store
from stores import but, needs, over

WITH_STS = over(*but("rclone", "swift"))


class Noting:
    """A Transport that keeps the headers of what it sends."""

    def __init__(self, client: Client) -> None:
        self._transport = client.transport
        self.headers: list[dict[str, str]] = []
        client.transport = self

    def send(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        return self._transport.send(request)

    def close(self) -> None:
        self._transport.close()


def role_client(store: Store, **more: object) -> Client:
    role = {
        "aws_role_arn": store.role_arn,
        "aws_role_session_name": "battery",
        "sts_endpoint_url": store.sts_endpoint_url,
    }
    return client_of(store, **{**role, **more})


@WITH_STS
def test_work_is_done_under_a_role(store: Store, bucket: str) -> None:
    """The role is assumed once; everything after it is signed with the session's keys and token."""
    with role_client(store) as client:
        noting = Noting(client)
        files = FileSystem(client)
        files.write(S3Path(bucket, "d/k"), b"by the role")
        assert [entry.key for entry in files.list(S3Path(bucket, "d"))] == ["d/k"]
        assert files.remove_directory(S3Path(bucket, "d")) == 1
    tokens = {headers["x-amz-security-token"] for headers in noting.headers}
    assert len(tokens) == 1
    assert all(tokens)
    assert all(store.access_key_id not in headers["authorization"] for headers in noting.headers)


@over("seaweedfs", "ceph", "juicefs")
def test_the_session_works_only_with_its_token(store: Store, bucket: str) -> None:
    """The store itself tells a session's keys from lasting ones."""
    with role_client(store) as client:
        session = client.credentials.get()
        assert session
    keys = {"aws_access_key_id": session.access_key_id, "aws_secret_access_key": session.secret_access_key}
    with client_of(store, **keys, aws_session_token=session.session_token) as whole:
        whole.call(PutObject(bucket, "k", BytesBody(b"x")))
    with client_of(store, **keys) as tokenless, pytest.raises(AccessDenied):
        tokenless.call(GetObject(bucket, "k"))


@WITH_STS
def test_a_role_lasts_as_long_as_it_was_asked_to(store: Store) -> None:
    """aws_role_duration in seconds; the end is known, so that it can be renewed in time."""
    with role_client(store, aws_role_duration=1800) as client:
        session = client.credentials.get()
    assert session
    assert session.expires_at
    assert session.session_token
    with role_client(store, aws_role_duration=900) as client:
        other = client.credentials.get()
    assert other
    assert other.expires_at
    assert 800 < session.expires_at - other.expires_at < 1000


@over("seaweedfs", "seaweedfs-tls", "ceph", "ceph-tls")
@pytest.mark.parametrize("wrong", ["aws_secret_access_key", "aws_role_arn"])
def test_a_role_that_is_refused_says_which(store: Store, bucket: str, wrong: str) -> None:
    """CredentialsError that names AssumeRole and the store's code; the work itself is not sent."""
    with role_client(store, **{wrong: f"{store.role_arn}NotThere"}) as client:
        noting = Noting(client)
        with pytest.raises(CredentialsError, match="AssumeRole") as caught:
            client.call(GetObject(bucket, "k"))
    assert re.search("40[34]", str(caught.value))  # Ceph says 404 NoSuchEntity of a role
    assert noting.headers == []


@over("rclone", "rclone-tls", "swift", "swift-tls")
def test_a_store_without_roles_says_so(store: Store, bucket: str) -> None:
    """CredentialsError that names AssumeRole; the work itself is not sent."""
    role = {"aws_role_arn": "arn:aws:iam::123456789012:role/any", "sts_endpoint_url": store.endpoint_url}
    with client_of(store, **role) as client:
        noting = Noting(client)
        with pytest.raises(CredentialsError, match="AssumeRole"):
            client.call(GetObject(bucket, "k"))
    assert noting.headers == []


@needs("identity")
@WITH_STS
def test_the_caller_can_be_asked_for(store: Store) -> None:
    """GetCallerIdentity, with lasting keys and with a session's."""
    keys = Credentials(store.access_key_id, store.secret_access_key)
    with sts_client(store, keys) as client:
        lasting = client.call(GetCallerIdentity())
        session = client.call(AssumeRole(str(store.role_arn), "battery"))
    with sts_client(store, session) as client:
        assumed = client.call(GetCallerIdentity())
    assert lasting.arn
    assert "assumed-role" in assumed.arn
    assert assumed.arn.endswith("/battery")


def sts_client(store: Store, credentials: Credentials) -> Client:
    from s3target.credentials import Static

    locator = Fixed(sts_endpoint(store.region, store.sts_endpoint_url))
    options = TransportOptions(verify=store.ca_file or True)
    return Client(HttpTransport(options), locator, Static(credentials))


@WITH_STS
def test_the_role_and_its_base_keys_can_come_from_files(
    store: Store, bucket: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile with role_arn and source_profile, its endpoint and its CA file, and nothing given in code."""
    folder = tmp_path_factory.mktemp("aws")
    (folder / "credentials").write_text(
        f"[base]\naws_access_key_id = {store.access_key_id}\naws_secret_access_key = {store.secret_access_key}\n"
    )
    (folder / "config").write_text(
        f"[profile worker]\nrole_arn = {store.role_arn}\nsource_profile = base\nregion = {store.region}\n"
        f"endpoint_url = {store.endpoint_url}\nservices = local\n"
        + (f"ca_bundle = {store.ca_file}\n" if store.ca_file else "")
        + f"[services local]\nsts =\n  endpoint_url = {store.sts_endpoint_url}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    with connect(profile_name="worker") as client:
        noting = Noting(client)
        client.call(PutObject(bucket, "k", BytesBody(b"x")))
    assert noting.headers[0]["x-amz-security-token"]
    assert request(replace(store), "GET", f"/{bucket}/k").body == b"x"

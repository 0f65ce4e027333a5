"""Roles from the STS of real servers: the keys that come back read and write there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3target.composition import connect
from s3target.errors import RefreshFailed
from s3target.protocol.operations.objects import DeleteObject, PutObject
from servers.issuer import CLIENT_ID, Issuer, oidc_issuer
from servers.signed import make_bucket
from servers.store import Store
from servers.weed import OidcIssuer, seaweedfs_store

WITH_STS = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


@pytest.fixture
def surroundings(store: Store, tmp_path, monkeypatch) -> Store:
    """Files and variables of a user whose profile `role` assumes the store's role."""
    (tmp_path / "config").write_text(
        f"[profile role]\nrole_arn = {store.role_arn}\nsource_profile = base\nrole_session_name = tests\n"
        f"duration_seconds = 900\nregion = {store.region}\nservices = here\n"
        f"[services here]\nsts =\n  endpoint_url = {store.sts_endpoint_url}\n"
        f"s3 =\n  endpoint_url = {store.endpoint_url}\n"
    )
    (tmp_path / "credentials").write_text(
        f"[base]\naws_access_key_id = {store.access_key_id}\naws_secret_access_key = {store.secret_access_key}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "role")
    return store


@WITH_STS
def test_profile_with_a_role(surroundings, store, caplog):
    """The session's keys work, also after the store has called them ended and they were assumed anew."""
    caplog.set_level(logging.DEBUG)
    bucket = make_bucket(store)
    with connect() as client:
        client.call(PutObject(bucket, "k"))
        first = client.credentials.get()
        assert first.access_key_id != store.access_key_id
        assert first.session_token
        assert first.source == f"assume-role: {store.role_arn}"
        assert client.credentials.invalidate(first, certain=True)
        client.call(DeleteObject(bucket, "k"))
        assert client.credentials.get().session_token != first.session_token
    for secret in (store.secret_access_key, first.secret_access_key, first.session_token):
        assert secret not in caplog.text


@WITH_STS
def test_role_over_given_keys(store):
    """aws_role_arn over keys that were given."""
    bucket = make_bucket(store)
    with connect(
        endpoint_url=store.endpoint_url,
        sts_endpoint_url=store.sts_endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key_id,
        aws_secret_access_key=store.secret_access_key,
        aws_role_arn=store.role_arn,
        aws_role_session_name="tests",
    ) as client:
        client.call(PutObject(bucket, "k"))
        assert client.credentials.get().session_token


def test_web_identity(moto_store, tmp_path, monkeypatch):
    """As on EKS: a token file and a role in the environment."""
    (tmp_path / "token").write_text("header.payload.signature")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", moto_store.role_arn)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_store.endpoint_url)
    bucket = make_bucket(moto_store)
    with connect() as client:
        client.call(PutObject(bucket, "k"))
        assert client.credentials.get().source == f"assume-role-with-web-identity: {moto_store.role_arn}"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with oidc_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def trusting_store(issuer: Issuer) -> Iterator[Store]:
    """A SeaweedFS that gives its role for the issuer's tokens; it checks them, and what is signed with the keys."""
    with seaweedfs_store(oidc=OidcIssuer(issuer.url, issuer.keys_url, CLIENT_ID)) as store:
        yield store


@pytest.fixture
def token_file(trusting_store: Store, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pod's environment: nothing but a token and a role."""
    path = tmp_path / "token"
    path.write_text(issuer.token())
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(path))
    monkeypatch.setenv("AWS_ROLE_ARN", str(trusting_store.role_arn))
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod")
    monkeypatch.setenv("AWS_ENDPOINT_URL", trusting_store.endpoint_url)
    return path


def test_web_identity_that_is_checked(trusting_store, token_file, issuer, caplog):
    """The keys work; for each renewal the token is read again from its file, good or not."""
    caplog.set_level(logging.DEBUG)
    bucket = make_bucket(trusting_store)
    first_token = token_file.read_text()
    with connect() as client:
        client.call(PutObject(bucket, "k"))
        first = client.credentials.get()
        assert first.source == f"assume-role-with-web-identity: {trusting_store.role_arn}"
        token_file.write_text(issuer.token(-60))
        assert client.credentials.invalidate(first, certain=True)
        with pytest.raises(RefreshFailed, match="ExpiredToken"):
            client.call(DeleteObject(bucket, "k"))
        token_file.write_text(second_token := issuer.token())
        client.call(DeleteObject(bucket, "k"))
        second = client.credentials.get()
        assert second.session_token != first.session_token
    secrets = (first_token, second_token, *(keys.session_token for keys in (first, second)))
    assert [secret for secret in secrets if secret in caplog.text] == []


@pytest.mark.parametrize("wrong", [{"seconds": -60}, {"forged": True}], ids=["ended", "forged"])
def test_web_token_that_is_not_good(trusting_store, token_file, issuer, wrong):
    """RefreshFailed names the provider and the store's refusal, and does not show the token."""
    token_file.write_text(token := issuer.token(**wrong))
    with connect() as client, pytest.raises(RefreshFailed, match="AssumeRoleWithWebIdentity: 400") as raised:
        client.call(PutObject("bucket", "k"))
    assert token not in str(raised.value)
    assert "assume-role-with-web-identity" in str(raised.value)


def test_profile_role_over_a_web_identity(trusting_store, token_file, tmp_path, monkeypatch):
    """source_profile may name a profile whose keys come by a web token: both of STS's calls in a row."""
    bucket = make_bucket(trusting_store)
    role = trusting_store.role_arn
    (tmp_path / "config").write_text(
        f"[profile pod]\nweb_identity_token_file = {token_file}\nrole_arn = {role}\n"
        f"[profile job]\nrole_arn = {role}\nsource_profile = pod\nrole_session_name = job\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with connect(profile_name="job") as client:
        client.call(PutObject(bucket, "k"))
        assert client.credentials.get().source == f"assume-role: {role}"

"""Roles from the STS of real servers: the keys that come back read and write there."""

from __future__ import annotations

import logging

import pytest

from s3target.connect import connect
from s3target.protocol.operations.objects import DeleteObject, PutObject
from servers.signed import make_bucket
from servers.store import Store

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

"""The servers the other tests stand on: each stores, refuses what it should refuse, and leaves nothing behind."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree

import pytest

from servers.debian import NotInstalled, cluster
from servers.moto import moto_store
from servers.signed import make_bucket, request
from servers.store import Store
from servers.tls import Authority
from stores import PLAIN, STARTS, TLS, params


@pytest.mark.parametrize("name", params(*PLAIN, *TLS))
def test_a_server_lives_for_its_block(name: str, authority: Authority) -> None:
    """It stores and returns bytes while the block runs; afterwards nobody listens on its port."""
    tls = name.endswith("-tls")
    with STARTS[name.removesuffix("-tls")](authority if tls else None) as store:
        assert store.name == name
        assert urlsplit(store.endpoint_url).scheme == ("https" if tls else "http")
        bucket = make_bucket(store)
        assert request(store, "PUT", f"/{bucket}/a key/ü+%.txt", body=b"bytes").status == 200
        assert request(store, "GET", f"/{bucket}/a key/ü+%.txt").body == b"bytes"
        wrong = request(replace(store, secret_access_key="wrong"), "GET", f"/{bucket}/a key/ü+%.txt")
        assert wrong.status == (403 if store.checks_signatures else 200)
    assert _refused(store)


def _refused(store: Store) -> bool:
    url = urlsplit(store.endpoint_url)
    with socket.socket() as probe:
        return probe.connect_ex((url.hostname, url.port)) != 0


def test_a_program_that_is_missing_is_told_with_its_package() -> None:
    """The command that would install it."""
    packages = {"sh": "dash", "no-such-program-of-ours": "its-package"}
    with (
        pytest.raises(NotInstalled, match="apt-get install --no-install-recommends dash its-package"),
        cluster(packages),
    ):
        pass


def test_the_server_stops_when_the_block_fails() -> None:
    """An exception in the block ends the server and comes out."""
    with pytest.raises(ZeroDivisionError), moto_store() as store:
        raise ZeroDivisionError
    assert _refused(store)


def test_a_wrong_secret_is_told_by_its_code(seaweedfs_store: Store) -> None:
    """SeaweedFS says SignatureDoesNotMatch, so tests of signing against it mean something."""
    answer = request(replace(seaweedfs_store, secret_access_key="wrong"), "GET", "/")
    assert answer.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body


@pytest.mark.parametrize("store", ["moto-tls", "seaweedfs-tls"], indirect=True)
def test_only_our_authority_vouches_for_the_tls_stores(store: Store) -> None:
    """Without the CA file the certificate is refused."""
    with pytest.raises(ssl.SSLCertVerificationError):
        request(replace(store, ca_file=None), "GET", "/")


@pytest.mark.parametrize("store", ["seaweedfs-tls"], indirect=True)
def test_the_certificate_is_good_for_bucket_names_too(store: Store) -> None:
    """BUCKET.s3.localhost, as virtual-host style asks for it."""
    url = urlsplit(store.endpoint_url)
    context = ssl.create_default_context(cafile=store.ca_file)
    with (
        socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="bucket.s3.localhost") as secure,
    ):
        assert secure.version() is not None


def test_a_bucket_is_new_and_empty(store: Store, bucket: str) -> None:
    """No test sees another's objects."""
    assert b"<Contents>" not in request(store, "GET", f"/{bucket}", {"list-type": "2"}).body
    assert make_bucket(store) != bucket


def test_a_role_gives_keys_that_work(store: Store, bucket: str) -> None:
    """AssumeRole at the store's STS; the session's keys and token then write and read."""
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleSessionName": "test", "RoleArn": str(store.role_arn)}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    sts = replace(store, endpoint_url=str(store.sts_endpoint_url))
    answer = request(sts, "POST", "/", body=urlencode(form).encode(), headers=headers, service="sts")
    assert answer.status == 200, answer
    given = {node.tag.rpartition("}")[2]: node.text or "" for node in ElementTree.fromstring(answer.body).iter()}
    session = replace(store, access_key_id=given["AccessKeyId"], secret_access_key=given["SecretAccessKey"])
    token = {"x-amz-security-token": given["SessionToken"]}
    assert request(session, "PUT", f"/{bucket}/k", body=b"x", headers=token).status == 200
    assert request(session, "GET", f"/{bucket}/k", headers=token).body == b"x"
    if store.checks_signatures:
        assert request(session, "GET", f"/{bucket}/k").status == 403


def test_a_query_is_signed_in_order(seaweedfs_store: Store) -> None:
    """The second opinion signs queries with names and values that need encoding."""
    bucket = make_bucket(seaweedfs_store)
    request(seaweedfs_store, "PUT", f"/{bucket}/a b/c", body=b"1")
    query = dict(parse_qsl("prefix=a b/&list-type=2&delimiter=/", keep_blank_values=True))
    answer = request(seaweedfs_store, "GET", f"/{bucket}", query)
    assert b"<Key>a b/c</Key>" in answer.body

"""What a store's name brings with it, and when it is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from s3target import ConfigError, connect
from s3target.composition import resolved
from s3target.stores import STORES, UNKNOWN, guessed
from s3target.transfer.once import keeps_condition
from s3target.transfer.writer import Writer, WriterOptions

GUESSES = {
    None: "aws",
    "https://s3.eu-west-1.amazonaws.com": "aws",
    "https://bucket.vpce-1.s3.cn-north-1.vpce.amazonaws.com.cn": "aws",
    "https://0123.r2.cloudflarestorage.com": "r2",
    "https://0123.eu.r2.cloudflarestorage.com:443/x": "r2",
    "https://storage.googleapis.com": "gcs",
    "https://evil-amazonaws.com": None,
    "http://ec2-203-0-113-5.compute-1.amazonaws.com:9000": None,
    "http://ec2-203-0-113-5.eu-west-1.compute.amazonaws.com:9000": None,
    "https://ceph-123.elb.eu-west-1.amazonaws.com": None,
    "https://ceph-123.eu-west-1.elb.amazonaws.com": None,
    "http://[no-address": None,
    "https://storage.googleapis.com.example": None,
    "http://127.0.0.1:8333": None,
    "https://ceph.example": None,
}


@pytest.mark.parametrize(("url", "name"), GUESSES.items(), ids=str)
def test_a_store_is_guessed_by_hosts_of_one_owner_only(url: str | None, name: str | None) -> None:
    """A server that anybody can run under any name is not."""
    assert guessed(url) == name


def test_an_endpoint_that_is_no_url_is_a_config_error() -> None:
    """Guessing the store comes first, and leaves the refusal to whoever has the words for it."""
    with pytest.raises(ConfigError):
        connect(endpoint_url="http://[no-address")


def test_a_name_brings_its_defaults() -> None:
    """They give way to whatever is set, and tell where they come from."""
    found = resolved({"endpoint_url": "https://0123.r2.cloudflarestorage.com"})
    assert (found["store"], found["region_name"], found["addressing_style"]) == ("r2", "auto", "path")
    assert found.sources["region_name"] == "store r2 (guessed by the host)"
    assert "region_name" not in found.given
    given = {"store": "gcs", "endpoint_url": "https://gcs.proxy.example", "addressing_style": "virtual"}
    found = resolved(given)
    assert (found["request_checksum_calculation"], found["addressing_style"]) == ("when_required", "virtual")
    assert found.sources["request_checksum_calculation"] == "store gcs (argument)"


@pytest.mark.parametrize("name", sorted(set(STORES) - {"aws"}))
def test_a_store_that_is_not_aws_has_an_address(name: str) -> None:
    """Without one, requests and keys would go to AWS."""
    with pytest.raises(ConfigError, match="needs an endpoint_url"):
        resolved({"store": name})


def test_a_client_knows_its_store() -> None:
    """By name, by the host, or not at all."""
    kinds: list[tuple[dict[str, Any], object]] = [
        ({}, STORES["aws"]),
        ({"endpoint_url": "https://ceph.example"}, UNKNOWN),
        ({"endpoint_url": "https://ceph.example", "store": "ceph"}, STORES["ceph"]),
    ]
    for settings, store in kinds:
        with connect(**settings) as client:
            assert client.store == store


def test_settings_of_stores_are_settings() -> None:
    """Each name and value passes for one that a user could give."""
    for name, store in STORES.items():
        resolved({"endpoint_url": "https://store.example", **store.settings, "store": name})
        assert not store.keeps & store.lacks


def test_r2_gets_equal_parts_from_writers() -> None:
    """Which otherwise grow on the way."""
    options = WriterOptions(threads=2)
    for kind, equal in (("r2", True), ("ceph", False)):
        with connect(endpoint_url="https://store.example", store=kind) as client:
            writer = Writer(client, "b", "k", options)
            assert writer._options.equal_parts is equal
            writer.abort()


def test_a_configuration_file_may_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In [s3] of luigi.cfg."""
    from luigi.configuration import get_config

    from s3target import S3Client

    get_config().set("s3", "store", "swift")
    get_config().set("s3", "endpoint_url", "http://127.0.0.1:1")
    try:
        assert S3Client().s3.store == STORES["swift"]
    finally:
        get_config().remove_section("s3")


PUT, COMPLETE, COPY = "PutObject", "CompleteMultipartUpload", "CopyObject"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("aws", {PUT: True, COMPLETE: True, COPY: True}),
        ("ceph", {PUT: True}),
        ("r2", {PUT: True, COMPLETE: True, COPY: False}),
        ("gcs", {PUT: False, COMPLETE: False, COPY: False}),
        ("swift", {PUT: False, COPY: False}),
    ],
)
def test_what_is_known_of_conditions_is_not_asked(name: str, known: dict[str, bool]) -> None:
    """Nobody answers at this address."""
    with connect(store=name, endpoint_url="http://127.0.0.1:9", anonymous=True) as client:
        answers = {operation: keeps_condition(client, "bucket", "key", {}, operation) for operation in known}
    assert answers == known

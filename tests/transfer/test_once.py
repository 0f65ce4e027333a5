"""Conditional writes: a store's word is tried before it is relied upon, and a store that breaks it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from s3target.client import Client
from s3target.errors import AccessDenied, ConfigError, PreconditionFailed
from s3target.filesystem import FileSystem, S3Path
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.identity import Credentials
from s3target.protocol.operations.objects import CopySource
from s3target.retry import RetryPolicy
from s3target.stores import STORES
from s3target.transfer.copy import copy
from s3target.transfer.plan import MIB, TransferOptions
from s3target.transfer.upload import upload
from s3target.transfer.writer import Writer, WriterOptions
from s3target.transport import HttpTransport
from scripted import Keys, Scripted, client_for, reply
from server.memory_s3 import refusal
from server.misbehaving import KEYS, Fault, MisbehavingStore

ONCE = {"IfNoneMatch": "*"}
PART = 5 * MIB
PROBE = ["PutObject", "PutObject", "DeleteObject"]
LONG_PROBE = [
    *("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"),
    "DeleteObject",
]


@pytest.fixture
def store() -> Iterator[MisbehavingStore]:
    with MisbehavingStore() as store:
        yield store


@pytest.fixture
def client(store: MisbehavingStore) -> Iterator[Client]:
    keys = Keys(Credentials(KEYS.access_key_id, KEYS.secret))
    policy = RetryPolicy(max_attempts=3)
    with Client(HttpTransport(), Endpoint(url=store.url), keys, policy, sleep=lambda seconds: None) as client:
        yield client


def asked(store: MisbehavingStore) -> list[str]:
    names = [line.split()[0] for line in store.log]
    store.log.clear()
    return names


def write_parts(client: Client, content: bytes) -> None:
    with Writer(client, "b", "k", WriterOptions(PART, extra_args=ONCE)) as writer:
        writer.write(content)


def test_store_that_keeps_its_word(store: MisbehavingStore, client: Client) -> None:
    """It is tried once; later writes cost nothing more. Nothing of it stays."""
    files = FileSystem(client)
    files.write(S3Path("b", "k"), b"first", ONCE)
    assert asked(store) == [*PROBE, "PutObject"]
    with pytest.raises(PreconditionFailed):
        files.write(S3Path("b", "k"), b"second", ONCE)
    files.write(S3Path("b", "other"), b"x", ONCE)
    assert asked(store) == ["PutObject"] * 2
    assert {key: stored.content for key, stored in store.s3.objects.items()} == {"k": b"first", "other": b"x"}
    store.s3.objects.clear()
    write_parts(client, bytes(PART + 1))
    assert asked(store)[:6] == LONG_PROBE
    assert (set(store.s3.objects), store.s3.uploads) == ({"k"}, {})


def test_writes_that_may_overwrite_are_not_preceded_by_anything(store: MisbehavingStore, client: Client) -> None:
    """Those with another condition are: a store that ignores the one ignores the other."""
    files = FileSystem(client)
    e_tag = files.write(S3Path("b", "k"), b"first").e_tag
    assert asked(store) == ["PutObject"]
    files.write(S3Path("b", "k"), b"second", {"IfMatch": e_tag})
    assert asked(store)[-4:] == [*PROBE, "PutObject"]


def test_store_that_overwrites_is_refused(store: MisbehavingStore, client: Client, tmp_path: Path) -> None:
    """By every way to write, before anything is written, with nothing left behind; every time."""
    store.s3.ignores_conditions = {"PutObject", "CompleteMultipartUpload", "CopyObject"}
    store.s3.put("k", b"theirs")
    (tmp_path / "f").write_bytes(bytes(PART + 1))
    (tmp_path / "g").write_bytes(b"small")
    options = TransferOptions(PART, extra_args=ONCE)
    ways = (
        lambda: FileSystem(client).write(S3Path("b", "k"), b"ours", ONCE),
        lambda: FileSystem(client).write(S3Path("b", "k"), b"ours", ONCE),
        lambda: upload(client, str(tmp_path / "f"), "b", "k", options),
        lambda: upload(client, str(tmp_path / "g"), "b", "k", options),
        lambda: write_parts(client, b"ours"),
        lambda: write_parts(client, bytes(PART + 1)),
        lambda: copy(client, CopySource("b", "k"), "b", "c", options),
        lambda: copy(client, CopySource("b", "k"), "b", "c", TransferOptions(PART, extra_args=ONCE, copy_threshold=0)),
    )
    for way in ways:
        with pytest.raises(ConfigError, match="does not keep conditions"):
            way()
    assert {key: stored.content for key, stored in store.s3.objects.items()} == {"k": b"theirs"}
    assert not store.s3.uploads


def test_store_that_minds_it_for_one_piece_only(store: MisbehavingStore, client: Client, tmp_path: Path) -> None:
    """As Ceph 16: a file goes in one piece then, and what is written in parts is refused at its first part."""
    store.s3.ignores_conditions = {"CompleteMultipartUpload"}
    content = bytes(PART + 1)
    (tmp_path / "f").write_bytes(content)
    options = TransferOptions(PART, extra_args=ONCE)
    upload(client, str(tmp_path / "f"), "b", "k", options)
    assert store.s3.objects["k"].content == content
    assert asked(store) == [*LONG_PROBE[:4], "DeleteObject", *PROBE, "PutObject"]
    with pytest.raises(PreconditionFailed):
        upload(client, str(tmp_path / "f"), "b", "k", options)
    asked(store)
    with pytest.raises(ConfigError, match="one piece"):
        write_parts(client, bytes(3 * PART))
    assert "UploadPart" not in asked(store)[5:]


def test_store_that_says_it_cannot(store: MisbehavingStore, client: Client) -> None:
    """501, as Swift answers."""
    store.order(Fault("501", acts=False, says=lambda *_: refusal(501, "NotImplemented")), "PutObject", times=9)
    with pytest.raises(ConfigError, match="does not keep conditions"):
        FileSystem(client).write(S3Path("b", "k"), b"ours", ONCE)


def test_trial_that_cannot_be_made_decides_nothing(store: MisbehavingStore, client: Client) -> None:
    """Its error is raised, and the next write tries again."""
    store.order(Fault("403", acts=False, says=lambda *_: refusal(403, "AccessDenied")), "PutObject")
    with pytest.raises(AccessDenied):
        FileSystem(client).write(S3Path("b", "k"), b"ours", ONCE)
    FileSystem(client).write(S3Path("b", "k"), b"ours", ONCE)
    assert store.s3.objects["k"].content == b"ours"


@pytest.mark.parametrize("nth", [1, 2])
def test_trial_whose_answer_is_lost(store: MisbehavingStore, client: Client, nth: int) -> None:
    """A store in order is not taken for one that overwrites."""
    store.order(Fault("lost", sends=lambda head, whole: 0, ends="reset"), "PutObject", nth)
    FileSystem(client).write(S3Path("b", "k"), b"ours", ONCE)
    assert store.struck == 1


def test_scratch_object_lies_beside_the_key(store: MisbehavingStore, client: Client) -> None:
    """A policy may allow nothing else; and a key of any length leaves room for it."""
    key = "d/" + "ü" * 511
    FileSystem(client).write(S3Path("b", key), b"ours", ONCE)
    scratch = {name for name, _ in store.s3.history} - {key}
    assert len(scratch) == 1
    assert all(name.startswith(key[:400]) and len(name.encode()) <= 1024 for name in scratch)


def test_aws_is_believed() -> None:
    """It documents the condition."""
    transport = Scripted(reply(200, etag='"e"'))
    client = client_for(transport, endpoint=Endpoint(region="eu-west-1"))
    client.store = STORES["aws"]
    FileSystem(client).write(S3Path("bucket", "k"), b"ours", ONCE)
    assert len(transport.log) == 1


@pytest.mark.parametrize("kind", ["gcs", "swift"])
def test_store_that_is_known_not_to_is_not_asked(kind: str) -> None:
    """Nothing is sent at all."""
    transport = Scripted()
    client = client_for(transport)
    client.store = STORES[kind]
    with pytest.raises(ConfigError, match="does not keep conditions"):
        FileSystem(client).write(S3Path("bucket", "k"), b"ours", ONCE)
    assert len(transport.log) == 0

"""Conditional writes: a store's word is tried before it is relied upon, and a store that breaks it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3target.client import Client
from s3target.errors import AccessDenied, ConfigError, ObjectChanged, PreconditionFailed
from s3target.filesystem import FileSystem, S3Path
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.messages import Credentials
from s3target.protocol.operations.objects import CopySource
from s3target.retry import RetryPolicy
from s3target.stores import STORES, UNKNOWN
from s3target.transfer.copy import copy
from s3target.transfer.once import keeps_condition
from s3target.transfer.plan import MIB, TransferOptions
from s3target.transfer.upload import upload
from s3target.transfer.writer import Writer, WriterOptions
from s3target.transport import HttpTransport
from scripted import Keys, Scripted, client_for, reply
from server.memory_s3 import refusal
from server.misbehaving import KEYS, Fault, MisbehavingStore
from transfer.memory_store import MemoryStore

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


@pytest.mark.parametrize("operation", ["PutObject", "CompleteMultipartUpload", "CopyObject"])
def test_scratch_object_is_written_as_the_bucket_insists(operation: str) -> None:
    """Encrypted as the object will be; but never locked, as it has to go again."""
    store = MemoryStore()
    store.store = UNKNOWN
    extra = {**ONCE, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "mine", "ObjectLockLegalHoldStatus": "ON"}
    assert keeps_condition(store, "b", "k", extra, operation)
    makers = [call for call in store.calls if call.name in ("PutObject", "CreateMultipartUpload", "CopyObject")]
    assert len(makers) == 2
    for call in makers:
        assert call.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "mine"
        assert "x-amz-object-lock-legal-hold" not in call.headers
    if operation == "CopyObject":
        assert makers[1].headers["x-amz-metadata-directive"] == "REPLACE"
    assert store.objects == store.uploads == {}


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


def lost(took_effect: bool, meanwhile: bytes | None = None) -> Fault:
    """The answer is lost, and somebody else writes k before the next attempt."""

    def act(store: MisbehavingStore) -> None:
        if meanwhile is not None:
            store.s3.put("k", meanwhile)

    return Fault("lost", acts=took_effect, sends=lambda head, whole: 0, ends="reset", mode=act)


SMALL, LARGE = b"ours", bytes(PART + 1)
WAYS: dict[str, tuple[str, bytes, Callable[[Client, Path], object]]] = {
    "write": ("PutObject", SMALL, lambda client, folder: FileSystem(client).write(S3Path("b", "k"), SMALL, ONCE)),
    "upload": ("PutObject", SMALL, lambda client, folder: upload(client, str(folder / "small"), "b", "k", OPTIONS)),
    "upload in parts": (
        "CompleteMultipartUpload",
        LARGE,
        lambda client, folder: upload(client, str(folder / "large"), "b", "k", OPTIONS),
    ),
    "writer": ("PutObject", SMALL, lambda client, folder: write_parts(client, SMALL)),
    "writer, in parts": ("CompleteMultipartUpload", LARGE, lambda client, folder: write_parts(client, LARGE)),
    "copy": ("CopyObject", SMALL, lambda client, folder: copy(client, CopySource("b", "small"), "b", "k", OPTIONS)),
    "copy in parts": (
        "CompleteMultipartUpload",
        LARGE,
        lambda client, folder: copy(
            client, CopySource("b", "large"), "b", "k", TransferOptions(PART, extra_args=ONCE, copy_threshold=0)
        ),
    ),
}
OPTIONS = TransferOptions(PART, extra_args=ONCE)


@pytest.fixture
def sources(store: MisbehavingStore, tmp_path: Path) -> Path:
    """What the ways to write take: files in this folder, and objects. The store has been tried before."""
    for name, content in (("small", SMALL), ("large", LARGE)):
        (tmp_path / name).write_bytes(content)
        store.s3.put(name, content, {"content-type": "text/x-ours", "x-amz-meta-a": "1"})
    return tmp_path


def try_store(client: Client) -> None:
    for operation in ("PutObject", "CompleteMultipartUpload", "CopyObject"):
        assert keeps_condition(client, "b", "k", ONCE, operation)


@pytest.mark.parametrize("way", WAYS)
def test_answer_of_ones_own_commit_is_lost(store: MisbehavingStore, client: Client, sources: Path, way: str) -> None:
    """The refusal of the second attempt is put down to the first one, also when nothing else tells (SSE-KMS)."""
    operation, content, write = WAYS[way]
    try_store(client)
    store.order(lost(took_effect=True), operation)
    write(client, sources)
    assert store.struck == 1
    assert store.s3.objects["k"].content == content
    assert [key for key, _ in store.s3.history].count("k") == 1
    assert store.s3.uploads == {}


@pytest.mark.parametrize("way", WAYS)
def test_another_writes_the_same_bytes_meanwhile(
    store: MisbehavingStore, client: Client, sources: Path, way: str
) -> None:
    """It has won, although its object cannot be told from ours by its bytes."""
    operation, content, write = WAYS[way]
    try_store(client)
    store.order(lost(took_effect=False, meanwhile=content), operation)
    with pytest.raises(PreconditionFailed):
        write(client, sources)
    assert store.struck == 1
    assert store.s3.uploads == {}


def test_conditional_copy_carries_the_metadata(store: MisbehavingStore, client: Client, sources: Path) -> None:
    """The mark comes on top of it, and that of the source stays behind."""
    for destination in ("c", "d"):
        copy(client, CopySource("b", "small" if destination == "c" else "c"), "b", destination, OPTIONS)
    there = store.s3.objects["c"].headers, store.s3.objects["d"].headers
    assert [headers.pop("x-amz-meta-s3target-once") is None for headers in there] == [False, False]
    assert there[0] == there[1] == {"content-type": "text/x-ours", "x-amz-meta-a": "1"}


def test_source_that_is_replaced_under_a_conditional_copy(
    store: MisbehavingStore, client: Client, sources: Path
) -> None:
    """New bytes must not get the metadata of the old ones; and it is not the destination that is taken."""
    try_store(client)
    store.order(Fault("replaced", mode=lambda store: store.s3.put("small", b"other")), "CopyObject")
    with pytest.raises(ObjectChanged, match="s3://b/small"):
        copy(client, CopySource("b", "small"), "b", "k", OPTIONS)
    assert store.struck == 1
    assert "k" not in store.s3.objects


def test_marks_differ(store: MisbehavingStore, client: Client) -> None:
    """From write to write; what may overwrite has none."""
    files = FileSystem(client)
    for key in ("x", "y"):
        files.write(S3Path("b", key), b"", ONCE)
    files.write(S3Path("b", "z"), b"")
    marks = [store.s3.objects[key].headers.get("x-amz-meta-s3target-once") for key in ("x", "y", "z")]
    assert None not in marks[:2]
    assert marks[2] is None
    assert marks[0] != marks[1]

"""Awkward keys on the servers that check signatures: put, read, found under the very key, copied, removed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awkward_keys import CHECKING, KEYS, limits
from connected import KeyStore
from s3target import AccessDenied, NotFound
from s3target.client import Client, Transport
from s3target.filesystem import FileSystem, S3Path, parse_path
from s3target.protocol.messages import Request, Response
from s3target.protocol.operations.listing import ListObjectsV2
from s3target.protocol.operations.objects import GetObject
from s3target.transfer.plan import TransferOptions
from stores import MORE

PAIRS = [
    pytest.param(server, name, marks=(pytest.mark.more_stores,) if server in MORE else ())
    for name in KEYS
    for server in CHECKING
    if server not in limits(name)
]


def read(client: Client, path: S3Path) -> bytes:
    stream = client.call(GetObject(*path)).stream
    try:
        return stream.read()
    finally:
        stream.close()


def listed(files: FileSystem, path: S3Path) -> list[str]:
    """All keys of the bucket that begin with path's, once by the pages of list() and once by the prefix itself."""
    everything = [entry.key for entry in files.list(S3Path(path.bucket, "")) if entry.key.startswith(path.key)]
    page = files.client.call(ListObjectsV2(path.bucket, path.key))
    assert sorted(entry.key for entry in page.objects) == sorted(everything)
    return everything


def lives_a_whole_life(client: Client, bucket: str, key: str) -> None:
    """put, exists, read, list, copy from and to, remove: all under exactly this key."""
    path = parse_path(f"s3://{bucket}/{key}")
    assert path == (bucket, key)
    content = hashlib.sha256(key.encode()).digest()
    plain = S3Path(bucket, f"copies-{content.hex()}")
    files = FileSystem(client)
    try:
        _live(files, path, plain, content)
    finally:
        for each in (path, plain):
            files.remove(each)


def _live(files: FileSystem, path: S3Path, plain: S3Path, content: bytes) -> None:
    files.write(path, content)
    info = files.info(path)
    assert info
    assert info.size == len(content)
    assert files.exists(path)
    assert read(files.client, path) == content
    assert path.key in listed(files, path)
    assert files.copy(path, plain, TransferOptions()) == len(content)
    files.remove(path)
    assert files.info(path) is None
    assert files.copy(plain, path, TransferOptions()) == len(content)
    assert read(files.client, path) == content
    assert files.remove_directory(S3Path(path.bucket, "")) == 2
    with pytest.raises(NotFound):
        read(files.client, path)


@pytest.mark.parametrize(("server", "name"), PAIRS, ids=lambda value: value.replace(" ", "-"))
def test_an_awkward_key_is_a_key_like_any_other(key_store: KeyStore, server: str, name: str) -> None:
    """A key sent otherwise than signed would be refused; one that is changed on the way would not be found again."""
    lives_a_whole_life(*key_store(server), KEYS[name])


@pytest.mark.parametrize("name", KEYS)
def test_every_awkward_key_is_proved_somewhere(name: str) -> None:
    """At least one server that checks signatures takes it; where one does not, the reason is written down."""
    refused = limits(name)
    assert set(refused) < set(CHECKING)
    assert all(refused.values())


class Diverting:
    """A Transport that sends every request to another key than the one it was signed for."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, request: Request) -> Response:
        return self._transport.send(request._replace(path=request.path + "2"))

    def close(self) -> None:
        self._transport.close()


@pytest.mark.parametrize("server", ["seaweedfs", "moto-auth"])
def test_a_key_that_was_not_signed_for_is_refused(key_store: KeyStore, server: str) -> None:
    """So to pass the tests here means that each key was sent exactly as it was signed."""
    client, bucket = key_store(server)
    files = FileSystem(client)
    files.write(S3Path(bucket, "k2"), b"x")
    diverted = Client(Diverting(client.transport), client.endpoint, client.credentials)
    with pytest.raises(AccessDenied) as caught:
        diverted.call(GetObject(bucket, "k"))
    assert caught.value.code == "SignatureDoesNotMatch"
    files.remove(S3Path(bucket, "k2"))


def utf8(most: int) -> Callable[[str], bool]:
    return lambda text: len(text.encode()) <= most


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
# What SeaweedFS cannot hold, see awkward_keys.
NAMES = st.text(CHARACTERS.filter(lambda character: character not in "/\\"), min_size=1, max_size=60)
NAMES = NAMES.filter(utf8(255)).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
TEXTS = st.text(st.one_of(CHARACTERS, st.sampled_from("/.%+ ")).filter(lambda character: character != "\n"), min_size=1)
TEXTS = TEXTS.filter(utf8(1024)).filter(lambda key: key != "/")
BOUNDED = settings(max_examples=40, derandomize=True)


@BOUNDED
@given(key=PATHS)
def test_any_path_is_a_key(key_store: KeyStore, key: str) -> None:
    """Names of any characters with slashes between them, on SeaweedFS."""
    lives_a_whole_life(*key_store("seaweedfs"), key)


@BOUNDED
@given(key=TEXTS)
def test_any_text_is_a_key(key_store: KeyStore, key: str) -> None:
    """Slashes and dots anywhere, on moto with its checks on."""
    lives_a_whole_life(*key_store("moto-auth"), key)

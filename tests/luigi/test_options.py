"""Encryption, tags, ACL, storage class, metadata on every way to write; a customer's key on every way to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from luigi.format import Nop

from connected import client_of
from s3target import ConfigError, S3Client, S3Target, ServiceError
from s3target.client import Transport
from s3target.luigi.options import for_reading
from s3target.protocol.messages import Request, Response
from servers.store import Store

LARGE = 6 << 20
PART = 5 << 20
KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0123456789abcdef0123456789abcdef"}
KEY_HEADERS = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "x-amz-server-side-encryption-customer-key-md5": "hRasmdxgYDKV3nvbahU1MA==",
}
OPTIONS = {
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": "arn:aws:kms:us-east-1:111122223333:key/k",
    "Tagging": {"team": "data", "tier": "a b"},
    "ACL": "bucket-owner-full-control",
    "StorageClass": "STANDARD_IA",
    "Metadata": {"made-by": "test"},
    "ContentType": "text/csv",
}
HEADERS = {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:us-east-1:111122223333:key/k",
    "x-amz-tagging": "team=data&tier=a%20b",
    "x-amz-acl": "bucket-owner-full-control",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-meta-made-by": "test",
    "content-type": "text/csv",
}


class Recording:
    """A transport that keeps what is sent. answered: instead of asking the store, which may know none of it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        return self._transport.send(request)

    def close(self) -> None:
        self._transport.close()


Recorded = tuple[S3Client, Recording]


@pytest.fixture
def recorded(store: Store) -> Iterator[Recorded]:
    with client_of(store) as connection:
        recording = Recording(connection.transport)
        connection.transport = recording
        client = S3Client()
        client.s3 = connection
        yield client, recording


def write_target(client: S3Client, path: str, size: int, **options: object) -> None:
    with S3Target(path, Nop, client, **options).open("w") as file:  # type: ignore[arg-type]
        file.write(b"x" * size)


WRITES: dict[str, Callable[..., object]] = {
    "put": lambda client, path, file, **o: client.put(file(9), path, **o),
    "put in parts": lambda client, path, file, **o: client.put(file(LARGE), path, part_size=PART, **o),
    "put_string": lambda client, path, file, **o: client.put_string("text", path, **o),
    "put_multipart": lambda client, path, file, **o: client.put_multipart(file(LARGE), path, PART, **o),
    "target": lambda client, path, file, **o: write_target(client, path, 9, **o),
    "target in parts": lambda client, path, file, **o: write_target(client, path, LARGE, part_size=PART, **o),
    "stream": lambda client, path, file, **o: write_target(client, path, 9, upload="while_writing", **o),
    "stream in parts": lambda client, path, file, **o: write_target(
        client, path, LARGE, upload="while_writing", part_size=PART, **o
    ),
}


def subset(request: Request, names: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name in names}


def makes_the_object(request: Request) -> bool:
    return request.method == "PUT" if not request.query else request.query == (("uploads", ""),)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[int], Path]:
    def make(size: int) -> Path:
        path = tmp_path / "file"
        path.write_bytes(b"x" * size)
        return path

    return make


@pytest.mark.parametrize("name", WRITES)
def test_what_describes_the_object_goes_along(
    recorded: Recorded, base: str, file: Callable[[int], Path], name: str
) -> None:
    """On the request that makes the object, whatever way it is written."""
    client, recording = recorded
    WRITES[name](client, f"{base}/key", file, **OPTIONS)
    (made,) = [request for request in recording.sent if makes_the_object(request)]
    assert subset(made, HEADERS) == HEADERS
    parts = [request for request in recording.sent if "partNumber" in dict(request.query)]
    assert bool(parts) == ("parts" in name or name == "put_multipart")
    assert all(subset(part, HEADERS) == {} for part in parts)


@pytest.mark.parametrize("name", WRITES)
def test_a_customers_key_goes_with_every_request(
    recorded: Recorded, base: str, file: Callable[[int], Path], name: str
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html: parts too."""
    client, recording = recorded
    WRITES[name](client, f"{base}/key", file, **KEY)
    assert recording.sent
    assert [subset(request, KEY_HEADERS) for request in recording.sent] == [KEY_HEADERS] * len(recording.sent)


@pytest.mark.parametrize("source", ["dir/a", "dir"])
@pytest.mark.parametrize("verb", ["copy", "move"])
def test_what_describes_the_copy_goes_along(recorded: Recorded, base: str, source: str, verb: str) -> None:
    """Of an object and of a directory."""
    client, recording = recorded
    client.put_string("", f"{base}/dir/a")
    options = {**OPTIONS, "MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}
    getattr(client, verb)(f"{base}/{source}", f"{base}/copied", **options)
    (made,) = [request for request in recording.sent if "x-amz-copy-source" in request.headers]
    assert subset(made, HEADERS) == HEADERS
    assert (made.headers["x-amz-metadata-directive"], made.headers["x-amz-tagging-directive"]) == ("REPLACE",) * 2


def test_a_copy_is_decrypted_and_encrypted(recorded: Recorded, base: str) -> None:
    """The source's key goes with the HEAD, the copy takes both."""
    client, recording = recorded
    client.put_string("text", f"{base}/a", **KEY)
    recording.sent.clear()
    client.copy(f"{base}/a", f"{base}/b", **KEY, **{f"CopySource{name}": value for name, value in KEY.items()})
    head, made = recording.sent
    assert (head.method, subset(head, KEY_HEADERS)) == ("HEAD", KEY_HEADERS)
    assert subset(made, KEY_HEADERS) == KEY_HEADERS
    source = {name.replace("x-amz-", "x-amz-copy-source-", 1): value for name, value in KEY_HEADERS.items()}
    assert subset(made, source) == source


READS: dict[str, Callable[[S3Client, str, Path], object]] = {
    "target": lambda client, path, file: S3Target(path, Nop, client, **KEY).open().read(),
    "target, read ahead": lambda client, path, file: S3Target(path, Nop, client, readahead=2, **KEY).open().read(),
    "get_as_bytes": lambda client, path, file: client.get_as_bytes(path, **KEY),
    "get_as_string": lambda client, path, file: client.get_as_string(path, **KEY).encode(),
    "get": lambda client, path, file: client.get(path, file, **KEY) or file.read_bytes(),
    "get_key": lambda client, path, file: client.get_key(path, **KEY).get()["Body"].read(),  # type: ignore[union-attr]
}


@pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
@pytest.mark.parametrize("name", READS)
def test_a_customers_key_reads(recorded: Recorded, base: str, tmp_path: Path, name: str) -> None:
    """With every request; SeaweedFS does encrypt, and refuses a read without it."""
    client, recording = recorded
    client.put_string("secret", f"{base}/key", **KEY)
    recording.sent.clear()
    assert READS[name](client, f"{base}/key", tmp_path / "file") == b"secret"
    assert recording.sent
    assert [subset(request, KEY_HEADERS) for request in recording.sent] == [KEY_HEADERS] * len(recording.sent)


def test_a_customers_key_asks(recorded: Recorded, base: str) -> None:
    """exists(), size and the like: AWS refuses a HEAD without it."""
    client, recording = recorded
    client.put_string("secret", f"{base}/key", **KEY)
    recording.sent.clear()
    target = S3Target(f"{base}/key", client=client, **KEY)  # type: ignore[arg-type]
    assert target.exists()
    assert client.exists(f"{base}/key", **KEY)
    assert target.size == 6
    assert [(request.method, subset(request, KEY_HEADERS)) for request in recording.sent] == [("HEAD", KEY_HEADERS)] * 3


@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_without_the_key_nothing_is_read(recorded: Recorded, base: str) -> None:
    """The store really keeps it encrypted, so the tests above show something."""
    client, _ = recorded
    client.put_string("secret", f"{base}/key", **KEY)
    with pytest.raises(ServiceError):
        client.get_as_bytes(f"{base}/key")


def test_a_read_takes_no_other_options(client: S3Client, base: str) -> None:
    """Those that describe an object are for writing it."""
    for read in (client.get_as_bytes, client.get_key, client.exists):
        with pytest.raises(ConfigError, match="StorageClass"):
            read(f"{base}/key", StorageClass="STANDARD_IA")


def test_what_a_write_was_told_and_a_read_needs() -> None:
    """The key, who pays, whose bucket it is; not the conditions of the write, which a read would take for its own."""
    needed = {**KEY, "RequestPayer": "requester", "ExpectedBucketOwner": "111122223333"}
    assert for_reading({**OPTIONS, **needed, "IfMatch": "e", "IfNoneMatch": "*"}) == needed


def test_no_url_carries_a_customers_key(client: S3Client, base: str) -> None:
    """presign() says so."""
    with pytest.raises(ConfigError, match="cannot carry the SSECustomerKey"):
        S3Target(f"{base}/key", client=client, **KEY).presign()  # type: ignore[arg-type]

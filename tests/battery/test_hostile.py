"""What users and stores may do to break out of a request, and the store that the matrix of faults relies upon."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from s3target.client import Client
from s3target.errors import BadResponse, ConfigError, ServiceError
from s3target.filesystem import FileSystem, S3Path
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.messages import BytesBody, Credentials
from s3target.protocol.operations.base import Operation
from s3target.protocol.operations.listing import ListObjectsV2
from s3target.protocol.operations.objects import HeadObject, PutObject
from s3target.protocol.options import UPLOAD
from s3target.retry import RetryPolicy
from s3target.transport import HttpTransport, TransportOptions
from scripted import Keys
from server.asked import Asked
from server.memory_s3 import Answer
from server.misbehaving import KEYS, Fault, MisbehavingStore

INJECTION = "a\r\nx-amz-acl: public-read-write"
OURS = Credentials(KEYS.access_key_id, KEYS.secret)


@pytest.fixture
def store() -> Iterator[MisbehavingStore]:
    with MisbehavingStore() as store:
        yield store


def client_of(store: MisbehavingStore, credentials: Credentials = OURS) -> Client:
    policy = RetryPolicy(max_attempts=2)
    return Client(HttpTransport(), Endpoint(url=store.url), Keys(credentials), policy, sleep=lambda seconds: None)


@pytest.mark.parametrize("text", [INJECTION, "a\nb", "a\rb", "a\0b"])
@pytest.mark.parametrize("name", sorted(UPLOAD - {"SSECustomerKey", "Tagging", "Metadata", "ChecksumAlgorithm"}))
def test_header_injection_by_an_option(store: MisbehavingStore, name: str, text: str) -> None:
    """Refused before anything is sent, but for the trial of a condition, which has nothing of it."""
    with client_of(store) as client:
        if name in ("IfNoneMatch", "ChecksumType"):
            name = "ContentType"
        try:
            FileSystem(client).write(S3Path("b", "k"), b"x", {name: text})
        except ConfigError:
            assert all(".s3target-" in line for line in store.log)
        else:
            # An option of uploads in parts alone, which a PutObject leaves out.
            assert "x-amz-acl" not in store.s3.objects["k"].headers


@pytest.mark.parametrize("metadata", [{"a": INJECTION}, {INJECTION: "b"}, {"a b": "c"}, {"a:b": "c"}])
def test_header_injection_by_metadata(store: MisbehavingStore, metadata: dict[str, str]) -> None:
    """Names as well as values."""
    with client_of(store) as client, pytest.raises(ConfigError):
        FileSystem(client).write(S3Path("b", "k"), b"x", {"Metadata": metadata})
    assert not store.log


@pytest.mark.parametrize(
    "key", ["a\r\nx: y", "../../etc/passwd", "a?uploads", "a#b", "a b", "%2e%2e/x", "a\\b", "\u202e"]
)
def test_keys_that_look_like_something_else(store: MisbehavingStore, key: str) -> None:
    """They are names, no more: what is stored is found under just this one."""
    with client_of(store) as client:
        FileSystem(client).write(S3Path("b", key), b"x")
        assert FileSystem(client).info(S3Path("b", key)) is not None
        assert list(FileSystem(client).keys(S3Path("b", ""))) == [key]
    assert (list(store.s3.objects), store.complaints) == ([key], [])


@pytest.mark.parametrize("elements", [1_000, 300_000])
def test_listing_of_many_strange_elements(store: MisbehavingStore, elements: int) -> None:
    """Its size is bounded by elements as well as by bytes."""
    page = b"<ListBucketResult>" + b"<a/>" * elements + b"</ListBucketResult>"
    store.order(Fault("many", says=lambda *_: Answer(200, {}, page)), "ListObjectsV2", times=9)
    with client_of(store) as client:
        if elements < 200_000:
            assert client.call(ListObjectsV2("b")).next_token is None
        else:
            with pytest.raises(BadResponse, match="elements"):
                client.call(ListObjectsV2("b"))


def test_deep_document(store: MisbehavingStore) -> None:
    """Its depth is bounded."""
    store.order(Fault("deep", says=lambda *_: Answer(200, {}, b"<a>" * 5000)), "ListObjectsV2", times=9)
    with client_of(store) as client, pytest.raises(BadResponse, match="levels"):
        client.call(ListObjectsV2("b"))


def test_huge_error_document(store: MisbehavingStore) -> None:
    """The beginning of it is read; the status tells what it is."""
    body = b"<Error><Code>AccessDenied</Code><Message>" + bytes(50_000_000)
    store.order(Fault("huge", says=lambda *_: Answer(403, {}, body)), "ListObjectsV2", times=9)
    with client_of(store) as client, pytest.raises(ServiceError) as caught:
        client.call(ListObjectsV2("b"))
    assert (caught.value.status, caught.value.code) == (403, "AccessDenied")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("operation", [HeadObject("b", "k"), ListObjectsV2("b")], ids=["head", "document"])
def test_answer_that_trickles(store: MisbehavingStore, operation: Operation[object]) -> None:
    """It is never silent for long, but it must be whole some time."""
    store.s3.put("k", b"x")
    # In 8 pieces, the last of which are those of a document.
    store.order(Fault("slow", slowly=2.4, says=long_document), operation.name, times=9)
    transport = HttpTransport(TransportOptions(read_timeout=0.8 if operation.name == "HeadObject" else 10.0))
    policy = RetryPolicy(max_attempts=1, deadline=0.8)
    begun = time.monotonic()
    with (
        Client(transport, Endpoint(url=store.url), Keys(OURS), policy) as client,
        pytest.raises(BadResponse, match=r"not whole after 0\.8 s"),
    ):
        client.call(operation)
    assert time.monotonic() - begun < 2.2


def long_document(asked: Asked, answer: Answer) -> Answer:
    return answer if asked.method == "HEAD" else Answer(200, {}, b"<ListBucketResult>" + b" " * 200_000)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"secret_access_key": "no"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "no"}, "InvalidAccessKeyId"),
        ({"session_token": "no"}, "InvalidAccessKeyId"),
    ],
)
def test_the_store_checks_who_signs(store: MisbehavingStore, wrong: dict[str, str], code: str) -> None:
    """Else the matrix would prove nothing about it."""
    with client_of(store, replace_credentials(wrong)) as client, pytest.raises(ServiceError):
        client.call(ListObjectsV2("b"))
    assert store.complaints[0].endswith(code)


def replace_credentials(wrong: dict[str, str]) -> Credentials:
    return Credentials(**{"access_key_id": KEYS.access_key_id, "secret_access_key": KEYS.secret, **wrong})


@pytest.mark.parametrize(("header", "code"), [("x-amz-checksum-crc32", "BadDigest"), ("content-md5", "BadDigest")])
def test_the_store_checks_what_is_sent(store: MisbehavingStore, header: str, code: str) -> None:
    """A checksum that is not the body's is refused."""
    with client_of(store) as client, pytest.raises(ServiceError) as caught:
        client.call(PutObject("b", "k", BytesBody(b"x"), {header: "AAAAAA=="}))
    assert caught.value.code == code
    assert not store.s3.objects


def test_the_store_checks_the_clock_and_the_region(store: MisbehavingStore) -> None:
    """As AWS does."""
    store.skew = 3600.0
    with client_of(store) as client, pytest.raises(ServiceError):
        client.call(HeadObject("b", "k"))
    store.reset()
    store.region = "eu-west-1"
    with client_of(store) as client, pytest.raises(ServiceError):
        client.call(HeadObject("b", "k"))
    assert store.complaints[0].endswith("AuthorizationHeaderMalformed")

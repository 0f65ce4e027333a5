"""Jobs that outlive their keys: the store refuses a session that has ended, and no call may fail for it.

The job of a minute:  pytest -m slow tests/credentials/test_long_job.py
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from credentials.fakes import Clock
from s3target.client import Client
from s3target.composition import connect
from s3target.credentials import Refreshing
from s3target.errors import ServiceError
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.messages import BytesBody, Credentials
from s3target.protocol.operations.objects import DeleteObject, GetObject, HeadObject, PutObject
from s3target.transfer.download import download
from s3target.transfer.plan import MIN_PART, TransferOptions
from s3target.transfer.reader import Reader, ReaderOptions
from s3target.transfer.upload import upload
from s3target.transfer.writer import Writer, WriterOptions
from s3target.transport import HttpTransport
from server.expiring_store import LASTING, ExpiringStore, expiring_store

LIFETIME = 2.0
THREADS = 16
PARTS = TransferOptions(part_size=MIN_PART, threads=2)
CONTENT = os.urandom(MIN_PART + 4711)


@pytest.fixture(params=["container", "role"])
def source(request: pytest.FixtureRequest) -> str:
    """Where the keys come from."""
    return str(request.param)


def client_of(store: ExpiringStore, source: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Its keys are the store's sessions: a container's, or those of a role over a lasting key."""
    arguments: dict[str, Any] = {"endpoint_url": store.url, "sts_endpoint_url": store.url}
    if source == "container":
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", store.credentials_url)
        return connect(**arguments)
    return connect(**arguments, aws_access_key_id=LASTING[0], aws_secret_access_key=LASTING[1], aws_role_arn="arn:r")


def check_fetches(store: ExpiringStore) -> None:
    """At most one per renewal: never two at once, and the next one not before half of the life is over.

    Keys that the store refused, since a busy machine was late, are renewed at once: those fetches are not counted.
    """
    assert store.fetching_at_once == 1
    early = [gap for one, next in itertools.pairwise(store.fetches) if (gap := next - one) < store.lifetime / 2 - 0.02]
    assert len(early) <= len(store.refused)


# --------------------------------------------------------------------------------------------------------- the long job


def work(client: Client, name: str, folder: Path) -> int:
    """Each way to move bytes, once: multipart up, ranges down, streams both ways, and small calls. Calls made."""
    path, copy = folder / "file", folder / f"{name}.copy"
    upload(client, str(path), "bucket", f"{name}/file", PARTS)
    download(client, "bucket", f"{name}/file", str(copy), PARTS)
    assert copy.read_bytes() == CONTENT
    with Writer(client, "bucket", f"{name}/stream", WriterOptions(part_size=MIN_PART, threads=2)) as writer:
        writer.write(CONTENT)
    with Reader(client, "bucket", f"{name}/stream", ReaderOptions(readahead=2, part_size=MIN_PART)) as reader:
        assert reader.readall() == CONTENT
    with Reader(client, "bucket", f"{name}/file") as reader:
        assert reader.readall() == CONTENT
    client.call(PutObject("bucket", f"{name}/small", BytesBody(name.encode())))
    assert client.call(HeadObject("bucket", f"{name}/small")).size == len(name)
    with closing(client.call(GetObject("bucket", f"{name}/small")).stream) as stream:
        assert stream.read() == name.encode()
    for each in ("file", "stream", "small"):
        client.call(DeleteObject("bucket", f"{name}/{each}"))
    return 11


def job(client: Client, folder: Path, seconds: float) -> int:
    """Sixteen threads at it until the time is over; how many calls they made. The first error of any is raised."""
    (folder / "file").write_bytes(CONTENT)
    end = time.monotonic() + seconds

    def thread(number: int) -> int:
        calls = 0
        while time.monotonic() < end:
            calls += work(client, str(number), folder)
        return calls

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(thread, range(THREADS)))


def run_job(source: str, code: str, seconds: float, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ExpiringStore:
    with expiring_store(LIFETIME, code=code, slow=0.05, cut=3 * MIN_PART // 4) as store:
        began = time.time()
        with client_of(store, source, monkeypatch) as client:
            calls = job(client, folder, seconds)
        lasted = time.time() - began
    assert calls >= 11 * THREADS
    assert len(store.sessions) == len(store.fetches) >= seconds / LIFETIME
    assert len(store.fetches) <= lasted / (LIFETIME / 2) + 1 + len(store.refused)
    check_fetches(store)
    assert store.objects == {}
    assert store.uploads == {}
    return store


@pytest.mark.parametrize(("source", "code"), [("container", "ExpiredToken"), ("role", "")])
def test_many_threads_outlive_their_keys(source, code, tmp_path, monkeypatch):
    """Keys of two seconds, sixteen threads, some seconds: no call fails, whatever the store says of ended keys."""
    run_job(source, code, 5.0, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(("source", "code"), [("container", "ExpiredToken"), ("role", "")])
def test_a_job_of_a_minute_with_keys_of_two_seconds(source, code, tmp_path, monkeypatch):
    """Multipart both ways on sixteen threads: no failed call, at most one fetch per renewal."""
    store = run_job(source, code, 60.0, tmp_path, monkeypatch)
    print(f"{len(store.served)} requests, {len(store.fetches)} fetches, {len(store.refused)} refused and sent again")


# ------------------------------------------------------------------------------------- single transfers over renewals


def test_single_transfers_over_several_renewals(tmp_path, monkeypatch):
    """Sessions of a second, and every part and every read of a quarter of the part takes a quarter of one: each of the
    long requests, uploads and streams is signed with the keys of several sessions."""
    big = os.urandom(6 * MIN_PART + 1)
    (tmp_path / "file").write_bytes(big)
    alone = TransferOptions(part_size=MIN_PART, threads=1)

    def write(client: Client) -> None:
        with Writer(client, "bucket", "written", WriterOptions(part_size=MIN_PART, threads=1)) as writer:
            writer.write(big)

    def read(client: Client, key: str, readahead: int) -> bytes:
        with Reader(client, "bucket", key, ReaderOptions(readahead=readahead, part_size=MIN_PART // 2)) as reader:
            return reader.readall()

    with expiring_store(1.0, slow=0.25, cut=MIN_PART // 4) as store:
        small = big[: 2 * MIN_PART]
        store.objects = dict.fromkeys(("/bucket/down", "/bucket/read", "/bucket/ahead"), small)
        with client_of(store, "container", monkeypatch) as client, ThreadPoolExecutor(5) as pool:
            up = pool.submit(upload, client, str(tmp_path / "file"), "bucket", "up", alone)
            down = pool.submit(download, client, "bucket", "down", str(tmp_path / "copy"), alone)
            written, plain = pool.submit(write, client), pool.submit(read, client, "read", 0)
            ahead = pool.submit(read, client, "ahead", 1)
            assert plain.result() == ahead.result() == small
            for transfer in (up, down, written):
                transfer.result()
    assert (tmp_path / "copy").read_bytes() == small
    assert store.objects["/bucket/up"] == store.objects["/bucket/written"] == big
    assert {path: len(keys) for path, keys in store.signed_by.items() if len(keys) < 3} == {}
    assert len(store.signed_by) == 5
    check_fetches(store)


# ---------------------------------------------------------------------------- keys that end before they were said to


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "TokenRefreshRequired"])
def test_refused_keys_are_renewed_once(source, code, tmp_path, monkeypatch):
    """The store ends the sessions early: one forced renewal, and the same call succeeds; also with many threads."""
    (tmp_path / "file").write_bytes(CONTENT)
    with expiring_store(3600.0, announced=3600.0, code=code) as store, client_of(store, source, monkeypatch) as client:
        client.call(PutObject("bucket", "key", BytesBody(b"1")))
        ended = client.credentials.get()
        assert ended is not None
        store.sessions[str(ended.session_token)] = store.sessions[str(ended.session_token)]._replace(end=0.0)
        start = threading.Barrier(THREADS)

        def call(number: int) -> None:
            start.wait(10)
            upload(client, str(tmp_path / "file"), "bucket", str(number), PARTS)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(call, range(THREADS)))
        assert len(store.objects) == THREADS + 1
        assert len(store.fetches) == 2
        assert 1 <= len(store.refused) <= THREADS


def test_head_of_an_ended_session():
    """A HEAD's refusal has no code: a bare 400, as AWS sends it, is put down to the keys unless they are new."""
    clock = Clock(time.time())
    with expiring_store(3600.0) as store:

        def fetch() -> Credentials:
            keys = store.issue()
            return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"], clock() + 3600)

        provider = Refreshing(fetch, "test", clock=clock)
        with Client(HttpTransport(), Endpoint(url=store.url), provider) as client:
            client.call(PutObject("bucket", "key", BytesBody(b"1")))
            for token, session in store.sessions.items():
                store.sessions[token] = session._replace(end=0.0)
            with pytest.raises(ServiceError) as raised:
                client.call(HeadObject("bucket", "key"))
            assert raised.value.status == 400
            clock.now += 61
            assert client.call(HeadObject("bucket", "key")).size == 1
        assert len(store.fetches) == 2


def test_keys_that_the_store_never_takes(source, monkeypatch):
    """One renewal, one more attempt, and then the store's error: not a loop."""
    with expiring_store(-1.0, announced=3600.0) as store, client_of(store, source, monkeypatch) as client:
        with pytest.raises(ServiceError, match="ExpiredToken") as raised:
            client.call(PutObject("bucket", "key", BytesBody(b"1")))
        assert (len(store.fetches), len(store.refused), raised.value.attempts) == (2, 2, 2)

"""One client in many threads, and on both sides of a fork."""

from __future__ import annotations

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from connected import client_of, count
from s3target import FileSystem, NotFound, PreconditionFailed
from s3target.client import Client
from s3target.filesystem import S3Path
from s3target.protocol.operations.objects import GetObject
from servers.store import Store
from stores import over

THREADS = 16


def read(client: Client, bucket: str, key: str) -> bytes:
    stream = client.call(GetObject(bucket, key)).stream
    try:
        return stream.read()
    finally:
        stream.close()


def live(files: FileSystem, bucket: str, name: str, rounds: int) -> int:
    """Put, read, list and delete under this name, which nobody else uses; the number of rounds."""
    for number in range(rounds):
        path = S3Path(bucket, f"{name}/{number}")
        content = f"{name} {number} ".encode() * (1 + 1000 * (number % 3))
        files.write(path, content)
        assert read(files.client, bucket, path.key) == content
        assert [entry.key for entry in files.list(S3Path(bucket, name))] == [path.key]
        files.remove(path)
        with pytest.raises(NotFound):
            read(files.client, bucket, path.key)
    return rounds


def test_threads_share_a_client(files: FileSystem, bucket: str) -> None:
    """Sixteen at once: each has the answers to its own questions."""
    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(lambda number: live(files, bucket, f"t{number}", 5), range(THREADS))) == 5 * THREADS
    assert list(files.list(S3Path(bucket, ""))) == []


@over("moto", "seaweedfs", "ceph")
def test_of_many_first_writers_one_wins(files: FileSystem, bucket: str) -> None:
    """IfNoneMatch="*" from several threads at once: one object, and its writer knows."""
    writers = 5  # to SeaweedFS each of them is a second, as it looks for its lock once in one
    start = threading.Barrier(writers)

    def write(number: int) -> int | None:
        start.wait()
        try:
            files.write(S3Path(bucket, "k"), str(number).encode(), {"IfNoneMatch": "*"})
        except PreconditionFailed:
            return None
        return number

    with ThreadPoolExecutor(writers) as pool:
        winners = [number for number in pool.map(write, range(writers)) if number is not None]
    assert len(winners) == 1
    assert read(files.client, bucket, "k") == str(winners[0]).encode()


@over("seaweedfs", "ceph", "juicefs")
def test_threads_assume_a_role_once(store: Store, bucket: str) -> None:
    """All of them wait for the first one's keys."""
    role = {"aws_role_arn": store.role_arn, "sts_endpoint_url": store.sts_endpoint_url}
    with client_of(store, **role) as client, ThreadPoolExecutor(THREADS) as pool:
        start = threading.Barrier(THREADS)

        def keys(_: int) -> object:
            start.wait()
            return client.credentials.get()

        assert len({id(found) for found in pool.map(keys, range(THREADS))}) == 1


def in_child(work: object) -> int:
    """The exit status of a forked child that did the work: 0 if it came through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, from 3.12 on
        child = os.fork()
    if child == 0:
        status = 1
        try:
            assert callable(work)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_client_is_good_on_both_sides_of_a_fork(files: FileSystem, bucket: str) -> None:
    """Used before, then in children and in the parent: no two of them speak on one connection."""
    assert live(files, bucket, "before", 2) == 2
    for number in range(3):
        assert in_child(lambda number=number: live(files, bucket, f"child{number}", 3)) == 0
        assert live(files, bucket, f"parent{number}", 2) == 2


def test_children_and_parent_work_at_once(files: FileSystem, bucket: str) -> None:
    """As Luigi's worker processes do."""
    files.write(S3Path(bucket, "shared"), b"x")
    with ThreadPoolExecutor(4) as pool:
        children = [
            pool.submit(in_child, lambda number=number: live(files, bucket, f"c{number}", 5)) for number in range(4)
        ]
        assert live(files, bucket, "parent", 5) == 5
        assert [child.result() for child in children] == [0, 0, 0, 0]
    assert [entry.key for entry in files.list(S3Path(bucket, ""))] == ["shared"]


@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_a_role_is_good_on_both_sides_of_a_fork(store: Store, bucket: str) -> None:
    """The child works with the keys that it was born with."""
    role = {"aws_role_arn": store.role_arn, "sts_endpoint_url": store.sts_endpoint_url}
    with client_of(store, **role) as client:
        files = FileSystem(client)
        files.write(S3Path(bucket, "k"), b"x")
        assert in_child(lambda: files.write(S3Path(bucket, "k"), b"child")) == 0
        assert read(client, bucket, "k") == b"child"


@pytest.mark.parametrize("store", ["seaweedfs", "seaweedfs-tls"], indirect=True)
def test_one_connection_serves_one_thread_after_another(files: FileSystem, bucket: str) -> None:
    """Ten requests in a row open no second connection: the store sees one peer all along."""
    counting = count(files.client)
    before = _sockets()
    for number in range(10):
        files.write(S3Path(bucket, f"k{number}"), b"x")
    assert len(_sockets() - before) <= 1
    assert len(counting.sent) == 10


def _sockets() -> set[str]:
    """What the open file descriptors of this process that are sockets lead to; none where there is no /proc."""
    found = set()
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found

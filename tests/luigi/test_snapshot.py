"""prefetch(): one listing answers, and hears of what this process does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import luigi
import pytest

import s3target
from connected import Counting, client_of
from s3target import ConfigError, S3Client, S3FlagTarget, S3Target
from s3target.filesystem import FileSystem, parse_path
from s3target.luigi.snapshot import Snapshot, prefetch
from s3target.transfer.workers import run_all
from servers.signed import make_bucket
from servers.store import Store

both_stores = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
Counted = tuple[S3Client, Counting]
Run = Callable[..., "subprocess.Popen[str]"]


@both_stores
def test_a_listing_answers_for_all(counted: Counted, base: str) -> None:
    """Objects, directories, markers and what is not there; flags too. What is not below a prefix is asked for."""
    client, counter = counted
    for key in ("d/a", "d/e/f", "d/flagged/_SUCCESS", "d/m_$folder$", "other"):
        client.put_string("", f"{base}/{key}")
    counter.sent.clear()
    with prefetch(f"{base}/d/", client=client):
        for key in ("d/a", "d/e", "d/e/", "d/e/f", "d/m", "d/m/", "d"):
            assert client.exists(f"{base}/{key}"), key
            assert S3Target(f"{base}/{key}", client=client).exists()
        for key in ("d/b", "d/a/", "d/e/f/", "d/ee"):
            assert not client.exists(f"{base}/{key}"), key
        assert S3FlagTarget(f"{base}/d/flagged/", client=client).exists()
        assert not S3FlagTarget(f"{base}/d/e/", client=client).exists()
        assert client.exists_many([f"{base}/d/a", f"{base}/d/c"]) == {f"{base}/d/a": True, f"{base}/d/c": False}
        assert client.exists("s3n" + f"{base}/d/a"[2:])
        assert counter.sent == ["GET list"]
        assert client.exists(f"{base}/other")
        assert len(counter.sent) == 2
    assert client.exists(f"{base}/d/a")
    assert len(counter.sent) == 3


def test_a_prefix_is_taken_literally(counted: Counted, base: str) -> None:
    """It may end within a name."""
    client, counter = counted
    client.put_string("", f"{base}/data/2026-01")
    counter.sent.clear()
    with prefetch(f"{base}/data/2026", f"{base}/data/2025", client=client):
        assert client.exists(f"{base}/data/2026-01")
        assert not client.exists(f"{base}/data/2025-01")
        assert len(counter.sent) == 2
        assert not client.exists(f"{base}/data/2024-01")
        assert len(counter.sent) == 4


def test_nothing_is_known_before_it_is_listed() -> None:
    """Other threads may ask while the listing is under way."""
    path = parse_path("s3://bucket/d/x")
    snapshot = Snapshot(S3Client().s3, (path,))
    snapshot.wrote(path)
    assert snapshot.answer(path) is None


def test_a_prefix_is_needed() -> None:
    """Without any there is nothing to know."""
    with pytest.raises(ConfigError, match="prefixes"), s3target.prefetch():
        pass


CHANGES: dict[str, Callable[[S3Client, str, Path], object]] = {
    "put": lambda client, base, file: client.put(file, f"{base}/d/new"),
    "put_string": lambda client, base, file: client.put_string("", f"{base}/d/new"),
    "put_multipart": lambda client, base, file: client.put_multipart(file, f"{base}/d/new"),
    "copy": lambda client, base, file: client.copy(f"{base}/d/old", f"{base}/d/new"),
    "copy a directory": lambda client, base, file: client.copy(f"{base}/d/dir", f"{base}/d/new"),
    "copy by a slash": lambda client, base, file: client.copy(f"{base}/d/dir/", f"{base}/d/new/"),
    "move": lambda client, base, file: client.move(f"{base}/d/old", f"{base}/d/new"),
    "move a directory": lambda client, base, file: client.move(f"{base}/d/dir", f"{base}/d/new"),
    "move by a slash": lambda client, base, file: client.move(f"{base}/d/dir/", f"{base}/d/new/"),
    "rename": lambda client, base, file: client.rename_dont_move(f"{base}/d/old", f"{base}/d/new"),
    "mkdir": lambda client, base, file: client.mkdir(f"{base}/d/new"),
    "target": lambda client, base, file: S3Target(f"{base}/d/new", client=client).open("w").close(),
    "stream": lambda client, base, file: (
        S3Target(f"{base}/d/new", client=client, upload="while_writing").open("w").close()
    ),
    "remove": lambda client, base, file: client.remove(f"{base}/d/old"),
    "remove a directory": lambda client, base, file: client.remove(f"{base}/d/dir"),
    "remove all": lambda client, base, file: client.remove(f"{base}/d/"),
    "remove and put": lambda client, base, file: (
        client.remove(f"{base}/d/dir") and client.put_string("", f"{base}/d/dir/x")
    ),
}
ASKED = ["d/new", "d/new/", "d/new/x", "d/old", "d/dir", "d/dir/", "d/dir/x", "d/dir/y/z", "d", "d/", "d/nope"]


@pytest.mark.parametrize("asked_before", [True, False])
@pytest.mark.parametrize("name", CHANGES)
def test_own_writes_are_read(counted: Counted, base: str, tmp_path: Path, name: str, asked_before: bool) -> None:
    """After each way to change something the snapshot says what the store says."""
    client, _ = counted
    file = tmp_path / "file"
    file.write_text("x")
    for key in ("d/old", "d/dir/x", "d/dir/y/z"):
        client.put_string("", f"{base}/{key}")
    with prefetch(f"{base}/d/", client=client):
        if asked_before:
            there = [client.exists(f"{base}/{key}") for key in ASKED]
            assert there == [key not in ASKED[:3] + ASKED[-1:] for key in ASKED]
        CHANGES[name](client, base, file)
        within = [client.exists(f"{base}/{key}") for key in ASKED]
    assert within == [client.exists(f"{base}/{key}") for key in ASKED]


def test_what_a_removal_does_not_touch_is_still_known(counted: Counted, base: str) -> None:
    """It costs no request."""
    client, counter = counted
    for key in ("d/old", "d/dir/x"):
        client.put_string("", f"{base}/{key}")
    with prefetch(f"{base}/d/", client=client):
        client.remove(f"{base}/d/old")
        counter.sent.clear()
        assert client.exists(f"{base}/d/dir/x")
        assert client.exists(f"{base}/d/dir/")
        assert counter.sent == []


@both_stores
def test_what_a_store_lists_under_another_name_is_asked_for(counted: Counted, base: str) -> None:
    """SeaweedFS finds d//x, but lists it as d/x."""
    client, _ = counted
    client.put_string("", f"{base}/d//x")
    with prefetch(f"{base}/d/", client=client):
        assert client.exists(f"{base}/d//x")


def test_another_bucket_is_asked(store: Store, counted: Counted, base: str) -> None:
    """Whatever is written there."""
    client, other = counted[0], f"s3://{make_bucket(store)}"
    with prefetch(f"{base}/d/", client=client):
        assert not client.exists(f"{other}/d/new")
        client.put_string("", f"{other}/d/new")
        assert client.exists(f"{other}/d/new")


def test_a_write_that_fails_is_asked_for(counted: Counted, base: str, tmp_path: Path) -> None:
    """Nobody knows what became of it."""
    client, counter = counted
    with prefetch(f"{base}/d/", client=client):
        with pytest.raises(FileNotFoundError):
            client.put(tmp_path / "nope", f"{base}/d/new")
        counter.sent.clear()
        assert not client.exists(f"{base}/d/new")
        assert len(counter.sent) == 2


def test_a_no_is_given_once(store: Store, counted: Counted, base: str) -> None:
    """A worker whose first task requires what others have made meanwhile must not fail for it."""
    client, _ = counted
    with client_of(store) as connection, prefetch(f"{base}/d/", client=client):
        other = S3Client()
        other.s3 = connection
        assert not client.exists(f"{base}/d/new")
        other.put_string("", f"{base}/d/new")
        assert client.exists(f"{base}/d/new")


def test_what_others_do_is_not_seen(store: Store, counted: Counted, base: str) -> None:
    """Another client of the same store is another; its snapshot is its own."""
    client, _ = counted
    with client_of(store) as connection:
        other = S3Client()
        other.s3 = connection
        with prefetch(f"{base}/d/", client=client):
            other.put_string("", f"{base}/d/new")
            assert other.exists(f"{base}/d/new")
            assert not client.exists(f"{base}/d/new")
            with prefetch(f"{base}/d/", client=client):
                assert client.exists(f"{base}/d/new")
        assert client.exists(f"{base}/d/new")


@pytest.mark.usefixtures("in_environment")
def test_targets_of_the_default_client_ask_it(base: str) -> None:
    """Each target has a client of its own; they share the connection, and so the snapshot."""
    S3Client().put_string("", f"{base}/d/a")
    with s3target.prefetch(f"{base}/d/"):
        before = S3Client().statistics.requests
        assert S3Target(f"{base}/d/a").exists()
        assert not S3Target(f"{base}/d/b").exists()
        S3Target(f"{base}/d/b").open("w").close()
        assert S3Target(f"{base}/d/b").exists()
        assert S3Client().statistics.requests == before + 1


class Writes(luigi.Task):
    """What it writes does not go through S3Client, as that of Spark does not."""

    base = luigi.Parameter()
    number = luigi.IntParameter()
    client: S3Client

    def requires(self) -> list[luigi.Task]:
        return [Writes(self.base, self.number - 1)] if self.number else []

    def output(self) -> S3Target:
        return S3Target(f"{self.base}/d/{self.number}", client=self.client)

    def run(self) -> None:
        FileSystem(self.client.s3).write(parse_path(self.output().path), b"")


def test_a_graph_is_checked_from_it_and_runs_without_it(counted: Counted, base: str) -> None:
    """Its "no" ends with the first task that starts: what tasks make behind our back is seen."""
    client, counter = counted
    Writes.client = client
    with prefetch(f"{base}/d/", client=client):
        task = Writes(base, 20)
        assert not any(dependency.complete() for dependency in [task, *task.deps()])
        assert counter.sent == ["GET list"]
        assert luigi.build([task], local_scheduler=True, workers=1)
        assert task.complete()
    assert all(client.exists(f"{base}/d/{number}") for number in range(21))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_use_it(counted: Counted, base: str) -> None:
    """And from then on the parent asks for what it has not: the child may have made it."""
    client, counter = counted
    client.put_string("", f"{base}/d/old")
    with (block := prefetch(f"{base}/d/", client=client)):
        child = os.fork()
        if not child:
            fresh = False
            try:
                counter.sent.clear()
                client.put_string("", f"{base}/d/new")
                fresh = client.exists(f"{base}/d/old") and client.exists(f"{base}/d/new") and len(counter.sent) == 3
                block.__exit__(None, None, None)  # which is no error
            except BaseException:
                fresh = False
            finally:
                os._exit(0 if fresh else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        counter.sent.clear()
        assert client.exists(f"{base}/d/new")
        assert len(counter.sent) == 1
        assert client.exists(f"{base}/d/old")
        assert len(counter.sent) == 1


SPAWNS = """
import multiprocessing, sys
import luigi
import s3target

BASE = sys.argv[1]

class Found(luigi.Task):
    def requires(self):
        return s3target.S3PathTask(f"{BASE}/d/made")

    def output(self):
        return s3target.S3Target(f"{BASE}/d/found")

    def run(self):
        self.output().open("w").close()

class Makes(luigi.Task):
    def output(self):
        return s3target.S3Target(f"{BASE}/d/end")

    def run(self):
        s3target.S3Target(f"{BASE}/d/made").open("w").close()
        yield Found()
        self.output().open("w").close()

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    with s3target.prefetch(f"{BASE}/d/"):
        luigi.build([Makes()], local_scheduler=True, workers=2, log_level="CRITICAL")
"""


def test_what_a_spawned_child_makes_is_seen(start: Run, client: S3Client, base: str) -> None:
    """A worker's task requires what it has made; the worker that planned the graph from the snapshot is its parent."""
    assert start(SPAWNS, base).wait(60) == 0
    assert list(client.list(f"{base}/d")) == ["end", "found", "made"]


def test_a_big_graph_costs_a_request_for_a_thousand(counted: Counted, base: str) -> None:
    """Two thousand outputs, half of them there."""
    client, counter = counted
    paths = [f"{base}/d/{number:04}.csv" for number in range(2000)]
    run_all([partial(client.put_string, "", path) for path in paths[::2]], threads=16)
    counter.sent.clear()
    with prefetch(f"{base}/d/", client=client):
        assert [path for path in paths if S3Target(path, client=client).exists()] == paths[::2]
    assert len(counter.sent) <= 2

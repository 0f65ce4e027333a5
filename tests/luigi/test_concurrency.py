"""One client for everybody: 64 threads, forked and spawned workers, copies by pickle; nothing gets mixed up."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from luigi.format import Nop

from s3target.luigi import S3Client, S3Target
from server.misbehaving import KEYS, Fault, MisbehavingStore

ROOT = Path(__file__).parents[2]
THREADS = 64
PATIENCE = 60.0


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[MisbehavingStore]:
    """In the environment, as the default chain finds it."""
    with MisbehavingStore() as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret)
        yield store


def work(client: S3Client, name: str, rounds: int) -> int:
    """Write, read, copy, list and remove under this name; how many rounds came out right."""
    right = 0
    for number in range(rounds):
        content = f"{name} {number} ".encode() * 500
        target = S3Target(f"s3://b/{name}/one", Nop, client, upload="while_writing" if number % 2 else "at_close")
        with target.open("w") as file:
            file.write(content)
        client.copy(target.path, f"s3://b/{name}/two")
        with S3Target(f"s3://b/{name}/two", Nop, client).open() as file:
            same = file.read() == content
        listed = sorted(client.listdir(f"s3://b/{name}/"))
        right += same and listed == [target.path, f"s3://b/{name}/two"] and client.remove(f"s3://b/{name}/")
    return right


def test_64_threads_share_one_client(store: MisbehavingStore) -> None:
    """Also while some answers get lost. Its pool ends as large as it may be, and closes."""
    client = S3Client(max_pool_connections=10)
    store.order(Fault("lost", sends=lambda head, whole: 0, ends="reset"), "PutObject", nth=20, times=30)
    begin = threading.Barrier(THREADS)

    def thread(number: int) -> int:
        begin.wait(PATIENCE)
        return work(client, f"t{number}", 3)

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(thread, range(THREADS))) == [3] * THREADS
    assert store.struck == 30
    assert (store.complaints, store.s3.objects, store.s3.uploads) == ([], {}, {})
    client.s3.close()
    assert store.wait_idle()


def test_pickled_clients_and_targets_are_as_good(store: MisbehavingStore) -> None:
    """Of a client that is at work in other threads at that very moment."""
    client, over = S3Client(), threading.Event()

    def busy(number: int) -> int:
        turns = 0
        while not over.is_set():
            turns += work(client, f"busy{number}", 1)
        return turns

    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(busy, number) for number in range(4)]
        copies = [pickle.loads(pickle.dumps(client)) for _ in range(20)]
        targets = [pickle.loads(pickle.dumps(S3Target(f"s3://b/p{n}", client=client))) for n in range(20)]
        done = list(threads.map(lambda pair: work(pair[1], f"c{pair[0]}", 1), enumerate(copies)))
        for target in targets:
            with target.open("w") as file:
                file.write("x")
        over.set()
        assert all(future.result() for future in running)
    assert done == [1] * 20
    assert (store.complaints, len(store.s3.objects)) == ([], 20)
    client.s3.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # 3.12 warns of forks beside threads
def test_forks_in_the_middle_of_everything(store: MisbehavingStore) -> None:
    """Whatever locks and connections other threads hold at that moment: the child works, and so do they."""
    client, over = S3Client(), threading.Event()
    assert work(client, "before", 1) == 1

    def busy(number: int) -> bool:
        while not over.is_set():
            if work(client, f"busy{number}", 1) != 1:
                return False
        return True

    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(busy, number) for number in range(8)]
        children = [fork(lambda number=number: work(client, f"child{number}", 2) == 2) for number in range(12)]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        over.set()
        assert all(future.result() for future in running)
    assert statuses == [0] * 12
    assert (store.complaints, store.s3.objects) == ([], {})
    client.s3.close()


def fork(act: Callable[[], bool]) -> int:
    child = os.fork()
    if child == 0:
        status = 2
        try:
            signal.alarm(30)
            status = 0 if act() else 1
        finally:
            os._exit(status)
    return child


TASKS = """
import luigi
from s3target import S3Client, S3Target

CLIENT = S3Client()


class Leaf(luigi.Task):
    number = luigi.IntParameter()

    def output(self):
        return S3Target(f"s3://b/leaf/{self.number}", client=CLIENT, overwrite=False)

    def run(self):
        with self.output().open("w") as file:
            file.write(f"{self.number}\\n" * 2000)


class Sum(luigi.Task):
    def requires(self):
        return [Leaf(number) for number in range(8)]

    def output(self):
        return S3Target("s3://b/sum", client=CLIENT)

    def run(self):
        total = sum(int(line) for source in self.input() for line in source.open())
        with self.output().open("w") as file:
            file.write(str(total))
"""
BUILD = """
import multiprocessing, sys
import luigi
import tasks

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    assert list(tasks.CLIENT.listdir("s3://b/")) == []
    tasks.CLIENT.put_string("x", "s3://b/used")
    done = luigi.build([tasks.Sum()], workers=4, local_scheduler=True, log_level="WARNING")
    assert tasks.CLIENT.get_as_string("s3://b/used") == "x"
    sys.exit(0 if done else 1)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_of_luigi(store: MisbehavingStore, tmp_path: Path, method: str) -> None:
    """They share a module's client, which was used before; each task is run once, by one of them."""
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "build.py").write_text(BUILD)
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, str(tmp_path / "build.py"), method]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert store.s3.objects["sum"].content == str(sum(range(8)) * 2000).encode()
    writes = [key for key, _ in store.s3.history if "s3target-" not in key]
    assert sorted(writes) == sorted(["sum", "used", *(f"leaf/{number}" for number in range(8))])
    assert store.complaints == []

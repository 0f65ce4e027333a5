"""The distributed shape: luigid as central scheduler, several worker processes, one store, and a worker that dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3target import S3Client

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("store", ["seaweedfs"], indirect=True),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9"),
]
ROOT = Path(__file__).parents[2]
LEAVES, FAN = 400, 4
WORKERS = 4
CONFIG = """
[core]
scheduler_host = 127.0.0.1
scheduler_port = {port}
autoload_range = false
[worker]
keep_alive = true
ping_interval = 0.5
wait_interval = 0.1
wait_jitter = 0.1
[scheduler]
worker_disconnect_delay = 3
retry_delay = 1
prune_on_get_work = true
state_path = {folder}/state.pickle
"""
PIPELINE = """
import os, sys, time
import luigi
from s3target import S3Target

BASE, LOG, HANG_AT = sys.argv[1], sys.argv[2], int(sys.argv[3])
LEAVES, FAN = int(sys.argv[4]), int(sys.argv[5])
ran = 0

class Leaf(luigi.Task):
    number = luigi.IntParameter()

    def output(self):
        way = "at_close" if self.number % 2 else "while_writing"
        return S3Target(f"{BASE}/leaf/{self.number:03}", upload=way)

    def run(self):
        global ran
        ran += 1
        with self.output().open("w") as file:
            for line in range(1000):
                file.write(f"{self.number} {line}\\n")
                if ran == HANG_AT and line == 500:
                    file.flush()
                    open(f"{LOG}.hangs", "w").write(str(self.number))
                    time.sleep(600)

class Sum(luigi.Task):
    number = luigi.IntParameter()

    def requires(self):
        return [Leaf(FAN * self.number + index) for index in range(FAN)]

    def output(self):
        return S3Target(f"{BASE}/sum/{self.number:03}")

    def run(self):
        lines = [line for source in self.input() for line in source.open()]
        with self.output().open("w") as file:
            file.write(f"{len(lines)} {sum(int(line.split()[0]) for line in lines)}")

class All(luigi.Task):
    def requires(self):
        return [Sum(number) for number in range(LEAVES // FAN)]

    def output(self):
        return S3Target(f"{BASE}/all")

    def run(self):
        counts = [source.open().read().split() for source in self.input()]
        with self.output().open("w") as file:
            file.write(" ".join(str(sum(int(count[column]) for count in counts)) for column in (0, 1)))

@luigi.Task.event_handler(luigi.Event.SUCCESS)
def note(task):
    with open(LOG, "a") as log:
        log.write(f"{task.task_id}\\n")

sys.exit(0 if luigi.build([All()], workers=1, log_level="WARNING") else 1)
"""


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.05)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn(in_environment: None, tmp_path: Path) -> Iterator[Spawn]:
    """Starts Python processes that share a luigi.cfg, and ends them."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        env["LUIGI_CONFIG_PATH"] = str(tmp_path / "luigi.cfg")
        with (tmp_path / f"output-{len(started)}").open("w") as output:
            process = subprocess.Popen([sys.executable, *arguments], env=env, stdout=output, stderr=output, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def scheduler(spawn: Spawn, tmp_path: Path) -> None:
    """A luigid that all processes of spawn() know."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "luigi.cfg").write_text(CONFIG.format(port=port, folder=tmp_path))
    spawn("-c", f"from luigi.cmdline import luigid; luigid(['--address', '127.0.0.1', '--port', '{port}'])")
    wait_until(lambda: listens(port), 30, "luigid listens")


@pytest.mark.usefixtures("scheduler")
def test_a_worker_dies_and_every_output_is_there_once_and_whole(
    spawn: Spawn, strict: tuple[str, ...], client: S3Client, base: str, tmp_path: Path
) -> None:
    """It is killed in the middle of writing. Another one makes that output; the rest are made once."""
    script = tmp_path / "pipeline.py"
    script.write_text(PIPELINE)
    logs = [tmp_path / f"log-{number}" for number in range(WORKERS)]
    workers = [
        spawn(*strict, str(script), base, str(log), "0" if number else "20", str(LEAVES), str(FAN))
        for number, log in enumerate(logs)
    ]
    hangs = tmp_path / "log-0.hangs"

    def hanging() -> str:
        assert workers[0].poll() is None, (tmp_path / "output-1").read_text()[-2000:]
        return hangs.read_text() if hangs.exists() else ""

    wait_until(hanging, 300, "the first worker is in the middle of writing")
    victim = int(hangs.read_text())
    os.kill(workers[0].pid, signal.SIGKILL)
    workers[0].wait()
    for worker in workers[1:]:
        assert worker.wait(300) == 0, [path.read_text()[-2000:] for path in tmp_path.glob("output-*")]
    for number in range(LEAVES):
        assert client.get_as_string(f"{base}/leaf/{number:03}") == "".join(f"{number} {n}\n" for n in range(1000))
    assert client.get_as_string(f"{base}/all") == f"{LEAVES * 1000} {1000 * LEAVES * (LEAVES - 1) // 2}"
    assert len(list(client.listdir(base))) == LEAVES + LEAVES // FAN + 1
    runs = Counter(line for log in logs for line in log.read_text().splitlines())
    assert set(runs.values()) == {1}
    assert len(runs) == LEAVES + LEAVES // FAN + 1
    assert any(f"Leaf_{victim}_" in line for log in logs[1:] for line in log.read_text().splitlines())
    assert all(log.read_text().count("\n") > 20 for log in logs[1:])

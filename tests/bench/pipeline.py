"""Tasks per minute of a Luigi pipeline on luigid, several worker processes and SeaweedFS: python -m bench.pipeline.

The same tasks with the targets of each library, and with local files: what the scheduler itself can do. Each run has a
luigid of its own that knows no tasks, and a new prefix. Timed is from the start of the workers to the end of the last:
interpreter, imports, the check of what is there, and the tasks.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from s3target import S3Client
from s3target.cli.seaweedfs import seaweedfs
from s3target.protocol.operations.buckets import CreateBucket

from .pipeline_tasks import LIBRARIES, LOCAL, tasks
from .report import machine
from .store import BUCKET, Store, command

_CONFIG = """
[core]
scheduler_host = 127.0.0.1
scheduler_port = {port}
[worker]
keep_alive = true
wait_interval = 0.1
wait_jitter = 0.1
"""
_LUIGID = "from luigi.cmdline import luigid; luigid(['--address', '127.0.0.1', '--port', '{port}'])"


class Figures(NamedTuple):
    """wall: seconds. cpu: seconds of all workers."""

    wall: float
    cpu: float


@contextlib.contextmanager
def luigid(folder: Path, env: dict[str, str]) -> Iterator[None]:
    """A new scheduler on a free port, which the luigi.cfg in folder names."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "luigi.cfg").write_text(_CONFIG.format(port=port))
    with (folder / "luigid.txt").open("wb") as output:
        argv = [sys.executable, "-c", _LUIGID.format(port=port)]
        process = subprocess.Popen(argv, env=env, cwd=folder, stdout=output, stderr=output)
    with process:
        try:
            _wait_for(port)
            yield
        finally:
            process.kill()


def _wait_for(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("luigid does not answer")


def measure(library: str, base: str, options: argparse.Namespace, folder: Path, env: dict[str, str]) -> Figures:
    """One pipeline from nothing to done."""
    argv, path = command("pipeline_tasks", library, base, str(options.tasks))
    with luigid(folder, env), (folder / "workers.txt").open("wb") as output:
        before, start = _cpu(), time.perf_counter()
        streams = {"stdout": output, "stderr": output}
        workers = [subprocess.Popen(argv, env={**env, **path}, cwd=folder, **streams) for _ in range(options.workers)]
        try:
            codes = [worker.wait(max(0.1, start + options.timeout - time.perf_counter())) for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        figures = Figures(time.perf_counter() - start, _cpu() - before)
    assert not any(codes), (folder / "workers.txt").read_text()[-2000:]
    return figures


def _cpu() -> float:
    """Of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rounds(options: argparse.Namespace, store: Store, folder: Path) -> dict[str, list[Figures]]:
    env = {**store.environment(folder), "LUIGI_CONFIG_PATH": str(folder / "luigi.cfg")}
    client = S3Client(store.access_key_id, store.secret_access_key, endpoint_url=store.endpoint_url)
    client.s3.call(CreateBucket(BUCKET))
    found: dict[str, list[Figures]] = {library: [] for library in options.libraries}
    for number in range(options.rounds):
        turn = number % len(found)
        for place, library in enumerate([*found, *found][turn : turn + len(found)]):
            base = f"{folder}/{number}-{place}" if library == LOCAL else f"s3://{BUCKET}/{number}-{place}"
            figures = measure(library, base, options, folder, env)
            if library != LOCAL:
                assert len(list(client.listdir(base))) == _count(options), "outputs are missing"
            found[library].append(figures)
            print(f"{number + 1} {library:18} {figures.wall:6.1f} s {figures.cpu:6.1f} s CPU", file=sys.stderr)
    return found


def _count(options: argparse.Namespace) -> int:
    sums = len(tasks("", options.tasks))
    return sums + sum(len(task.requires()) for task in tasks("", options.tasks))


def table(options: argparse.Namespace, found: dict[str, list[Figures]]) -> str:
    lines = ["| targets | tasks a minute | ms of CPU a task, in the workers |", "|---|---|---|"]
    for library, runs in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        count = _count(options)
        lines.append(f"| {library} | {60 * count / wall:,.0f} | {1000 * cpu / count:.1f} |")
    heading = f"{_count(options)} tasks, {options.workers} workers, medians of {options.rounds} rounds. {machine()}"
    return "\n".join([heading, "", *lines])


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.pipeline", description=__doc__)
    names = [*LIBRARIES, LOCAL]
    parser.add_argument("--libraries", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--tasks", type=int, default=500, help="tasks in all (500)")
    parser.add_argument("--workers", type=int, default=4, help="worker processes (4)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each has its turn (3)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one run (300)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="s3target-bench-") as name, seaweedfs() as server:
        store = Store(server.endpoint_url, server.access_key_id, server.secret_access_key, server.region)
        print(table(options, rounds(options, store, Path(name))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

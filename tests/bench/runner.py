"""The order of things: in every round each client gets its turn, in a process of its own; no two run at once.

The order of clients turns by one with each round, so that none always follows the same other. Every process has a
limit of time; one that was killed for it is not tried again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import clients
from .clients import Job
from .figures import Run
from .null_server import processors_awake
from .processes import Failed, cold_start, run
from .store import HIT, Store, command, directory, sized
from .workloads import BYTES, COLD, KEYS, LOOP, MIB, PREFIXES, Workload

COLD_STARTS = 5
"""Per round: one start is short, and its median steadier."""


@dataclass(frozen=True)
class Plan:
    """loop_seconds: how long a loop of small calls goes on. timeout: seconds for one process, then it is killed.

    awake: no processor sleeps during such a loop.
    """

    workloads: list[Workload]
    clients: list[str]
    rounds: int
    loop_seconds: float
    timeout: float
    awake: bool = False


class Bench:
    """One benchmark on one store. scratch: a folder for files, in memory if there is one."""

    def __init__(self, plan: Plan, store: Store, scratch: Path, report: Callable[[Run], None]) -> None:
        self.plan, self.store, self.scratch, self.report = plan, store, scratch, report
        self.environment = store.environment(scratch)
        self._killed: set[tuple[str, str]] = set()
        self._seeded: set[str] = set()

    def runs(self) -> Iterator[Run]:
        """All runs, workload by workload."""
        self._seed("size", HIT, 1024)
        for workload in self.plan.workloads:
            self._prepare(workload)
            with processors_awake() if self.plan.awake and workload.kind == LOOP else contextlib.nullcontext():
                yield from self._rounds(workload)
            (self.scratch / "source").unlink(missing_ok=True)

    def _rounds(self, workload: Workload) -> Iterator[Run]:
        able = [c for c in self.plan.clients if clients.implements(c, workload.called, self.store.checks)]
        for number in range(self.plan.rounds):
            turn = number % len(able) if able else 0
            for client in able[turn:] + able[:turn]:
                if (workload.name, client) not in self._killed:
                    yield from self._turn(workload, client, number)

    def _prepare(self, workload: Workload) -> None:
        """The file that is put, and on a real store the objects that are read or listed."""
        if workload.kind == BYTES and workload.name not in ("write",):
            self._seed("size", sized(workload.amount), workload.amount)
        if workload.name == "put":
            _make_file(self.scratch / "source", workload.amount)

    def _turn(self, workload: Workload, client: str, number: int) -> Iterator[Run]:
        starts = COLD_STARTS if workload.kind == COLD else 1
        for _ in range(starts):
            try:
                done = self._cold(client) if workload.kind == COLD else self._warm(workload, client, number)
            except Failed as error:
                if "killed" in str(error):
                    self._killed.add((workload.name, client))
                done = {"failure": str(error)}
            made = Run(workload.name, client, number, **done)
            self.report(made)
            yield made
            if made.failure:
                return

    def _cold(self, client: str) -> dict[str, object]:
        program = clients.client_class(client).COLD
        if client not in self._seeded:
            self._seeded.add(client)  # the first start of all writes .pyc files
            run([sys.executable, "-c", program], self.environment, self.scratch, self.plan.timeout)
        started, rss = cold_start(program, self.environment, self.scratch, self.plan.timeout)
        return {"amount": 1, "wall": started.wall, "cpu": started.cpu, "rss": rss}

    def _warm(self, workload: Workload, client: str, number: int) -> dict[str, object]:
        job = self._job(workload, f"{client}-{number}")
        if workload.kind == KEYS and workload.name != "exists_many":
            for key in _directories(workload, job):
                self._seed("list", key, workload.amount if key == job.key else workload.amount // PREFIXES)
        argv, path = command("worker", client, workload.name, json.dumps(job), str(self.plan.loop_seconds))
        try:
            text = run(argv, {**self.environment, **path}, self.scratch, self.plan.timeout).output
        finally:
            Path(job.destination).unlink(missing_ok=True)
        return json.loads(text.splitlines()[-1])

    def _job(self, workload: Workload, turn: str) -> Job:
        amount = workload.amount
        # What is removed has to be there anew for each; all others may share.
        name = turn if workload.name == "remove" else "shared"
        count = amount // PREFIXES if workload.name == "list_prefixes" else amount
        key = directory(count, name) if workload.kind == KEYS else sized(amount)
        files = str(self.scratch / "source"), str(self.scratch / "destination")
        return Job(amount, key, f"new/{workload.name}-{turn}", *files)

    def _seed(self, kind: str, key: str, amount: int) -> None:
        if not self.store.checks or key in self._seeded:
            return
        self._seeded.add(key)
        argv, path = command("seed", kind, key, str(amount))
        run(argv, {**self.environment, **path}, self.scratch, timeout=600)


def _directories(workload: Workload, job: Job) -> list[str]:
    if workload.name == "list_prefixes":
        return [f"{job.key}/{number:02}" for number in range(PREFIXES)]
    return [job.key]


def _make_file(path: Path, size: int) -> None:
    """Bytes that do not repeat soon: nobody could send less of them."""
    piece = os.urandom(MIB)
    with open(path, "wb") as file:
        for offset in range(0, size, MIB):
            file.write(piece[: size - offset])


def scratch_folder(size: int) -> tuple[Path, str]:
    """A new folder with room for three times `size` bytes, and what kind it is, for the report."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 3 * size:
        return Path(tempfile.mkdtemp(prefix="s3target-bench-", dir=memory)), "in memory (tmpfs)"
    return Path(tempfile.mkdtemp(prefix="s3target-bench-")), "on disk"

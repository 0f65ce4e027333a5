"""progress=task: how far a transfer is, on the scheduler's page."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import luigi
import pytest
from luigi.format import Nop
from luigi.scheduler import Scheduler

from s3target import ConfigError, S3Client, S3Target
from s3target.luigi.screens import TaskProgress, progress_of

MIB = 1 << 20


class Copies(luigi.Task):
    """Reads and writes, and shows it."""

    base = luigi.Parameter()
    way = luigi.Parameter()
    client: S3Client

    def output(self) -> S3Target:
        return S3Target(f"{self.base}/out", Nop, self.client, progress=self, upload=self.way, part_size=5 * MIB)

    def run(self) -> None:
        with self.output().open("w") as file:
            file.write(b"x" * (12 * MIB))


class Asked(Scheduler):
    """A scheduler that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.percentages: list[int] = []

    def set_task_status_message(self, task_id: str, status_message: str) -> None:
        self.messages.append(status_message)

    def set_task_progress_percentage(self, task_id: str, progress_percentage: int) -> None:
        self.percentages.append(progress_percentage)


@pytest.mark.parametrize("way", ["at_close", "while_writing"])
def test_a_running_task_shows_its_transfer(client: S3Client, base: str, way: str) -> None:
    """The scheduler is told of the path and of percents, once a second at most and at the end."""
    Copies.client = client
    scheduler = Asked()
    assert luigi.build([Copies(base, way)], worker_scheduler_factory=Factory(scheduler), local_scheduler=True)
    assert scheduler.messages[-1].startswith(f"{base}/out: ")
    assert "12.6" in scheduler.messages[-1]
    assert len(scheduler.messages) <= 12
    if way == "at_close":
        assert scheduler.messages[-1].endswith("12.6 of 12.6 MB (100 %)")
        assert scheduler.percentages[-1] == 100
        assert scheduler.percentages == sorted(scheduler.percentages)


class Factory:
    """What luigi.build() makes its scheduler and worker by."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def create_local_scheduler(self) -> Scheduler:
        return self._scheduler

    def create_remote_scheduler(self, url: str) -> Scheduler:
        return self._scheduler

    def create_worker(self, scheduler: Scheduler, worker_processes: int, assistant: bool = False) -> Any:
        return luigi.worker.Worker(scheduler=scheduler, worker_processes=worker_processes, assistant=assistant)


class Told:
    """A task that runs, as far as the screens know."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.percentages: list[int] = []
        self.set_status_message: Callable[[str], None] | None = self.messages.append
        self.set_progress_percentage: Callable[[int], None] | None = self.percentages.append


def test_the_scheduler_is_told_once_a_second() -> None:
    """And at the end, whatever the time."""
    now = [100.0]
    task = Told()
    progress = TaskProgress(task, "s3://b/k", lambda: now[0])
    for step in range(1001):
        now[0] = 100 + step / 300
        progress(step * 1000, 1_000_000)
    assert task.percentages == [0, 30, 60, 90, 100]
    assert task.messages[1] == "s3://b/k: 0.3 of 1.0 MB (30 %)"
    assert len(task.messages) == 5


def test_of_unknown_length_bytes_are_told() -> None:
    """There are no percents then; of nothing neither."""
    task = Told()
    TaskProgress(task, "s3://b/k")(2_500_000, None)
    TaskProgress(task, "s3://b/k")(0, 0)
    assert task.messages == ["s3://b/k: 2.5 MB", "s3://b/k: 0.0 MB"]
    assert task.percentages == []


def test_a_task_that_does_not_run_is_told_nothing(client: S3Client, base: str, tmp_path: Path) -> None:
    """Its functions are None; the transfer goes on. So it does if the scheduler cannot be reached."""
    task = Copies("b", "at_close")
    (tmp_path / "file").write_bytes(b"x")
    client.put(tmp_path / "file", f"{base}/key", progress=task)
    client.get(f"{base}/key", tmp_path / "again", progress=task)

    def unreachable(*_: object) -> None:
        raise OSError("no route to the scheduler")

    task.set_status_message = unreachable
    with S3Target(f"{base}/key", Nop, client, progress=task).open() as file:
        assert file.read() == b"x"


def test_put_and_get_tell_a_task(client: S3Client, base: str, tmp_path: Path) -> None:
    """By the path of the object."""
    task = Copies("b", "at_close")
    messages: list[str] = []
    task.set_status_message = messages.append
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    client.put(tmp_path / "file", f"{base}/key", progress=task)
    client.get(f"{base}/key", tmp_path / "again", progress=task)
    assert messages[0] == messages[-1] == f"{base}/key: 0.1 of 0.1 MB (100 %)"


@pytest.mark.parametrize("progress", ["yes", 1, True])
def test_what_cannot_be_told_is_refused(progress: object) -> None:
    """At once, where the target is made."""
    with pytest.raises(ConfigError, match=r"luigi\.Task"):
        S3Target("s3://b/k", progress=progress)
    assert progress_of(None, "s3://b/k") is None
    assert progress_of(print, "s3://b/k") is print


def test_a_target_with_its_task_is_pickled() -> None:
    """Luigi sends tasks to other processes."""
    target = pickle.loads(pickle.dumps(S3Target("s3://b/k", progress=Copies("b", "at_close"))))
    assert target.progress == Copies("b", "at_close")

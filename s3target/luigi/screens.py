"""What Luigi shows of transfers: on its screens with progress=task, and in its log after log_statistics()."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import WeakValueDictionary

from luigi import Event, Task

from ..client import Client
from ..errors import ConfigError
from ..statistics import Statistics
from ..transfer.plan import Progress

_log = logging.getLogger("s3target.luigi")
_tasks_log = logging.getLogger("luigi-interface.s3target")
"""Luigi's own lines on tasks go to its parent, so these are seen wherever they are."""
_INTERVAL = 1.0
"""Seconds between two reports: each is a request to the scheduler, which the transfer waits for."""
_clients: WeakValueDictionary[int, Client] = WeakValueDictionary()
"""By id."""
_before: dict[str, Statistics] = {}


class TaskProgress:
    """Tells the scheduler how far a task's transfer is, at most once a second and once more at its end.

    subject: the path that is shown. A task that does not run, or whose scheduler cannot be reached, is told nothing:
    the transfer goes on.
    """

    def __init__(self, task: Any, subject: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._task, self._subject, self._clock = task, subject, clock
        self._next = -1.0

    def __call__(self, done: int, total: int | None) -> None:
        now = self._clock()
        if now < self._next and done != total:
            return
        self._next = now + _INTERVAL
        # None as long as the task does not run; the worker puts functions there.
        tell, show = self._task.set_status_message, self._task.set_progress_percentage
        of_all = f" of {total / 1e6:.1f} MB ({100 * done // total} %)" if total else " MB"
        try:
            if tell is not None:
                tell(f"{self._subject}: {done / 1e6:.1f}{of_all}")
            if show is not None and total:
                show(100 * done // total)
        except Exception as error:
            _log.debug("the progress of %s is not shown: %s", self._subject, error)


def progress_of(progress: Any, subject: str) -> Progress | None:
    """What a transfer calls for `progress`: a function, a luigi.Task, or None. ConfigError if it is something else."""
    if isinstance(progress, Task):
        return TaskProgress(progress, subject)
    if progress is None or callable(progress):
        told: Progress | None = progress
        return told
    raise ConfigError(f"progress is a luigi.Task or a function of (bytes done, bytes in all), not {progress!r}")


def note_client(client: Client) -> None:
    """It counts among those whose traffic is told. What a test has put in its place need not count anything."""
    if isinstance(client, Client):
        _clients[id(client)] = client


@cache
def log_statistics() -> None:
    """From now on, each task that ends, well or not, is followed by a line in Luigi's own log such as

        Report(day=2026-11-23): 12 requests (0 retries), 1.5 MB out, 80.2 MB in, 1.42 s

    Seconds are those that requests took, in all threads together; what they were spent on besides does not count.
    Luigi's worker processes tell it too, as each runs one task at a time. To call it again changes nothing.
    """
    Task.event_handler(Event.START)(_begin)
    Task.event_handler(Event.SUCCESS)(_tell)
    Task.event_handler(Event.FAILURE)(_tell)


def _total() -> Statistics:
    clients = (reference() for reference in _clients.valuerefs())
    return sum((client.statistics for client in clients if client is not None), Statistics())


def _begin(task: Any) -> None:
    _before[task.task_id] = _total()


def _tell(task: Any, *_: object) -> None:
    before = _before.pop(task.task_id, None)
    if before is not None:
        _tasks_log.info("%s: %s", task, _total() - before)

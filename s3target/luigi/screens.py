"""Long transfers on Luigi's screens: progress=task."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from luigi.task import Task

from ..errors import ConfigError
from ..transfer.plan import Progress

_log = logging.getLogger("s3target.luigi")
_INTERVAL = 1.0
"""Seconds between two reports: each is a request to the scheduler, which the transfer waits for."""


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
        try:
            if tell is not None:
                tell(f"{self._subject}: {_told(done, total)}")
            if show is not None and total:
                show(100 * done // total)
        except Exception as error:
            _log.debug("the progress of %s is not shown: %s", self._subject, error)


def _told(done: int, total: int | None) -> str:
    if not total:
        return f"{done / 1e6:.1f} MB"
    return f"{done / 1e6:.1f} of {total / 1e6:.1f} MB ({100 * done // total} %)"


def progress_of(progress: Any, subject: str) -> Progress | None:
    """What a transfer calls for `progress`: a function, a luigi.Task, or None. ConfigError if it is something else."""
    if isinstance(progress, Task):
        return TaskProgress(progress, subject)
    if progress is None or callable(progress):
        told: Progress | None = progress
        return told
    raise ConfigError(f"progress is a luigi.Task or a function of (bytes done, bytes in all), not {progress!r}")

"""A bounded pool of threads for the jobs of one transfer.

Contract: at most `threads` jobs run at once and at most `waiting` more are held, so whoever makes jobs one by one holds
memory for no more than that. The first job that fails stops the pool: jobs that wait are dropped, running ones are
waited for, and the FIRST error is the one raised. Leaving by KeyboardInterrupt (or SystemExit) waits for running jobs
no longer than GRACE. Long jobs look at `stop` between pieces and return early when it is set. A pool made by a job of
another one stops with that. No thread outlives the pool, except one that is still in its job after an interrupt; as a
daemon it keeps no interpreter alive.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType

from ..errors import S3Error
from ..value import Any, Generic, TypeVar

AT_FIRST = 4
"""Threads that run_all() begins with: enough to keep a few cores busy, and more would be in each other's way there."""
WAITING = 16
"""Jobs that run_all() makes beyond those that run; its caller sleeps until half of them are gone."""
PATIENCE = 0.005
"""Seconds after which it has eight times as many, if all had work and the processors had not: it is a store far away
that they wait for."""
BUSY = 0.25
"""The share of the processors' time that this process uses where more threads are no help."""
GRACE = 0.3
"""Seconds that an interrupt waits for running jobs: Ctrl-C is to be over within one, requests to clean up included."""
_SLICE = 0.25
# On Windows a thread that waits for a lock does not see Ctrl-C, so the caller's waits are cut into slices.

_job_of = threading.local()
"""stop: of the pool whose job this thread runs."""

T = TypeVar("T")


class Stopped(S3Error):
    """What a job that was dropped, or ended early at the sight of `stop`, gives in place of a result."""


class Ticket(Generic[T]):
    """A job that was handed in."""

    __slots__ = ("_job", "_pool", "_result", "done")

    def __init__(self, pool: Workers, job: Callable[[], T]) -> None:
        self._pool = pool
        self._job: Callable[[], T] | None = job
        self._result: T | None = None
        self.done = False

    def run(self) -> None:
        job, self._job = self._job, None
        assert job is not None
        self._result = job()
        self.done = True

    def result(self) -> T:
        """What the job returned; waits for it. If the pool has failed, its first error; Stopped if it was stopped."""
        if not self.done:
            self._pool.wait_for(lambda: self.done)
        return self._result  # type: ignore[return-value]


class Workers:
    """The pool. Leaving the `with` block waits for all jobs, or, if by an exception, stops and drains.

    stop: an Event of the caller's, where jobs are made before the pool is; set once there is no use in going on.
    at_first: so many threads, and every PATIENCE that they only wait eight times as many, up to `threads`.
    Only the thread that made the pool calls its methods.
    """

    def __init__(
        self, threads: int, waiting: int = 0, stop: threading.Event | None = None, at_first: int | None = None
    ) -> None:
        self.stop = stop or threading.Event()
        self._outer: threading.Event = getattr(_job_of, "stop", self.stop)
        self._threads = threads
        self._used = min(threads, at_first or threads)
        self._looked_at = _clocks()
        self._waiting = waiting
        self._started: list[threading.Thread] = []
        self._queue: deque[Ticket[Any]] = deque()
        self._held = self._idle = self._alive = 0
        self._ending = False
        self._error: BaseException | None = None
        self._awaited: Callable[[], bool] | None = None
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._done = threading.Condition(lock)

    def submit(self, job: Callable[[], T]) -> Ticket[T]:
        """Have the job run; waits while the pool is full. Raises the first error of an earlier job."""
        if self._held >= self._used + self._waiting or self._error is not None:
            self._wait_and_grow(self._has_room)
        ticket = Ticket(self, job)
        with self._work:
            self._held += 1
            self._queue.append(ticket)
            self._work.notify()
        self._start_threads()
        return ticket

    def drain(self) -> None:
        """Wait until all jobs are done. Raises the first error."""
        self._wait_and_grow(lambda: not self._held)

    def close(self, grace: float | None = None) -> None:
        """Drop what waits and end the threads, once their jobs are done or `grace` seconds are over."""
        with self._work:
            self._ending = True
            self._drop()
            self._work.notify_all()
        end = None if grace is None else time.monotonic() + grace
        # Not by Thread.join(): one that is interrupted takes the thread for ended (Python 3.10 to 3.12).
        with self._done:
            while self._alive and (end is None or time.monotonic() < end):
                self._done.wait(_SLICE if end is None else min(_SLICE, max(0.0, end - time.monotonic())))
            over = not self._alive
        if over:
            for thread in self._started:
                thread.join()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if error is None:
                self.drain()
            self.close(None if error is None or _is_failure(error) else GRACE)
        except BaseException as caught:
            self.close(None if _is_failure(caught) else GRACE)
            raise

    def _wait_and_grow(self, condition: Callable[[], bool]) -> None:
        while not condition() and self._used < self._threads:
            self.wait_for(condition, PATIENCE)
            self._grow()
        self.wait_for(condition)

    def _grow(self) -> None:
        """More threads, if the processors were not busy with this process since the last look."""
        clocks = _clocks()
        passed, spent = (now - then for now, then in zip(clocks, self._looked_at, strict=True))
        if passed >= PATIENCE:
            self._looked_at = clocks
            if spent < BUSY * passed * (os.cpu_count() or 1):
                self._used = min(8 * self._used, self._threads)
                self._start_threads()

    def _has_room(self) -> bool:
        """Whether half of what may wait is gone: to be woken for each job that is done costs more than a small job."""
        return self._held < self._used + self._waiting - self._waiting // 2

    def wait_for(self, condition: Callable[[], bool], patience: float | None = None) -> bool:
        """Wait until it holds; False if no job is done for `patience` seconds meanwhile.

        Raises the first error of a job, or Stopped, in which case it may never hold.
        """
        with self._done:
            self._awaited = condition
            try:
                while self._error is None and not condition():
                    if self.stop.is_set() or self._outer.is_set():
                        raise Stopped("the transfer was stopped")
                    if not self._done.wait(patience or _SLICE) and patience is not None:
                        return False
            finally:
                self._awaited = None  # it may hold a ticket, and that a result
            if self._error is not None:
                raise self._error
        return True

    def _start_threads(self) -> None:
        for _ in range(min(self._used - len(self._started), len(self._queue) - self._idle)):
            self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"s3target-{len(self._started) + 1}", daemon=True)
        # Known before it runs: an interrupt inside start() must not leave it out of close().
        self._started.append(thread)
        with self._done:
            self._alive += 1
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads: those that run will do
            self._started.remove(thread)
            with self._done:
                self._alive -= 1
            if not self._started:
                raise

    def _run(self) -> None:
        _job_of.stop = self.stop
        while (ticket := self._next()) is not None:
            error = None
            try:
                ticket.run()
            except BaseException as caught:
                error = caught
            with self._done:
                self._held -= 1
                if error is not None:
                    self._error = self._error or error
                    self._drop()
                if error is not None or (self._awaited and self._awaited()):
                    self._done.notify()
        with self._done:
            self._alive -= 1
            self._done.notify()

    def _next(self) -> Ticket[Any] | None:
        with self._work:
            while not self._queue and not self._ending:
                self._idle += 1
                self._work.wait()
                self._idle -= 1
            return self._queue.popleft() if self._queue else None

    def _drop(self) -> None:
        self.stop.set()
        self._held -= len(self._queue)
        self._queue.clear()


def _is_failure(error: BaseException) -> bool:
    """Not an interrupt, of this pool or of the one around it."""
    return isinstance(error, Exception) and not isinstance(error, Stopped)


def _clocks() -> tuple[float, float]:
    """Seconds that have passed, and that this process has computed."""
    return time.monotonic(), time.process_time()


def end_threads(workers: Workers, process: int) -> None:
    """The end of a pool that no `with` block bounds. Nothing in another process than the one that made it."""
    if os.getpid() == process:  # a forked child has the locks, but not the threads
        workers.close(GRACE)


def run_all(
    jobs: Iterable[Callable[[], T]], threads: int, stop: threading.Event | None = None, at_first: int = AT_FIRST
) -> list[T]:
    """The results of all jobs in order, with at most `threads` of them running at once, and at_first to begin with.

    jobs: is asked for no more than WAITING beyond those that run. With one thread, the caller's own does the work.
    """
    if threads == 1:
        return [job() for job in jobs]
    with Workers(threads, WAITING, stop, at_first) as workers:
        tickets = [workers.submit(job) for job in jobs]
        workers.drain()
        return [ticket.result() for ticket in tickets]


class Meter:
    """Counts bytes for a progress callback. Thread-safe; calls come one at a time, so the count only grows."""

    def __init__(self, report: Callable[[int, int | None], None] | None, total: int | None = None) -> None:
        self._report = report
        self._lock = threading.Lock()
        self.total = total
        self.count = 0

    def add(self, count: int) -> None:
        if self._report is not None:
            with self._lock:
                self.count += count
                self._report(self.count, self.total)

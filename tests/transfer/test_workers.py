"""The pool: bounded, lazy, first error first, and nothing left running."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from s3target.transfer import workers
from s3target.transfer.workers import AT_FIRST, GRACE, WAITING, Meter, Stopped, Workers, run_all
from transfer.memory_store import ctrl_c


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("s3target")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert ours() == []


class Gauge:
    """How many are in its block at once, at most."""

    def __init__(self) -> None:
        self._lock, self._inside, self.most = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1


def returning(value: int) -> Callable[[], int]:
    return lambda: value


@pytest.mark.parametrize("threads", [1, 2, 5, 40])
def test_results_come_in_the_order_of_the_jobs(threads: int) -> None:
    """Whichever job ends first."""
    assert run_all([returning(number) for number in range(100)], threads) == list(range(100))


def test_the_caller_sleeps_while_there_is_enough_to_do() -> None:
    """Being woken for each job that is done would cost more than a small job."""
    looks = 0

    class Counting(Workers):
        def _has_room(self) -> bool:
            nonlocal looks
            if threading.current_thread() is threading.main_thread():
                looks += 1
            return super()._has_room()

    with Counting(1, waiting=16) as pool:
        for _ in range(160):
            pool.submit(lambda: time.sleep(0.001))
    assert 0 < looks < 80


def test_no_jobs_start_no_thread() -> None:
    """An empty list of jobs has an empty list of results."""
    assert run_all([], 4) == []


def test_as_many_run_at_once_as_allowed_and_no_more() -> None:
    """All threads meet at a barrier, so they did run together; a counter shows that no other ran beside them."""
    barrier, gauge = threading.Barrier(3), Gauge()

    def job() -> None:
        with gauge:
            barrier.wait(10)

    run_all([job] * 12, 3)
    assert gauge.most == 3


@pytest.mark.parametrize(("computed", "expected"), [(0.0, 40), (4.0, AT_FIRST)])
def test_more_threads_where_they_only_wait(monkeypatch: pytest.MonkeyPatch, computed: float, expected: int) -> None:
    """For a store that is far away; processors that are busy would not be less so. computed: seconds in each second."""
    monkeypatch.setattr(workers, "_clocks", lambda: (time.monotonic(), computed * time.monotonic() * cores))
    gauge, cores = Gauge(), os.cpu_count() or 1

    def job() -> None:
        with gauge:
            time.sleep(0.1)

    run_all([job] * 80, 40)
    assert gauge.most == expected


def test_a_thread_that_was_idle_is_not_counted_upon_twice() -> None:
    """It takes the first job, and another one is begun for the second."""
    barrier, begun = threading.Barrier(2), threading.Event()

    def job() -> None:
        begun.set()
        barrier.wait(10)

    with Workers(2) as pool:
        pool.submit(returning(1)).result()
        pool.submit(job)
        assert begun.wait(10)
        pool.submit(job)


def test_jobs_are_not_made_all_at_once() -> None:
    """Memory is bounded: no job exists beyond those that run, WAITING, and the one to be handed in next."""
    started, release = threading.Semaphore(0), threading.Event()
    made = []

    def job() -> None:
        started.release()
        assert release.wait(10)

    def jobs() -> Iterator[Callable[[], None]]:
        for number in range(100):
            made.append(number)
            yield job

    def look() -> None:
        for _ in range(3):
            assert started.acquire(timeout=10)
        time.sleep(0.05)
        seen.append(len(made))
        release.set()

    seen: list[int] = []
    watcher = threading.Thread(target=look)
    watcher.start()
    run_all(jobs(), 3)
    watcher.join()
    assert 3 < seen[0] <= 3 + WAITING + 1
    assert len(made) == 100


def test_the_first_error_is_raised_after_running_jobs_have_ended() -> None:
    """A later error of another job does not hide it, and nothing is handed in after it."""
    failed, drained = threading.Event(), []

    def first() -> None:
        failed.set()
        raise ValueError("first")

    def second() -> None:
        assert failed.wait(10)
        while not pool.stop.is_set():
            time.sleep(0)
        drained.append(True)
        raise KeyError("second")

    pool = Workers(2)
    with pytest.raises(ValueError, match="first"), pool:
        [pool.submit(job) for job in (second, first)]
    assert drained == [True]


def test_after_a_failure_no_more_jobs_are_asked_for() -> None:
    """Submission stops."""
    made = []

    def jobs() -> Iterator[Callable[[], None]]:
        for number in range(1000):
            made.append(number)
            yield fail if number == 5 else lambda: None

    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_all(jobs(), 2)
    assert len(made) < 6 + 2 + 2 * WAITING


def test_of_two_errors_the_first_is_raised() -> None:
    """The second may be due to it: whoever looks at `stop` gives up."""
    with pytest.raises(ValueError, match="first"), Workers(2) as pool:

        def first() -> None:
            raise ValueError("first")

        def second() -> None:
            assert pool.stop.wait(10)
            raise ValueError("second")

        pool.submit(second)
        pool.submit(first)
        until = time.monotonic() + 10
        while pool._held and time.monotonic() < until:
            time.sleep(0.01)


@pytest.mark.parametrize("startable", [1, 3])
def test_where_there_are_no_more_threads_those_that_run_will_do(
    monkeypatch: pytest.MonkeyPatch, startable: int
) -> None:
    """Slower, but all of it."""
    limit_threads(monkeypatch, startable)
    assert run_all([returning(number) for number in range(100)], 4) == list(range(100))


def test_without_any_thread_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal is raised."""
    limit_threads(monkeypatch, 0)
    with pytest.raises(RuntimeError, match="can't start"):
        run_all([returning(1)] * 2, 4)


def limit_threads(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """As a container does: no more than so many are started."""
    start, started = threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)


def test_an_error_of_whoever_makes_the_jobs_stops_the_pool() -> None:
    """It is raised as it is."""

    def jobs() -> Iterator[Callable[[], int]]:
        yield returning(1)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        run_all(jobs(), 2)


def test_results_of_done_jobs_are_there_while_others_run() -> None:
    """A reader takes them in order, as they come; what is waiting beyond the threads is bounded too."""
    release = threading.Event()
    with Workers(1, waiting=2) as pool:
        first = pool.submit(returning(1))
        slow = pool.submit(lambda: release.wait(10))
        third = pool.submit(returning(3))
        assert first.result() == 1
        assert not slow.done
        release.set()
        assert [slow.result(), third.result()] == [True, 3]


def test_a_result_that_is_there_survives_the_failure_of_another_job() -> None:
    """Bytes read before the break are good; the error comes with the ticket that has no result."""

    def fail() -> None:
        raise ValueError("later")

    pool = Workers(1)
    good, bad = pool.submit(returning(7)), pool.submit(fail)
    with pytest.raises(ValueError, match="later"):
        bad.result()
    assert good.result() == 7
    pool.close()


def test_a_closed_pool_gives_no_results() -> None:
    """Whoever waits for a dropped job is told, and does not wait for ever."""
    release = threading.Event()
    with Workers(1, waiting=1) as pool:
        pool.submit(lambda: release.wait(10))
        dropped = pool.submit(returning(2))
        release.set()
        pool.close()
        if not dropped.done:
            with pytest.raises(Stopped):
                dropped.result()
        assert pool.stop.is_set()


def test_ctrl_c_is_over_within_a_second() -> None:
    """A job that does not look at `stop` is left behind, as a daemon; the interrupt is raised."""
    release, began = threading.Event(), []

    def stuck() -> None:
        began.append(time.monotonic())
        ctrl_c()
        release.wait(20)

    try:
        with pytest.raises(KeyboardInterrupt):
            run_all([stuck, stuck], 2)
        assert time.monotonic() - began[0] < GRACE + 0.5
        assert all(thread.daemon for thread in threading.enumerate() if thread.name in ours())
    finally:
        release.set()
        for thread in threading.enumerate():
            if thread.name in ours():
                thread.join(10)


def test_a_pool_inside_a_job_stops_with_the_one_around_it() -> None:
    """Though its own job does not look at `stop`: what is around that is cleaned up before the second is over."""
    release, inside, cleaned = threading.Event(), threading.Event(), threading.Event()

    def stuck() -> None:
        inside.set()
        release.wait(20)

    def nested() -> None:
        try:
            run_all([stuck, stuck], 2)
        finally:
            cleaned.set()

    try:
        with pytest.raises(KeyboardInterrupt), Workers(2) as pool:
            pool.submit(nested)
            assert inside.wait(10)
            raise KeyboardInterrupt
        assert cleaned.wait(GRACE + 0.5)
    finally:
        release.set()
        for thread in threading.enumerate():
            if thread.name in ours():
                thread.join(10)


@pytest.mark.parametrize("error", [None, ValueError("first")])
def test_ctrl_c_while_the_block_is_left_is_obeyed(error: Exception | None) -> None:
    """With an error or without one: it is raised, and running jobs are not waited for."""
    leaving, release = threading.Event(), threading.Event()

    def stuck() -> None:
        leaving.wait(10)
        time.sleep(0.1)
        ctrl_c()
        release.wait(20)

    try:
        with pytest.raises(KeyboardInterrupt), Workers(1) as pool:
            pool.submit(stuck)
            leaving.set()
            if error is not None:
                raise error
        assert ours()
    finally:
        release.set()
        for thread in threading.enumerate():
            if thread.name in ours():
                thread.join(10)


def test_running_jobs_are_waited_for_where_the_block_is_left_by_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they take: what they use may be closed behind the block."""
    monkeypatch.setattr(workers, "GRACE", 0.0)
    begun, ended = threading.Event(), []

    def job() -> None:
        begun.set()
        time.sleep(0.1)
        ended.append(1)

    with pytest.raises(ValueError, match="first"), Workers(1) as pool:
        pool.submit(job)
        assert begun.wait(10)
        raise ValueError("first")
    assert ended == [1]


def test_results_are_waited_for_however_long_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is cut into slices, and none of them is the last before the result is there."""
    monkeypatch.setattr(workers, "_SLICE", 0.01)
    with Workers(1) as pool:
        assert pool.submit(lambda: time.sleep(0.1) or 7).result() == 7
    assert run_all([lambda: time.sleep(0.1) or 8] * 2, 2) == [8, 8]


def test_a_job_that_ends_within_the_grace_is_waited_for() -> None:
    """Then nothing of it is left, and close() does not wait any longer than that."""
    pool, begun = Workers(1), threading.Event()

    def job() -> None:
        begun.set()
        time.sleep(0.1)

    pool.submit(job)
    assert begun.wait(10)
    before = time.monotonic()
    pool.close(30)
    assert ours() == []
    assert time.monotonic() - before < 10


def test_after_a_failure_no_job_is_taken_any_more() -> None:
    """However much room there is; and whoever made the jobs beforehand sees it by the event that is theirs."""
    stop, ran = threading.Event(), []

    def fail() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"), Workers(2, waiting=100, stop=stop) as pool:
        pool.submit(fail)
        assert stop.wait(10)
        pool.submit(lambda: ran.append(1))
        time.sleep(0.1)  # not reached
    assert ran == []


def test_ctrl_c_while_a_failure_is_drained_is_obeyed() -> None:
    """Waiting for running jobs is no reason not to stop."""
    release, failed = threading.Event(), threading.Event()

    def stuck() -> None:
        failed.wait(10)
        ctrl_c()
        release.wait(20)

    def fail() -> None:
        failed.set()
        raise ValueError("first")

    try:
        with pytest.raises(KeyboardInterrupt):
            run_all([stuck, fail], 2)
    finally:
        release.set()
        for thread in threading.enumerate():
            if thread.name in ours():
                thread.join(10)


def test_a_pool_leaves_no_cycle_that_keeps_results_alive() -> None:
    """Buffers handed over as results are freed when their reader lets them go."""

    class Buffer:
        pass

    run_all([Buffer, Buffer], 2)
    gc.collect()
    assert not [found for found in gc.get_objects() if type(found) is Buffer]


def test_progress_is_told_by_one_thread_at_a_time_and_only_grows() -> None:
    """The callback needs no lock of its own."""
    told: list[tuple[int, int | None]] = []
    inside = threading.Lock()

    def report(done: int, total: int | None) -> None:
        assert inside.acquire(blocking=False)
        told.append((done, total))
        inside.release()

    meter = Meter(report, 100)
    run_all([lambda: meter.add(1)] * 100, 8)
    assert told == [(count, 100) for count in range(1, 101)]


def test_jobs_that_wait_get_more_threads_than_jobs_that_do_not() -> None:
    """A far store wants many at once; on a near one, where jobs end quickly, many would be in each other's way."""
    meeting = threading.Barrier(3 * AT_FIRST)
    run_all([lambda: meeting.wait(30)] * meeting.parties, meeting.parties)  # each waits until all of them run

    names: set[str] = set()

    def short() -> None:
        names.add(threading.current_thread().name)
        time.sleep(0.001)

    run_all([short] * 500, 100)
    assert AT_FIRST <= len(names) < 100

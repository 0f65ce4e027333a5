"""One workload by one client, in this process: `python -m bench.worker CLIENT WORKLOAD JOB LIMIT`, JOB as JSON.

Prints amount, wall and cpu (seconds) and peak RSS (bytes) of the steady part as one line of JSON. Libraries are loaded
and one small call is made before the clock starts, since the cold start is a workload of its own. LIMIT: seconds after
which a loop of small calls ends.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from .clients import Job, client_class
from .store import SMALL
from .workloads import LOOP, WORKLOADS, Workload


def main(name: str, workload_name: str, job_text: str, limit: str) -> None:
    workload, job = WORKLOADS[workload_name], Job(*json.loads(job_text))
    client = client_class(name)()
    if hasattr(client, "exists_hit"):
        assert client.exists_hit() is True
    work = getattr(client, workload.called)
    if workload.kind == LOOP:
        check(workload.called, work())  # and what is loaded at the first use of this call
        amount, wall, cpu = timed(lambda: _loop(work, workload, job.amount, float(limit)))
    else:
        amount, wall, cpu = timed(lambda: work(job))
        assert amount == job.amount, f"moved {amount}, not {job.amount}"
        _check_file(job)
    print(json.dumps({"amount": amount, "wall": wall, "cpu": cpu, "rss": peak_rss()}), flush=True)
    # Not what is measured: threads and connections that a library leaves to the interpreter's end.
    os._exit(0)


def check(called: str, result: Any) -> None:
    """AssertionError if a small call did not give what it has to."""
    if called == "get_small":
        assert len(result) == SMALL, f"{len(result)} bytes came"
    elif called != "put_small":
        assert result is (called == "exists_hit"), f"{called} says {result!r}"


def _check_file(job: Job) -> None:
    if os.path.exists(job.destination):
        size = os.stat(job.destination).st_size
        os.remove(job.destination)
        assert size == job.amount, f"{size} bytes are in the file, not {job.amount}"


def _loop(work: Callable[[], Any], workload: Workload, amount: int, limit: float) -> int:
    """How many calls all threads made: at most `amount`, and none is begun after `limit` seconds."""
    end = time.perf_counter() + limit
    if workload.threads == 1:
        return _calls(work, workload.called, amount, end)
    done: list[int] = []
    share = -(-amount // workload.threads)

    def calls() -> None:
        done.append(_calls(work, workload.called, share, end))

    threads = [threading.Thread(target=calls) for _ in range(workload.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == workload.threads, "a thread failed; what it said is above"
    return sum(done)


def _calls(work: Callable[[], Any], called: str, most: int, end: float) -> int:
    for count in range(most):
        if time.perf_counter() > end:
            return count
        check(called, work())
    return most


def timed(work: Callable[[], int]) -> tuple[int, float, float]:
    """What work() returned, and its seconds by the clock and of CPU, children included."""
    before = _cpu()
    start = time.perf_counter()
    result = work()
    wall = time.perf_counter() - start
    return result, wall, _cpu() - before


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_rss() -> int:
    """Bytes. Of this program alone: ru_maxrss would start at what the process that spawned it had."""
    with open("/proc/self/status") as status:
        high = next(line for line in status if line.startswith("VmHWM"))
    return int(high.split()[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])

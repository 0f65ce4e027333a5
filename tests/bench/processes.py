"""Measured processes, from outside: started fresh, awaited for so long and no longer, timed from spawn to exit."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

_RSS = "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"


class Failed(Exception):
    """Why a process gave no figures, in one line."""


class Outcome(NamedTuple):
    """output: of the process. wall, cpu: seconds, children that it waited for included."""

    output: str
    wall: float
    cpu: float


def run(argv: Sequence[str], env: Mapping[str, str], folder: Path, timeout: float) -> Outcome:
    """Run it to its end, in folder. Failed if it says so with its exit code, or is not done in `timeout` seconds."""
    with open(folder / "output.txt", "w+b") as output, open(folder / "errors.txt", "w+b") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            argv, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
        )
        late = threading.Event()
        watch = threading.Timer(timeout, lambda: (late.set(), _kill(process.pid)))
        watch.daemon = True
        watch.start()
        try:
            status, usage = os.wait4(process.pid, 0)[1:]
            wall = time.perf_counter() - start
        except BaseException:
            _kill(process.pid)
            process.wait(timeout=10)
            raise
        finally:
            watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if late.is_set():
            raise Failed(f"killed after {timeout:g} s")
        if process.returncode:
            raise Failed(_reason(errors, process.returncode))
        output.seek(0)
        return Outcome(output.read().decode(), wall, usage.ru_utime + usage.ru_stime)


def _kill(pid: int) -> None:
    """It and its children: it leads its own session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _reason(errors: IO[bytes], code: int) -> str:
    """The line that names the exception, which may have more lines after it; or the last one."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    named = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(: |$)", line)]
    return (named or lines or [f"exit code {code}"])[-1][:160]


def cold_start(program: str, env: Mapping[str, str], folder: Path, timeout: float) -> tuple[Outcome, int]:
    """The start and end of one interpreter with this program; and, of another run, its peak RSS in bytes."""
    started = run([sys.executable, "-c", program], env, folder, timeout)
    kilobytes = run([sys.executable, "-c", program + _RSS], env, folder, timeout).output.split()[-1]
    return started, int(kilobytes) * 1024

"""Processes of our own end when we do, however we do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from s3target.cli.seaweedfs import PortTaken, running, wait_until
from s3target.errors import ConnectFailed, TimedOut

ROOT = str(Path(__file__).parents[2])
PATIENCE = 20.0  # seconds for something that takes a fraction of one
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def lives(pid: int) -> bool:
    """Whether it runs; one that has ended and waits to be asked about does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # it ended just now, or there is no /proc here
        return not Path("/proc/self").exists()


def eventually(true: Callable[[], bool]) -> bool:
    """Whether it becomes true within PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_the_process_runs_as_long_as_the_block(tmp_path: Path) -> None:
    """Alive inside, gone and waited for after."""
    with running(SLEEPER, tmp_path, env={}) as process:
        assert lives(process.pid)
    assert process.returncode == -signal.SIGKILL


def test_children_of_the_process_end_with_it(tmp_path: Path) -> None:
    """The whole process group is ended."""
    with running(["/bin/sh", "-c", "sleep 600 & echo $!; wait"], tmp_path, env=dict(os.environ)) as process:
        output = tmp_path / "output.txt"
        wait_until(lambda: output.read_text().endswith("\n"), process, tmp_path, PATIENCE)
        grandchild = int(output.read_text())
        assert lives(grandchild)
    assert eventually(lambda: not lives(grandchild))


def test_an_exception_in_the_block_ends_the_process(tmp_path: Path) -> None:
    """Ctrl-C comes as an exception too."""
    with pytest.raises(KeyboardInterrupt), running(SLEEPER, tmp_path, env={}) as process:
        raise KeyboardInterrupt
    assert not lives(process.pid)


@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_the_guard_cleans_up_after_a_hard_death(tmp_path: Path, end: str) -> None:
    """We are gone without a chance to do anything: process, file and folder go as well."""
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.touch()
    script = f"""
import os, pathlib, signal
from s3target.cli.seaweedfs import running
folder, file = pathlib.Path({str(folder)!r}), pathlib.Path({str(file)!r})
with running({SLEEPER!r}, folder, env={{}}, leftovers=[folder, file]) as process:
    print(process.pid, flush=True)
    {end}
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert done.returncode != 0
    pid = int(done.stdout)
    assert eventually(lambda: not lives(pid) and not folder.exists() and not file.exists())


def test_a_process_that_ends_while_awaited_tells_its_last_lines(tmp_path: Path) -> None:
    """The error names the command, its exit code and what it said."""
    argv = [sys.executable, "-c", "print('cannot go on'); raise SystemExit(3)"]
    with running(argv, tmp_path, env={}) as process, pytest.raises(ConnectFailed) as caught:
        wait_until(lambda: False, process, tmp_path, PATIENCE)
    assert "ended by itself with code 3" in str(caught.value)
    assert "cannot go on" in str(caught.value)
    assert sys.executable in str(caught.value)
    assert not isinstance(caught.value, PortTaken)


def test_a_taken_port_is_told_apart(tmp_path: Path) -> None:
    """So that the caller can try another one."""
    argv = [sys.executable, "-c", "raise SystemExit('listen tcp 127.0.0.1:80: bind: address already in use')"]
    with running(argv, tmp_path, env={}) as process, pytest.raises(PortTaken):
        wait_until(lambda: False, process, tmp_path, PATIENCE)


def test_waiting_is_bounded(tmp_path: Path) -> None:
    """A process that never gets ready is given up."""
    with running(SLEEPER, tmp_path, env={}) as process, pytest.raises(TimedOut, match=r"0\.1 s\. It said nothing\."):
        wait_until(lambda: False, process, tmp_path, 0.1)
    assert not lives(process.pid)

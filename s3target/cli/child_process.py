"""A server process that does not outlive us.

`with running(argv, folder, env=...)` ends it with the block: after an exception, after Ctrl-C (it has a session of its
own, so the terminal's Ctrl-C reaches us alone), and after kill -9 or os._exit of this process too: a small guard
process holds the other end of a pipe from us, and cleans up when that end closes without a word.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import ConnectFailed, TimedOut

# "done" says that all went well. Four bytes and not the end of the pipe: forked children of ours hold it open as well.
_GUARD = """
import os, shutil, signal, sys
pid, *leftovers = sys.argv[1:]
if sys.stdin.buffer.read(4) != b"done":
    try:
        getattr(os, "killpg", os.kill)(int(pid), getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        pass
    for path in leftovers:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            os.unlink(path)
"""


class PortTaken(ConnectFailed):
    """Between our look and the server's bind somebody else took the port; another one will do."""


@contextlib.contextmanager
def running(
    argv: Sequence[str], folder: Path, *, env: dict[str, str], leftovers: Sequence[Path] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """argv as a process that leads its own group, in folder, its output in folder/output.txt; killed with the block.

    leftovers: files and folders to remove should this process be killed itself; otherwise they are the caller's.
    """
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, env=env, start_new_session=True
        )
    guard = [sys.executable, "-I", "-S", "-c", _GUARD, str(process.pid), *map(str, leftovers)]
    try:
        with subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True) as guarding:  # noqa: S603
            try:
                yield process
            finally:
                guarding.communicate(b"done", timeout=10)
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Its whole group."""
    if process.poll() is None:
        send = getattr(os, "killpg", os.kill)  # Windows has no groups of this kind
        with contextlib.suppress(ProcessLookupError):
            send(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait(timeout=10)


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path, timeout: float) -> None:
    """Wait until ready() says so.

    Raises ConnectFailed if the process ended (PortTaken if it says so), TimedOut after timeout seconds; the message has
    the last lines of its output.
    """
    deadline = time.monotonic() + timeout
    command = shlex.join(map(str, process.args)) if isinstance(process.args, list) else str(process.args)
    while not ready():
        if process.poll() is not None:
            said = _last_lines(folder)
            kind = PortTaken if "is not available" in said or "ddress already in use" in said else ConnectFailed
            raise kind(f"{command} ended by itself with code {process.returncode}. {said}")
        if time.monotonic() > deadline:
            raise TimedOut(f"{command} was not ready after {timeout:g} s. {_last_lines(folder)}")
        time.sleep(0.02)


def _last_lines(folder: Path, count: int = 20) -> str:
    text = (folder / "output.txt").read_text(encoding="utf-8", errors="replace").strip()
    return "It said:\n" + "\n".join(text.splitlines()[-count:]) if text else "It said nothing."

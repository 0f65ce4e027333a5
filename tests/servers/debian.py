"""Servers of several programs that come as Debian packages: a folder for them all, gone with the block that uses it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from s3target.cli.seaweedfs import running, wait_until
from servers.signed import make_bucket, request
from servers.store import Store

HOST = "127.0.0.1"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NotInstalled(Exception):
    """The text names the packages."""


class Cluster:
    """Processes that belong together, in the order they are started; they end in the opposite one."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._env = {"PATH": _PATH, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}

    def write(self, name: str, text: str) -> str:
        """A file in the folder; its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def make(self, *names: str) -> None:
        """Folders in the folder."""
        for name in names:
            (self.folder / name).mkdir(parents=True)

    def run(self, *argv: object) -> str:
        """A command that must succeed within a minute; what it printed."""
        words = [str(word) for word in argv]
        done = subprocess.run(words, cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def start(self, name: str, argv: Sequence[object]) -> None:
        """A process that goes on until the block ends."""
        own = self.folder / f"{name}.process"
        own.mkdir()
        words = [str(word) for word in argv]
        process = running(words, own, env=self._env, leftovers=[self.folder])
        self._last = self._stack.enter_context(process), own

    def wait(self, ready: Callable[[], bool], timeout: float = 60) -> None:
        """Until ready() says so. ConnectFailed or TimedOut, with the last words of what was started last."""
        wait_until(ready, *self._last, timeout)


@contextlib.contextmanager
def cluster(packages: Mapping[str, str]) -> Iterator[Cluster]:
    """packages: the Debian package by the program that is needed of it. NotInstalled if one is not there."""
    if any(shutil.which(program, path=_PATH) is None for program in packages):
        raise NotInstalled(f"apt-get install --no-install-recommends {' '.join(dict.fromkeys(packages.values()))}")
    with (
        tempfile.TemporaryDirectory(prefix="s3target-", ignore_cleanup_errors=True) as name,
        contextlib.ExitStack() as stack,
    ):
        yield Cluster(Path(name), stack)


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def listening(port: int) -> Callable[[], bool]:
    """Whether somebody is, asked anew each time."""

    def asked() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((HOST, port)) == 0

    return asked


def stores(store: Store) -> Callable[[], bool]:
    """Whether an object that is put can be read back."""

    def asked() -> bool:
        try:
            path = f"/{make_bucket(store)}/ready"
            return request(store, "PUT", path, body=b"x").status == 200 and request(store, "GET", path).body == b"x"
        except (AssertionError, OSError):
            return False

    return asked


def user_name() -> str:
    """Whom the programs are to run as, where they would rather change to a user of their own."""
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name

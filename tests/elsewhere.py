"""This machine as other systems would show it to the package: names that only POSIX has are hidden, a file that is open
cannot be removed or replaced (Windows), the case of file names does not count (macOS and Windows).

Nothing of the package is patched: what is hidden, its modules do not find when they import it.
"""

from __future__ import annotations

import builtins
import errno
import os
import select
import signal
import socket
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

_ABSENT_ON_WINDOWS: Mapping[types.ModuleType, str] = {
    os: """O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_TMPFILE WNOHANG chown confstr copy_file_range fchmod fchown
        fdatasync fork fstatvfs getegid geteuid getgid getloadavg getpgid getpgrp getsid getuid killpg lchown lockf
        memfd_create mkfifo mknod nice posix_fadvise posix_fallocate posix_spawn pread preadv pwrite pwritev readv
        register_at_fork sched_getaffinity sched_setaffinity sched_yield sendfile setsid splice statvfs sync sysconf
        uname wait3 wait4 waitid writev""",
    signal: """SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1 SIGUSR2 alarm pause pthread_kill pthread_sigmask
        setitimer siginterrupt sigwait""",
    socket: "AF_UNIX MSG_DONTWAIT MSG_NOSIGNAL MSG_WAITALL SO_RCVTIMEO SO_REUSEPORT SO_SNDTIMEO",
    select: "epoll kqueue poll",
}
_NO_MODULES = ("fcntl", "grp", "pwd", "resource", "syslog", "termios")


class _Partly(types.ModuleType):
    """A module without some of its names; named: with other values."""

    def __init__(self, module: types.ModuleType, hidden: str, **named: object) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(named, _module=module, _hidden=frozenset(hidden.split()))

    def __getattr__(self, name: str) -> Any:
        if name in self._hidden:
            raise AttributeError(f"there is no {self.__name__}.{name} on Windows")
        return getattr(self._module, name)


def hide_posix() -> None:
    """In a process of its own, before the package is imported: its modules find what Windows has."""
    found = {
        module.__name__: _Partly(module, hidden, **({"name": "nt"} if module is os else {}))
        for module, hidden in _ABSENT_ON_WINDOWS.items()
    }
    real = builtins.__import__

    def importing(name: str, *how: Any, **named: Any) -> Any:
        where, _, names, level = (*how, *(None, None, (), 0)[len(how) :])
        if where and not level and str(where.get("__name__")).partition(".")[0] == "s3target":
            if name in _NO_MODULES:
                raise ImportError(f"there is no {name} on Windows")
            if name.partition(".")[0] in found and (name in found or not names):
                return found[name.partition(".")[0]]
        return real(name, *how, **named)

    builtins.__import__ = importing


def keep_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is open in this process, in whatever thread, can neither be removed nor replaced, as on Windows."""

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*paths: Any, **named: Any) -> Any:
            for path in paths if not named else ():
                if _is_open(os.path.abspath(path)):
                    raise PermissionError(errno.EACCES, "the file is in use", path)
            return real(*paths, **named)

        return call

    for name in ("remove", "rename", "replace", "unlink"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))


def _is_open(path: str) -> bool:
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}") == path:
                return True
        except OSError:  # it is closed by now
            continue
    return False


def ignore_case(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Below the folder "A" and "a" are one name, which is kept in small letters."""
    home = str(folder)

    def spelled(path: Any) -> Any:
        full = os.path.abspath(path) if isinstance(path, (str, Path)) else ""
        return home + full[len(home) :].lower() if full.startswith(home) else path

    def folding(real: Callable[..., Any], count: int) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            return real(*map(spelled, arguments[:count]), *arguments[count:], **named)

        return call

    monkeypatch.setattr(builtins, "open", folding(open, 1))
    for name in ("lstat", "mkdir", "open", "rmdir", "scandir", "stat", "statvfs", "unlink", "utime"):
        monkeypatch.setattr(os, name, folding(getattr(os, name), 1))
    monkeypatch.setattr(os, "replace", folding(os.replace, 2))

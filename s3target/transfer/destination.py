"""The file that a download makes: written beside its final name by many threads, then renamed.

Contract: at the final name there is what was there before, or all of the new file, never a part of it. The temporary
file is made safely (O_EXCL), with the permissions that open() would give, and is gone when the `with` block is left;
on Windows, if a thread still writes to it, when that is done.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from ..errors import ConfigError

_NAME_SHOWN = 50
"""Characters of the final name in the temporary one, which must stay under 255 bytes."""


class Destination:
    """The file to be at `path`; a link is followed, as open() does.

    OSError on entering if it cannot be made there, before any byte is fetched. Threads write() inside `with used():`
    the descriptor is closed by whoever uses it last, as a number closed too early may be another file's by then.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path) if os.path.islink(path) else path
        self._left = False
        self._lock = threading.Lock()

    def __enter__(self) -> Destination:
        self._check()
        folder, name = os.path.split(self.path)
        self._temporary = os.path.join(folder, f".{name[:_NAME_SHOWN]}.{os.urandom(6).hex()}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._users = 1
        self._descriptor = os.open(self._temporary, flags, 0o666)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._left = True
        try:
            if self._users:
                self._release()
        finally:
            self._remove()

    def _remove(self) -> None:
        with suppress(OSError):  # it is not there any more after commit(); Windows removes no open file
            os.unlink(self._temporary)

    def _check(self) -> None:
        folder = os.path.dirname(self.path) or os.curdir
        if not os.path.isdir(folder):
            raise FileNotFoundError(errno.ENOENT, "No such directory", folder)
        try:
            mode = os.stat(self.path).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.path)
        if not stat.S_ISREG(mode):
            raise ConfigError(
                f"{self.path} is no regular file and would be replaced by one; read the object as a stream"
            )

    def allocate(self, size: int) -> None:
        """Give the file its size, where that costs nothing. OSError (ENOSPC) at once if there is not that much free.

        Not posix_fallocate(): where the file system lacks it, libc writes into each block in turn instead; on Windows
        so does ftruncate().
        """
        if _free(self._temporary) < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        if hasattr(os, "statvfs"):
            os.ftruncate(self._descriptor, size)

    @contextmanager
    def used(self) -> Iterator[None]:
        with self._lock:
            if not self._users:
                raise ValueError("the file is closed")
            self._users += 1
        try:
            yield
        finally:
            self._release()
            if self._left:
                self._remove()

    def _release(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                os.close(self._descriptor)

    def write(self, view: memoryview, position: int) -> None:
        """All of view at this position."""
        while view:
            written = self._write(view, position)
            view = view[written:]
            position += written

    if hasattr(os, "pwrite"):

        def _write(self, view: memoryview, position: int) -> int:
            return os.pwrite(self._descriptor, view, position)

    else:

        def _write(self, view: memoryview, position: int) -> int:
            with self._lock:
                os.lseek(self._descriptor, position, os.SEEK_SET)
                return os.write(self._descriptor, view)

    def commit(self) -> None:
        """Close the file and rename it."""
        self._release()
        os.replace(self._temporary, self.path)


def _free(path: str) -> float:
    """Bytes that the file system of the file at `path` has left."""
    if not hasattr(os, "statvfs"):
        from shutil import disk_usage

        return disk_usage(path).free
    free = os.statvfs(path)
    return free.f_bfree * free.f_frsize if free.f_blocks else float("inf")

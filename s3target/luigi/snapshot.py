"""prefetch(): what is below some prefixes, listed once, answers for a whole graph's dependency check.

A snapshot says what is there, and what is not, by what it has listed and by what this process has done since through
S3Client and S3Target. It cannot see what others do. So its "no" is given once for each path, and only until a task
or a child process starts; from then on the store is asked again. Its "yes" holds until this process removes or
replaces the thing. A child has no snapshot: whatever its parent could not see may have been made since.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache, partial
from multiprocessing import current_process
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from luigi import Event, Task

from ..client import Client
from ..errors import ConfigError
from ..filesystem import FOLDER_MARKER, FileSystem, S3Path, parse_path
from ..globs import Known, is_listed_as_written
from ..transfer.workers import run_all

if TYPE_CHECKING:
    from .client import S3Client

_THREADS = 8
_active: list[Snapshot] = []
"""The youngest last. What is done to it is atomic, so there is no lock that a fork could catch."""


class Snapshot:
    """What one client's store holds below some prefixes. Thread-safe."""

    def __init__(self, client: Client, prefixes: tuple[S3Path, ...]) -> None:
        self.client = client
        self._prefixes = prefixes
        self._known = {prefix.bucket: Known() for prefix in prefixes}
        self._removed: set[S3Path] = set()
        self._denied: set[S3Path] = set()
        self._shaken: set[S3Path] = set()
        self._loaded = False
        self._complete = True

    def load(self) -> None:
        run_all([partial(self._list, prefix) for prefix in set(self._prefixes)], threads=_THREADS)
        self._loaded = True

    def _list(self, prefix: S3Path) -> None:
        known = self._known[prefix.bucket]
        for page in FileSystem(self.client).pages(*prefix):
            for key in page.objects.keys:
                known.add(key)

    def doubt(self) -> None:
        """From now on others may write: what is not in here may be there."""
        self._complete = False

    def answer(self, path: S3Path) -> bool | None:
        """Whether there is an object or a directory; None if the store must be asked."""
        if not self._loaded or path.bucket not in self._known:
            return None
        if self._shaken and (_bare(path) in self._shaken or not self._removed.isdisjoint(_upwards(path))):
            return None
        if path.key in self._known[path.bucket]:
            return True
        if not self._complete or path in self._denied or not self._covers(path):
            return None
        # Once: before a worker's first task Luigi asks again for what that requires, and others may have made it.
        self._denied.add(path)
        return False

    def _covers(self, path: S3Path) -> bool:
        below = any(path.bucket == bucket and path.key.startswith(prefix) for bucket, prefix in self._prefixes)
        return below and is_listed_as_written(path.key)

    def wrote(self, path: S3Path) -> None:
        """There is an object now, by this process's doing."""
        if path.bucket in self._known:
            self._known[path.bucket].add(path.key)

    def forget(self, path: S3Path) -> None:
        """What is at path, below it, and which directories are above it, is to be asked of the store."""
        bare = _bare(path)
        self._shaken.update(_upwards(S3Path(path.bucket, bare.key.removesuffix(FOLDER_MARKER))))
        self._removed.add(bare)


def _bare(path: S3Path) -> S3Path:
    return S3Path(path.bucket, path.key.removesuffix("/"))


def _upwards(path: S3Path) -> Iterator[S3Path]:
    """path and the directories it is in."""
    name = path.key
    while name:
        yield S3Path(path.bucket, name)
        name = name.rpartition("/")[0]


def _of(client: Client) -> Iterator[Snapshot]:
    return (snapshot for snapshot in _active[::-1] if snapshot.client is client)


def known(client: Client, path: S3Path) -> bool | None:
    """What the youngest snapshot that can tell says of path; None if the store must be asked."""
    if not _active:
        return None
    return next((answer for snapshot in _of(client) if (answer := snapshot.answer(path)) is not None), None)


class changing:  # not contextlib's, which cost as much as a signature: this is around every write
    """Around what removes at path and below it, or makes things below it. writes: makes an object at path."""

    __slots__ = ("_client", "_path", "_writes")

    def __init__(self, client: Client, path: S3Path, writes: bool = False) -> None:
        self._client, self._path, self._writes = client, path, writes

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for snapshot in _of(self._client):
            if self._writes and kind is None:
                snapshot.wrote(self._path)
            else:  # what could not be written may be there all the same
                snapshot.forget(self._path)


writing = partial(changing, writes=True)


def _doubt(*_: Any) -> None:
    for snapshot in _active.copy():
        snapshot.doubt()


def _spawning(key: Any) -> Any:
    _doubt()
    return key.__reduce__()


@cache
def _watch() -> None:
    """Once in a process: hear of tasks that start, and of children."""
    Task.event_handler(Event.START)(_doubt)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_doubt, after_in_child=_active.clear)
    # Children that are spawned, not forked, are told by this: each is sent its parent's key.
    ForkingPickler.register(type(current_process().authkey), _spawning)


@contextlib.contextmanager
def prefetch(*prefixes: Any, client: S3Client | None = None) -> Iterator[Snapshot]:
    """While the block runs, `exists` of what lies below the prefixes is answered by one listing of each.

        with s3target.prefetch("s3://bucket/warehouse/", "s3://bucket/raw/2026"):
            luigi.build(tasks, workers=8)

    prefixes: beginnings of paths, taken literally. client: whose store it is, the default configuration's if None;
    every target and client of the same configuration asks the snapshot. It costs a request and about 0.15 MB of memory
    for each 1,000 keys. For what it can know, see the top of this file. ConfigError without a prefix.
    """
    from .client import S3Client

    if not prefixes:
        raise ConfigError("prefetch() takes the prefixes to list, such as 's3://bucket/warehouse/'")
    snapshot = Snapshot((client or S3Client()).s3, tuple(parse_path(prefix) for prefix in prefixes))
    _watch()
    _active.append(snapshot)  # before it is loaded: it hears of what is written meanwhile
    try:
        snapshot.load()
        yield snapshot
    finally:
        with contextlib.suppress(ValueError):  # in a forked child it is gone
            _active.remove(snapshot)

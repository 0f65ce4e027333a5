"""The engine behind cp, mv and sync: jobs, one object each, several at once, each told when it is done.

A job that fails is told and the others go on; the exit status says whether all, some or none went well. Ctrl-C stops
all: what was begun is aborted, as far as that takes no longer than a moment.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple

from ..client import Client
from ..errors import ConfigError, PreconditionFailed, S3Error
from ..filesystem import FileSystem, S3Path
from ..protocol.operations.objects import ObjectInfo
from ..transfer.download import download
from ..transfer.plan import MIB, Progress, TransferOptions
from ..transfer.reader import Reader, ReaderOptions
from ..transfer.upload import upload
from ..transfer.workers import Stopped, run_all
from ..transfer.writer import Writer, WriterOptions
from ..value import dataclass, field, replace
from .output import Bar, Output
from .places import LocalPath, Place, Stdio

_LOOKAHEAD = 10_000
"""Jobs that are made before the first one runs: of so many the sum of bytes is known, and so the time left."""
_LAST_WAIT = 0.6
"""Seconds that an interrupt leaves to transfers, besides workers.GRACE, to abort what they have begun."""
_READAHEAD = 4
"""Ranges that are fetched at once on the way to stdout, of 8 MiB each."""


class Job(NamedTuple):
    """size: of the source in bytes, 0 if not known. entry: of the source, if a listing has told it."""

    source: Place
    destination: Place
    size: int = 0
    entry: ObjectInfo | None = None


class Refused(NamedTuple):
    """What is not to be transferred, and why."""

    source: Place
    error: S3Error | OSError


Item = Job | Refused


@dataclass(frozen=True)
class Manner:
    """How to transfer. verb: for what is told. jobs: objects at once. extra_args: of uploads and copies, boto3's names.

    move: the source goes once its copy is there. keep: a destination that is there already stays.
    """

    verb: str = "cp"
    move: bool = False
    keep: bool = False
    dry_run: bool = False
    jobs: int = 8
    extra_args: Mapping[str, Any] = field(default_factory=dict)


class Transfers:
    """Runs jobs; what comes of them output tells and counts."""

    def __init__(self, client: Client, output: Output, manner: Manner) -> None:
        self._client, self._output, self._manner = client, output, manner
        self._stop = threading.Event()

    def run(self, items: Iterable[Item]) -> None:
        """All of them. S3Error or OSError if the source cannot be listed; what fails of the jobs is told."""
        remaining = iter(items)
        ahead = list(islice(remaining, _LOOKAHEAD))
        known = len(ahead) < _LOOKAHEAD
        total = sum(item.size for item in ahead if isinstance(item, Job)) if known else None
        alone = len(ahead) == 1
        with self._output.progress(total) as bar:
            jobs = (partial(self._attempt, item, bar, alone) for item in chain(ahead, remaining))
            try:
                run_all(jobs, 1 if alone else self._manner.jobs, self._stop)
            except KeyboardInterrupt:
                self._stop.set()
                _wait_for_workers(_LAST_WAIT)
                raise

    def _attempt(self, item: Item, bar: Bar | None, alone: bool) -> None:
        """One job, and what came of it."""
        with self._output.attempt(f"{self._manner.verb} {item.source}", unless=self._stop):
            if isinstance(item, Refused):
                raise item.error
            status = self._perform(item, bar, alone)
            if isinstance(item.destination, Stdio):
                return  # stdout is the object's
            source, destination = str(item.source), str(item.destination)
            text = f"{self._manner.verb} {source} {destination}"
            self._output.did(text, status, source=source, destination=destination, size=item.size)

    def _perform(self, job: Job, bar: Bar | None, alone: bool) -> str:
        """ok, skipped or planned."""
        manner = self._manner
        if manner.keep and self._is_there(job.destination):
            return "skipped"
        if manner.dry_run:
            return "planned"
        progress = self._guarded(bar.counter() if bar else None)
        options = TransferOptions(threads=None if alone else 4, progress=progress, extra_args=manner.extra_args)
        try:
            _transfer(self._client, job, options, manner.keep)
        except PreconditionFailed:
            if not manner.keep:
                raise
            return "skipped"
        if manner.move and isinstance(job.source, S3Path):
            FileSystem(self._client).remove(job.source)
        elif manner.move:
            os.unlink(str(job.source))
        return "ok"

    def _guarded(self, report: Progress | None) -> Progress:
        """report, which ends the transfer that calls it once all are to stop."""

        def guarded(done: int, total: int | None) -> None:
            if self._stop.is_set():
                raise Stopped("the transfer was stopped")
            if report:
                report(done, total)

        return guarded

    def _is_there(self, destination: Place) -> bool:
        if isinstance(destination, S3Path):
            return FileSystem(self._client).info(destination) is not None
        return isinstance(destination, LocalPath) and os.path.lexists(destination.path)


def _wait_for_workers(seconds: float) -> None:
    end = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.daemon and thread.name.startswith("s3target-"):
            thread.join(max(0.0, end - time.monotonic()))


# --------------------------------------------------------------------------------------------------------- one object


def _transfer(client: Client, job: Job, options: TransferOptions, keep: bool) -> None:
    """Copy one object. keep: the store is not to replace one. S3Error or OSError if it fails; nothing is left then."""
    source, destination = job.source, job.destination
    if isinstance(source, S3Path) and isinstance(destination, S3Path):
        FileSystem(client).copy(source, destination, options, job.entry)
    elif isinstance(source, S3Path) and isinstance(destination, LocalPath):
        _fetch(client, source, destination.path, options)
    elif isinstance(source, S3Path):
        copy_out(client, source, sys.stdout.buffer, options.progress)
    elif isinstance(destination, S3Path):
        _store(client, source, destination, _writing(options, destination, keep))
    else:
        raise ConfigError(f"neither {source} nor {destination} is an s3:// path; use cp of the system")


def _fetch(client: Client, source: S3Path, path: str, options: TransferOptions) -> None:
    if folder := os.path.dirname(path):
        os.makedirs(folder, exist_ok=True)
    info = download(client, source.bucket, source.key, path, replace(options, extra_args={}))
    if info.modified:
        # As aws s3 does: so that sync sees which of the two is the newer one.
        changed = info.last_modified.timestamp()
        os.utime(path, (changed, changed))


def copy_out(
    client: Client, path: S3Path, out: BinaryIO, progress: Progress | None = None, version_id: str | None = None
) -> None:
    """The object's bytes to a stream, by bounded memory. What came before an S3Error has been written then."""
    options = ReaderOptions(version_id=version_id, readahead=_READAHEAD, progress=progress)
    buffer = memoryview(bytearray(MIB))
    with Reader(client, path.bucket, path.key, options) as reader:
        while count := reader.readinto(buffer):
            out.write(buffer[:count])
    out.flush()


def _writing(options: TransferOptions, destination: S3Path, keep: bool) -> TransferOptions:
    from mimetypes import guess_type

    kind, encoding = guess_type(destination.key)
    if encoding:  # a .csv.gz is no CSV
        kind = "application/gzip" if encoding == "gzip" else "application/octet-stream"
    guessed = {"ContentType": kind} if kind else {}
    condition = {"IfNoneMatch": "*"} if keep else {}
    return replace(options, extra_args={**guessed, **condition, **options.extra_args})


def _store(client: Client, source: Place, destination: S3Path, options: TransferOptions) -> None:
    if isinstance(source, LocalPath):
        upload(client, source.path, destination.bucket, destination.key, options)
        return
    how = WriterOptions(extra_args=options.extra_args, progress=options.progress)
    with Writer(client, destination.bucket, destination.key, how) as writer:
        while piece := sys.stdin.buffer.read(MIB):
            writer.write(piece)

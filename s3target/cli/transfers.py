"""The engine behind cp, mv and sync: jobs, one object each, several at once, each told when it is done.

A job that fails is told and the others go on; the exit status says whether all, some or none went well. Ctrl-C stops
all: what was begun is aborted, as far as that takes no longer than a moment.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import chain, islice

from ..client import Client
from ..errors import PreconditionFailed, S3Error
from ..filesystem import FileSystem, S3Path
from ..protocol.operations.objects import HeadObject, ObjectInfo
from ..protocol.options import COPY, UPLOAD, check
from ..transfer.download import download
from ..transfer.plan import MIB, Progress, TransferOptions
from ..transfer.reader import Reader, ReaderOptions
from ..transfer.upload import upload
from ..transfer.workers import AT_FIRST, WAITING, Stopped, Workers
from ..transfer.writer import Writer, WriterOptions
from ..value import BinaryIO, NamedTuple, replace
from .output import Bar, Output
from .places import LocalPath, Place, Stdio, Taken

_LOOKAHEAD = 10_000
"""Jobs that are made before the first one runs: of so many the sum of bytes is known, and so the time left."""
_LAST_WAIT = 0.6
"""Seconds that an interrupt leaves to transfers, besides workers.GRACE, to abort what they have begun."""
_READAHEAD = 4
"""Ranges that are fetched at once on the way to stdout, of 8 MiB each."""


class Job(NamedTuple):
    """size: of the source in bytes, 0 if not known. entry: of the source, if a listing has told it.

    fault: why it is not to be done.
    """

    source: Place
    destination: Place
    size: int = 0
    entry: ObjectInfo | None = None
    fault: S3Error | OSError | None = None


class Transfers:
    """Runs jobs as the options say; what comes of them output tells and counts. verb: cp, or mv, which removes a source
    once its copy is there. ConfigError if --set names no option of uploads or copies."""

    def __init__(self, client: Client, output: Output, options: argparse.Namespace, verb: str = "cp") -> None:
        self._client, self._output, self._options, self._verb = client, output, options, verb
        self._keep = getattr(options, "no_clobber", False)
        self._extra_args = dict(options.set)
        check(self._extra_args, UPLOAD | COPY, f"s3target {verb} --set")
        self._stop = threading.Event()
        self._taken = Taken()

    def run(self, jobs: Iterable[Job]) -> None:
        """All of them. S3Error or OSError if the source cannot be listed; what fails of the jobs is told."""
        remaining = iter(jobs)
        ahead = list(islice(remaining, _LOOKAHEAD))
        total = sum(job.size for job in ahead) if len(ahead) < _LOOKAHEAD else None
        alone = len(ahead) == 1
        with self._output.progress(total) as bar:
            attempts = (partial(self._attempt, job, bar, alone) for job in chain(ahead, remaining))
            try:
                self._run(attempts, 1 if alone else self._options.jobs)
            except (KeyboardInterrupt, SystemExit):
                self._stop.set()
                _wait_for_workers()
                raise

    def _run(self, attempts: Iterable[Callable[[], None]], threads: int) -> None:
        if threads == 1:
            for attempt in attempts:
                attempt()
            return
        # Not run_all(), which keeps something of each: they may be millions.
        with Workers(threads, WAITING, self._stop, AT_FIRST) as workers:
            for attempt in attempts:
                workers.submit(attempt)

    def _attempt(self, job: Job, bar: Bar | None, alone: bool) -> None:
        with self._output.attempt(f"{self._verb} {job.source}", unless=self._stop):
            if job.fault:
                raise job.fault
            size = self._perform(job, bar, alone)
            if isinstance(job.destination, Stdio):
                return  # stdout is the object's
            record = {"source": str(job.source), "destination": str(job.destination), "size": size}
            self._output.did(f"{self._verb} {job.source} {job.destination}", record, size is None)

    def _perform(self, job: Job, bar: Bar | None, alone: bool) -> int | None:
        """The size in bytes; None if the destination is there already, and is to stay."""
        if self._keep and self._is_there(job.destination):
            return None
        if self._output.dry_run:
            return self._size(job)
        if self._verb == "mv" and isinstance(job.source, S3Path) and isinstance(job.destination, S3Path):
            FileSystem(self._client).check_apart(job.source, job.destination)
        if isinstance(job.destination, LocalPath) and not alone:
            self._taken.take(job.destination.path)
        progress = self._guarded(bar.counter(alone) if bar else None)
        options = TransferOptions(threads=None if alone else 4, progress=progress, extra_args=self._extra_args)
        try:
            size = _transfer(self._client, job, options, self._keep)
        except PreconditionFailed:
            if not self._keep:
                raise
            return None
        if self._verb == "mv" and isinstance(job.source, S3Path):
            FileSystem(self._client).remove(job.source)
        elif self._verb == "mv":
            os.unlink(str(job.source))
        return size

    def _size(self, job: Job) -> int:
        if job.entry is None and isinstance(job.source, S3Path):
            return self._client.call(HeadObject(*job.source)).size
        return job.size

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


def _wait_for_workers() -> None:
    end = time.monotonic() + _LAST_WAIT
    for thread in threading.enumerate():
        if thread.name.startswith("s3target-"):
            thread.join(max(0.0, end - time.monotonic()))


# --------------------------------------------------------------------------------------------------------- one object


def _transfer(client: Client, job: Job, options: TransferOptions, keep: bool) -> int:
    """Copy one object; its size in bytes. keep: the store is not to replace one. S3Error or OSError if it fails;
    nothing is left then."""
    source, destination = job.source, job.destination
    if isinstance(destination, S3Path):
        if isinstance(source, S3Path):
            return FileSystem(client).copy(source, destination, options, job.entry)
        options = _writing(options, destination, keep)
        if isinstance(source, Stdio):
            return _store_stdin(client, destination, options)
        upload(client, source.path, destination.bucket, destination.key, options)
        return job.size
    assert isinstance(source, S3Path)
    if isinstance(destination, LocalPath):
        return _fetch(client, source, destination.path, options)
    copy_out(client, source, sys.stdout.buffer, options.progress)
    return job.size


def _fetch(client: Client, source: S3Path, path: str, options: TransferOptions) -> int:
    if folder := os.path.dirname(path):
        os.makedirs(folder, exist_ok=True)
    info = download(client, source.bucket, source.key, path, options)
    if info.modified:
        # As aws s3 does: so that sync sees which of the two is the newer one.
        changed = info.last_modified.timestamp()
        with suppress(OSError):  # a year that Windows does not know, a mount that knows no owners: the file is there
            os.utime(path, (changed, changed))
    return info.size


def copy_out(
    client: Client, path: S3Path, out: BinaryIO, progress: Progress | None = None, version_id: str | None = None
) -> None:
    """The object's bytes to a stream, by bounded memory. What came before an S3Error has been written then."""
    options = ReaderOptions(version_id=version_id, readahead=_READAHEAD, progress=progress)
    buffer = memoryview(bytearray(MIB))
    with Reader(client, path.bucket, path.key, options) as reader:
        while count := reader.readinto(buffer):
            out.write(buffer[:count])


def _writing(options: TransferOptions, destination: S3Path, keep: bool) -> TransferOptions:
    from mimetypes import guess_type

    kind, encoding = guess_type(destination.key)
    if encoding:  # a .csv.gz is no CSV
        kind = "application/gzip" if encoding == "gzip" else "application/octet-stream"
    guessed = {"ContentType": kind} if kind else {}
    condition = {"IfNoneMatch": "*"} if keep else {}
    return replace(options, extra_args={**guessed, **condition, **options.extra_args})


def _store_stdin(client: Client, destination: S3Path, options: TransferOptions) -> int:
    how = WriterOptions(extra_args=options.extra_args, progress=options.progress)
    with Writer(client, destination.bucket, destination.key, how) as writer:
        while piece := sys.stdin.buffer.read(MIB):
            writer.write(piece)
        return writer.tell()

"""What the command says: results on stdout, errors on stderr; as text or as JSON, one object a line; a progress bar.

A key may hold anything, so on a terminal control characters are shown as escapes: no key can steer it. Threads may
speak at once; the bar steps aside for each line. What went well and what did not is counted, for the exit status.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime

from ..errors import S3Error
from ..value import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from ..protocol.operations.objects import ObjectInfo

DONE, FAILED, SOME_FAILED = 0, 1, 3
"""Exit statuses."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOTES = {"ok": "{}", "planned": "(dry run) {}", "skipped": "{}: is there already, left alone"}


class Output:
    """json, quiet, dry_run: as the options say."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.json: bool = options.json
        self.quiet: bool = options.quiet
        self.dry_run: bool = getattr(options, "dry_run", False)
        self._lock = threading.Lock()
        self._bar: Bar | None = None
        self._done = self._failed = 0

    def tell(self, text: str, record: Mapping[str, Any]) -> None:
        """One line on stdout: text, or record as JSON. Nothing if quiet."""
        if not self.quiet:
            self._write(sys.stdout, _json(record) if self.json else shown(text, sys.stdout, _CONTROL))

    def did(self, text: str, record: Mapping[str, Any], skipped: bool = False) -> None:
        """One operation, whose name begins text, that went well, or would. skipped: its result was there already."""
        status = "skipped" if skipped else "planned" if self.dry_run else "ok"
        self.tell(_NOTES[status].format(text), {"operation": text.split(" ", 1)[0], **record, "status": status})

    def failure(self, error: Exception, subject: str = "") -> None:
        """One error on stderr. subject: what it is about, where the error does not tell."""
        self.count(failed=1)
        if self.json:
            self._write(sys.stderr, _json(_failure_record(error, subject)))
        else:
            text = f"{subject}: {message(error)}" if subject else message(error)
            self._write(sys.stderr, f"s3target: {shown(text, sys.stderr, _CONTROL_BUT_LINES)}")

    @contextmanager
    def attempt(self, subject: str = "", unless: threading.Event | None = None) -> Iterator[None]:
        """The block counts as done, or its S3Error or OSError is told, unless all has been stopped."""
        try:
            yield
            self.count(done=1)
        except BrokenPipeError:
            raise
        except (S3Error, OSError) as error:
            if unless is None or not unless.is_set():
                self.failure(error, subject)

    def count(self, done: int = 0, failed: int = 0) -> None:
        with self._lock:
            self._done += done
            self._failed += failed

    @property
    def status(self) -> int:
        """The exit status: SOME_FAILED tells that others went well."""
        if not self._failed:
            return DONE
        return SOME_FAILED if self._done else FAILED

    @contextmanager
    def progress(self, total: int | None) -> Iterator[Bar | None]:
        """A bar on the terminal for so many bytes; None where nobody would see it."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        self._bar = Bar(sys.stderr, total)
        try:
            yield self._bar
        finally:
            self._bar.clear()
            self._bar = None

    def _write(self, stream: TextIO, line: str) -> None:
        with self._lock, self._bar.aside() if self._bar else nullcontext():
            stream.write(f"{line}\n")
            if self._bar:
                stream.flush()


def message(error: Exception) -> str:
    """The error in words: of an OSError the file and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror:
        name = error.filename2 or error.filename  # of a rename the second: the first is a temporary one
        return f"{name}: {error.strerror}" if name else error.strerror
    return str(error) or type(error).__name__


def _failure_record(error: Exception, subject: str) -> Mapping[str, Any]:
    record = {"status": "failed", "subject": subject or None, "error": type(error).__name__, "message": message(error)}
    if not isinstance(error, S3Error):
        return record
    return {**record, "code": error.code, "http_status": error.status, "request_id": error.request_id}


def shown(text: str, stream: TextIO, control: re.Pattern[str] = _CONTROL) -> str:
    """text as it may be written to the stream."""
    return control.sub(lambda found: f"\\x{ord(found[0]):02x}", text) if stream.isatty() else text


def _json(record: Mapping[str, Any]) -> str:
    import json

    return json.dumps(record)


def object_record(info: ObjectInfo) -> dict[str, Any]:
    """What is known of an object, for JSON."""
    return {
        "type": "object",
        "url": f"s3://{info.bucket}/{info.key}",
        "bucket": info.bucket,
        "key": info.key,
        "size": info.size,
        "modified": info.last_modified.isoformat() if info.modified else None,
        "etag": info.e_tag,
        "storage_class": info.storage_class,
    }


# --------------------------------------------------------------------------------------- sizes and times, for people


def human_size(count: float) -> str:
    """Bytes: "512 B", "1.5 KiB"."""
    power = min(5, max(0, int(count).bit_length() - 1) // 10)
    return f"{count / 1024**power:.1f} {' KMGTP'[power]}iB" if power else f"{count:.0f} B"


def human_time(seconds: float) -> str:
    """A span of time: "45 s", "12 min", "3 h", "8 days"; "0 s" of one that is negative."""
    seconds = max(0.0, seconds)
    for limit, length, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def clock_time(seconds: float) -> str:
    """A span of time as a clock shows it: "0:16", "1:02:00"."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def moment(when: datetime) -> str:
    """A time of day and year in the zone of this machine; of years that it does not know there, as it is."""
    with suppress(OverflowError, OSError):  # a store written in Go says year 1 where it knows none
        when = when.astimezone()
    return when.isoformat(" ", "seconds")[:19]


# ------------------------------------------------------------------------------------------------- the progress bar

_REDRAW_EVERY = 0.1
_WINDOW = 8.0
"""Seconds of which the rate is taken, so that the time left follows the network."""
_BAR_WIDTH = 24


class Bar:
    """Rate and time left in one line of a terminal, fed from many threads.

    total: bytes in all, None if not known. clock: seconds, from whenever on. columns: of the terminal.
    """

    def __init__(
        self, stream: TextIO, total: int | None, clock: Callable[[], float] = time.monotonic, columns: int | None = None
    ) -> None:
        self._stream, self._total, self._clock, self._columns = stream, total, clock, columns
        self._lock = threading.Lock()
        self._count = self._drawn = 0
        self._marks: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._drawn_at = clock() - _REDRAW_EVERY

    def counter(self, alone: bool = False) -> Callable[[int, int | None], None]:
        """A progress callback for one of the objects that make up the total, or for the only one, which knows it."""
        before = 0

        def report(done: int, total: int | None) -> None:
            nonlocal before
            if alone:
                self._total = total or self._total
            # A body that is sent again is counted once.
            self.add(max(0, done - before))
            before = max(before, done)

        return report

    def add(self, count: int) -> None:
        """So many bytes more."""
        with self._lock:
            self._count += count
            now = self._clock()
            if now - self._drawn_at < _REDRAW_EVERY:
                return
            self._drawn_at = now
            self._marks.append((now, self._count))
            while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW:
                self._marks.popleft()
            self._draw()

    def clear(self) -> None:
        with self._lock:
            self._erase()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For a line of text: the bar is away meanwhile."""
        with self._lock:
            self._erase()
            yield
            self._draw()

    def _draw(self) -> None:
        line = self.line()[: (self._columns or columns(self._stream)) - 1]
        self._stream.write(f"\r{line.ljust(self._drawn)}")
        self._stream.flush()
        self._drawn = len(line)

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\r{' ' * self._drawn}\r")
            self._stream.flush()
            self._drawn = 0

    def line(self) -> str:
        """What is drawn: "45% [####----] 1.2 GiB of 2.7 GiB, 96.3 MiB/s, 0:16 left"."""
        since, before = self._marks[0]
        passed = self._clock() - since
        rate = (self._count - before) / passed if passed > 0 else 0.0
        speed = f"{human_size(rate)}/s"
        if not self._total:
            return f"{human_size(self._count)}, {speed}"
        share = min(1.0, self._count / self._total)
        filled = "#" * int(share * _BAR_WIDTH)
        left = f", {clock_time((self._total - self._count) / rate)} left" if rate and self._count < self._total else ""
        sizes = f"{human_size(self._count)} of {human_size(self._total)}"
        return f"{int(share * 100):3d}% [{filled.ljust(_BAR_WIDTH, '-')}] {sizes}, {speed}{left}"


def columns(stream: TextIO) -> int:
    """Of the terminal; 80 of what is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80

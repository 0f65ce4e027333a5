"""What the command says: results on stdout, errors on stderr; as text or as JSON, one object a line.

A key may hold anything, so on a terminal control characters are shown as escapes: no key can steer it. Threads may
speak at once; a progress bar steps aside for each line.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import S3Error

if TYPE_CHECKING:
    from ..protocol.operations.objects import ObjectInfo
    from .progress import Bar

DONE, FAILED, USAGE, SOME_FAILED, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141
"""Exit statuses."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Output:
    """json, quiet: as the options of all commands say."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.json: bool = options.json
        self.quiet: bool = options.quiet
        self._lock = threading.Lock()
        self._bar: Bar | None = None

    def tell(self, text: str, record: Mapping[str, Any]) -> None:
        """One line on stdout: text, or record as JSON. Nothing if quiet."""
        if not self.quiet:
            self._write(sys.stdout, _json(record) if self.json else shown(text, sys.stdout, _CONTROL))

    def failure(self, error: Exception, subject: str = "") -> None:
        """One error on stderr. subject: what it is about, where the error does not tell."""
        if self.json:
            self._write(sys.stderr, _json(failure_record(error, subject)))
        else:
            text = f"{subject}: {message(error)}" if subject else message(error)
            self._write(sys.stderr, f"s3target: {shown(text, sys.stderr, _CONTROL_BUT_LINES)}")

    @contextmanager
    def progress(self, total: int | None) -> Iterator[Bar | None]:
        """A bar on the terminal for so many bytes; None where nobody would see it."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from .progress import Bar

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
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def failure_record(error: Exception, subject: str) -> Mapping[str, Any]:
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


class Tally:
    """How many went well and how many did not. Thread-safe."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self._lock = threading.Lock()

    def add(self, done: int = 0, failed: int = 0) -> None:
        with self._lock:
            self.done += done
            self.failed += failed

    @property
    def status(self) -> int:
        """The exit status: SOME_FAILED tells that others went well."""
        if not self.failed:
            return DONE
        return SOME_FAILED if self.done else FAILED

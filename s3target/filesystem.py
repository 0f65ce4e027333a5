"""What s3:// paths mean: objects, and "directories", which S3 does not have.

A directory is there if any key lies below it, or a marker stands for it: `key/` or Hadoop's `key_$folder$`. Nothing
else in the package knows of this convention. Questions are answered by as few requests as can be: an object that is
there costs one HEAD, a miss one HEAD and one listing that shows the directory and both markers at once.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice

from .client import Client
from .errors import ConfigError, NotFound, PartialFailure, ServiceError
from .protocol.encoding import utc
from .protocol.messages import BytesBody
from .protocol.operations.listing import MAX_KEYS_PER_DELETE, DeleteObjects, ListObjectsV2, ListPage
from .protocol.operations.objects import (
    CopySource,
    DeleteObject,
    HeadObject,
    ObjectInfo,
    PutObject,
    WrittenObject,
)
from .protocol.options import ExtraArgs, headers_for
from .protocol.xml import expressible
from .transfer.marks import mark
from .transfer.once import insist
from .transfer.workers import Meter, Workers, run_all
from .value import TYPE_CHECKING, Any, NamedTuple, cast, replace

if TYPE_CHECKING:
    from datetime import datetime

    from .transfer.plan import Progress, TransferOptions

SCHEMES = ("s3", "s3a", "s3n")
FOLDER_MARKER = "_$folder$"
MAX_KEY_SIZE = 1024
"""Bytes of UTF-8, https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_PROBE = 32
"""Keys asked for to see whether something is a directory: enough for a key in it and the siblings before it."""
_NO_ARGS: ExtraArgs = {}


class S3Path(NamedTuple):
    """A bucket and a key; key "" is the bucket's root."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def is_root(self) -> bool:
        return self.key in ("", "/")

    @property
    def below(self) -> str:
        """The prefix of everything in this directory."""
        return self.key if self.key == "" or self.key.endswith("/") else f"{self.key}/"

    def name_of(self, key: str) -> str:
        """The path of a key that was listed below. ConfigError if it lies elsewhere: SeaweedFS lists a/b below a//."""
        if not key.startswith(self.below):
            raise ConfigError(f"the store lists {key!r} below {self}; write the path as the store does")
        return key[len(self.below) :]

    def is_below(self, directory: S3Path) -> bool:
        """Whether it lies in the directory, or is the directory itself."""
        return self.bucket == directory.bucket and self.below.startswith(directory.below)


def parse_path(path: Any) -> S3Path:
    """s3://bucket/key (or s3a, s3n), every character after the bucket's slash being the key's own.

    A pathlib path of "s3://bucket/key", which it has made "s3:/bucket/key" of, means the same. ConfigError if it is no
    such path, or the key is longer than S3 allows.

    >>> parse_path("s3a://logs/2026/a b.gz")
    S3Path(bucket='logs', key='2026/a b.gz')
    """
    text = path if type(path) is str else path_text(path)
    scheme, mark, rest = text.partition("://")
    if not mark or (scheme not in SCHEMES and scheme.lower() not in SCHEMES):
        raise ConfigError(f"{text!r} is no S3 path; write s3://bucket/key")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise ConfigError(f"{text!r} names no bucket; write s3://bucket/key")
    if len(key) > MAX_KEY_SIZE // 4 and len(key.encode(errors="surrogatepass")) > MAX_KEY_SIZE:
        raise ConfigError(f"the key of {text[:60]!r}... has over {MAX_KEY_SIZE} bytes, the most S3 takes")
    return S3Path(bucket, key)


def path_text(path: Any) -> str:
    """path as text, with the slash that pathlib has taken from it. "" for None."""
    text = str(path) if path is not None else ""
    scheme, mark, rest = text.partition(":/")
    if isinstance(path, os.PathLike) and mark and scheme.lower() in SCHEMES and not rest.startswith("/"):
        return f"{scheme}://{rest}"
    return text


class Window(NamedTuple):
    """A span of modification times, both ends excluded; None is open. Times without a zone are taken as UTC."""

    start: datetime | None = None
    end: datetime | None = None

    def __contains__(self, moment: object) -> bool:
        at = cast("datetime", moment)
        return not (self.start and at <= utc(self.start)) and not (self.end and at >= utc(self.end))


class FileSystem:
    """Paths to meanings, over one client. Thread-safe. Every method raises S3Error of errors.py.

    >>> from s3target import connect
    >>> with connect() as client:
    ...     FileSystem(client).exists(parse_path("s3://bucket/nothing"))
    False
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def info(self, path: S3Path, extra_args: ExtraArgs = _NO_ARGS, version_id: str | None = None) -> ObjectInfo | None:
        """The object at this very key, None if there is none. extra_args: what a HEAD takes (SSECustomerKey, ...)."""
        try:
            headers = headers_for("HeadObject", extra_args)
            return self.client.call(HeadObject(path.bucket, path.key, headers, version_id))
        except NotFound:
            return None

    def exists(self, path: S3Path, extra_args: ExtraArgs = _NO_ARGS) -> bool:
        """Whether there is an object or a directory. A bucket's root counts as there, unasked."""
        if path.is_root:
            return True
        if not path.key.endswith("/") and self.info(path, extra_args):
            return True
        return self.isdir(path)

    def isdir(self, path: S3Path) -> bool:
        """Whether something lies below path, or a marker stands for it."""
        return path.is_root or any(True for _ in self._signs(path))

    def _signs(self, path: S3Path) -> Iterator[ObjectInfo]:
        """What shows that path is a directory: some entries below it, its marker. Each is asked for when needed."""
        name = path.key.removesuffix("/")
        # Without a delimiter: to SeaweedFS a common prefix is a folder, which stays when all that was in it is removed.
        page = self.client.call(ListObjectsV2(path.bucket, name, max_keys=_PROBE))
        for entry in page.objects:
            if entry.key.startswith(path.below) or entry.key == name + FOLDER_MARKER:
                yield entry
        if page.next_token is not None:
            # Siblings fill the page: ask for what is below, and for the marker, by name.
            yield from self.client.call(ListObjectsV2(path.bucket, path.below, max_keys=_PROBE)).objects
            marker = self.info(S3Path(path.bucket, name + FOLDER_MARKER))
            if marker is not None:
                yield marker

    def list(self, path: S3Path, window: Window | None = None) -> Generator[ObjectInfo, None, None]:
        """All objects below path, in the store's order."""
        for page in self.pages(path.bucket, path.below):
            for entry in page.objects:
                if window is None or entry.last_modified in window:
                    yield entry

    def keys(self, path: S3Path) -> Generator[str, None, None]:
        """The keys of all objects below path: faster than list()."""
        for page in self.pages(path.bucket, path.below):
            yield from page.objects.keys

    def pages(self, bucket: str, prefix: str, delimiter: str = "") -> Iterator[ListPage]:
        """Page after page; the next one is fetched while this one is looked at."""
        first = ListObjectsV2(bucket, prefix, delimiter)
        page = self.client.call(first)
        if page.next_token is not None:
            with Workers(1) as worker:
                while page.next_token is not None:
                    following = worker.submit(partial(self.client.call, replace(first, token=page.next_token)))
                    yield page
                    page = following.result()
        yield page

    def write(self, path: S3Path, content: bytes, extra_args: ExtraArgs = _NO_ARGS) -> WrittenObject:
        """One PutObject of bytes in memory. ConfigError if nothing may be overwritten and the store ignores that."""
        insist(self.client, path.bucket, path.key, extra_args)
        headers = {**headers_for("PutObject", extra_args), **mark(extra_args)}
        return self.client.call(PutObject(path.bucket, path.key, BytesBody(memoryview(content).cast("B")), headers))

    def remove(self, path: S3Path) -> None:
        """Remove the object at this very key; it need not be there."""
        self.client.call(DeleteObject(path.bucket, path.key))

    def check_apart(self, source: S3Path, destination: S3Path) -> None:
        """ConfigError if both, or what lies below, are one to the store, and a move would lose it: SeaweedFS takes a//b
        and a\\b for a/b.
        """
        if source.bucket != destination.bucket or _segments(source) != _segments(destination):
            return
        names = [""]
        if source.key.endswith("/") or not self.info(source):
            page = self.client.call(ListObjectsV2(source.bucket, source.below, max_keys=2))  # one may be a marker
            names += map(source.name_of, page.objects.keys)
        for name in names:
            pair = [S3Path(path.bucket, path.below + name if name else path.key) for path in (source, destination)]
            states = [(info.e_tag, info.size, info.last_modified) for info in map(self.info, pair) if info]
            if len(states) == 2 and states[0] == states[1]:
                raise ConfigError(f"{pair[0]} and {pair[1]} seem to be the same object to the store; nothing was moved")

    def remove_directory(self, path: S3Path, progress: Progress | None = None) -> int:
        """Remove all objects below path, and its markers; the number of keys removed.

        All objects are tried. PartialFailure names those that the store would not remove. progress: called with (keys
        tried, None).
        """
        with closing(self.keys(path)) as keys:
            return self._remove_keys(path, keys, Meter(progress)) + self.remove_signs(path)

    def _remove_keys(self, path: S3Path, keys: Iterable[str], meter: Meter) -> int:
        failures: list[tuple[str, str, str]] = []
        tried = 0
        removals = (partial(self._remove_batch, path.bucket, batch, meter) for batch in batches(keys))
        for count, errors in run_all(removals, threads=4):
            tried += count
            failures.extend((key, error.code or "", error.message or "") for key, error in errors.items())
        if failures:
            raise PartialFailure(f"{len(failures)} of {tried} keys below {path} remain", failures)
        return tried

    def _remove_batch(self, bucket: str, keys: Sequence[str], meter: Meter) -> tuple[int, dict[str, ServiceError]]:
        errors = self.remove_keys(bucket, keys)
        meter.add(len(keys))
        return len(keys), errors

    def remove_keys(self, bucket: str, keys: Sequence[str]) -> dict[str, ServiceError]:
        """Remove up to 1,000 objects; the error of each that stays."""
        together = tuple(key for key in keys if expressible(key)) if len(keys) > 1 else ()
        errors: dict[str, ServiceError] = {}
        for key, code, message in self.client.call(DeleteObjects(bucket, together)).errors if together else ():
            errors[key] = ServiceError(200, code, message, operation="DeleteObjects", bucket=bucket, key=key)
        for key in set(keys).difference(together):
            try:
                self.remove(S3Path(bucket, key))
            except ServiceError as error:
                errors[key] = error
        return errors

    def remove_signs(self, path: S3Path) -> int:
        """Of a directory whose keys are removed: its Hadoop marker, and folders. The number of markers.

        JuiceFS keeps the folders that a batch of removals has emptied, and lists them.
        """
        left = list(self._signs(path))
        if any(_is_folder(entry) for entry in left):
            with closing(self.list(path)) as entries:
                folders = (S3Path(*entry[:2]) for entry in entries if _is_folder(entry))
                run_all((partial(self.remove, folder) for folder in folders), threads=4)
        marker = S3Path(path.bucket, path.key.removesuffix("/") + FOLDER_MARKER)
        if not any(entry.key == marker.key for entry in left):
            return 0
        self.remove(marker)
        return 1

    def copy(
        self, source: S3Path, destination: S3Path, options: TransferOptions, listed: ObjectInfo | None = None
    ) -> int:
        """Copy one object on the server; its size in bytes. NotFound if it is not there. listed: see transfer.copy."""
        from .transfer.copy import copy

        origin = CopySource(source.bucket, source.key)
        return copy(self.client, origin, destination.bucket, destination.key, options, listed)[1]

    def copy_directory(
        self, source: S3Path, destination: S3Path, options: TransferOptions, window: Window | None = None
    ) -> tuple[int, int]:
        """Copy all objects below source to below destination: (number, bytes). The first failure is raised.

        options.progress: called with (bytes copied, None) after each object.
        """
        # Closed at once and not with the garbage: the thread that fetches the next page ends with it.
        with closing(self.list(source, window)) as entries:
            return self._copy_entries(entries, source, destination, options)

    def _copy_entries(
        self, entries: Iterable[ObjectInfo], source: S3Path, destination: S3Path, options: TransferOptions
    ) -> tuple[int, int]:
        single, meter = replace(options, threads=1, progress=None), Meter(options.progress)
        jobs = (
            partial(self._copy_entry, entry, S3Path(destination.bucket, destination.below + name), single, meter)
            for entry in entries
            if (name := source.name_of(entry.key)) not in ("", "/")
        )
        # From a store nearby answers come so fast that more than one thread would only be in each other's way.
        sizes = run_all(jobs, options.threads or 16, at_first=1)
        return len(sizes), sum(sizes)

    def _copy_entry(self, entry: ObjectInfo, destination: S3Path, options: TransferOptions, meter: Meter) -> int:
        size = self.copy(S3Path(*entry[:2]), destination, options, entry)
        meter.add(size)
        return size

    def move_directory(self, source: S3Path, destination: S3Path, options: TransferOptions) -> int:
        """Copy all objects below source, then remove those and the markers; the number of keys removed.

        What arrives below source meanwhile stays there, and so does a marker that holds bytes, as markers are not
        copied. After a failure of the copy nothing is removed. options.progress: of the copy. ConfigError if both are
        one directory to the store.
        """
        self.check_apart(S3Path(source.bucket, source.below), destination)
        seen: list[str] = []
        markers = (source.below, f"{source.below}/")
        with closing(self.list(source)) as listed:
            entries = (entry for entry in listed if not (entry.key in markers and entry.size))
            self._copy_entries(_noting(entries, seen), source, destination, options)
        return self._remove_keys(source, seen, Meter(None)) + self.remove_signs(source)


def _segments(path: S3Path) -> list[str]:
    return [segment for segment in path.key.replace("\\", "/").split("/") if segment]


def _is_folder(entry: ObjectInfo) -> bool:
    """Whether it is no object, but shown as if it were one."""
    return entry.key.endswith("/") and not entry.size and not entry.e_tag


def _noting(entries: Iterable[ObjectInfo], seen: list[str]) -> Iterator[ObjectInfo]:
    for entry in entries:
        seen.append(entry.key)
        yield entry


def batches(keys: Iterable[str]) -> Iterator[list[str]]:
    """As many together as DeleteObjects takes."""
    remaining = iter(keys)
    return iter(lambda: list(islice(remaining, MAX_KEYS_PER_DELETE)), [])

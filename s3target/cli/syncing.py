"""sync: make a folder like another one, by copying what differs.

What differs: what is not there, has another size, or is older than the source. --size-only: by size alone. --checksum:
by size and ETag; where an ETag is no checksum of the content (SSE-KMS, some stores' multipart uploads) that copies once
more than need be. --delete removes what the source has not, and only after all copies went well; never through a
symbolic link in the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Callable, Iterator

from ..client import Client
from ..errors import ConfigError
from ..filesystem import FileSystem, S3Path
from ..protocol.operations.objects import ObjectInfo
from ..transfer.plan import MIB, part_count
from ..value import NamedTuple
from .copying import is_marker, job_below, lies_in, local_files, sized
from .output import Output
from .places import LocalPath, Place, Stdio, excluded
from .removing import remove, tell_removed
from .transfers import Job, Transfers


class Seen(NamedTuple):
    """One file or object. size: -1 of a file that cannot be looked at. modified: seconds since 1970. entry: of an
    object.
    """

    place: Place
    size: int
    modified: float
    entry: ObjectInfo | None = None


def sync(client: Client, output: Output, options: argparse.Namespace) -> None:
    """Make a folder like another one: copy what is missing, has another size, or is older than the source.

    examples:
      s3target sync ./site s3://www/
      s3target sync --delete --dry-run s3://logs/2026/ ./2026
      s3target sync --checksum --exclude '*.tmp' s3://logs/2026/ s3://archive/2026/
    """
    source, destination = options.source, options.destination
    if fault := _fault(options, source, destination):
        options.fail_usage(fault)
    out = excluded(options.exclude)
    same = _same_checksum if options.checksum else (lambda *_: True) if options.size_only else _not_older
    there = {name: seen for name, seen in _look(client, destination) if not out(name)}
    if not isinstance(source, S3Path):
        os.scandir(str(source)).close()  # OSError if it is no folder, or not there
    plan = _Plan(destination, there, same)
    Transfers(client, output, options).run(
        plan.jobs((name, seen) for name, seen in _look(client, source) if not out(name))
    )
    if options.delete and output.status:
        output.failure(ConfigError("nothing is deleted, since not all could be copied"))
    elif options.delete and plan.empty and plan.surplus:
        gone = f"{source} has nothing, so all of {destination} would go; use rm -r for that"
        output.failure(ConfigError(gone))
    elif options.delete:
        _delete(client, output, destination, plan.surplus)


def _fault(options: argparse.Namespace, source: Place, destination: Place) -> str:
    if isinstance(source, Stdio) or isinstance(destination, Stdio):
        return "sync is for folders; cp knows -"
    if not isinstance(source, S3Path) and not isinstance(destination, S3Path):
        return f"neither {source} nor {destination} is an s3:// path"
    if lies_in(source, destination) or lies_in(destination, source):
        return f"{source} and {destination} lie in one another"
    return "give --size-only or --checksum, not both" if options.size_only and options.checksum else ""


def _look(client: Client, folder: Place) -> Iterator[tuple[str, Seen]]:
    """(path below the folder, what is there)."""
    if isinstance(folder, S3Path):
        for entry in FileSystem(client).list(folder):
            name = folder.name_of(entry.key)
            if name and not is_marker(entry):
                place = S3Path(entry.bucket, entry.key)
                yield name, Seen(place, entry.size, entry.last_modified.timestamp(), entry)
    elif os.path.isdir(str(folder)):
        for name, path in local_files(str(folder)):
            yield name, _seen(path)


def _seen(path: str) -> Seen:
    try:
        status = os.stat(path)
    except OSError:  # it is gone, or a link to nothing: if it is to be copied, that is told
        return Seen(LocalPath(path), -1, 0.0)
    return Seen(LocalPath(path), status.st_size, status.st_mtime)


class _Plan:
    """Compares. surplus: what the source has not, once jobs() is through. empty: it has nothing at all."""

    def __init__(self, destination: Place, there: dict[str, Seen], same: Callable[[Seen, Seen], bool]) -> None:
        self._destination, self._there, self._same = destination, there, same
        self.surplus = dict(there)
        self.empty = True

    def jobs(self, source: Iterator[tuple[str, Seen]]) -> Iterator[Job]:
        for name, seen in source:
            self.empty = False
            self.surplus.pop(name, None)
            there = self._there.get(name)
            if there is None or there.size != seen.size or not self._same(seen, there):
                job = job_below(self._destination, name, seen.place, seen.size, seen.entry)
                yield job if seen.entry else sized(job)


def _delete(client: Client, output: Output, destination: Place, surplus: dict[str, Seen]) -> None:
    if isinstance(destination, S3Path):
        keys = (seen.entry.key for seen in surplus.values() if seen.entry)
        remove(client, output, destination.bucket, keys)
        return
    home = os.path.realpath(str(destination))
    for name, seen in surplus.items():
        folder = os.path.normpath(os.path.join(home, os.path.dirname(name)))
        if os.path.realpath(os.path.dirname(str(seen.place))) != folder:
            continue
        with output.attempt():
            if not output.dry_run:
                os.unlink(str(seen.place))
            tell_removed(output, str(seen.place))


# ------------------------------------------------------------------------- whether what has the same size is the same


def _not_older(source: Seen, there: Seen) -> bool:
    return source.modified <= there.modified


def _same_checksum(source: Seen, there: Seen) -> bool:
    if source.entry and there.entry:
        return bool(source.entry.e_tag) and source.entry.e_tag == there.entry.e_tag
    entry, file = (source.entry, there) if source.entry else (there.entry, source)
    return entry is not None and is_etag_of(entry.e_tag, str(file.place), file.size)


_USUAL_PARTS = (8, 5, 16, 15, 32, 64, 100, 128, 256, 512, 1024)
"""MiB: of this package and aws s3, of the smallest part, of rclone, s3cmd, MinIO, s5cmd and others."""


def is_etag_of(e_tag: str, path: str, size: int) -> bool:
    """Whether it is the MD5 of a file, or the MD5 of its parts' MD5s where it was uploaded in parts.

    How long the parts were an ETag does not tell; of "...-12" those lengths are tried that are usual and come to 12
    parts. OSError if the file cannot be read.
    """
    found = re.fullmatch(r"([0-9a-f]{32})(?:-([0-9]{1,5}))?", e_tag)
    if not found:
        return False
    if found[2] is None:
        return _digest(path, 0, size).hexdigest() == found[1]
    lengths = [unit * MIB for unit in _USUAL_PARTS if max(1, part_count(size, unit * MIB)) == int(found[2])]
    return any(_of_parts(path, size, length) == found[1] for length in lengths)


def _of_parts(path: str, size: int, length: int) -> str:
    digests = [_digest(path, offset, length).digest() for offset in range(0, max(size, 1), length)]
    return hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()


def _digest(path: str, offset: int, length: int) -> hashlib._Hash:
    digest, left = hashlib.md5(usedforsecurity=False), length
    with open(path, "rb") as file:
        file.seek(offset)
        while left and (piece := file.read(min(left, MIB))):
            digest.update(piece)
            left -= len(piece)
    return digest

"""sync: make a folder like another one, by copying what differs.

What differs: what is not there, has another size, or is older than the source. --size-only: by size alone. --checksum:
by size and ETag; where an ETag is no checksum of the content (SSE-KMS, some stores' multipart uploads) that copies once
more than need be. --delete removes what the source has not, and only after all copies went well.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

from ..client import Client
from ..errors import ConfigError
from ..filesystem import FOLDER_MARKER, S3Path
from ..protocol.operations.objects import ObjectInfo
from .arguments import client_of, declare
from .copying import add_copying, below, item_below, lies_in, local_files, manner_of
from .etags import is_etag_of
from .output import FAILED, Output
from .places import Excluded, LocalPath, Place, Stdio, in_folder, place
from .removing import Remover
from .transfers import Item, Job, Transfers


def sync(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "Make a folder like another one: copy what is missing, has another size, or is older than the source.",
        [
            "sync ./site s3://www/",
            "sync --delete --dry-run s3://logs/2026/ ./2026",
            "sync --checksum --exclude '*.tmp' s3://logs/2026/ s3://archive/2026/",
        ],
    )
    add_copying(parser)
    parser.add_argument("source", type=place, metavar="SOURCE")
    parser.add_argument("destination", type=place, metavar="DESTINATION")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--size-only", action="store_true", help="what has the same size is the same")
    how.add_argument("--checksum", action="store_true", help="compare ETags with the content")
    parser.add_argument("--delete", action="store_true", help="remove what the source has not")
    parser.set_defaults(run=_sync, fail_usage=parser.error)


class Seen(NamedTuple):
    """One file or object. modified: seconds since 1970. entry: of an object."""

    place: Place
    size: int
    modified: float
    entry: ObjectInfo | None = None


def _sync(options: argparse.Namespace) -> int:
    source, destination = options.source, options.destination
    _check_usage(options, source, destination)
    excluded = Excluded(options.exclude)
    with closing(client_of(options)) as client:
        there = {name: seen for name, seen in look(client, destination, False) if not excluded(name)}
        plan = _Plan(destination, there, _comparison(options))
        output = Output(options)
        transfers = Transfers(client, output, manner_of(options, "cp"))
        transfers.run(plan.items((name, seen) for name, seen in look(client, source, True) if not excluded(name)))
        status = transfers.tally.status
        if not options.delete:
            return status
        if status:
            output.failure(ConfigError("nothing is deleted, since not all could be copied"))
            return status
        return _delete(client, output, options, plan)


def _check_usage(options: argparse.Namespace, source: Place, destination: Place) -> None:
    if isinstance(source, Stdio) or isinstance(destination, Stdio):
        options.fail_usage("sync is for folders; cp knows -")
    if not isinstance(source, S3Path) and not isinstance(destination, S3Path):
        options.fail_usage(f"neither {source} nor {destination} is an s3:// path")
    if lies_in(source, destination) or lies_in(destination, source):
        options.fail_usage(f"{source} and {destination} lie in one another")


def look(client: Client, folder: Place, must_be: bool) -> Iterator[tuple[str, Seen]]:
    """(path below the folder, what is there). must_be: OSError if a local folder is not there."""
    if isinstance(folder, S3Path):
        for entry in in_folder(client, folder):
            name = entry.key[len(folder.below) :]
            if name and not (entry.size == 0 and name.endswith(("/", FOLDER_MARKER))):
                modified = entry.last_modified.timestamp()
                yield name, Seen(S3Path(entry.bucket, entry.key), entry.size, modified, entry)
    elif must_be or os.path.isdir(str(folder)):
        for name, path in local_files(str(folder)):
            status = os.stat(path)
            yield name, Seen(LocalPath(path), status.st_size, status.st_mtime)


Same = Callable[[Seen, Seen], bool]
"""Whether a destination is what its source is."""


def _comparison(options: argparse.Namespace) -> Same:
    if options.size_only:
        return _same_size
    return _same_checksum if options.checksum else _not_older


def _same_size(source: Seen, there: Seen) -> bool:
    return source.size == there.size


def _not_older(source: Seen, there: Seen) -> bool:
    return source.size == there.size and source.modified <= there.modified


def _same_checksum(source: Seen, there: Seen) -> bool:
    if source.size != there.size:
        return False
    if source.entry and there.entry:
        return bool(source.entry.e_tag) and source.entry.e_tag == there.entry.e_tag
    entry, file = (source.entry, there) if source.entry else (there.entry, source)
    return entry is not None and is_etag_of(entry.e_tag, str(file.place), file.size)


class _Plan:
    """Compares. surplus: what the source has not, once items() is through. empty: it has nothing at all."""

    def __init__(self, destination: Place, there: dict[str, Seen], same: Same) -> None:
        self._destination, self._same = destination, same
        self._there = there
        self.surplus = dict(there)
        self.empty = True

    def items(self, source: Iterator[tuple[str, Seen]]) -> Iterator[Item]:
        for name, seen in source:
            self.empty = False
            self.surplus.pop(name, None)
            there = self._there.get(name)
            if there is not None and self._same(seen, there):
                continue
            if seen.entry is not None:
                yield from item_below(self._destination, S3Path(*seen.entry[:2]), name, seen.entry)
            else:
                yield Job(seen.place, below(self._destination, name), seen.size)


def _delete(client: Client, output: Output, options: argparse.Namespace, plan: _Plan) -> int:
    if plan.empty and plan.surplus:
        output.failure(
            ConfigError(f"{options.source} has nothing, so all of {options.destination} would go; use rm -r for that")
        )
        return FAILED
    remover = Remover(client, output, options.dry_run)
    if isinstance(options.destination, S3Path):
        keys = (seen.entry.key for seen in plan.surplus.values() if seen.entry)
        remover.remove(S3Path(options.destination.bucket, ""), keys)
    else:
        remover.remove_files(str(seen.place) for seen in plan.surplus.values())
    return remover.tally.status

"""cp and mv: which objects go where.

One source goes to a file, or into a folder that is named with a slash at its end or is there. Several sources, a
pattern or -r go into a folder in any case: what lies below the source folder (or below the last folder before the first
wildcard) keeps its path below the destination. No download is ever written outside its destination.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain

from ..client import Client
from ..errors import ConfigError, S3Error
from ..filesystem import FOLDER_MARKER, S3Path
from ..protocol.operations.objects import ObjectInfo
from ..protocol.options import COPY, UPLOAD, check
from .arguments import client_of, declare, pair
from .output import Output
from .places import (
    Excluded,
    LocalPath,
    Place,
    Stdio,
    file_name,
    folder_of,
    in_folder,
    literal_beginning,
    matching,
    place,
)
from .transfers import Item, Job, Manner, Refused, Transfers
from .units import positive

_RULES = (
    'With several sources, a pattern or -r the destination is a folder. Wildcards of s3:// paths are * ? [..]; "*"\n'
    'matches "/" too. Exit status 3: some were copied and some were not.'
)


def cp(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        f"Copy files and objects; - is stdin or stdout.\n{_RULES}",
        [
            "cp report.csv s3://logs/2026/",
            "cp s3://logs/2026/report.csv .",
            "cp -r s3://logs/2026/ ./2026",
            "cp 's3://logs/2026/*.gz' s3://archive/2026/",
            "pg_dump shop | gzip | s3target cp - s3://backup/shop.sql.gz",
            "cp --set StorageClass=STANDARD_IA --set ContentType=text/csv a.csv s3://logs/",
        ],
    )
    parser.usage = f"{parser.prog} [OPTIONS] SOURCE ... DESTINATION"
    add_copying(parser)
    parser.add_argument("paths", nargs="+", type=place, metavar="PATH")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders, with all that is below them")
    parser.add_argument("--no-clobber", action="store_true", help="leave alone what is there already")
    parser.add_argument("--raw", action="store_true", help="* ? [ are characters like any other")
    parser.set_defaults(run=_copy, move=False, fail_usage=parser.error)


def mv(parser: argparse.ArgumentParser) -> None:
    cp(parser)
    declare(
        parser,
        f"Copy, and remove each source once its copy is there.\n{_RULES}",
        ["mv s3://inbox/a.csv s3://done/a.csv", "mv -r s3://logs/tmp/ s3://logs/2026/", "mv 'report.csv' s3://logs/"],
    )
    parser.set_defaults(move=True)


def add_copying(parser: argparse.ArgumentParser) -> None:
    """The options that cp, mv and sync share."""
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="leave out paths that fit")
    parser.add_argument("--jobs", type=positive, default=8, metavar="N", help="objects at once (8)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="of the new object, by boto3's names"
    )


def manner_of(options: argparse.Namespace, verb: str, move: bool = False, keep: bool = False) -> Manner:
    extra_args = dict(pair(text) for text in options.set)
    check(extra_args, UPLOAD | COPY, f"s3target {verb} --set")
    return Manner(verb, move, keep, options.dry_run, options.jobs, extra_args)


def _copy(options: argparse.Namespace) -> int:
    *sources, destination = options.paths
    _check_usage(options, sources, destination)
    manner = manner_of(options, "mv" if options.move else "cp", options.move, options.no_clobber)
    with closing(client_of(options)) as client:
        plan = Plan(client, destination, options)
        transfers = Transfers(client, Output(options), manner)
        transfers.run(chain.from_iterable(map(plan.items, sources)))
    return transfers.tally.status


def _check_usage(options: argparse.Namespace, sources: list[Place], destination: Place) -> None:
    fail = options.fail_usage
    if not sources:
        fail("there is a source and a destination to be named")
    if isinstance(destination, Stdio) and (len(sources) > 1 or options.recursive or options.move):
        fail("only one object goes to stdout; cat takes several")
    for source in sources:
        if not isinstance(source, S3Path) and not isinstance(destination, S3Path):
            fail(f"neither {source} nor {destination} is an s3:// path")
        if isinstance(source, Stdio) and (len(sources) > 1 or options.move or _is_folder(destination)):
            fail("stdin goes to one object: cp - s3://BUCKET/KEY")
        if options.recursive and lies_in(destination, source):
            fail(f"{destination} lies in {source}")


def lies_in(inner: Place, outer: Place) -> bool:
    return isinstance(inner, S3Path) and isinstance(outer, S3Path) and inner.is_below(outer)


def _is_folder(destination: Place) -> bool:
    return isinstance(destination, S3Path) and (destination.is_root or destination.key.endswith("/"))


class Plan:
    """From a source to jobs."""

    def __init__(self, client: Client, destination: Place, options: argparse.Namespace) -> None:
        self._client = client
        self._destination = destination
        self._recursive: bool = options.recursive
        self._raw: bool = options.raw
        self._excluded = Excluded(options.exclude)
        self._into_folder = len(options.paths) > 2

    def items(self, source: Place) -> Iterator[Item]:
        """What one source comes to."""
        if isinstance(source, S3Path):
            return self._of_store(source)
        if isinstance(source, LocalPath):
            return self._of_machine(source)
        return iter([Job(source, self._destination)])

    def _of_store(self, source: S3Path) -> Iterator[Item]:
        if not self._raw and literal_beginning(source.key) is not None:
            base = folder_of(literal_beginning(source.key) or "")
            found = matching(self._client, source)
            # A pattern that fits what it makes would go on for ever.
            yield from self._several(source, (entry for entry in found if not self._is_made(entry)), base)
        elif self._recursive:
            yield from self._several(source, in_folder(self._client, source), source.below)
        elif source.is_root or source.key.endswith("/"):
            yield Refused(source, ConfigError("it is a folder; give -r"))
        else:
            yield self._single(source, source.key.rpartition("/")[2])

    def _is_made(self, entry: ObjectInfo) -> bool:
        destination = self._destination
        if not isinstance(destination, S3Path) or destination.bucket != entry.bucket or not destination.below:
            return False
        return entry.key.startswith(destination.below)

    def _several(self, source: S3Path, entries: Iterable[ObjectInfo], base: str) -> Iterator[Item]:
        empty = True
        for entry in entries:
            empty = False
            relative = entry.key[len(base) :]
            if not self._excluded(relative):
                yield from item_below(self._destination, S3Path(entry.bucket, entry.key), relative, entry)
        if empty:
            yield Refused(source, FileNotFoundError("there is nothing"))

    def _of_machine(self, source: LocalPath) -> Iterator[Item]:
        if not os.path.isdir(source.path):
            yield self._single(source, os.path.basename(source.path))
        elif self._recursive:
            for relative, path in local_files(source.path):
                if not self._excluded(relative):
                    size = os.path.getsize(path) if os.path.isfile(path) else 0
                    yield Job(LocalPath(path), below(self._destination, relative), size)
        else:
            yield Refused(source, ConfigError("it is a folder; give -r"))

    def _single(self, source: S3Path | LocalPath, name: str) -> Item:
        destination = self._destination
        try:
            if self._into_folder or self._names_folder():
                destination = below(destination, name)
        except S3Error as error:
            return Refused(source, error)
        if destination == source:
            return Refused(source, ConfigError("source and destination are the same"))
        return Job(source, destination, self._size(source))

    def _names_folder(self) -> bool:
        destination = self._destination
        return destination.is_folder if isinstance(destination, LocalPath) else _is_folder(destination)

    def _size(self, source: S3Path | LocalPath) -> int:
        """For the progress bar alone; of an object it becomes known when it comes."""
        if isinstance(source, LocalPath) and os.path.isfile(source.path):
            return os.path.getsize(source.path)
        return 0


def below(destination: Place, relative: str) -> Place:
    """The place of a relative path below a destination. UnsafeName if it would lie elsewhere."""
    if isinstance(destination, S3Path):
        return S3Path(destination.bucket, destination.below + relative)
    if isinstance(destination, LocalPath):
        return LocalPath(os.path.join(destination.path, file_name(relative)))
    return destination


def item_below(destination: Place, source: S3Path, relative: str, entry: ObjectInfo) -> Iterator[Item]:
    """The job for one listed object; none for what only marks a folder."""
    if relative == "" or _is_marker(destination, entry):
        return
    try:
        yield Job(source, below(destination, relative), entry.size, entry)
    except S3Error as error:
        yield Refused(source, error)


def _is_marker(destination: Place, entry: ObjectInfo) -> bool:
    """Files need no markers of folders."""
    return isinstance(destination, LocalPath) and not entry.size and entry.key.endswith(("/", FOLDER_MARKER))


def local_files(folder: str) -> Iterator[tuple[str, str]]:
    """(path below the folder with "/", path) of all that is no folder. Links are followed, but not round in circles.

    OSError if a folder cannot be read: what would be left out silently is an error.
    """
    pending = [("", folder, frozenset[tuple[int, int]]())]
    while pending:
        relative, path, above = pending.pop()
        status = os.stat(path)
        here = (status.st_dev, status.st_ino)
        if here in above:
            continue
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            name = f"{relative}{entry.name}"
            if entry.is_dir():
                pending.append((f"{name}/", entry.path, above | {here}))
            else:
                yield name, entry.path

"""cp and mv: which objects go where.

One source goes to a file, or into a folder that is named with a slash at its end or is there. Several sources, a
pattern or -r go into a folder in any case: what lies below the source folder (or below the last folder before the first
wildcard) keeps its path below the destination. No download is ever written outside its destination.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from ..client import Client
from ..errors import ConfigError, S3Error
from ..filesystem import FOLDER_MARKER, FileSystem, S3Path
from ..globs import literal_directory
from ..protocol.operations.objects import ObjectInfo
from .output import Output
from .places import LocalPath, Place, Stdio, UnsafeName, excluded, file_name, is_pattern, matching
from .transfers import Job, Transfers


def cp(client: Client, output: Output, options: argparse.Namespace) -> None:
    """Copy files and objects; - is stdin or stdout. With several sources, a pattern or -r the destination is a folder.
    Wildcards of s3:// paths are * ? [..]; "*" matches "/" too. Exit status 3: some were copied and some were not.

    examples:
      s3target cp report.csv s3://logs/2026/
      s3target cp s3://logs/2026/report.csv .
      s3target cp -r s3://logs/2026/ ./2026
      s3target cp 's3://logs/2026/*.gz' s3://archive/2026/
      pg_dump shop | gzip | s3target cp - s3://backup/shop.sql.gz
      s3target cp --set StorageClass=STANDARD_IA --set ContentType=text/csv a.csv s3://logs/
    """
    _copy(client, output, options, "cp")


def mv(client: Client, output: Output, options: argparse.Namespace) -> None:
    """Copy as cp does, and remove each source once its copy is there.

    examples:
      s3target mv s3://inbox/a.csv s3://done/a.csv
      s3target mv -r s3://logs/tmp/ s3://logs/2026/
      s3target mv report.csv s3://logs/
    """
    _copy(client, output, options, "mv")


def _copy(client: Client, output: Output, options: argparse.Namespace, verb: str) -> None:
    *sources, destination = options.paths
    if fault := _fault(options, verb == "mv", sources, destination):
        options.fail_usage(fault)
    plan = _Plan(client, output, destination, options)
    jobs = chain.from_iterable(map(plan.jobs, sources))
    Transfers(client, output, options, verb).run(_apart(jobs) if len(sources) > 1 else jobs)


def _fault(options: argparse.Namespace, move: bool, sources: list[Place], destination: Place) -> str:
    if not sources:
        return "there is a source and a destination to be named"
    several = len(sources) > 1 or options.recursive or is_pattern(sources[0], options.raw)
    if isinstance(destination, Stdio) and (several or move):
        return "only one object goes to stdout; cat takes several"
    for source in sources:
        if not isinstance(source, S3Path) and not isinstance(destination, S3Path):
            return f"neither {source} nor {destination} is an s3:// path"
        if isinstance(source, Stdio) and (len(sources) > 1 or move or _is_folder(destination)):
            return "stdin goes to one object: cp - s3://BUCKET/KEY"
        if options.recursive and lies_in(destination, source):
            return f"{destination} lies in {source}"
    return ""


def _apart(jobs: Iterable[Job]) -> Iterator[Job]:
    """No two sources to one destination: the later would replace the other, which mv has removed."""
    taken: dict[Place, Place] = {}
    for job in jobs:
        other = taken.get(job.destination)
        if job.fault or other is None:
            yield job
        elif other != job.source:  # else it has been named twice
            yield job._replace(fault=ConfigError(f"{other} goes to {job.destination} too"))
        if not job.fault:
            taken.setdefault(job.destination, job.source)


def lies_in(inner: Place, outer: Place) -> bool:
    return isinstance(inner, S3Path) and isinstance(outer, S3Path) and inner.is_below(outer)


def _is_folder(place: Place) -> bool:
    """Whether a destination is a folder, or is written as one."""
    if isinstance(place, LocalPath):
        return place.path.endswith(("/", os.sep)) or os.path.isdir(place.path)
    return isinstance(place, S3Path) and (place.is_root or place.key.endswith("/"))


class _Plan:
    def __init__(self, client: Client, output: Output, destination: Place, options: argparse.Namespace) -> None:
        self._client, self._failure, self._destination = client, output.failure, destination
        self._recursive, self._raw = options.recursive, options.raw
        self._excluded = excluded(options.exclude)
        self._into_folder = len(options.paths) > 2 or _is_folder(destination)

    def jobs(self, source: Place) -> Iterator[Job]:
        if isinstance(source, S3Path):
            return self._of_store(source)
        if isinstance(source, LocalPath):
            return self._of_machine(source)
        return iter([Job(source, self._destination)])

    def _of_store(self, source: S3Path) -> Iterator[Job]:
        if is_pattern(source, self._raw):
            yield from self._several(source, matching(self._client, source), literal_directory(source.key))
        elif self._recursive:
            yield from self._several(source, FileSystem(self._client).list(source), source.below)
        elif _is_folder(source):
            yield self._refused(source, ConfigError("it is a folder; give -r"))
        else:
            yield from self._single(source, source.key.rpartition("/")[2])

    def _several(self, source: S3Path, entries: Iterable[ObjectInfo], base: str) -> Iterator[Job]:
        empty, origin, to = True, S3Path(source.bucket, base), self._destination
        # A pattern that fits what it makes would go on for ever.
        inside = isinstance(to, S3Path) and lies_in(to, origin) and to.below != base
        for entry in entries:
            path = S3Path(entry.bucket, entry.key)
            if inside and lies_in(path, to):
                continue
            empty = False
            relative = origin.name_of(entry.key)
            marker = is_marker(entry) and isinstance(to, LocalPath)
            if relative and not marker and not self._excluded(relative):
                job = job_below(to, relative, path, entry.size, entry)
                if not inside and lies_in(job.destination, origin):
                    job = self._refused(path, ConfigError(f"its copy, {job.destination}, would lie among the sources"))
                yield job
        if empty:
            yield self._refused(source, FileNotFoundError("there is nothing"))

    def _of_machine(self, source: LocalPath) -> Iterator[Job]:
        if not os.path.isdir(source.path):
            yield from map(sized, self._single(source, os.path.basename(source.path)))
        elif self._recursive:
            for relative, path in local_files(source.path, self._excluded, lambda _, error: self._failure(error)):
                yield sized(job_below(self._destination, relative, LocalPath(path)))
        else:
            yield self._refused(source, ConfigError("it is a folder; give -r"))

    def _refused(self, source: Place, why: S3Error | OSError) -> Job:
        return Job(source, self._destination, fault=why)

    def _single(self, source: Place, name: str) -> Iterator[Job]:
        job = job_below(self._destination, name, source) if self._into_folder else Job(source, self._destination)
        if job.destination == source:
            yield self._refused(source, ConfigError("source and destination are the same"))
        elif not self._excluded(name):
            yield job


def sized(job: Job) -> Job:
    """With the size of the file that is its source, or what is wrong with that."""
    try:
        return job._replace(size=os.stat(str(job.source)).st_size)
    except OSError as error:
        return job._replace(fault=error)


def is_marker(entry: ObjectInfo) -> bool:
    """Whether it only marks a folder."""
    return not entry.size and entry.key.endswith(("/", FOLDER_MARKER))


def job_below(destination: Place, relative: str, source: Place, size: int = 0, entry: ObjectInfo | None = None) -> Job:
    """From a source to a relative path below a destination; its fault if that would lie elsewhere."""
    if isinstance(destination, S3Path):
        return Job(source, S3Path(destination.bucket, destination.below + relative), size, entry)
    if isinstance(destination, Stdio):
        return Job(source, destination, size, entry)
    try:
        return Job(source, LocalPath(os.path.join(destination.path, file_name(relative))), size, entry)
    except UnsafeName as error:
        return Job(source, destination, fault=error)


def local_files(
    folder: str, out: Callable[[str], bool], failed: Callable[[str, OSError], None]
) -> Iterator[tuple[str, str]]:
    """(path below the folder with "/", path) of all that is no folder. Links are followed, but not round in circles.

    out: whether a path below the folder is left out. failed: told of each folder that cannot be read; the rest comes.
    """
    pending = [("", folder, frozenset[tuple[int, int]]())]
    while pending:
        relative, path, above = pending.pop()
        try:
            status = os.stat(path)
            here = (status.st_dev, status.st_ino)
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name) if here not in above else []
        except OSError as error:
            if not out(relative):
                failed(relative, error)
            continue
        for entry in found:
            name = f"{relative}{entry.name}"
            if _leads_to_folder(entry):
                pending.append((f"{name}/", entry.path, above | {here}))
            elif not out(name):
                yield name, entry.path


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads where nobody may look, or to itself
        return False

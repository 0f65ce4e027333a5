"""sync: make a folder like another one, by copying what differs.

What differs: what is not there, has another size, or is older than the source. --size-only: by size alone. --checksum:
by size and ETag; where an ETag is no checksum of the content (SSE-KMS, some stores' multipart uploads) that copies once
more than need be. --delete removes what the source has not, and only after all copies went well; never through a
symbolic link in the folder. A folder that cannot be read is told, and what lies there left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Iterator

from ..client import Client
from ..errors import ConfigError
from ..filesystem import FileSystem, S3Path
from ..protocol.operations.objects import ObjectInfo
from ..transfer.plan import MIB, part_count
from ..value import Any, NamedTuple
from .copying import is_marker, job_below, lies_in, local_files, sized
from .output import Output
from .places import LocalPath, Place, Stdio, excluded, folded, same_file
from .removing import remove, tell_removed
from .transfers import Job, Transfers


class Seen(NamedTuple):
    """One file or object. size: -1 of a file that cannot be looked at. entry: of an object.

    mark: what is compared where sizes are the same: seconds since 1970, or by checksum the ETag, "" of a file.
    """

    place: Place
    size: int
    mark: Any
    entry: ObjectInfo | None = None


_State = tuple[int, Any]
"""Size and mark."""
_ABSENT: _State = (-2, None)


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
    plan = _Plan(client, output, options)
    if not isinstance(source, S3Path):
        os.scandir(str(source)).close()  # OSError if it is no folder, or not there
    Transfers(client, output, options).run(plan.jobs())
    surplus = plan.surplus()
    if options.delete and output.status:
        output.failure(ConfigError("nothing is deleted, since not all could be copied"))
    elif options.delete and plan.empty and surplus:
        gone = f"{source} has nothing, so all of {destination} would go; use rm -r for that"
        output.failure(ConfigError(gone))
    elif options.delete:
        _delete(client, output, destination, surplus)


def _fault(options: argparse.Namespace, source: Place, destination: Place) -> str:
    if isinstance(source, Stdio) or isinstance(destination, Stdio):
        return "sync is for folders; cp knows -"
    if not isinstance(source, S3Path) and not isinstance(destination, S3Path):
        return f"neither {source} nor {destination} is an s3:// path"
    if lies_in(source, destination) or lies_in(destination, source):
        return f"{source} and {destination} lie in one another"
    return "give --size-only or --checksum, not both" if options.size_only and options.checksum else ""


class _Plan:
    """Compares. It looks at the destination when it is made, and keeps little of it in memory for each name.

    empty: the source has nothing at all, once jobs() is through.
    """

    def __init__(self, client: Client, output: Output, options: argparse.Namespace) -> None:
        self._client, self._output, self._options = client, output, options
        self._excluded = excluded(options.exclude)
        self._unread: list[str] = []
        there = self._look(options.destination)
        self._there: dict[str, _State | None] = {name: (seen.size, seen.mark) for name, seen in there}
        self._spelled: dict[str, str] | None = None
        self._owners: dict[str, str] = {}
        self.empty = True

    def jobs(self) -> Iterator[Job]:
        """What is to be copied."""
        for name, seen in self._look(self._options.source):
            self.empty = False
            if any(map(name.startswith, self._unread)):
                continue
            job = job_below(self._options.destination, name, seen.place, seen.size, seen.entry)
            fault: OSError | ConfigError | None = None
            try:
                if self._is_there(name, seen):
                    continue
            except (OSError, ConfigError) as error:
                fault = error
            yield job._replace(fault=fault) if fault else job if seen.entry else sized(job)

    def _is_there(self, name: str, seen: Seen) -> bool:
        """Whether the destination has the same. ConfigError if it has only a file in which another name lies."""
        spelled = self._spelling(name)
        there = self._there.get(spelled, _ABSENT)
        if there is None:
            if self._owners.get(spelled, spelled) != name:
                raise same_file(name)
            return True
        if there is not _ABSENT:
            self._there[spelled] = None  # the source has it
        if spelled != name:
            self._owners[spelled] = name
        return there[0] == seen.size and self._is_same(name, seen, there[1])

    def _spelling(self, name: str) -> str:
        """How the destination spells it, where the file system takes several spellings for one name."""
        folder = self._options.destination
        if name in self._there or not isinstance(folder, LocalPath) or not self._there:
            return name
        if not os.path.lexists(os.path.join(folder.path, name)):
            return name
        if self._spelled is None:
            self._spelled = {folded(each): each for each in self._there}
        return self._spelled.get(folded(name), name)

    def surplus(self) -> list[str]:
        """What the source has not, once jobs() is through."""
        return [name for name, there in self._there.items() if there is not None]

    def _look(self, folder: Place) -> Iterator[tuple[str, Seen]]:
        """(path below the folder, what is there)."""
        if isinstance(folder, S3Path):
            for entry in FileSystem(self._client).list(folder):
                name = folder.name_of(entry.key)
                if name and not is_marker(entry) and not self._excluded(name):
                    mark = entry.e_tag if self._options.checksum else entry.last_modified.timestamp()
                    yield name, Seen(S3Path(entry.bucket, entry.key), entry.size, mark, entry)
        elif os.path.isdir(str(folder)):
            for name, path in local_files(str(folder), self._excluded, self._cannot_read):
                yield name, self._seen(path)

    def _seen(self, path: str) -> Seen:
        try:
            status = os.stat(path)
        except OSError:  # it is gone, or a link to nothing: if it is to be copied, that is told
            return Seen(LocalPath(path), -1, 0.0)
        return Seen(LocalPath(path), status.st_size, "" if self._options.checksum else status.st_mtime)

    def _cannot_read(self, name: str, error: OSError) -> None:
        self._unread.append(name)
        self._output.failure(error)

    def _is_same(self, name: str, source: Seen, mark: Any) -> bool:
        """Whether what has the same size is the same. OSError if a file cannot be read."""
        if self._options.size_only:
            return True
        if not self._options.checksum:
            return bool(source.mark <= mark)
        if isinstance(source.place, LocalPath):
            return is_etag_of(mark, source.place.path, source.size)
        if isinstance(self._options.destination, LocalPath):
            return is_etag_of(source.mark, os.path.join(self._options.destination.path, name), source.size)
        return bool(mark) and source.mark == mark


def _delete(client: Client, output: Output, destination: Place, surplus: list[str]) -> None:
    if isinstance(destination, S3Path):
        remove(client, output, destination.bucket, (destination.below + name for name in surplus))
        return
    home = os.path.realpath(str(destination))
    for name in surplus:
        path = os.path.join(str(destination), name)
        folder = os.path.normpath(os.path.join(home, os.path.dirname(name)))
        if os.path.realpath(os.path.dirname(path)) != folder:
            continue
        with output.attempt():
            if not output.dry_run:
                os.unlink(path)
            tell_removed(output, path)


# ---------------------------------------------------------------------------- of what content an ETag is the checksum


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
        while piece := file.read(min(left, MIB)):
            digest.update(piece)
            left -= len(piece)
    return digest

"""rm: by key, by pattern, by folder. Asks nothing; --dry-run shows. What cannot be removed is told, the rest goes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice

from ..client import Client
from ..errors import NoSuchKey, S3Error, ServiceError
from ..filesystem import FOLDER_MARKER, FileSystem, S3Path
from ..protocol.operations.listing import MAX_KEYS_PER_DELETE, DeleteObjects
from ..protocol.operations.objects import DeleteObject
from ..protocol.xml import expressible
from ..transfer.workers import run_all
from .arguments import client_of, declare
from .output import Output, Tally
from .places import Excluded, literal_beginning, s3_path, select


def rm(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "Remove objects, without asking. A single key need not be there.",
        [
            "rm s3://logs/old.gz s3://logs/older.gz",
            "rm --dry-run 's3://logs/2025/*.tmp'",
            "rm -r s3://logs/2025/",
            "rm -r --exclude '*/_SUCCESS' s3://logs/2025/",
        ],
    )
    parser.add_argument("paths", nargs="+", type=s3_path, metavar="s3://BUCKET/KEY")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders, with all that is below them")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be removed")
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="leave out keys that fit")
    parser.add_argument("--raw", action="store_true", help="* ? [ are characters like any other")
    parser.set_defaults(run=_rm, fail_usage=parser.error)


def _rm(options: argparse.Namespace) -> int:
    for path in options.paths:
        if not options.recursive and (path.is_root or path.key.endswith("/")):
            options.fail_usage(f"{path} is a folder; give -r to remove all that is below it")
    with closing(client_of(options)) as client:
        remover = Remover(client, Output(options), options.dry_run)
        excluded = Excluded(options.exclude)
        for path in options.paths:
            keys = _doomed(client, path, options)
            remover.remove(path, (key for key in keys if not excluded(key)))
    return remover.tally.status


def _doomed(client: Client, path: S3Path, options: argparse.Namespace) -> Iterator[str]:
    wild = not options.raw and literal_beginning(path.key) is not None
    if not wild and not options.recursive:
        yield path.key
        return
    if not wild and not path.is_root:
        marker = path.key.removesuffix("/") + FOLDER_MARKER
        if FileSystem(client).info(S3Path(path.bucket, marker)):
            yield marker
    for entry in select(client, path, recursive=options.recursive, raw=options.raw):
        yield entry.key


class Remover:
    """Removes keys a thousand at a time, and tells of each."""

    def __init__(self, client: Client, output: Output, dry_run: bool) -> None:
        self._client = client
        self._output = output
        self._dry_run = dry_run
        self.tally = Tally()

    def remove(self, path: S3Path, keys: Iterator[str]) -> None:
        """keys: of path's bucket. It is a failure if there are none, unless path is a whole bucket."""
        jobs = (partial(self._batch, path.bucket, batch) for batch in _batches(keys))
        if not sum(run_all(jobs, threads=4)) and not path.is_root:
            self._output.failure(NoSuchKey(404, "NoSuchKey", "there is nothing", bucket=path.bucket, key=path.key))
            self.tally.add(failed=1)

    def remove_files(self, paths: Iterable[str]) -> None:
        """Files of this machine."""
        for path in paths:
            try:
                if not self._dry_run:
                    os.unlink(path)
            except OSError as error:
                self._output.failure(error)
                self.tally.add(failed=1)
            else:
                self._tell(path)
                self.tally.add(done=1)

    def _batch(self, bucket: str, keys: list[str]) -> int:
        failures = {} if self._dry_run else remove_keys(self._client, bucket, keys)
        for key in keys:
            if key in failures:
                self._output.failure(failures[key])
            else:
                self._tell(f"s3://{bucket}/{key}")
        self.tally.add(len(keys) - len(failures), len(failures))
        return len(keys)

    def _tell(self, url: str) -> None:
        status = "planned" if self._dry_run else "ok"
        text = f"(dry run) rm {url}" if self._dry_run else f"rm {url}"
        self._output.tell(text, {"operation": "rm", "url": url, "status": status})


def remove_keys(client: Client, bucket: str, keys: Iterable[str]) -> dict[str, S3Error]:
    """Remove up to 1000 objects; the error of each that stays."""
    plain, failures = [], {}
    for key in keys:
        if expressible(key):
            plain.append(key)
        elif (error := _remove_one(client, bucket, key)) is not None:
            failures[key] = error
    if len(plain) == 1:
        error = _remove_one(client, bucket, plain[0])
        return failures | ({plain[0]: error} if error else {})
    try:
        refused = client.call(DeleteObjects(bucket, tuple(plain))).errors if plain else ()
    except S3Error as failed:
        return failures | dict.fromkeys(plain, failed)
    for key, code, text in refused:
        failures[key] = ServiceError(200, code, text, operation="DeleteObjects", bucket=bucket, key=key)
    return failures


def _remove_one(client: Client, bucket: str, key: str) -> S3Error | None:
    try:
        client.call(DeleteObject(bucket, key))
    except S3Error as error:
        return error
    return None


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, MAX_KEYS_PER_DELETE)):
        yield batch

"""ls and du."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing

from ..client import Client
from ..errors import NoSuchKey
from ..filesystem import FileSystem, S3Path
from ..protocol.operations.objects import ObjectInfo
from .arguments import client_of, declare
from .buckets import all_buckets
from .output import DONE, FAILED, Output, object_record
from .places import folder_of, in_folder, literal_beginning, matching, s3_path, select
from .units import human_size, moment


def ls(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "List buckets, or what begins with a path: folders end with a slash. Fails if there is nothing.\n"
        'Wildcards are * ? [..]; "*" matches "/" too.',
        [
            "ls",
            "ls s3://logs/2026/            what lies in the folder",
            "ls -r s3://logs/2026/         all objects below it",
            "ls 's3://logs/2026/*.gz'      those that fit",
            "ls --json s3://logs/2026/     one JSON object a line",
        ],
    )
    parser.add_argument("path", nargs="?", type=s3_path, metavar="s3://BUCKET/PREFIX")
    parser.add_argument("-r", "--recursive", action="store_true", help="all objects below, not folders")
    parser.add_argument("-H", "--human-readable", action="store_true", help="sizes as 1.5 KiB")
    parser.add_argument("--raw", action="store_true", help="* ? [ are characters like any other")
    parser.set_defaults(run=_ls)


def _ls(options: argparse.Namespace) -> int:
    with closing(client_of(options)) as client:
        lines = _Lines(Output(options), options.human_readable)
        path: S3Path | None = options.path
        if path is None:
            lines.buckets(client)
        elif not options.raw and literal_beginning(path.key) is not None:
            lines.objects(matching(client, path), "")
        elif options.recursive:
            lines.objects(_beginning_with(client, path), "")
        else:
            lines.one_level(client, path)
    return DONE if lines.count or path is None or path.is_root else FAILED


def _beginning_with(client: Client, path: S3Path) -> Iterator[ObjectInfo]:
    for page in FileSystem(client).pages(path.bucket, path.key):
        yield from page.objects


class _Lines:
    """Prints entries and counts them."""

    def __init__(self, output: Output, human: bool) -> None:
        self._output = output
        self._human = human
        self.count = 0

    def buckets(self, client: Client) -> None:
        for bucket in all_buckets(client):
            record = {"type": "bucket", "url": f"s3://{bucket.name}/", "created": bucket.created.isoformat()}
            self._output.tell(f"{moment(bucket.created)}  s3://{bucket.name}/", record)

    def objects(self, entries: Iterator[ObjectInfo], base: str) -> None:
        """base: the beginning of keys that is not shown."""
        for entry in entries:
            self.count += 1
            size = human_size(entry.size) if self._human else str(entry.size)
            text = f"{moment(entry.last_modified)} {size:>12} {entry.key[len(base) :]}"
            self._output.tell(text, object_record(entry))

    def one_level(self, client: Client, path: S3Path) -> None:
        base = folder_of(path.key)
        for page in FileSystem(client).pages(path.bucket, path.key, "/"):
            for prefix in page.prefixes:
                self.count += 1
                record = {"type": "prefix", "url": f"s3://{path.bucket}/{prefix}", "key": prefix}
                self._output.tell(f"{'':19} {'folder':>12} {prefix[len(base) :]}", record)
            self.objects(iter(page.objects), base)


def du(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "Add up sizes: of an object, of all below a folder, of what fits a pattern.",
        ["du s3://logs/2026/", "du -H 's3://logs/*.gz' s3://reports"],
    )
    parser.add_argument("paths", nargs="+", type=s3_path, metavar="s3://BUCKET/PREFIX")
    parser.add_argument("-H", "--human-readable", action="store_true", help="sizes as 1.5 KiB")
    parser.add_argument("--raw", action="store_true", help="* ? [ are characters like any other")
    parser.set_defaults(run=_du)


def _du(options: argparse.Namespace) -> int:
    output, status = Output(options), DONE
    with closing(client_of(options)) as client:
        for path in options.paths:
            sizes = [entry.size for entry in _measured(client, path, options.raw)]
            if not sizes and not path.is_root:
                output.failure(_nothing(path))
                status = FAILED
                continue
            size = human_size(sum(sizes)) if options.human_readable else str(sum(sizes))
            record = {"type": "total", "url": str(path), "size": sum(sizes), "objects": len(sizes)}
            output.tell(f"{size}\t{len(sizes)} objects\t{path}", record)
    return status


def _measured(client: Client, path: S3Path, raw: bool) -> Iterator[ObjectInfo]:
    return in_folder(client, path) if path.is_root else select(client, path, recursive=True, raw=raw)


def _nothing(path: S3Path) -> NoSuchKey:
    return NoSuchKey(404, "NoSuchKey", "there is nothing", bucket=path.bucket, key=path.key)

"""ls, du, stat, cat and presign: the commands that change nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime

from ..client import Client
from ..errors import NotFound
from ..filesystem import FileSystem, S3Path
from ..protocol.operations.buckets import HeadBucket, ListBuckets
from ..protocol.operations.objects import GetObject, HeadObject, ObjectInfo, PutObject
from ..value import Any
from .output import Output, human_size, moment, object_record
from .places import folder_of, is_pattern, matching, nothing, select


def ls(client: Client, output: Output, options: argparse.Namespace) -> None:
    """List buckets, or what begins with a path: folders end with a slash. Fails if there is nothing.
    Wildcards are * ? [..]; "*" matches "/" too.

    examples:
      s3target ls
      s3target ls s3://logs/2026/            what lies in the folder
      s3target ls -r s3://logs/2026/         all objects below it
      s3target ls 's3://logs/2026/*.gz'      those that fit
      s3target ls --json s3://logs/2026/     one JSON object a line
    """
    path: S3Path | None = options.path
    if path is None:
        _list_buckets(client, output)
        return
    if is_pattern(path, options.raw):
        count = _tell_objects(matching(client, path), output, options)
    else:
        count = _tell_pages(client, path, output, options)
    if not count and not path.is_root:
        output.failure(nothing(path))


def _list_buckets(client: Client, output: Output) -> None:
    token: str | None = ""
    while token is not None:
        buckets, token = client.call(ListBuckets(token or None))
        for name, created in buckets:
            record = {"type": "bucket", "url": f"s3://{name}/", "created": created.isoformat()}
            output.tell(f"{moment(created)}  s3://{name}/", record)


def _tell_objects(entries: Iterable[ObjectInfo], output: Output, options: argparse.Namespace, base: str = "") -> int:
    """base: the beginning of keys that is not shown. Gives how many there were."""
    count = 0
    for entry in entries:
        count += 1
        size = human_size(entry.size) if options.human_readable else str(entry.size)
        output.tell(f"{moment(entry.last_modified)} {size:>12} {entry.key.removeprefix(base)}", object_record(entry))
    return count


def _tell_pages(client: Client, path: S3Path, output: Output, options: argparse.Namespace) -> int:
    delimiter, base = ("", "") if options.recursive else ("/", folder_of(path.key))
    count = 0
    for page in FileSystem(client).pages(path.bucket, path.key, delimiter):
        for prefix in page.prefixes:
            record = {"type": "prefix", "url": f"s3://{path.bucket}/{prefix}", "key": prefix}
            output.tell(f"{'':19} {'folder':>12} {prefix.removeprefix(base)}", record)
        count += len(page.prefixes) + _tell_objects(page.objects, output, options, base)
    return count


def du(client: Client, output: Output, options: argparse.Namespace) -> None:
    """Add up sizes: of an object, of all below a folder, of what fits a pattern.

    examples:
      s3target du s3://logs/2026/
      s3target du -H 's3://logs/*.gz' s3://reports
    """
    for path in options.paths:
        with output.attempt():
            count = total = 0
            for entry in select(client, path, options.raw):
                count, total = count + 1, total + entry.size
            if not count and not path.is_root:
                raise nothing(path)
            size = human_size(total) if options.human_readable else str(total)
            record = {"type": "total", "url": str(path), "size": total, "objects": count}
            output.tell(f"{size}\t{count} objects\t{path}", record)


def cat(client: Client, output: Output, options: argparse.Namespace) -> None:
    """Write objects to stdout, one after the other. A connection that breaks is resumed.

    examples:
      s3target cat s3://logs/a.csv
      s3target cat 's3://logs/2026/*.csv' | sort | uniq -c
      s3target cat s3://logs/a.gz | zcat | head
    """
    from .transfers import copy_out

    for path in options.paths:
        with output.attempt():
            wild, written = is_pattern(path, options.raw), False
            for key in (entry.key for entry in matching(client, path)) if wild else (path.key,):
                copy_out(client, S3Path(path.bucket, key), sys.stdout.buffer, version_id=options.version_id)
                written = True
            if not written:
                raise nothing(path)


def stat(client: Client, output: Output, options: argparse.Namespace) -> None:
    """What the store tells of objects, folders or buckets. Fails if one is not there.

    examples:
      s3target stat s3://logs/a.csv
      s3target stat --json s3://logs/a.csv s3://logs
      s3target stat -q s3://logs/_SUCCESS && echo done
    """
    for path in options.paths:
        with output.attempt():
            record = _facts(client, path, options.version_id)
            for line in [""] if output.json else _table(record):
                output.tell(line, record)


_SHOWN_HEADERS = (
    *("content-type", "content-encoding", "content-language", "content-disposition", "cache-control", "expires"),
    *("x-amz-version-id", "x-amz-server-side-encryption", "x-amz-expiration", "x-amz-restore", "x-amz-tagging-count"),
    *("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"),
)


def _facts(client: Client, path: S3Path, version_id: str | None) -> dict[str, Any]:
    if path.is_root:
        return {"type": "bucket", "url": str(path), "region": client.call(HeadBucket(path.bucket))}
    try:
        info = client.call(HeadObject(path.bucket, path.key, {}, version_id))
    except NotFound:
        if version_id is None and FileSystem(client).isdir(path):
            return {"type": "folder", "url": f"s3://{path.bucket}/{path.below}"}
        raise
    headers = {name: info.headers[name] for name in _SHOWN_HEADERS if name in info.headers}
    return {**object_record(info), **headers, "metadata": info.metadata}


def _table(record: dict[str, Any]) -> Iterator[str]:
    for name, value in record.items():
        if name in ("bucket", "key") or value in (None, "", {}):
            continue
        if name == "metadata":
            yield from (f"{'x-amz-meta-' + key:<20} {text}" for key, text in value.items())
            continue
        if name == "size" and value >= 1024:
            value = f"{value} ({human_size(value)})"
        elif name == "modified":
            value = moment(datetime.fromisoformat(value))
        yield f"{name:<20} {value}"


def presign(client: Client, output: Output, options: argparse.Namespace) -> None:
    """A URL by which anyone can read (or, with --put, write) an object, until it expires or the session that
    signed it ends. Nothing is asked of the store, so the object need not be there.

    examples:
      s3target presign s3://logs/a.csv
      s3target presign --expires 7d s3://logs/a.csv
      s3target presign --put s3://inbox/x    then: curl -T file URL
      s3target presign --version-id ID s3://logs/a.csv
    """
    if options.put and options.version_id:
        options.fail_usage("--version-id is of an object that is there; --put writes a new one")
    bucket, key = options.path
    read = GetObject(bucket, key, version_id=options.version_id)
    url = client.presign(PutObject(bucket, key) if options.put else read, options.expires)
    output.tell(url, {"url": url, "expires_in": options.expires})

"""cat, stat and presign."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from ..client import Client
from ..errors import NotFound, S3Error
from ..filesystem import FileSystem, S3Path
from ..protocol.operations.buckets import HeadBucket
from ..protocol.operations.objects import GetObject, HeadObject, ObjectInfo, PutObject
from .arguments import client_of, declare
from .output import Output, Tally, object_record
from .places import literal_beginning, matching, s3_path
from .units import duration, human_size, moment


def cat(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "Write objects to stdout, one after the other. A connection that breaks is resumed.",
        ["cat s3://logs/a.csv", "cat 's3://logs/2026/*.csv' | sort | uniq -c", "cat s3://logs/a.gz | zcat | head"],
    )
    parser.add_argument("paths", nargs="+", type=s3_path, metavar="s3://BUCKET/KEY")
    parser.add_argument("--version-id", metavar="ID", help="of the object, where the bucket keeps versions")
    parser.add_argument("--raw", action="store_true", help="* ? [ are characters like any other")
    parser.set_defaults(run=_cat)


def _cat(options: argparse.Namespace) -> int:
    from .streaming import copy_out

    output, tally = Output(options), Tally()
    with closing(client_of(options)) as client:
        for path in options.paths:
            try:
                for key in _keys(client, path, options.raw):
                    copy_out(client, S3Path(path.bucket, key), sys.stdout.buffer, version_id=options.version_id)
                tally.add(done=1)
            except S3Error as error:
                output.failure(error)
                tally.add(failed=1)
    return tally.status


def _keys(client: Client, path: S3Path, raw: bool) -> Iterator[str]:
    if raw or literal_beginning(path.key) is None:
        yield path.key
        return
    empty = True
    for entry in matching(client, path):
        empty = False
        yield entry.key
    if empty:
        raise NotFound(404, "NotFound", "no key fits the pattern", bucket=path.bucket, key=path.key)


def stat(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "What the store tells of objects, folders or buckets. Fails if one is not there.",
        ["stat s3://logs/a.csv", "stat --json s3://logs/a.csv s3://logs", "stat -q s3://logs/_SUCCESS && echo done"],
    )
    parser.add_argument("paths", nargs="+", type=s3_path, metavar="s3://BUCKET/KEY")
    parser.add_argument("--version-id", metavar="ID", help="of the object, where the bucket keeps versions")
    parser.set_defaults(run=_stat)


def _stat(options: argparse.Namespace) -> int:
    output, tally = Output(options), Tally()
    with closing(client_of(options)) as client:
        for path in options.paths:
            try:
                record = _facts(client, path, options.version_id)
            except S3Error as error:
                output.failure(error)
                tally.add(failed=1)
                continue
            tally.add(done=1)
            for line in [""] if output.json else _table(record):
                output.tell(line, record)
    return tally.status


def _facts(client: Client, path: S3Path, version_id: str | None) -> dict[str, Any]:
    if path.is_root:
        region = client.call(HeadBucket(path.bucket))
        return {"type": "bucket", "url": str(path), "region": region}
    try:
        return _object_facts(client.call(HeadObject(path.bucket, path.key, {}, version_id)))
    except NotFound:
        if version_id is None and FileSystem(client).isdir(path):
            return {"type": "folder", "url": f"s3://{path.bucket}/{path.below}"}
        raise


_SHOWN_HEADERS = (
    *("content-type", "content-encoding", "content-language", "content-disposition", "cache-control", "expires"),
    *("x-amz-version-id", "x-amz-server-side-encryption", "x-amz-expiration", "x-amz-restore", "x-amz-tagging-count"),
    *("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"),
)


def _object_facts(info: ObjectInfo) -> dict[str, Any]:
    headers = {name: info.headers[name] for name in _SHOWN_HEADERS if name in info.headers}
    return {**object_record(info), **headers, "metadata": info.metadata}


def _table(record: dict[str, Any]) -> Iterator[str]:
    """The facts as lines."""
    for name, value in record.items():
        if name in ("bucket", "key") or value in (None, "", {}):
            continue
        if name == "metadata":
            yield from (f"{'x-amz-meta-' + key:<20} {text}" for key, text in value.items())
        else:
            yield f"{name:<20} {_readable(name, value)}"


def _readable(name: str, value: Any) -> str:
    if name == "size":
        return f"{value} ({human_size(value)})" if value >= 1024 else str(value)
    if name == "modified":
        from datetime import datetime

        return moment(datetime.fromisoformat(value))
    return str(value)


def presign(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "A URL by which anyone can read (or, with --put, write) an object, until it expires or the session that\n"
        "signed it ends. Nothing is asked of the store, so the object need not be there.",
        [
            "presign s3://logs/a.csv",
            "presign --expires 7d s3://logs/a.csv",
            "presign --put s3://inbox/x    then: curl -T file URL",
            "presign --version-id ID s3://logs/a.csv",
        ],
    )
    parser.add_argument("path", type=s3_path, metavar="s3://BUCKET/KEY")
    parser.add_argument("--expires", type=duration, default=3600, metavar="TIME", help="1h if not given, 7d at most")
    parser.add_argument("--put", action="store_true", help="to write the object")
    parser.add_argument("--version-id", metavar="ID", help="of the object, where the bucket keeps versions")
    parser.set_defaults(run=_presign)


def _presign(options: argparse.Namespace) -> int:
    path: S3Path = options.path
    operation: PutObject | GetObject = GetObject(path.bucket, path.key, version_id=options.version_id)
    if options.put:
        operation = PutObject(path.bucket, path.key)
    with closing(client_of(options)) as client:
        url = client.presign(operation, options.expires)
    Output(options).tell(url, {"url": url, "expires_in": options.expires})
    return 0

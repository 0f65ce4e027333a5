"""rm, mb, rb and uploads: what goes, and what buckets there are. They ask nothing; --dry-run shows.

What cannot be removed is told, the rest goes. An upload that was begun and never ended is stored, and billed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial

from ..client import Client
from ..errors import NoSuchUpload, S3Error, ServiceError
from ..filesystem import FOLDER_MARKER, FileSystem, S3Path, batches
from ..protocol.endpoint import Endpoint
from ..protocol.operations.buckets import CreateBucket, DeleteBucket
from ..protocol.operations.multipart import AbortMultipartUpload, ListMultipartUploads, Upload
from ..transfer.workers import run_all
from .output import Output, human_time, moment
from .places import excluded, is_pattern, nothing, select


def rm(client: Client, output: Output, options: argparse.Namespace) -> None:
    """Remove objects, without asking. A single key need not be there.

    examples:
      s3target rm s3://logs/old.gz s3://logs/older.gz
      s3target rm --dry-run 's3://logs/2025/*.tmp'
      s3target rm -r s3://logs/2025/
      s3target rm -r --exclude '*/_SUCCESS' s3://logs/2025/
    """
    for path in options.paths:
        if not options.recursive and (path.is_root or path.key.endswith("/")):
            options.fail_usage(f"{path} is a folder; give -r to remove all that is below it")
    out = excluded(options.exclude)
    for path in options.paths:
        keys = (key for key in _doomed(client, path, options) if not out(key))
        if not remove(client, output, path.bucket, keys) and not path.is_root:
            output.failure(nothing(path))
        if options.recursive and not (options.exclude or output.dry_run or is_pattern(path, options.raw)):
            try:
                FileSystem(client).remove_signs(path)  # JuiceFS keeps the folders
            except S3Error as error:
                output.failure(error)


def _doomed(client: Client, path: S3Path, options: argparse.Namespace) -> Iterator[str]:
    wild = is_pattern(path, options.raw)
    if not wild and not options.recursive:
        yield path.key
        return
    if not wild and not path.is_root:
        marker = path.key.removesuffix("/") + FOLDER_MARKER
        if FileSystem(client).info(S3Path(path.bucket, marker)):
            yield marker
    for entry in select(client, path, options.raw):
        yield entry.key


def remove(client: Client, output: Output, bucket: str, keys: Iterator[str]) -> int:
    """Remove keys, a thousand at a time, and tell of each. Gives how many there were."""
    removals = (partial(_remove_batch, client, output, bucket, batch) for batch in batches(keys))
    return sum(run_all(removals, threads=4))


def _remove_batch(client: Client, output: Output, bucket: str, keys: list[str]) -> int:
    failures: Mapping[str, S3Error] = {}
    try:
        failures = {} if output.dry_run else FileSystem(client).remove_keys(bucket, keys)
    except S3Error as error:
        failures = dict.fromkeys(keys, error)
    for key in keys:
        if key in failures:
            output.failure(failures[key])
        else:
            output.count(done=1)
            tell_removed(output, f"s3://{bucket}/{key}")
    return len(keys)


def tell_removed(output: Output, url: str) -> None:
    output.did(f"rm {url}", {"url": url})


# ------------------------------------------------------------------------------------------------------------ buckets


def mb(client: Client, output: Output, options: argparse.Namespace) -> None:
    """Make buckets, in the region of --region.

    examples:
      s3target mb s3://scratch
      s3target mb --region eu-west-1 s3://logs
    """
    for path in options.paths:
        with output.attempt():
            if not options.dry_run:
                client.call(CreateBucket(path.bucket, location(client)))
            output.did(f"mb s3://{path.bucket}", {"url": str(path)})


def location(client: Client) -> str | None:
    # AWS wants to hear the region again, except us-east-1, whose name it refuses.
    endpoint = client.endpoint
    if not isinstance(endpoint, Endpoint) or endpoint.url or endpoint.region in ("us-east-1", "aws-global"):
        return None
    return endpoint.region


def rb(client: Client, output: Output, options: argparse.Namespace) -> None:
    """Remove buckets that are empty; with --force, what is in them first, without asking. Old versions of objects
    in a versioned bucket are not removed, so such a bucket stays.

    examples:
      s3target rb s3://scratch
      s3target rb --force --dry-run s3://scratch
      s3target rb --force s3://scratch
    """
    for path in options.paths:
        with output.attempt():
            if options.force:
                _empty(client, output, path)
            elif next(FileSystem(client).keys(path), None) is not None:
                # SeaweedFS by default, for one, would remove the objects along with the bucket.
                full = "there are objects in it; --force removes them too"
                raise ServiceError(409, "BucketNotEmpty", full, operation="rb", bucket=path.bucket)
            if not options.dry_run:
                client.call(DeleteBucket(path.bucket))
            output.did(f"rb s3://{path.bucket}", {"url": str(path)})


def _empty(client: Client, output: Output, path: S3Path) -> None:
    if output.dry_run:
        for key in FileSystem(client).keys(path):
            tell_removed(output, f"s3://{path.bucket}/{key}")
        return
    FileSystem(client).remove_directory(path)
    for upload in list(pending(client, path)):
        _abort(client, path.bucket, upload)


# ------------------------------------------------------------------------------------------------------------ uploads


def uploads(client: Client, output: Output, options: argparse.Namespace) -> None:
    """List or abort multipart uploads that were begun and never ended: of tasks that were killed, mostly. To abort
    needs --older-than, since a young one may be somebody's that is still running.

    examples:
      s3target uploads ls s3://logs
      s3target uploads ls --older-than 1d s3://logs/2026/
      s3target uploads abort --older-than 1d --dry-run s3://logs
    """
    if options.action == "abort" and options.older_than is None:
        options.fail_usage("abort needs --older-than: 1d spares what others have begun since yesterday")
    found, bucket = pending(client, options.path, options.older_than or 0), options.path.bucket
    # Aborting what is being listed would move the marks by which the list goes on.
    for upload in list(found) if options.action == "abort" else found:
        url = f"s3://{bucket}/{upload.key}"
        record = {"url": url, "upload_id": upload.upload_id, "initiated": upload.initiated.isoformat()}
        if options.action == "ls":
            age = human_time(time.time() - upload.initiated.timestamp())
            text = f"{moment(upload.initiated)} {age:>8} {url} {upload.upload_id}"
            output.tell(text, {"type": "upload", **record})
            continue
        with output.attempt():
            if not options.dry_run:
                _abort(client, bucket, upload)
            output.did(f"abort {url} {upload.upload_id}", record)


def pending(client: Client, path: S3Path, age: float = 0) -> Iterator[Upload]:
    """The uploads below a prefix that were begun at least `age` seconds ago, page by page."""
    before = time.time() - age
    try:
        page = client.call(ListMultipartUploads(path.bucket, path.key))
    except NoSuchUpload:  # so rclone says that there is none
        return
    while True:
        yield from (upload for upload in page.uploads if not age or upload.initiated.timestamp() <= before)
        if page.next_key_marker is None:
            return
        marker = page.next_key_marker, page.next_upload_id_marker or ""
        page = client.call(ListMultipartUploads(path.bucket, path.key, *marker))


def _abort(client: Client, bucket: str, upload: Upload) -> None:
    with suppress(NoSuchUpload):  # somebody was faster
        client.call(AbortMultipartUpload(bucket, upload.key, upload.upload_id))

"""uploads: multipart uploads that were begun and neither completed nor aborted. Their parts are stored, and billed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import closing, suppress

from ..client import Client
from ..errors import NoSuchUpload, S3Error
from ..filesystem import S3Path
from ..protocol.operations.multipart import AbortMultipartUpload, ListMultipartUploads, Upload
from .arguments import client_of, declare
from .output import Output, Tally
from .places import s3_path
from .units import duration, human_time, moment


def uploads(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "List or abort multipart uploads that were begun and never ended: of tasks that were killed, mostly. To abort\n"
        "needs --older-than, since a young one may be somebody's that is still running.",
        [
            "uploads ls s3://logs",
            "uploads ls --older-than 1d s3://logs/2026/",
            "uploads abort --older-than 1d --dry-run s3://logs",
        ],
    )
    parser.add_argument("action", choices=["ls", "abort"])
    parser.add_argument("path", type=s3_path, metavar="s3://BUCKET/PREFIX")
    parser.add_argument("--older-than", type=duration, metavar="AGE", help="30m, 12h, 1d, 2w")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be aborted")
    parser.set_defaults(run=_uploads, fail_usage=parser.error)


def _uploads(options: argparse.Namespace) -> int:
    if options.action == "abort" and options.older_than is None:
        options.fail_usage("abort needs --older-than: 1d spares what others have begun since yesterday")
    with closing(client_of(options)) as client:
        found = pending(client, options.path, options.older_than or 0)
        if options.action == "ls":
            return _list(Output(options), options.path.bucket, found)
        # Aborting what is being listed would move the marks by which the list goes on.
        return _abort(client, options, list(found))


def pending(client: Client, path: S3Path, age: float = 0, now: float | None = None) -> Iterator[Upload]:
    """The uploads below a prefix that were begun at least `age` seconds ago, page by page."""
    before = (time.time() if now is None else now) - age
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


def abort_all(client: Client, path: S3Path) -> None:
    """Every upload below the prefix, however young."""
    for upload in list(pending(client, path)):
        _abort_one(client, path.bucket, upload)


def _abort_one(client: Client, bucket: str, upload: Upload) -> None:
    with suppress(NoSuchUpload):  # somebody was faster
        client.call(AbortMultipartUpload(bucket, upload.key, upload.upload_id))


def _list(output: Output, bucket: str, found: Iterator[Upload]) -> int:
    for upload in found:
        age = human_time(max(0.0, time.time() - upload.initiated.timestamp()))
        url = f"s3://{bucket}/{upload.key}"
        record = _record(bucket, upload) | {"type": "upload"}
        output.tell(f"{moment(upload.initiated)} {age:>8} {url} {upload.upload_id}", record)
    return 0


def _record(bucket: str, upload: Upload) -> dict[str, str]:
    return {
        "url": f"s3://{bucket}/{upload.key}",
        "upload_id": upload.upload_id,
        "initiated": upload.initiated.isoformat(),
    }


def _abort(client: Client, options: argparse.Namespace, found: list[Upload]) -> int:
    output, tally, bucket = Output(options), Tally(), options.path.bucket
    for upload in found:
        text = f"abort s3://{bucket}/{upload.key} {upload.upload_id}"
        try:
            if not options.dry_run:
                _abort_one(client, bucket, upload)
        except S3Error as error:
            output.failure(error)
            tally.add(failed=1)
            continue
        tally.add(done=1)
        status = "planned" if options.dry_run else "ok"
        record = {"operation": "abort", "status": status, **_record(bucket, upload)}
        output.tell(f"(dry run) {text}" if options.dry_run else text, record)
    return tally.status

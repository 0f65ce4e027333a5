"""mb and rb; and ListBuckets, which only the command line needs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from typing import NamedTuple

from ..client import Client
from ..errors import BadResponse, S3Error
from ..filesystem import FileSystem, S3Path
from ..protocol.encoding import parse_timestamp
from ..protocol.endpoint import Endpoint
from ..protocol.messages import Query, Request, Response
from ..protocol.operations.base import Locator, ServiceOperation, document
from ..protocol.operations.buckets import CreateBucket, DeleteBucket
from ..value import dataclass
from .arguments import client_of, declare
from .output import Output, Tally
from .places import bucket_path, in_folder


class Bucket(NamedTuple):
    name: str
    created: datetime


class BucketPage(NamedTuple):
    buckets: list[Bucket]
    next_token: str | None


@dataclass(frozen=True)
class ListBuckets(ServiceOperation[BucketPage]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html"""

    token: str | None = None

    def request(self, endpoint: Locator) -> Request:
        location = endpoint.locate()
        query: Query = (("continuation-token", self.token),) if self.token else ()
        return Request(
            "GET",
            location.origin,
            location.base_path or "/",
            query,
            region=location.region,
            service=location.service,
        )

    def parse(self, response: Response) -> BucketPage:
        root = document(response, "ListAllMyBucketsResult")
        listed = root.find("Buckets")
        try:
            buckets = [
                Bucket(entry.get("Name"), parse_timestamp(entry.get("CreationDate")))
                for entry in (listed.all("Bucket") if listed else ())
            ]
        except ValueError as error:
            raise BadResponse(f"a list of buckets that cannot be read: {error}") from None
        token = root.get("ContinuationToken") or None
        if token is not None and token == self.token:
            raise BadResponse("the list of buckets says that it goes on, but not from where")
        return BucketPage(buckets, token)


def all_buckets(client: Client) -> Iterator[Bucket]:
    """The buckets of whoever asks."""
    page = client.call(ListBuckets())
    yield from page.buckets
    while page.next_token:
        page = client.call(ListBuckets(page.next_token))
        yield from page.buckets


def mb(parser: argparse.ArgumentParser) -> None:
    declare(parser, "Make buckets, in the region of --region.", ["mb s3://scratch", "mb --region eu-west-1 s3://logs"])
    parser.add_argument("buckets", nargs="+", type=bucket_path, metavar="s3://BUCKET")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done")
    parser.set_defaults(run=_mb)


def _mb(options: argparse.Namespace) -> int:
    return _for_each(options, "mb", lambda client, path: client.call(CreateBucket(path.bucket, location(client))))


def location(client: Client) -> str | None:
    # AWS wants to hear the region again, except us-east-1, whose name it refuses.
    endpoint = client.endpoint
    if not isinstance(endpoint, Endpoint) or endpoint.url or endpoint.region in ("us-east-1", "aws-global"):
        return None
    return endpoint.region


def rb(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "Remove buckets that are empty; with --force, what is in them first, without asking. Old versions of objects\n"
        "in a versioned bucket are not removed, so such a bucket stays.",
        ["rb s3://scratch", "rb --force --dry-run s3://scratch", "rb --force s3://scratch"],
    )
    parser.add_argument("buckets", nargs="+", type=bucket_path, metavar="s3://BUCKET")
    parser.add_argument("--force", action="store_true", help="remove all objects in them, and unfinished uploads")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done")
    parser.set_defaults(run=_rb)


def _rb(options: argparse.Namespace) -> int:
    return _for_each(options, "rb", _remove_full if options.force else _remove)


def _remove(client: Client, path: S3Path) -> None:
    client.call(DeleteBucket(path.bucket))


def _remove_full(client: Client, path: S3Path) -> None:
    from .uploads import abort_all

    FileSystem(client).remove_directory(path)
    abort_all(client, path)
    _remove(client, path)


def _for_each(options: argparse.Namespace, verb: str, act: Callable[[Client, S3Path], None]) -> int:
    output, tally = Output(options), Tally()
    with closing(client_of(options)) as client:
        for path in options.buckets:
            try:
                if options.dry_run:
                    _preview(client, output, verb, path, options)
                else:
                    act(client, path)
                    output.tell(f"{verb} s3://{path.bucket}", {"operation": verb, "url": str(path), "status": "ok"})
                tally.add(done=1)
            except S3Error as error:
                output.failure(error)
                tally.add(failed=1)
    return tally.status


def _preview(client: Client, output: Output, verb: str, path: S3Path, options: argparse.Namespace) -> None:
    """What a run would do; of a bucket that would be emptied, each object."""
    if verb == "rb" and options.force:
        for entry in in_folder(client, path):
            url = f"s3://{path.bucket}/{entry.key}"
            output.tell(f"(dry run) rm {url}", {"operation": "rm", "url": url, "status": "planned"})
    output.tell(f"(dry run) {verb} s3://{path.bucket}", {"operation": verb, "url": str(path), "status": "planned"})

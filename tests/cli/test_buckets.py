"""mb and rb, and ListBuckets."""

from __future__ import annotations

import re
import uuid
from argparse import Namespace
from datetime import datetime, timezone

import pytest

from cli.conftest import Put, Run
from s3target.cli.output import Output
from s3target.cli.reading import ls
from s3target.cli.removing import rb
from s3target.errors import BadResponse
from s3target.filesystem import S3Path
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.operations.buckets import Bucket, ListBuckets
from scripted import Scripted, client_for, reply
from servers.signed import request
from servers.store import Store

both = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


def page(names: str, token: str = "") -> bytes:
    entries = "".join(
        f"<Bucket><Name>{name}</Name><CreationDate>2026-11-22T00:00:00Z</CreationDate></Bucket>" for name in names
    )
    more = f"<ContinuationToken>{token}</ContinuationToken>" if token else ""
    return f"<ListAllMyBucketsResult><Buckets>{entries}</Buckets>{more}</ListAllMyBucketsResult>".encode()


@both
def test_a_bucket_is_made_and_removed(run: Run, in_store: Store) -> None:
    """A second time is a failure, of each of several."""
    one, two = (f"s3://test-{uuid.uuid4().hex[:12]}" for _ in range(2))
    assert run("mb", one, two).lines == [f"mb {one}", f"mb {two}"]
    assert request(in_store, "HEAD", one[4:]).status == 200
    assert run("rb", one, two).status == 0
    assert request(in_store, "HEAD", one[4:]).status == 404
    ran = run("rb", one)
    assert ran.status == 1
    assert "NoSuchBucket" in ran.err


@both
def test_a_full_bucket_needs_force(run: Run, base: str, bucket: str, put: Put, in_store: Store) -> None:
    """Which --dry-run shows before."""
    put("a")
    put("dir/b")
    request(in_store, "POST", f"/{bucket}/unfinished", {"uploads": ""})
    ran = run("rb", base)
    assert ran.status == 1
    assert "BucketNotEmpty" in ran.err
    assert run("rb", "--dry-run", base).status == 1
    assert run("rb", "--force", "--dry-run", base).lines == [
        f"(dry run) rm {base}/a",
        f"(dry run) rm {base}/dir/b",
        f"(dry run) rb {base}",
    ]
    assert request(in_store, "HEAD", f"/{bucket}").status == 200
    assert run("rb", "--force", base).status == 0
    assert request(in_store, "HEAD", f"/{bucket}").status == 404


@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_a_dry_run_makes_nothing(run: Run, in_store: Store) -> None:
    """It tells."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    assert run("mb", "-n", f"s3://{name}").lines == [f"(dry run) mb s3://{name}"]
    assert request(in_store, "HEAD", f"/{name}").status == 404


def test_a_store_that_would_remove_objects_along_with_the_bucket_is_not_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """SeaweedFS by default: without --force what is in the bucket is looked at first."""
    entry = "<Contents><Key>a</Key><Size>1</Size><LastModified>2026-11-22T00:00:00Z</LastModified></Contents>"
    transport = Scripted(reply(200, f"<ListBucketResult>{entry}</ListBucketResult>".encode()), reply(204))
    output = Output(Namespace(json=False, quiet=False))
    with client_for(transport) as client:
        rb(client, output, Namespace(paths=[S3Path("b", "")], force=False, dry_run=False))
    assert (output.status, [line.split()[0] for line in transport.log]) == (1, ["GET"])
    assert "there are objects in it; --force removes them too" in capsys.readouterr().err


def test_force_aborts_uploads_too() -> None:
    """Whose parts would stay in stores that remove such a bucket, or keep others from removing it."""
    upload = "<Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2026-11-22T00:00:00Z</Initiated></Upload>"
    found = reply(200, f"<ListMultipartUploadsResult>{upload}</ListMultipartUploadsResult>".encode())
    nothing = reply(200, b"<ListBucketResult></ListBucketResult>")
    transport = Scripted(nothing, nothing, found, reply(204), reply(204))
    options = Namespace(paths=[S3Path("b", "")], force=True, dry_run=False, json=False, quiet=True)
    with client_for(transport) as client:
        rb(client, Output(options), options)
    assert transport.log[-2:] == ["DELETE /b/a?uploadId=1 204", "DELETE /b 204"]


def test_buckets_come_page_by_page(capsys: pytest.CaptureFixture[str]) -> None:
    """By continuation token."""
    transport = Scripted(reply(200, page("ab", token="t+1")), reply(200, page("c")))
    with client_for(transport) as client:
        ls(client, Output(Namespace(json=False, quiet=False)), Namespace(path=None))
    assert re.findall("s3://(.)/", capsys.readouterr().out) == ["a", "b", "c"]
    assert transport.log == ["GET / 200", "GET /?continuation-token=t%2B1 200"]


def test_an_empty_list_of_buckets() -> None:
    """Some stores leave the element out."""
    moment = datetime(2026, 11, 22, tzinfo=timezone.utc)
    assert ListBuckets().parse(reply(200, page("a"))).buckets == [Bucket("a", moment)]
    assert ListBuckets().parse(reply(200, b"<ListAllMyBucketsResult/>")).buckets == []


@pytest.mark.parametrize("content", [page("a", token="t"), page("a").replace(b"2026", b"x"), b"<Other/>"])
def test_a_list_of_buckets_that_cannot_be(content: bytes) -> None:
    """One that goes on from where it was, one without times, one that is something else."""
    with pytest.raises(BadResponse):
        ListBuckets("t").parse(reply(200, content))


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (Endpoint("eu-west-1"), b"<LocationConstraint>eu-west-1</LocationConstraint>"),
        (Endpoint("us-east-1"), None),
        (Endpoint("aws-global"), None),
        (Endpoint("eu-west-1", url="http://store.test"), None),
    ],
)
def test_aws_hears_where_a_bucket_is_to_live(endpoint: Endpoint, body: bytes | None) -> None:
    """Except in us-east-1; other stores do not."""
    from s3target.cli.removing import location
    from s3target.protocol.operations.buckets import CreateBucket

    with client_for(Scripted(), endpoint=endpoint) as client:
        request = CreateBucket("b", location(client)).request(endpoint)
    with request.body.open() as reader:
        sent = reader.read()
    assert (body in sent) if body else sent == b""

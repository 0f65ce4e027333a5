"""demo and luigi: the two commands that need Luigi, which is imported when they run.

The demo is the pipeline of luigi/demo.py on a store, from an empty folder to a printed report. What it starts it stops,
and what it writes to your own store it removes again unless told to keep it. On a server of its own nothing of your AWS
and Luigi configuration applies, so that it can touch no store but that one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from ..client import Client
from ..errors import ConfigError, NotFound
from ..filesystem import FileSystem, parse_path
from ..protocol.operations.buckets import CreateBucket, DeleteBucket, HeadBucket
from .output import Output

_BUCKET = "s3target-demo"


def luigi(output: Output, options: argparse.Namespace) -> None:
    """The luigi command with this package in place of luigi.contrib.s3: pipelines that import that module run
    without boto3, unchanged. All arguments are luigi's; s3target luigi -h shows them.

    examples:
      s3target luigi --module pipelines.daily Report --day 2026-11-22 --local-scheduler
    """


def run_luigi(arguments: Sequence[str]) -> int:
    """luigi's own exit status, as [retcode] of luigi.cfg has it."""
    try:
        from luigi.cmdline import luigi_run

        from ..luigi.standin import install
    except ImportError as error:
        sys.exit(f"s3target: this command runs Luigi: pip install luigi ({error})")
    install()
    luigi_run(list(arguments))
    return 0


def demo(output: Output, options: argparse.Namespace) -> int:
    """Run a Luigi pipeline of word counts with two worker processes, on an S3 server that is started for it on
    loopback (needs the demo extra), or on your own store.

    examples:
      s3target demo
      s3target demo --endpoint-url https://ceph.example:8443 --bucket scratch
    """
    own_server = options.endpoint_url is None and options.bucket is None
    if own_server and options.keep:
        raise ConfigError("--keep is for a store of yours; name it by --endpoint-url or --bucket")
    try:
        from ..luigi import S3Client
        from ..luigi.demo import run_pipeline
    except ImportError as error:
        raise ConfigError(f"the demo is a Luigi pipeline: pip install luigi ({error})") from None
    if own_server:
        with _own_server():
            S3Client().s3.call(CreateBucket(_BUCKET))
            status = run_pipeline(f"s3://{_BUCKET}/words")
        print("SeaweedFS is stopped, and its data are gone.")
        return status
    bucket = options.bucket or _BUCKET
    with _your_store(options.endpoint_url), _folder(S3Client().s3, bucket, options.keep) as base:
        return run_pipeline(base)


@contextlib.contextmanager
def _own_server() -> Iterator[None]:
    from .seaweedfs import seaweedfs

    print("Starting SeaweedFS on loopback; it checks signatures ...", flush=True)
    with seaweedfs() as server:
        # The server is all there is, for worker processes too, forked or spawned.
        only = {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL_S3": server.endpoint_url,
            "AWS_ACCESS_KEY_ID": server.access_key_id,
            "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
            "AWS_REGION": server.region,
            "S3TARGET_SECTION": _BUCKET,
            "no_proxy": "*",
        }
        with _environment(only, without=("AWS_", "BOTO")):
            print(f"It answers at {server.endpoint_url}, process {server.pid}.")
            yield


@contextlib.contextmanager
def _your_store(endpoint_url: str | None) -> Iterator[None]:
    from ..luigi.config import section

    configured = section().get("endpoint_url")
    if endpoint_url and configured and endpoint_url != configured:
        raise ConfigError(
            f"endpoint_url = {configured} in [s3] of your Luigi configuration wins over --endpoint-url {endpoint_url}; "
            "leave out one of them"
        )
    with _environment({"AWS_ENDPOINT_URL_S3": endpoint_url} if endpoint_url else {}):
        yield


@contextlib.contextmanager
def _folder(store: Client, bucket: str, keep: bool) -> Iterator[str]:
    """A new folder in the bucket, which is made if need be. Both go again, unless they are to be kept."""
    made = _make_bucket(store, bucket)
    base = f"s3://{bucket}/s3target-demo-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    print(f"Working below {base}/.", flush=True)
    try:
        yield base
    finally:
        if keep:
            print(f"Everything is left at {base}/.")
        else:
            removed = FileSystem(store).remove_directory(parse_path(base))
            print(f"Removed the {removed} objects again.")
            if made:
                store.call(DeleteBucket(bucket))
                print(f"Removed the bucket {bucket} again.")


def _make_bucket(client: Client, bucket: str) -> bool:
    """Whether it had to be made."""
    from .removing import location

    try:
        client.call(HeadBucket(bucket))
    except NotFound:
        client.call(CreateBucket(bucket, location(client)))
        print(f"Made the bucket {bucket}.")
        return True
    return False


@contextlib.contextmanager
def _environment(variables: Mapping[str, str], without: tuple[str, ...] = ()) -> Iterator[None]:
    """For this process and the worker processes it starts. without: beginnings of names that are not set then."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(without):
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

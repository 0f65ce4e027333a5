"""s3target demo: the pipeline of luigi/demo.py on a store, from an empty bucket to a printed report.

What it starts it stops, what it writes to your own store it removes again unless told to keep it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ..client import Client
from ..connect import connect
from ..errors import ConfigError, NotFound
from ..filesystem import FileSystem, parse_path
from ..protocol.operations.buckets import CreateBucket, HeadBucket
from .seaweedfs import seaweedfs

_BUCKET = "s3target-demo"


def run(endpoint_url: str | None, bucket: str | None, keep: bool) -> int:
    """0 if the pipeline came through. ConfigError if Luigi or the server of the demo extra is not installed."""
    try:
        from ..luigi.demo import run_pipeline
    except ImportError as error:
        raise ConfigError(f"the demo is a Luigi pipeline: pip install luigi ({error})") from None
    own = endpoint_url is not None or bucket is not None
    with _store(endpoint_url) if own else _own_server():
        client = connect()
        base = f"s3://{bucket or _BUCKET}/s3target-demo"
        _make_bucket(client, bucket or _BUCKET)
        try:
            return run_pipeline(base)
        finally:
            if not keep:
                removed = FileSystem(client).remove_directory(parse_path(base))
                print(f"Removed {removed} objects below {base}.")
            client.close()


@contextlib.contextmanager
def _store(endpoint_url: str | None) -> Iterator[None]:
    with _environment({"AWS_ENDPOINT_URL_S3": endpoint_url} if endpoint_url else {}):
        print(f"Using the store at {endpoint_url or 'the configured endpoint'}.")
        yield


@contextlib.contextmanager
def _own_server() -> Iterator[None]:
    print("Starting SeaweedFS on loopback (it checks signatures) ...", flush=True)
    with seaweedfs() as server:
        print(f"It answers at {server.endpoint_url}, process {server.pid}.")
        with _environment(
            {
                "AWS_ENDPOINT_URL_S3": server.endpoint_url,
                "AWS_ACCESS_KEY_ID": server.access_key_id,
                "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
                "AWS_SESSION_TOKEN": "",
                "AWS_REGION": server.region,
            }
        ):
            yield
    print("SeaweedFS is stopped.")


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set for this process and the worker processes it starts, as a user would."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _make_bucket(client: Client, bucket: str) -> None:
    try:
        client.call(HeadBucket(bucket))
    except NotFound:
        client.call(CreateBucket(bucket))
        print(f"Made the bucket {bucket}.")

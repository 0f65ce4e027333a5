"""s3target demo: the pipeline of luigi/demo.py on a store, from an empty folder to a printed report.

What it starts it stops, and what it writes to your own store it removes again unless told to keep it. On a server of
its own nothing of your AWS and Luigi configuration applies, so that it can touch no store but that one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping

from ..client import Client
from ..errors import ConfigError, NotFound
from ..filesystem import FileSystem, parse_path
from ..protocol.endpoint import Endpoint
from ..protocol.operations.base import Locator
from ..protocol.operations.buckets import CreateBucket, DeleteBucket, HeadBucket
from .seaweedfs import Server, seaweedfs

_BUCKET = "s3target-demo"


def run(endpoint_url: str | None, bucket: str | None, keep: bool) -> int:
    """0 if the pipeline came through. ConfigError if Luigi or the server of the demo extra is not installed."""
    own_server = endpoint_url is None and bucket is None
    if own_server and keep:
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
    with _your_store(endpoint_url), _folder(S3Client().s3, bucket or _BUCKET, keep) as base:
        return run_pipeline(base)


@contextlib.contextmanager
def _own_server() -> Iterator[None]:
    print("Starting SeaweedFS on loopback; it checks signatures ...", flush=True)
    with seaweedfs() as server, _environment(_only(server)):
        print(f"It answers at {server.endpoint_url}, process {server.pid}.")
        yield


def _only(server: Server) -> dict[str, str | None]:
    """The environment in which the server is all there is. Worker processes get it too, forked or spawned."""
    return {
        **{name: None for name in os.environ if name.startswith(("AWS_", "BOTO"))},
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL_S3": server.endpoint_url,
        "AWS_ACCESS_KEY_ID": server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
        "AWS_REGION": server.region,
        "S3TARGET_SECTION": _BUCKET,
        "no_proxy": "*",
    }


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
    try:
        client.call(HeadBucket(bucket))
    except NotFound:
        client.call(CreateBucket(bucket, _location(client.endpoint)))
        print(f"Made the bucket {bucket}.")
        return True
    return False


def _location(endpoint: Locator) -> str | None:
    # AWS wants to hear the region again, except us-east-1, whose name it refuses.
    if not isinstance(endpoint, Endpoint) or endpoint.url or endpoint.region == "us-east-1":
        return None
    return endpoint.region


@contextlib.contextmanager
def _environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set for this process and the worker processes it starts; None unsets."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

"""The command as a user types it, in this process, with a store in the environment."""

from __future__ import annotations

import builtins
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from s3target.cli import main
from servers.signed import request
from servers.store import Store


class Ran(NamedTuple):
    """content: stdout as it came; out: as text."""

    status: int
    content: bytes
    err: str

    @property
    def out(self) -> str:
        return self.content.decode()

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Ran]
Put = Callable[..., str]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run_main(*argv: object) -> Ran:
        capsysbinary.readouterr()
        status = main([str(argument) for argument in argv])
        out, err = capsysbinary.readouterr()
        return Ran(status, out, err.decode())

    return run_main


@pytest.fixture
def in_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store by the variables of the AWS SDKs."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.secret_access_key)
    monkeypatch.setenv("AWS_REGION", store.region)
    if store.ca_file:
        monkeypatch.setenv("AWS_CA_BUNDLE", store.ca_file)
    return store


@pytest.fixture
def base(in_store: Store, bucket: str) -> str:
    """s3://bucket, of a new bucket."""
    return f"s3://{bucket}"


@pytest.fixture
def put(in_store: Store, bucket: str) -> Put:
    """Store an object, by another client than ours; its s3:// path."""

    def put_object(key: str, content: bytes = b"x", **headers: str) -> str:
        answer = request(in_store, "PUT", f"/{bucket}/{key}", body=content, headers=headers)
        assert answer.status == 200, answer
        return f"s3://{bucket}/{key}"

    return put_object


@pytest.fixture
def get(in_store: Store, bucket: str) -> Callable[[str], bytes | None]:
    """What is stored at a key, None if nothing is."""

    def get_object(key: str) -> bytes | None:
        answer = request(in_store, "GET", f"/{bucket}/{key}")
        return answer.body if answer.status == 200 else None

    return get_object


@pytest.fixture
def keys(in_store: Store, bucket: str) -> Callable[[], list[str]]:
    """The keys in the bucket, sorted."""
    import re
    from html import unescape

    def list_keys() -> list[str]:
        answer = request(in_store, "GET", f"/{bucket}", {"list-type": "2"})
        return sorted(unescape(key) for key in re.findall("<Key>(.*?)</Key>", answer.body.decode()))

    return list_keys


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes that a file or folder cannot be read, by root neither."""

    def lock_path(path: Path) -> None:
        def locked(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(name: Any, *arguments: Any, **named: Any) -> Any:
                if not isinstance(name, int) and os.path.abspath(name) == str(path):
                    raise PermissionError(errno.EACCES, "Permission denied", name)
                return real(name, *arguments, **named)

            return call

        monkeypatch.setattr(os, "scandir", locked(os.scandir))
        monkeypatch.setattr(builtins, "open", locked(open))

    return lock_path

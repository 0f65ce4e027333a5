"""Luigi's S3Client on a real store: moto, unless the test is parametrized for others (indirectly, by `store`)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connected import Counting, client_of, count, settings_for
from s3target import S3Client
from servers.signed import request
from servers.store import Store

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def store(request: pytest.FixtureRequest, running_store: Callable[[str], Store]) -> Store:
    return running_store(getattr(request, "param", "moto"))


@pytest.fixture
def client(store: Store) -> S3Client:
    return S3Client(**settings_for(store))


@pytest.fixture
def base(bucket: str) -> str:
    """The path of a new bucket, without a slash at its end."""
    return f"s3://{bucket}"


@pytest.fixture
def keys(store: Store, bucket: str) -> Callable[[], list[str]]:
    """All keys of the bucket, for a second opinion."""

    def listed() -> list[str]:
        answer = request(store, "GET", f"/{bucket}", {"list-type": "2"})
        assert answer.status == 200, answer
        return [piece.partition("</Key>")[0] for piece in answer.body.decode().split("<Key>")[1:]]

    return listed


@pytest.fixture
def counted(store: Store) -> Iterator[tuple[S3Client, Counting]]:
    """A client, and the counter of its requests."""
    with client_of(store) as connection:
        client = S3Client()
        client.s3 = connection
        yield client, count(connection)


@pytest.fixture
def in_environment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3Client() without arguments works on the store."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": store.endpoint_url,
        "AWS_ACCESS_KEY_ID": store.access_key_id,
        "AWS_SECRET_ACCESS_KEY": store.secret_access_key,
        "AWS_REGION": store.region,
    }.items():
        monkeypatch.setenv(name, value)


LUIGIS_OWN = "ignore:datetime.datetime.utc:DeprecationWarning:luigi.parameter"
"""What Luigi 3.6 is warned of on Python 3.12 or later."""
FORK = "ignore:This process:DeprecationWarning"
"""What Luigi is warned of when it forks its workers, before it does from Python 3.15 on."""


@pytest.fixture(scope="session")
def strict() -> tuple[str, ...]:
    """Python's options with which warnings are errors, except Luigi's own."""
    return "-W", "error", "-W", LUIGIS_OWN, "-W", FORK


@pytest.fixture
def start(in_environment: None, tmp_path: Path, strict: tuple[str, ...]) -> Iterator[Run]:
    """Runs a script in a new interpreter that has the store in its environment, warnings being errors."""
    started = []

    def run(script: str, *arguments: str) -> subprocess.Popen[str]:
        path = tmp_path / "script.py"
        path.write_text(script)
        argv = [sys.executable, *strict, str(path), *arguments]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.kill()

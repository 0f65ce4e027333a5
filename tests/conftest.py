"""Servers for every test, started when first asked for, and an environment that is the same on every machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from servers.signed import make_bucket
from servers.store import Store
from servers.tls import Authority, make_authority
from stores import STARTS

LUIGI_CONFIG = str(Path(__file__).with_name("luigi.cfg"))
STORES = ("moto", "moto-tls", "seaweedfs", "seaweedfs-tls")
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}

# A busy machine is no fault of what is tested.
hypothesis.settings.register_profile("s3target", deadline=None)
hypothesis.settings.load_profile("s3target")

# Luigi reads this one when it is imported, so before any fixture.
os.environ["LUIGI_CONFIG_PATH"] = LUIGI_CONFIG

# Shells have what they run in the background ignore Ctrl-C, and so would all processes that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_environment_everywhere(monkeypatch: pytest.MonkeyPatch, empty_home: Path) -> None:
    """No keys, profiles, proxies or Luigi settings of whoever runs the tests; no metadata service asked by chance."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower() in PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("LUIGI_CONFIG_PATH", LUIGI_CONFIG)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(empty_home))


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority behind the -tls stores, and their certificate."""
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def running_store(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Store]]:
    """The store of a name, started at the first call; one of each per session (with xdist: per worker)."""
    with ExitStack() as stack:

        def start(name: str) -> Store:
            kind, _, tls = name.partition("-")
            return stack.enter_context(STARTS[kind](request.getfixturevalue("authority") if tls else None))

        yield cache(start)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, running_store: Callable[[str], Store]) -> Store:
    """Every kind of server in turn. A test that is about some of them: parametrize("store", [...], indirect=True)."""
    return running_store(request.param)


@pytest.fixture
def bucket(store: Store) -> str:
    """A new bucket in the store."""
    return make_bucket(store)


@pytest.fixture
def seaweedfs_store(running_store: Callable[[str], Store]) -> Store:
    """The plain SeaweedFS: it checks signatures."""
    return running_store("seaweedfs")


@pytest.fixture
def moto_store(running_store: Callable[[str], Store]) -> Store:
    """The plain moto."""
    return running_store("moto")

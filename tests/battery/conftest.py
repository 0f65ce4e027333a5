"""Clients of the stores, closed when their test is over."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest

from connected import KeyStore, client_of
from s3target.client import Client
from s3target.filesystem import FileSystem
from servers.moto import moto_auth_store as start_moto_auth
from servers.signed import make_bucket
from servers.store import Store
from stores import LACKS, PLAIN, TLS, params


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A test that needs what its store lacks ends in the error that is written down for it, or fails."""
    store = pyfuncitem.funcargs.get("store")
    lacking = LACKS.get(store.kind, {}) if isinstance(store, Store) else {}
    refusals = [lacking[mark.args[0]] for mark in pyfuncitem.iter_markers("needs") if mark.args[0] in lacking]
    if not refusals:
        return (yield)
    with pytest.raises(refusals[0].error, match=refusals[0].says):
        yield
    return True


@pytest.fixture(scope="session")
def moto_auth_store() -> Iterator[Store]:
    """moto with its IAM checks on: it checks signatures, and takes keys that SeaweedFS cannot hold."""
    with start_moto_auth() as store:
        yield store


@pytest.fixture(params=params(*PLAIN, *TLS))
def store(request: pytest.FixtureRequest, running_store: Callable[[str], Store]) -> Store:
    """Every kind of server in turn. A test that is about some of them is decorated by stores.over()."""
    return running_store(request.param)


@pytest.fixture
def client(store: Store) -> Iterator[Client]:
    """Connected to the store with its own key."""
    with client_of(store) as client:
        yield client


@pytest.fixture
def files(client: Client) -> FileSystem:
    return FileSystem(client)


@pytest.fixture(scope="session")
def key_store(request: pytest.FixtureRequest, running_store: Callable[[str], Store]) -> Iterator[KeyStore]:
    """A client and a bucket by the name of the store; one bucket for all the keys, as new ones take their time."""
    opened: dict[str, tuple[Client, str]] = {}

    def of(name: str) -> tuple[Client, str]:
        if name not in opened:
            store = request.getfixturevalue("moto_auth_store") if name == "moto-auth" else running_store(name)
            opened[name] = client_of(store), make_bucket(store)
        return opened[name]

    yield of
    for client, _ in opened.values():
        client.close()

"""Clients of the stores, closed when their test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from connected import KeyStore, client_of
from s3target.client import Client
from s3target.filesystem import FileSystem
from servers.moto import moto_auth_store as start_moto_auth
from servers.signed import make_bucket
from servers.store import Store


@pytest.fixture(scope="session")
def moto_auth_store() -> Iterator[Store]:
    """moto with its IAM checks on: it checks signatures, and takes keys that SeaweedFS cannot hold."""
    with start_moto_auth() as store:
        yield store


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

"""The servers that the tests know by name, and what each of them lacks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import pytest

from s3target import BadResponse, ConfigError, PreconditionFailed, ServerFault, ServiceError
from servers.ceph import ceph_store
from servers.juicefs import juicefs_store
from servers.moto import moto_store
from servers.rclone import rclone_store
from servers.store import Store
from servers.swift import swift_store
from servers.tls import Authority
from servers.weed import seaweedfs_store

STARTS: dict[str, Callable[[Authority | None], AbstractContextManager[Store]]] = {
    "moto": moto_store,
    "seaweedfs": seaweedfs_store,
    "rclone": rclone_store,
    "ceph": ceph_store,
    "swift": swift_store,
    "juicefs": juicefs_store,
}
MORE = ("rclone-tls", "ceph", "ceph-tls", "swift", "swift-tls", "juicefs", "juicefs-tls")
"""Left out unless asked for by -m more_stores: what is no Python package, or would take too long."""
PLAIN = tuple(STARTS)
TLS = tuple(f"{kind}-tls" for kind in STARTS)


def over(*names: str) -> pytest.MarkDecorator:
    """Decorates a test that is about some stores only."""
    return pytest.mark.parametrize("store", params(*names), indirect=True)


def params(*names: str) -> list[object]:
    """As parameters of a fixture or a test, marked where they need it."""
    return [pytest.param(name, marks=(pytest.mark.more_stores,) if name in MORE else ()) for name in names]


class Refusal(NamedTuple):
    """What the user gets from us where a store lacks something."""

    error: type[Exception]
    says: str


_UNKEPT = Refusal(ConfigError, "does not keep conditions")
_FILE_SYSTEM = Refusal(ServerFault, "500 InternalError")
_FOLDER = Refusal(ServiceError, "409 XMinioObjectExistsAsDirectory")
LACKS: dict[str, dict[str, Refusal]] = {
    "rclone": {
        "conditional writes": _UNKEPT,
        "tags": Refusal(BadResponse, "XML cannot be read"),
        # A folder on disk: what has a child is no file, and a marker is a folder.
        "an object beside a directory": _FILE_SYSTEM,
        "markers": _FILE_SYSTEM,
    },
    "ceph": {
        "identity": Refusal(ServiceError, "405 MethodNotAllowed"),
        "quotes around an ETag": Refusal(PreconditionFailed, "412"),
    },
    "swift": {
        "conditional writes": _UNKEPT,
        "tags": Refusal(ServerFault, "501 NotImplemented: Object tagging is not supported"),
    },
    "juicefs": {
        "conditional writes": _UNKEPT,
        "identity": Refusal(ServiceError, "400 InvalidParameterValue: Unsupported action"),
        # A marker is a folder, which holds no bytes.
        "an object beside a directory": _FOLDER,
        "markers": _FOLDER,
    },
}
"""By the kind of the store and the capability that a test needs."""


def needs(capability: str) -> pytest.MarkDecorator:
    """Decorates a test: on a store that lacks this, its steps raise just the Refusal written down here."""
    assert any(capability in lacking for lacking in LACKS.values())
    return pytest.mark.needs(capability)


def but(*kinds: str) -> tuple[str, ...]:
    """All stores but these kinds, for over()."""
    return tuple(name for name in (*PLAIN, *TLS) if name.removesuffix("-tls") not in kinds)

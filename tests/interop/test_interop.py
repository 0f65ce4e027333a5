"""The measuring itself: its checks run, can fail, and are counted as they ended."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from interop.checks import CHECKS, Scene, environment
from interop.cli import _lines
from interop.impossible import IMPOSSIBLE
from interop.report import Result, text
from servers.signed import make_bucket
from servers.store import Store


def test_what_is_impossible_is_a_check() -> None:
    """Else it would be made after all."""
    names = {name for checks in CHECKS.values() for name in checks}
    assert {name for _, name in IMPOSSIBLE} <= names
    assert sum(map(len, CHECKS.values())) == len(names)


@pytest.mark.slow
def test_a_process_of_its_own_makes_the_checks(moto_store: Store) -> None:
    """All of them but the impossible ones, and s3target passes."""
    found = [json.loads(line) for line in _lines("s3target", moto_store)]
    assert [each for each in found if each["error"]] == []
    impossible = {name for kind, name in IMPOSSIBLE if kind == "moto"}
    assert {each["name"] for each in found} == {n for checks in CHECKS.values() for n in checks} - impossible


class Nothing:
    """A client that does nothing and says that all is well."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: True


@pytest.mark.parametrize(("group", "name"), [(group, name) for group, checks in CHECKS.items() for name in checks])
def test_a_check_sees_through_a_client_that_does_nothing(
    moto_store: Store, group: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them fails on it."""
    for variable, value in environment(moto_store).items():
        monkeypatch.setenv(variable, value)
    nothing = Nothing()
    module = SimpleNamespace(S3Client=lambda *_, **__: nothing, S3Target=lambda *_, **__: nothing)
    module.S3FlagTarget = module.S3Target
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(module, nothing, moto_store, f"s3://{make_bucket(moto_store)}/x", Path(folder))
        with pytest.raises(Exception):  # noqa: B017, PT011 - whichever way
            CHECKS[group][name](scene)


def test_the_tables_count_what_passed() -> None:
    """By http, by https; a dash where nothing was checked."""
    results = [
        Result(store, package, "objects", name, "refused: `x`\ny" if package != "s3target" and store != "moto" else "")
        for store in ("moto", "moto-tls")
        for package in ("s3target", "luigi.contrib.s3")
        for name in ("a", "b")
    ]
    told = text([*results, *(each._replace(store="ceph") for each in results[:4])])
    assert "| objects | 2 / 2, 2 / 0 of 2 |" in told
    assert "- moto-tls: a; b: `refused: 'x' y`" in told
    assert "| **all servers** | 6 / 4 of 6 |" in told

"""BulkComplete: a whole family at once, as each of its tasks says of itself."""

from __future__ import annotations

import functools
from typing import Any

import luigi
import pytest

import s3target
from connected import Counting
from s3target import BulkComplete, ConfigError, S3Client, S3FlagTarget, S3Target
from s3target.transfer.workers import run_all

both_stores = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


class Part(BulkComplete, luigi.Task):
    number = luigi.IntParameter()
    base = luigi.Parameter(default="")
    client: S3Client

    def output(self) -> Any:
        return S3Target(f"{self.base}/out/{self.number % 10}/{self.number}.csv", client=self.client)


class Several(Part):
    """Two outputs in a dict, one a directory with a flag."""

    def output(self) -> Any:
        flagged = S3FlagTarget(f"{self.base}/flagged/{self.number}/", client=self.client)
        return {"table": super().output(), "parts": [flagged]}


class Local(Part):
    """One output is not on S3."""

    folder = luigi.Parameter(default="")

    def output(self) -> Any:
        return [super().output(), luigi.LocalTarget(f"{self.folder}/{self.number}")]


class Odd(Part):
    """Says by itself what complete means."""

    def complete(self) -> bool:
        return bool(self.number % 2)


class Nothing(Part):
    def output(self) -> Any:
        return []


class Own(S3Target):
    def exists(self) -> bool:
        return self.path.endswith("3.csv")


class OwnTarget(Part):
    def output(self) -> Any:
        return Own(super().output().path, client=self.client)


class Encrypted(Part):
    """Without its key, even to ask for it is refused."""

    def output(self) -> Any:
        key = {"SSECustomerKey": "k" * 32, "SSECustomerAlgorithm": "AES256"}
        return S3Target(super().output().path, client=self.client, **key)


@pytest.fixture
def family(counted: tuple[S3Client, Counting], base: str) -> Any:
    """From a class to its parameters for numbers, and its bulk_complete(), with numbers back."""
    client, counter = counted

    def ask(kind: type[Part], numbers: range, **more: Any) -> list[int]:
        kind.client = client
        counter.sent.clear()
        done = kind.bulk_complete({"number": number, "base": base, **more} for number in numbers)
        return [given["number"] for given in done]

    return ask


@both_stores
def test_a_family_costs_a_request_for_a_thousand(counted: tuple[S3Client, Counting], base: str, family: Any) -> None:
    """In ten directories under one prefix."""
    client, counter = counted
    there = [number for number in range(2000) if number % 3]
    run_all([functools.partial(client.put_string, "", f"{base}/out/{n % 10}/{n}.csv") for n in there], threads=16)
    assert family(Part, range(2000)) == there
    assert len(counter.sent) <= 4, counter.sent


@both_stores
def test_all_outputs_must_be_there(counted: tuple[S3Client, Counting], base: str, family: Any) -> None:
    """Of a flag target that is its flag."""
    client, counter = counted
    for number in range(20):
        client.put_string("", f"{base}/out/{number % 10}/{number}.csv")
        if number % 2:
            client.put_string("", f"{base}/flagged/{number}/{'_SUCCESS' if number % 4 == 1 else 'part'}")
    assert family(Several, range(30)) == [1, 5, 9, 13, 17]
    assert len(counter.sent) <= 10


def test_what_listings_do_not_tell_is_asked_one_by_one(
    counted: tuple[S3Client, Counting], base: str, family: Any, tmp_path: Any
) -> None:
    """A complete() or exists() of one's own, a target elsewhere, an output that takes a key to ask for."""
    client, _ = counted
    for number in range(6):
        client.put_string("", f"{base}/out/{number}/{number}.csv")
    (tmp_path / "2").touch()
    (tmp_path / "9").touch()
    assert family(Odd, range(6)) == [1, 3, 5]
    assert family(OwnTarget, range(6)) == [3]
    assert family(Local, range(10), folder=str(tmp_path)) == [2]


def test_a_client_that_tells_by_itself_is_asked(
    counted: tuple[S3Client, Counting], family: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by each target's exists(): what a subclass or a mock says may be another thing than what the store has."""
    monkeypatch.setattr(counted[0], "exists", lambda path: path.endswith("3.csv"))
    assert family(Part, range(6)) == [3]


@pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
def test_encrypted_outputs_are_asked_for_with_their_key(
    counted: tuple[S3Client, Counting], base: str, family: Any
) -> None:
    """Without it the store refuses to tell."""
    client, _ = counted
    client.put_string("", f"{base}/out/1/1.csv", SSECustomerKey="k" * 32, SSECustomerAlgorithm="AES256")
    assert family(Encrypted, range(2)) == [1]


def test_a_task_without_outputs_is_not_complete(family: Any) -> None:
    """As in luigi.Task.complete()."""
    assert family(Nothing, range(3)) == []
    assert family(Part, range(0)) == []


@pytest.mark.parametrize("shape", [lambda n: n, lambda n: (n,), lambda n: [n], lambda n: {"number": n}])
def test_parameters_come_in_any_shape(counted: tuple[S3Client, Counting], base: str, shape: Any) -> None:
    """As with luigi.task.MixinNaiveBulkComplete; and the class may be a functools.partial, as in the Range tasks."""
    client, _ = counted
    Part.client = client
    client.put_string("", f"{base}/out/3/3.csv")
    partly = functools.partial(Part, base=base)
    given = [shape(n) for n in range(5)]
    assert Part.bulk_complete.__func__(partly, iter(given)) == [shape(3)]  # type: ignore[attr-defined]


def test_the_mixin_comes_first() -> None:
    """Behind luigi.Task it would do nothing, without a word."""
    with pytest.raises(ConfigError, match="Wrong has BulkComplete behind"):

        class Wrong(luigi.Task, s3target.BulkComplete):
            pass

"""Glob patterns and lists of paths: right answers, by few requests."""

from __future__ import annotations

import fnmatch
import random
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connected import Counting, client_of, count
from s3target.errors import NotFound
from s3target.filesystem import FileSystem, S3Path
from s3target.globs import (
    Known,
    exists,
    exists_many,
    is_glob,
    is_listed_as_written,
    literal_directory,
    literal_prefix,
    matches,
    objects,
    translate,
    with_directories,
)
from s3target.protocol.operations.listing import Listed, ListObjectsV2, ListPage
from s3target.protocol.operations.objects import HeadObject, ObjectInfo
from s3target.transfer.workers import run_all
from servers.signed import make_bucket
from servers.store import Store

both_stores = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, running_store: object) -> Store:
    return running_store(getattr(request, "param", "moto"))  # type: ignore[operator]


@pytest.fixture
def counted(store: Store) -> Iterator[tuple[FileSystem, Counting]]:
    """File system and counter of its requests."""
    with client_of(store) as client:
        yield FileSystem(client), count(client)


@pytest.fixture
def files(counted: tuple[FileSystem, Counting]) -> FileSystem:
    return counted[0]


def fill(files: FileSystem, bucket: str, keys: list[str]) -> None:
    run_all([partial(files.write, S3Path(bucket, key), b"x") for key in keys], threads=16)


def found(files: FileSystem, bucket: str, pattern: str) -> list[str]:
    return sorted(match.key for match in objects(files, S3Path(bucket, pattern)))


# ----------------------------------------------------------------------------------------------------------- patterns

_PIECES = st.sampled_from(["a", "b", "-", "!", "^", "*", "?", "[", "]", "[a-c]", "[!ab]", "[]a]", "\\", ".", "&&", "~"])
PATTERNS = st.lists(_PIECES, max_size=8).map("".join)
NAMES = st.text("abc-!^[]*?\\.&~", max_size=6)


@given(PATTERNS, NAMES)
@example("[a]", "a")
@example("[]]", "]")
@example("[!]]", "]")
@example("[!]]", "a")
@example("![a]", "!a")
@example("[a-c]", "b")
@example("[a-c]", "-")
@example("[a--b]", "b")
@example("[c-a]", "b")
@example("[!c-a]", "b")
@example("[a-]", "-")
@example("[[]", "[")
@example("[\\]", "\\")
def test_a_pattern_means_what_it_means_to_fnmatch(pattern: str, name: str) -> None:
    """Within one level; and no pattern makes `re` warn."""
    assert bool(re.fullmatch(translate(pattern), name, re.DOTALL)) == fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize("pattern", ["a*b", "a?b", "a[!c]b", "a[+-~]b", "**", "[!x]"])
def test_nothing_matches_a_slash(pattern: str) -> None:
    """Levels are matched one by one, as in a shell."""
    assert re.fullmatch(translate(pattern), "a/b") is None
    assert re.fullmatch(translate(pattern), "/") is None


@pytest.mark.parametrize(
    ("pattern", "prefix", "directory"),
    [("a/b*/c", "a/b", "a/"), ("*", "", ""), ("a/b/c", "a/b/c", "a/b/"), ("ab[1]", "ab", ""), ("a/?", "a/", "a/")],
)
def test_what_all_matches_begin_with(pattern: str, prefix: str, directory: str) -> None:
    """Up to the first wildcard; and the directory that this is in."""
    assert (literal_prefix(pattern), literal_directory(pattern)) == (prefix, directory)
    assert is_glob(S3Path("b", pattern)) == (pattern != prefix)


# ------------------------------------------------------------------------------------------------------ what is found

TREE = ["a/1/x", "a/1/y/z", "a/2/x", "a/10/x", "a/x", "ab/1/x", "b", "b/1/x", "c+d/1", "a/3_$folder$", "a/4/"]


@both_stores
@pytest.mark.parametrize(
    ("pattern", "below", "itself"),
    [
        ("a/?", ["a/1/x", "a/1/y/z", "a/2/x", "a/4/", "a/x"], ["a/1/", "a/2/", "a/3/", "a/4/", "a/x"]),
        ("a/?/", ["a/1/x", "a/1/y/z", "a/2/x", "a/4/", "a/x"], ["a/1/", "a/2/", "a/3/", "a/4/"]),
        ("a/*/x", ["a/1/x", "a/10/x", "a/2/x"], ["a/1/x", "a/10/x", "a/2/x"]),
        ("*/[!2]/x", ["a/1/x", "ab/1/x", "b/1/x"], ["a/1/x", "ab/1/x", "b/1/x"]),
        ("a/[1-2]*", ["a/1/x", "a/1/y/z", "a/10/x", "a/2/x"], ["a/1/", "a/10/", "a/2/"]),
        ("a*", sorted(key for key in TREE if key[0] == "a" and "$" not in key), ["a/", "ab/"]),
        ("[bc]*", ["b", "b/1/x", "c+d/1"], ["b", "b/", "c+d/"]),
        ("a/[9]", [], []),
        ("z*", [], []),
        ("a/1/y/*", ["a/1/y/z"], ["a/1/y/z"]),
        ("a/1/y/z/*", [], []),
    ],
)
def test_what_a_pattern_finds(
    files: FileSystem, bucket: str, store: Store, pattern: str, below: list[str], itself: list[str]
) -> None:
    """objects(): all that matches and all below; matches(): what matches, once; exists(): whether there is any."""
    tree = TREE
    if pattern == "a*":  # SeaweedFS, being a file system, lists a marker's folder that it was made in
        tree = [key for key in TREE if "$" not in key]
    fill(files, bucket, tree)
    assert found(files, bucket, pattern) == [key for key in below if key in tree or "$" in key]
    told = list(matches(files, S3Path(bucket, pattern)))
    assert sorted(told) == itself
    assert exists(files, S3Path(bucket, pattern)) == bool(itself)


@both_stores
def test_a_literal_key_with_wildcards_is_found(files: FileSystem, bucket: str) -> None:
    """Beside what its pattern matches; as a directory it is what is meant."""
    fill(files, bucket, ["d/a[1].csv", "d/a1.csv", "e[1]/x", "e1/x", "f?/x", "g*"])
    assert found(files, bucket, "d/a[1].csv") == ["d/a1.csv", "d/a[1].csv"]
    assert found(files, bucket, "e[1]") == ["e[1]/x"]
    assert found(files, bucket, "e[1]/") == ["e[1]/x"]
    assert found(files, bucket, "f?") == ["f?/x"]
    for key in ("d/a[1].csv", "e[1]", "e[1]/", "f?", "f?/", "g*"):
        assert exists(files, S3Path(bucket, key)), key
    for key in ("d/a[2].csv", "e[2]", "h*", "g*/"):
        assert not exists(files, S3Path(bucket, key)), key


@both_stores
def test_directories_of_a_pattern_are_told_by_their_flag(files: FileSystem, bucket: str) -> None:
    """Each once, and a marker is no object then."""
    fill(files, bucket, ["d/1/_OK", "d/1/a", "d/2/a", "d/3/", "d/4/_OK", "d/4/_OK2", "d/5/sub/_OK", "d/6"])
    path = S3Path(bucket, "d/?")
    keys = {"d/1/_OK", "d/1/a", "d/2/a", "d/4/_OK", "d/4/_OK2", "d/5/sub/_OK", "d/6"}
    for flag, directories in (("_OK", {"d/1/", "d/4/"}), ("", {"d/1/", "d/2/", "d/3/", "d/4/", "d/5/"})):
        told = list(with_directories(files, path, flag))
        assert len(told) == len(set(told))
        assert set(told) == keys | directories


@both_stores
def test_a_removed_directory_does_not_match(files: FileSystem, bucket: str) -> None:
    """SeaweedFS lists it as a common prefix for some time; an S3 directory is what has something in it."""
    fill(files, bucket, ["d/1/x", "d/2/x", *(f"d/9/{number:04}" for number in range(1100))])
    files.remove(S3Path(bucket, "d/1/x"))
    assert sorted(matches(files, S3Path(bucket, "d/*"))) == ["d/2/", "d/9/"]
    assert not exists(files, S3Path(bucket, "d/1*"))


# ------------------------------------------------------------------------------------------------------ what it costs


class Peer:
    """The client of a store that holds these keys, and lists them in this order, 1,000 at a time. Counts requests."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        self.requests = 0

    def call(self, operation: Any) -> Any:
        self.requests += 1
        if isinstance(operation, HeadObject):
            if operation.key not in self.keys:
                raise NotFound(404, "NoSuchKey")
            return ObjectInfo(operation.bucket, operation.key, 1)
        assert isinstance(operation, ListObjectsV2)
        cut, prefix = operation.delimiter, operation.prefix
        entries: dict[str, bool] = {}
        for key in self.keys:
            if key.startswith(prefix):
                head, mark, _ = key[len(prefix) :].partition(cut) if cut else (key[len(prefix) :], "", "")
                entries[prefix + head + mark] = bool(mark)
        start = int(operation.token or 0)
        page = list(entries.items())[start : start + operation.max_keys]
        rows = [(key, "", "", "1", "") for key, is_prefix in page if not is_prefix]
        following = start + operation.max_keys
        token = str(following) if following < len(entries) else None
        return ListPage(Listed(operation.bucket, rows, str), [key for key, is_prefix in page if is_prefix], token)


def peer(keys: list[str]) -> tuple[FileSystem, Peer]:
    """Keys in an order that is nobody's."""
    shuffled = sorted(keys, key=lambda key: key[::-1])
    client = Peer(shuffled)
    return FileSystem(client), client  # type: ignore[arg-type]


CROWD = [f"d/{letter}/{number:04}" for letter in "abcdefghij" for number in range(9000)]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("d/*/log*", ["d/a/log", "d/f/log", "d/f/log2/x"]),
        ("d/[f]/log", ["d/f/log"]),
        ("d/?/nope", []),
        ("d/*/log2/x", ["d/f/log2/x"]),
    ],
)
def test_few_matches_among_very_many_keys(pattern: str, wanted: list[str], ordered: bool) -> None:
    """After some pages without a match only the directories that match are looked into. Nothing is told twice."""
    keys = [*CROWD, "d/a/log", "d/f/log", "d/f/log2/x", "e/f/log"]
    files, client = peer(keys)
    if ordered:
        client.keys = sorted(keys)
    assert sorted(match.key for match in objects(files, S3Path("b", pattern))) == wanted
    assert client.requests <= 40  # a flat listing takes 91
    client.requests = 0
    assert exists(files, S3Path("b", pattern)) == bool(wanted)
    assert client.requests <= 40


def test_matches_with_very_much_below() -> None:
    """Each directory is told once, and what is below it is not listed to its end."""
    files, client = peer(sorted([*CROWD, "d/k"]))
    assert sorted(matches(files, S3Path("b", "d/*"))) == [*(f"d/{letter}/" for letter in "abcdefghij"), "d/k"]
    assert client.requests <= 30


def test_a_listing_that_always_tells_of_something_goes_on() -> None:
    """To its end, page by page: to look into each directory would cost a request for each."""
    keys = [f"d/{number:04}/x" for number in range(5500)]
    files, client = peer(keys)
    assert sorted(match.key for match in objects(files, S3Path("b", "d/*/x"))) == keys
    assert client.requests == 1 + 6  # the first is for a directory of that very name


def test_a_change_of_the_way_tells_nothing_twice() -> None:
    """What the flat listing has told is left out of the one by levels."""
    keys = [*(f"d/a/log{number:04}" for number in range(1500)), *CROWD]
    files, client = peer(keys)
    client.keys = keys
    told = [match.key for match in objects(files, S3Path("b", "d/*/log*"))]
    assert sorted(told) == keys[:1500]
    assert client.requests <= 50


@pytest.mark.parametrize(
    ("key", "requests"), [("d/a[1].csv", 1), ("d/*.csv", 2), ("d/*.txt", 2), ("[xyz]/*", 2), ("d/?*/", 1)]
)
def test_a_glob_costs_few_requests(counted: tuple[FileSystem, Counting], bucket: str, key: str, requests: int) -> None:
    """One for the very key, one for a page of what may match."""
    files, counter = counted
    fill(files, bucket, ["d/a[1].csv", "d/e/f"])
    counter.sent.clear()
    exists(files, S3Path(bucket, key))
    assert len(counter.sent) == requests, counter.sent


# ---------------------------------------------------------------------------------------------------------- many paths


def asked(files: FileSystem, bucket: str, keys: list[str]) -> list[str]:
    there = exists_many(files, [S3Path(bucket, key) for key in keys])
    assert [path.key for path in there] == list(dict.fromkeys(keys))
    return [path.key for path, is_there in there.items() if is_there]


@both_stores
def test_many_paths_are_answered_as_each_would_be(files: FileSystem, bucket: str) -> None:
    """Objects, directories, markers, roots, wildcards that mean themselves: as FileSystem.exists() says."""
    fill(files, bucket, [*TREE, "w[1]", "deep/er/and/deeper", "x//y"])
    keys = [*TREE, *(f"{key}/" for key in TREE), "", "/", "a", "a/", "a/1", "a/3", "a/3/", "a/4", "a/5", "a/5/", "a/1/"]
    keys += [
        "a/*",
        "w[1]",
        "w1",
        "w?",
        "deep",
        "deep/er",
        "deep/er/an",
        "dee",
        "x",
        "x/",
        "x//",
        "x//y",
        "nope",
        "nope/",
    ]
    random.Random(6).shuffle(keys)
    assert asked(files, bucket, keys) == [key for key in dict.fromkeys(keys) if files.exists(S3Path(bucket, key))]


@both_stores
@pytest.mark.parametrize("layout", ["out/{0:04}", "out/{0:04}/part/x", "{1}/{0:04}.csv", "{1}/{0:04}/_SUCCESS"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_many_paths_cost_a_request_for_a_thousand(
    counted: tuple[FileSystem, Counting], bucket: str, layout: str, share: float
) -> None:
    """Whether few or many of them are there, in one directory, each in its own, or under several prefixes."""
    files, counter = counted
    keys = [layout.format(number, "pqr"[number % 3]) for number in range(1500)]
    there = keys[: int(share * len(keys))]
    fill(files, bucket, there)
    counter.sent.clear()
    assert asked(files, bucket, keys) == there
    assert len(counter.sent) <= 6, counter.sent


def test_few_paths_in_a_crowd() -> None:
    """Where listings tell of few of them, they are asked for one by one: one for a hit, two for a miss."""
    files, client = peer([f"d/{number:05}" for number in range(60_000)])
    keys = [f"d/{number:05}{end}" for number in range(0, 60_000, 6000) for end in ("", "x")]
    assert asked(files, "b", keys) == keys[::2]
    assert client.requests <= 40  # a whole listing takes 60


def test_few_paths_are_asked_for_singly(counted: tuple[FileSystem, Counting], bucket: str) -> None:
    """A hit costs one request; nothing to ask costs nothing."""
    files, counter = counted
    fill(files, bucket, ["a", "b"])
    counter.sent.clear()
    assert asked(files, bucket, ["a", "b", ""]) == ["a", "b", ""]
    assert counter.methods() == {"HEAD": 2}
    counter.sent.clear()
    assert exists_many(files, []) == {}
    assert counter.sent == []
    assert asked(files, bucket, ["", "c/1", "c/2", "c/3", "c/4"]) == [""]


def test_paths_of_several_buckets(files: FileSystem, bucket: str, store: Store) -> None:
    """Each is looked for in its own."""
    fill(files, bucket, [f"k{number}" for number in range(8)])
    other = make_bucket(store)
    fill(files, other, ["k3"])
    paths = [S3Path(name, f"k{number}") for number in range(8) for name in (bucket, other)]
    there = exists_many(files, paths)
    assert [path for path in paths if there[path] and path.bucket == other] == [S3Path(other, "k3")]
    assert sum(there.values()) == 9


@pytest.mark.parametrize(
    ("key", "as_written"), [("a/b", True), ("a/", True), ("/a", False), ("a//b", False), ("a\\b", False)]
)
def test_keys_that_a_file_system_lists_otherwise(key: str, as_written: bool) -> None:
    """That a listing does not show them tells nothing."""
    assert is_listed_as_written(key) is as_written


def test_known_keys_and_their_directories() -> None:
    """What FileSystem.exists() would find, from the keys alone."""
    known = Known(["a/b/c", "d_$folder$", "e/", "/f"])
    for key in ("a", "a/", "a/b", "a/b/", "a/b/c", "d", "d/", "d_$folder$", "e", "e/", "/f"):
        assert key in known, key
        assert key in set(known.names()), key
    for key in ("a/b/c/", "", "/", "b", "d_", "f", None):
        assert key not in known, key

"""ls and du against real stores."""

from __future__ import annotations

import json
import re

import pytest

from cli.conftest import Put, Run

pytestmark = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


@pytest.fixture
def tree(put: Put, base: str) -> str:
    for key, content in {"a.txt": b"1", "dir/b.gz": b"22", "dir/sub/c.gz": b"333", "dirt": b"4444"}.items():
        put(key, content)
    return base


def names(lines: list[str]) -> list[str]:
    return sorted(line.rsplit(" ", 1)[1] for line in lines)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ["a.txt", "dir/", "dirt"]),
        ("/dir", ["dir/", "dirt"]),
        ("/dir/", ["b.gz", "sub/"]),
        ("/dir/b", ["b.gz"]),
        ("/*.gz", ["dir/b.gz", "dir/sub/c.gz"]),
        ("/dir/[ab].gz", ["dir/b.gz"]),
        ("/d??t", ["dirt"]),
        ("", ["a.txt", "dir/", "dirt"]),
    ],
)
def test_ls_shows_what_begins_with_a_path(run: Run, tree: str, path: str, expected: list[str]) -> None:
    """One level of it; of a pattern all that fits, and "*" matches "/" too."""
    ran = run("ls", f"{tree}{path}")
    assert (ran.status, ran.err) == (0, "")
    assert names(ran.lines) == expected


def test_ls_recursive_shows_whole_keys(run: Run, tree: str) -> None:
    """With size and time, no folders."""
    ran = run("ls", "-r", f"{tree}/dir/")
    assert sorted(re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +", "", line) for line in ran.lines) == [
        "2 dir/b.gz",
        "3 dir/sub/c.gz",
    ]


def test_ls_as_json(run: Run, tree: str) -> None:
    """Objects and prefixes, each with its URL."""
    found = {entry["url"]: entry for entry in map(json.loads, run("ls", "--json", f"{tree}/dir/").lines)}
    assert found[f"{tree}/dir/sub/"]["type"] == "prefix"
    entry = found[f"{tree}/dir/b.gz"]
    assert (entry["type"], entry["key"], entry["size"]) == ("object", "dir/b.gz", 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", entry["modified"])


def test_ls_of_nothing_fails(run: Run, tree: str) -> None:
    """Status 1, for scripts; but an empty bucket is none of its faults. A missing bucket is told."""
    ran = run("ls", f"{tree}/nothing")
    assert (ran.status, ran.content) == (1, b"")
    assert "/nothing: 404 NoSuchKey: there is nothing" in ran.err
    ran = run("ls", "s3://no-such-bucket-0815")
    assert ran.status == 1
    assert "404 NoSuchBucket" in ran.err


def test_ls_without_a_path_shows_buckets(run: Run, base: str) -> None:
    """With --json, when they were made."""
    assert base in {line.rsplit(" ", 1)[1].rstrip("/") for line in run("ls").lines}
    assert f"{base}/" in {json.loads(line)["url"] for line in run("ls", "--json").lines}


def test_wildcards_may_be_characters(run: Run, base: str, put: Put) -> None:
    """With --raw."""
    put("a[1].txt")
    put("a1.txt")
    assert names(run("ls", f"{base}/a[1].txt").lines) == ["a1.txt"]
    assert names(run("ls", "--raw", f"{base}/a[1].txt").lines) == ["a[1].txt"]


def test_du_adds_up(run: Run, tree: str) -> None:
    """Below a folder, of a pattern, of a key, of a bucket; a failure if there is nothing."""
    ran = run("du", f"{tree}/dir", f"{tree}/*.gz", f"{tree}/a.txt", tree)
    assert [line.split("\t")[:2] for line in ran.lines] == [
        ["5", "2 objects"],
        ["5", "2 objects"],
        ["1", "1 objects"],
        ["10", "4 objects"],
    ]
    ran = run("du", "--json", f"{tree}/dirt", f"{tree}/nothing")
    assert (ran.status, [json.loads(line)["size"] for line in ran.lines]) == (3, [4])
    assert "there is nothing" in ran.err


def test_the_marker_of_a_folder_counts_once(run: Run, base: str, put: Put) -> None:
    """It is the key that is named, and it lies below."""
    put("dir/", b"")
    put("dir/a", b"123")
    assert run("du", f"{base}/dir/").lines == [f"3\t2 objects\t{base}/dir/"]


def test_sizes_as_people_read_them(run: Run, base: str, put: Put) -> None:
    """-H."""
    put("big", b"x" * 1536)
    assert "1.5 KiB" in run("ls", "-H", f"{base}/").out
    assert run("du", "-H", base).out.startswith("1.5 KiB\t1 objects")

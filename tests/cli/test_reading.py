"""cat, stat and presign against real stores."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest

from cli.conftest import Put, Run

pytestmark = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


def test_cat_writes_the_bytes_as_they_are(run: Run, put: Put) -> None:
    """Several objects one after the other."""
    one, two = put("one", b"\x00\xff\r\n"), put("two", b"end")
    assert run("cat", one, two, one) == (0, b"\x00\xff\r\nend\x00\xff\r\n", "")


def test_cat_takes_patterns(run: Run, base: str, put: Put) -> None:
    """In the store's order; one that fits nothing is a failure."""
    put("d/1.csv", b"1\n")
    put("d/2.csv", b"2\n")
    assert run("cat", f"{base}/d/*.csv").lines == ["1", "2"]
    ran = run("cat", f"{base}/*.none")
    assert ran.status == 1
    assert "there is nothing" in ran.err


def test_cat_goes_on_after_a_missing_object(run: Run, base: str, put: Put) -> None:
    """Status 3: some of many."""
    ran = run("cat", f"{base}/missing", put("there", b"here"))
    assert (ran.status, ran.content) == (3, b"here")
    assert "missing: 404 NoSuchKey" in ran.err
    assert run("cat", f"{base}/missing").status == 1


def test_cat_of_many_parts(run: Run, put: Put) -> None:
    """More than is fetched at once."""
    content = bytes(range(256)) * (70 << 10)
    assert run("cat", put("large", content)).content == content


def test_stat_tells_what_the_store_does(run: Run, put: Put) -> None:
    """Lines for people, JSON for programs."""
    path = put("dir/a.csv", b"12345", **{"content-type": "text/csv", "x-amz-meta-owner": "me"})
    lines = dict(line.split(maxsplit=1) for line in run("stat", path).lines)
    assert (lines["url"], lines["size"], lines["content-type"], lines["x-amz-meta-owner"]) == (
        path,
        "5",
        "text/csv",
        "me",
    )
    told = json.loads(run("stat", "--json", path).out)
    assert (told["size"], told["metadata"], told["content-type"]) == (5, {"owner": "me"}, "text/csv")
    assert told["etag"] == "827ccb0eea8a706c4c34a16891f84e7b"


def test_stat_knows_folders_and_buckets(run: Run, base: str, put: Put) -> None:
    """A folder is there if something is below it."""
    put("dir/a")
    told = [json.loads(line) for line in run("stat", "--json", f"{base}/dir", base).lines]
    assert [(entry["type"], entry["url"]) for entry in told] == [("folder", f"{base}/dir/"), ("bucket", f"{base}/")]


def test_stat_is_a_question_for_scripts(run: Run, base: str, put: Put) -> None:
    """By its status; quiet about what is there."""
    path = put("_SUCCESS", b"")
    assert run("stat", "-q", path) == (0, b"", "")
    assert run("stat", f"{base}/none").status == 1
    assert run("stat", path, f"{base}/none").status == 3


def test_a_presigned_url_reads(run: Run, put: Put) -> None:
    """Without keys; JSON says how long."""
    ran = run("presign", "--expires", "2m", put("a b", b"content"))
    assert "X-Amz-Expires=120&" in ran.out
    with urllib.request.urlopen(ran.out.strip(), timeout=30) as answer:
        assert answer.read() == b"content"
    told = json.loads(run("presign", "--json", "--expires", "1h", put("x")).out)
    assert told["expires_in"] == 3600
    assert "X-Amz-Signature=" in told["url"]


def test_a_presigned_url_writes(run: Run, base: str, get: Callable[[str], bytes | None]) -> None:
    """With --put."""
    url = run("presign", "--put", f"{base}/inbox").out.strip()
    put = urllib.request.Request(url, b"new", {"Content-Type": "text/plain"}, method="PUT")
    with urllib.request.urlopen(put, timeout=30) as answer:
        assert answer.status == 200
    assert get("inbox") == b"new"

"""Paths, directories and their contents on real servers, and how many requests each question costs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from connected import count
from s3target import FileSystem, NoSuchBucket, NotFound, PartialFailure
from s3target.filesystem import S3Path, Window
from s3target.protocol.operations.objects import HeadObject
from s3target.transfer.plan import TransferOptions
from servers.signed import request
from servers.store import Store
from stores import PLAIN, needs, over

ONE_OF_A_KIND = over(*PLAIN)


def fill(files: FileSystem, bucket: str, keys: Iterable[str]) -> None:
    """An object at each key, with the key as its content.

    Markers first: SeaweedFS, which is given `d/` and `d/x` at once, may take `d/` for a folder of its own making.
    """
    every = list(keys)

    def put(key: str) -> None:
        files.write(S3Path(bucket, key), key.encode())

    for key in every:
        if key.endswith("/"):
            put(key)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, (key for key in every if not key.endswith("/"))))


def keys_below(files: FileSystem, bucket: str, key: str = "") -> list[str]:
    return sorted(entry.key for entry in files.list(S3Path(bucket, key)))


BOTH, FILE, NEITHER = (True, True), (True, False), (False, False)
ANSWERS = {
    "file": FILE,
    "dir": BOTH,
    "dir/": BOTH,
    "dir/child": FILE,
    "deep/er": BOTH,
    "slash": BOTH,
    "slash/": BOTH,
    "hadoop": BOTH,
    "hadoop/": BOTH,
    "both": BOTH,
    "missing": NEITHER,
    "missing/": NEITHER,
    "file/": NEITHER,
    "fil": NEITHER,
    "di": NEITHER,
    "deep/e": NEITHER,
    "dir/chil": NEITHER,
    "had": NEITHER,
    "": BOTH,
}
"""Whether it exists, and whether it is a directory."""


@needs("an object beside a directory")
def test_what_is_there_and_what_is_a_directory(files: FileSystem, bucket: str) -> None:
    """An object, a directory by what is below it or by either marker; the beginning of a name is neither."""
    fill(files, bucket, ["file", "dir/child", "deep/er/still", "slash/", "hadoop_$folder$", "both", "both/child"])
    paths = {key: S3Path(bucket, key) for key in ANSWERS}
    assert {key: (files.exists(path), files.isdir(path)) for key, path in paths.items()} == ANSWERS


def test_nothing_is_in_a_bucket_that_is_not_there(files: FileSystem) -> None:
    """A path in it does not quietly count as missing where the store can tell."""
    with pytest.raises(NoSuchBucket) as caught:
        files.exists(S3Path("no-such-bucket-of-ours", "k"))
    assert "no-such-bucket-of-ours" in str(caught.value)


def test_what_existence_costs(files: FileSystem, bucket: str) -> None:
    """One request for an object that is there, two for a miss, none for a root."""
    fill(files, bucket, ["file", "dir/child"])
    counting = count(files.client)
    costs = {}
    for key in ("file", "missing", "dir", "dir/", ""):
        counting.sent.clear()
        files.exists(S3Path(bucket, key))
        costs[key] = [line.partition(" ")[0] for line in counting.sent]
    assert costs == {"file": ["HEAD"], "missing": ["HEAD", "GET"], "dir": ["HEAD", "GET"], "dir/": ["GET"], "": []}


def test_a_directory_costs_one_listing(files: FileSystem, bucket: str) -> None:
    """Child, both markers and their absence show in the same page."""
    fill(files, bucket, ["file", "dir/child", "hadoop_$folder$"])
    counting = count(files.client)
    for key in ("dir", "dir/", "missing", "file", "hadoop"):
        counting.sent.clear()
        files.isdir(S3Path(bucket, key))
        assert counting.sent == ["GET list"], key


@pytest.mark.parametrize(
    ("there", "isdir"), [(["dir/child"], True), (["dir/"], True), (["dir_$folder$"], True), ([], False)], ids=str
)
@ONE_OF_A_KIND
def test_many_siblings_hide_no_directory(
    store: Store, files: FileSystem, bucket: str, there: list[str], isdir: bool
) -> None:
    """Names that begin with its own and sort before it fill the first page; then it is asked for by name."""
    if store.kind == "rclone" and there == ["dir/"]:
        isdir = False  # to it an empty folder, which it does not list
    fill(files, bucket, [f"dir{sign}{number}" for sign in "!x" for number in range(40)])
    for key in there:
        files.write(S3Path(bucket, key), b"")
    counting = count(files.client)
    assert files.isdir(S3Path(bucket, "dir")) is isdir
    assert len(counting.sent) <= 3


def test_a_directory_is_gone_with_all_that_was_in_it(files: FileSystem, bucket: str) -> None:
    """Also where the store keeps empty folders, which it shows as common prefixes: no output is complete by a ghost."""
    fill(files, bucket, ["out/a=1/b=2/part-0", "out/a=1/part-1", "other"])
    assert files.exists(S3Path(bucket, "out"))
    assert files.remove_directory(S3Path(bucket, "out")) == 2
    for key in ("out", "out/", "out/a=1", "out/a=1/b=2"):
        assert not files.exists(S3Path(bucket, key))
        assert not files.isdir(S3Path(bucket, key))
    assert keys_below(files, bucket) == ["other"]


@over("moto", "seaweedfs", "ceph")  # Swift takes 12 s to remove a thousand
def test_thousands_of_objects_are_listed_and_removed_by_pages(files: FileSystem, bucket: str) -> None:
    """2,500 keys in three pages; removing 1,500 of them takes two batches and touches no other."""
    doomed = [f"many/a/{number:04}" for number in range(1500)]
    others = [f"many/b/{number:04} +%" for number in range(1000)]
    fill(files, bucket, [*doomed, *others])
    counting = count(files.client)
    entries = list(files.list(S3Path(bucket, "many")))
    assert counting.sent == ["GET list"] * 3
    assert sorted(entry.key for entry in entries) == sorted([*doomed, *others])
    assert {entry.size for entry in entries} == {len("many/a/0000"), len("many/b/0000 +%")}
    counting.sent.clear()
    assert files.remove_directory(S3Path(bucket, "many/a")) == 1500
    assert counting.methods() == {"GET": 3, "POST": 2}
    assert keys_below(files, bucket) == others


@needs("markers")
def test_removing_a_directory_takes_its_markers_along(files: FileSystem, bucket: str) -> None:
    """Both of them, and nothing whose name only begins alike."""
    fill(files, bucket, ["d/", "d_$folder$", "d/x", "d/e/", "d-other", "dd/x"])
    assert files.remove_directory(S3Path(bucket, "d")) == 4
    assert keys_below(files, bucket) == ["d-other", "dd/x"]
    assert files.remove_directory(S3Path(bucket, "d")) == 0


def test_keys_that_xml_cannot_carry_are_removed_one_by_one(files: FileSystem, bucket: str) -> None:
    """A control character has no form in DeleteObjects; the others still go as a batch."""
    fill(files, bucket, ["d/a", "d/\x01", "d/\x1f", "d/<&>\r\t \"'"])
    counting = count(files.client)
    assert files.remove_directory(S3Path(bucket, "d")) == 4
    assert counting.methods()["DELETE"] == 2
    assert counting.methods()["POST"] == 1
    assert keys_below(files, bucket) == []


@pytest.mark.parametrize("store", ["moto"], indirect=True)
@pytest.mark.parametrize("kept", ["d/b", "d/\x01"], ids=["in a batch", "by itself"])
def test_keys_that_the_store_keeps_are_named(store: Store, files: FileSystem, bucket: str, kept: str) -> None:
    """A bucket policy protects one of them: PartialFailure names it, and the rest are removed.

    One that has no form in DeleteObjects goes by itself, and keeps no others from being tried.
    """
    fill(files, bucket, ["d/\x01", "d/\x02", "d/a", "d/b"])
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject"}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": f"arn:aws:s3:::{bucket}/{kept}"}]}
    assert request(store, "PUT", f"/{bucket}", {"policy": ""}, json.dumps(policy).encode()).status in (200, 204)
    with pytest.raises(PartialFailure) as caught:
        files.remove_directory(S3Path(bucket, "d"))
    assert [(key, code) for key, code, _ in caught.value.failures] == [(kept, "AccessDenied")]
    assert repr(kept) in str(caught.value)
    assert keys_below(files, bucket) == [kept]


def test_only_what_was_modified_inside_the_window_is_listed(files: FileSystem, bucket: str) -> None:
    """Both ends are excluded; a time without a zone counts as UTC."""
    fill(files, bucket, ["d/a", "d/b"])
    moments = {entry.key: entry.last_modified for entry in files.list(S3Path(bucket, "d"))}
    moment, second = moments["d/a"], timedelta(seconds=1)
    naive = moment.astimezone(timezone.utc).replace(tzinfo=None)

    def listed(start: datetime | None = None, end: datetime | None = None) -> bool:
        return "d/a" in [entry.key for entry in files.list(S3Path(bucket, "d"), Window(start, end))]

    assert listed()
    assert listed(moment - second, moment + second)
    assert listed(naive - second, naive + second)
    assert listed(start=naive - second)
    assert listed(end=moment + second)
    assert not listed(start=moment)
    assert not listed(end=naive)
    assert not listed(start=moment + second)
    assert not listed(end=moment - second)


@needs("markers")
def test_a_directory_is_copied_as_it_is(files: FileSystem, bucket: str) -> None:
    """All below it, sizes and bytes and all; the source stays and the directory's own marker is not taken along."""
    keys = ["a b+%/ü", "x", "y/z", "y/=?&#"]
    fill(files, bucket, ["from/", *(f"from/{key}" for key in keys), "from-other/x"])
    copied = files.copy_directory(S3Path(bucket, "from"), S3Path(bucket, "to/here"), TransferOptions())
    assert copied == (4, sum(len(f"from/{key}".encode()) for key in keys))
    assert keys_below(files, bucket, "to") == sorted(f"to/here/{key}" for key in keys)
    assert len(keys_below(files, bucket, "from")) == 5


def test_a_directory_is_copied_to_another_bucket(store: Store, files: FileSystem, bucket: str) -> None:
    """From a root to a root."""
    other = bucket + "-2"
    assert request(store, "PUT", f"/{other}").status == 200
    fill(files, bucket, ["a", "b/c"])
    assert files.copy_directory(S3Path(bucket, ""), S3Path(other, ""), TransferOptions(threads=2)) == (2, 4)
    assert keys_below(files, other) == ["a", "b/c"]


def test_copying_what_is_not_there_is_refused(files: FileSystem, bucket: str) -> None:
    """One object: an error. A directory: nothing was copied."""
    with pytest.raises(NotFound):
        files.copy(S3Path(bucket, "missing"), S3Path(bucket, "to"), TransferOptions())
    assert files.copy_directory(S3Path(bucket, "missing"), S3Path(bucket, "to"), TransferOptions()) == (0, 0)
    assert keys_below(files, bucket) == []


def test_an_object_tells_what_it_is(files: FileSystem, bucket: str) -> None:
    """info() and a listing agree with HeadObject."""
    files.write(S3Path(bucket, "d/k"), b"12345", {"ContentType": "text/x-test"})
    head = files.client.call(HeadObject(bucket, "d/k"))
    (entry,) = files.list(S3Path(bucket, "d"))
    info = files.info(S3Path(bucket, "d/k"))
    assert info
    assert info[:-1] == head[:-1]
    assert info.content_type == "text/x-test"
    assert (entry.size, entry.e_tag, entry.storage_class) == (5, head.e_tag, head.storage_class)
    assert abs(entry.last_modified - head.last_modified) < timedelta(seconds=1)

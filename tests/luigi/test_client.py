"""S3Client: what Luigi's own tests of luigi.contrib.s3 hold it to, and what is better here."""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pytest
from luigi.target import FileAlreadyExists, MissingParentDirectory

from connected import Counting, settings_for
from s3target import (
    ConfigError,
    DeprecatedBotoClientException,
    FileNotFoundException,
    InvalidDeleteException,
    NoSuchBucket,
    NotFound,
    S3Client,
    S3Target,
)
from s3target.client import Transport
from s3target.protocol.messages import Request, Response
from s3target.protocol.operations.objects import HeadObject
from s3target.transfer.workers import run_all
from servers.signed import request
from servers.store import Store

PART = 5 << 20
HOUR = timedelta(hours=1)
SIZES = {"two parts, the last one shorter": 2 * PART - 5000, "two whole parts": 2 * PART, "one part": 5000, "empty": 0}
Keys = Callable[[], list[str]]

both_stores = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"a line\nand another")
    return path


# ------------------------------------------------------------------------------------------------------- put and get


@both_stores
def test_a_file_is_put(client: S3Client, base: str, file: Path) -> None:
    """put() makes an object of a local file."""
    client.put(file, f"{base}/a/file")
    assert client.exists(f"{base}/a/file")
    assert client.get_as_bytes(f"{base}/a/file") == file.read_bytes()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text", b"text"),
        ("zażółć ⚙", "zażółć ⚙".encode()),
        ("", b""),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (memoryview(array("h", [1, 2])), array("h", [1, 2]).tobytes()),
        (memoryview(array("d", [1.5] * 99_999)), array("d", [1.5] * 99_999).tobytes()),
    ],
)
def test_a_string_is_put(client: S3Client, base: str, content: str | bytes, expected: bytes) -> None:
    """Text as UTF-8, bytes as they are."""
    client.put_string(content, f"{base}/key")
    assert client.get_as_bytes(f"{base}/key") == expected


@pytest.mark.parametrize("file", [io.BytesIO(b"skipped,put"), io.StringIO("skipped,put")], ids=["bytes", "text"])
def test_what_a_file_still_holds_is_put(client: S3Client, base: str, file: IO[Any]) -> None:
    """As put_object() of boto3 takes it: from where the file stands."""
    file.seek(8)
    client.put_string(file, f"{base}/key")
    assert client.get_as_bytes(f"{base}/key") == b"put"


@pytest.mark.parametrize("content", [None, 5, ["a"]])
def test_what_is_no_string_is_not_put(client: S3Client, base: str, keys: Keys, content: object) -> None:
    """The error says what is taken instead."""
    with pytest.raises(ConfigError, match=r"takes text or bytes, not .*; put\(\) takes a path"):
        client.put_string(content, f"{base}/key")  # type: ignore[arg-type]
    assert keys() == []


@both_stores
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_file_is_put_in_parts(client: S3Client, base: str, tmp_path: Path, size: int) -> None:
    """put_multipart() by parts of 5 MiB: the object has the file's size and bytes, and copies keep them."""
    path = tmp_path / "parts"
    path.write_bytes(b"0123456789abcdef" * (size // 16) + b"x" * (size % 16))
    client.put_multipart(str(path), f"{base}/put", part_size=PART)
    assert client.get_as_bytes(f"{base}/put") == path.read_bytes()
    assert client.copy(f"{base}/put", f"{base}/copy", threads=4) == (1, size)
    assert client.copy(f"{base}/put", f"{base}/parted", threads=4, part_size=PART) == (1, size)
    found = [client.get_key(f"{base}/{name}") for name in ("put", "copy", "parted")]
    assert [key and key.size for key in found] == [size] * 3


def test_progress_of_a_put_is_told(client: S3Client, base: str, tmp_path: Path) -> None:
    """(bytes done, bytes in all), up to the end."""
    path = tmp_path / "parts"
    path.write_bytes(b"x" * (2 * PART))
    seen: list[tuple[int, int | None]] = []
    client.put(path, f"{base}/key", part_size=PART, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(PART, 2 * PART), (2 * PART, 2 * PART)]


def test_progress_of_copies_and_removals_is_told(client: S3Client, base: str) -> None:
    """Of a directory, of which nobody knows how much it holds, after each object; of a removal, the keys."""
    for number in range(3):
        client.put_string("x" * 10, f"{base}/d/{number}")
    seen: list[tuple[int, int | None]] = []

    def told(done: int, total: int | None) -> None:
        seen.append((done, total))

    client.copy(f"{base}/d/0", f"{base}/one", progress=told)
    assert seen == [(10, 10)]
    seen.clear()
    client.copy(f"{base}/d", f"{base}/e", progress=told)
    client.move(f"{base}/e", f"{base}/f", progress=told)
    assert seen == [(10, None), (20, None), (30, None)] * 2
    seen.clear()
    client.remove(f"{base}/f", progress=told)
    assert seen == [(3, None)]
    with pytest.raises(ConfigError, match="progress is"):
        client.remove(f"{base}/d", progress=1)
    with pytest.raises(ConfigError, match="progress is"):
        client.copy(f"{base}/d", f"{base}/e", progress=1)
    assert len(list(client.listdir(f"{base}/d"))) == 3


def test_a_missing_local_file_is_told(client: S3Client, base: str, keys: Keys, tmp_path: Path) -> None:
    """Python's own FileNotFoundError with the path."""
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        client.put(tmp_path / "nothing-here", f"{base}/key")
    assert keys() == []


@both_stores
def test_an_object_is_fetched(client: S3Client, base: str, file: Path, tmp_path: Path) -> None:
    """get() writes it to a file, the others return it."""
    client.put(file, f"{base}/key")
    client.get(f"{base}/key", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == file.read_bytes()
    assert client.get_as_bytes(f"{base}/key") == file.read_bytes()
    assert client.get_as_string(f"{base}/key") == file.read_text()


def test_a_string_is_fetched_by_its_encoding(client: S3Client, base: str) -> None:
    """UTF-8 unless another is named."""
    client.put_string("zażółć", f"{base}/utf-8")
    client.put_string("zażółć".encode("cp1250"), f"{base}/cp1250")
    assert client.get_as_string(f"{base}/utf-8") == "zażółć"
    assert client.get_as_string(f"{base}/cp1250", encoding="cp1250") == "zażółć"


def test_a_missing_object_is_not_fetched(client: S3Client, base: str, tmp_path: Path) -> None:
    """NotFound, and the local file that was there stays as it was."""
    kept = tmp_path / "kept"
    kept.write_text("before")
    with pytest.raises(NotFound):
        client.get(f"{base}/nope", kept)
    with pytest.raises(NotFound):
        client.get_as_string(f"{base}/nope")
    assert kept.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


# --------------------------------------------------------------------------------------------- what is there, and what


@both_stores
def test_what_exists(client: S3Client, base: str) -> None:
    """Objects, directories by what is below them or by either marker, and the root; no prefix that is only a name."""
    for key in ("file", "hadoop_$folder$", "marked/", "dir/below", "deep/er/below"):
        client.put_string("x", f"{base}/{key}")
    there = ("", "/", "/file", "/hadoop", "/hadoop/", "/marked", "/marked/", "/dir", "/dir/", "/deep", "/deep/er")
    missing = ("/nope", "/nope/", "/fil", "/file/", "/di", "/dir/belo", "/hadoo", "/mark", "/deep/e", "/below")
    assert [path for path in there if not client.exists(f"{base}{path}")] == []
    assert [path for path in missing if client.exists(f"{base}{path}")] == []


@both_stores
def test_what_is_a_directory(client: S3Client, base: str) -> None:
    """The root, either marker, and whatever has something below it."""
    for key in ("file", "hadoop_$folder$", "marked/", "dir/below"):
        client.put_string("", f"{base}/{key}")
    assert [path for path in ("", "/", "/hadoop", "/marked", "/marked/", "/dir") if not client.isdir(base + path)] == []
    assert [path for path in ("/file", "/nope", "/di", "/dir/below") if client.isdir(base + path)] == []
    assert client.is_dir(f"{base}/dir")


def test_a_key_is_found(client: S3Client, base: str, bucket: str) -> None:
    """get_key() tells what the store knows of an object, and gives None for a missing one and for a directory."""
    client.put_string("12345", f"{base}/dir/key")
    key = client.get_key(f"{base}/dir/key")
    assert key is not None
    assert (key.bucket_name, key.key, key.size) == (bucket, "dir/key", 5)
    assert key.e_tag == '"827ccb0eea8a706c4c34a16891f84e7b"'
    assert key.storage_class == "STANDARD"
    assert abs(datetime.now(timezone.utc) - key.last_modified) < HOUR
    assert str(key) in repr(key)
    with key.get()["Body"] as body:
        assert body.read() == b"12345"
    assert client.get_key(f"{base}/dir/nope") is None
    assert client.get_key(f"{base}/dir") is None


def test_a_key_that_is_gone_says_so(client: S3Client, base: str) -> None:
    """exists() looks again; get() raises Luigi's own exception."""
    client.put_string("x", f"{base}/key")
    key = client.get_key(f"{base}/key")
    assert key is not None
    assert key.exists()
    client.remove(f"{base}/key")
    assert not key.exists()
    with pytest.raises(FileNotFoundException, match="/key"):
        key.get()


@pytest.mark.parametrize(
    ("ask", "requests"),
    [
        (lambda client, base: client.exists(f"{base}/dir/file"), 1),
        (lambda client, base: client.exists(f"{base}/nope"), 2),
        (lambda client, base: client.exists(f"{base}/dir"), 2),
        (lambda client, base: client.exists(f"{base}/dir/"), 1),
        (lambda client, base: client.exists(base), 0),
        (lambda client, base: client.isdir(f"{base}/dir"), 1),
        (lambda client, base: client.get_as_bytes(f"{base}/dir/file"), 1),
        (lambda client, base: client.get_key(f"{base}/dir/file").size, 1),
        (lambda client, base: client.put_string("", f"{base}/new"), 1),
        (lambda client, base: client.remove(f"{base}/dir/file"), 2),
        (lambda client, base: client.copy(f"{base}/dir/file", f"{base}/copy"), 2),
        (lambda client, base: client.move(f"{base}/dir/file", f"{base}/moved"), 3),
        (lambda client, base: client.get_as_string(f"{base}/dir/file"), 1),
        (lambda client, base: list(client.listdir(f"{base}/dir")), 1),
        (lambda client, base: list(client.listdir(f"{base}/d*/file")), 2),
        (lambda client, base: client.exists(f"{base}/d*/file"), 2),
        (lambda client, base: list(client.glob(f"{base}/d*")), 1),
        (lambda client, base: client.exists_many([f"{base}/dir/{number}" for number in range(100)]), 1),
        (lambda client, base: [key.size for key in client.listdir(f"{base}/dir", return_key=True)], 1),
    ],
)
def test_a_question_costs_few_requests(
    counted: tuple[S3Client, Counting], base: str, ask: Callable[[S3Client, str], object], requests: int
) -> None:
    """As the README promises; each one is a round trip to the store."""
    client, counter = counted
    client.put_string("x", f"{base}/dir/file")
    counter.sent.clear()
    ask(client, base)
    assert len(counter.sent) == requests, counter.sent


@both_stores
@pytest.mark.parametrize("number", [3, 2500])
def test_a_directory_is_removed_by_pages(counted: tuple[S3Client, Counting], base: str, number: int) -> None:
    """N keys cost their pages, N/1000 removals, and three questions."""
    client, counter = counted
    run_all([partial(client.put_string, "", f"{base}/dir/{index:04}") for index in range(number)], threads=16)
    counter.sent.clear()
    assert client.remove(f"{base}/dir")
    pages = -(-number // 1000)
    assert counter.methods()["POST"] == pages
    assert len(counter.sent) <= 2 * pages + 4, counter.sent  # SeaweedFS may end with an empty page
    assert list(client.listdir(f"{base}/dir")) == []


# ------------------------------------------------------------------------------------------------------------ listing


@pytest.fixture
def two_files(client: S3Client, base: str) -> str:
    """A directory with two files, and something beside it."""
    for key in ("hello/frank", "hello/deep/world", "hello2", "other"):
        client.put_string("", f"{base}/{key}")
    return f"{base}/hello"


@both_stores
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_is_listed(client: S3Client, two_files: str, slash: str) -> None:
    """listdir() gives whole paths, list() those below; all the way down, and nothing from beside it."""
    directory = two_files + slash
    assert list(client.listdir(directory)) == [f"{two_files}/deep/world", f"{two_files}/frank"]
    assert list(client.list(directory)) == ["deep/world", "frank"]


def test_a_whole_bucket_is_listed(client: S3Client, two_files: str, base: str) -> None:
    """From the root, with and without a slash."""
    names = ["hello/deep/world", "hello/frank", "hello2", "other"]
    assert list(client.listdir(base)) == list(client.listdir(f"{base}/")) == [f"{base}/{name}" for name in names]
    assert list(client.list(base)) == list(client.list(f"{base}/")) == names


def test_a_path_is_listed_in_its_own_scheme(client: S3Client, two_files: str) -> None:
    """What was asked for as s3n:// comes back as s3n://."""
    other = two_files.replace("s3://", "s3n://")
    assert list(client.listdir(other)) == [f"{other}/deep/world", f"{other}/frank"]
    assert list(client.list(other)) == ["deep/world", "frank"]


@both_stores
def test_globs_are_listed(client: S3Client, base: str) -> None:
    """listdir(): full paths in their own scheme; list(): from the last directory before wildcards; keys, windows."""
    for key in ("data/2025/a", "data/2026/b", "data/2026/deep/c", "data/x[1]/d", "data/x1/e", "data/2026.txt"):
        client.put_string("", f"{base}/{key}")
    pattern = f"s3a{base[2:]}/data/202[56]"
    assert sorted(client.listdir(pattern)) == [
        f"s3a{base[2:]}/data/{name}" for name in ("2025/a", "2026/b", "2026/deep/c")
    ]
    assert sorted(client.list(pattern)) == ["2025/a", "2026/b", "2026/deep/c"]
    assert sorted(client.list(f"{base}/data/20*/deep")) == ["2026/deep/c"]
    assert sorted(key.key for key in client.listdir(pattern, return_key=True))[0] == "data/2025/a"
    now = datetime.now(timezone.utc)
    assert len(list(client.listdir(pattern, start_time=now - HOUR, end_time=now + HOUR))) == 3
    assert list(client.listdir(pattern, start_time=now + HOUR)) == []
    assert list(client.listdir(f"{base}/data/x[1]")) == [f"{base}/data/x[1]/d"]
    assert list(client.list(f"{base}/data/x[1]/")) == ["d"]
    assert list(client.listdir(f"{base}/data/[z]")) == []


@both_stores
def test_globs_are_told(client: S3Client, base: str) -> None:
    """glob(): what matches itself; exists(): whether there is any; neither reads a target's path, nor does remove()."""
    for key in ("data/2025/a", "data/2026/b", "data/2026.txt"):
        client.put_string("", f"{base}/{key}")
    assert sorted(client.glob(f"{base}/data/202?")) == [f"{base}/data/2025/", f"{base}/data/2026/"]
    assert sorted(client.glob(f"{base}/data/2026*")) == [f"{base}/data/2026.txt", f"{base}/data/2026/"]
    assert list(client.glob(f"{base}/data/2026*/")) == [f"{base}/data/2026/"]
    assert list(client.glob(f"{base}/*/*/b")) == [f"{base}/data/2026/b"]
    pattern = f"{base}/data/202?/*"
    assert client.exists(pattern)
    assert not client.exists(f"{base}/data/202?/z")
    assert not S3Target(pattern, client=client).exists()
    assert client.exists_many([pattern]) == {pattern: False}
    assert not client.remove(pattern)
    client.put_string("", f"{base}/new")
    client.rename_dont_move(f"{base}/new", f"{base}/data/202?")
    assert S3Target(f"{base}/data/202?", client=client).exists()
    assert client.get_key(f"{base}/data/2025/a") is not None


def test_nothing_is_listed_where_nothing_is(client: S3Client, base: str) -> None:
    """An empty listing, no error; a missing bucket is one."""
    assert list(client.listdir(f"{base}/nope")) == []
    with pytest.raises(NoSuchBucket):
        list(client.listdir("s3://no-such-bucket-here/x"))


@both_stores
@pytest.mark.parametrize("name", ["listdir", "list"])
def test_keys_are_listed(client: S3Client, two_files: str, bucket: str, name: str) -> None:
    """return_key gives what get_key() gives, without asking for each."""
    found = list(getattr(client, name)(two_files, return_key=True))
    assert [(key.bucket_name, key.key, key.size) for key in found] == [
        (bucket, "hello/deep/world", 0),
        (bucket, "hello/frank", 0),
    ]
    assert all(key.exists() for key in found)
    assert all(abs(datetime.now(timezone.utc) - key.last_modified) < HOUR for key in found)


@pytest.mark.parametrize("aware", [True, False], ids=["with zone", "without zone"])
@pytest.mark.parametrize("name", ["listdir", "list"])
@pytest.mark.parametrize(
    ("start", "end", "number"),
    [(None, None, 2), (-1, None, 2), (1, None, 0), (None, 1, 2), (None, -1, 0), (-1, 1, 2), (1, 2, 0), (-2, -1, 0)],
)
def test_a_time_window_is_listed(
    client: S3Client, two_files: str, name: str, start: int | None, end: int | None, number: int, aware: bool
) -> None:
    """What was modified between start and end; hours from now. Times without a zone are UTC."""
    now = datetime.now(timezone.utc)

    def moment(hours: int | None) -> datetime | None:
        if hours is None:
            return None
        return (now + hours * HOUR) if aware else (now + hours * HOUR).replace(tzinfo=None)

    found = list(getattr(client, name)(two_files, start_time=moment(start), end_time=moment(end)))
    assert len(found) == number


# -------------------------------------------------------------------------------------------------------------- mkdir


@both_stores
def test_a_directory_is_made(client: S3Client, base: str, keys: Keys) -> None:
    """A marker; once more is no error, and neither is the root, which needs none."""
    client.mkdir(base)
    assert keys() == []
    client.mkdir(f"{base}/dir")
    client.mkdir(f"{base}/dir/")
    assert client.isdir(f"{base}/dir")
    assert keys() == ["dir/"]


def test_a_parent_must_be_there(client: S3Client, base: str, keys: Keys) -> None:
    """parents=False: MissingParentDirectory names it; with a parent, or right below the root, all is well."""
    with pytest.raises(MissingParentDirectory, match="/dir/foo is not there"):
        client.mkdir(f"{base}/dir/foo/bar", parents=False)
    assert keys() == []
    client.mkdir(f"{base}/dir", parents=False)
    client.mkdir(f"{base}/dir/foo", parents=False)
    assert client.isdir(f"{base}/dir/foo")


def test_a_directory_may_be_there_already(client: S3Client, base: str) -> None:
    """raise_if_exists: FileAlreadyExists for any kind of directory, the root included."""
    client.put_string("", f"{base}/dir/file")
    client.mkdir(f"{base}/new", raise_if_exists=True)
    for path in ("/dir", "/new", ""):
        with pytest.raises(FileAlreadyExists, match=f"{path} is there already"):
            client.mkdir(base + path, raise_if_exists=True)


# ------------------------------------------------------------------------------------------------------------- remove


@both_stores
def test_an_object_is_removed(client: S3Client, base: str, keys: Keys) -> None:
    """True if something went; what only begins alike stays."""
    for key in ("file", "file2", "file/below"):
        client.put_string("", f"{base}/{key}" if key != "file/below" else f"{base}/other/file")
    assert client.remove(f"{base}/file")
    assert not client.exists(f"{base}/file")
    assert client.remove(f"{base}/file") is False
    assert client.remove(f"{base}/does/not/exist") is False
    assert client.remove(f"{base}/does/not/exist/") is False
    assert keys() == ["file2", "other/file"]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_root_is_not_removed(client: S3Client, base: str, keys: Keys, end: str) -> None:
    """InvalidDeleteException, and all stays."""
    client.put_string("", f"{base}/file")
    with pytest.raises(InvalidDeleteException, match="Cannot delete root of bucket"):
        client.remove(base + end)
    assert keys() == ["file"]


@both_stores
def test_a_missing_bucket_is_an_error(client: S3Client) -> None:
    """Not False: nobody knows whether the object is there."""
    with pytest.raises(NoSuchBucket):
        client.remove("s3://no-such-bucket-here/file")


@both_stores
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_is_removed(client: S3Client, base: str, keys: Keys, slash: str) -> None:
    """With all below it and both markers; its neighbours stay."""
    for key in ("dir/", "dir/a", "dir/b/c", "dir_$folder$", "dir2/a", "directory"):
        client.put_string("", f"{base}/{key}")
    assert client.remove(f"{base}/dir{slash}")
    assert keys() == ["dir2/a", "directory"]
    assert not client.exists(f"{base}/dir")


def test_a_directory_needs_recursive(client: S3Client, base: str, keys: Keys) -> None:
    """recursive=False: InvalidDeleteException for a directory; objects go all the same, its bare marker too."""
    client.put_string("", f"{base}/dir/file")
    for path in (f"{base}/dir", f"{base}/dir/"):
        with pytest.raises(InvalidDeleteException, match="Must use recursive delete"):
            client.remove(path, recursive=False)
    assert keys() == ["dir/file"]
    client.mkdir(f"{base}/empty")
    assert client.remove(f"{base}/empty/", recursive=False)
    assert client.remove(f"{base}/dir/file", recursive=False)
    assert keys() == []


def test_a_marker_alone_is_a_directory_to_remove(client: S3Client, base: str, keys: Keys) -> None:
    """The one that mkdir() left, and Hadoop's."""
    client.mkdir(f"{base}/made")
    client.put_string("", f"{base}/hadoop_$folder$")
    assert client.remove(f"{base}/made")
    assert client.remove(f"{base}/hadoop")
    assert keys() == []


# -------------------------------------------------------------------------------------------------------- copy, move


@both_stores
def test_a_directory_is_copied(client: S3Client, base: str, keys: Keys) -> None:
    """All below it, with the number of objects and their bytes in all; its own marker is not one of them."""
    for number in range(20):
        client.put_string("x" * number, f"{base}/from/{number:02d}")
    client.mkdir(f"{base}/from")
    assert client.copy(f"{base}/from/", f"{base}/to/", threads=10, part_size=PART) == (20, 190)
    assert client.copy(f"{base}/from", f"{base}/to2") == (20, 190)
    assert list(client.list(f"{base}/to")) == list(client.list(f"{base}/to2")) == [f"{n:02d}" for n in range(20)]
    assert [key.size for key in client.list(f"{base}/to", return_key=True)] == list(range(20))


def test_a_copy_keeps_what_describes_the_object(client: S3Client, base: str) -> None:
    """Content type and metadata, unless others are given."""
    described = {"ContentType": "text/csv", "Metadata": {"who": "me"}}
    client.put_string("a,b", f"{base}/a", **described)
    client.copy(f"{base}/a", f"{base}/b")
    client.copy(
        f"{base}/a", f"{base}/c", MetadataDirective="REPLACE", ContentType="text/plain", Metadata={"who": "you"}
    )
    found = [client.s3.call(HeadObject(*client._path_to_bucket_and_key(f"{base}/{name}"))) for name in "bc"]
    assert [(info.content_type, info.metadata) for info in found] == [
        ("text/csv", {"who": "me"}),
        ("text/plain", {"who": "you"}),
    ]


@pytest.mark.parametrize(("hours", "number"), [(-1, 2), (1, 0)])
def test_a_time_window_of_a_directory_is_copied(client: S3Client, two_files: str, hours: int, number: int) -> None:
    """start_time as in listdir(); a directory of which nothing is new is no missing one."""
    start = datetime.now(timezone.utc) + hours * HOUR
    assert client.copy(two_files, f"{two_files}-copy", start_time=start) == (number, 0)


def test_a_copy_of_nothing_is_an_error(client: S3Client, base: str, keys: Keys) -> None:
    """FileNotFoundException names the source; a missing bucket is NoSuchBucket."""
    for path in (f"{base}/nope", f"{base}/nope/"):
        with pytest.raises(FileNotFoundException, match="/nope"):
            client.copy(path, f"{base}/copy")
    with pytest.raises(NoSuchBucket):
        client.copy("s3://no-such-bucket-here/file", f"{base}/copy")
    assert keys() == []


@both_stores
def test_an_object_is_moved(client: S3Client, base: str, keys: Keys) -> None:
    """There it is whole, here it is gone. rename() is the same."""
    client.put_string("x", f"{base}/a")
    client.move(f"{base}/a", f"{base}/b/c")
    assert keys() == ["b/c"]
    client.rename(f"{base}/b/c", f"{base}/d")
    assert keys() == ["d"]
    assert client.get_as_bytes(f"{base}/d") == b"x"


@both_stores
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_is_moved(client: S3Client, base: str, keys: Keys, slash: str) -> None:
    """With all below it, and with the marker that mkdir() left."""
    client.mkdir(f"{base}/from")
    for name in ("a", "b/c"):
        client.put_string(name, f"{base}/from/{name}")
    client.move(f"{base}/from{slash}", f"{base}/to{slash}")
    assert keys() == ["to/a", "to/b/c"]


def test_a_move_of_nothing_is_an_error(client: S3Client, base: str) -> None:
    """As with copy()."""
    with pytest.raises(FileNotFoundException):
        client.move(f"{base}/nope", f"{base}/to")


def test_a_move_whose_copy_fails_keeps_the_source(client: S3Client, base: str, keys: Keys) -> None:
    """Nothing is removed before the copy is there."""
    client.put_string("x", f"{base}/dir/a")
    for source in ("dir", "dir/a"):
        with pytest.raises(NotFound):
            client.move(f"{base}/{source}", "s3://no-such-bucket-here/to")
    assert keys() == ["dir/a"]


@pytest.mark.parametrize(
    ("source", "destination"),
    [("/dir", "/dir/sub"), ("/dir/", "/dir/sub/"), ("/dir", "/dir/"), ("/dir", "/dir"), ("/dir/a", "/dir/a")],
)
def test_nothing_is_moved_into_itself(client: S3Client, base: str, keys: Keys, source: str, destination: str) -> None:
    """The copy would go with the source."""
    client.put_string("x", f"{base}/dir/a")
    with pytest.raises(InvalidDeleteException, match="into itself"):
        client.move(base + source, base + destination)
    assert keys() == ["dir/a"]


def test_a_file_moves_below_its_own_name(client: S3Client, base: str, keys: Keys) -> None:
    """`a` to `a/b` is fine for an object, which is no directory."""
    client.put_string("x", f"{base}/a")
    client.move(f"{base}/a", f"{base}/a/b")
    assert keys() == ["a/b"]


class Arriving:
    """A transport on which an object arrives in the directory as its first object is copied."""

    def __init__(self, transport: Transport, arrive: Callable[[], object]) -> None:
        self._transport = transport
        self._arrive: Callable[[], object] | None = arrive

    def send(self, request: Request) -> Response:
        arrive = self._arrive
        if arrive is not None and "x-amz-copy-source" in request.headers:
            self._arrive = None
            arrive()
        return self._transport.send(request)

    def close(self) -> None:
        self._transport.close()


@both_stores
def test_what_arrives_while_a_directory_moves_stays(
    client: S3Client, counted: tuple[S3Client, Counting], base: str, keys: Keys
) -> None:
    """Only what was copied is removed."""
    for key in ("dir/a", "dir/b", "dir/", "dir_$folder$"):
        client.put_string("", f"{base}/{key}")
    mover, _ = counted
    mover.s3.transport = Arriving(mover.s3.transport, lambda: client.put_string("new", f"{base}/dir/late"))
    mover.move(f"{base}/dir", f"{base}/there")
    assert sorted(keys()) == ["dir/late", "there/a", "there/b"]
    assert client.get_as_string(f"{base}/dir/late") == "new"


def test_a_marker_with_bytes_in_it_is_not_lost(client: S3Client, base: str, keys: Keys) -> None:
    """It is not copied, so it stays."""
    client.put_string("kept", f"{base}/dir/")
    client.put_string("", f"{base}/dir/a")
    client.move(f"{base}/dir/", f"{base}/there")
    assert sorted(keys()) == ["dir/", "there/a"]


def test_part_of_a_directory_is_not_moved(client: S3Client, two_files: str, base: str, keys: Keys) -> None:
    """A window would copy some and remove all."""
    before = keys()
    with pytest.raises(ConfigError, match="takes no start_time"):
        client.move(two_files, f"{base}/to", start_time=datetime.now(timezone.utc) + HOUR)
    assert keys() == before


def test_a_rename_replaces_nothing(client: S3Client, base: str) -> None:
    """rename_dont_move(): FileAlreadyExists if a file or directory is there, else a move."""
    for key in ("a", "b", "dir/c"):
        client.put_string(key, f"{base}/{key}")
    for taken in ("b", "dir"):
        with pytest.raises(FileAlreadyExists, match=f"/{taken} is there already"):
            client.rename_dont_move(f"{base}/a", f"{base}/{taken}")
    client.rename_dont_move(f"{base}/a", f"{base}/new")
    assert client.get_as_string(f"{base}/new") == "a"
    assert not client.exists(f"{base}/a")


# --------------------------------------------------------------------------------------------------- paths, arguments


@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3n", "S3"])
def test_a_scheme_is_a_name_for_the_same(client: S3Client, base: str, scheme: str) -> None:
    """Spark's and Hadoop's spellings."""
    path = base.replace("s3://", f"{scheme}://") + "/key"
    client.put_string("x", path)
    assert client.exists(path)
    assert client.exists(f"{base}/key")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://bucket/a/b", ("bucket", "a/b")),
        ("s3://bucket/a/b/", ("bucket", "a/b/")),
        ("s3://bucket//a", ("bucket", "/a")),
        ("s3://bucket/a?b=c", ("bucket", "a?b=c")),
        ("s3://bucket/a#b;c%20d", ("bucket", "a#b;c%20d")),
        ("s3a://bucket/a:b", ("bucket", "a:b")),
    ],
)
def test_a_path_is_cut_into_bucket_and_key(path: str, expected: tuple[str, str]) -> None:
    """Whatever comes after the bucket is the key, as luigi.contrib.s3 has it."""
    assert S3Client._path_to_bucket_and_key(path) == expected


class Place:
    """An object whose str() is a path, as those of cloudpathlib."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __str__(self) -> str:
        return self.path


def test_a_path_may_be_an_object(client: S3Client, base: str, file: Path) -> None:
    """Its str() counts, for all that take a path."""
    client.put(file, Place(f"{base}/dir/key"))
    assert client.exists(Place(f"{base}/dir/key"))
    assert list(client.listdir(Place(f"{base}/dir"))) == [f"{base}/dir/key"]
    assert list(client.list(Place(f"{base}/dir/"))) == ["key"]
    assert client.copy(Place(f"{base}/dir"), Place(f"{base}/copy")) == (1, file.stat().st_size)
    client.move(Place(f"{base}/copy"), Place(f"{base}/moved"))
    assert client.remove(Place(f"{base}/moved"))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (None, "is no S3 path"),
        ("", "is no S3 path"),
        ("/local/file", "is no S3 path"),
        ("https://host/key", "is no S3 path"),
        ("s3:/bucket/key", "is no S3 path"),
        (PurePosixPath("/bucket/key"), "is no S3 path"),
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("s3://bucket/" + "k" * 1025, "over 1024 bytes"),
    ],
)
@pytest.mark.parametrize("ask", ["exists", "remove", "isdir", "mkdir", "get_key", "get_as_bytes"])
def test_what_is_no_path_is_refused(client: S3Client, ask: str, path: object, told: str) -> None:
    """A ConfigError that says what one looks like."""
    with pytest.raises(ConfigError, match=told):
        getattr(client, ask)(path)


WRITES: dict[str, Callable[..., object]] = {
    "put": lambda client, file, path, **args: client.put(file, path, **args),
    "put_multipart": lambda client, file, path, **args: client.put_multipart(file, path, **args),
    "put_string": lambda client, file, path, **args: client.put_string("x", path, **args),
    "copy": lambda client, file, path, **args: client.copy(path, path + "2", **args),
    "move": lambda client, file, path, **args: client.move(path, path + "2", **args),
}


@pytest.mark.parametrize("name", ["encrypt_key", "host"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_arguments_of_boto_2_are_told_apart(
    client: S3Client, base: str, file: Path, keys: Keys, write: Callable[..., object], name: str
) -> None:
    """DeprecatedBotoClientException says what to write instead; nothing is written."""
    with pytest.raises(DeprecatedBotoClientException, match=f"{name} is an argument of boto 2; say|{name} is .*name"):
        write(client, file, f"{base}/key", **{name: "x"})
    assert keys() == []


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"ServerSideEncrypton": "AES256"}, "did you mean ServerSideEncryption"),
        ({"Metadata": {"name": "ż"}}, "must be ASCII"),
        ({"ContentType": 5.0}, "ContentType is text"),
    ],
)
def test_an_argument_that_cannot_be_right_is_refused(
    client: S3Client,
    base: str,
    file: Path,
    keys: Keys,
    write: Callable[..., object],
    arguments: dict[str, object],
    told: str,
) -> None:
    """At once, naming the nearest known one; nothing is written."""
    with pytest.raises(ValueError, match=told):
        write(client, file, f"{base}/key", **arguments)
    assert keys() == []


@pytest.mark.parametrize("write", ["put", "put_string"])
def test_extra_arguments_reach_the_store(store: Store, client: S3Client, bucket: str, file: Path, write: str) -> None:
    """boto3's ExtraArgs, as a second opinion sees them."""
    source = {"put": file, "put_string": "x"}[write]
    arguments = {
        "Metadata": {"Who": "me"},
        "ContentType": "text/csv",
        "CacheControl": "no-cache",
        "ServerSideEncryption": "AES256",
        "StorageClass": "REDUCED_REDUNDANCY",
        "ACL": None,
    }
    getattr(client, write)(source, f"s3://{bucket}/key", **arguments)
    told = request(store, "HEAD", f"/{bucket}/key").headers
    assert told["x-amz-meta-who"] == "me"
    assert told["content-type"] == "text/csv"
    assert told["cache-control"] == "no-cache"
    assert told["x-amz-server-side-encryption"] == "AES256"
    assert told["x-amz-storage-class"] == "REDUCED_REDUNDANCY"


def test_put_string_takes_no_part_size(client: S3Client, base: str) -> None:
    """It is one request."""
    with pytest.raises(ConfigError, match="put_string knows no option 'part_size'"):
        client.put_string("x", f"{base}/key", part_size=PART)


def test_a_subclass_has_a_say_in_what_is_made_of_its_methods(store: Store, base: str) -> None:
    """As in luigi.contrib.s3: what its copy() and put_string() add is there after move() and mkdir() too."""

    class Labelled(S3Client):
        def copy(self, *args: Any, **kwargs: Any) -> tuple[int, int]:
            return super().copy(*args, Metadata={"by": "copy"}, MetadataDirective="REPLACE", **kwargs)

        def put_string(self, *args: Any, **kwargs: Any) -> None:
            super().put_string(*args, Metadata={"by": "put"}, **kwargs)

    client = Labelled(**settings_for(store))
    client.mkdir(f"{base}/made")
    for source, destination in (("file", "file2"), ("dir", "dir2"), ("tmp", "target")):
        client.put_string("x", f"{base}/{source}/1" if source == "dir" else f"{base}/{source}")
        client.rename_dont_move(f"{base}/{source}", f"{base}/{destination}")
        assert not client.exists(f"{base}/{source}")
    bucket = base.removeprefix("s3://")
    for key, by in {"made/": "put", "file2": "copy", "dir2/1": "copy", "target": "copy"}.items():
        assert request(store, "HEAD", f"/{bucket}/{key}").headers["x-amz-meta-by"] == by

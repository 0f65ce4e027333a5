"""S3Target and its kin: the facts that Luigi asks of every file system target, the formats, and the options."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from unittest import mock

import luigi
import luigi.format
import pytest
from luigi.format import UTF8, Bzip2, Gzip, Nop, SysNewLine, Text
from luigi.target import FileAlreadyExists

from connected import Counting, client_of, settings_for
from s3target import (
    ConfigError,
    DeprecatedBotoClientException,
    FileNotFoundException,
    NoSuchBucket,
    S3Client,
    S3EmrTarget,
    S3FlagTarget,
    S3Target,
)
from servers.signed import request
from servers.store import Store

Keys = Callable[[], list[str]]
both_stores = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


@pytest.fixture
def make(client: S3Client, base: str) -> Callable[..., S3Target]:
    """A target at s3://BUCKET/target."""
    return lambda format=None, **options: S3Target(f"{base}/target", format=format, client=client, **options)


Make = Callable[..., S3Target]


def written(target: S3Target, content: Any) -> S3Target:
    with target.open("w") as file:
        file.write(content)
    return target


def read(target: S3Target) -> Any:
    with target.open() as file:
        return file.read()


def fail_while_writing(target: S3Target) -> None:
    with target.open("w") as file:
        file.write("hej\n")
        raise ZeroDivisionError


def use_temporary_path(target: S3Target, then: Callable[[], object]) -> None:
    """Put something to a temporary path of the target's, and do something else before the block is left."""
    with target.temporary_path() as path:
        target.fs.put_string("late", path)
        then()


# ---------------------------------------------------------------------------- what Luigi asks of any file system target


@both_stores
def test_nothing_is_there_before_close(make: Make) -> None:
    """Atomicity: open() and write() show nothing, close() shows all."""
    target = make()
    file = target.open("w")
    file.write("lol\n")
    file.flush()
    assert not target.exists()
    file.close()
    assert target.exists()
    assert read(target) == "lol\n"


@both_stores
def test_the_with_block_commits(make: Make) -> None:
    """Leaving it is closing."""
    target = make()
    with target.open("w") as file:
        file.write("hej\n")
        assert not target.exists()
    assert target.exists()


@both_stores
def test_a_with_block_that_fails_commits_nothing(make: Make, keys: Keys) -> None:
    """The exception comes out, and there is no object."""
    target = make()
    with pytest.raises(ZeroDivisionError):
        fail_while_writing(target)
    assert not target.exists()
    assert keys() == []


@pytest.mark.parametrize("format", [None, UTF8, Nop, Gzip, UTF8 >> Gzip], ids=["None", "UTF8", "Nop", "Gzip", "chain"])
def test_a_dropped_file_commits_nothing(make: Make, keys: Keys, format: Any) -> None:
    """No close(), no object: not when the last reference goes, not when the collector comes."""
    target = make(format)
    file = target.open("w")
    file.write(b"test" if format in (Nop, Gzip) else "test")
    del file
    gc.collect()
    assert not target.exists()
    assert keys() == []


def test_print_goes_into_a_target(make: Make) -> None:
    """It is a text file like any other."""
    target = make()
    with target.open("w") as file:
        print("test", 1, file=file)
    assert read(target) == "test 1\n"


@both_stores
def test_unicode_comes_back(make: Make) -> None:
    """Through UTF8, whatever the locale says."""
    assert read(written(make(UTF8), "我éçф")) == "我éçф"


def test_a_format_of_ones_own_is_used(make: Make) -> None:
    """Its pipes get our files, and can give them attributes."""

    class Custom(luigi.format.Format):  # type: ignore[misc]
        def pipe_reader(self, input_pipe: Any) -> Any:
            input_pipe.foo = "custom read property"
            return input_pipe

        def pipe_writer(self, output_pipe: Any) -> Any:
            output_pipe.foo = "custom write property"
            return output_pipe

    target = make(Custom())
    with target.open("w") as file:
        assert file.foo == "custom write property"
    with target.open("r") as file:
        assert file.foo == "custom read property"


def test_lines_are_written_and_read(make: Make) -> None:
    """writelines(), iteration, readline(), readlines()."""
    target = make()
    with target.open("w") as file:
        file.writelines(["a\n", "b\n", "c"])
    with target.open() as file:
        assert list(file) == ["a\n", "b\n", "c"]
    with target.open() as file:
        assert [file.readline(), *file.readlines()] == ["a\n", "b\n", "c"]


@both_stores
def test_a_file_moves(make: Make) -> None:
    """By the target's file system; rename_dont_move() finds the place taken the second time."""
    target = make()
    target._touchz()
    target.fs.move(target.path, f"{target.path}-moved")
    assert not target.exists()
    target._touchz()
    target.fs.rename_dont_move(target.path, f"{target.path}-renamed")
    assert not target.exists()
    with pytest.raises(FileAlreadyExists):
        target.fs.rename_dont_move(f"{target.path}-moved", f"{target.path}-renamed")


def test_a_target_is_removed(make: Make) -> None:
    """And is not there then; once more is no error."""
    target = written(make(), "x")
    target.remove()
    assert not target.exists()
    target.remove()


def test_a_target_knows_its_path(make: Make, base: str) -> None:
    """As it was given."""
    assert make().path == str(make()) == f"{base}/target"


@both_stores
def test_a_missing_target_cannot_be_read(make: Make) -> None:
    """Luigi's FileNotFoundException with the path, at open()."""
    with pytest.raises(FileNotFoundException, match=r"Could not find file at s3://.*/target"):
        make().open()


def test_a_missing_bucket_is_told(client: S3Client) -> None:
    """It is no missing file, which a task could make."""
    with pytest.raises(NoSuchBucket):
        S3Target("s3://no-bucket-of-this-name/target", client=client).open()


def test_reading_costs_one_request(counted: tuple[S3Client, Counting], base: str) -> None:
    """open("r") is the GetObject whose bytes are read; looking whether it is there is one HEAD."""
    client, counter = counted
    target = written(S3Target(f"{base}/key", client=client), "x")
    assert counter.sent == [f"PUT /{base[5:]}/key"]
    counter.sent.clear()
    assert read(target) == "x"
    assert counter.methods() == {"GET": 1}
    counter.sent.clear()
    assert target.exists()
    assert counter.methods() == {"HEAD": 1}


@pytest.mark.parametrize("mode", ["rb", "wb", "a", "r+", "", "x"])
def test_other_modes_are_refused(make: Make, mode: str) -> None:
    """With the way to do it."""
    with pytest.raises(ValueError, match=re.escape(f"mode {mode!r} is not supported; use 'r' or 'w'")):
        make().open(mode)


# ------------------------------------------------------------------------------------------------------------- formats

TEXT = "zażółć\nline two\n\nlast"
BYTES = b"a\xf2\xf3\nfd\x00" * 3
FORMATS = {
    "default": (None, TEXT),
    "Text": (Text, TEXT),
    "UTF8": (UTF8, TEXT),
    "Nop": (Nop, BYTES),
    "SysNewLine": (SysNewLine, BYTES),
    "Gzip": (Gzip, BYTES),
    "Bzip2": (Bzip2, BYTES),
    "UTF8 >> Gzip": (UTF8 >> Gzip, TEXT),
    "Text >> Bzip2": (Text >> Bzip2, TEXT),
    "UTF8 >> SysNewLine": (UTF8 >> SysNewLine, TEXT),
    "UTF8 >> SysNewLine >> Gzip": (UTF8 >> SysNewLine >> Gzip, TEXT),
    "Nop >> Gzip": (Nop >> Gzip, BYTES),
    "Gzip >> Bzip2": (Gzip >> Bzip2, BYTES),
}
SIGNATURES = {"Gzip": b"\x1f\x8b", "Bzip2": b"BZh"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_goes_both_ways(make: Make, client: S3Client, name: str) -> None:
    """What is written comes back, and what lies on the store is in that format."""
    format, content = FORMATS[name]
    target = written(make(format), content)
    assert read(target) == content
    stored = client.get_as_bytes(target.path)
    plain = content if isinstance(content, bytes) else content.encode()
    assert stored.startswith(SIGNATURES.get(name.split()[-1], plain[:4]))


@both_stores
@pytest.mark.parametrize("name", ["UTF8", "Nop", "Gzip", "UTF8 >> Gzip", "Text >> Bzip2"])
def test_megabytes_go_both_ways(make: Make, name: str) -> None:
    """More than any buffer and more than one part; read by lines, of which one is longer than a megabyte."""
    format, sample = FORMATS[name]
    lines = ["long" * 400_000 + "\n", *(f"line {number}\n" for number in range(320_000)), "no newline"]
    whole: Any = "".join(lines)
    if isinstance(sample, bytes):
        whole, lines = whole.encode(), [line.encode() for line in lines]  # type: ignore[misc]
    target = written(make(format, part_size=5 << 20), whole)
    with target.open() as file:
        assert list(file) == lines
    assert read(target) == whole


@pytest.mark.parametrize("readahead", [0, 3])
def test_bytes_are_read_in_any_way(make: Make, readahead: int) -> None:
    """A Nop reader is a buffered binary file: by lines, by pieces, to the end. luigi.contrib.s3 cannot iterate it."""
    target = written(make(Nop, readahead=readahead), b"one\ntwo\r\nthree")
    with target.open() as file:
        assert list(file) == [b"one\n", b"two\r\n", b"three"]
    with target.open() as file:
        assert (file.readable(), file.writable(), file.seekable()) == (True, False, False)
        assert (file.read(2), file.readline(), file.peek(1)[:1]) == (b"on", b"e\n", b"t")
        buffer = bytearray(3)
        assert file.readinto(buffer) == 3
        assert (bytes(buffer), file.read(), file.read(), file.read(None)) == (b"two", b"\r\nthree", b"", b"")
    assert file.closed


def test_a_reader_that_is_dropped_leaves_nothing_open(make: Make) -> None:
    """Half read and forgotten; a leaked socket would be a warning, which is an error here."""
    target = written(make(Nop), b"x" * 3_000_000)
    file = target.open()
    file.read(10)
    del file
    gc.collect()
    assert len(read(target)) == 3_000_000


# ----------------------------------------------------------------------------------------------------- temporary paths


@both_stores
def test_a_temporary_path_becomes_the_target(make: Make, client: S3Client, keys: Keys) -> None:
    """What is put there is at the target after the block, and the temporary one is gone."""
    target = make()
    with target.temporary_path() as path:
        assert re.fullmatch(re.escape(target.path) + r"-luigi-tmp-\d{10}", path)
        client.put_string("x", path)
        assert not target.exists()
    assert read(target) == "x"
    assert keys() == ["target"]


@both_stores
def test_a_temporary_directory_becomes_the_target(client: S3Client, base: str, keys: Keys) -> None:
    """A target whose path ends in a slash, as jobs of many output files have it."""
    target = S3Target(f"{base}/a/out/", client=client)
    with target.temporary_path() as path:
        assert path.endswith("/")
        for name in ("part-0", "part-1", "deep/part-2"):
            client.put_string(name, path + name)
    assert keys() == ["a/", "a/out/deep/part-2", "a/out/part-0", "a/out/part-1"]


def test_a_temporary_path_that_fails_is_not_moved(make: Make) -> None:
    """The exception comes out, the target is not there."""
    target = make()
    with pytest.raises(ZeroDivisionError):
        use_temporary_path(target, lambda: 1 / 0)
    assert not target.exists()


def test_a_temporary_path_replaces_nothing(make: Make) -> None:
    """FileAlreadyExists if somebody was faster."""
    target = make()
    with pytest.raises(FileAlreadyExists):
        use_temporary_path(target, lambda: written(target, "early"))
    assert read(target) == "early"


# ------------------------------------------------------------------------------------------------------------- options


@both_stores
def test_only_the_first_may_write(make: Make) -> None:
    """overwrite=False: who commits second gets Luigi's FileAlreadyExists, and the first output stays."""
    first, second = make(overwrite=False), make(overwrite=False)
    late = second.open("w")
    late.write("second")
    written(first, "first")
    with pytest.raises(FileAlreadyExists, match="nothing was written"):
        late.close()
    assert read(first) == "first"
    written(make(), "by default it is replaced")
    assert read(first) == "by default it is replaced"


@pytest.mark.parametrize("upload", ["at_close", "while_writing"])
def test_what_is_there_already_is_told_before_it_is_made(make: Make, client: S3Client, base: str, upload: str) -> None:
    """By open("w") of overwrite=False, which saves the hours of a task. A directory is not in the way."""
    written(make(), "first")
    with pytest.raises(FileAlreadyExists, match="there already"):
        make(overwrite=False, upload=upload).open("w")
    make().remove()
    client.put_string("x", f"{base}/target/below")
    written(make(overwrite=False, upload=upload), "second")
    assert read(make()) == "second"


@pytest.mark.parametrize("upload", ["at_close", "while_writing"])
def test_what_the_store_would_overwrite_is_told_before_it_is_made(store: Store, base: str, upload: str) -> None:
    """Where overwrite=False cannot be had."""
    client = S3Client(**settings_for(store), store="gcs")
    target = S3Target(f"{base}/target", client=client, overwrite=False, upload=upload)
    with pytest.raises(ConfigError, match="does not keep conditions"):
        target.open("w")


def test_only_the_first_may_write_many_parts(make: Make) -> None:
    """The condition goes with the end of a multipart upload too."""
    target = make(Nop, overwrite=False, part_size=5 << 20)
    written(target, b"x" * (6 << 20))
    with pytest.raises(FileAlreadyExists):
        written(target, b"y" * (6 << 20))
    assert read(target) == b"x" * (6 << 20)


def test_an_old_version_is_read(store: Store, make: Make, bucket: str) -> None:
    """version_id: of the store's versions, the one that is named."""
    document = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert request(store, "PUT", f"/{bucket}", {"versioning": ""}, document).status == 200
    versions = []
    for content in ("old", "new"):
        written(make(), content)
        versions.append(request(store, "HEAD", f"/{bucket}/target").headers["x-amz-version-id"])
    assert [read(make(version_id=version)) for version in versions] == ["old", "new"]
    assert read(make()) == "new"
    with pytest.raises(FileNotFoundException):
        make(version_id="3" * 32).open()


def test_what_describes_the_output_reaches_the_store(store: Store, make: Make, bucket: str) -> None:
    """boto3's ExtraArgs as keyword arguments of the target."""
    target = make(
        ContentType="text/csv",
        Metadata={"made-by": "test"},
        ServerSideEncryption="AES256",
        CacheControl="no-cache",
        Tagging="a=b",
    )
    written(target, "x")
    told = request(store, "HEAD", f"/{bucket}/target").headers
    assert told["content-type"] == "text/csv"
    assert told["x-amz-meta-made-by"] == "test"
    assert told["x-amz-server-side-encryption"] == "AES256"
    assert told["cache-control"] == "no-cache"
    assert b"<Key>a</Key>" in request(store, "GET", f"/{bucket}/target", {"tagging": ""}).body


def test_the_output_goes_up_in_parts_of_the_given_size(counted: tuple[S3Client, Counting], base: str) -> None:
    """part_size, as luigi.contrib.s3 hands it on to put_multipart()."""
    client, counter = counted
    written(S3Target(f"{base}/key", Nop, client, part_size=6 << 20), b"x" * (7 << 20))
    assert counter.methods() == {"POST": 2, "PUT": 2}


def test_progress_is_told_both_ways(make: Make) -> None:
    """(bytes done, bytes in all) while writing at close, and while reading."""
    seen: list[tuple[int, int | None]] = []
    target = make(Nop, progress=lambda done, total: seen.append((done, total)))
    written(target, b"x" * 1000)
    assert seen == [(1000, 1000)]
    seen.clear()
    read(target)
    assert seen[-1] == (1000, 1000)


@pytest.mark.parametrize("name", ["encrypt_key", "host"])
def test_arguments_of_boto_2_are_told_apart(name: str) -> None:
    """DeprecatedBotoClientException at once, saying what to write instead."""
    with pytest.raises(DeprecatedBotoClientException, match=f"{name} is an argument of boto 2; "):
        S3Client(**{name: True})


@pytest.mark.parametrize("upload", ["at_close", "while_writing"])
@pytest.mark.parametrize("name", ["encrypt_key", "host"])
def test_a_target_with_an_argument_of_boto_2_can_be_read(make: Make, keys: Keys, name: str, upload: str) -> None:
    """As with luigi.contrib.s3: all goes well until something is to be written."""
    target = make(upload=upload, **{name: True})
    assert not target.exists()
    with pytest.raises(FileNotFoundException):
        target.open()
    with pytest.raises(DeprecatedBotoClientException, match=f"{name} is an argument of boto 2; "):
        target.open("w")
    assert keys() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"ContentTyp": "text/csv"}, "S3Target knows no option 'ContentTyp'; did you mean ContentType"),
        ({"overwite": False}, "S3Target knows no option 'overwite'; did you mean overwrite"),
        ({"region_name": "eu-west-1"}, "S3Target knows no option 'region_name'"),
        ({"Metadata": "a=b"}, "Metadata is a mapping"),
        ({"Metadata": {"a": "ż"}}, "must be ASCII"),
        ({"Metadata": {"a": 5}}, "must be ASCII text"),
    ],
)
def test_an_argument_that_cannot_be_right_is_refused(arguments: dict[str, Any], told: str) -> None:
    """When the target is made, not hours later when its output is to be put."""
    with pytest.raises(ConfigError, match=told):
        S3Target("s3://bucket/key", **arguments)


@pytest.mark.parametrize("path", [None, "", "bucket/key", "http://host/key", PurePosixPath("/tmp/x")])
def test_what_is_no_s3_path_is_told_when_it_is_used(client: S3Client, path: object) -> None:
    """A ConfigError that says what one looks like, for each thing one does with a target."""
    target = S3Target(path, client=client)
    for act in (target.exists, target.open, lambda: target.open("w"), target.remove):
        with pytest.raises(ConfigError, match="is no S3 path; write s3://bucket/key"):
            act()


@pytest.mark.parametrize(
    "path", ["s3://bucket", "s3://bucket/", "s3://../key", "s3://bucket:80/key", "s3://b\r\nx: y/k"]
)
@pytest.mark.parametrize("upload", ["at_close", "while_writing"])
def test_what_cannot_be_written_to_is_told_by_open(client: S3Client, path: str, upload: str) -> None:
    """And not hours later, by close()."""
    with pytest.raises(ConfigError, match="bucket"):
        S3Target(path, client=client, upload=upload).open("w")


@pytest.mark.parametrize("scheme", ["s3a", "s3n"])
def test_a_scheme_of_hadoop_means_the_same(make: Make, client: S3Client, base: str, scheme: str) -> None:
    """And the path keeps it, since Spark is to get it as it is."""
    path = f"{base}/target".replace("s3://", f"{scheme}://")
    written(S3Target(path, client=client), "x")
    assert read(make()) == "x"
    assert S3Target(path).path == path


# -------------------------------------------------------------------------------------------------------- flag targets


@both_stores
def test_a_flag_completes_a_directory(client: S3Client, base: str) -> None:
    """Other files in it do not, and neither does its marker."""
    target = S3FlagTarget(f"{base}/dir/", client=client)
    client.put_string("", f"{base}/dir/part-0")
    client.mkdir(f"{base}/dir")
    assert not target.exists()
    client.put_string("", f"{base}/dir/_SUCCESS")
    assert target.exists()
    assert target.flag == "_SUCCESS"


@pytest.mark.parametrize(("flag", "name"), [("_DONE", "_DONE"), (None, "_SUCCESS")])
def test_a_flag_may_have_another_name(client: S3Client, base: str, flag: str | None, name: str) -> None:
    """None means the usual one."""
    target = S3FlagTarget(f"{base}/dir/", client=client, flag=flag)
    assert not target.exists()
    client.put_string("", f"{base}/dir/{name}")
    assert target.exists()


@pytest.mark.parametrize("path", ["s3://bucket/dir", "s3://bucket", ""])
def test_a_flag_target_is_a_directory(path: str) -> None:
    """Luigi's words for a path without its last slash."""
    with pytest.raises(ValueError, match="must end with a slash"):
        S3FlagTarget(path)


def test_the_old_name_warns(client: S3Client, base: str) -> None:
    """S3EmrTarget works, and says what to use; the warning points to the caller."""
    with pytest.warns(UserWarning, match="S3EmrTarget is deprecated. Please use S3FlagTarget") as caught:
        target = S3EmrTarget(f"{base}/dir/", client=client, flag="_DONE")
    assert caught[0].filename == __file__
    assert isinstance(target, S3FlagTarget)
    assert target.flag == "_DONE"
    assert not target.exists()


# ------------------------------------------------------------------------------------------------------ pickle and copy


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_a_used_target_goes_to_another_process(make: Make, again: Callable[[S3Target], S3Target]) -> None:
    """With its client, format and options; luigi.contrib.s3's cannot be pickled once it was used."""
    target = written(make(UTF8 >> Gzip, ContentType="text/csv", overwrite=False), "zażółć")
    assert target.exists()
    other = again(target)
    assert (other.path, other.overwrite, other.s3_options) == (target.path, False, {"ContentType": "text/csv"})
    assert read(other) == "zażółć"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
@pytest.mark.parametrize("given", [lambda target: target, lambda target: target.fs])
def test_the_fs_of_a_directory_goes_to_another_process(
    client: S3Client, base: str, given: Callable[[S3Target], Any], again: Callable[[Any], Any]
) -> None:
    """With its target or without it, it still gives the directories that have the flag."""
    target = S3FlagTarget(f"{base}/a/", client=client)
    target.fs.put_string("", f"{base}/a/_SUCCESS")
    other = again(given(target))
    fs = other.fs if isinstance(other, S3Target) else other
    assert f"{base}/a/" in fs.listdir(f"{base}/*")
    if isinstance(other, S3Target):
        assert other.fs is fs
        with mock.patch.object(other._fs, "exists", return_value="mocked"):
            assert other.exists() == "mocked"


@pytest.mark.usefixtures("in_environment")
def test_a_target_with_the_default_client_goes_to_another_process(store: Store, base: str) -> None:
    """And its pickle holds no secret: there it finds its own."""
    target = written(S3Target(f"{base}/key"), "x")
    pickled = pickle.dumps(target)
    assert store.secret_access_key.encode() not in pickled
    assert read(pickle.loads(pickled)) == "x"


@pytest.mark.usefixtures("in_environment")
def test_a_pickled_client_finds_its_own_keys(store: Store, base: str) -> None:
    """A used client without keys of its own: no secret goes along, not even where one looks for it."""
    client = S3Client(max_attempts=2)
    client.put_string("x", f"{base}/key")
    pickled = pickle.dumps(client)
    assert store.secret_access_key.encode() not in pickled
    assert store.access_key_id.encode() not in pickled
    assert pickle.loads(pickled).get_as_string(f"{base}/key") == "x"


@pytest.mark.usefixtures("in_environment")
def test_a_client_that_was_set_goes_along(store: Store, base: str) -> None:
    """Not replaced by one for another store; its secret still stays here."""
    with client_of(store, aws_access_key_id=None, aws_secret_access_key=None) as connection:
        client = S3Client(endpoint_url="http://127.0.0.1:9", max_attempts=1)
        client.s3 = connection
        client.put_string("x", f"{base}/key")
        pickled = pickle.dumps(client)
    assert store.secret_access_key.encode() not in pickled
    other = pickle.loads(pickled)
    assert other.get_as_string(f"{base}/key") == "x"
    other.s3.close()


def test_a_client_with_keys_takes_them_along(client: S3Client, base: str) -> None:
    """They were given in code, so they are part of it; copies share the connections."""
    client.put_string("x", f"{base}/key")
    for other in (pickle.loads(pickle.dumps(client)), copy.copy(client), copy.deepcopy(client)):
        assert other.get_as_string(f"{base}/key") == "x"
        assert other.s3 is client.s3


def test_no_secret_is_shown(store: Store) -> None:
    """Neither by a client nor by a target."""
    client = S3Client(**settings_for(store))
    target = S3Target("s3://bucket/key", client=client)
    shown = f"{client!r} {client} {target!r} {target} {client.s3!r}"
    assert store.secret_access_key not in shown


def test_no_warning_for_a_plain_target() -> None:
    """Only the deprecated one warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        S3Target("s3://bucket/key")
        S3FlagTarget("s3://bucket/dir/")


def test_a_get_key_of_a_subclass_says_what_is_read(store: Store, base: str) -> None:
    """As in luigi.contrib.s3, where open("r") asks the client for the key: a path may mean another there."""

    class Elsewhere(S3Client):
        def get_key(self, path: Any, **kwargs: Any) -> Any:
            return super().get_key(path.replace("alias", "target"), **kwargs)

    client = Elsewhere(**settings_for(store))
    client.put_string("there", f"{base}/target")
    assert S3Target(f"{base}/alias", client=client).open().read() == "there"
    assert S3Target(f"{base}/target", client=client, readahead=2).open().read() == "there"
    with pytest.raises(FileNotFoundException):
        S3Target(f"{base}/nothing", client=client).open()


def test_a_mocked_get_key_says_what_is_read(client: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's stand-in for an object: get() gives the body, and no store is asked."""

    class Key:
        def get(self) -> dict[str, io.BytesIO]:
            return {"Body": io.BytesIO(b"made up")}

    monkeypatch.setattr(client, "get_key", lambda path: Key())
    assert S3Target("s3://nowhere/key", client=client).open().read() == "made up"


@pytest.mark.parametrize("path", ["s3://nowhere/key", "s3://nowhere/dir/", "s3://nowhere/what?"])
@pytest.mark.parametrize(
    "instead", [mock.Mock, lambda: mock.Mock(spec=S3Client), lambda: mock.create_autospec(S3Client, instance=True)]
)
def test_a_client_may_be_a_mock(instead: Callable[[], Any], path: str) -> None:
    """It is asked what luigi.contrib.s3 asks of a client, and its answers count."""
    client = instead()
    for there in (True, False):
        client.exists.return_value = client.exists_many.return_value = there
        client.exists_many.side_effect = lambda paths, there=there: dict.fromkeys(paths, there)
        assert S3Target(path, client=client).exists() is there
    if not path.endswith("/"):
        assert written(S3Target(path, client=client), "x").path == path
        assert client.put_multipart.call_args.args[1] == path


@pytest.mark.parametrize("given", [None, S3Client()])
def test_the_fs_of_a_directory_may_be_mocked(given: S3Client | None) -> None:
    """It is one object as long as it stands for the same, and what is set on it or on the client counts."""
    target = S3FlagTarget("s3://nowhere/dir/", client=given)
    assert target.fs is target.fs
    with mock.patch.object(target.fs, "exists", return_value=True):
        assert target.exists()
    if given is not None:
        with mock.patch.object(given, "exists", return_value=True):
            assert target.exists()
        target.fs.s3 = elsewhere = S3Client(region_name="eu-west-1").s3
        assert given.s3 is elsewhere


def test_the_fs_of_a_directory_follows_its_target() -> None:
    """When that gets another client, flag or path."""
    target = S3FlagTarget("s3://nowhere/dir/", client=S3Client(region_name="eu-west-1"))
    assert target.fs.s3.endpoint.region == "eu-west-1"
    target.fs = S3Client(region_name="eu-north-1")
    before = target.fs
    assert before.s3.endpoint.region == "eu-north-1"
    target.flag = "_DONE"
    assert target.fs is not before
    target.path = "s3://nowhere/file"
    assert target.fs is target._fs


def test_the_class_of_clients_may_be_patched() -> None:
    """In the module of the targets, for the targets without a client of their own."""
    with mock.patch("s3target.luigi.target.S3Client") as patched:
        client = patched.return_value
        client.exists.return_value = True
        assert S3FlagTarget("s3://nowhere/dir/").exists()
        written(S3Target("s3://nowhere/key"), "x")
    assert client.exists.call_args.args == ("s3://nowhere/dir/_SUCCESS",)
    assert client.put_multipart.call_count == 1


@pytest.mark.usefixtures("in_environment")
def test_a_class_after_the_pattern_of_luigis_own(base: str) -> None:
    """Those say `fs = None`, and their constructor sets it."""

    class After(S3Target):
        fs = None  # type: ignore[assignment]

    class AndAfter(After):
        fs = None

    assert not After(f"{base}/key").exists()
    assert read(written(AndAfter(f"{base}/key"), "x")) == "x"

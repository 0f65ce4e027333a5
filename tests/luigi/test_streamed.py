"""upload="while_writing": no disk, the same promises; and descriptors for the programs of Luigi's formats."""

from __future__ import annotations

import gc
import os
import threading

import luigi.format
import pytest
from luigi.target import FileAlreadyExists

from s3target import S3Target
from s3target.errors import ConfigError
from s3target.filesystem import parse_path
from s3target.protocol.operations.multipart import ListMultipartUploads

UTF8_GZIP = luigi.format.UTF8 >> luigi.format.Gzip
CASES = {
    "text": (None, "hé\nb\n" * 3),
    "nop": (luigi.format.Nop, os.urandom(12 << 20)),
    "empty": (luigi.format.Nop, b""),
    "gzip": (luigi.format.Gzip, b"line\n" * 400_000),
    "gzip-incompressible": (luigi.format.Gzip, os.urandom(9 << 20)),
    "utf8-gzip": (UTF8_GZIP, "line é\n" * 1000),
    "bzip2": (luigi.format.Bzip2, b"line\n" * 1000),
}
FORMATS = pytest.mark.parametrize("case", CASES)
WAYS = pytest.mark.parametrize("upload", ["at_close", "while_writing"])


class Mishap(Exception):
    pass


def uploads(client, base):
    place = parse_path(base)
    return client.s3.call(ListMultipartUploads(place.bucket, place.key)).uploads


@FORMATS
@WAYS
def test_what_is_written_is_read_back(client, base, case, upload):
    """Through every format, with and without a program behind it."""
    format, content = CASES[case]
    target = S3Target(f"{base}/out", format=format, client=client, upload=upload)
    with target.open("w") as file:
        file.write(content)
        assert not target.exists()
    with target.open() as file:
        assert file.read() == content
    assert list(client.listdir(base)) == [f"{base}/out"]
    assert uploads(client, base) == []


@FORMATS
@WAYS
def test_an_exception_in_the_block_commits_nothing(client, base, case, upload):
    """Nor does it leave parts behind, or threads."""
    format, content = CASES[case]
    target = S3Target(f"{base}/out", format=format, client=client, upload=upload)
    before = threading.active_count()
    with pytest.raises(Mishap), target.open("w") as file:
        file.write(content)
        raise Mishap
    if target.format is not luigi.format.Gzip:  # Luigi's writer to a program keeps its file until it is dropped
        assert uploads(client, base) == []
    del file
    gc.collect()
    assert not target.exists()
    assert uploads(client, base) == []
    assert threading.active_count() <= before


def test_a_dropped_file_commits_nothing(client, base):
    """Only close() is a commit."""
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload="while_writing")
    file = target.open("w")
    file.write(os.urandom(9 << 20))
    del file
    gc.collect()
    assert not target.exists()
    assert uploads(client, base) == []


@WAYS
def test_the_second_to_commit_is_told(client, base, upload):
    """overwrite=False: what was there stays."""
    first = S3Target(f"{base}/out", client=client, upload=upload, overwrite=False)
    with first.open("w") as file:
        file.write("first")
    with pytest.raises(FileAlreadyExists), first.open("w") as file:
        file.write("second")
    with first.open() as file:
        assert file.read() == "first"


def test_closing_twice_commits_once(client, base):
    """The second close() does nothing."""
    target = S3Target(f"{base}/out", client=client, upload="while_writing")
    file = target.open("w")
    file.write("x")
    file.close()
    client.remove(target.path)
    file.close()
    assert not target.exists()


def test_a_gzip_reader_that_stops_early_ends_its_thread(client, base):
    """gunzip is still writing when its reader goes away."""
    target = S3Target(f"{base}/out", format=luigi.format.Gzip, client=client)
    with target.open("w") as file:
        file.write(b"abc\n" * 5_000_000)
    before = threading.active_count()
    with target.open() as file:
        assert file.readline() == b"abc\n"
    assert threading.active_count() == before


def test_a_gzip_reader_needs_no_disk(client, base, tmp_path, monkeypatch):
    """The program reads from a pipe, not from a temporary copy."""
    target = S3Target(f"{base}/out", format=luigi.format.Gzip, client=client)
    with target.open("w") as file:
        file.write(b"abc")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with target.open() as file:
        assert file.read() == b"abc"


def test_another_word_is_refused():
    """At once, naming the two that are known."""
    with pytest.raises(ConfigError, match="while_writing"):
        S3Target("s3://bucket/key", upload="now")

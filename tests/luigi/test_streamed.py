"""upload="while_writing": no disk, the same promises; and descriptors for the programs of Luigi's formats."""

from __future__ import annotations

import array
import gc
import gzip
import io
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

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


@pytest.mark.parametrize("piped", [False, True])
def test_a_dropped_file_commits_nothing(client, base, piped):
    """Only close() is a commit; also of one that its own cycle keeps until it is collected."""
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload="while_writing")
    before = threading.active_count()
    file = target.open("w")
    file.write(os.urandom(9 << 20))
    if piped:
        os.write(file.fileno(), b"from a program")
        file.write(b"buffered")
    file.cycle = file
    del file
    gc.collect()
    assert not target.exists()
    assert uploads(client, base) == []
    assert threading.active_count() <= before


@WAYS
def test_what_is_written_may_change_afterwards(client, base, upload):
    """Small and large, as bytes or not, by turns: in order, and as it was when it was written."""
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload=upload)
    expected = b""
    with target.open("w") as file:
        for number, size in enumerate([10, 70_000, 300_000, 5, 1 << 20, 9 << 20, 70_000, 1]):
            piece = bytearray([number]) * size
            for kind in (bytes, bytearray, memoryview):
                expected += piece
                assert file.write(kind(piece)) == size
            assert file.tell() == len(expected)
            piece[:] = b"-" * size
    with pytest.raises(ValueError, match="closed"):
        file.write(bytes(1 << 20))
    with target.open() as file:
        assert file.read() == expected


@WAYS
def test_threads_do_not_write_into_one_another(client, base, upload):
    """As in any buffered file, what one write() is given stays in one piece: long or short, kept or copied."""
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload=upload)
    sizes = (10, 60_000, 65_532, 300_000, 1 << 20)
    expected = {bytes([size % 251]) * size: min(1000, (4 << 20) // size) for size in sizes}

    def write(piece):
        for _ in range(expected[piece]):
            file.write(len(piece).to_bytes(4, "big") + piece)

    with target.open("w") as file, ThreadPoolExecutor() as pool:
        list(pool.map(write, expected))
    with target.open() as file:
        assert Counter(iter(lambda: file.read(int.from_bytes(file.read(4), "big")), b"")) == expected


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


def program(file, size, letter):
    subprocess.run([sys.executable, "-c", f"print('{letter}' * {size}, end='')"], stdout=file, check=True)


@WAYS
@pytest.mark.parametrize("size", [10, 60_000, 9 << 20])
def test_what_programs_and_the_task_write_in_turn_stays_in_order(client, base, upload, size):
    """However long each of them writes: neither overtakes the other, and nothing is lost between them."""
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload=upload)
    with target.open("w") as file:
        file.write(b"a" * 10)
        file.flush()
        program(file, 100_000, "b")
        file.write(b"c" * size)
        file.flush()
        program(file, size, "d")
        file.write(b"e" * 10)
    with target.open() as file:
        content = file.read()
    assert content == b"a" * 10 + b"b" * 100_000 + b"c" * size + b"d" * size + b"e" * 10


def test_what_is_still_buffered_goes_before_a_program(client, base):
    """Also without flush(), which a file on the disk wants before it is handed on."""
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload="while_writing")
    with target.open("w") as file:
        for letter in "ab":
            file.write(b"-")
            program(file, 3, letter)
    with target.open() as file:
        assert file.read() == b"-aaa-bbb"


def save_as_numpy(file):
    """ndarray.tofile(), and in a BufferedWriter np.save(), overlook only in a RawIOBase that there is no position."""
    assert file.seekable() or (isinstance(file, io.RawIOBase) and not isinstance(file, io.BufferedWriter))
    file.write(b"head")
    file.flush()
    with os.fdopen(os.dup(file.fileno()), "wb") as copy:
        copy.write(b"content")
    file.write(b"tail")


def save_tar(file):
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("name"))


def save_zip(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("name", b"content")


def save_gzip(file):
    with gzip.open(file, "wb") as compressed:
        compressed.write(b"content")


def names_in_tar(file):
    with tarfile.open(fileobj=file) as archive:
        return archive.getnames()


LIBRARIES = {
    "numpy": (save_as_numpy, io.BytesIO.read, b"headcontenttail"),
    "pickle": (lambda file: pickle.dump({"a": b"b" * 99_999}, file), pickle.load, {"a": b"b" * 99_999}),
    "array": (array.array("b", b"content").tofile, io.BytesIO.read, b"content"),
    "tarfile": (save_tar, names_in_tar, ["name"]),
    "zipfile": (save_zip, lambda file: zipfile.ZipFile(file).read("name"), b"content"),
    "gzip": (save_gzip, lambda file: gzip.decompress(file.read()), b"content"),
    "shutil": (lambda file: shutil.copyfileobj(io.BytesIO(b"content"), file), io.BytesIO.read, b"content"),
}


@WAYS
@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_write_to_it_as_to_a_file(client, base, upload, library):
    """Those that would rather seek find another way when they cannot."""
    save, load, saved = LIBRARIES[library]
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload=upload)
    with target.open("w") as file:
        save(file)
    with target.open() as file:
        assert load(io.BytesIO(file.read())) == saved


def test_who_cannot_do_without_seeking_is_told_what_can(client, base):
    """And nobody is told a wrong position: what a program has written is not counted."""
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload="while_writing")
    file = target.open("w")
    file.write(b"abc")
    assert file.tell() == 3
    with pytest.raises(io.UnsupportedOperation, match="at_close"):
        file.seek(0)
    file.fileno()
    with pytest.raises(io.UnsupportedOperation, match="not known"):
        file.tell()
    file.abort()
    with pytest.raises(ValueError, match="closed"):
        file.write(b"abc")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # 3.12 warns of forks beside threads
def test_a_forked_child_writes_nothing_into_the_pipe(client, base):
    """Its parent alone writes there, and commits."""
    target = S3Target(f"{base}/out", format=luigi.format.Nop, client=client, upload="while_writing")
    with target.open("w") as file:
        os.write(file.fileno(), b"content")
        child = os.fork()
        if not child:
            try:
                file.write(b"more" * 100_000)
            except ConfigError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    with target.open() as file:
        assert file.read() == b"content"


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

"""AtomicS3File and ReadableS3File: no object but by a close() that went well, and no temporary file left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from luigi.format import UTF8, Bzip2, Gzip, Nop

from connected import Counting, settings_for
from full_disk import no_file_over
from s3target import (
    AtomicS3File,
    ConfigError,
    FileNotFoundException,
    NoSuchBucket,
    ReadableS3File,
    S3Client,
    S3Target,
)
from servers.store import Store

Keys = Callable[[], list[str]]
Run = Callable[..., subprocess.Popen[str]]
FORMATS = {"default": None, "UTF8": UTF8, "Nop": Nop, "Gzip": Gzip, "UTF8 >> Gzip": UTF8 >> Gzip, "Bzip2": Bzip2}
TEXTUAL = (None, "default", "UTF8", "UTF8 >> Gzip")
all_formats = pytest.mark.parametrize("format", FORMATS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where temporary files of the test go."""
    path = tmp_path / "temporary"
    path.mkdir()
    return path


@pytest.fixture
def make(client: S3Client, base: str, folder: Path) -> Callable[..., S3Target]:
    """A target at s3://BUCKET/key whose temporary files go to `folder`."""
    return lambda format=None, **options: S3Target(
        options.pop("path", f"{base}/key"), FORMATS.get(format), client, tmp_dir=str(folder), **options
    )


Make = Callable[..., S3Target]


def some(format: str | None, size: int = 100) -> Any:
    return "x" * size if format in TEXTUAL else b"x" * size


def write(target: S3Target, content: Any, pieces: int = 1, error: type[BaseException] | None = None) -> None:
    """Write the content some times over; then raise, if an error is named, before the block is left."""
    with target.open("w") as file:
        for _ in range(pieces):
            file.write(content)
        if error:
            raise error


def write_whatever_happens(target: S3Target, content: Any) -> None:
    """As a task that takes no write error seriously."""
    with target.open("w") as file, contextlib.suppress(OSError):
        file.write(content)


# ------------------------------------------------------------------------------------------------- nothing is committed


@all_formats
@pytest.mark.parametrize("how", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("size", [0, 100, 3_000_000])
def test_an_exception_commits_nothing(
    make: Make, keys: Keys, folder: Path, format: str, how: type[BaseException], size: int
) -> None:
    """Whatever was written before, and whatever exception it is; the temporary file goes."""
    with pytest.raises(how):
        write(make(format), some(format, size), error=how)
    gc.collect()
    assert keys() == []
    assert list(folder.iterdir()) == []


@all_formats
def test_an_exit_of_a_task_commits_nothing(make: Make, keys: Keys, folder: Path, format: str) -> None:
    """sys.exit() in the middle of a function that holds the file."""

    def task() -> None:
        with make(format).open("w") as file:
            file.write(some(format))
            sys.exit(1)

    with pytest.raises(SystemExit):
        task()
    gc.collect()
    assert keys() == []
    assert list(folder.iterdir()) == []


@all_formats
def test_a_dropped_reference_commits_nothing(make: Make, keys: Keys, folder: Path, format: str) -> None:
    """Nobody closed it, so nobody said that it is whole."""
    file = make(format).open("w")
    file.write(some(format))
    assert len(list(folder.iterdir())) == 1
    del file
    gc.collect()
    assert keys() == []
    assert list(folder.iterdir()) == []


def test_a_dropped_cycle_commits_nothing(make: Make, keys: Keys, folder: Path) -> None:
    """When the collector finds it at last."""
    cycle: list[Any] = [make("Nop").open("w")]
    cycle.append(cycle)
    cycle[0].write(b"x")
    del cycle
    gc.collect()
    assert keys() == []
    assert list(folder.iterdir()) == []


@all_formats
def test_a_failed_upload_is_raised(make: Make, folder: Path, format: str) -> None:
    """By close() and by the end of the block; the temporary file goes, and close() again does nothing."""
    target = make(format, path="s3://no-such-bucket-here/key")
    file = target.open("w")
    file.write(some(format))
    with pytest.raises(NoSuchBucket):
        file.close()
    assert list(folder.iterdir()) == []
    with contextlib.suppress(ValueError, RuntimeError):  # Luigi's own wrappers may say that it is closed
        file.close()
    with pytest.raises(NoSuchBucket):
        write(target, some(format))
    assert list(folder.iterdir()) == []


@no_file_over(64 * 1024)
@pytest.mark.parametrize("format", ["default", "UTF8", "Nop"])
@pytest.mark.parametrize("pieces", [1, 100], ids=["at once", "piece by piece"])
def test_a_full_disk_commits_nothing(make: Make, keys: Keys, folder: Path, format: str, pieces: int) -> None:
    """The OSError comes out of the block."""
    with pytest.raises(OSError, match="File too large"):
        write(make(format), some(format, 100_000 // pieces), pieces)
    assert keys() == []
    assert list(folder.iterdir()) == []


@no_file_over(64 * 1024)
@pytest.mark.parametrize("format", ["default", "UTF8", "Nop"])
def test_a_disk_that_is_full_at_the_last_bytes_commits_nothing(
    make: Make, keys: Keys, folder: Path, format: str
) -> None:
    """What is still buffered at close() does not fit: close() raises, and once more commits no less."""
    file = make(format).open("w")
    file.write(some(format, 64 * 1024))
    file.flush()
    file.write(some(format, 1))
    with pytest.raises(OSError, match="File too large"):
        file.close()
    with contextlib.suppress(OSError, ValueError):
        file.close()
    del file
    gc.collect()
    assert keys() == []
    assert list(folder.iterdir()) == []


@no_file_over(64 * 1024)
def test_a_swallowed_write_error_is_told_again(make: Make, keys: Keys, folder: Path) -> None:
    """A task that ignores it must not end as if its output were there."""
    with pytest.raises(OSError, match="nothing is committed"):
        write_whatever_happens(make("Nop"), b"x" * 1_000_000)
    assert keys() == []
    assert list(folder.iterdir()) == []


@no_file_over(64 * 1024)
def test_a_full_disk_under_gzip_commits_nothing(make: Make, keys: Keys, folder: Path) -> None:
    """gzip writes to the temporary file itself; that it failed is known by its exit status."""
    noise = os.urandom(300_000)
    with pytest.raises((RuntimeError, BrokenPipeError)):
        write(make("Gzip"), noise)
    gc.collect()
    assert keys() == []
    assert list(folder.iterdir()) == []


def test_a_dead_gzip_commits_nothing(make: Make, keys: Keys, folder: Path) -> None:
    """Its process is killed in the middle."""
    file = make("Gzip").open("w")
    file.write(b"x" * 1000)
    os.kill(file._process.pid, signal.SIGKILL)
    file._process.wait()
    with contextlib.suppress(BrokenPipeError):
        file._process.stdin.close()
    with pytest.raises(RuntimeError, match="Error when executing command"):
        file.close()
    del file
    gc.collect()
    assert keys() == []
    assert list(folder.iterdir()) == []


KILLED = """
import sys, time
from s3target import S3Target
file = S3Target(sys.argv[1], tmp_dir=sys.argv[2]).open("w")
file.write("x" * 100_000)
file.flush()
print("written", flush=True)
time.sleep(60)
"""


def test_a_killed_process_commits_nothing(start: Run, base: str, folder: Path, keys: Keys) -> None:
    """kill -9 in the middle of writing."""
    process = start(KILLED, f"{base}/key", str(folder))
    assert process.stdout
    assert process.stdout.readline() == "written\n"
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    assert keys() == []


ENDED = """
import sys
from luigi.format import Gzip, Nop
from s3target import S3Target
kept = []
for number, format in enumerate([None, Nop, Gzip]):
    kept.append(S3Target(f"{sys.argv[1]}/{number}", format, tmp_dir=sys.argv[2]).open("w"))
    kept[-1].write(b"x" if format else "x")
"""


def test_a_process_that_ends_with_open_files_commits_nothing(start: Run, base: str, folder: Path, keys: Keys) -> None:
    """They are dropped as the interpreter goes, and so are the temporary files."""
    assert start(ENDED, base, str(folder)).wait(20) == 0
    assert keys() == []
    assert list(folder.iterdir()) == []


# ------------------------------------------------------------------------------------------------------------ once only


@all_formats
def test_closing_twice_uploads_once(counted: tuple[S3Client, Counting], base: str, folder: Path, format: str) -> None:
    """One PutObject, by the first; leaving the block and being dropped afterwards are no close() either."""
    client, counter = counted
    with S3Target(f"{base}/key", FORMATS[format], client, tmp_dir=str(folder)).open("w") as file:
        file.write(some(format))
        file.close()
        with contextlib.suppress(ValueError):  # a TextIOWrapper may say that it is closed
            file.close()
    del file
    gc.collect()
    assert counter.methods() == {"PUT": 1}
    assert client.exists(f"{base}/key")
    assert list(folder.iterdir()) == []


def test_closing_after_a_failure_commits_nothing(make: Make, keys: Keys) -> None:
    """The `with` block has aborted; a close() in some finally cannot undo that."""
    file = make("Nop").open("w")
    file.write(b"x")
    with pytest.raises(ZeroDivisionError), file:
        raise ZeroDivisionError
    file.close()
    assert keys() == []
    with pytest.raises(ValueError, match="closed"):
        file.write(b"more")


def test_an_aborted_file_stays_aborted(make: Make, keys: Keys, folder: Path) -> None:
    """abort() says it in so many words."""
    file = make("Nop").open("w")
    file.write(b"x")
    file.abort()
    file.abort()
    file.close()
    assert file.closed
    assert keys() == []
    assert list(folder.iterdir()) == []


def test_an_empty_output_is_an_object(make: Make, client: S3Client) -> None:
    """Nothing written is not the same as nothing committed."""
    target = make("Nop")
    with target.open("w"):
        pass
    assert client.get_as_bytes(target.path) == b""


# -------------------------------------------------------------------------------------------------- the temporary file


@all_formats
def test_the_temporary_file_is_private(make: Make, folder: Path, format: str) -> None:
    """For its owner only, whatever the umask says, in the folder that was asked for; gone after close()."""
    before = os.umask(0)
    try:
        file = make(format).open("w")
    finally:
        os.umask(before)
    file.write(some(format))
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert file.tmp_path == str(path)
    file.close()
    assert list(folder.iterdir()) == []


def test_the_temporary_file_goes_where_the_system_has_them(
    client: S3Client, base: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TMPDIR, unless tmp_dir says otherwise; two files never share a name."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    files = [S3Target(f"{base}/key", client=client).open("w") for _ in range(2)]
    assert len({file.tmp_path for file in files}) == len(list(folder.iterdir())) == 2
    for file in files:
        file.close()
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_at_open(make: Make, client: S3Client, base: str, folder: Path) -> None:
    """With its name, before anything is written."""
    missing = folder / "missing"
    with pytest.raises(FileNotFoundError, match="missing"):
        S3Target(f"{base}/key", client=client, tmp_dir=str(missing)).open("w")
    gc.collect()


class Starved(AtomicS3File):
    """Its process runs out of file descriptors as soon as the temporary file is made."""

    def generate_tmp_path(self, path: str) -> str:
        tmp_path = super().generate_tmp_path(path)
        lowest_free = os.open(os.devnull, os.O_RDONLY)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        return tmp_path


def test_a_temporary_file_that_cannot_be_opened_goes_again(client: S3Client, base: str, folder: Path) -> None:
    """The error comes out of the constructor, and nothing is left."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Starved(f"{base}/key", client, tmp_dir=str(folder))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    gc.collect()
    assert list(folder.iterdir()) == []


FORKED = """
import gc, os, sys
from s3target import S3Target
target = S3Target(sys.argv[1], tmp_dir=sys.argv[2])
how = sys.argv[3]
with target.open("w") as file:
    file.write("before\\n")
    file.flush()
    child = os.fork()
    if not child:
        if how == "drop":
            del file
            gc.collect()
            os._exit(0)
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.path.exists(file.tmp_path)
    assert not target.exists()
    file.write("after\\n")
assert not os.listdir(sys.argv[2])
with target.open() as file:
    assert file.read() == "before\\nafter\\n"
"""


@pytest.mark.parametrize("how", ["drop", "exit"])
def test_a_forked_child_leaves_its_parents_file_alone(start: Run, base: str, folder: Path, how: str) -> None:
    """Neither dropping its copy nor leaving the block by sys.exit() takes the temporary file from the parent."""
    assert start(FORKED, f"{base}/key", str(folder), how).wait(20) == 0


# ----------------------------------------------------------------------------------- large ones, hashed as they grow

MIB = 1 << 20


class _Seen(S3Client):
    """A client that notes what it is told of parts hashed before."""

    hashed: Any = None

    def put_multipart(self, *arguments: Any, **kwargs: Any) -> None:
        self.hashed = kwargs.get("hashed")
        super().put_multipart(*arguments, **kwargs)


@pytest.fixture
def seen(store: Store) -> _Seen:
    return _Seen(**settings_for(store))


def wait_for_hashes(file: Any, wanted: int) -> None:
    end = time.monotonic() + 20
    while sum(ticket.done for ticket in file._temporary.ahead._tickets) < wanted:
        assert time.monotonic() < end
        time.sleep(0.002)


def write_large(seen: _Seen, base: str, folder: Path, change: Callable[[Any], object]) -> bytes:
    """Write 11 MiB, change something; the object."""
    with S3Target(f"{base}/key", Nop, seen, tmp_dir=str(folder), part_size=5 * MIB).open("w") as file:
        for number in range(11):
            file.write(bytes([number]) * MIB)
        file.flush()
        wait_for_hashes(file, 2)
        change(file)
    assert list(folder.iterdir()) == []
    return seen.get_as_bytes(f"{base}/key")


LARGE = b"".join(bytes([number]) * MIB for number in range(11))


@pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
def test_a_large_file_is_hashed_while_it_is_written(seen: _Seen, base: str, folder: Path) -> None:
    """The store, which compares, gets the same parts; what came after the last whole part is among them."""
    assert write_large(seen, base, folder, lambda file: file.write(b"end")) == LARGE + b"end"
    assert list(seen.hashed) == [1, 2]


@pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
def test_going_back_in_a_large_file(seen: _Seen, base: str, folder: Path) -> None:
    """As zipfile does: what had been hashed is hashed anew."""

    def over(file: Any) -> None:
        file.seek(7 * MIB)
        file.write(b"over")

    assert write_large(seen, base, folder, over) == LARGE[: 7 * MIB] + b"over" + LARGE[7 * MIB + 4 :]
    assert not seen.hashed


def test_cutting_a_large_file_short(seen: _Seen, base: str, folder: Path) -> None:
    """truncate(), and what is written from there on."""

    def cut(file: Any) -> None:
        file.truncate(6 * MIB)
        file.seek(0, os.SEEK_END)
        file.write(b"end")

    assert write_large(seen, base, folder, cut) == LARGE[: 6 * MIB] + b"end"


def test_a_program_that_goes_on_with_a_large_file(seen: _Seen, base: str, folder: Path) -> None:
    """Through its descriptor, where it was."""
    assert (
        write_large(seen, base, folder, lambda file: subprocess.run(["echo", "end"], stdout=file, check=True))
        == LARGE + b"end\n"
    )
    assert list(seen.hashed) == [1, 2]


def test_the_space_of_a_large_file_is_given_back(
    seen: _Seen, base: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a thread of its own, soon after."""
    monkeypatch.setattr("s3target.luigi.files._LARGE", MIB)
    before = len(os.listdir("/dev/fd"))
    write_large(seen, base, folder, lambda file: None)
    end = time.monotonic() + 10
    while len(os.listdir("/dev/fd")) > before + 2:  # connections of the client
        assert time.monotonic() < end
        time.sleep(0.01)


# -------------------------------------------------------------------------------------------------------- by themselves


def test_a_file_of_its_own_takes_the_options_of_put(client: S3Client, base: str, folder: Path) -> None:
    """AtomicS3File(path, client, **options), as others use it."""
    seen: list[tuple[int, int | None]] = []
    with AtomicS3File(
        f"{base}/key",
        client,
        tmp_dir=str(folder),
        part_size=5 << 20,
        progress=lambda done, total: seen.append((done, total)),
        ContentType="text/csv",
    ) as file:
        file.write(b"a,b\n")
        assert not client.exists(f"{base}/key")
    assert client.get_as_string(f"{base}/key") == "a,b\n"
    assert seen == [(4, 4)]


def test_an_option_that_cannot_be_right_is_refused_at_once(client: S3Client, base: str, folder: Path) -> None:
    """Not at close(), when the work is done."""
    with pytest.raises(ConfigError, match="did you mean ContentType"):
        AtomicS3File(f"{base}/key", client, tmp_dir=str(folder), ContentTyp="text/csv")
    gc.collect()
    assert list(folder.iterdir()) == []


def test_a_key_is_read_as_a_file(client: S3Client, base: str) -> None:
    """ReadableS3File(key), as others use it; a key that is gone is told at once."""
    client.put_string("one\ntwo", f"{base}/key")
    key = client.get_key(f"{base}/key")
    assert key is not None
    with ReadableS3File(key) as file:
        assert file.s3_key is key
        assert list(file) == [b"one\n", b"two"]
    assert file.closed
    client.remove(f"{base}/key")
    with pytest.raises(FileNotFoundException):
        ReadableS3File(key)
    gc.collect()


def test_lines_of_megabytes_are_read(client: S3Client, base: str) -> None:
    """Longer than any buffer, with and without an end."""
    lines = [b"a" * 3_000_000 + b"\n", b"\n", b"b" * 2_000_000]
    client.put_string(b"".join(lines), f"{base}/key")
    key = client.get_key(f"{base}/key")
    assert key is not None
    with ReadableS3File(key) as file:
        assert list(file) == lines
    with ReadableS3File(key) as file:
        assert [file.readline(10), len(file.readline()), file.readline()] == [b"a" * 10, 2_999_991, b"\n"]

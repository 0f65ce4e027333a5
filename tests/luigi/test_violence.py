"""Every way to end a write x every format of Luigi x both upload modes: an object whole, or none, and nothing left.

Nothing left: no upload, no temporary file, no thread, no program. After kill -9 there may be parts, which `s3target
uploads` removes, and temporary files.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from luigi.format import UTF8, Bzip2, Gzip, MixedUnicodeBytes, Nop, SysNewLine, Text
from luigi.target import FileSystemException

from full_disk import no_file_over
from s3target.__main__ import main
from s3target.client import Client
from s3target.errors import S3Error
from s3target.luigi import S3Client, S3Target
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.messages import Credentials
from s3target.retry import RetryPolicy
from s3target.transport import HttpTransport
from scripted import Keys
from server.faults import error
from server.misbehaving import KEYS, Fault, MisbehavingStore

ROOT = Path(__file__).parents[2]
FORMATS: dict[str, Any] = {
    "Text": Text,
    "UTF8": UTF8,
    "Nop": Nop,
    "SysNewLine": SysNewLine,
    "MixedUnicodeBytes": MixedUnicodeBytes,
    "Gzip": Gzip,
    "Bzip2": Bzip2,
    "UTF8 >> Gzip": UTF8 >> Gzip,
    "UTF8 >> SysNewLine >> Bzip2": UTF8 >> SysNewLine >> Bzip2,
    "Gzip >> Bzip2": Gzip >> Bzip2,
}
MODES = ("at_close", "while_writing")
PART = 5 << 20
SMALL = b"a line of output\n" * 10
LARGE = b64encode(os.urandom(PART + PART // 8))
"""More than a part, through gzip too: with while_writing its first part is up before it ends."""
REFUSED = Fault("403", acts=False, says=error(403, "AccessDenied"))

EVERYDAY = ("Text", "Nop", "Gzip")


def ways() -> Iterator[Any]:
    for name, mode, content in itertools.product(FORMATS, MODES, (SMALL, LARGE)):
        if content is SMALL or (mode == "while_writing" and name in EVERYDAY):
            marks = () if name in EVERYDAY else pytest.mark.slow
            size = "large" if content is LARGE else "small"
            yield pytest.param(name, mode, content, id=f"{name}-{mode}-{size}", marks=marks)


every_way = pytest.mark.parametrize(("name", "mode", "content"), list(ways()))


class Mishap(Exception):
    pass


@pytest.fixture(scope="module")
def running() -> Iterator[MisbehavingStore]:
    with MisbehavingStore() as store:
        yield store


@pytest.fixture
def store(running: MisbehavingStore) -> MisbehavingStore:
    running.reset()
    return running


@pytest.fixture
def client(store: MisbehavingStore) -> Iterator[S3Client]:
    credentials = Keys(Credentials(KEYS.access_key_id, KEYS.secret))
    with Client(HttpTransport(), Endpoint(url=store.url), credentials, RetryPolicy(max_attempts=2)) as connection:
        client = S3Client()
        client.s3 = connection
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where temporary files go."""
    path = tmp_path / "temporary"
    path.mkdir()
    return path


Open = Callable[..., Any]


@pytest.fixture
def opened(client: S3Client, folder: Path) -> Open:
    """A file open for writing s3://b/k, and the content as it takes it."""

    def start(name: str, mode: str, content: bytes) -> tuple[Any, Any]:
        options: dict[str, Any] = {"part_size": PART} if mode == "while_writing" else {"tmp_dir": str(folder)}
        target = S3Target("s3://b/k", format=FORMATS[name], client=client, upload=mode, **options)
        textual = getattr(FORMATS[name], "input", "bytes") == "unicode"
        return target.open("w"), content.decode() if textual else content

    return start


def nothing_left(store: MisbehavingStore, folder: Path) -> None:
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("s3target"):
            thread.join(5.0)
            assert not thread.is_alive()
    assert store.s3.uploads == {}
    assert list(folder.iterdir()) == []
    assert store.complaints == []


def nothing_happened(store: MisbehavingStore, folder: Path) -> None:
    nothing_left(store, folder)
    assert store.s3.history == []


@every_way
@pytest.mark.parametrize("kind", [Mishap, SystemExit, KeyboardInterrupt])
def test_leaving_the_block_by_an_exception(
    opened: Open, store: MisbehavingStore, folder: Path, name: str, mode: str, content: bytes, kind: Any
) -> None:
    """No object."""
    file, words = opened(name, mode, content)
    with pytest.raises(kind), file:
        file.write(words)
        raise kind
    del file
    nothing_happened(store, folder)


@every_way
def test_a_dropped_reference(
    opened: Open, store: MisbehavingStore, folder: Path, name: str, mode: str, content: bytes
) -> None:
    """No object."""
    file, words = opened(name, mode, content)
    file.write(words)
    del file
    nothing_happened(store, folder)


@every_way
def test_closing_twice(
    opened: Open, store: MisbehavingStore, folder: Path, name: str, mode: str, content: bytes
) -> None:
    """One object, once; also at the end of a block in which it was closed."""
    file, words = opened(name, mode, content)
    with file:
        file.write(words)
        file.close()
        file.close()
    assert len(store.s3.history) == 1
    nothing_left(store, folder)


@every_way
def test_closing_after_a_refused_commit(
    opened: Open, store: MisbehavingStore, folder: Path, name: str, mode: str, content: bytes
) -> None:
    """The error is raised; what is closed again, with a store that would take it now, commits nothing."""
    file, words = opened(name, mode, content)
    store.order(REFUSED, "CompleteMultipartUpload" if content is LARGE else "PutObject")
    file.write(words)
    with pytest.raises(S3Error):
        file.close()
    assert store.struck == 1
    for _ in range(2):
        with contextlib.suppress(S3Error, ValueError, RuntimeError):
            file.close()
    with contextlib.suppress(S3Error, ValueError, RuntimeError), file:
        pass
    del file
    nothing_happened(store, folder)


@pytest.mark.parametrize("name", ["Text", "Nop", "SysNewLine", "Gzip"])
@pytest.mark.parametrize("swallowed", [False, True])
def test_a_part_that_is_refused(
    opened: Open, store: MisbehavingStore, folder: Path, name: str, swallowed: bool
) -> None:
    """Whether or not the task minds: its file does not close as if all were well."""
    file, words = opened(name, "while_writing", LARGE)
    store.order(REFUSED, "UploadPart", times=9)
    with pytest.raises((S3Error, BrokenPipeError)), file:
        for _ in range(3):
            with contextlib.suppress(S3Error) if swallowed else contextlib.nullcontext():
                file.write(words)
    assert store.struck
    del file
    nothing_happened(store, folder)


@no_file_over(0)
@every_way
def test_a_full_disk(opened: Open, store: MisbehavingStore, folder: Path, name: str, mode: str, content: bytes) -> None:
    """An error and no object; what is uploaded while it is written needs no disk."""
    file, words = opened(name, mode, content)
    if mode == "while_writing":
        with file:
            file.write(words)
        assert len(store.s3.history) == 1
        del file
        nothing_left(store, folder)
        return
    with pytest.raises((OSError, RuntimeError, FileSystemException)), file:
        file.write(words)
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        file.close()
    del file
    nothing_happened(store, folder)


OPEN_ALL = """
import os, signal, sys, time
from luigi.format import UTF8, Bzip2, Gzip, MixedUnicodeBytes, Nop, SysNewLine, Text
from s3target import S3Target

FORMATS = [Text, UTF8, Nop, SysNewLine, MixedUnicodeBytes, Gzip, Bzip2, UTF8 >> Gzip, UTF8 >> SysNewLine >> Bzip2]
kept = []
for number, format in enumerate(FORMATS):
    for mode in ("at_close", "while_writing"):
        options = {"tmp_dir": sys.argv[1]} if mode == "at_close" else {"part_size": 5 << 20}
        file = S3Target(f"s3://b/out/{number}-{mode}", format=format, upload=mode, **options).open("w")
        size = (6 << 20) if format in (Nop, Text) and mode == "while_writing" else 1000
        file.write("x" * size if getattr(format, "input", "bytes") == "unicode" else b"x" * size)
        if hasattr(file, "flush"):
            file.flush()
        kept.append(file)
print("written", flush=True)
how = sys.argv[2]
if how == "sys.exit":
    sys.exit(3)
if how == "held to the end":
    sys.kept = kept
    sys.exit(3)
if how == "exception":
    raise ValueError("the task's own")
if how == "in a block":
    with kept[0], kept[1], kept[5], kept[-1]:
        sys.exit(3)
sys.stdin.read()
"""


@pytest.fixture
def die(store: MisbehavingStore, folder: Path, tmp_path: Path) -> Callable[[str], int]:
    """Runs a process that writes to one target of each kind and ends in this way; its exit status."""
    script = tmp_path / "script.py"
    script.write_text(OPEN_ALL)
    keys = {"AWS_ACCESS_KEY_ID": KEYS.access_key_id, "AWS_SECRET_ACCESS_KEY": KEYS.secret}
    env = {**os.environ, **keys, "AWS_ENDPOINT_URL": store.url, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, str(script), str(folder)]

    def run(how: str) -> int:
        pipe = subprocess.PIPE
        with subprocess.Popen([*argv, how], env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                assert process.stdout
                assert process.stdout.readline() == "written\n", process.stderr and process.stderr.read()
                if how.startswith("SIG"):
                    if how == "SIGKILL":
                        until(lambda: all(upload.parts for upload in store.s3.uploads.values()))
                    process.send_signal(getattr(signal, how))
                return process.wait(20)
            finally:
                process.kill()

    return run


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("sys.exit", {3}),
        ("held to the end", {3}),  # where the modules are gone before the files
        ("exception", {1}),
        ("in a block", {3}),
        ("SIGINT", {1, -signal.SIGINT}),
    ],
)
def test_a_process_that_ends(
    die: Callable[[str], int], store: MisbehavingStore, folder: Path, how: str, status: set[int]
) -> None:
    """With an open file of each kind: no object, and nothing left."""
    assert die(how) in status
    assert store.s3.history == []
    assert store.s3.uploads == {}
    assert list(folder.iterdir()) == []


def test_kill_9(die: Callable[[str], int], store: MisbehavingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No object. The parts stay until `s3target uploads` removes them, by prefix and age."""
    assert die("SIGKILL") == -signal.SIGKILL
    assert store.s3.history == []
    assert len(store.s3.uploads) == 2
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret)
    command = ["--endpoint-url", store.url, "uploads", "abort", "-q", "--older-than"]
    assert main([*command, "0s", "s3://b/another/"]) == 0
    assert main([*command, "1h", "s3://b/out/"]) == 0
    assert len(store.s3.uploads) == 2
    for upload in store.s3.uploads.values():
        upload.begun -= 2 * 3600
    assert main([*command, "1h", "s3://b/out/"]) == 0
    assert store.s3.uploads == {}

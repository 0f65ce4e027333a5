"""Ctrl-C in the middle of what takes long, with a store that has fallen silent: real processes, signals and sockets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.misbehaving import KEYS, Fault, MisbehavingStore

ROOT = Path(__file__).parents[2]
PART = 5 << 20
_PROGRAM = """
import time
from s3target import S3Client, S3Target
from luigi.format import Nop

def written(**options):
    with S3Target("s3://b/new", format=Nop, client=client, part_size={part}, **options).open("w") as file:
        for _ in range(24):
            file.write(bytes(1 << 20))

def read(**options):
    with S3Target("s3://b/large", format=Nop, client=client, **options).open("r") as file:
        file.read()

client = S3Client(endpoint_url="{url}")
try:
    {work}
except KeyboardInterrupt:
    print("interrupted", time.monotonic(), flush=True)
"""
SILENT = Fault("silent", acts=False, sends=lambda head, whole: 0, ends="hang")
HALFWAY = Fault("halfway", sends=lambda head, whole: whole // 2, ends="hang")
CASES = {
    "put": ('client.put("source", "s3://b/new", part_size={part})', SILENT, "UploadPart", 2),
    "get": ('client.get("s3://b/large", "destination")', HALFWAY, "GetObject", 2),
    "copy": ('client.copy("s3://b/large", "s3://b/new")', SILENT, "CopyObject", 1),
    "copy a directory": ('client.copy("s3://b/many/", "s3://b/new/")', SILENT, "CopyObject", 2),
    "move a directory": ('client.move("s3://b/many/", "s3://b/new/")', SILENT, "DeleteObjects", 1),
    "remove a directory": ('client.remove("s3://b/many/")', SILENT, "DeleteObjects", 1),
    "list": ('list(client.listdir("s3://b/many/"))', SILENT, "ListObjectsV2", 2),
    "exists": ('client.exists_many([f"s3://b/{{n}}/{{n}}" for n in range(40)])', SILENT, "ListObjectsV2", 1),
    "read": ("read()", HALFWAY, "GetObject", 1),
    "read ahead": ("read(readahead=4)", HALFWAY, "GetObject", 2),
    "write at close": ("written()", SILENT, "UploadPart", 2),
    "write while writing": ('written(upload="while_writing")', SILENT, "UploadPart", 2),
}


@pytest.fixture
def store() -> Iterator[MisbehavingStore]:
    with MisbehavingStore() as made:
        made.s3.page_size = 10
        made.s3.put("large", bytes(24 << 20))
        for number in range(30):
            made.s3.put(f"many/{number:02}", b"x")
        yield made


@pytest.mark.parametrize(("work", "fault", "operation", "nth"), CASES.values(), ids=CASES)
def test_ctrl_c_is_over_within_a_second_and_leaves_nothing(
    store: MisbehavingStore, tmp_path: Path, work: str, fault: Fault, operation: str, nth: int
) -> None:
    """Every thread waits for the store; uploads are aborted, temporary files gone, and nothing new is to be seen."""
    store.order(fault, operation, nth, times=1000)
    (tmp_path / "source").write_bytes(bytes(24 << 20))
    program = _PROGRAM.format(work=work.format(part=PART), part=PART, url=store.url)
    env = {
        **{name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path),
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": KEYS.access_key_id,
        "AWS_SECRET_ACCESS_KEY": KEYS.secret,
        "AWS_REGION": "us-east-1",
    }
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(argv, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 60
        while not store.struck and time.monotonic() < end and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.2)  # so that the other threads, too, are where they wait
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0].split()
    assert said[:1] == ["interrupted"]
    assert float(said[1]) - sent < 1.0
    assert process.returncode == 0
    assert os.listdir(tmp_path) == ["source"]
    assert store.s3.uploads == {}
    assert [key for key in store.s3.objects if key == "new"] == []

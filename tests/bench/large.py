"""python tests/bench large: an object of 6 GiB on SeaweedFS goes up, is copied on the server, comes down, is compared.

The moving happens in a process of its own, whose peak RSS is what this is about: over LIMIT, the exit code is 1. Any
difference of content is an error. Needs three to four times the size on the disk of --folder; what it made there goes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .processes import run
from .report import machine
from .store import BUCKET, Store, command
from .worker import peak_rss
from .workloads import GIB, MIB

LIMIT = 150 * MIB
"""Bytes of peak RSS."""
_RESULT = Path(__file__).with_name("results") / "large.md"
_TIMEOUT = 3600.0


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench large", description=__doc__)
    parser.add_argument("--gib", type=float, default=6.0, help="size of the object (6)")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="on a disk with room")
    parser.add_argument("--out", type=Path, default=_RESULT, help="the Markdown that is written (results/large.md)")
    options = parser.parse_args(words)
    size = int(options.gib * GIB)
    folder = Path(tempfile.mkdtemp(prefix="s3target-large-", dir=options.folder))
    try:
        figures = _measure(folder, size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = _report(size, figures)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)
    print(text)
    return 0 if figures["rss"] <= LIMIT else 1


def _measure(folder: Path, size: int) -> dict[str, float]:
    from s3target.cli.seaweedfs import seaweedfs

    source, destination = folder / "source", folder / "destination"
    digest = _make(source, size)
    tempfile.tempdir = str(folder)  # where the server keeps its data: there is room
    with seaweedfs() as server:
        store = Store(server.endpoint_url, server.access_key_id, server.secret_access_key, server.region)
        argv, path = command("large", "--move", str(source), str(destination))
        output = run(argv, {**store.environment(folder), **path}, folder, _TIMEOUT).output
    if _digest(destination) != digest:
        raise RuntimeError("what came down is not what went up")
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


def _move(source: str, destination: str) -> None:
    """In the measured process. The source goes once it is up, so that less disk is needed."""
    from s3target import S3Client
    from s3target.protocol.operations.buckets import CreateBucket

    client = S3Client()
    first, second = f"s3://{BUCKET}/large", f"s3://{BUCKET}/large-copy"
    client.s3.call(CreateBucket(BUCKET))
    figures = {
        "put": _timed(lambda: client.put(source, first)),
        "copy": _timed(lambda: client.copy(first, second)),
    }
    os.remove(source)
    client.remove(first)
    figures["get"] = _timed(lambda: client.get(second, destination))
    print(json.dumps({**figures, "rss": peak_rss()}))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _make(path: Path, size: int) -> str:
    """A file in which no MiB is like another; its SHA-256."""
    digest, piece = hashlib.sha256(), bytearray(os.urandom(MIB))
    with open(path, "wb") as file:
        for offset in range(0, size, MIB):
            piece[:8] = offset.to_bytes(8, "big")
            part = memoryview(piece)[: size - offset]
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(MIB))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def _report(size: int, figures: dict[str, float]) -> str:
    rows = [f"| {name} | {figures[name]:.0f} s | {size / figures[name] / MIB:,.0f} MiB/s |" for name in _STEPS]
    return "\n".join(
        [
            f"One object of {size / GIB:g} GiB on SeaweedFS on loopback, files on disk. {machine()}\n",
            *("| | | |", "|---|--:|--:|", *rows),
            f"\nPeak RSS of the process: {figures['rss'] / MIB:.0f} MiB; 150 MiB at most was the aim.\n",
        ]
    )


_STEPS = ("put", "copy", "get")

if __name__ == "__main__":
    if sys.argv[1:2] == ["--move"]:
        _move(*sys.argv[2:])
    else:
        sys.exit(main())

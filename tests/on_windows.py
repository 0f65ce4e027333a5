"""What a user does, in a process where the package finds what Windows has: python on_windows.py s3://bucket FOLDER.

The store is in the environment. Anything that goes wrong ends it by an exception. A file that the package opens as text
without naming the encoding is an error too: it would be another one there. (Luigi's plain text format is an exception,
and means to be: there it writes in the encoding of the system.)
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pkgutil
import sys
import warnings
from pathlib import Path
from typing import Any

import luigi

from elsewhere import hide_posix

hide_posix()

from s3target import S3Client, S3Target  # noqa: E402
from s3target.cli import main  # noqa: E402

CONTENT = os.urandom(1 << 20) * 9
"""More than one part."""


class Words(luigi.Task):
    base: Any = luigi.Parameter()

    def output(self) -> S3Target:
        return S3Target(f"{self.base}/words.txt", format=luigi.format.UTF8)

    def run(self) -> None:
        with self.output().open("w") as out:
            out.write("one\ntwö\n")


class Count(luigi.Task):
    base: Any = luigi.Parameter()

    def requires(self) -> Words:
        return Words(self.base)

    def output(self) -> S3Target:
        return S3Target(f"{self.base}/count.txt", format=luigi.format.UTF8, upload="while_writing")

    def run(self) -> None:
        with self.input().open() as words, self.output().open("w") as out:
            out.write(str(len(list(words))))


def import_all() -> None:
    package = importlib.import_module("s3target")
    for module in pkgutil.walk_packages(package.__path__, "s3target."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def put_and_get(base: str, folder: Path) -> None:
    client, source = S3Client(), folder / "source"
    source.write_bytes(CONTENT)
    client.put(str(source), f"{base}/put")
    client.get(f"{base}/put", str(folder / "fetched"))
    assert (folder / "fetched").read_bytes() == client.get_as_bytes(f"{base}/put") == CONTENT
    with S3Target(f"{base}/written", format=luigi.format.Nop).open("w") as out:
        out.write(CONTENT)
    with S3Target(f"{base}/written", format=luigi.format.Nop).open() as found:
        assert found.read() == CONTENT
    assert sorted(client.listdir(base)) == [f"{base}/put", f"{base}/written"]


def copy_and_sync(base: str, folder: Path) -> None:
    for name in ("a", "sub/b"):
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_text(name, encoding="utf-8")
    assert main(["cp", "-r", str(folder / "tree"), f"{base}/tree"]) == 0
    assert main(["sync", "--delete", f"{base}/tree", str(folder / "copy")]) == 0
    assert main(["mv", "-r", f"{base}/tree", str(folder / "moved")]) == 0
    for copy in ("copy", "moved"):
        assert (folder / copy / "sub" / "b").read_text(encoding="utf-8") == "sub/b"


def run_tasks(base: str) -> None:
    """By worker processes that are made anew, not forked."""
    multiprocessing.set_start_method("spawn")
    tasks = [Count(f"{base}/luigi")]
    assert luigi.build(tasks, workers=2, local_scheduler=True, no_lock=True, log_level="WARNING")
    with tasks[0].output().open() as found:
        assert found.read() == "2"


if __name__ == "__main__":
    warnings.filterwarnings("error", category=EncodingWarning, module=r"s3target\b")
    import_all()
    assert not hasattr(sys.modules["s3target.transfer.destination"].os, "pwrite")
    put_and_get(sys.argv[1], Path(sys.argv[2]))
    copy_and_sync(sys.argv[1], Path(sys.argv[2]))
    run_tasks(sys.argv[1])
    print("all went well")

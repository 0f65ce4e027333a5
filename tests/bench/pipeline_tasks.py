"""One worker of the pipeline that pipeline.py measures: python -m bench.pipeline_tasks LIBRARY BASE TASKS."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Any

import luigi

FAN = 4
"""How many leaves a sum reads."""
LINE = "a line of text, as small outputs have them\n"
LIBRARIES = {"s3target": "s3target", "s3target+prefetch": "s3target", "luigi.contrib.s3": "luigi.contrib.s3"}
LOCAL = "local files"


class Leaf(luigi.Task):
    """Writes 4 KiB."""

    base = luigi.Parameter()
    number = luigi.IntParameter()
    target: Any

    def output(self) -> Any:
        return self.target(f"{self.base}/leaf/{self.number:05}")

    def run(self) -> None:
        with self.output().open("w") as file:
            file.write(LINE * 100)


class Sum(Leaf):
    """Reads its leaves."""

    def requires(self) -> Any:
        return [Leaf(self.base, FAN * self.number + index) for index in range(FAN)]

    def output(self) -> Any:
        return self.target(f"{self.base}/sum/{self.number:05}")

    def run(self) -> None:
        lines = 0
        for target in self.input():
            with target.open() as file:
                lines += sum(1 for _ in file)
        with self.output().open("w") as file:
            file.write(f"{lines}\n")


def tasks(base: str, count: int) -> list[Any]:
    """Sums that are `count` tasks with their leaves."""
    return [Sum(base, number) for number in range(count // (FAN + 1))]


def main(library: str, base: str, count: str) -> int:
    Leaf.target = luigi.LocalTarget if library == LOCAL else importlib.import_module(LIBRARIES[library]).S3Target
    snapshot: Any = contextlib.nullcontext()
    if library == "s3target+prefetch":
        snapshot = importlib.import_module("s3target").prefetch(base)
    with snapshot:
        return 0 if luigi.build(tasks(base, int(count)), workers=1, log_level="WARNING") else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

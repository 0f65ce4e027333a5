"""Word counts for test_spark.py: the file that Luigi's PySparkTask carries along to the driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import luigi
from luigi.contrib.spark import PySparkTask

from s3target import S3FlagTarget, S3Target


class HandedOver(PySparkTask):
    """Luigi's own example, examples/pyspark_wc.py: Spark itself reads and writes at the paths it is handed."""

    base = luigi.Parameter()

    def input(self) -> S3Target:
        return S3Target(f"{self.base}/wordcount.input")

    def output(self) -> S3Target:
        return S3FlagTarget(f"{self.base}/wordcount.output/")

    def main(self, sc: Any, *args: str) -> None:
        words = sc.textFile(self.input().path).flatMap(str.split).map(lambda word: (word, 1))
        words.reduceByKey(lambda a, b: a + b).saveAsTextFile(self.output().path)


class ThroughTargets(HandedOver):
    """For a Spark that knows no S3: the executors read and write through targets, and the driver leaves the flag."""

    def main(self, sc: Any, *args: str) -> None:
        result = self.output()
        words = sc.parallelize([self.input()], 1).flatMap(lines).flatMap(str.split).map(lambda word: (word, 1))
        parts = words.reduceByKey(lambda a, b: a + b, 3).mapPartitionsWithIndex(writer(result.path))
        assert parts.count() == 3
        result.fs.put_string("", f"{result.path}_SUCCESS")


def lines(target: S3Target) -> Iterator[str]:
    with target.open() as file:
        yield from file


def writer(directory: str) -> Any:
    def write(number: int, pairs: Iterable[tuple[str, int]]) -> Iterator[str]:
        part = S3Target(f"{directory}part-{number:05}")
        with part.open("w") as file:
            file.writelines(f"{pair}\n" for pair in pairs)
        yield part.path

    return write

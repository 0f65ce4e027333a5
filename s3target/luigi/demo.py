"""The demo's pipeline: word counts of texts that lie on S3, a merged gzip report, and a directory with a flag.

SourceText (external, on S3)  ->  CountWords, one per text, in parallel workers  ->  MergedReport (gzip)
                                                                                 ->  WordsByLetter (flag target)
"""

from __future__ import annotations

import collections
import os
import sys
import time
from collections.abc import Iterator

import luigi
from luigi.format import UTF8, Gzip

from ..filesystem import parse_path
from ..protocol.operations.objects import HeadObject
from .client import S3Client
from .target import S3FlagTarget, S3PathTask, S3Target

_TEXTS = (
    "a task is done when its output is there and an output is there when it is whole",
    "the store keeps the object and the object keeps its word: whole or not at all",
    "many workers read many texts, and no worker waits for a text that is there",
    "count the words, merge the counts, and leave a flag when all the work is done",
)


def _process() -> dict[str, str]:
    """Metadata: who wrote it, and whether the AWS SDK was loaded there."""
    loaded = "boto3" in sys.modules or "botocore" in sys.modules
    return {"pid": str(os.getpid()), "boto3": "LOADED" if loaded else "absent"}


class CountWords(luigi.Task):
    base = luigi.Parameter()
    number = luigi.IntParameter()

    def requires(self) -> S3PathTask:
        return S3PathTask(f"{self.base}/input/text-{self.number}.txt")

    def output(self) -> S3Target:
        return S3Target(f"{self.base}/counts/text-{self.number}.tsv", Metadata=_process())

    def run(self) -> None:
        with self.input().open() as text:
            counts = collections.Counter(word.strip(",.:") for line in text for word in line.split())
        with self.output().open("w") as table:
            for word, count in sorted(counts.items()):
                table.write(f"{word}\t{count}\n")


class _OverAllCounts(luigi.Task):
    base = luigi.Parameter()
    texts = luigi.IntParameter()

    def requires(self) -> list[CountWords]:
        return [CountWords(self.base, number) for number in range(self.texts)]

    def merged(self) -> list[tuple[str, int]]:
        total: collections.Counter[str] = collections.Counter()
        for target in self.input():
            with target.open() as table:
                for line in table:
                    word, count = line.split("\t")
                    total[word] += int(count)
        return sorted(total.items(), key=lambda item: (-item[1], item[0]))


class MergedReport(_OverAllCounts):
    def output(self) -> S3Target:
        return S3Target(f"{self.base}/report.txt.gz", format=UTF8 >> Gzip, Metadata=_process())

    def run(self) -> None:
        with self.output().open("w") as report:
            for word, count in self.merged():
                report.write(f"{count:4d}  {word}\n")


class WordsByLetter(_OverAllCounts):
    """A directory with a file per first letter. The flag comes last: who sees it sees all."""

    def output(self) -> S3FlagTarget:
        return S3FlagTarget(f"{self.base}/by-letter/")

    def run(self) -> None:
        client, directory = self.output().fs, self.output().path
        letters: dict[str, list[str]] = collections.defaultdict(list)
        for word, _ in self.merged():
            letters[word[0]].append(word)
        for letter, words in letters.items():
            client.put_string("\n".join(words) + "\n", f"{directory}{letter}.txt")
        client.put_string("", f"{directory}_SUCCESS", Metadata=_process())


def run_pipeline(base: str) -> int:
    """Put the texts below base, run the pipeline on Luigi's local scheduler, print the report; 0 if all is well."""
    client = S3Client()
    for number, text in enumerate(_TEXTS):
        client.put_string(f"{text}\n", f"{base}/input/text-{number}.txt")
    print(f"Put {len(_TEXTS)} texts below {base}/input/.")
    print("Running the pipeline with 2 workers, each task in a process of its own ...", flush=True)
    began = time.monotonic()
    result = luigi.build(
        [MergedReport(base, len(_TEXTS)), WordsByLetter(base, len(_TEXTS))],
        local_scheduler=True,
        workers=2,
        detailed_summary=True,
        log_level="WARNING",
        no_lock=True,
    )
    print(result.summary_text)
    if not result.scheduling_succeeded:
        return 1
    print(*_findings(client, base), f"It took {time.monotonic() - began:.1f} s.", sep="\n", flush=True)
    return 0


def _findings(client: S3Client, base: str) -> Iterator[str]:
    report = MergedReport(base, len(_TEXTS)).output()
    with report.open() as lines:
        words = [line.rstrip("\n") for line in lines]
    yield f"{report.path}, the first 10 of its {len(words)} lines:"
    yield from words[:10]
    outputs = [*client.listdir(f"{base}/counts"), report.path, f"{base}/by-letter/_SUCCESS"]
    wrote = [client.s3.call(HeadObject(*parse_path(path))).metadata for path in outputs]
    boto3 = "/".join(sorted({info["boto3"] for info in wrote}))
    processes = len({info["pid"] for info in wrote})
    yield f"{len(outputs)} outputs, written by {processes} worker processes; boto3 in them: {boto3}."

"""smart_open on boto3: streams only."""

from __future__ import annotations

from typing import IO

from ..store import BUCKET, HIT, SMALL
from ..workloads import MIB
from . import Job


class SmartOpen:
    def __init__(self) -> None:
        import boto3
        import smart_open

        self._open = smart_open.open
        self._parameters = {"client": boto3.client("s3")}

    def open(self, key: str, mode: str) -> IO:
        return self._open(f"s3://{BUCKET}/{key}", mode, transport_params=self._parameters)

    def put_small(self) -> None:
        with self.open("new/small", "wb") as file:
            file.write(b"x" * SMALL)

    def get_small(self) -> bytes:
        with self.open(HIT, "rb") as file:
            return file.read()

    def read(self, job: Job) -> int:
        total = 0
        with self.open(job.key, "rb") as file:
            while piece := file.read(MIB):
                total += len(piece)
        return total

    def write(self, job: Job) -> int:
        piece = bytes(range(256)) * (MIB // 256)
        with self.open(job.fresh, "wb") as file:
            for offset in range(0, job.amount, MIB):
                file.write(piece[: job.amount - offset])
        return job.amount

    def lines(self, job: Job) -> int:
        with self.open(job.key, "r") as file:
            return sum(map(len, file))

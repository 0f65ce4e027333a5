"""luigi.contrib.s3 on boto3: the incumbent, used the way its documentation shows."""

from __future__ import annotations

from typing import Any

from ..store import BUCKET, HIT, MISS, SMALL
from ..workloads import MIB, PREFIXES
from . import Job

ROOT = f"s3://{BUCKET}/"


class LuigiOnBoto3:
    COLD = f"from luigi.contrib.s3 import S3Target\nassert S3Target('{ROOT}{HIT}').exists()"

    def __init__(self) -> None:
        from luigi.contrib.s3 import S3Client, S3Target
        from luigi.format import Nop

        self.client = S3Client()
        self.target_class = S3Target
        self.nop = Nop

    def target(self, key: str, format: Any = None, **options: Any) -> Any:
        return self.target_class(ROOT + key, format=format, client=self.client, **options)

    def exists_hit(self) -> bool:
        return self.client.exists(ROOT + HIT)

    def exists_miss(self) -> bool:
        return self.client.exists(ROOT + MISS)

    def put_small(self) -> None:
        self.client.put_string(b"x" * SMALL, f"{ROOT}new/small")

    def get_small(self) -> bytes:
        return self.client.get_as_bytes(ROOT + HIT)

    def put(self, job: Job) -> int:
        self.client.put(job.source, ROOT + job.fresh)
        return job.amount

    def get(self, job: Job) -> int:
        self.client.get(ROOT + job.key, job.destination)
        return job.amount

    def _read(self, target: Any) -> int:
        total = 0
        with target.open("r") as file:
            while piece := file.read(MIB):
                total += len(piece)
        return total

    def read(self, job: Job) -> int:
        return self._read(self.target(job.key, self.nop))

    def read_ahead(self, job: Job) -> int:
        return self.read(job)

    def write(self, job: Job) -> int:
        return self._write(self.target(job.fresh, self.nop), job.amount)

    def _write(self, target: Any, amount: int) -> int:
        piece = memoryview(bytes(range(256)) * (MIB // 256))
        with target.open("w") as file:
            for offset in range(0, amount, MIB):
                file.write(piece[: amount - offset])
        return amount

    def lines(self, job: Job) -> int:
        with self.target(job.key).open("r") as file:
            return sum(map(len, file))

    def list_names(self, job: Job) -> int:
        return sum(1 for _ in self.client.listdir(ROOT + job.key))

    def list_objects(self, job: Job) -> int:
        keys = self.client.listdir(ROOT + job.key, return_key=True)
        return sum(1 for key in keys if key.size == SMALL and key.last_modified.tzinfo)

    def list_prefixes(self, job: Job) -> int:
        return sum(len(list(self.client.listdir(path))) for path in prefixes(job))

    def remove(self, job: Job) -> int:
        assert self.client.remove(ROOT + job.key)
        return job.amount

    def copy(self, job: Job) -> int:
        return self.client.copy(ROOT + job.key, ROOT + job.fresh)[0]

    def exists_many(self, job: Job) -> int:
        return sum(not self.client.exists(path) for path in absent(job))


def prefixes(job: Job) -> list[str]:
    """The paths of the directories that hold a twentieth of the job each."""
    return [f"{ROOT}{job.key}/{number:02}" for number in range(PREFIXES)]


def absent(job: Job) -> list[str]:
    """Paths of one directory, as a Range task asks for them."""
    return [f"{ROOT}miss/{number:05}" for number in range(job.amount)]

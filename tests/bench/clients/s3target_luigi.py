"""s3target through its Luigi classes: the incumbent's own calls, and the options that it does not have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ..store import HIT
from ..workloads import PREFIXES
from . import Job
from .luigi_boto3 import ROOT, LuigiOnBoto3, absent, prefixes

READAHEAD = 16


class S3TargetWithLuigi(LuigiOnBoto3):
    COLD = f"from s3target import S3Target\nassert S3Target('{ROOT}{HIT}').exists()"
    SETTINGS: dict[str, object] = {}  # noqa: RUF012

    def __init__(self) -> None:
        from luigi.format import Nop

        from s3target import S3Client, S3Target

        self.client = S3Client(**self.SETTINGS)
        self.target_class = S3Target
        self.nop = Nop

    def read_ahead(self, job: Job) -> int:
        return self._read(self.target(job.key, self.nop, readahead=READAHEAD))

    def list_prefixes(self, job: Job) -> int:
        # All at once: the client is made for threads, the incumbent's is not.
        with ThreadPoolExecutor(PREFIXES) as pool:
            return sum(pool.map(lambda path: len(list(self.client.listdir(path))), prefixes(job)))

    def exists_many(self, job: Job) -> int:
        return sum(not there for there in self.client.exists_many(absent(job)).values())


class S3TargetUnsigned:
    """The same without a hash of the payload, as on https: what is left is a CRC32."""

    def __init__(self) -> None:
        self._plain = _Unsigned()
        self.exists_hit = self._plain.exists_hit

    def put(self, job: Job) -> int:
        return self._plain.put(job)

    def write(self, job: Job) -> int:
        return self._plain.write(job)


class _Unsigned(S3TargetWithLuigi):
    SETTINGS = {"payload_signing_enabled": False}  # noqa: RUF012


class S3TargetWhileWriting:
    """Parts go up while the task writes, and there is no temporary file."""

    KIND: type[S3TargetWithLuigi] = S3TargetWithLuigi

    def __init__(self) -> None:
        self._plain = self.KIND()
        self.exists_hit = self._plain.exists_hit

    def write(self, job: Job) -> int:
        target = self._plain.target(job.fresh, self._plain.nop, upload="while_writing")
        return self._plain._write(target, job.amount)


class S3TargetWhileUnsigned(S3TargetWhileWriting):
    KIND = _Unsigned

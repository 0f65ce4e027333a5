"""s3target without Luigi: FileSystem over a client. Bytes move as through the Luigi classes, and are not here."""

from __future__ import annotations

from ..store import BUCKET, HIT, MISS, SMALL
from . import Job

ROOT = f"s3://{BUCKET}/"


class S3TargetCore:
    COLD = (
        "from s3target import FileSystem, connect\nfrom s3target.filesystem import parse_path\n"
        f"assert FileSystem(connect()).exists(parse_path('{ROOT}{HIT}'))"
    )

    def __init__(self) -> None:
        from s3target import FileSystem, connect
        from s3target.filesystem import parse_path
        from s3target.transfer.plan import TransferOptions

        self.files = FileSystem(connect())
        self.path = lambda key: parse_path(ROOT + key)
        self.options = TransferOptions()

    def exists_hit(self) -> bool:
        return self.files.exists(self.path(HIT))

    def exists_miss(self) -> bool:
        return self.files.exists(self.path(MISS))

    def put_small(self) -> None:
        self.files.write(self.path("new/small"), b"x" * SMALL)

    def list_names(self, job: Job) -> int:
        return sum(bool(entry.key) for entry in self.files.list(self.path(job.key)))

    def list_objects(self, job: Job) -> int:
        entries = self.files.list(self.path(job.key))
        return sum(1 for entry in entries if entry.size == SMALL and entry.last_modified.tzinfo)

    def remove(self, job: Job) -> int:
        return self.files.remove_directory(self.path(job.key))

    def copy(self, job: Job) -> int:
        return self.files.copy_directory(self.path(job.key), self.path(job.fresh), self.options)[0]

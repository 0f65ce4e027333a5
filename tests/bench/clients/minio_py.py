"""minio-py: the leanest of the Python peers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from urllib.parse import urlsplit

from ..store import BUCKET, HIT, MISS, SMALL, Store
from ..workloads import MIB, PREFIXES
from . import Job

THREADS = 10
"""Its own pool of connections holds that many."""


class MinioPy:
    COLD = f"""
import os
from minio import Minio
key = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
client = Minio(host, access_key=key[0], secret_key=key[1], secure=False, region="us-east-1")
client.stat_object("{BUCKET}", "{HIT}")
"""

    def __init__(self) -> None:
        from minio import Minio
        from minio.commonconfig import CopySource
        from minio.deleteobjects import DeleteObject
        from minio.error import S3Error

        store = Store.of_environment()
        self.s3 = Minio(
            urlsplit(store.endpoint_url).netloc,
            access_key=store.access_key_id,
            secret_key=store.secret_access_key,
            secure=False,
            region=store.region,
        )
        self.copy_source, self.delete_object, self.error = CopySource, DeleteObject, S3Error

    def exists_hit(self) -> bool:
        self.s3.stat_object(BUCKET, HIT)
        return True

    def exists_miss(self) -> bool:
        try:
            self.s3.stat_object(BUCKET, MISS)
        except self.error as error:
            return error.code != "NoSuchKey"
        return True

    def put_small(self) -> None:
        self.s3.put_object(BUCKET, "new/small", BytesIO(b"x" * SMALL), SMALL)

    def _pieces(self, key: str) -> Iterator[bytes]:
        response = self.s3.get_object(BUCKET, key)
        try:
            yield from response.stream(MIB)
        finally:
            response.close()
            response.release_conn()

    def get_small(self) -> bytes:
        return b"".join(self._pieces(HIT))

    def put(self, job: Job) -> int:
        self.s3.fput_object(BUCKET, job.fresh, job.source)
        return job.amount

    def get(self, job: Job) -> int:
        self.s3.fget_object(BUCKET, job.key, job.destination)
        return job.amount

    def read(self, job: Job) -> int:
        return sum(map(len, self._pieces(job.key)))

    def _keys(self, prefix: str) -> list[str]:
        return [entry.object_name for entry in self.s3.list_objects(BUCKET, prefix, recursive=True)]

    def list_names(self, job: Job) -> int:
        return len(self._keys(f"{job.key}/"))

    def list_objects(self, job: Job) -> int:
        entries = self.s3.list_objects(BUCKET, f"{job.key}/", recursive=True)
        return sum(1 for entry in entries if entry.size == SMALL and entry.last_modified.tzinfo)

    def list_prefixes(self, job: Job) -> int:
        with ThreadPoolExecutor(PREFIXES) as pool:
            prefixes = [f"{job.key}/{number:02}/" for number in range(PREFIXES)]
            return sum(map(len, pool.map(self._keys, prefixes)))

    def remove(self, job: Job) -> int:
        keys = self._keys(f"{job.key}/")
        assert not list(self.s3.remove_objects(BUCKET, map(self.delete_object, keys)))
        return len(keys)

    def _copy(self, key: str, destination: str) -> None:
        self.s3.copy_object(BUCKET, destination, self.copy_source(BUCKET, key))

    def copy(self, job: Job) -> int:
        keys = self._keys(f"{job.key}/")
        with ThreadPoolExecutor(THREADS) as pool:
            destinations = [job.fresh + key.removeprefix(job.key) for key in keys]
            return len(list(pool.map(self._copy, keys, destinations)))

"""obstore: Rust's object_store behind Python names; what a compiled client reaches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..store import BUCKET, HIT, MISS, SMALL, Store
from ..workloads import MIB, PREFIXES
from . import Job

THREADS = 10


class Obstore:
    COLD = f"""
import os, obstore
from obstore.store import S3Store
store = S3Store("{BUCKET}", endpoint=os.environ["AWS_ENDPOINT_URL"], client_options={{"allow_http": True}})
obstore.head(store, "{HIT}")
"""

    def __init__(self) -> None:
        import obstore
        from obstore.store import S3Store

        where = Store.of_environment()
        self.obstore = obstore
        self.store = S3Store(
            BUCKET,
            endpoint=where.endpoint_url,
            access_key_id=where.access_key_id,
            secret_access_key=where.secret_access_key,
            region=where.region,
            client_options={"allow_http": True, "timeout": "600s"},
        )

    def exists_hit(self) -> bool:
        self.obstore.head(self.store, HIT)
        return True

    def exists_miss(self) -> bool:
        try:
            self.obstore.head(self.store, MISS)
        except FileNotFoundError:
            return False
        return True

    def put_small(self) -> None:
        self.obstore.put(self.store, "new/small", b"x" * SMALL)

    def get_small(self) -> bytes:
        return bytes(self.obstore.get(self.store, HIT).bytes())

    def put(self, job: Job) -> int:
        self.obstore.put(self.store, job.fresh, Path(job.source))
        return job.amount

    def get(self, job: Job) -> int:
        with open(job.destination, "wb") as file:
            for piece in self.obstore.get(self.store, job.key).stream(MIB):
                file.write(piece)
        return job.amount

    def read(self, job: Job) -> int:
        return sum(len(piece) for piece in self.obstore.get(self.store, job.key).stream(MIB))

    def write(self, job: Job) -> int:
        piece = bytes(range(256)) * (MIB // 256)
        with self.obstore.open_writer(self.store, job.fresh) as file:
            for offset in range(0, job.amount, MIB):
                file.write(piece[: job.amount - offset])
        return job.amount

    def _entries(self, prefix: str) -> list:
        return [entry for chunk in self.obstore.list(self.store, prefix, chunk_size=1000) for entry in chunk]

    def list_names(self, job: Job) -> int:
        return len([entry["path"] for entry in self._entries(job.key)])

    def list_objects(self, job: Job) -> int:
        entries = self._entries(job.key)
        return sum(1 for entry in entries if entry["size"] == SMALL and entry["last_modified"].tzinfo)

    def list_prefixes(self, job: Job) -> int:
        with ThreadPoolExecutor(PREFIXES) as pool:
            prefixes = [f"{job.key}/{number:02}" for number in range(PREFIXES)]
            return sum(map(len, pool.map(self._entries, prefixes)))

    def remove(self, job: Job) -> int:
        keys = [entry["path"] for entry in self._entries(job.key)]
        self.obstore.delete(self.store, keys)
        return len(keys)

    def _copy(self, key: str, destination: str) -> None:
        self.obstore.copy(self.store, key, destination)

    def copy(self, job: Job) -> int:
        keys = [entry["path"] for entry in self._entries(job.key)]
        with ThreadPoolExecutor(THREADS) as pool:
            destinations = [job.fresh + key.removeprefix(job.key) for key in keys]
            return len(list(pool.map(self._copy, keys, destinations)))

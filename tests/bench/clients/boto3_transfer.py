"""boto3 itself: its client, its transfer manager, and the transfer manager over the AWS common runtime (CRT)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ..store import BUCKET, HIT, MISS, SMALL, Store
from ..workloads import MIB, PREFIXES
from . import Job

THREADS = 10
"""For many small calls: what boto3's transfer manager uses, and its pool of connections holds."""


class Boto3:
    COLD = f"import boto3\nboto3.client('s3').head_object(Bucket='{BUCKET}', Key='{HIT}')"

    def __init__(self) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import ClientError

        self.s3 = boto3.client("s3", config=Config(max_pool_connections=PREFIXES))
        self.error = ClientError

    def exists_hit(self) -> bool:
        self.s3.head_object(Bucket=BUCKET, Key=HIT)
        return True

    def exists_miss(self) -> bool:
        try:
            self.s3.head_object(Bucket=BUCKET, Key=MISS)
        except self.error as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"] != 404
        return True

    def put_small(self) -> None:
        self.s3.put_object(Bucket=BUCKET, Key="new/small", Body=b"x" * SMALL)

    def get_small(self) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=HIT)["Body"].read()

    def put(self, job: Job) -> int:
        self.s3.upload_file(job.source, BUCKET, job.fresh)
        return job.amount

    def get(self, job: Job) -> int:
        self.s3.download_file(BUCKET, job.key, job.destination)
        return job.amount

    def read(self, job: Job) -> int:
        body = self.s3.get_object(Bucket=BUCKET, Key=job.key)["Body"]
        return sum(len(piece) for piece in body.iter_chunks(MIB))

    def lines(self, job: Job) -> int:
        body = self.s3.get_object(Bucket=BUCKET, Key=job.key)["Body"]
        return sum(map(len, map(bytes.decode, body.iter_lines(MIB, keepends=True))))

    def _entries(self, prefix: str) -> list[dict]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry for page in pages for entry in page.get("Contents", ())]

    def list_names(self, job: Job) -> int:
        return len(self._entries(f"{job.key}/"))

    def list_objects(self, job: Job) -> int:
        entries = self._entries(f"{job.key}/")
        return sum(1 for entry in entries if entry["Size"] == SMALL and entry["LastModified"].tzinfo)

    def list_prefixes(self, job: Job) -> int:
        with ThreadPoolExecutor(PREFIXES) as pool:
            prefixes = [f"{job.key}/{number:02}/" for number in range(PREFIXES)]
            return sum(map(len, pool.map(self._entries, prefixes)))

    def remove(self, job: Job) -> int:
        keys = [{"Key": entry["Key"]} for entry in self._entries(f"{job.key}/")]
        for start in range(0, len(keys), 1000):
            self.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys[start : start + 1000], "Quiet": True})
        return len(keys)

    def _copy(self, key: str, destination: str) -> None:
        self.s3.copy_object(Bucket=BUCKET, Key=destination, CopySource={"Bucket": BUCKET, "Key": key})

    def copy(self, job: Job) -> int:
        keys = [entry["Key"] for entry in self._entries(f"{job.key}/")]
        with ThreadPoolExecutor(THREADS) as pool:
            destinations = [job.fresh + key.removeprefix(job.key) for key in keys]
            return len(list(pool.map(self._copy, keys, destinations)))


class Boto3Crt:
    """s3transfer's CRTTransferManager, which boto3 chooses by itself on certain EC2 instances only, and over TLS only.

    So it is put together here, from the parts that boto3 takes.
    """

    def __init__(self) -> None:
        import botocore.session
        from s3transfer.crt import (
            BotocoreCRTCredentialsWrapper,
            BotocoreCRTRequestSerializer,
            CRTTransferManager,
            create_s3_crt_client,
        )

        store = Store.of_environment()
        session = botocore.session.Session()
        provider = BotocoreCRTCredentialsWrapper(session.get_credentials()).to_crt_credentials_provider()
        client = create_s3_crt_client(store.region, provider, use_ssl=False)
        place = {"region_name": store.region, "endpoint_url": store.endpoint_url}
        self.transfers = CRTTransferManager(client, BotocoreCRTRequestSerializer(session, place))

    def put(self, job: Job) -> int:
        self.transfers.upload(job.source, BUCKET, job.fresh).result()
        return job.amount

    def get(self, job: Job) -> int:
        self.transfers.download(BUCKET, job.key, job.destination).result()
        return job.amount

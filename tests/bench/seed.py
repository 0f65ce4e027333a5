"""Fills a real store with what the null server makes up: `python -m bench.seed KIND KEY AMOUNT ...` (triples).

KIND size: an object of AMOUNT bytes of text at KEY. KIND list: AMOUNT objects of 1 KiB below KEY/. Anything that was
there stays. It is a program, so that its memory and connections are not the runner's.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from .store import BUCKET, HIT, LINE, SMALL, Store
from .workloads import MIB

THREADS = 16


def main(words: list[str]) -> None:
    from minio import Minio
    from obstore.store import S3Store

    place = Store.of_environment()
    keys = {"access_key": place.access_key_id, "secret_key": place.secret_access_key}
    buckets = Minio(urlsplit(place.endpoint_url).netloc, secure=False, region=place.region, **keys)
    if not buckets.bucket_exists(BUCKET):
        buckets.make_bucket(BUCKET)
    store = S3Store(BUCKET, endpoint=place.endpoint_url, region=place.region, client_options={"allow_http": True})
    _put(store, HIT, b"x" * SMALL)
    for kind, key, amount in zip(*[iter(words)] * 3, strict=True):
        if kind == "size":
            _put(store, key, _text(int(amount)))
        else:
            with ThreadPoolExecutor(THREADS) as pool:
                names = [f"{key}/key-{number:07}" for number in range(int(amount))]
                list(pool.map(lambda name: _put(store, name, b"x" * SMALL), names))


def _text(size: int) -> list[bytes]:
    piece = (b"the quick brown fox jumps over the lazy dog, 4711".ljust(LINE - 1, b".") + b"\n") * (MIB // LINE)
    whole, rest = divmod(size, len(piece))
    return [piece] * whole + [piece[:rest]]


def _put(store: Any, key: str, content: bytes | list[bytes]) -> None:
    import obstore

    obstore.put(store, key, content)


if __name__ == "__main__":
    main(sys.argv[1:])

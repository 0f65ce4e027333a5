"""moto's server, in its own process: close to AWS in what it answers; takes any key and any signature; has STS."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from servers.announced import announced
from servers.store import Store
from servers.tls import Authority


@contextlib.contextmanager
def moto_store(authority: Authority | None = None) -> Iterator[Store]:
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    if authority:
        argv += ["--ssl-cert", authority.certificate, "--ssl-key", authority.key]
    with announced(argv, r"Running on (https?://127\.0\.0\.1:\d+)") as url:
        yield Store(
            name="moto-tls" if authority else "moto",
            endpoint_url=url,
            access_key_id="MOTOACCESSKEY0000001",
            secret_access_key="moto+secret/key=0001",
            region="us-east-1",
            ca_file=authority.ca_file if authority else None,
            checks_signatures=False,
            sts_endpoint_url=url,
            role_arn="arn:aws:iam::123456789012:role/S3TargetRole",
        )

"""`rclone serve s3`: a folder behind an S3 gateway that checks signatures. Used where the program is there."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from servers.announced import announced
from servers.store import Store
from servers.tls import Authority


def find_rclone() -> str | None:
    return shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")


@contextlib.contextmanager
def rclone_store(authority: Authority | None = None, folder: Path | None = None) -> Iterator[Store]:
    """folder: one that is there, whose files others may change meanwhile."""
    key, secret = "RCLONEACCESSKEY00001", "rclone+secret/key=01"
    # Relative to its temporary working folder, which goes with it.
    argv = [find_rclone() or "rclone", "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{key},{secret}"]
    argv += ["--config", os.devnull, "--cache-dir", "cache", "--log-level", "INFO"]
    argv += ["--dir-cache-time", "0s", str(folder)] if folder else ["data"]
    if authority:
        argv += ["--cert", authority.certificate, "--key", authority.key]
    with announced(argv, r"(https?://127\.0\.0\.1:\d+)") as url:
        yield Store(
            name="rclone-tls" if authority else "rclone",
            endpoint_url=url,
            access_key_id=key,
            secret_access_key=secret,
            region="us-east-1",
            ca_file=authority.ca_file if authority else None,
            checks_signatures=True,
            sts_endpoint_url=None,
            role_arn=None,
        )

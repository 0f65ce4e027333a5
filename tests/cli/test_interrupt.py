"""Ctrl-C and SIGTERM in the middle of an upload in parts, to a store that has fallen silent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.misbehaving import KEYS, Fault, MisbehavingStore

ROOT = str(Path(__file__).parents[2])


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_uploads_are_aborted(tmp_path: Path, number: int, files: int) -> None:
    """Though every thread waits for the store. Nothing is said."""
    names = [f"file-{i}" for i in range(files)]
    for name in names:
        (tmp_path / name).write_bytes(bytes(24 << 20))
    keys = {"AWS_ACCESS_KEY_ID": KEYS.access_key_id, "AWS_SECRET_ACCESS_KEY": KEYS.secret, "AWS_REGION": "us-east-1"}
    with MisbehavingStore() as store:
        silent = Fault("silent", acts=False, sends=lambda head, whole: 0, ends="hang")
        store.order(silent, "UploadPart", 2, times=1000)
        argv = [sys.executable, "-m", "s3target", "cp", "-q", *names, "s3://b/new/", "--endpoint-url", store.url]
        env = {**os.environ, **keys, "PYTHONPATH": ROOT}
        with subprocess.Popen(argv, env=env, cwd=tmp_path, stderr=subprocess.PIPE) as process:
            end = time.monotonic() + 60
            while (not store.struck or len(store.s3.uploads) < files) and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(number)
            told = process.communicate(timeout=60)[1]
        assert (process.returncode, told) == (128 + number, b"")
        assert (store.s3.uploads, store.s3.objects) == ({}, {})

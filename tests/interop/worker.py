"""One package on one store, in a process of its own: python -m interop.worker MODULE, the store as JSON on stdin.

Writes a line of JSON for each check: its group, its name, and what went wrong, "" for nothing.
"""

from __future__ import annotations

import importlib
import json
import logging
import signal
import sys
import tempfile
import traceback
import uuid
import warnings
from pathlib import Path
from typing import Any

from servers.signed import make_bucket
from servers.store import Store

from .checks import CHECKS, Act, Scene
from .impossible import IMPOSSIBLE

SECONDS = 120


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    module = importlib.import_module(sys.argv[1])
    store = Store(**json.load(sys.stdin))
    bucket = make_bucket(store)
    signal.signal(signal.SIGALRM, _too_long)
    for group, checks in CHECKS.items():
        for name, act in checks.items():
            if (store.kind, name) not in IMPOSSIBLE:
                result = {"group": group, "name": name, "error": _result(act, module, store, bucket)}
                print(json.dumps(result), flush=True)


def _result(act: Act, module: Any, store: Store, bucket: str) -> str:
    signal.alarm(SECONDS)
    try:
        with tempfile.TemporaryDirectory(prefix="s3target-") as folder:
            base = f"s3://{bucket}/{uuid.uuid4().hex[:8]}"
            act(Scene(module, module.S3Client(), store, base, Path(folder)))
    except Exception as error:
        text = str(error) or str(traceback.extract_tb(error.__traceback__)[-1].line)
        return f"{type(error).__name__}: {text}".replace(bucket, "BUCKET")[:300]
    finally:
        signal.alarm(0)
    return ""


def _too_long(*_: object) -> None:
    raise TimeoutError(f"not done after {SECONDS} s")


if __name__ == "__main__":
    main()

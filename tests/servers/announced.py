"""A server that picks its port itself (it was asked for port 0) and writes down where it listens."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from s3target.cli.seaweedfs import running, wait_until


@contextlib.contextmanager
def announced(argv: Sequence[str], pattern: str, timeout: float = 60) -> Iterator[str]:
    """Run argv in a temporary folder; yields the first group of pattern in its output, as soon as it is there."""
    with tempfile.TemporaryDirectory(prefix="s3target-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": name, "TMPDIR": name, "PYTHONUNBUFFERED": "1"}
        found: list[str] = []

        def announced_yet() -> bool:
            text = (folder / "output.txt").read_text(encoding="utf-8", errors="replace")
            found.extend(re.findall(pattern, text))
            return bool(found)

        with running(argv, folder, env=env, leftovers=[folder]) as process:
            wait_until(announced_yet, process, folder, timeout)
            yield found[0]

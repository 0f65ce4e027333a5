"""The store that is measured against, what is in it, and the environment of a process that talks to it.

Keys mean the same on every store: hit/object is there (1 KiB), miss/object is not, size-N/object has N bytes of text in
lines of 80, list-N/NAME/ holds N objects key-0000000 on, and what is written goes below new/. The null server knows
these names; other stores are filled by seed.py.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

BUCKET = "bench"
HIT = "hit/object"
MISS = "miss/object"
SMALL = 1024
LINE = 80


@dataclass(frozen=True)
class Store:
    """checks: signatures are verified and what is put stays."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"
    checks: bool = True

    @classmethod
    def of_environment(cls) -> Store:
        """In a process that was started with environment()."""
        taken = (os.environ[name] for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
        return cls(*taken, region=os.environ["AWS_REGION"])

    def environment(self, home: Path) -> dict[str, str]:
        """All variables of a measured process: nothing of the caller's own but what Python needs to start.

        home: where its configuration would be, and its temporary files are.
        """
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "LANG") if name in os.environ}
        return {
            **kept,
            "HOME": str(home),
            "TMPDIR": str(home),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def command(module: str, *words: str) -> tuple[list[str], dict[str, str]]:
    """The command line that runs a module of this package in a process of its own, and the variables it needs."""
    return [sys.executable, "-m", f"bench.{module}", *words], {"PYTHONPATH": str(Path(__file__).parent.parent)}


def sized(size: int) -> str:
    return f"size-{size}/object"


def directory(count: int, name: str) -> str:
    """A directory of `count` objects; without the slash at its end."""
    return f"list-{count}/{name}"

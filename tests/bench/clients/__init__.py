"""The clients that are compared: one module each, which implements the workloads that make sense for it.

A client is a class. A method of a workload's name (workloads.py) does that workload; one that is absent is shown as a
dash. Methods of LOOP workloads take nothing and do one small call; all others take a Job and return how many bytes or
keys they moved, which is checked. Libraries are imported in __init__, so that a class can be asked what it implements
where the library is not installed. COLD is the text of a program that asks for its first exists(), as a user writes it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

REFERENCE = "luigi"
"""Whom ratios are taken to."""


class Entry(NamedTuple):
    """Where a client's class is, and how it is shown.

    label: its column's heading. variant_of: the client in whose column it stands, in a row of its own. floor: it does
    no work, only starts.
    """

    module: str
    attribute: str
    label: str
    variant_of: str = ""
    floor: bool = False


CLIENTS = {
    "luigi": Entry(".luigi_boto3", "LuigiOnBoto3", "luigi.contrib.s3"),
    "s3target": Entry(".s3target_luigi", "S3TargetWithLuigi", "s3target"),
    "s3target-unsigned": Entry(".s3target_luigi", "S3TargetUnsigned", "payload unsigned", "s3target"),
    "s3target-while-writing": Entry(".s3target_luigi", "S3TargetWhileWriting", 'upload="while_writing"', "s3target"),
    "s3target-while-unsigned": Entry(
        ".s3target_luigi", "S3TargetWhileUnsigned", 'upload="while_writing", unsigned', "s3target"
    ),
    "s3target-core": Entry(".s3target_core", "S3TargetCore", "s3target without Luigi"),
    "boto3": Entry(".boto3_transfer", "Boto3", "boto3"),
    "boto3-crt": Entry(".boto3_transfer", "Boto3Crt", "boto3 with CRT"),
    "minio": Entry(".minio_py", "MinioPy", "minio-py"),
    "obstore": Entry(".obstore_rust", "Obstore", "obstore (Rust)"),
    "smart_open": Entry(".smart_open_s3", "SmartOpen", "smart_open"),
    "sockets": Entry(".bare_sockets", "BareSockets", "bare sockets"),
    "python": Entry(".bare_python", "BarePython", "the bare interpreter", floor=True),
    "import-luigi": Entry(".bare_python", "ImportLuigi", "`import luigi` alone", floor=True),
}


class Job(NamedTuple):
    """One run of a workload.

    amount: bytes or keys. key: where there are that many bytes, or below which (without a slash at the end) that many
    keys. fresh: a key that nothing else uses, for what is written. source, destination: local files.
    """

    amount: int
    key: str
    fresh: str
    source: str
    destination: str


def client_class(name: str) -> Any:
    entry = CLIENTS[name]
    return getattr(import_module(entry.module, __name__), entry.attribute)


def label(name: str) -> str:
    """For people; of a variant with the name of what it varies."""
    entry = CLIENTS[name]
    return f"{CLIENTS[entry.variant_of].label}, {entry.label}" if entry.variant_of else entry.label


def implements(name: str, called: str, checks: bool) -> bool:
    """Whether a client has that method (or COLD program), and can talk to a store that checks signatures."""
    kind = client_class(name)
    able = bool(getattr(kind, "COLD", "")) if called == "cold" else hasattr(kind, called)
    return able and (getattr(kind, "SIGNS", True) or not checks)

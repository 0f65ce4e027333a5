"""Objects to stdout, and stdin to an object: bounded memory, no disk."""

from __future__ import annotations

from typing import BinaryIO

from ..client import Client
from ..filesystem import S3Path
from ..protocol.options import ExtraArgs
from ..transfer.plan import MIB, Progress
from ..transfer.reader import Reader, ReaderOptions
from ..transfer.writer import Writer, WriterOptions

READAHEAD = 4
"""Ranges that are fetched at once, of 8 MiB each."""


def copy_out(
    client: Client, path: S3Path, out: BinaryIO, progress: Progress | None = None, version_id: str | None = None
) -> None:
    """The object's bytes to a stream. S3Error of any kind; what came before it has been written then."""
    options = ReaderOptions(version_id=version_id, readahead=READAHEAD, progress=progress)
    buffer = memoryview(bytearray(MIB))
    with Reader(client, path.bucket, path.key, options) as reader:
        while count := reader.readinto(buffer):
            out.write(buffer[:count])
    out.flush()


def copy_in(
    client: Client, source: BinaryIO, path: S3Path, extra_args: ExtraArgs, progress: Progress | None = None
) -> None:
    """A stream of unknown length to an object, which appears whole or not at all."""
    options = WriterOptions(extra_args=extra_args, progress=progress)
    with Writer(client, path.bucket, path.key, options) as writer:
        while piece := source.read(MIB):
            writer.write(piece)

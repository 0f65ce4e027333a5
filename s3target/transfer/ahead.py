"""The hashes of a file's parts, made while the file is being written, so that at its end little is left to be hashed.

Contract: parts() tells the headers of parts as the file held them when the writer had passed them. Whoever writes
elsewhere than at the end calls forget(). Nothing here fails or waits: what is not known, upload() finds out for itself.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from functools import partial

from ..client import Client
from ..errors import S3Error
from ..protocol.messages import Headers
from ..protocol.operations.multipart import UploadPart
from ..protocol.options import headers_for
from .plan import MAX_PARTS, TransferOptions
from .upload import StoppableSlice
from .workers import Ticket, Workers, end_threads


class HashAhead:
    """Follows a file that will be uploaded with these options. One thread, begun with the first part."""

    def __init__(self, client: Client, bucket: str, key: str, options: TransferOptions) -> None:
        self._client = client
        self._part = partial(UploadPart, bucket, key, "", headers=headers_for("UploadPart", options.extra_args))
        self._part_size = options.part_size
        self._tickets: list[Ticket[Headers]] = []
        self._workers = Workers(1, waiting=MAX_PARTS)
        self._process = os.getpid()
        self._following = True
        self._useless = threading.Event()
        # Also when the interpreter ends: once it clears the modules, threads cannot be waited for any more.
        self._finish = weakref.finalize(self, end_threads, self._workers, self._process)

    def reached(self, length: int, path: str) -> None:
        """So many bytes of the file at `path` are written."""
        while self._following and length >= (len(self._tickets) + 1) * self._part_size:
            try:
                self._submit(len(self._tickets), path)
            except (S3Error, OSError, RuntimeError):
                self._following = False

    def _submit(self, index: int, path: str) -> None:
        if os.getpid() != self._process or index == MAX_PARTS:
            self._following = False
            return
        body = StoppableSlice(path, index * self._part_size, self._part_size, self._useless)
        self._tickets.append(self._workers.submit(partial(self._hash, index + 1, body)))

    def _hash(self, number: int, body: StoppableSlice) -> Headers:
        return self._client.prepare(self._part(number, body)).headers

    def forget(self) -> None:
        """What is known does not hold any more, and nothing will. The file is not read any longer."""
        self._useless.set()
        self.parts()
        self._tickets.clear()

    def parts(self) -> Mapping[int, Headers]:
        """By part number, the headers with its hashes, of those that are known. It follows no longer."""
        self._following = False
        self._finish()
        self._useless.set()
        return {number: ticket.result() for number, ticket in enumerate(self._tickets, 1) if ticket.done}

"""A dict that pretends to be a Client and a store: ranges, If-Match, multipart, copies, tags, and failures on order."""

from __future__ import annotations

import hashlib
import io
import signal
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from s3target.errors import ConnectionDropped, NoSuchKey, NoSuchUpload, PreconditionFailed, ServiceError, TransportError
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.messages import Body, BytesBody
from s3target.protocol.operations.multipart import Part
from s3target.protocol.operations.objects import CopySource, ObjectInfo, ObjectStream, WrittenObject
from s3target.retry import RetryPolicy
from s3target.stores import STORES

Failure = BaseException | Callable[[], BaseException]


def ctrl_c() -> None:
    """What the terminal sends: it reaches the main thread in whatever it waits for."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def crc32_header(content: bytes) -> str:
    return b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


@dataclass
class Stored:
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    tags: tuple[tuple[str, str], ...] = ()
    e_tag: str = ""
    modified: str = ""

    def __post_init__(self) -> None:
        self.e_tag = self.e_tag or hashlib.md5(self.content, usedforsecurity=False).hexdigest()


class MemoryStream:
    """Hands out `content`, in pieces of at most `piece`; breaks off after `breaks_after` bytes."""

    def __init__(self, store: MemoryStore, content: bytes, breaks_after: int | None) -> None:
        self._store = store
        self._reader = io.BytesIO(content if breaks_after is None else content[:breaks_after])
        self._breaks = breaks_after is not None
        self._open = True
        with store.lock:
            store.open_streams += 1

    def readinto(self, buffer: memoryview, /) -> int:
        assert self._open
        self._store.largest_read = max(self._store.largest_read, len(buffer))
        self._store.before_read()
        count = self._reader.readinto(buffer[: self._store.piece])
        if not count and self._breaks and len(buffer):
            raise ConnectionDropped("the body broke off")
        return count

    def read(self, size: int = -1, /) -> bytes:
        raise AssertionError("the engine reads into its own buffers")

    def close(self) -> None:
        if self._open:
            self._open = False
            with self._store.lock:
                self._store.open_streams -= 1


class MemoryStore:
    """failures: by number of the call, from 1. breaks: for each GetObject in turn, after how many bytes it breaks off.

    e_tags, ranges, lengths: False for a store without. content_ranges: False for one that says bytes 0-9/*.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.endpoint = Endpoint(region="us-east-1")
        self.proven: set[object] = set()
        self.store = STORES["aws"]
        self.policy = RetryPolicy(max_attempts=4)
        self.checksums = self.validation = True
        self.objects: dict[tuple[str, str], Stored] = {}
        self.uploads: dict[str, Any] = {}
        self.calls: list[Any] = []
        self.pauses: list[int] = []
        self.failures: dict[int, Failure] = {}
        self.breaks: list[int | None] = []
        self.piece = 1 << 30
        self.largest_read = self.largest_memory_body = self.open_streams = self.running = self.most_running = 0
        self.e_tags = self.ranges = self.content_ranges = self.lengths = True
        self.range_headers: dict[str, str] = {}
        self.copy_part_error: BaseException | None = None
        self.tagging_error: BaseException | None = None
        self.silent_copies = False
        self.on_call: Callable[[Any], None] = lambda operation: None
        self.on_received: Callable[[Any], None] = lambda operation: None
        self.before_read: Callable[[], None] = lambda: None

    def put(self, bucket: str, key: str, content: bytes, **headers: str) -> Stored:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.objects[bucket, key] = Stored(content, named)
        return self.objects[bucket, key]

    def names(self) -> list[str]:
        return [operation.name for operation in self.calls]

    def content(self, bucket: str, key: str) -> bytes:
        return self.objects[bucket, key].content

    def pause(self, retries: int, error: TransportError) -> None:
        self.pauses.append(retries)
        if retries >= self.policy.max_attempts:
            raise error

    def call(self, operation: Any) -> Any:
        with self.lock:
            self.calls.append(operation)
            failure = self.failures.get(len(self.calls))
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            self.on_call(operation)
            if failure is not None:
                raise failure() if not isinstance(failure, BaseException) else failure
            return getattr(self, f"_{operation.name}")(operation)
        finally:
            with self.lock:
                self.running -= 1

    def _stored(self, operation: Any, bucket: str, key: str) -> Stored:
        if (bucket, key) not in self.objects:
            raise NoSuchKey(404, "NoSuchKey", operation=operation.name, bucket=bucket, key=key)
        return self.objects[bucket, key]

    def _info(self, operation: Any, stored: Stored) -> ObjectInfo:
        e_tag = stored.e_tag if self.e_tags else ""
        size, headers = len(stored.content), dict(stored.headers)
        return ObjectInfo(operation.bucket, operation.key, size, e_tag, stored.modified, headers=headers)

    def _HeadObject(self, operation: Any) -> ObjectInfo:
        return self._info(operation, self._stored(operation, operation.bucket, operation.key))

    def _GetObject(self, operation: Any) -> ObjectStream:
        stored = self._stored(operation, operation.bucket, operation.key)
        info, content = self._info(operation, stored), stored.content
        if operation.if_match and operation.if_match != stored.e_tag:
            raise PreconditionFailed(412, "PreconditionFailed", operation="GetObject")
        first, last = 0, len(content) - 1
        wanted = operation.byte_range if self.ranges else None
        if wanted:
            if wanted.first >= len(content):
                raise ServiceError(416, "InvalidRange", operation="GetObject")
            first, last = wanted.first, min(last, last if wanted.last is None else wanted.last)
            info = info._replace(headers={**info.headers, "content-range": "yes", **self.range_headers})
        body = content[first : last + 1]
        with self.lock:
            breaks = self.breaks.pop(0) if self.breaks else None
        length: int | None = len(body)
        if not wanted and not self.lengths:
            length, info = None, info._replace(size=-1)
        if wanted and not self.content_ranges:
            info = info._replace(size=-1)
        return ObjectStream(info, first, length, MemoryStream(self, body, breaks))

    def _received(self, body: Body) -> bytes:
        if isinstance(body, BytesBody):
            self.largest_memory_body = max(self.largest_memory_body, body.length)
            return b"".join(body.pieces)
        with body.open() as reader:
            content = reader.read(body.length)
        if len(content) != body.length:
            raise ConnectionDropped("what is to be sent is shorter than it says")
        return content

    def _PutObject(self, operation: Any) -> WrittenObject:
        stored = Stored(self._received(operation.body), dict(operation.headers))
        self._write(operation, stored)
        return WrittenObject(stored.e_tag, "v1")

    def _write(self, operation: Any, stored: Stored) -> None:
        there = self.objects.get((operation.bucket, operation.key))
        if operation.headers.get("if-none-match") == "*" and there:
            raise PreconditionFailed(412, "PreconditionFailed", operation=operation.name)
        self.objects[operation.bucket, operation.key] = stored

    def _CreateMultipartUpload(self, operation: Any) -> str:
        with self.lock:
            upload_id = f"upload-{len(self.calls)}"
            self.uploads[upload_id] = (operation, {})
        return upload_id

    def _parts(self, operation: Any) -> dict[int, bytes]:
        with self.lock:
            if operation.upload_id not in self.uploads:
                raise NoSuchUpload(404, "NoSuchUpload", operation=operation.name)
            parts: dict[int, bytes] = self.uploads[operation.upload_id][1]
            return parts

    def _UploadPart(self, operation: Any) -> Part:
        content = self._received(operation.body)
        self.on_received(operation)
        self._parts(operation)[operation.number] = content
        e_tag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return Part(operation.number, e_tag, len(content), crc32_header(content))

    def _UploadPartCopy(self, operation: Any) -> Part:
        if self.copy_part_error is not None:
            raise self.copy_part_error
        stored = self._source(operation.source, operation)
        content = stored.content[operation.byte_range.first : operation.byte_range.last + 1]
        self._parts(operation)[operation.number] = content
        return Part(operation.number, hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content))

    def _source(self, source: CopySource, operation: Any) -> Stored:
        stored = self._stored(operation, source.bucket, source.key)
        guard = operation.headers.get("x-amz-copy-source-if-match")
        if guard not in (None, f'"{stored.e_tag}"'):
            raise PreconditionFailed(412, "PreconditionFailed", operation=operation.name)
        return stored

    def _CompleteMultipartUpload(self, operation: Any) -> WrittenObject:
        there = self._parts(operation)
        assert [part.number for part in operation.parts] == list(range(1, len(there) + 1))
        assert all(len(there[part.number]) >= 5 << 20 for part in operation.parts[:-1])
        content = b"".join(there[part.number] for part in operation.parts)
        create = self.uploads[operation.upload_id][0]
        stored = Stored(content, dict(create.headers), e_tag=f"parts-{len(there)}")
        self._write(operation, stored)
        del self.uploads[operation.upload_id]
        return WrittenObject("" if self.silent_copies else stored.e_tag, "v2")

    def _AbortMultipartUpload(self, operation: Any) -> None:
        self._parts(operation)
        del self.uploads[operation.upload_id]

    def _CopyObject(self, operation: Any) -> WrittenObject:
        source = self._source(operation.source, operation)
        self._write(operation, Stored(source.content, dict(source.headers), source.tags))
        return WrittenObject("" if self.silent_copies else source.e_tag)

    def _DeleteObject(self, operation: Any) -> None:
        self.objects.pop((operation.bucket, operation.key), None)

    def _GetObjectTagging(self, operation: Any) -> tuple[tuple[str, str], ...]:
        if self.tagging_error is not None:
            raise self.tagging_error
        return self._stored(operation, operation.bucket, operation.key).tags

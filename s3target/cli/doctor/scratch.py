"""Steps on a scratch key: put, get, range, multipart, conditional put, copy, delete, checksums. It is removed whatever
happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

from ...client import Client
from ...errors import AccessDenied, PreconditionFailed, S3Error, ServiceError
from ...filesystem import FileSystem, S3Path
from ...logs import getLogger
from ...protocol.messages import BytesBody
from ...protocol.operations.listing import ListObjectsV2
from ...protocol.operations.multipart import UploadPart
from ...protocol.operations.objects import (
    ByteRange,
    CopyObject,
    CopySource,
    DeleteObject,
    GetObject,
    HeadObject,
    PutObject,
)
from ...transfer.multipart import MultipartUpload, declared_checksum
from ...transfer.reader import Reader
from .finding import Finding, Patient

_log = getLogger("s3target.cli")
_CONTENT = bytes(range(256)) * 4
_UNKNOWN = (400, 405, 501)


class Scratch:
    """The key, and a second one beside it for copies. What is written by write() is known, and goes with remove()."""

    def __init__(self, patient: Patient) -> None:
        self.client = patient.client
        self.once: Client = patient.once()
        self.bucket = patient.path.bucket
        self.key = f"{patient.path.below}s3target-doctor-{os.urandom(6).hex()}"
        self.copied = f"{self.key}-copy"
        self._written: set[str] = set()

    def write(self, client: Client, operation: PutObject | CopyObject) -> None:
        """Put or copy. After a refusal for want of permission nothing is there; after any other error who knows."""
        before = set(self._written)
        self._written.add(operation.key)
        try:
            client.call(operation)
        except AccessDenied:
            self._written = before
            raise

    def delete(self, key: str) -> None:
        self.client.call(DeleteObject(self.bucket, key))
        self._written.discard(key)

    def remove(self) -> None:
        """What is there or may be."""
        for key in sorted(self._written):
            try:
                self.delete(key)
            except S3Error as error:
                _log.warning("the scratch key s3://%s/%s could not be removed: %s", self.bucket, key, error)

    def read(self, byte_range: ByteRange | None = None) -> bytes:
        if byte_range is None:
            with Reader(self.client, self.bucket, self.key) as reader:
                return reader.readall()
        found = self.client.call(GetObject(self.bucket, self.key, byte_range))
        with closing(found.stream):
            return found.stream.read()


def writes(patient: Patient) -> Iterator[Finding]:
    """The steps that need the permission to write, or, without it, those that only read."""
    scratch = Scratch(patient)
    try:
        for step, permission, act in _STEPS:
            yield (finding := attempt(step, permission, partial(act, scratch)))
            if step == "put" and finding.status == "failed":
                yield from reads(patient)
                return
    finally:
        scratch.remove()


def attempt(step: str, permission: str, act: Callable[[], str | Finding]) -> Finding:
    """act's own Finding, or OK with what it says; failed if it raises."""
    try:
        said = act()
    except ServiceError as error:
        remedy = f"here these credentials lack {permission}" if error.status == 403 else ""
        return Finding("failed", step, str(error), remedy)
    except S3Error as error:
        return Finding("failed", step, str(error))
    return said if isinstance(said, Finding) else Finding("ok", step, said)


def _put(scratch: Scratch) -> str:
    scratch.write(scratch.client, PutObject(scratch.bucket, scratch.key, BytesBody(_CONTENT)))
    return f"{len(_CONTENT)} bytes to s3://{scratch.bucket}/{scratch.key}"


def _get(scratch: Scratch) -> str | Finding:
    if scratch.read() != _CONTENT:
        return Finding("failed", "get", "the bytes that come back are not those that were stored")
    return "the same bytes come back"


def _range(scratch: Scratch) -> str | Finding:
    if scratch.read(ByteRange(100, 199)) != _CONTENT[100:200]:
        remedy = "large downloads and resuming need ranges; have the store updated"
        return Finding("failed", "range", "the store does not give the range that was asked for", remedy)
    return "bytes 100 to 199 come back"


def _multipart(scratch: Scratch) -> str | Finding:
    client = scratch.client
    with MultipartUpload(client, scratch.bucket, scratch.key, {}, declared_checksum(client, {})) as upload:
        part = upload.part(UploadPart(upload.bucket, upload.key, upload.upload_id, 1, BytesBody(_CONTENT)))
        upload.complete([part])
    if scratch.read() != _CONTENT:
        return Finding("failed", "multipart", "the bytes that come back are not those of the part")
    return "an upload in parts begins and completes"


def _conditional(scratch: Scratch) -> str | Finding:
    """Over the key that is there: the store must refuse."""
    put = PutObject(scratch.bucket, scratch.key, BytesBody(_CONTENT), {"if-none-match": "*"})
    try:
        scratch.write(scratch.once, put)
    except PreconditionFailed:
        return "If-None-Match protects what is there"
    except ServiceError as error:
        if error.status not in _UNKNOWN:
            raise
        return Finding("note", "conditional", f"the store has no If-None-Match ({error.status})", _UNPROTECTED)
    return Finding("note", "conditional", "the store ignores If-None-Match and overwrites", _UNPROTECTED)


_UNPROTECTED = "S3Target(overwrite=False) cannot keep two workers apart here"


def _copy(scratch: Scratch) -> str | Finding:
    source = CopySource(scratch.bucket, scratch.key)
    scratch.write(scratch.client, CopyObject(source, scratch.bucket, scratch.copied))
    size = scratch.client.call(HeadObject(scratch.bucket, scratch.copied)).size
    if size != len(_CONTENT):
        return Finding("failed", "copy", f"the copy has {size} bytes and not {len(_CONTENT)}")
    return "inside the store"


def _delete(scratch: Scratch) -> str | Finding:
    for key in (scratch.key, scratch.copied):
        scratch.delete(key)
        if FileSystem(scratch.client).info(S3Path(scratch.bucket, key)):
            return Finding("failed", "delete", f"s3://{scratch.bucket}/{key} is still there after DeleteObject")
    return "the scratch keys are gone"


_WRONG_CRC32 = "AAAAAA=="
"""Not that of what is sent."""


def _checksum(scratch: Scratch) -> Finding:
    """Whether the store compares the CRC32 of an upload with what it got, and whether it keeps it."""
    wrong = PutObject(scratch.bucket, scratch.key, BytesBody(b"x"), {"x-amz-checksum-crc32": _WRONG_CRC32})
    try:
        scratch.write(scratch.once, wrong)
        compared = False
    except ServiceError:  # be it for want of permission, the next one is refused too
        compared = True
    scratch.write(scratch.client, PutObject(scratch.bucket, scratch.key, BytesBody(b"x")))
    head = HeadObject(scratch.bucket, scratch.key, {"x-amz-checksum-mode": "ENABLED"})
    kept = "x-amz-checksum-crc32" in scratch.client.call(head).headers
    told = f"the store {'compares' if compared else 'does not compare'} the CRC32 of an upload with what it got, and "
    return Finding("ok" if compared else "note", "checksum", f"{told}{'keeps it' if kept else 'does not keep it'}")


_STEPS: tuple[tuple[str, str, Callable[[Scratch], str | Finding]], ...] = (
    ("put", "s3:PutObject (if that is meant: --read-only)", _put),
    ("get", "s3:GetObject", _get),
    ("range", "s3:GetObject", _range),
    ("multipart", "s3:PutObject and s3:AbortMultipartUpload", _multipart),
    ("conditional", "s3:PutObject", _conditional),
    ("copy", "s3:GetObject and s3:PutObject", _copy),
    ("checksum", "s3:PutObject", _checksum),
    ("delete", "s3:DeleteObject", _delete),
)


def reads(patient: Patient) -> Iterator[Finding]:
    """Whether the first object that is there can be read."""
    bucket, prefix = patient.path.bucket, patient.path.below
    try:
        found = patient.client.call(ListObjectsV2(bucket, prefix, max_keys=20)).objects
    except S3Error:
        return
    key = next((entry.key for entry in found if entry.size), None)
    if key is None:
        yield Finding("note", "get", "there is no object to read")
        return
    yield attempt("get", "s3:GetObject", lambda: _read_one(patient.client, S3Path(bucket, key)))


def _read_one(client: Client, path: S3Path) -> str:
    found = client.call(GetObject(path.bucket, path.key, ByteRange(0, 0)))
    with closing(found.stream):
        found.stream.read(1)
    return f"{path} can be read"

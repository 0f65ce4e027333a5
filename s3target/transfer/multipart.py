"""The life of a multipart upload.

Invariant: leaving the `with` block, either complete() was called and the object is there as a whole, or the upload was
aborted. Shared by whoever makes parts: upload, copy, writer.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from types import TracebackType

from ..client import Client
from ..errors import NoSuchUpload, ObjectChanged, S3Error
from ..logs import getLogger
from ..protocol.checksum import crc32_combine
from ..protocol.messages import NO_HEADERS, Headers
from ..protocol.operations.base import Operation
from ..protocol.operations.multipart import (
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    Part,
)
from ..protocol.operations.objects import HeadObject, WrittenObject
from ..protocol.operations.traces import MARK
from ..protocol.options import ExtraArgs, headers_for
from .marks import mark

_log = getLogger("s3target.transfer")
CHECKSUM_TYPE, FULL_OBJECT = "x-amz-checksum-type", "FULL_OBJECT"


class MultipartUpload:
    """One upload id, begun on entering. headers: of CreateMultipartUpload. part() may be called from any thread."""

    def __init__(
        self, client: Client, bucket: str, key: str, extra_args: ExtraArgs, headers: Headers = NO_HEADERS
    ) -> None:
        self._client = client
        self.bucket, self.key = bucket, key
        self._extra_args = extra_args
        self._mark = mark(extra_args)
        self._create = CreateMultipartUpload(bucket, key, {**headers, **self._mark})
        self._completed = self._aborted = False

    def __enter__(self) -> MultipartUpload:
        self.upload_id = self._client.call(self._create)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if not self._completed:
            self._aborted = True
            self._abort()

    def part(self, operation: Operation[Part]) -> Part:
        """Call it. A part that lands after the abort would be stored, and billed, until someone aborts again."""
        try:
            return self._client.call(operation)
        finally:
            if self._aborted:
                self._abort()

    def complete(self, parts: Iterable[Part], headers: Headers = NO_HEADERS) -> WrittenObject:
        """Make the object of these parts, in this order. The answer has its ETag, whether the store told it or not."""
        used, own = tuple(parts), headers_for("CompleteMultipartUpload", self._extra_args)
        headers = {**self._whole(used), **own, **headers}
        place = self.bucket, self.key, self.upload_id
        operation = CompleteMultipartUpload(*place, used, headers, self._mark.get(MARK, ""))
        written = self._client.call(operation)
        self._completed = True
        return known(self._client, operation, written, sum(part.size for part in used), self._extra_args)

    def _whole(self, parts: tuple[Part, ...]) -> Headers:
        """The CRC32 of the whole, of those that the store gave back: it has compared them with what it got."""
        if self._create.headers.get(CHECKSUM_TYPE) != FULL_OBJECT:
            return NO_HEADERS
        if not all(part.checksum and part.algorithm == "CRC32" for part in parts):
            return {CHECKSUM_TYPE: FULL_OBJECT}
        whole = crc32_combine((int.from_bytes(b64decode(part.checksum or ""), "big"), part.size) for part in parts)
        return {CHECKSUM_TYPE: FULL_OBJECT, "x-amz-checksum-crc32": b64encode(whole.to_bytes(4, "big")).decode()}

    def _abort(self) -> None:
        headers = headers_for("AbortMultipartUpload", self._extra_args)
        try:
            self._client.call(AbortMultipartUpload(self.bucket, self.key, self.upload_id, headers))
        except NoSuchUpload:
            pass  # aborted before
        except (S3Error, OSError) as error:
            place = f"s3://{self.bucket}/{self.key}"
            _log.warning(
                "upload %s of %s could not be aborted: %s; its parts stay until it is", self.upload_id, place, error
            )


def known(
    client: Client, operation: Operation[WrittenObject], written: WrittenObject, size: int, extra_args: ExtraArgs
) -> WrittenObject:
    """written, with its ETag: a store that does not tell it (Ceph 16 of an upload) is asked, and then for the size too.

    ObjectChanged if that is not `size` bytes. operation: the one that wrote.
    """
    if written.e_tag:
        return written
    assert operation.key is not None
    headers = headers_for("HeadObject", extra_args)
    there = client.call(HeadObject(operation.bucket, operation.key, headers, written.version_id))
    if there.size != size:
        place = f"s3://{operation.bucket}/{operation.key}"
        raise ObjectChanged(f"what was written to {place} has {there.size} bytes and not {size}; write it again")
    return written._replace(e_tag=there.e_tag)


def declared_checksum(client: Client, extra_args: ExtraArgs) -> Headers:
    """What CreateMultipartUpload has to say of the CRC32 that UploadPart sends.

    AWS refuses a part with a checksum whose upload did not announce one: "Checksum Type mismatch occurred, expected
    checksum Type: null" (https://github.com/boto/botocore/issues/3216). Complete then lists the parts' checksums, but
    only those that the store gave back: to Swift the element is MalformedXML, and it gives none.
    """
    if not client.checksums or extra_args.get("ChecksumAlgorithm"):
        return NO_HEADERS
    whole = {CHECKSUM_TYPE: FULL_OBJECT} if client.store.full_checksum else {}
    return {"x-amz-checksum-algorithm": "CRC32", **whole}

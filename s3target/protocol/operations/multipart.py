"""The multipart family. An upload id is either completed or aborted; seeing to that is transfer's work.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

from ...errors import BadResponse, NoSuchUpload, PreconditionFailed
from ...value import TYPE_CHECKING, ClassVar, NamedTuple, dataclass, field
from ..encoding import parse_timestamp, percent_decode
from ..messages import EMPTY, Body, BytesBody, Headers, Query, Request, Response
from ..xml import Markup, build
from .base import BucketOperation, Locator, Operation, document, s3_request, unquoted
from .objects import ByteRange, CopySource, ObjectInfo, Write, WrittenObject, written
from .traces import MARK, consists_of

if TYPE_CHECKING:
    from datetime import datetime


class Part(NamedTuple):
    """A part that is up: number from 1, ETag without quotes, size in bytes (0 where unknown).

    checksum: what the store said of it, by `algorithm`; it has to be named again when the upload is completed.
    """

    number: int
    e_tag: str
    size: int = 0
    checksum: str | None = None
    algorithm: str = "CRC32"


class Upload(NamedTuple):
    """An upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    initiated: datetime


class UploadPage(NamedTuple):
    uploads: list[Upload]
    next_key_marker: str | None
    next_upload_id_marker: str | None


@dataclass(frozen=True)
class CreateMultipartUpload(Operation[str]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html; gives the upload id."""

    bucket: str
    key: str
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return s3_request(endpoint, "POST", self, (("uploads", ""),), self.headers)

    def parse(self, response: Response) -> str:
        # rclone leaves out "Result"; not to take it would leave an upload behind at each attempt.
        root = document(response, "InitiateMultipartUploadResult", "InitiateMultipartUpload")
        upload_id = root.get("UploadId")
        if not upload_id:
            raise BadResponse("CreateMultipartUpload was answered without an UploadId")
        return upload_id


def _part_query(upload_id: str, number: int) -> Query:
    return (("partNumber", str(number)), ("uploadId", upload_id))


@dataclass(frozen=True)
class UploadPart(Operation[Part]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html"""

    checksum: ClassVar[str | None] = "CRC32"
    bucket: str
    key: str
    upload_id: str
    number: int
    body: Body = EMPTY
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return s3_request(endpoint, "PUT", self, _part_query(self.upload_id, self.number), self.headers, self.body)

    def parse(self, response: Response) -> Part:
        e_tag = unquoted(response.headers.get("etag", ""))
        if not e_tag:
            raise BadResponse("UploadPart was answered without an ETag")
        algorithm = self.headers.get("x-amz-sdk-checksum-algorithm", "CRC32")
        checksum = response.headers.get(f"x-amz-checksum-{algorithm.lower()}")
        return Part(self.number, e_tag, self.body.length, checksum, algorithm)


@dataclass(frozen=True)
class UploadPartCopy(Operation[Part]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html

    The answer must hold a CopyPartResult with an ETag: rclone says 200 without one and copies nothing.
    """

    may_fail_in_200: ClassVar[bool] = True
    source: CopySource
    bucket: str
    key: str
    upload_id: str
    number: int
    byte_range: ByteRange
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        headers = {
            **self.headers,
            "x-amz-copy-source": str(self.source),
            "x-amz-copy-source-range": str(self.byte_range),
        }
        return s3_request(endpoint, "PUT", self, _part_query(self.upload_id, self.number), headers)

    def parse(self, response: Response) -> Part:
        result = document(response, "CopyPartResult")
        e_tag = unquoted(result.get("ETag"))
        if not e_tag:
            raise BadResponse("UploadPartCopy was answered without an ETag; the part was not copied")
        size = 0 if self.byte_range.last is None else self.byte_range.last - self.byte_range.first + 1
        for child in result.children:
            if child.name.startswith("Checksum") and child.name != "ChecksumType" and child.text:
                return Part(self.number, e_tag, size, child.text, child.name.removeprefix("Checksum"))
        return Part(self.number, e_tag, size)


@dataclass(frozen=True)
class CompleteMultipartUpload(Write):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html

    mark: of the object, as CreateMultipartUpload sent it; "": it has none.
    """

    may_fail_in_200: ClassVar[bool] = True
    denials = (NoSuchUpload, PreconditionFailed)
    bucket: str
    key: str
    upload_id: str
    parts: tuple[Part, ...]
    headers: Headers = field(default_factory=dict, repr=False)
    mark: str = ""

    def request(self, endpoint: Locator) -> Request:
        body = BytesBody(build(("CompleteMultipartUpload", [_part_markup(part) for part in self.parts])))
        headers = {**self.headers, "content-type": "application/xml"}
        return s3_request(endpoint, "POST", self, (("uploadId", self.upload_id),), headers, body)

    def parse(self, response: Response) -> WrittenObject:
        return written(response, document(response, "CompleteMultipartUploadResult").get("ETag"))

    def left(self, found: ObjectInfo) -> bool:
        same = found.headers.get(MARK) == self.mark if self.mark else consists_of(found, self.parts)
        conditional = "if-none-match" in self.headers or "if-match" in self.headers
        # Without a condition, an upload that is gone was completed or, within seconds, aborted by somebody else. Then
        # the right size will do; with one, somebody else's object is what is to be expected.
        return bool(same) if conditional else same is not False


def _part_markup(part: Part) -> Markup:
    checksum: list[Markup] = [(f"Checksum{part.algorithm}", part.checksum)] if part.checksum else []
    return "Part", [*checksum, ("ETag", f'"{part.e_tag}"'), ("PartNumber", str(part.number))]


@dataclass(frozen=True)
class AbortMultipartUpload(Operation[None]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html"""

    bucket: str
    key: str
    upload_id: str
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return s3_request(endpoint, "DELETE", self, (("uploadId", self.upload_id),), self.headers)

    def parse(self, response: Response) -> None:
        return None


@dataclass(frozen=True)
class ListMultipartUploads(BucketOperation[UploadPage]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html"""

    max_reply: ClassVar[int] = 16 << 20
    bucket: str
    prefix: str = ""
    key_marker: str = ""
    upload_id_marker: str = ""
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        optional = (
            ("key-marker", self.key_marker),
            ("prefix", self.prefix),
            ("upload-id-marker", self.upload_id_marker),
        )
        given = tuple((name, value) for name, value in optional if value)
        return s3_request(endpoint, "GET", self, (("encoding-type", "url"), ("uploads", ""), *given), self.headers)

    def parse(self, response: Response) -> UploadPage:
        root = document(response, "ListMultipartUploadsResult")
        decode = percent_decode if root.get("EncodingType") == "url" else str
        try:
            uploads = [
                Upload(decode(entry.get("Key")), entry.get("UploadId"), parse_timestamp(entry.get("Initiated")))
                for entry in root.all("Upload")
            ]
        except ValueError as error:
            raise BadResponse(f"a list of uploads that cannot be read: {error}") from None
        if root.get("IsTruncated") != "true":
            return UploadPage(uploads, None, None)
        markers = decode(root.get("NextKeyMarker")), root.get("NextUploadIdMarker")
        if not markers[0] or markers == (self.key_marker, self.upload_id_marker):
            raise BadResponse("the list of uploads says that it goes on, but not from where")
        return UploadPage(uploads, *markers)

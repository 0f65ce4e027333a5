"""One object: GetObject, HeadObject, PutObject, DeleteObject, CopyObject, GetObjectTagging.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import BadResponse, PreconditionFailed, ServiceError
from ...value import TYPE_CHECKING, ClassVar, NamedTuple, dataclass, field
from ..encoding import parse_http_date, parse_timestamp, percent_encode
from ..messages import EMPTY, NO_HEADERS, Body, Headers, Query, Request, Response, Stream
from .base import Locator, Operation, Result, document, s3_request, unquoted
from .traces import MARK, holds, inquiry_headers

if TYPE_CHECKING:
    from datetime import datetime


class ObjectInfo(NamedTuple):
    """size: bytes. e_tag: without quotes. modified: the store's own text. headers: of the answer; none in a listing."""

    bucket: str
    key: str
    size: int
    e_tag: str = ""
    modified: str = ""
    storage_class: str = "STANDARD"
    headers: Headers = NO_HEADERS

    @property
    def last_modified(self) -> datetime:
        """In UTC, with its time zone. Most who list never ask."""
        return parse_http_date(self.modified) if "," in self.modified else parse_timestamp(self.modified)

    @property
    def metadata(self) -> dict[str, str]:
        """The user's own metadata, names without "x-amz-meta-"."""
        prefix = "x-amz-meta-"
        return {name[len(prefix) :]: value for name, value in self.headers.items() if name.startswith(prefix)}

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def version_id(self) -> str | None:
        return self.headers.get("x-amz-version-id")


class ByteRange(NamedTuple):
    """first to last byte, both included, counted from 0; last None: to the end."""

    first: int
    last: int | None = None

    def __str__(self) -> str:
        return f"bytes={self.first}-{'' if self.last is None else self.last}"


class ObjectStream(NamedTuple):
    """`length` bytes of the object from `first` on, still to be read. info.size: of the whole object."""

    info: ObjectInfo
    first: int
    length: int | None
    stream: Stream


class WrittenObject(NamedTuple):
    """What the store answered to a write. e_tag "" where it does not say (Ceph after a multipart upload)."""

    e_tag: str
    version_id: str | None = None
    headers: Headers = NO_HEADERS


Tags = tuple[tuple[str, str], ...]
"""Keys and values, in the store's order."""

_CONTENT_RANGE = r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)"  # compiled at its first use


def version_query(version_id: str | None) -> Query:
    return (("versionId", version_id),) if version_id else ()


def _info(operation: HeadObject | GetObject, headers: Mapping[str, str], size: int) -> ObjectInfo:
    return ObjectInfo(
        operation.bucket,
        operation.key,
        size,
        unquoted(headers.get("etag", "")),
        headers.get("last-modified", ""),
        headers.get("x-amz-storage-class", "STANDARD"),
        headers,
    )


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").partition(",")[0]  # sent twice, it has come joined; the transport saw that both agree
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


@dataclass(frozen=True)
class _Versioned(Operation[Result]):
    """One on an object as it is now, or on a version of it."""

    method: ClassVar[str] = "GET"
    about: ClassVar[Query] = ()
    bucket: str
    key: str
    headers: Headers = field(default_factory=dict, repr=False)
    version_id: str | None = None

    def request(self, endpoint: Locator) -> Request:
        return s3_request(endpoint, self.method, self, self.about + version_query(self.version_id), self.headers)


class HeadObject(_Versioned[ObjectInfo]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""

    method = "HEAD"

    def parse(self, response: Response) -> ObjectInfo:
        size = _number(response.headers, "content-length")
        if size is None:
            raise BadResponse("HeadObject was answered without a Content-Length, so the object's size is unknown")
        return _info(self, response.headers, size)


@dataclass(frozen=True)
class GetObject(Operation[ObjectStream]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html

    if_match: ETag the object must still have, without quotes.
    """

    streams: ClassVar[bool] = True
    bucket: str
    key: str
    byte_range: ByteRange | None = None
    if_match: str | None = None
    headers: Headers = field(default_factory=dict, repr=False)
    version_id: str | None = None

    def request(self, endpoint: Locator) -> Request:
        headers = dict(self.headers)
        if self.byte_range:
            headers["range"] = str(self.byte_range)
        if self.if_match:
            headers["if-match"] = f'"{self.if_match}"'
        return s3_request(endpoint, "GET", self, version_query(self.version_id), headers)

    def parse(self, response: Response) -> ObjectStream:
        assert response.stream is not None
        length = _number(response.headers, "content-length")
        first, size = 0, length
        # By Content-Range and not by status 206: rclone answers ranges with 200.
        if content_range := response.headers.get("content-range"):
            first, last, size = _content_range(content_range)
            if length is not None and length != last - first + 1:
                raise BadResponse(f"Content-Range {content_range!r} does not agree with Content-Length {length}")
            length = last - first + 1
        info = _info(self, response.headers, size if size is not None else -1)
        return ObjectStream(info, first, length, response.stream)


def _content_range(text: str) -> tuple[int, int, int | None]:
    """first, last and size of "bytes 0-9/100" (RFC 9110 section 14.4)."""
    found = re.fullmatch(_CONTENT_RANGE, text)
    if not found:
        raise BadResponse(f"the answer's Content-Range cannot be read: {text!r}")
    first, last, size = int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])
    if last < first or (size is not None and last >= size):
        raise BadResponse(f"the answer's Content-Range cannot be: {text!r}")
    return first, last, size


class Write(Operation[WrittenObject]):
    """One that leaves an object, by which it is known again. denials: errors that may be due to its own success."""

    denials: ClassVar[tuple[type[ServiceError], ...]] = (PreconditionFailed,)
    key: str
    headers: Headers

    def inquiry(self, error: ServiceError) -> HeadObject | None:
        if not isinstance(error, self.denials):
            return None
        return HeadObject(self.bucket, self.key, inquiry_headers(self.headers))

    def recognize(self, found: ObjectInfo) -> WrittenObject | None:
        return WrittenObject(found.e_tag, found.version_id, found.headers) if self.left(found) else None

    def left(self, found: ObjectInfo) -> bool:
        """Whether the object that is there now is what this call has left."""
        raise NotImplementedError


def written(response: Response, e_tag: str) -> WrittenObject:
    return WrittenObject(unquoted(e_tag), response.headers.get("x-amz-version-id"), response.headers)


@dataclass(frozen=True)
class PutObject(Write):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html

    Of two conditional ones at once S3 may refuse both, and have them try again: ConditionalRequestConflict.
    """

    checksum: ClassVar[str | None] = "CRC32"
    transient: ClassVar[frozenset[str]] = frozenset({"ConditionalRequestConflict"})
    bucket: str
    key: str
    body: Body = EMPTY
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return s3_request(endpoint, "PUT", self, (), self.headers, self.body)

    def parse(self, response: Response) -> WrittenObject:
        return written(response, response.headers.get("etag", ""))

    def left(self, found: ObjectInfo) -> bool:
        return holds(found, self.body, self.headers)


class DeleteObject(_Versioned[None]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html"""

    method = "DELETE"

    def parse(self, response: Response) -> None:
        return None


class GetObjectTagging(_Versioned[Tags]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html"""

    about = (("tagging", ""),)

    def parse(self, response: Response) -> Tags:
        tag_set = document(response, "Tagging").find("TagSet")
        return tuple((tag.get("Key"), tag.get("Value")) for tag in tag_set.all("Tag")) if tag_set else ()


class CopySource(NamedTuple):
    """The object a copy is made of. A bucket may be an access point's ARN."""

    bucket: str
    key: str
    version_id: str | None = None

    def __str__(self) -> str:
        joint = "/object/" if self.bucket.startswith("arn:") else "/"
        version = f"?versionId={percent_encode(self.version_id)}" if self.version_id else ""
        return f"{percent_encode(self.bucket)}{joint}{percent_encode(self.key, b'/')}{version}"


@dataclass(frozen=True)
class CopyObject(Write):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html (objects up to 5 GiB)"""

    may_fail_in_200: ClassVar[bool] = True
    source: CopySource
    bucket: str
    key: str
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        headers = {**self.headers, "x-amz-copy-source": str(self.source)}
        return s3_request(endpoint, "PUT", self, (), headers)

    def parse(self, response: Response) -> WrittenObject:
        return written(response, document(response, "CopyObjectResult").get("ETag"))

    def inquiry(self, error: ServiceError) -> HeadObject | None:
        return super().inquiry(error) if MARK in self.headers else None

    def left(self, found: ObjectInfo) -> bool:
        return found.headers.get(MARK) == self.headers[MARK]

"""Buckets: HeadBucket, CreateBucket, DeleteBucket, ListBuckets."""

from __future__ import annotations

from ...errors import BadResponse
from ...value import TYPE_CHECKING, ClassVar, NamedTuple, dataclass, field
from ..encoding import parse_timestamp
from ..messages import EMPTY, Body, BytesBody, Headers, Query, Request, Response
from ..xml import build
from .base import BucketOperation, Locator, Result, ServiceOperation, document, s3_request

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class _Bare(BucketOperation[Result]):
    """One that is all in its method."""

    method: ClassVar[str]
    bucket: str
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return s3_request(endpoint, self.method, self, (), self.headers)


class HeadBucket(_Bare[str | None]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html; gives the bucket's region if told."""

    method = "HEAD"

    def parse(self, response: Response) -> str | None:
        return response.headers.get("x-amz-bucket-region")


@dataclass(frozen=True)
class CreateBucket(BucketOperation[None]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html

    location: the region the bucket is to live in; None for the endpoint's own default.
    """

    accelerable: ClassVar[bool] = False
    bucket: str
    location: str | None = None
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        body: Body = EMPTY
        if self.location:
            body = BytesBody(build(("CreateBucketConfiguration", [("LocationConstraint", self.location)])))
        return s3_request(endpoint, "PUT", self, (), self.headers, body)

    def parse(self, response: Response) -> None:
        return None


class DeleteBucket(_Bare[None]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html; the bucket must be empty."""

    method = "DELETE"
    accelerable = False

    def parse(self, response: Response) -> None:
        return None


class Bucket(NamedTuple):
    name: str
    created: datetime


class BucketPage(NamedTuple):
    buckets: list[Bucket]
    next_token: str | None


@dataclass(frozen=True)
class ListBuckets(ServiceOperation[BucketPage]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html; those of whoever asks, page by page."""

    token: str | None = None

    def request(self, endpoint: Locator) -> Request:
        at = endpoint.locate()
        query: Query = (("continuation-token", self.token),) if self.token else ()
        return Request("GET", at.origin, at.base_path or "/", query, region=at.region, service=at.service)

    def parse(self, response: Response) -> BucketPage:
        root = document(response, "ListAllMyBucketsResult")
        listed = root.find("Buckets")
        entries = listed.all("Bucket") if listed else ()
        try:
            buckets = [Bucket(entry.get("Name"), parse_timestamp(entry.get("CreationDate"))) for entry in entries]
        except ValueError as error:
            raise BadResponse(f"a list of buckets that cannot be read: {error}") from None
        token = root.get("ContinuationToken") or None
        if token is not None and token == self.token:
            raise BadResponse("the list of buckets says that it goes on, but not from where")
        return BucketPage(buckets, token)

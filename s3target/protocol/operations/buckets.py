"""Buckets: HeadBucket, CreateBucket, DeleteBucket."""

from __future__ import annotations

from typing import ClassVar

from ...value import dataclass, field
from ..messages import EMPTY, Body, BytesBody, Headers, Request, Response
from ..xml import build
from .base import BucketOperation, Locator, s3_request


@dataclass(frozen=True)
class HeadBucket(BucketOperation[str | None]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html; gives the bucket's region if told."""

    bucket: str
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return s3_request(endpoint, "HEAD", self, (), self.headers)

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


@dataclass(frozen=True)
class DeleteBucket(BucketOperation[None]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html; the bucket must be empty."""

    accelerable: ClassVar[bool] = False
    bucket: str
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return s3_request(endpoint, "DELETE", self, (), self.headers)

    def parse(self, response: Response) -> None:
        return None

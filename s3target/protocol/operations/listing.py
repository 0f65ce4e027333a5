"""Many objects at once: ListObjectsV2 and DeleteObjects.

Keys are asked for percent-encoded, since XML 1.0 cannot carry control characters, and decoded by what the answer says
of itself. The order of a listing is the store's affair: nothing here relies on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from ...errors import BadResponse, ConfigError
from ..encoding import percent_decode
from ..messages import BytesBody, Headers, Request, Response
from ..xml import Element, Markup, build
from .base import BucketOperation, Locator, document, s3_request, unquoted
from .objects import ObjectInfo

MAX_KEYS_PER_DELETE = 1000


class ListPage(NamedTuple):
    """One page: objects, common prefixes, and the token that asks for the next page, None at the end."""

    objects: list[ObjectInfo]
    prefixes: list[str]
    next_token: str | None


@dataclass(frozen=True)
class ListObjectsV2(BucketOperation[ListPage]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""

    max_reply: ClassVar[int] = 64 << 20
    bucket: str
    prefix: str = ""
    delimiter: str = ""
    start_after: str = ""
    token: str | None = None
    max_keys: int = 1000
    headers: Headers = field(default_factory=dict, repr=False)

    def request(self, endpoint: Locator) -> Request:
        optional = (
            ("continuation-token", self.token),
            ("delimiter", self.delimiter),
            ("max-keys", "" if self.max_keys == 1000 else str(self.max_keys)),
            ("prefix", self.prefix),
            ("start-after", "" if self.token else self.start_after),
        )
        given = tuple((name, value) for name, value in optional if value)
        return s3_request(endpoint, "GET", self, (("encoding-type", "url"), ("list-type", "2"), *given), self.headers)

    def parse(self, response: Response) -> ListPage:
        root = document(response, "ListBucketResult")
        decode = percent_decode if root.get("EncodingType") == "url" else str
        objects = [self._object(entry, decode) for entry in root.all("Contents")]
        prefixes = [decode(entry.get("Prefix")) for entry in root.all("CommonPrefixes")]
        return ListPage(objects, prefixes, self._next_token(root))

    def _object(self, entry: Element, decode: Callable[[str], str]) -> ObjectInfo:
        fields = {child.name: child.text for child in entry.children}
        try:
            return ObjectInfo(
                self.bucket,
                decode(fields["Key"]),
                int(fields["Size"]),
                unquoted(fields.get("ETag", "")),
                fields.get("LastModified", ""),
                fields.get("StorageClass") or "STANDARD",
            )
        except (KeyError, ValueError) as error:
            raise BadResponse(f"a listing entry without a good Key or Size: {error}") from None

    def _next_token(self, root: Element) -> str | None:
        if root.get("IsTruncated") != "true":
            return None
        token = root.get("NextContinuationToken")
        if not token or token == self.token:
            raise BadResponse("the listing says that it goes on, but not from where")
        return token


class DeleteResult(NamedTuple):
    """errors: (key, code, message) of each key that was not deleted."""

    errors: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class DeleteObjects(BucketOperation[DeleteResult]):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html (at most 1000 keys)

    Keys must be expressible in XML (see protocol.xml.expressible); others are for DeleteObject.
    """

    checksum: ClassVar[str | None] = "MD5"
    may_fail_in_200: ClassVar[bool] = True
    max_reply: ClassVar[int] = 16 << 20
    bucket: str
    keys: tuple[str, ...]
    headers: Headers = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= MAX_KEYS_PER_DELETE:
            raise ConfigError(f"DeleteObjects takes 1 to {MAX_KEYS_PER_DELETE} keys, not {len(self.keys)}")

    def request(self, endpoint: Locator) -> Request:
        entries: list[Markup] = [("Object", [("Key", key)]) for key in self.keys]
        body = BytesBody(build(("Delete", [*entries, ("Quiet", "true")])))
        headers = {**self.headers, "content-type": "application/xml"}
        return s3_request(endpoint, "POST", self, (("delete", ""),), headers, body)

    def parse(self, response: Response) -> DeleteResult:
        root = document(response, "DeleteResult")
        return DeleteResult(
            tuple((entry.get("Key"), entry.get("Code"), entry.get("Message")) for entry in root.all("Error"))
        )

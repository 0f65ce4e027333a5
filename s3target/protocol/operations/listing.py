"""Many objects at once: ListObjectsV2 and DeleteObjects.

Keys are asked for percent-encoded, since XML 1.0 cannot carry control characters, and decoded by what the answer says
of itself. The order of a listing is the store's affair: nothing here relies on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ...errors import BadResponse, ConfigError
from ...value import ClassVar, NamedTuple, dataclass, field, overload
from ..encoding import percent_decode
from ..messages import BytesBody, Headers, Request, Response
from ..xml import Element, Markup, build, expressible, parse
from .base import BucketOperation, Locator, document, s3_request, unquoted
from .objects import ObjectInfo

MAX_KEYS_PER_DELETE = 1000


_Row = tuple[str, str, str, str, str]
"""Key, LastModified, ETag, Size and StorageClass of an entry; key and quotes as the document has them."""

# The form in which stores write an entry. One split by it takes all entries out of a page at C speed, without a Python
# object for each node; what does not match stays in the rest, which is parsed as XML.
_ENTRY = (
    r"<Contents>\s*<Key>([^<]*)</Key>\s*<LastModified>([^<]*)</LastModified>\s*<ETag>([^<]*)</ETag>\s*"
    r"(?:<Checksum(?:Algorithm|Type)>[^<]*</Checksum(?:Algorithm|Type)>\s*)*<Size>([0-9]{1,18})</Size>\s*"
    r"(?:<Owner>(?:\s*<(?:ID|DisplayName)>[^<]*</(?:ID|DisplayName)>)*\s*</Owner>\s*)?"
    r"<StorageClass>([^<]*)</StorageClass>\s*"
    r"(?:<Owner>(?:\s*<(?:ID|DisplayName)>[^<]*</(?:ID|DisplayName)>)*\s*</Owner>\s*)?</Contents>"
)


class Listed(Sequence[ObjectInfo]):
    """The objects of a page, made when they are looked at: who wants names pays for names. keys: the names."""

    __slots__ = ("_bucket", "_decode", "_rows", "keys")

    def __init__(self, bucket: str, rows: list[_Row], decode: Callable[[str], str]) -> None:
        self._bucket, self._rows, self._decode = bucket, rows, decode
        self.keys: list[str] = [decode(_unescaped(row[0])) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> ObjectInfo: ...
    @overload
    def __getitem__(self, index: slice) -> Listed: ...
    def __getitem__(self, index: int | slice) -> ObjectInfo | Listed:
        if isinstance(index, slice):
            return Listed(self._bucket, self._rows[index], self._decode)
        return self._entry(self.keys[index], self._rows[index])

    def __iter__(self) -> Iterator[ObjectInfo]:
        return map(self._entry, self.keys, self._rows)

    def _entry(self, key: str, row: _Row) -> ObjectInfo:
        _, modified, e_tag, size, storage_class = row
        e_tag = unquoted(e_tag.replace("&quot;", '"').replace("&#34;", '"'))
        return ObjectInfo(self._bucket, key, int(size), e_tag, modified, storage_class or "STANDARD")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __repr__(self) -> str:
        return repr(list(self))


def _unescaped(text: str) -> str:
    return parse(f"<text>{text}</text>".encode()).text if "&" in text else text


def _split(content: bytes) -> tuple[list[_Row], bytes]:
    """The entries in the usual form, and the document without them."""
    if b"<Contents>" not in content:
        return [], content
    try:
        pieces = re.split(_ENTRY, content.decode())
    except UnicodeDecodeError:
        return [], content
    e_tags = "".join(pieces[3::6])
    if e_tags.count("&") > e_tags.count("&quot;") + e_tags.count("&#34;"):  # what else there may be XML knows
        return [], content
    rows = list(zip(*(pieces[column::6] for column in range(1, 6)), strict=True))
    return rows, "".join(pieces[::6]).encode()


def _without_prefix(content: bytes) -> bytes:
    """Without what was asked for, which Ceph repeats as it is: with a control character in it that is no XML."""
    head, mark, tail = content.partition(b"<CommonPrefixes")
    return re.sub(rb"<Prefix>[^<]*</Prefix>", b"", head) + mark + tail


class ListPage(NamedTuple):
    """One page: objects, common prefixes, and the token that asks for the next page, None at the end."""

    objects: Listed
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
        rows, rest = _split(response.content)
        if not expressible(self.prefix):
            rest = _without_prefix(rest)
        root = document(Response(response.status, response.headers, rest), "ListBucketResult")
        decode = percent_decode if root.get("EncodingType") == "url" else str
        rows += [_row(entry) for entry in root.all("Contents")]
        prefixes = [decode(entry.get("Prefix")) for entry in root.all("CommonPrefixes")]
        return ListPage(Listed(self.bucket, rows, decode), prefixes, self._next_token(root))

    def _next_token(self, root: Element) -> str | None:
        if root.get("IsTruncated") != "true":
            return None
        token = root.get("NextContinuationToken")
        if not token or token == self.token:
            raise BadResponse("the listing says that it goes on, but not from where")
        return token


def _row(entry: Element) -> _Row:
    """An entry in any other form, its key escaped again as those of the usual form are."""
    fields = {child.name: child.text for child in entry.children}
    if "Key" not in fields or not re.fullmatch("[0-9]{1,18}", fields.get("Size", "")):
        raise BadResponse(f"a listing entry without a good Key or Size: {fields}")
    modified, e_tag, size, storage_class = (
        fields.get(name, "") for name in ("LastModified", "ETag", "Size", "StorageClass")
    )
    return fields["Key"].replace("&", "&amp;").replace("<", "&lt;"), modified, e_tag, size, storage_class


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

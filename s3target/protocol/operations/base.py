"""What an operation is: a frozen value that says what to send and how to read the answer. No I/O.

Facts about an operation are declared as class attributes; the loop and the retry rule go by them and never by a name.
"""

from __future__ import annotations

from ...errors import BadResponse, ConfigError, ServiceError, error_class
from ...value import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar
from ..encoding import encode_key
from ..endpoint import Location
from ..messages import EMPTY, NO_HEADERS, Body, Headers, Query, Request, Response
from ..xml import Element, parse

Result = TypeVar("Result", covariant=True)


class Locator(Protocol):
    """Where requests go: protocol.endpoint.Endpoint, or Fixed for a service with one address."""

    def locate(self, bucket: str = "", accelerable: bool = True) -> Location: ...
    def in_region(self, region: str) -> Locator: ...


class Fixed(NamedTuple):
    """The Locator of a service with one address: STS, instance metadata."""

    location: Location

    def locate(self, bucket: str = "", accelerable: bool = True) -> Location:
        return self.location

    def in_region(self, region: str) -> Fixed:
        return Fixed(self.location._replace(region=region))


class Operation(Generic[Result]):
    """One API call.

    may_fail_in_200: the answer may be an <Error> with status 200. transient: error codes after which this operation is
    worth another try, besides those of retry.py. streams: parse() takes Response.stream and hands it on; else
    Response.content is the whole body, at most `max_reply` bytes. checksum: what protects the request's body, see
    checksum.seal(). accelerable: S3 Accelerate serves it. inquiry(), recognize(): what the loop does about an attempt
    whose answer was lost; traces.py says what can be told.
    """

    may_fail_in_200: ClassVar[bool] = False
    transient: ClassVar[frozenset[str]] = frozenset()
    streams: ClassVar[bool] = False
    checksum: ClassVar[str | None] = None
    max_reply: ClassVar[int] = 1 << 20
    accelerable: ClassVar[bool] = True
    # No values here: a dataclass would take them for the defaults of its own fields.
    bucket: str
    key: str | None

    @property
    def name(self) -> str:
        return type(self).__name__

    def request(self, endpoint: Locator) -> Request:
        raise NotImplementedError

    def parse(self, response: Response) -> Result:
        """The result of a successful answer. BadResponse if what the API promises is not in it."""
        raise NotImplementedError

    def inquiry(self, error: ServiceError) -> Operation[Any] | None:
        """What to ask the store if an earlier attempt went without an answer, and its effect may be why this one was
        refused. None: it cannot be."""
        return None

    def recognize(self, found: Any) -> Result | None:
        """The result, if the answer to the inquiry shows that this very call has taken effect before."""
        return None


class BucketOperation(Operation[Result]):
    """One on a bucket as a whole."""

    key = None


class ServiceOperation(Operation[Result]):
    """One that is about no bucket: of STS, of instance metadata."""

    bucket = ""
    key = None


def s3_request(
    endpoint: Locator,
    method: str,
    operation: Operation[object],
    query: Query = (),
    headers: Headers = NO_HEADERS,
    body: Body = EMPTY,
) -> Request:
    """The request for operation's bucket, and key if it has one. ConfigError if either is empty."""
    # DELETE of an object with an empty key is DELETE of its bucket; of one in no bucket, that of a bucket named so.
    if not operation.bucket or operation.key == "":
        place = f"s3://{operation.bucket}/{operation.key or ''}"
        raise ConfigError(f"{operation.name} needs the name of a bucket, and of an object a key, not {place!r}")
    location = endpoint.locate(operation.bucket, operation.accelerable)
    path = location.base_path or "/"
    if operation.key is not None:
        path = f"{location.base_path}/{encode_key(operation.key)}"
    return Request(method, location.origin, path, query, headers, body, location.region, location.service)


def document(response: Response, *roots: str) -> Element:
    """The XML answer, whose root element must be one of these; BadResponse otherwise, also for an empty body."""
    element = parse(response.content)
    if element.name not in roots:
        raise BadResponse(f"the answer should be a <{roots[0]}> and is a <{element.name}>")
    return element


def unquoted(e_tag: str) -> str:
    """An ETag without its quotes; they come quoted, bare or as entities."""
    return e_tag.strip().removeprefix("W/").strip('"')


def service_error(operation: Operation[object], response: Response) -> ServiceError:
    """The error that an answer stands for: its XML body, or the bare status where there is none (HEAD)."""
    fields = _error_fields(response.content)
    status, headers = response.status, response.headers
    code = fields.pop("Code", "") or _BARE_CODES.get(status, f"HTTP{status}")
    return error_class(status, code)(
        status,
        code,
        fields.pop("Message", "the answer was cut off" if response.stream else ""),
        operation=operation.name,
        bucket=operation.bucket or None,
        key=operation.key or None,
        request_id=headers.get("x-amz-request-id") or fields.pop("RequestId", None),
        host_id=headers.get("x-amz-id-2") or fields.pop("HostId", None),
        details=fields,
    )


def _error_fields(content: bytes) -> dict[str, str]:
    """Name to text of an <Error>, of S3's form or STS's <ErrorResponse><Error>. Empty if it is something else."""
    try:
        root = parse(content) if content.lstrip()[:1] == b"<" else None
    except BadResponse:
        root = None
    if root is None:
        return {}
    error = root if root.name == "Error" else root.find("Error")
    fields = {child.name: _private(child.name, child.text) for child in error.children} if error else {}
    if request_id := root.get("RequestId"):
        fields.setdefault("RequestId", request_id)
    return fields


def _private(name: str, text: str) -> str:
    """text without the session token, which stores send back with a refused one or in CanonicalRequest."""
    if name.startswith("Token") or name.endswith("Bytes"):
        return "***"
    return "\n".join(
        "x-amz-security-token:***" if line.startswith("x-amz-security-token:") else line for line in text.split("\n")
    )


_BARE_CODES = {
    301: "PermanentRedirect",
    304: "NotModified",
    307: "TemporaryRedirect",
    400: "BadRequest",
    403: "AccessDenied",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    416: "InvalidRange",
    429: "TooManyRequests",
    500: "InternalError",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}

"""The values that flow through the pipe: Request, the Body of one, the Credentials that sign it, and Response.

All of them are immutable. A Body can be opened again and again, so a request can be sent again: whatever cannot be
replayed is no Body, and nothing below the transfer floor ever rewinds anything.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

from ..errors import ConfigError
from ..value import BinaryIO, NamedTuple, Protocol, dataclass, field

Headers = Mapping[str, str]
"""Lower-case names to values; never changed once made. A header that came twice has its values joined by ", "."""

Query = tuple[tuple[str, str], ...]
"""Names and values of a query string, as they are, not yet percent-encoded."""


class Origin(NamedTuple):
    """Where to connect: scheme "http" or "https", host name or address without brackets, port.

    A link-local address ends in its zone, "fe80::1%eth0", which this machine alone understands (RFC 6874).
    """

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of the Host header: the scheme's own port is left out (RFC 9110 section 7.2)."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


class Body:
    """What a request carries: `length` in bytes, and `open()`, a fresh reader from its start."""

    length: int

    def open(self) -> BinaryIO:
        raise NotImplementedError


class BytesBody(Body):
    """A body in memory: pieces, none of them copied, that make it up one after the other."""

    def __init__(self, *pieces: bytes | memoryview) -> None:
        self.pieces = pieces
        self.length = sum(map(len, pieces))

    def open(self) -> BinaryIO:
        return io.BytesIO(b"".join(self.pieces))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BytesBody) and self.pieces == other.pieces

    def __hash__(self) -> int:
        return hash(self.pieces)

    def __repr__(self) -> str:
        return f"BytesBody({self.length} bytes)"


@dataclass(frozen=True)
class FileSlice(Body):
    """`length` bytes of the file at `path` from `offset` on. The file must not change while it is being sent."""

    path: str
    offset: int
    length: int

    def open(self) -> BinaryIO:
        file = open(self.path, "rb")  # noqa: SIM115 - the reader is the caller's to close
        file.seek(self.offset)
        return file


EMPTY = BytesBody()
NO_HEADERS: Headers = {}


class Request(NamedTuple):
    """One HTTP request, and the scope it is signed under.

    path: percent-encoded, as it is sent and signed; begins with "/". query: not yet encoded.
    headers: lower-case names; Host and Content-Length are added by sign() and the transport.
    region, service: of the credential scope (service is "s3" or "sts", "" for what is never signed).
    """

    method: str
    origin: Origin
    path: str
    query: Query = ()
    headers: Headers = NO_HEADERS
    body: Body = EMPTY
    region: str = ""
    service: str = "s3"

    def with_headers(self, headers: Headers) -> Request:
        # Not by _replace(), which costs three times as much, at every request.
        method, origin, path, query, own, body, region, service = self
        return Request(method, origin, path, query, {**own, **headers}, body, region, service)

    def __repr__(self) -> str:
        # Headers carry signatures, session tokens and SSE-C keys; the query may.
        return f"<Request {self.method} {self.origin.scheme}://{self.origin.authority}{self.path}>"


@dataclass(frozen=True)
class Credentials:
    """One set of keys. An attempt is signed with one such value whole, so keys of two renewals are never mixed.

    expires_at: seconds since 1970, None for keys that do not expire. source: which provider they came from.
    ConfigError for text that cannot be signed with: bytes that are no UTF-8 have become lone surrogates in it.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        text = f"{self.access_key_id}{self.secret_access_key}{self.session_token}"
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise ConfigError(f"the keys ({self.source or 'given'}) are not UTF-8 text; write them anew")


class Stream(Protocol):
    """The body of an answer as it arrives.

    readinto() fills as much as has come and returns 0 only at the true end; a body shorter than announced raises
    ConnectionDropped. close() may be called at any time, and more than once.
    """

    def read(self, size: int = -1, /) -> bytes: ...
    def readinto(self, buffer: memoryview, /) -> int: ...
    def close(self) -> None: ...


class Response(NamedTuple):
    """One HTTP answer. Either `stream` is there and the body is still to be read, or `content` is all of it."""

    status: int
    headers: Headers
    content: bytes = b""
    stream: Stream | None = None

    def reader(self) -> Stream:
        """The body to be read, wherever it is."""
        return self.stream or io.BytesIO(self.content)

    def __repr__(self) -> str:
        # STS answers with keys.
        return f"<Response {self.status}, {'streaming' if self.stream else f'{len(self.content)} bytes'}>"

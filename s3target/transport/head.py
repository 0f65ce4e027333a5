"""The heads of HTTP/1.1 messages, as bytes and as values. Pure. RFC 9112.

HeadReader.feed() gives the same for the same bytes, however they are cut up, and raises nothing but BadResponse.
request_head() refuses with ConfigError what would not arrive as it was meant.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..errors import BadResponse, ConfigError
from ..protocol.messages import Headers, Request
from ..value import NamedTuple

HEAD_LIMIT = 64 * 1024
"""Bytes of a head, its status line and blank line included."""
HEADER_LIMIT = 200
"""Header lines of a head."""
INTERIM_LIMIT = 10
"""1xx answers before the final one."""

CHUNKED = -1
UNTIL_CLOSE = -2

_PREFIX = b"HTTP/1."
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: |$)")
_BAD_IN_NAME = re.compile(r"[\x00-\x20\x7f]")
_BAD_IN_VALUE = r"[\r\n\0\ud800-\udfff]"  # compiled at its first use
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_USER_AGENT = "s3target"


class Head(NamedTuple):
    """minor: 0 or 1, of HTTP/1.x. headers: names lower-cased; values of a name that came twice joined by ", "."""

    minor: int
    status: int
    headers: dict[str, str]


class HeadReader:
    """Takes bytes as they come and gives the first final head; 1xx answers are skipped. `rest` is what follows it."""

    def __init__(self) -> None:
        self.rest = b""
        self._interim = 0

    def feed(self, piece: bytes) -> Head | None:
        """The head, or None while it is not whole."""
        seen = max(0, len(self.rest) - 2)
        self.rest = self.rest + piece if self.rest else piece
        while True:
            end = head_end(self.rest, seen)
            if end < 0:
                return None
            head = parse_head(self.rest[:end])
            self.rest = self.rest[end:]
            if head.status >= 200:
                return head
            self._interim += 1
            if self._interim > INTERIM_LIMIT:
                raise BadResponse(f"more than {INTERIM_LIMIT} interim (1xx) answers to one request")
            seen = 0


def head_end(received: bytes, start: int = 0) -> int:
    """Where the head ends: past the first empty line; -1 if it has not come. Looks from `start` on.

    Lines may end in a bare LF (RFC 9112 section 2.2).
    """
    if not _PREFIX.startswith(received[:7]):
        raise BadResponse(f"no HTTP/1.x answer: it begins with {received[:20]!r}. Is this the right scheme and port?")
    end = received.find(b"\n\r\n", start)
    bare = received.find(b"\n\n", start, end + 1 if end >= 0 else len(received))
    past = bare + 2 if bare >= 0 else end + 3 if end >= 0 else -1
    if past > HEAD_LIMIT or (past < 0 and len(received) >= HEAD_LIMIT):
        raise BadResponse(f"the head of the answer is longer than {HEAD_LIMIT} bytes")
    return past


def parse_head(block: bytes) -> Head:
    """The value of a whole head, empty line included. BadResponse if it is malformed.

    Values are taken as UTF-8, or as Latin-1 where they are no UTF-8: stores give back the bytes that they were sent.
    """
    try:
        text = block.decode()
    except UnicodeDecodeError:
        text = block.decode("latin-1")
    text = text.replace("\r\n", "\n")
    if "\n " in text or "\n\t" in text:  # folded lines: RFC 9112 section 5.2
        text = re.sub(r"\n[ \t]+", " ", text)
    if "\r" in text or "\0" in text:
        raise BadResponse("a bare CR or a NUL in the head of the answer")
    first, *lines = text[:-2].split("\n")
    found = _STATUS_LINE.match(first)
    if found is None:
        raise BadResponse(f"malformed status line: {first[:80]!r}")
    if len(lines) > HEADER_LIMIT:
        raise BadResponse(f"more than {HEADER_LIMIT} header lines in the answer")
    return Head(int(found[1]), int(found[2]), _headers(lines))


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadResponse("a header line without a colon in the answer")
        name = _received_name(name)
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@lru_cache(maxsize=1024)  # a store's answers all have the same few names
def _received_name(name: str) -> str:
    if not name or _BAD_IN_NAME.search(name):
        raise BadResponse(f"malformed header name in the answer: {name[:80]!r}")
    return name.lower()


def body_length(method: str, status: int, headers: Headers) -> int:
    """Bytes of the body, or CHUNKED, or UNTIL_CLOSE. RFC 9112 section 6.3. BadResponse if the headers disagree."""
    announced = headers.get("content-length")
    length = UNTIL_CLOSE if announced is None else _announced_length(announced)
    if method == "HEAD" or status in (204, 304):
        return 0
    coding = headers.get("transfer-encoding")
    if coding is None:
        return length
    if coding.lower() != "chunked":
        raise BadResponse(f"unknown Transfer-Encoding: {coding[:80]!r}")
    return CHUNKED


def _announced_length(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    first, *others = [part.strip(" \t") for part in value.split(",")]
    if any(other != first for other in others):
        raise BadResponse(f"conflicting Content-Length values: {value[:80]!r}")
    if not (first.isascii() and first.isdigit() and len(first) < 20):
        raise BadResponse(f"malformed Content-Length: {first[:80]!r}")
    return int(first)


def keeps_alive(head: Head) -> bool:
    """Whether the connection may serve again. RFC 9112 section 9.3.

    Both lengths at once may be an attempt to smuggle a second answer: RFC 9112 section 6.3 wants such a
    connection closed.
    """
    headers = head.headers
    if "transfer-encoding" in headers and "content-length" in headers:
        return False
    wishes = headers.get("connection")
    if wishes is None:
        return head.minor == 1
    options = {option.strip(" \t") for option in wishes.lower().split(",")}
    return "close" not in options and (head.minor == 1 or "keep-alive" in options)


def request_head(request: Request, target: str, added: Headers) -> bytes:
    """The bytes of a request's head. added: headers of the proxy. ConfigError names a header that cannot be sent.

    Values go out as UTF-8, as they are signed.
    """
    length = request.body.length
    headers = request.headers
    lines = [f"{request.method} {target} HTTP/1.1"]
    if "host" not in headers:
        lines.append(f"host: {request.origin.authority}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if "content-length" not in headers:
        # Without one Swift waits a minute for the body of a DELETE that has it look for an older version.
        if length or request.method in ("PUT", "POST", "DELETE"):
            lines.append(f"content-length: {length}")
    elif headers["content-length"] != str(length):
        raise ConfigError(f"content-length says {headers['content-length']}, but the body has {length} bytes")
    if "accept-encoding" not in headers:
        lines.append("accept-encoding: identity")
    if "user-agent" not in headers:
        lines.append(f"user-agent: {_USER_AGENT}")
    if added:
        lines += [f"{name}: {value}" for name, value in added.items()]
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    names_good = all(map(_is_token, headers))
    if not names_good or text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise _refusal(request)
    if " " in target or not target.isascii():
        raise _refusal(request)
    try:
        return f"{text}\r\n\r\n".encode()
    except UnicodeEncodeError:
        raise _refusal(request) from None


@lru_cache(maxsize=1024)
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def _refusal(request: Request) -> ConfigError:
    """What is wrong with a request that would not be read as it was meant; never with a header's value."""
    for name, value in request.headers.items():
        if not _is_token(name):
            return ConfigError(f"header name {name!r} cannot be sent: use letters, digits and hyphens only")
        if re.search(_BAD_IN_VALUE, value):
            return ConfigError(f"the value of header {name!r} has a line break, NUL or lone surrogate: take it out")
    return ConfigError(f"the path {request.path!r} or the host cannot be sent as they are: percent-encode them")

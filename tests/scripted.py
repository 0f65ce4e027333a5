"""A scripted peer for the loop: a transport that plays replies, keys, a clock and random numbers, all on order.

A script holds Responses, TransportErrors to raise, and functions from the Request to one of these. What was asked is in
Scripted.log, one line each: "PUT /b/k 503", or "GET /b/k?list-type=2 TimedOut" where an error was played.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from s3target.client import Client
from s3target.errors import TransportError
from s3target.protocol.encoding import http_date, query_string
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.messages import Credentials, Request, Response
from s3target.retry import RetryPolicy

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc).timestamp()
KEYS = Credentials("AKIDEXAMPLE", "a-very-secret-key")

Move = Response | TransportError | Callable[[Request], Response | TransportError]


def reply(status: int = 200, content: bytes = b"", stream: Pieces | None = None, **headers: str) -> Response:
    """An answer; e_tag would be "e-tag", so headers are written as content_length="3", etag='"e"'."""
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content, stream)


def error_reply(status: int, code: str, extra: str = "", **headers: str) -> Response:
    """An S3 error document; extra is more XML inside of it."""
    document = f"<Error><Code>{code}</Code><Message>so it is</Message>{extra}<RequestId>R1</RequestId></Error>"
    return reply(status, document.encode(), **headers)


def date(seconds: float) -> str:
    """The Date header of a moment."""
    return http_date(datetime.fromtimestamp(seconds, timezone.utc))


class Pieces:
    """A Stream that gives these pieces, one per read; a TransportError among them is raised there."""

    def __init__(self, *pieces: bytes | TransportError) -> None:
        self._pieces = list(pieces)
        self.closed = False
        self.reads = 0

    def read(self, size: int = -1, /) -> bytes:
        self.reads += 1
        if size < 0:
            return b"".join(iter(self._next, b""))
        piece = self._next()
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size]

    def readinto(self, buffer: memoryview, /) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self.closed = True

    def _next(self) -> bytes:
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, TransportError):
            raise piece
        return piece


class Scripted:
    """A Transport that plays its script, one move per request. More requests than moves fail the test."""

    def __init__(self, *script: Move) -> None:
        self.script = list(script)
        self.requests: list[Request] = []
        self.log: list[str] = []
        self.closed = False

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        asked = f"{request.method} {request.path}{'?' if request.query else ''}{query_string(request.query)}"
        assert self.script, f"nothing scripted for {asked} after {self.log}"
        move = self.script.pop(0)
        outcome = move(request) if callable(move) else move
        if isinstance(outcome, TransportError):
            self.log.append(f"{asked} {type(outcome).__name__}")
            raise outcome
        self.log.append(f"{asked} {outcome.status}")
        return outcome

    def close(self) -> None:
        self.closed = True


class Clock:
    """Seconds that pass by sleeping only. naps: how long each sleep was."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


class Keys:
    """A CredentialProvider with a stack of keys; invalidate() goes on to the next if there is one.

    Keys(None) is the provider of those who go unsigned.
    """

    def __init__(self, *sets: Credentials | None) -> None:
        self._sets: Sequence[Credentials | None] = sets or (KEYS,)
        self.invalidated: list[tuple[str, bool]] = []

    def get(self) -> Credentials | None:
        return self._sets[0]

    def invalidate(self, credentials: Credentials, certain: bool) -> bool:
        self.invalidated.append((credentials.access_key_id, certain))
        if len(self._sets) == 1:
            return False
        self._sets = self._sets[1:]
        return True


STORE = Endpoint(url="http://store.test:9000")


def client_for(
    transport: Scripted,
    keys: Keys | None = None,
    *,
    endpoint: Endpoint = STORE,
    policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
    clock: Clock | None = None,
    random: Callable[[], float] = lambda: 1.0,
    payload_signing: bool | None = None,
    checksums: bool = True,
) -> Client:
    """A Client on that transport whose clock stands still but for its pauses, which are as long as they may be."""
    clock = clock or Clock()
    return Client(
        transport,
        endpoint,
        keys or Keys(),
        policy,
        payload_signing=payload_signing,
        checksums=checksums,
        clock=clock,
        sleep=clock.sleep,
        random=random,
    )

"""Peers and surroundings for the credentials tests: a clock, files, an STS in memory, and HTTP servers on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from s3target.client import Client, CredentialProvider
from s3target.credentials import Anonymous, Profiles, Sources
from s3target.protocol.endpoint import Location, sts_endpoint
from s3target.protocol.messages import Credentials, Origin, Request, Response
from s3target.protocol.operations.base import Fixed, Locator
from s3target.retry import RetryPolicy
from s3target.transport import HttpTransport, TransportOptions

START = 1_800_000_000.0
SECRET = "SeCrEtSeCrEt"
TOKEN = "ToKeNtOkEn"


class Clock:
    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def iso(seconds: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def keys(key_id: str = "AKIDSTATIC", *, ends: float | None = None, token: str | None = None) -> Credentials:
    return Credentials(key_id, SECRET, token, ends, "test")


class FakeSts:
    """Makes clients whose STS answers with keys ASIA1, ASIA2, ...; `calls` holds each form, with who signed it.

    fail: called with the form, gives a Response in place of the answer, or None.
    """

    def __init__(self, clock: Callable[[], float], lifetime: float = 3600.0) -> None:
        self.clock, self.lifetime = clock, lifetime
        self.calls: list[dict[str, str]] = []
        self.fail: Callable[[dict[str, str]], Response | None] = lambda form: None
        self.open = 0

    def __call__(self, provider: CredentialProvider) -> Client:
        self.open += 1
        location = sts_endpoint("eu-west-1")
        return Client(self, Fixed(location), provider, clock=self.clock, sleep=lambda seconds: None)

    def send(self, request: Request) -> Response:
        with request.body.open() as body:
            form = dict(parse_qsl(body.read().decode()))
        authorization = request.headers.get("authorization", "")
        form["signer"] = authorization.partition("Credential=")[2].partition("/")[0]
        form["signer_token"] = request.headers.get("x-amz-security-token", "")
        self.calls.append(form)
        return self.fail(form) or Response(200, {}, self._answer(form["Action"]))

    def _answer(self, action: str) -> bytes:
        number = len(self.calls)
        end = iso(self.clock() + self.lifetime)
        return (
            f"<{action}Response><{action}Result><Credentials><AccessKeyId>ASIA{number}</AccessKeyId>"
            f"<SecretAccessKey>{SECRET}{number}</SecretAccessKey><SessionToken>{TOKEN}{number}</SessionToken>"
            f"<Expiration>{end}</Expiration></Credentials></{action}Result></{action}Response>"
        ).encode()

    def close(self) -> None:
        self.open -= 1

    def __reduce__(self) -> tuple[Any, ...]:
        return FakeSts, (self.clock, self.lifetime)


def sts_error(status: int, code: str) -> Response:
    content = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    return Response(status, {}, content.encode())


def no_http(locator: Locator, timeout: float) -> Client:
    raise AssertionError(f"nobody should be asked at {locator.locate().origin}")


def real_http(locator: Locator, timeout: float) -> Client:
    """As a composition root would make it: unsigned, own connections, no proxy."""
    options = TransportOptions(connect_timeout=timeout, read_timeout=timeout)
    return Client(HttpTransport(options), locator, Anonymous(), RetryPolicy(), sleep=lambda seconds: None)


class Answer:
    """What a Server says. until: an event that is waited for before the answer. location: where it leads to."""

    def __init__(
        self, status: int, content: str | bytes = b"", *, until: threading.Event | None = None, location: str = ""
    ) -> None:
        self.status, self.until, self.location = status, until, location
        self.content = content.encode() if isinstance(content, str) else content


Route = Callable[[str, str, Mapping[str, str], bytes], Answer]


class Server:
    """An HTTP server on loopback. `log` holds "METHOD path" of each request, `headers` its headers."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.log: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def http(self, locator: Locator, timeout: float) -> Client:
        """real_http, but every host is this server."""
        location = locator.locate()
        self.asked_for = location.origin
        here = Location(Origin("http", "127.0.0.1", self.port), location.base_path, location.region, location.service)
        return real_http(Fixed(here), timeout)


@contextmanager
def serving(route: Route) -> Iterator[Server]:
    server = Server(route)

    class Connection(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.log.append(f"{self.command} {self.path}")
            server.headers.append(headers)
            server.bodies.append(body)
            answer = server.route(self.command, self.path, headers, body)
            if answer.until is not None:
                answer.until.wait(30)
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.content)))
            if answer.location:
                self.send_header("Location", answer.location)
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_PUT = do_POST = do_CONNECT = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
    listener.daemon_threads = False
    server.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def write_home(home: Path, config: str = "", credentials: str = "", **environ: str) -> dict[str, str]:
    """The environment of a user whose home directory holds these files."""
    folder = home / ".aws"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("config", config), ("credentials", credentials)):
        if text:
            (folder / name).write_text(text)
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "BOTO_CONFIG": str(home / "no.boto"), **environ}


def sources_of(
    environ: Mapping[str, str],
    *,
    profile: str | None = None,
    sts: Callable[[CredentialProvider], Client] | None = None,
    http: Callable[[Locator, float], Client] = no_http,
    clock: Callable[[], float] | None = None,
) -> Sources:
    clock = clock or Clock()
    return Sources(environ, Profiles.load(environ), profile, sts or FakeSts(clock), http, clock)

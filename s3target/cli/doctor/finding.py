"""Finding, what a step says; Patient, what the steps look at."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping

from ...client import Client
from ...filesystem import S3Path
from ...protocol.messages import Request, Response
from ...retry import RetryPolicy
from ...settings import Settings
from ...transport import HttpTransport
from ...value import Any, NamedTuple

NTP = "set the clock of this machine, by NTP: timedatectl set-ntp true"
_LABELS = {"ok": "OK", "fixed": "fixed", "failed": "FAILED", "note": "note"}


class Finding(NamedTuple):
    """status: ok, fixed (it works all the same, but should be set right), failed, or note. remedy: what to do."""

    status: str
    step: str
    text: str
    remedy: str = ""

    def lines(self) -> Iterator[str]:
        first, *more = self.text.split("\n")
        yield f"{_LABELS[self.status]:<7} {self.step:<12} {first}"
        yield from (f"{'':20} {line}" for line in more)
        for line in filter(None, self.remedy.split("\n")):
            yield f"{'':20} -> {line}"


class Patient:
    """A client with what it was made of. clock: of this machine, seconds since 1970. advice: lines for luigi.cfg.

    It is the client's transport too, between it and http, to know the last request as it went out, signed.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        path: S3Path,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert isinstance(client.transport, HttpTransport)
        self.http: HttpTransport = client.transport
        self.options = self.http.options
        self.client = copy.copy(client)
        self.client.transport = self
        self.settings, self.path, self.read_only, self.clock = settings, path, read_only, clock
        self.location = client.endpoint.locate(path.bucket)
        self.last: Request | None = None
        self.answer: Response | None = None
        self.certificate: Mapping[str, Any] | None = None
        self.advice: dict[str, str] = {}

    def send(self, request: Request) -> Response:
        self.last = request
        return self.http.send(request)

    def close(self) -> None:
        self.http.close()

    def once(self) -> Client:
        """The client without retries: for requests that are expected to fail."""
        client = copy.copy(self.client)
        client.policy = RetryPolicy(max_attempts=1)
        return client

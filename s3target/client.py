"""The one loop: Client.call(operation).

Read it top to bottom: the request is made from the operation and sealed once; then, for each attempt, credentials,
clock and region are read anew, the request is signed and sent, and retry.judge says what the outcome means. A refusal
that may be the doing of an earlier attempt, whose answer was lost, is looked into before it counts. No other layer
retries a request. A Client is thread-safe and pickles without its connections.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from .errors import BadResponse, NoCredentials, S3Error, ServiceError, TransportError
from .logs import getLogger
from .protocol import sigv4
from .protocol.checksum import seal
from .protocol.messages import Credentials, Request, Response, Stream
from .protocol.operations.base import Locator, Operation
from .protocol.operations.buckets import HeadBucket
from .retry import (
    MAX_SKEW,
    Accept,
    AdjustClock,
    Fail,
    Redirect,
    RenewCredentials,
    Retry,
    RetryPolicy,
    RetryQuota,
    SendRate,
    Verdict,
    judge,
    leaves_doubt,
)
from .statistics import CountedStream, Counters, Statistics
from .stores import UNKNOWN, Store
from .value import Any, Protocol, TypeVar

_log = getLogger("s3target.client")
_FREE_RETRIES = 16
_ERROR_LIMIT = 1 << 18
"""Bytes of an error document that are looked at."""
_LONGEST = 600.0
"""Seconds that a document may take to come; silence ends it sooner."""
Result = TypeVar("Result")


class Transport(Protocol):
    """What the loop needs of the network.

    send() raises TransportError for all that the network does; ConfigError or OSError, before a byte is sent, for a
    request that cannot be sent: a header that is none, a body's file that is gone.
    """

    def send(self, request: Request) -> Response: ...
    def close(self) -> None: ...


class CredentialProvider(Protocol):
    """Where keys come from. get() gives a complete frozen value, or None to go unsigned; CredentialsError if it cannot.

    invalidate(): the store refused these keys. certain: it said that they have expired. True if get() may now give
    others, so that one more attempt makes sense.
    """

    def get(self) -> Credentials | None: ...
    def invalidate(self, credentials: Credentials, certain: bool) -> bool: ...


def _random() -> float:
    """From [0, 1). Not the random module, whose state is the same in all forked children."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Client:
    """Sends operations to one store.

    payload_signing: see checksum.seal(). checksums: of what is sent are given where they need not be. validation: those
    of what is read are asked for. store: what is known of it beforehand. clock: seconds since 1970. All that varies in
    tests is an argument. proven: what its users have found out about the store and need not ask again.
    """

    def __init__(
        self,
        transport: Transport,
        endpoint: Locator,
        credentials: CredentialProvider,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
        *,
        payload_signing: bool | None = None,
        checksums: bool = True,
        validation: bool = True,
        store: Store = UNKNOWN,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random,
    ) -> None:
        self.transport = transport
        self.endpoint = endpoint
        self.credentials = credentials
        self.policy = policy
        self.payload_signing = payload_signing
        self.checksums = checksums
        self.validation = validation
        self.store = store
        self._clock, self._sleep, self._random = clock, sleep, random
        self.proven: set[object] = set()
        self._quota = RetryQuota()
        self._send_rate = SendRate() if policy.adaptive else None
        self._counters = Counters()
        self._keys: sigv4.KeyCache = {}
        self._regions: dict[str, str] = {}
        self._clock_offset = 0.0

    def call(self, operation: Operation[Result]) -> Result:
        """The operation's result. ServiceError, TransportError or CredentialsError once trying again is no use."""
        call = _Call(self, operation)
        while True:
            self._keep_pace()
            credentials = self._credentials(call.request)
            offset = self._clock_offset
            now = self._clock() + offset  # after the keys, which may have taken a person's time to come
            outcome = self._attempt(operation, call.request, credentials, now)
            verdict = judge(operation, outcome, now, call.request.region)
            if self._send_rate is not None:
                self._send_rate.heard(isinstance(verdict, Retry) and verdict.throttled, self._clock())
            if isinstance(verdict, Accept):
                assert isinstance(outcome, Response)
                try:
                    result = operation.parse(outcome)
                except BadResponse as error:
                    verdict = Retry(error)
                    if outcome.stream is not None:
                        outcome.stream.close()
                else:
                    self._quota.give_back(call.paid or 1)
                    return result
            if isinstance(verdict, Fail) and call.in_doubt:
                made = self._inquire(operation, verdict.error)
                if made is not None:
                    return made
            call.in_doubt = call.in_doubt or leaves_doubt(outcome)
            self._proceed(call, verdict, credentials, offset)

    def presign(self, operation: Operation[Any], expires: int = 3600) -> str:
        """A URL for the operation that is good for `expires` seconds, or until the session that signed it ends.

        NoCredentials if the client is anonymous; ConfigError if expires is not from 1 to 604,800.
        """
        request = operation.request(self._endpoint_for(operation.bucket))
        credentials = self._credentials(request)
        if credentials is None:
            raise NoCredentials("a presigned URL needs credentials; this client is anonymous")
        return sigv4.presign(request, credentials, self._clock() + self._clock_offset, expires, self._keys)

    @property
    def statistics(self) -> Statistics:
        """What this client has sent and received so far. A copy of it, pickled or forked, counts by itself."""
        return self._counters.value()

    def pause(self, retries: int, error: TransportError) -> None:
        """Wait before retry number `retries` (from 1) of a body that broke off; raise error when they are used up."""
        error.attempts = retries
        if retries >= self.policy.max_attempts:
            raise error
        self._sleep(self.policy.delay(retries, Retry(error), self._random()))

    def close(self) -> None:
        """Close its idle connections. It can go on to be used."""
        self.transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # Signing keys are secrets, and another machine's clock is another clock.
        return {**self.__dict__, "_keys": {}, "_clock_offset": 0.0}

    def prepare(self, operation: Operation[Any]) -> Request:
        """The operation's request, sealed and ready to be signed."""
        request = operation.request(self._endpoint_for(operation.bucket))
        if request.service != "s3":  # sign() hashes the body of what goes elsewhere
            return request
        wanted = operation.checksum if self.checksums or operation.checksum == "MD5" else None
        return seal(request, wanted, self.payload_signing)

    def _endpoint_for(self, bucket: str) -> Locator:
        region = self._regions.get(bucket)
        return self.endpoint.in_region(region) if region else self.endpoint

    def _credentials(self, request: Request) -> Credentials | None:
        return self.credentials.get() if request.service else None

    def _keep_pace(self) -> None:
        if self._send_rate is not None and (delay := self._send_rate.wait(self._clock())):
            self._sleep(delay)

    def _attempt(
        self, operation: Operation[Any], request: Request, credentials: Credentials | None, now: float
    ) -> Response | TransportError:
        if credentials:
            request = sigv4.sign(request, credentials, now, self._keys)
        response, begun = None, time.perf_counter()
        try:
            response = self.transport.send(request)
            if operation.streams and response.status < 300:
                stream = CountedStream(response.reader(), self._counters)
                response = Response(response.status, response.headers, b"", stream)
            elif response.stream is not None:
                longest = self.policy.deadline or _LONGEST
                response = _with_content(response, response.stream, operation.max_reply, longest)
            return response
        except TransportError as error:
            return error
        finally:
            self._counters.add(request.body.length, response, begun)

    def _inquire(self, operation: Operation[Result], error: ServiceError) -> Result | None:
        """The result, if the store shows that an attempt whose answer was lost has succeeded, so that this one could
        not; None if the error stands."""
        inquiry = operation.inquiry(error)
        if inquiry is None:
            return None
        try:
            made = operation.recognize(self.call(inquiry))
        except S3Error as unknown:
            _log.info("%s: what became of an attempt without an answer cannot be told: %s", operation.name, unknown)
            return None
        if made is not None:
            _log.info("%s: an attempt whose answer was lost has succeeded", operation.name)
        return made

    def _proceed(self, call: _Call, verdict: Verdict, credentials: Credentials | None, offset: float) -> None:
        """Get ready for the next attempt, or raise the verdict's error."""
        assert not isinstance(verdict, Accept)
        error = verdict.error
        error.attempts = call.attempts
        if isinstance(verdict, Retry):
            self._pause(call, verdict)
        elif not call.first_time(type(verdict).__name__):
            raise error
        elif isinstance(verdict, Redirect):
            self._move(call, verdict)
        elif isinstance(verdict, RenewCredentials):
            if credentials is None or not self.credentials.invalidate(credentials, verdict.certain):
                raise error
        elif isinstance(verdict, AdjustClock):
            # On top of the offset that was signed with: another thread may have corrected it meanwhile, and told so.
            known, self._clock_offset = self._clock_offset, offset + verdict.offset
            if abs(self._clock_offset - known) > MAX_SKEW:
                _log.warning("this machine's clock is %.0f s off; signing by the store's", -self._clock_offset)
        else:
            raise error
        call.attempts += 1
        self._counters.retries += 1

    def _pause(self, call: _Call, verdict: Retry) -> None:
        if verdict.free and call.free < _FREE_RETRIES:
            call.free += 1
            return
        verdict = verdict._replace(free=False)
        call.retries += 1
        if call.retries >= self.policy.max_attempts:
            raise verdict.error
        delay = self.policy.delay(call.retries, verdict, self._random())
        if self.policy.deadline is not None and self._clock() + delay - call.begun > self.policy.deadline:
            raise verdict.error
        paid = self._quota.take(verdict)
        if paid is None:
            raise verdict.error
        call.paid += paid
        _log.debug("%s: %s; attempt %d in %.2f s", call.operation.name, verdict.error, call.retries + 1, delay)
        self._sleep(delay)

    def _move(self, call: _Call, verdict: Redirect) -> None:
        bucket = call.operation.bucket
        region = verdict.region or self._ask_region(call.operation)
        if not region or region == call.request.region:
            raise verdict.error
        _log.info("bucket %s is in region %s", bucket, region)
        self._regions[bucket] = region
        call.request = self.prepare(call.operation)

    def _ask_region(self, operation: Operation[Any]) -> str | None:
        if isinstance(operation, HeadBucket):
            return None
        try:
            return self.call(HeadBucket(operation.bucket)) or self._regions.get(operation.bucket)
        except S3Error:
            return self._regions.get(operation.bucket)


class _Call:
    """What one call remembers between its attempts."""

    __slots__ = ("_seen", "attempts", "begun", "free", "in_doubt", "operation", "paid", "request", "retries")

    def __init__(self, client: Client, operation: Operation[Any]) -> None:
        self.operation = operation
        self.request = client.prepare(operation)
        self.begun = client._clock()
        self.attempts = 1
        self.retries = self.free = self.paid = 0
        self.in_doubt = False
        self._seen: set[str] | None = None

    def first_time(self, remedy: str) -> bool:
        """Whether this remedy has not been tried in this call yet."""
        self._seen = self._seen or set()
        known = remedy in self._seen
        self._seen.add(remedy)
        return not known


def _with_content(response: Response, stream: Stream, limit: int, seconds: float) -> Response:
    """response with its whole body read. BadResponse if that is over `limit` bytes or takes longer than `seconds`; an
    error without end counts by its status alone. One that breaks off keeps its stream, by which judge() knows it."""
    failed = response.status >= 300
    limit = _ERROR_LIMIT if failed else limit
    pieces, left, end = [], limit + 1, time.monotonic() + seconds
    try:
        while left > 0 and (piece := stream.read(left)):
            pieces.append(piece)
            left -= len(piece)
            if time.monotonic() > end:
                raise BadResponse(f"a document that is not whole after {seconds:g} s")
        if left <= 0 and not failed:
            raise BadResponse(f"an answer of over {limit} bytes where a short document belongs")
    except TransportError:
        if failed:
            return response
        raise
    finally:
        stream.close()
    return Response(response.status, response.headers, b"".join(pieces)[:limit])

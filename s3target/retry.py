"""What to do with the outcome of an attempt, and how long to wait: pure rules, and the quota that bounds retries.

judge() turns an outcome into a verdict; only the loop in client.py acts on it. The rules are those of the AWS SDKs'
"standard" mode, https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html, with more attempts, since
a Luigi task that fails costs more than some seconds of waiting.
"""

from __future__ import annotations

from .errors import (
    ConnectFailed,
    ConnectionDropped,
    S3Error,
    ServerFault,
    ServiceError,
    Throttled,
    TransportError,
)
from .protocol.encoding import parse_http_date
from .protocol.endpoint import redirected_region
from .protocol.messages import Headers, Response
from .protocol.operations.base import Operation, service_error
from .value import NamedTuple, dataclass

MAX_SKEW = 240.0
"""Seconds that clocks may differ before a refusal is put down to them; S3 itself refuses at 900."""

_TRANSIENT_CODES = {
    "RequestTimeout",
    "RequestTimeoutException",
    "IDPCommunicationError",
    "BadDigest",
    "OperationAborted",
    "IncompleteBody",
}
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"}
_SKEW_CODES = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
_SKEW_SUSPECTS = {"SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", "AccessDenied"}
_REDIRECT_CODES = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"}


class Accept(NamedTuple):
    """The answer is good."""


class Retry(NamedTuple):
    """Try again after a pause. free: at once, and it does not count. after: seconds the store asked for."""

    error: S3Error
    throttled: bool = False
    free: bool = False
    after: float | None = None


class Redirect(NamedTuple):
    """The bucket lives elsewhere. region None: the answer does not say where."""

    error: S3Error
    region: str | None


class RenewCredentials(NamedTuple):
    """The session is over. certain: the store said so; else it is a guess from a 403."""

    error: S3Error
    certain: bool


class AdjustClock(NamedTuple):
    """This machine's clock is `offset` seconds behind the store's."""

    error: S3Error
    offset: float


class Fail(NamedTuple):
    """No use in trying again."""

    error: ServiceError


_ACCEPT = Accept()
Verdict = Accept | Retry | Redirect | RenewCredentials | AdjustClock | Fail


def judge(operation: Operation[object], outcome: Response | TransportError, now: float, region: str = "") -> Verdict:
    """The verdict on an attempt. now: seconds since 1970, as the request was dated. region: it was signed for."""
    if isinstance(outcome, TransportError):
        stale = isinstance(outcome, ConnectionDropped) and outcome.reused
        return Retry(outcome, free=stale)
    # An empty or cut-off document in a 200 is found by the operation's own parse().
    if 200 <= outcome.status < 300 and not (operation.may_fail_in_200 and _is_error(outcome.content)):
        return _ACCEPT
    error = service_error(operation, outcome)
    if operation.bucket and _is_redirect(error, outcome.headers, region):
        return Redirect(error, redirected_region(outcome.status, outcome.headers, error.code or "", error.details))
    if error.code in _EXPIRED_CODES:
        return RenewCredentials(error, certain=True)
    skew = _skew(error, outcome.headers, now)
    if skew is not None:
        return AdjustClock(error, skew)
    # What has broken off might have said more, but for a 412, which has the one meaning.
    cut_off = outcome.stream is not None and error.status != 412
    # HEAD has no body to say more: a bare 400 is how AWS refuses an expired token there.
    if not cut_off and (error.status == 403 or error.code == "BadRequest"):
        return RenewCredentials(error, certain=False)
    if isinstance(error, Throttled):
        return Retry(error, throttled=True, after=_retry_after(outcome.headers))
    if cut_off or error.code in operation.transient or _is_transient(error, outcome.status):
        return Retry(error, after=_retry_after(outcome.headers))
    return Fail(error)


def leaves_doubt(outcome: Response | TransportError) -> bool:
    """Whether an attempt that did not succeed may have taken effect all the same."""
    if isinstance(outcome, TransportError):
        return not isinstance(outcome, ConnectFailed)
    return outcome.status >= 500 or outcome.status < 300


def _is_error(content: bytes) -> bool:
    """Whether the document's root is <Error>."""
    body = content.lstrip()
    if body.startswith(b"<?"):
        body = body.partition(b"?>")[2].lstrip()
    return body.startswith((b"<Error>", b"<Error "))


def _is_redirect(error: ServiceError, headers: Headers, region: str) -> bool:
    if error.status in (301, 302, 307) or error.code in _REDIRECT_CODES:
        return True
    if error.code == "BadRequest" and headers.get("x-amz-bucket-region", region) != region:
        return True
    return error.code == "IllegalLocationConstraintException" and error.operation != "CreateBucket"


def _is_transient(error: ServiceError, status: int) -> bool:
    # 501 says that the store lacks the call: asking again will not teach it.
    return (isinstance(error, ServerFault) and status != 501) or error.code in _TRANSIENT_CODES or status < 300


def _skew(error: ServiceError, headers: Headers, now: float) -> float | None:
    """Seconds to add to our clock, if that is likely the reason for the refusal."""
    if error.code not in _SKEW_CODES | _SKEW_SUSPECTS:
        return None
    if "age" in headers:  # from a cache: its Date is old
        return None
    try:
        offset = parse_http_date(headers.get("date", "")).timestamp() - now
    except ValueError:
        return None
    return offset if abs(offset) > MAX_SKEW else None


def _retry_after(headers: Headers) -> float | None:
    """Seconds, of Retry-After (RFC 9110 section 10.2.3, the number form) or AWS's x-amz-retry-after (milliseconds)."""
    milliseconds, seconds = headers.get("x-amz-retry-after", ""), headers.get("retry-after", "")
    if milliseconds.isascii() and milliseconds.isdigit():
        return float(milliseconds) / 1000
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how fast. All times in seconds.

    max_attempts counts the first one too. deadline: no attempt is begun, nor a document read on, once a call
    has taken so long; None: no bound.
    adaptive: once the store has asked to slow down, requests are sent no faster than it takes them, see SendRate.
    """

    max_attempts: int = 6
    transient_scale: float = 0.05
    throttled_scale: float = 1.0
    longest_delay: float = 20.0
    deadline: float | None = None
    adaptive: bool = False

    def delay(self, retries: int, verdict: Retry, jitter: float) -> float:
        """The pause before retry number `retries` (from 1); jitter is a random number from [0, 1)."""
        if verdict.free:
            return 0.0
        scale = self.throttled_scale if verdict.throttled else self.transient_scale
        backoff = min(scale * 2.0 ** (retries - 1), self.longest_delay)
        jittered = float(jitter * backoff)
        if verdict.after is None:
            return jittered
        return max(jittered, min(verdict.after, backoff + 5.0, self.longest_delay + 5.0))


class RetryQuota:
    """A bucket of tokens, one per client: when a store is down, its clients soon stop retrying.

    Threads share it without a lock, which a fork could leave locked: a token lost between two of them does no harm.
    """

    CAPACITY = 500
    TRANSIENT_COST = 14
    THROTTLED_COST = 5

    def __init__(self) -> None:
        self._tokens = self.CAPACITY

    def take(self, verdict: Retry) -> int | None:
        """Pay for a retry; the price paid, or None if the tokens do not suffice."""
        cost = 0 if verdict.free else self.THROTTLED_COST if verdict.throttled else self.TRANSIENT_COST
        if cost > self._tokens:
            return None
        self._tokens -= cost
        return cost

    def give_back(self, tokens: int) -> None:
        self._tokens = min(self.CAPACITY, self._tokens + tokens)

    def __reduce__(self) -> tuple[type[RetryQuota], tuple[()]]:
        return RetryQuota, ()


class SendRate:
    """How fast to send in adaptive mode: as one likes, until the store throttles; from then on by CUBIC (RFC 9438).

    Each refusal cuts the rate to BETA of what was sent; without more of them it climbs back along a cubic curve, slowly
    near where it was refused and faster beyond, to at most twice what is really being sent. One per client; like
    RetryQuota it does without a lock. now: seconds on any clock.
    """

    BETA = 0.7
    GROWTH = 0.4
    SMOOTHING = 0.8
    WINDOW = 0.5
    """Seconds over which requests are counted."""
    SLOWEST = 0.5
    """Requests per second."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self.measured = 0.0
        self._window: float | None = None
        self._count = 0.0
        self._tokens = self._filled_at = 0.0
        self._peak = self._cut_at = 0.0

    def wait(self, now: float) -> float:
        """Seconds to wait before the next request, which is taken for sent then."""
        if self.rate is None:
            return 0.0
        grown = max(0.0, now - self._filled_at) * self.rate
        self._filled_at = max(now, self._filled_at)
        self._tokens = min(self._tokens + grown, max(1.0, self.rate)) - 1.0
        return max(0.0, -self._tokens / self.rate)

    def heard(self, throttled: bool, now: float) -> None:
        """An answer has come."""
        self._measure(now)
        if throttled:
            self._peak = self.measured if self.rate is None else min(self.measured, self.rate)
            self._cut_at, wanted = now, self._peak * self.BETA
            if self.rate is None:
                self._tokens, self._filled_at = 0.0, now
        elif self.rate is None:
            return
        else:
            recovery = (self._peak * (1.0 - self.BETA) / self.GROWTH) ** (1.0 / 3.0)
            wanted = self.GROWTH * (now - self._cut_at - recovery) ** 3 + self._peak
        self.rate = max(self.SLOWEST, min(wanted, 2.0 * self.measured))

    def _measure(self, now: float) -> None:
        self._count += 1.0
        window = now // self.WINDOW * self.WINDOW
        if self._window is None:
            self._window = window
        elif window > self._window:
            sent = self._count / (window - self._window)
            self.measured = sent * self.SMOOTHING + self.measured * (1.0 - self.SMOOTHING)
            self._count, self._window = 0.0, window

    def __reduce__(self) -> tuple[type[SendRate], tuple[()]]:
        return SendRate, ()

"""What an outcome means, how long to wait, and the quota: tables of values, without a loop."""

from __future__ import annotations

import pickle

import pytest

from s3target.errors import (
    BadResponse,
    ConnectFailed,
    ConnectionDropped,
    S3Error,
    ServerFault,
    ServiceError,
    Throttled,
    TimedOut,
)
from s3target.protocol.operations.buckets import CreateBucket, HeadBucket
from s3target.protocol.operations.identity import AssumeRole, GetCallerIdentity
from s3target.protocol.operations.multipart import CompleteMultipartUpload
from s3target.protocol.operations.objects import (
    CopyObject,
    CopySource,
    GetObject,
    HeadObject,
    PutObject,
)
from s3target.retry import (
    Accept,
    AdjustClock,
    Fail,
    Redirect,
    RenewCredentials,
    Retry,
    RetryPolicy,
    RetryQuota,
    SendRate,
    judge,
    leaves_doubt,
)
from scripted import NOW, date, error_reply, reply

GET = GetObject("b", "k")
HEAD = HeadObject("b", "k")
PUT = PutObject("b", "k")
COPY = CopyObject(CopySource("f", "g"), "b", "k")
COMPLETE = CompleteMultipartUpload("b", "k", "u", ())
CREATE = CreateBucket("b", "eu-west-1")
STS = AssumeRole("r", "me")
RESULT = b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"
IN_200 = b'<?xml version="1.0"?>\n\n<Error><Code>InternalError</Code></Error>'
EU = "<Region>eu-west-1</Region>"
AHEAD, BEHIND = date(NOW - 3600), date(NOW + 3600)
CLOSE = date(NOW + 200)


def facts(verdict):
    """A verdict without its error, which has no equal."""
    return type(verdict), tuple(field for field in verdict if not isinstance(field, S3Error))


def retry(throttled=False, free=False, after=None):
    return Retry, (throttled, free, after)


ACCEPT = (Accept, ())
FAIL = (Fail, ())


def renew(certain):
    return RenewCredentials, (certain,)


def redirect(region):
    return Redirect, (region,)


def adjust(offset):
    return AdjustClock, (offset,)


@pytest.mark.parametrize(
    ("operation", "outcome", "expected"),
    [
        # The connection.
        (GET, ConnectFailed("refused"), retry()),
        (GET, TimedOut("silence"), retry()),
        (GET, BadResponse("garbage"), retry()),
        (PUT, ConnectionDropped("gone"), retry()),
        (PUT, ConnectionDropped("stale", reused=True), retry(free=True)),
        # Good answers.
        (GET, reply(200), ACCEPT),
        (GET, reply(206), ACCEPT),
        (PUT, reply(204), ACCEPT),
        (COPY, reply(200, RESULT), ACCEPT),
        (COPY, reply(200, b""), ACCEPT),  # parse() finds that out
        (COPY, reply(200, b"<CopyObjectResult><!-- <Error> --></CopyObjectResult>"), ACCEPT),
        (GET, error_reply(200, "InternalError"), ACCEPT),  # an object that looks like an error
        # Errors inside a 200.
        (COPY, error_reply(200, "InternalError"), retry()),
        (COPY, reply(200, IN_200), retry()),
        (COPY, reply(200, b" " * 2000 + b"<Error><Code>SlowDown</Code></Error>"), retry(throttled=True)),
        (COPY, reply(200, b"<Error xmlns='urn:x'><Code>InternalError</Code></Error>"), retry()),
        (COMPLETE, error_reply(200, "SlowDown"), retry(throttled=True)),
        (COMPLETE, error_reply(200, "Odd"), retry()),
        # Errors of the store's own making.
        (GET, error_reply(500, "InternalError"), retry()),
        (GET, reply(500), retry()),
        (GET, reply(502, b"<html>bad gateway</html>"), retry()),
        (GET, reply(503), retry()),
        (GET, reply(504), retry()),
        (GET, reply(503, retry_after="7"), retry(after=7.0)),
        (GET, error_reply(501, "NotImplemented"), FAIL),
        (GET, reply(501), FAIL),
        (PUT, error_reply(400, "RequestTimeout"), retry()),
        (PUT, error_reply(400, "BadDigest"), retry()),
        (PUT, error_reply(400, "IncompleteBody"), retry()),
        (PUT, error_reply(409, "OperationAborted"), retry()),
        (STS, error_reply(400, "IDPCommunicationError"), retry()),
        (STS, error_reply(400, "RequestTimeoutException"), retry()),
        # Slower, please.
        (GET, error_reply(503, "SlowDown"), retry(throttled=True)),
        (GET, error_reply(503, "SlowDown", retry_after="2"), retry(throttled=True, after=2.0)),
        (GET, error_reply(503, "SlowDown", x_amz_retry_after="1500"), retry(throttled=True, after=1.5)),
        (GET, error_reply(503, "SlowDown", x_amz_retry_after="500", retry_after="9"), retry(True, after=0.5)),
        (GET, error_reply(503, "SlowDown", retry_after=date(NOW)), retry(throttled=True)),
        (GET, error_reply(503, "SlowDown", retry_after="-1"), retry(throttled=True)),
        (GET, error_reply(503, "SlowDown", retry_after="9" * 5000), retry(throttled=True, after=float("inf"))),
        (GET, error_reply(503, "SlowDown", x_amz_retry_after="9" * 400), retry(throttled=True, after=float("inf"))),
        (GET, error_reply(503, "SlowDown", retry_after="²"), retry(throttled=True)),
        (GET, reply(429), retry(throttled=True)),
        (STS, error_reply(400, "Throttling"), retry(throttled=True)),
        (GET, error_reply(400, "RequestLimitExceeded"), retry(throttled=True)),
        # Another region.
        (GET, error_reply(301, "PermanentRedirect", EU), redirect("eu-west-1")),
        (GET, error_reply(307, "TemporaryRedirect", x_amz_bucket_region="eu-west-1"), redirect("eu-west-1")),
        (HEAD, reply(301, x_amz_bucket_region="eu-west-1"), redirect("eu-west-1")),
        (HEAD, reply(301), redirect(None)),
        (HEAD, reply(302, x_amz_bucket_region="eu-west-1"), redirect("eu-west-1")),
        (HEAD, reply(400, x_amz_bucket_region="eu-west-1"), redirect("eu-west-1")),
        (HeadBucket("b"), reply(400, x_amz_bucket_region="eu-west-1"), redirect("eu-west-1")),
        (GET, error_reply(301, "PermanentRedirect", "<Region>evil.test/x</Region>"), redirect(None)),
        (GET, error_reply(400, "AuthorizationHeaderMalformed", EU), redirect("eu-west-1")),
        (CREATE, error_reply(400, "AuthorizationHeaderMalformed", EU), redirect("eu-west-1")),
        (GET, error_reply(400, "IllegalLocationConstraintException", EU), redirect("eu-west-1")),
        (CREATE, error_reply(400, "IllegalLocationConstraintException"), FAIL),
        (STS, reply(301), FAIL),
        # Keys that have run out, for certain or perhaps.
        (GET, error_reply(400, "ExpiredToken"), renew(certain=True)),
        (STS, error_reply(400, "ExpiredTokenException"), renew(certain=True)),
        (GET, error_reply(403, "InvalidToken"), renew(certain=True)),
        (GET, error_reply(403, "TokenRefreshRequired"), renew(certain=True)),
        (GET, error_reply(403, "AccessDenied"), renew(certain=False)),
        (GET, error_reply(403, "InvalidAccessKeyId"), renew(certain=False)),  # SeaweedFS, expired
        (HEAD, reply(403), renew(certain=False)),
        (HEAD, reply(400), renew(certain=False)),  # AWS, expired
        # A clock that is off.
        (GET, error_reply(403, "RequestTimeTooSkewed", date=BEHIND), adjust(3600.0)),
        (GET, error_reply(403, "RequestTimeTooSkewed", date=AHEAD), adjust(-3600.0)),
        (GET, error_reply(403, "RequestTimeTooSkewed", date=CLOSE), renew(certain=False)),
        (GET, error_reply(403, "RequestTimeTooSkewed"), renew(certain=False)),
        (GET, error_reply(403, "RequestTimeTooSkewed", date="nonsense"), renew(certain=False)),
        (GET, error_reply(403, "RequestTimeTooSkewed", date=BEHIND, age="3600"), renew(certain=False)),
        (GET, error_reply(403, "SignatureDoesNotMatch", date=BEHIND), adjust(3600.0)),
        (GET, error_reply(403, "SignatureDoesNotMatch", date=date(NOW)), renew(certain=False)),
        (STS, error_reply(400, "RequestExpired", date=BEHIND), adjust(3600.0)),
        (GET, error_reply(403, "RequestInTheFuture", date=AHEAD), adjust(-3600.0)),
        (HEAD, reply(403, date=BEHIND), adjust(3600.0)),
        (GET, error_reply(403, "RequestTimeTooSkewed", date="Sun, 22 Nov 99999999999 20:15:00 GMT"), renew(False)),
        # No use in trying again.
        (GET, error_reply(404, "NoSuchKey"), FAIL),
        (GET, error_reply(404, "NoSuchBucket", date=BEHIND), FAIL),
        (HEAD, reply(404), FAIL),
        (HEAD, reply(304), FAIL),
        (PUT, error_reply(412, "PreconditionFailed"), FAIL),
        (PUT, error_reply(409, "ConditionalRequestConflict"), retry()),
        (COMPLETE, error_reply(409, "ConditionalRequestConflict"), FAIL),
        (PUT, error_reply(400, "EntityTooLarge"), FAIL),
        (GET, reply(416), FAIL),
        (PUT, reply(411), FAIL),
        (GET, reply(405), FAIL),
        (GetCallerIdentity(), reply(405), FAIL),
    ],
)
def test_verdicts(operation, outcome, expected):
    """One row per kind of outcome."""
    assert facts(judge(operation, outcome, NOW)) == expected


def test_skewed_clock_by_rclone():
    """Its answer to a clock that is an hour off is 400 AccessDenied."""
    assert facts(judge(GET, error_reply(400, "AccessDenied", date=BEHIND), NOW)) == adjust(3600.0)


def test_verdict_holds_the_error_to_raise():
    """A transport's error as it came, or what the answer stands for."""
    dropped = ConnectionDropped("gone")
    assert judge(GET, dropped, NOW).error is dropped
    error = judge(GET, error_reply(503, "SlowDown"), NOW).error
    assert type(error) is Throttled
    assert (error.operation, error.bucket, error.key, error.code) == ("GetObject", "b", "k", "SlowDown")
    assert type(judge(COPY, reply(200, IN_200), NOW).error) is ServerFault


@pytest.mark.parametrize(
    ("outcome", "doubt"),
    [
        (ConnectFailed("refused"), False),
        (ConnectionDropped("lost"), True),
        (ConnectionDropped("stale", reused=True), True),
        (TimedOut("silent"), True),
        (BadResponse("no HTTP"), True),
        (reply(500), True),
        (reply(503), True),
        (reply(200, IN_200), True),
        (error_reply(400, "RequestTimeout"), False),
        (reply(429), False),
        (error_reply(412, "PreconditionFailed"), False),
    ],
)
def test_whether_an_attempt_may_have_taken_effect(outcome, doubt):
    """Everything that was sent and not turned down."""
    assert leaves_doubt(outcome) is doubt


TRANSIENT, SLOW = Retry(ServiceError(503, "X")), Retry(ServiceError(503, "SlowDown"), throttled=True)


@pytest.mark.parametrize(
    ("verdict", "delays"),
    [
        (TRANSIENT, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0]),
        (SLOW, [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]),
        (TRANSIENT._replace(free=True), [0.0, 0.0]),
        (TRANSIENT._replace(after=3.0), [3.0, 3.0, 3.0]),
        (TRANSIENT._replace(after=0.0), [0.05, 0.1]),
        (TRANSIENT._replace(after=3600.0), [5.05, 5.1, 5.2]),
        (SLOW._replace(after=3600.0), [6.0, 7.0, 9.0, 13.0, 21.0, 25.0, 25.0]),
        (SLOW._replace(after=1.5), [1.5, 2.0, 4.0]),
    ],
)
def test_longest_delays(verdict, delays):
    """They double up to a bound; what the store asks for counts, but not without end."""
    policy = RetryPolicy()
    assert [policy.delay(n, verdict, 1.0) for n in range(1, len(delays) + 1)] == pytest.approx(delays)


@pytest.mark.parametrize(("jitter", "delay"), [(0.0, 0.0), (0.25, 1.0), (0.5, 2.0)])
def test_delays_are_spread(jitter, delay):
    """From nothing to the whole, so that a crowd does not come back all at once."""
    assert RetryPolicy().delay(3, SLOW, jitter) == delay
    assert RetryPolicy().delay(3, SLOW._replace(after=1.5), jitter) == max(delay, 1.5)


def test_delays_by_another_policy():
    """Both scales and the bound are settings."""
    policy = RetryPolicy(transient_scale=1, throttled_scale=4, longest_delay=10)
    assert [policy.delay(n, TRANSIENT, 1.0) for n in (1, 2, 5)] == [1.0, 2.0, 10.0]
    assert [policy.delay(n, SLOW, 1.0) for n in (1, 2, 5)] == [4.0, 8.0, 10.0]


@pytest.mark.parametrize(
    ("verdict", "price", "times"),
    [(TRANSIENT, 14, 35), (SLOW, 5, 100)],
)
def test_quota(verdict, price, times):
    """500 tokens buy so many retries; then none, until successes give some back."""
    quota = RetryQuota()
    assert [quota.take(verdict) for _ in range(times)] == [price] * times
    assert quota.take(verdict) is None
    assert quota.take(verdict._replace(free=True)) == 0
    quota.give_back(price)
    assert quota.take(verdict) == price
    assert quota.take(verdict) is None


def test_quota_never_exceeds_its_capacity():
    """Long good times do not pay for endless retries later."""
    quota = RetryQuota()
    assert quota.take(TRANSIENT) == 14
    quota.give_back(10_000)
    assert sum(quota.take(TRANSIENT) is not None for _ in range(100)) == 35


def test_quota_of_another_process_is_full():
    """Pickled, it is a new one; its lock could not come along."""
    quota = RetryQuota()
    while quota.take(TRANSIENT) is not None:
        pass
    assert pickle.loads(pickle.dumps(quota)).take(TRANSIENT) == 14


def paced(seconds: float, per_second: float, rate: SendRate | None = None, begin: float = 1000.0) -> SendRate:
    """A rate that has heard good answers for so long, so many a second."""
    rate = rate or SendRate()
    for number in range(int(seconds * per_second)):
        rate.heard(False, begin + number / per_second)
    return rate


def test_nobody_waits_until_the_store_asks_for_it():
    """However fast requests are sent."""
    rate = paced(3, 200)
    assert [rate.wait(1003.0) for _ in range(1000)] == [0.0] * 1000
    assert rate.rate is None
    assert rate.measured == pytest.approx(200, rel=0.05)


def test_throttling_cuts_the_rate():
    """To 70 % of what was sent, and again at each refusal, but not under one request in two seconds."""
    rate = paced(3, 100)
    rate.heard(True, 1003.1)
    assert rate.rate == pytest.approx(70, rel=0.05)
    rate.heard(True, 1003.2)
    assert rate.rate == pytest.approx(49, rel=0.05)
    for _ in range(30):
        rate.heard(True, 1003.3)
    assert rate.rate == SendRate.SLOWEST


def test_requests_are_spaced_by_the_rate():
    """Each is promised its own moment; whoever comes later than his has nothing to wait for."""
    rate = paced(3, 100)
    rate.heard(True, 1003.0)
    step = 1 / rate.rate
    assert [rate.wait(1003.0) for _ in range(3)] == pytest.approx([step, 2 * step, 3 * step])
    assert rate.wait(1003.0 + 10 * step) == 0.0
    assert rate.wait(1003.0 + 10 * step) == 0.0


def test_slow_rate_lets_one_request_pass():
    """After so long a silence it has been waited for, even if that was one request in two seconds."""
    rate = paced(30, 0.5)
    for _ in range(10):
        rate.heard(True, 1030.0)
    assert rate.rate == SendRate.SLOWEST
    assert rate.wait(2000.0) == 0.0
    assert rate.wait(2000.0) == 2.0


@pytest.mark.parametrize(
    ("after", "expected"),
    [(1.0, 87), (4.0, 100), (6.0, 102), (8.0, 122)],
)
def test_rate_climbs_back_along_the_curve(after, expected):
    """Towards where it was refused, slowly there, and faster beyond: 0.4 (t - K)^3 + 100, K = 75^(1/3) s."""
    rate = paced(3, 100)
    rate.heard(True, 1003.0)
    paced(after, 100, rate, 1003.01)
    assert rate.rate == pytest.approx(expected, rel=0.05)


def test_rate_is_at_most_twice_what_is_sent():
    """Who sends little earns no great rate by waiting."""
    rate = paced(3, 100)
    rate.heard(True, 1003.0)
    paced(30, 4, rate, 1003.1)
    assert rate.rate == pytest.approx(8, rel=0.1)


def test_clock_that_jumps_back_does_no_harm():
    """It is the system's clock."""
    rate = paced(3, 100)
    rate.heard(True, 1003.0)
    assert rate.wait(900.0) < 0.1
    rate.heard(False, 900.0)
    assert rate.rate >= SendRate.SLOWEST
    assert pickle.loads(pickle.dumps(rate)).rate is None

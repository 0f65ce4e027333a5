"""The loop, against a scripted transport: what is sent, how often, signed how, and what the caller gets."""

from __future__ import annotations

import logging
import pickle

import pytest

from s3target.errors import (
    AccessDenied,
    BadResponse,
    ConfigError,
    ConnectFailed,
    ConnectionDropped,
    CredentialsError,
    NoSuchBucket,
    NoSuchKey,
    NotFound,
    PreconditionFailed,
    RefreshFailed,
    S3Error,
    ServerFault,
    ServiceError,
    Throttled,
    TimedOut,
)
from s3target.protocol import sigv4
from s3target.protocol.encoding import amz_timestamp
from s3target.protocol.endpoint import Endpoint, Location, sts_endpoint
from s3target.protocol.messages import BytesBody, Credentials, Origin
from s3target.protocol.operations.base import Fixed
from s3target.protocol.operations.buckets import HeadBucket
from s3target.protocol.operations.identity import AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity
from s3target.protocol.operations.listing import DeleteObjects, ListObjectsV2
from s3target.protocol.operations.multipart import CompleteMultipartUpload, Part
from s3target.protocol.operations.objects import (
    CopyObject,
    CopySource,
    GetObject,
    HeadObject,
    PutObject,
)
from s3target.retry import RetryPolicy
from s3target.value import dataclass, replace
from scripted import (
    KEYS,
    NOW,
    STORE,
    Clock,
    Keys,
    Pieces,
    Scripted,
    client_for,
    date,
    error_reply,
    reply,
)

PUT = PutObject("b", "k", BytesBody(b"hello"))
HEAD = HeadObject("b", "k")
GET = GetObject("b", "k")
LIST = ListObjectsV2("b")
COPY = CopyObject(CopySource("f", "g"), "b", "k")
COMPLETE = CompleteMultipartUpload("b", "k", "u", (Part(1, "e"),))
PAGE = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
COPIED = b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"
EU = "<Region>eu-west-1</Region>"
GOOD_HEAD = reply(200, content_length="5", etag='"e"')
SESSION = Credentials("ASIA1", "secret-1", "token-1")
RENEWED = Credentials("ASIA2", "secret-2", "token-2")


def key_ids(transport: Scripted) -> list[str]:
    """Whose signature each request bears."""
    return [
        request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in transport.requests
    ]


def regions(transport: Scripted) -> list[str]:
    """The region each request is signed for."""
    return [request.headers["authorization"].split("/")[2] for request in transport.requests]


def stamps(transport: Scripted) -> list[str]:
    return [request.headers["x-amz-date"] for request in transport.requests]


def test_one_request_and_its_result():
    """No more than one exchange, and no pause."""
    clock, transport = Clock(), Scripted(reply(200, etag='"e"'))
    assert client_for(transport, clock=clock).call(PUT).e_tag == "e"
    assert transport.log == ["PUT /b/k 200"]
    assert clock.naps == []


def test_request_is_sealed_and_signed():
    """Checksum, payload hash and signature are those that the parts below make."""
    transport = Scripted(reply(200))
    client_for(transport).call(PUT)
    (request,) = transport.requests
    assert request.headers["x-amz-checksum-crc32"] == "NhCmhg=="
    assert request.headers["host"] == "store.test:9000"
    bare = {name: value for name, value in request.headers.items() if name not in ("authorization", "x-amz-date")}
    del bare["host"]
    assert request == sigv4.sign(request._replace(headers=bare), KEYS, NOW, {})


@pytest.mark.parametrize(
    ("settings", "operation", "header", "expected"),
    [
        ({}, PUT, "x-amz-content-sha256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        ({"payload_signing": False}, PUT, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ({"checksums": False}, PUT, "x-amz-checksum-crc32", None),
        ({"checksums": False}, DeleteObjects("b", ("k",)), "x-amz-checksum-crc32", None),
        ({"checksums": False}, DeleteObjects("b", ("k",)), "content-md5", "R3YvOChPMDzF2tyFCH0VIA=="),
    ],
)
def test_settings_of_sealing(settings, operation, header, expected):
    """Content-MD5 stays where S3 insists on it, whatever is turned off."""
    request = client_for(Scripted(), **settings).prepare(operation)
    if header == "content-md5":
        assert len(request.headers[header]) == 24
    else:
        assert request.headers.get(header) == expected


def test_busy_store_is_asked_again_with_a_new_signature():
    """Each attempt has its own date, and the pauses double."""
    clock = Clock()
    transport = Scripted(error_reply(503, "SlowDown"), reply(500), TimedOut("silence"), GOOD_HEAD)
    assert client_for(transport, clock=clock).call(HEAD).size == 5
    assert transport.log == ["HEAD /b/k 503", "HEAD /b/k 500", "HEAD /b/k TimedOut", "HEAD /b/k 200"]
    assert clock.naps == pytest.approx([1.0, 0.1, 0.2])
    assert stamps(transport)[:2] == ["20261122T120000Z", "20261122T120001Z"]
    assert len({request.headers["authorization"] for request in transport.requests}) == 2


def test_body_is_sent_whole_again():
    """It is opened anew by each attempt."""
    sent = []

    def reading(outcome):
        def move(request):
            with request.body.open() as reader:
                sent.append(reader.read())
            return outcome

        return move

    client_for(Scripted(reading(reply(500)), reading(ConnectionDropped("gone")), reading(reply(200)))).call(PUT)
    assert sent == [b"hello"] * 3


@pytest.mark.parametrize("max_attempts", [1, 2, 6])
def test_giving_up(max_attempts):
    """After so many attempts the last error is raised, and it says how many there were."""
    transport = Scripted(*[reply(500)] * (max_attempts - 1), error_reply(503, "SlowDown"))
    clock = Clock()
    with pytest.raises(Throttled) as caught:
        client_for(transport, clock=clock, policy=RetryPolicy(max_attempts=max_attempts)).call(HEAD)
    assert caught.value.attempts == max_attempts == len(transport.log)
    assert (f"after {max_attempts} attempts" in str(caught.value)) == (max_attempts > 1)
    assert len(clock.naps) == max_attempts - 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error_reply(404, "NoSuchKey"), NoSuchKey),
        (error_reply(412, "PreconditionFailed"), PreconditionFailed),
        (error_reply(501, "NotImplemented"), ServerFault),
        (error_reply(400, "EntityTooLarge"), ServiceError),
    ],
)
def test_no_use_in_trying_again(answer, kind):
    """The error comes at once."""
    transport, clock = Scripted(answer), Clock()
    with pytest.raises(kind) as caught:
        client_for(transport, clock=clock).call(PUT)
    assert (caught.value.attempts, clock.naps) == (1, [])
    assert (caught.value.bucket, caught.value.key, caught.value.operation) == ("b", "k", "PutObject")


def test_retry_after_is_heeded():
    """The pause is at least what the store asks for."""
    transport, clock = Scripted(reply(503, retry_after="4"), GOOD_HEAD), Clock()
    client_for(transport, clock=clock, random=lambda: 0.0).call(HEAD)
    assert clock.naps == [4.0]


def test_quota_ends_retries_of_all_calls():
    """A store that is down is asked once per call in the end, not six times."""
    transport = Scripted(*[reply(500)] * 60)
    client = client_for(transport)
    counts = []
    for _ in range(10):
        with pytest.raises(ServerFault) as caught:
            client.call(HEAD)
        counts.append(caught.value.attempts)
    assert counts == [6] * 7 + [1] * 3
    assert len(transport.log) == sum(counts)


def test_success_pays_back():
    """Retries that help are free in the long run."""
    client = client_for(Scripted(*[reply(500), GOOD_HEAD] * 100))
    for _ in range(100):
        assert client.call(HEAD).size == 5


def test_success_at_once_pays_in():
    """A store that has recovered is worth retries again."""
    client = client_for(Scripted(*[reply(500)] * 43, *[GOOD_HEAD] * 4, reply(500), GOOD_HEAD))
    for _ in range(8):
        with pytest.raises(ServerFault) as caught:
            client.call(HEAD)
    assert caught.value.attempts == 1
    for _ in range(5):
        assert client.call(HEAD).size == 5


def test_deadline_bounds_a_call():
    """No pause is begun that would end behind it; the error is the one that had come."""
    clock = Clock()
    transport = Scripted(*[error_reply(503, "SlowDown")] * 3)
    with pytest.raises(Throttled) as caught:
        client_for(transport, clock=clock, policy=RetryPolicy(deadline=5.0)).call(HEAD)
    assert clock.naps == [1.0, 2.0]
    assert caught.value.attempts == 3


def test_retry_that_the_deadline_forbids_costs_nothing():
    """Tokens are for retries that are made."""
    client = client_for(Scripted(*[reply(500)] * 40, reply(500), GOOD_HEAD), policy=RetryPolicy(deadline=0.01))
    for _ in range(40):
        with pytest.raises(ServerFault):
            client.call(HEAD)
    client.policy = RetryPolicy()
    assert client.call(HEAD).size == 5


def test_stale_connection_costs_no_attempt():
    """A pooled connection that the store had closed is no fault of anyone's: again at once."""
    transport, clock = Scripted(*[ConnectionDropped("stale", reused=True)] * 10, GOOD_HEAD), Clock()
    assert client_for(transport, clock=clock, policy=RetryPolicy(max_attempts=1)).call(HEAD).size == 5
    assert clock.naps == []


def test_connections_that_are_always_stale():
    """Even so the loop ends."""
    transport, clock = Scripted(*[ConnectionDropped("stale", reused=True)] * 18), Clock()
    with pytest.raises(ConnectionDropped) as caught:
        client_for(transport, clock=clock, policy=RetryPolicy(max_attempts=2)).call(HEAD)
    assert caught.value.attempts == 18 == len(transport.log)
    assert clock.naps == [0.05]


def test_connection_that_cannot_be_made():
    """It is tried again too, and the transport's own error is raised."""
    failure = ConnectFailed("refused")
    with pytest.raises(ConnectFailed) as caught:
        client_for(Scripted(*[failure] * 6)).call(HEAD)
    assert caught.value is failure
    assert failure.attempts == 6


def test_bucket_in_another_region():
    """The request goes there, signed for it; later ones do so at once; other buckets do not."""
    aws = Endpoint(region="us-east-2")
    transport = Scripted(error_reply(301, "PermanentRedirect", EU), *[GOOD_HEAD] * 3)
    client, clock = client_for(transport, endpoint=aws, clock=(clock := Clock())), clock
    client.call(HeadObject("bucket", "k"))
    client.call(HeadObject("bucket", "k"))
    client.call(HeadObject("other", "k"))
    assert [request.origin.host for request in transport.requests] == [
        "bucket.s3.us-east-2.amazonaws.com",
        "bucket.s3.eu-west-1.amazonaws.com",
        "bucket.s3.eu-west-1.amazonaws.com",
        "other.s3.us-east-2.amazonaws.com",
    ]
    assert regions(transport) == ["us-east-2", "eu-west-1", "eu-west-1", "us-east-2"]
    assert clock.naps == []


def test_redirect_never_leaves_a_custom_endpoint():
    """Only the region that is signed for changes, so no signature reaches a host nobody asked for."""
    transport = Scripted(error_reply(400, "AuthorizationHeaderMalformed", EU), GOOD_HEAD)
    client_for(transport).call(HEAD)
    assert regions(transport) == ["us-east-1", "eu-west-1"]
    assert {request.origin for request in transport.requests} == {Origin("http", "store.test", 9000)}


def test_location_header_is_never_followed():
    """A redirect that names a host and no region ends in an error."""
    transport = Scripted(reply(307, location="http://evil.test/b/k"), reply(404))
    with pytest.raises(ServiceError) as caught:
        client_for(transport).call(HEAD)
    assert caught.value.code == "TemporaryRedirect"
    assert {request.origin.host for request in transport.requests} == {"store.test"}


def test_redirect_in_a_circle():
    """The second one is an error, as is one to where we are."""
    to_us = error_reply(301, "PermanentRedirect", "<Region>us-east-1</Region>")
    for script in ([error_reply(301, "PermanentRedirect", EU), to_us], [to_us]):
        transport = Scripted(*script)
        with pytest.raises(ServiceError, match="set region_name") as caught:
            client_for(transport).call(HEAD)
        assert caught.value.attempts == len(script) == len(transport.log)


def test_region_is_asked_for_where_the_redirect_does_not_say():
    """One HEAD of the bucket, which itself may be sent on."""
    transport = Scripted(reply(301), reply(301, x_amz_bucket_region="eu-west-1"), reply(200), GOOD_HEAD)
    assert client_for(transport).call(HEAD).size == 5
    assert transport.log == ["HEAD /b/k 301", "HEAD /b 301", "HEAD /b 200", "HEAD /b/k 200"]
    assert regions(transport) == ["us-east-1", "us-east-1", "eu-west-1", "eu-west-1"]


def test_head_of_a_bucket_that_is_nobody_knows_where():
    """It is not asked for by itself again."""
    transport = Scripted(reply(301))
    with pytest.raises(ServiceError, match="set region_name"):
        client_for(transport).call(HeadBucket("b"))


def test_expired_session_is_renewed_once():
    """The next attempt is signed with the new keys, whole."""
    transport, keys = Scripted(error_reply(400, "ExpiredToken"), GOOD_HEAD), Keys(SESSION, RENEWED)
    assert client_for(transport, keys).call(HEAD).size == 5
    assert key_ids(transport) == ["ASIA1", "ASIA2"]
    assert [request.headers["x-amz-security-token"] for request in transport.requests] == ["token-1", "token-2"]
    assert keys.invalidated == [("ASIA1", True)]


def test_session_that_is_expired_again():
    """One renewal per call; the second refusal is the caller's."""
    transport, keys = Scripted(*[error_reply(400, "ExpiredToken")] * 2), Keys(SESSION, RENEWED, KEYS)
    with pytest.raises(ServiceError) as caught:
        client_for(transport, keys).call(HEAD)
    assert (caught.value.code, caught.value.attempts) == ("ExpiredToken", 2)


@pytest.mark.parametrize("answer", [reply(403), error_reply(403, "InvalidAccessKeyId")])
def test_session_that_may_have_expired(answer):
    """SeaweedFS and Ceph do not say so; the provider decides if the guess is worth an attempt."""
    transport, keys = Scripted(answer, GOOD_HEAD), Keys(SESSION, RENEWED)
    assert client_for(transport, keys).call(HEAD).size == 5
    assert keys.invalidated == [("ASIA1", False)]


def test_bare_400_that_names_the_region_it_was_signed_for():
    """Then it is not about the region: so AWS refuses the HEAD of an expired session."""
    answer = reply(400, x_amz_bucket_region="us-east-1")
    transport, keys = Scripted(answer, GOOD_HEAD), Keys(SESSION, RENEWED)
    assert client_for(transport, keys).call(HEAD).size == 5
    assert key_ids(transport) == ["ASIA1", "ASIA2"]


def test_keys_that_cannot_be_renewed():
    """403 is then 403."""
    transport = Scripted(reply(403))
    with pytest.raises(AccessDenied) as caught:
        client_for(transport).call(HEAD)
    assert caught.value.attempts == 1


def test_provider_that_fails():
    """Its error comes through, and nothing is sent."""

    class Failing(Keys):
        def get(self) -> Credentials | None:
            raise RefreshFailed("no answer from STS")

    transport = Scripted()
    with pytest.raises(RefreshFailed):
        client_for(transport, Failing()).call(HEAD)
    assert transport.requests == []


def test_skewed_clock_is_corrected_once_and_remembered():
    """By the store's Date; the next call is right from the start."""
    off = error_reply(403, "RequestTimeTooSkewed", date=date(NOW + 3600))
    transport, clock = Scripted(off, GOOD_HEAD, GOOD_HEAD), Clock()
    client = client_for(transport, clock=clock)
    client.call(HEAD)
    client.call(HEAD)
    assert stamps(transport) == ["20261122T120000Z", "20261122T130000Z", "20261122T130000Z"]
    assert clock.naps == []


def test_request_is_dated_when_its_keys_have_come():
    """A person may take half an hour to find the MFA code, and the store refuses what is older than 15 minutes."""
    clock, transport = Clock(), Scripted(GOOD_HEAD)

    class Slow(Keys):
        def get(self):
            clock.sleep(1800.0)
            return super().get()

    client_for(transport, Slow(), clock=clock).call(HEAD)
    assert transport.requests[0].headers["x-amz-date"] == amz_timestamp(NOW + 1800.0)


def test_skewed_clock_is_told_once(caplog):
    """However many threads run into it; a clock that is set meanwhile is another matter."""
    off = error_reply(403, "RequestTimeTooSkewed", date=date(NOW + 3600))
    transport = Scripted(lambda _: (client.call(HEAD), off)[1], off, GOOD_HEAD, GOOD_HEAD, GOOD_HEAD)
    client = client_for(transport)
    for _ in range(2):
        client.call(HEAD)
    told = [record for record in caplog.records if "clock" in record.getMessage()]
    assert [record.getMessage() for record in told] == ["this machine's clock is -3600 s off; signing by the store's"]


def test_clock_that_goes_on_to_be_skewed():
    """No endless correcting within a call."""
    transport = Scripted(*[error_reply(403, "RequestTimeTooSkewed", date=date(NOW + 3600 * n)) for n in (1, 3)])
    with pytest.raises(AccessDenied, match="set it by NTP") as caught:
        client_for(transport).call(HEAD)
    assert caught.value.attempts == 2


def test_clock_is_corrected_once_by_two_calls_at_once():
    """What one call learns while another is under way is not added to it."""
    off = error_reply(403, "RequestTimeTooSkewed", date=date(NOW + 3600))
    transport = Scripted(lambda _: (client.call(HEAD), off)[1], off, GOOD_HEAD, GOOD_HEAD, GOOD_HEAD)
    client = client_for(transport)
    client.call(HEAD)
    client.call(HEAD)
    assert stamps(transport)[-1] == "20261122T130000Z"


@pytest.mark.parametrize("content", [b"", b"<ListBucketResult>", b"<html/>", PAGE[:-1]])
def test_success_without_the_promised_document(content):
    """It is asked for again, and given up like other faults."""
    transport = Scripted(reply(200, content), reply(200, PAGE))
    assert client_for(transport).call(LIST).objects == []
    with pytest.raises(BadResponse) as caught:
        client_for(Scripted(*[reply(200, content)] * 6)).call(LIST)
    assert caught.value.attempts == 6


@pytest.mark.parametrize("operation", [COPY, COMPLETE])
def test_error_in_a_200(operation):
    """It is retried like the 500 it should have been, and raised as such."""
    in_200 = error_reply(200, "InternalError")
    with pytest.raises(ServerFault) as caught:
        client_for(Scripted(*[in_200] * 6)).call(operation)
    assert (caught.value.status, caught.value.code, caught.value.attempts) == (200, "InternalError", 6)


def test_error_in_a_200_then_success():
    """The result is that of the good answer."""
    transport = Scripted(error_reply(200, "SlowDown"), reply(200, COPIED))
    assert client_for(transport).call(COPY).e_tag == "e"


def test_stream_is_handed_on_unread():
    """The body of an object is the caller's to read and to close."""
    pieces = Pieces(b"hello")
    got = client_for(Scripted(reply(200, b"", pieces, content_length="5"))).call(GET)
    assert (pieces.reads, pieces.closed) == (0, False)
    assert got.stream.read() == b"hello"
    got.stream.close()
    assert pieces.closed


def test_stream_of_a_refused_answer_is_closed():
    """Its connection would be lost else."""
    pieces, good = Pieces(b"hel"), Pieces(b"hello")
    refused = reply(206, b"", pieces, content_length="3", content_range="bytes 0-9/10")
    got = client_for(Scripted(refused, reply(200, b"", good, content_length="5"))).call(GET)
    assert got.stream.read() == b"hello"
    assert (pieces.closed, good.closed) == (True, False)


def test_error_of_a_streaming_operation_is_read():
    """The document behind a 404 is read whole, in however many pieces, and its stream closed."""
    document = error_reply(404, "NoSuchKey").content
    pieces = Pieces(document[:20], document[20:])
    with pytest.raises(NoSuchKey, match="so it is"):
        client_for(Scripted(reply(404, b"", pieces))).call(GET)
    assert pieces.closed


def test_document_is_read_from_its_stream():
    """Whole, in however many pieces it comes."""
    pieces = Pieces(PAGE[:7], PAGE[7:30], PAGE[30:])
    assert client_for(Scripted(reply(200, b"", pieces))).call(LIST).objects == []
    assert pieces.closed


def test_document_that_breaks_off():
    """The connection's error counts as one of the attempt."""
    broken = Pieces(PAGE[:7], ConnectionDropped("gone"))
    transport = Scripted(reply(200, b"", broken), reply(200, b"", Pieces(PAGE)))
    assert client_for(transport).call(LIST).objects == []
    assert broken.closed
    assert len(transport.log) == 2


def cut(status: int, **headers: str):
    """An error answer whose connection drops inside of its document."""
    return reply(status, b"", Pieces(b"<Error><Code>NoSu", ConnectionDropped("gone")), **headers)


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_error_that_breaks_off_is_asked_for_again(status):
    """Its code decides what it means: whether keys have expired, or a key or its bucket is missing."""
    keys, first = Keys(SESSION, RENEWED), cut(status, x_amz_bucket_region="us-east-1")
    transport = Scripted(first, error_reply(404, "NoSuchBucket"))
    with pytest.raises(NoSuchBucket):
        client_for(transport, keys).call(GET)
    assert transport.log == [f"GET /b/k {status}", "GET /b/k 404"]
    assert first.stream.closed
    assert keys.invalidated == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, ServiceError), (403, AccessDenied), (404, NotFound), (429, Throttled), (500, ServerFault)],
)
def test_error_that_never_comes_whole(status, kind):
    """In the end the status says what it was, for instance behind a proxy that cuts all of them off."""
    transport = Scripted(*[cut(status) for _ in range(3)])
    with pytest.raises(kind, match="the answer was cut off after 3 attempts") as caught:
        client_for(transport, policy=RetryPolicy(max_attempts=3)).call(GET)
    assert (caught.value.status, caught.value.attempts) == (status, 3)


def test_redirect_that_breaks_off():
    """Its headers have named the region."""
    transport = Scripted(cut(301, x_amz_bucket_region="eu-west-1"), reply(200, PAGE))
    assert client_for(transport).call(LIST).objects == []
    assert regions(transport) == ["us-east-1", "eu-west-1"]


def test_refused_condition_that_breaks_off():
    """A 412 has one meaning, so the store is asked at once whether it is this call's own doing."""
    transport = Scripted(TimedOut("silence"), cut(412), OURS)
    assert client_for(transport).call(put_once()).e_tag == HELLO_MD5.strip('"')
    assert transport.log == ["PUT /b/k TimedOut", "PUT /b/k 412", "HEAD /b/k 200"]


@dataclass(frozen=True)
class Small(HeadBucket):
    """An operation whose answer may have ten bytes."""

    max_reply = 10

    def parse(self, response):
        return response.content


@pytest.mark.parametrize("pieces", [(b"0123456789",), (b"01234", b"56789"), (b"012", b"345", b"678", b"9"), ()])
def test_answer_within_its_limit(pieces):
    """Up to max_reply bytes are read."""
    assert client_for(Scripted(reply(200, b"", Pieces(*pieces)))).call(Small("b")) == b"".join(pieces)


@pytest.mark.parametrize(
    "pieces", [(b"01234567890",), (b"0123456789", b"0"), (b"01234", b"56789", b"0"), (b"x" * 1000,) * 3]
)
def test_answer_over_its_limit(pieces):
    """Memory stays bounded whatever a store sends; the rest is not read."""
    streams = [Pieces(*pieces) for _ in range(2)]
    transport = Scripted(*[reply(200, b"", stream) for stream in streams])
    with pytest.raises(BadResponse, match="over 10 bytes"):
        client_for(transport, policy=RetryPolicy(max_attempts=2)).call(Small("b"))
    assert all(stream.closed and stream.reads <= 3 for stream in streams)


def test_error_document_is_read_up_to_a_limit():
    """Of an error less is wanted than of a listing; the status tells what it is then."""
    pieces = Pieces(*[b" " * (1 << 16)] * 6)
    with pytest.raises(NotFound):
        client_for(Scripted(reply(404, b"", pieces))).call(LIST)
    assert (pieces.closed, pieces.reads) == (True, 5)
    assert client_for(Scripted(reply(200, b"", Pieces(b" " * (1 << 19), PAGE)))).call(LIST).objects == []


def test_presigned_url():
    """By the client's own clock, keys and endpoint; nothing is sent."""
    url = client_for(Scripted()).presign(GET, 60)
    request = GET.request(STORE)
    assert url == sigv4.presign(request, KEYS, NOW, 60, {})
    assert url.startswith("http://store.test:9000/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F")


def test_presigned_url_of_a_bucket_elsewhere():
    """What an earlier call learnt of region and clock is used."""
    off = error_reply(403, "RequestTimeTooSkewed", date=date(NOW + 3600))
    client = client_for(Scripted(error_reply(301, "PermanentRedirect", EU), off, GOOD_HEAD))
    client.call(HEAD)
    url = client.presign(GET)
    assert "%2Feu-west-1%2Fs3%2F" in url
    assert "X-Amz-Date=20261122T130000Z&X-Amz-Expires=3600&" in url


def test_presigned_url_that_cannot_be():
    """Without keys, or for longer than AWS takes."""
    with pytest.raises(CredentialsError, match="anonymous"):
        client_for(Scripted(), Keys(None)).presign(GET)
    with pytest.raises(ConfigError, match="604800"):
        client_for(Scripted()).presign(GET, 604801)


def test_anonymous_requests_are_unsigned():
    """No Authorization, no date; a refusal is final."""
    transport = Scripted(GOOD_HEAD, reply(403))
    client = client_for(transport, Keys(None))
    client.call(HEAD)
    assert not {"authorization", "x-amz-date", "x-amz-security-token"} & set(transport.requests[0].headers)
    with pytest.raises(AccessDenied):
        client.call(HEAD)


STS = Fixed(sts_endpoint("eu-west-1"))
IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"
    b"</GetCallerIdentityResponse>"
)
ASSUMED = (
    b"<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AK</AccessKeyId>"
    b"<SecretAccessKey>SK</SecretAccessKey><Expiration>2026-11-22T21:44:13Z</Expiration></Credentials>"
    b"</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
)


def test_sts_is_called_like_s3():
    """Signed for its own service and region, with the same retries."""
    transport = Scripted(reply(503), reply(200, IDENTITY))
    assert client_for(transport, endpoint=STS).call(GetCallerIdentity()).account == "1"
    assert transport.log == ["POST / 503", "POST / 200"]
    assert "/eu-west-1/sts/aws4_request" in transport.requests[0].headers["authorization"]


def test_sts_that_refuses():
    """The error names the operation and no bucket."""
    with pytest.raises(AccessDenied, match=r"^AssumeRole: 403 AccessDenied") as caught:
        client_for(Scripted(error_reply(403, "AccessDenied")), endpoint=STS).call(AssumeRole("r", "me"))
    assert caught.value.bucket is None


def test_sts_body_is_signed_always():
    """payload_signing is a setting of S3 alone."""
    transport = Scripted(reply(200, IDENTITY))
    client_for(transport, endpoint=STS, payload_signing=False).call(GetCallerIdentity())
    assert transport.requests[0].headers.get("x-amz-content-sha256") != "UNSIGNED-PAYLOAD"


def test_web_identity_is_never_signed():
    """No keys are asked for, since there are none yet."""

    class None_(Keys):
        def get(self) -> Credentials | None:
            raise AssertionError("asked for keys")

    transport = Scripted(reply(200, ASSUMED))
    keys = client_for(transport, None_(), endpoint=STS).call(AssumeRoleWithWebIdentity("r", "me", "t"))
    assert keys.access_key_id == "AK"
    assert set(transport.requests[0].headers) == {"content-type"}


def test_client_pickles_without_keys():
    """Signing keys and the clock's offset stay here; what was learnt of regions goes along."""
    off = error_reply(403, "RequestTimeTooSkewed", date=date(NOW + 3600))
    client = client_for(Scripted(error_reply(301, "PermanentRedirect", EU), off, GOOD_HEAD), random=float)
    client.call(HEAD)
    (key,) = set(client._keys.values()) - {
        sigv4.signing_key(KEYS.secret_access_key, sigv4.Scope("20261122", "us-east-1", "s3"))
    }
    client.transport = Scripted(GOOD_HEAD)
    pickled = pickle.dumps(client)
    assert key not in pickled
    twin = pickle.loads(pickled)
    assert twin.call(HEAD).size == 5
    assert stamps(twin.transport) == ["20261122T120000Z"]
    assert regions(twin.transport) == ["eu-west-1"]


def test_close_and_with():
    """Both close the transport."""
    transport = Scripted()
    with client_for(transport) as client:
        assert not transport.closed
    assert transport.closed
    client.transport = again = Scripted()
    client.close()
    assert again.closed


def test_pause_of_those_who_resume_a_body():
    """Whoever reads a body that broke off waits by the same policy and gives up by it."""
    clock, gone = Clock(), ConnectionDropped("gone")
    client = client_for(Scripted(), clock=clock, policy=RetryPolicy(max_attempts=3))
    client.pause(1, gone)
    client.pause(2, gone)
    assert clock.naps == pytest.approx([0.05, 0.1])
    with pytest.raises(ConnectionDropped) as caught:
        client.pause(3, gone)
    assert caught.value.attempts == 3


def test_no_log_line_shows_a_secret(caplog):
    """Neither secret key nor token nor signature, at any level, whatever happens."""
    session = replace(SESSION, secret_access_key="SECRET-KEY", session_token="SECRET-TOKEN")
    off = error_reply(403, "RequestTimeTooSkewed", date=date(NOW + 3600))
    transport = Scripted(
        reply(500),
        error_reply(301, "PermanentRedirect", EU),
        off,
        error_reply(400, "ExpiredToken"),
        TimedOut("x"),
        GOOD_HEAD,
    )
    with caplog.at_level(logging.DEBUG):
        client_for(transport, Keys(session, replace(session, access_key_id="2"))).call(HEAD)
    assert len(caplog.records) >= 4
    signatures = [request.headers["authorization"].rpartition("=")[2] for request in transport.requests]
    assert not any(secret in caplog.text for secret in ("SECRET", *signatures))


def test_locator_of_one_address_is_never_redirected():
    """Operations without a bucket have no region to be sent to."""
    location = Location(Origin("http", "sts.test", 80), "", "us-east-1", "sts")
    transport = Scripted(reply(301, x_amz_bucket_region="eu-west-1"))
    with pytest.raises(S3Error):
        client_for(transport, endpoint=Fixed(location)).call(GetCallerIdentity())
    assert len(transport.log) == 1


def put_once(content: bytes = b"hello") -> PutObject:
    return PutObject("b", "k", BytesBody(content), {"if-none-match": "*"})


HELLO_MD5 = '"5d41402abc4b2a76b9719d911017c592"'
OURS = reply(200, content_length="5", etag=HELLO_MD5)
THEIRS = reply(200, content_length="5", etag='"0d41402abc4b2a76b9719d911017c592"')
EXISTS = error_reply(412, "PreconditionFailed")
GONE = error_reply(404, "NoSuchUpload")
LOST = [
    ConnectionDropped("answer lost"),
    ConnectionDropped("answer lost", reused=True),
    TimedOut("no answer"),
    BadResponse("half an answer"),
    reply(500),
    reply(503),
]


@pytest.mark.parametrize("lost", LOST)
def test_conditional_put_whose_answer_was_lost_knows_its_own_object(lost):
    """The 412 is the doing of the first attempt: the store is asked, and the write has succeeded."""
    transport = Scripted(lost, EXISTS, OURS)
    written = client_for(transport).call(put_once())
    assert written.e_tag == HELLO_MD5.strip('"')
    assert [line.split()[0] for line in transport.log] == ["PUT", "PUT", "HEAD"]


@pytest.mark.parametrize("found", [THEIRS, reply(404), reply(403), error_reply(501, "NotImplemented")])
def test_conditional_put_that_really_lost(found):
    """Somebody else's object is there, or nobody can say: the refusal stands."""
    with pytest.raises(PreconditionFailed) as caught:
        client_for(Scripted(LOST[0], EXISTS, *[found] * 2), policy=RetryPolicy(max_attempts=2)).call(put_once())
    assert caught.value.attempts == 2


@pytest.mark.parametrize("harmless", [ConnectFailed("refused"), error_reply(400, "RequestTimeout"), reply(429)])
def test_attempts_without_any_effect_leave_no_doubt(harmless):
    """What was never sent, or was turned down before it was done, cannot be the reason: no HEAD is spent."""
    transport = Scripted(harmless, EXISTS)
    with pytest.raises(PreconditionFailed):
        client_for(transport).call(put_once())
    assert len(transport.log) == 2


def test_doubt_stays():
    """An attempt between, which had no effect, does not settle what became of the first one."""
    transport = Scripted(LOST[0], reply(429), EXISTS, OURS)
    assert client_for(transport).call(put_once()).e_tag == HELLO_MD5.strip('"')


def test_first_refusal_is_believed():
    """There was no attempt before it."""
    transport = Scripted(EXISTS)
    with pytest.raises(PreconditionFailed):
        client_for(transport).call(put_once())
    assert len(transport.log) == 1


@pytest.mark.parametrize("lost", [*LOST, reply(200, b""), reply(200, b"<Error><Code>InternalError</Code></Error>")])
def test_complete_whose_answer_was_lost(lost):
    """The upload is gone because it is complete."""
    transport = Scripted(lost, GONE, reply(200, content_length="5", etag='"%s-1"' % ("0" * 32), x_amz_a="1"))
    parts = (Part(1, "opaque", 5),)
    written = client_for(transport).call(CompleteMultipartUpload("b", "k", "u", parts))
    assert written.e_tag == "0" * 32 + "-1"


def test_complete_of_an_upload_that_never_was():
    """Nothing of it is at the key."""
    with pytest.raises(ServiceError) as caught:
        client_for(Scripted(LOST[0], GONE, reply(404))).call(COMPLETE)
    assert caught.value.code == "NoSuchUpload"


def test_conflict_of_two_conditional_puts_is_tried_again():
    """S3 asks for it: 409 ConditionalRequestConflict says that nobody has won yet."""
    conflict = error_reply(409, "ConditionalRequestConflict")
    transport = Scripted(conflict, reply(200, etag=HELLO_MD5))
    assert client_for(transport).call(put_once()).e_tag == HELLO_MD5.strip('"')
    with pytest.raises(PreconditionFailed):
        client_for(Scripted(conflict)).call(COMPLETE)
    transport = Scripted(LOST[0], conflict, reply(200, etag=HELLO_MD5))  # no HEAD while nobody has won
    assert client_for(transport).call(put_once()).e_tag == HELLO_MD5.strip('"')


def test_adaptive_mode_slows_down_after_throttling():
    """Requests before it go at once; those behind it wait for their turn. Other modes never do."""
    slow = error_reply(503, "SlowDown")
    for adaptive in (True, False):
        clock = Clock()
        transport = Scripted(GOOD_HEAD, slow, *[GOOD_HEAD] * 8)
        client = client_for(transport, clock=clock, policy=RetryPolicy(adaptive=adaptive))
        for _ in range(9):
            client.call(HEAD)
        assert clock.naps[0] == 1.0
        assert (sum(clock.naps) > 2.5) is adaptive
        assert (len(clock.naps) == 1) is not adaptive

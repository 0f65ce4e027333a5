"""Single steps, for what stores and networks seldom do: answers, keys and clocks made up for the occasion."""

from __future__ import annotations

import re
import socket
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any

import pytest

from connected import settings_for
from s3target.cli.doctor.finding import NTP, Finding, Patient
from s3target.cli.doctor.network import (
    _name,
    answers,
    certificate,
    clock,
    is_of_store,
    keys,
    proxy_and_tls,
    reach,
    settings_in_use,
)
from s3target.cli.doctor.scratch import _STEPS, Scratch, attempt, reads
from s3target.cli.doctor.store import access, addressing, identity, lines_to_paste, orphans, region
from s3target.composition import connect, resolved
from s3target.errors import (
    AccessDenied,
    ConfigError,
    ConnectFailed,
    CredentialsError,
    ServerFault,
    TimedOut,
    TransportError,
)
from s3target.filesystem import S3Path
from s3target.protocol.messages import BytesBody, Credentials, Request, Response
from s3target.protocol.operations.objects import PutObject
from s3target.retry import RetryPolicy
from scripted import NOW, Pieces, date, error_reply, reply
from server.scripted_socket import Peer, ScriptedServer
from servers.store import Store
from stores import over

KEYS = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}


@pytest.fixture(autouse=True)
def no_authority_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


class Scripted:
    """In place of the network: plays its moves in turn, the last one for ever."""

    def __init__(self, *moves: Response | TransportError) -> None:
        self._moves = list(moves)
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        move = self._moves.pop(0) if len(self._moves) > 1 else self._moves[0]
        if isinstance(move, Exception):
            raise move
        return move

    def close(self) -> None:
        pass


def patient_of(*moves: Response | TransportError, at: float = NOW, **arguments: Any) -> Patient:
    """Of a store that answers so; all tries are single. at: the time on the clock here."""
    given = {"endpoint_url": "http://store.example", **KEYS, **arguments}
    patient = Patient(connect(**given), resolved(given), S3Path("bucket", "p/"), clock=lambda: at)
    patient.client.policy = RetryPolicy(max_attempts=1)
    if moves:
        patient.http = Scripted(*moves)  # type: ignore[assignment]
    return patient


# ------------------------------------------------------------------------------------------------- settings and keys


def test_settings_that_matter_are_always_told() -> None:
    """Of the others those that are not the default; of none there is a word as well."""
    told = [finding.text for finding in settings_in_use(patient_of(endpoint_url=None, max_attempts=3))]
    wanted = ["region_name = us-east-1 (default)", "endpoint_url = AWS (default)", "verify = True (default)"]
    assert {*wanted, "addressing_style = auto (default)", "max_attempts = 3 (argument)"} <= set(told)
    assert not [line for line in told if line.startswith("part_size")]


class Provider:
    """Gives these keys, or raises."""

    def __init__(self, given: Credentials | Exception | None) -> None:
        self._given = given

    def get(self) -> Credentials | None:
        if isinstance(self._given, Exception):
            raise self._given
        return self._given


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        (CredentialsError("no keys"), "failed", "no keys"),
        (ConfigError("a bad profile"), "failed", "a bad profile"),
        (ConnectFailed("no route"), "failed", "the provider of the keys cannot be asked: no route"),
        (None, "ok", "none: requests go unsigned, as was asked for"),
        (Credentials("AK", "s"), "ok", "access key id AK by a provider; they do not expire"),
        (Credentials("AK", "s", "t", NOW + 7300, "sso"), "ok", "access key id AK by sso; good for 2 h"),
    ],
)
def test_whose_keys(given: Credentials | Exception | None, status: str, told: str) -> None:
    """And how long they live; to give others is a remedy unless the provider alone is to blame."""
    patient = patient_of()
    patient.client.credentials = Provider(given)  # type: ignore[assignment]
    found = keys(patient)
    assert (found.status, found.step, found.text) == (status, "credentials", told)
    assert bool(found.remedy) is isinstance(given, (CredentialsError, ConfigError))


# -------------------------------------------------------------------------------------------------------- the network


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ({"organizationName": "O", "commonName": "C"}, "C"),
        ({"countryName": "X", "organizationName": "O"}, "O"),
        ({"countryName": "X"}, "nobody"),
    ],
)
def test_whose_certificate(subject: dict[str, str], name: str) -> None:
    """The most telling attribute."""
    assert _name(tuple(((attribute, value),) for attribute, value in subject.items())) == name


@over("seaweedfs-tls")
@pytest.mark.parametrize(("left", "remedy"), [(13, "it ends soon: have it renewed"), (15, "")])
def test_a_certificate_that_ends_soon(store: Store, left: int, remedy: str) -> None:
    """From two weeks on."""
    patient = patient_of(at=time.time(), **settings_for(store))
    assert certificate(patient) is None
    proxy_and_tls(patient)
    found = certificate(patient)
    assert found
    days = re.search(r"good for (\d+) days", found.text)
    assert days
    patient.clock = lambda: time.time() + (int(days[1]) - left) * 86400
    found = certificate(patient)
    assert found
    assert found.remedy == remedy


def test_a_store_that_does_not_take_connections() -> None:
    """A listener whose queue is full answers no SYN."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(4):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(("127.0.0.1", port))
        found = reach(patient_of(endpoint_url=f"http://127.0.0.1:{port}", connect_timeout=0.2))
    assert (found.status, found.step) == ("failed", "connect")
    assert found.text == f"no connection to 127.0.0.1:{port}: no answer in time"


def test_tls_that_cannot_be() -> None:
    """The setting is wrong, or there is no TLS."""
    found = proxy_and_tls(patient_of(endpoint_url="https://127.0.0.1:9", verify="/no/such.pem"))
    assert found
    assert (found.status, found.step) == ("failed", "tls")
    assert "correct verify" in found.remedy

    def refuse(peer: Peer) -> None:
        assert peer.sock.recv(1024)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ScriptedServer(refuse) as server:
        found = proxy_and_tls(patient_of(endpoint_url=f"https://127.0.0.1:{server.port}"))
    assert found
    assert (found.status, found.step) == ("failed", "tls")
    assert found.remedy == "check scheme, host and port of endpoint_url"


@pytest.mark.parametrize(
    ("move", "status", "told"),
    [
        (reply(200, server="Ceph"), "ok", "Ceph answers by HTTP"),
        (reply(403), "ok", "a server that does not say its name answers by HTTP"),
        (reply(200, stream=Pieces(b"x")), "ok", "a server that does not say its name answers by HTTP"),
        (TimedOut("too late"), "failed", "no answer by HTTP: too late"),
        (reply(200, stream=Pieces(TimedOut("half"))), "failed", "no answer by HTTP: half"),
    ],
)
def test_what_answers(move: Response | TransportError, status: str, told: str) -> None:
    """Its body is read as far as it matters, and let go."""
    found = answers(patient_of(move))
    assert (found.status, found.step, found.text) == (status, "answer", told)
    if isinstance(move, Response) and move.stream:
        assert move.stream.closed  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "of_store"),
    [
        (reply(403, x_amz_request_id="1"), True),
        (error_reply(403, "AccessDenied"), True),
        (reply(403, b"<html>", server="nginx"), False),
    ],
)
def test_a_proxy_that_answers_in_place_of_the_store(answer: Response, of_store: bool) -> None:
    """By a refusal that has no mark of one."""
    assert is_of_store(answer) is of_store
    patient = patient_of(answer, proxies={"http": "http://proxy:1"})
    assert (answers(patient).step == "answer") is of_store
    assert answers(patient_of(reply(200), proxies={"http": "http://proxy:1"})).step == "answer"


@pytest.mark.parametrize(
    ("ahead", "status", "told", "remedy"),
    [
        (0, "ok", "the same as the store's, within 5 s", ""),
        (-4, "ok", "the same as the store's, within 5 s", ""),
        (30, "ok", "this machine is 30 s ahead of the store", ""),
        (-90, "ok", "this machine is 90 s behind the store", NTP),
        (899, "ok", "this machine is 15 min ahead of the store", NTP),
        (-901, "fixed", "this machine is 15 min behind the store: requests are signed by the store's clock", NTP),
    ],
)
def test_clocks(ahead: int, status: str, told: str, remedy: str) -> None:
    """From a minute on it should be set; from 15 on a store refuses."""
    patient = patient_of(at=NOW + ahead)
    patient.answer = reply(200, date=date(NOW))
    assert clock(patient) == Finding(status, "clock", told, remedy)


def test_a_store_without_a_clock() -> None:
    """Is a note."""
    patient = patient_of()
    patient.answer = reply(200)
    assert clock(patient) == Finding("note", "clock", "the store does not tell its time")


# ---------------------------------------------------------------------------------------------------------- the store


def findings_of(steps: Any) -> tuple[list[Finding], bool]:
    """What a generator of findings yields and returns."""
    found = []
    while True:
        try:
            found.append(next(steps))
        except StopIteration as ended:
            return found, bool(ended.value)


@pytest.mark.parametrize(
    ("move", "step", "remedy"),
    [
        (error_reply(403, "AccessDenied"), "list", "these credentials lack s3:ListBucket"),
        (error_reply(403, "InvalidAccessKeyId"), "access key", "does not know this access key id"),
        (error_reply(400, "ExpiredToken"), "credentials", "the session is over"),
        (error_reply(400, "InvalidToken"), "credentials", "does not belong to these keys"),
        (error_reply(403, "RequestTimeTooSkewed"), "clock", NTP),
        (error_reply(400, "InvalidBucketName"), "bucket", "takes no bucket of this name"),
        (error_reply(400, "IllegalLocationConstraintException"), "region", "set region_name"),
        (error_reply(400, "AuthorizationHeaderMalformed"), "region", "set region_name"),
        (error_reply(301, "PermanentRedirect"), "region", "set region_name"),
        (error_reply(400, "BadRequest"), "list", "endpoint_url should say so"),
        (error_reply(418, "Teapot"), "list", "is it an S3 store that answers there?"),
        (TimedOut("too late"), "list", "is it an S3 store that answers there?"),
    ],
)
def test_a_listing_that_is_refused(move: Response | TransportError, step: str, remedy: str) -> None:
    """Which of key, secret, bucket and region is wrong; only without the permission to list the rest makes sense."""
    (found,), goes_on = findings_of(access(patient_of(move)))
    assert (found.status, found.step) == ("failed", step)
    assert remedy in found.remedy
    assert "canonical request" not in found.text
    assert goes_on is (remedy == "these credentials lack s3:ListBucket")


def test_what_is_known_to_be_a_store_is_not_asked_for() -> None:
    """Its own errors are enough."""
    patient = patient_of(error_reply(418, "Teapot"))
    patient.answer = reply(403, x_amz_request_id="1")
    (found,), _ = findings_of(access(patient))
    assert found.remedy == ""


@pytest.mark.parametrize(
    ("move", "found"),
    [
        (reply(200, x_amz_bucket_region="us-east-1"), Finding("ok", "region", "us-east-1")),
        (reply(200), Finding("ok", "region", "us-east-1")),
        (reply(403), Finding("ok", "region", "us-east-1")),
        (
            reply(200, x_amz_bucket_region="eu-x"),
            Finding(
                *("fixed", "region", "the bucket is in eu-x and not in us-east-1: each process is sent there first"),
                "set region_name = eu-x",
            ),
        ),
    ],
)
def test_where_the_bucket_is(move: Response | TransportError, found: Finding) -> None:
    """As the store says, else where the last request was signed for."""
    patient = patient_of(move)
    assert region(patient) == found
    assert patient.advice.get("region_name") == ("eu-x" if found.status == "fixed" else None)


def test_an_sts_that_does_not_tell() -> None:
    """Is a note; there is none to ask for keys that are not there, or where the store is another's."""
    unreachable = identity(patient_of(sts_endpoint_url="http://127.0.0.1:9", max_attempts=1))
    assert unreachable
    assert unreachable.status == "note"
    assert unreachable.text.startswith("the STS does not tell: ")
    other = identity(patient_of())
    assert other
    assert "no sts_endpoint_url is set" in other.text
    nobody = patient_of()
    nobody.client.credentials = Provider(None)  # type: ignore[assignment]
    assert identity(nobody) is None


@pytest.mark.parametrize(
    ("move", "works"),
    [(reply(200), "would work"), (reply(403), "would work"), (reply(404), "fails"), (ConnectFailed("no"), "fails")],
)
@pytest.mark.parametrize(
    ("style", "used", "other"),
    [("path", "in the path", "in the host name"), ("virtual", "in the host name", "in the path")],
)
def test_the_other_way_to_name_the_bucket(
    move: Response | TransportError, works: str, style: str, used: str, other: str
) -> None:
    """A store that refuses has understood."""
    patient = patient_of(move, addressing_style=style)
    found = addressing(patient)
    assert found == Finding("ok", "addressing", f"the bucket goes {used}; {other} it {works} too")
    asked = patient.http.sent[-1].origin.host  # type: ignore[attr-defined]
    assert asked == ("bucket.store.example" if style == "path" else "store.example")


def test_hosts_with_one_way_to_name_the_bucket() -> None:
    """An address has no names below it; AWS is known."""
    found = addressing(patient_of(endpoint_url="http://127.0.0.1:9"))
    assert found == Finding("ok", "addressing", "the bucket goes in the path; for this host there is no other way")
    assert addressing(patient_of(endpoint_url=None)) is None


def uploads(*begun: float) -> Response:
    """The listing of uploads that were begun then."""
    dated = [datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z") for at in begun]
    listed = "".join(
        f"<Upload><Key>p/k</Key><UploadId>u</UploadId><Initiated>{at}</Initiated></Upload>" for at in dated
    )
    return reply(200, f"<ListMultipartUploadsResult>{listed}</ListMultipartUploadsResult>".encode())


@pytest.mark.parametrize(
    ("move", "status", "told", "remedy"),
    [
        (uploads(), "ok", "none is unfinished", ""),
        (uploads(NOW - 50), "note", "1 unfinished, the oldest for 50 s", ""),
        (
            *(uploads(NOW - 50, NOW - 3 * 86400, NOW - 90), "note", "3 unfinished, the oldest for 3 days"),
            "s3target uploads abort --older-than 1d s3://bucket/p/",
        ),
        (error_reply(501, "NotImplemented"), "note", "cannot be listed: ", ""),
    ],
)
def test_uploads_that_were_never_ended(move: Response | TransportError, status: str, told: str, remedy: str) -> None:
    """How to be rid of them, once one is older than a day."""
    found = orphans(patient_of(move))
    assert (found.status, found.step, found.remedy) == (status, "uploads", remedy)
    assert found.text.startswith(told)


def test_lines_for_luigi_cfg() -> None:
    """What was set, what was found out, the store by its own name; no keys."""
    patient = patient_of(addressing_style="path", verify=False)
    patient.advice["region_name"] = "eu-x"
    patient.answer = reply(200, server="SeaweedFS 4.48")
    lines = ["for the Luigi classes:", "[s3]", "endpoint_url = http://store.example", "verify = False"]
    lines += ["addressing_style = path", "region_name = eu-x", "store = seaweedfs"]
    (found,) = lines_to_paste(patient)
    assert found == Finding("note", "luigi.cfg", "\n".join(lines))
    (found,) = lines_to_paste(patient_of(store="ceph"))
    assert found.text.splitlines()[2:4] == ["store = ceph", "endpoint_url = http://store.example"]


def test_without_settings_there_is_nothing_to_paste() -> None:
    """As on AWS with keys of its own environment."""
    assert list(lines_to_paste(patient_of(endpoint_url=None))) == []


# ------------------------------------------------------------------------------------------------------ the scratch key

CREATED = reply(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
COMPLETED = reply(200, b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
COPIED = reply(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
WRITTEN = reply(200, etag='"e"')
OTHER = reply(200, b"other", content_length="5", etag='"e"')
KEPT = reply(200, content_length="1", x_amz_checksum_crc32="AAAAAA==")
GONE, DENIED = reply(404), error_reply(403, "AccessDenied")
UNPROTECTED = "S3Target(overwrite=False) cannot keep two workers apart here"


def tried(step: str, *moves: Response | TransportError) -> Finding:
    """One step on a store that answers so."""
    (permission, act) = next((permission, act) for name, permission, act in _STEPS if name == step)
    scratch = Scratch(patient_of(*moves))
    return attempt(step, permission, lambda: act(scratch))


@pytest.mark.parametrize(
    ("step", "moves", "status", "told", "remedy"),
    [
        ("put", [DENIED], "failed", "AccessDenied", "here these credentials lack s3:PutObject (if that is meant: "),
        ("put", [error_reply(500, "InternalError")], "failed", "InternalError", ""),
        ("put", [TimedOut("too late")], "failed", "too late", ""),
        ("get", [OTHER], "failed", "the bytes that come back are not those that were stored", ""),
        (
            *("range", [reply(206, b"x" * 100, content_range="bytes 100-199/1024", content_length="100")]),
            *("failed", "does not give the range that was asked for", "have the store updated"),
        ),
        ("multipart", [CREATED, WRITTEN, COMPLETED, OTHER], "failed", "are not those of the part", ""),
        ("conditional", [error_reply(412, "PreconditionFailed")], "ok", "If-None-Match protects what is there", ""),
        ("conditional", [error_reply(501, "No")], "note", "the store has no If-None-Match (501)", UNPROTECTED),
        ("conditional", [error_reply(400, "No")], "note", "the store has no If-None-Match (400)", UNPROTECTED),
        ("conditional", [error_reply(405, "No")], "note", "the store has no If-None-Match (405)", UNPROTECTED),
        ("conditional", [WRITTEN], "note", "the store ignores If-None-Match and overwrites", UNPROTECTED),
        ("conditional", [DENIED], "failed", "AccessDenied", "here these credentials lack s3:PutObject"),
        ("copy", [COPIED, reply(200, content_length="5")], "failed", "the copy has 5 bytes and not 1024", ""),
        ("copy", [COPIED, reply(200, content_length="1024")], "ok", "inside the store", ""),
        ("delete", [reply(204), KEPT], "failed", "is still there after DeleteObject", ""),
        ("delete", [reply(204), GONE, reply(204), KEPT], "failed", "-copy is still there after DeleteObject", ""),
        ("delete", [reply(204), GONE, reply(204), GONE], "ok", "the scratch keys are gone", ""),
        ("checksum", [error_reply(400, "BadDigest"), WRITTEN, KEPT], "ok", "compares the CRC32 of", ""),
        ("checksum", [error_reply(400, "BadDigest"), WRITTEN, KEPT], "ok", "it got, and keeps it", ""),
        ("checksum", [WRITTEN, WRITTEN, reply(200, content_length="1")], "note", "does not compare the CRC32 of", ""),
        ("checksum", [WRITTEN, WRITTEN, reply(200, content_length="1")], "note", "it got, and does not keep it", ""),
        ("checksum", [DENIED], "failed", "AccessDenied", "here these credentials lack s3:PutObject"),
    ],
)
def test_what_a_store_may_do_with_the_scratch_key(
    step: str, moves: list[Response | TransportError], status: str, told: str, remedy: str
) -> None:
    """Each step by itself, up to where it goes wrong."""
    found = tried(step, *moves)
    assert (found.status, found.step) == (status, step)
    assert told in found.text
    assert remedy in found.remedy
    assert bool(remedy) is bool(found.remedy)


@pytest.mark.parametrize(("refusal", "deleted"), [(DENIED, False), (error_reply(500, "InternalError"), True)])
def test_what_may_be_there_is_removed(refusal: Response, deleted: bool, caplog: pytest.LogCaptureFixture) -> None:
    """After a refusal for want of permission nothing is; what cannot be removed is told."""
    patient = patient_of(refusal)
    scratch = Scratch(patient)
    with pytest.raises((AccessDenied, ServerFault)):
        scratch.write(scratch.once, PutObject(scratch.bucket, scratch.key, BytesBody(b"x")))
    scratch.remove()
    sent = [request.method for request in patient.http.sent]  # type: ignore[attr-defined]
    assert sent == (["PUT", "DELETE"] if deleted else ["PUT"])
    assert (f"s3://bucket/{scratch.key} could not be removed" in caplog.text) is deleted
    assert scratch.key.startswith("p/s3target-doctor-")


def listing(*sizes: int) -> Response:
    entries = "".join(f"<Contents><Key>p/{size}</Key><Size>{size}</Size></Contents>" for size in sizes)
    return reply(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode())


@pytest.mark.parametrize(
    ("moves", "found"),
    [
        ([listing(0, 3), OTHER], [Finding("ok", "get", "s3://bucket/p/3 can be read")]),
        ([listing(0)], [Finding("note", "get", "there is no object to read")]),
        ([DENIED], []),
    ],
)
def test_an_object_that_is_there_is_read(moves: list[Response | TransportError], found: list[Finding]) -> None:
    """One that has bytes; that the listing is refused has been told before."""
    assert list(reads(patient_of(*moves))) == found

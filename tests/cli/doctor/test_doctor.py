"""doctor: a healthy store, and the failing step of each thing that can be wrong, by name."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.conftest import Put, Run
from connected import client_of, settings_for
from s3target.cli.doctor import examine
from s3target.cli.doctor.finding import Finding, Patient
from s3target.client import Client
from s3target.composition import connect, resolved
from s3target.filesystem import S3Path
from s3target.protocol.messages import Request, Response
from s3target.transport import HttpTransport
from scripted import date
from server.scripted_socket import ScriptedServer, answers_and_closes, answers_forever
from servers.moto import moto_auth_store
from servers.signed import make_bucket, request
from servers.store import Store
from servers.tls import make_authority
from stores import over

Keys = Callable[[], list[str]]

seaweedfs = pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)
seaweedfs_tls = pytest.mark.parametrize("store", ["seaweedfs-tls"], indirect=True)
HEALTHY = [
    *("credentials", "dns", "connect", "answer", "clock", "keys", "list", "region"),
    *("put", "get", "range", "multipart", "conditional", "copy", "delete", "checksum", "addressing", "uploads"),
]


def findings(run: Run, *argv: object) -> tuple[int, list[Finding]]:
    ran = run("doctor", "--json", *argv)
    assert ran.err == ""
    return ran.status, [Finding(**json.loads(line)) for line in ran.lines]


def failed(found: list[Finding]) -> list[str]:
    """The steps that failed."""
    return [finding.step for finding in found if finding.status == "failed"]


def step(found: list[Finding], name: str) -> Finding:
    (one,) = [finding for finding in found if finding.step == name]
    return one


@pytest.mark.parametrize("store", ["moto", "moto-tls", "seaweedfs", "seaweedfs-tls"], indirect=True)
def test_a_healthy_store(run: Run, base: str, put: Put, keys: Keys, in_store: Store) -> None:
    """Every step is there and none failed; the scratch keys are gone, what was there stays."""
    put("p/mine")
    status, found = findings(run, f"{base}/p")
    tls = ["tls", "certificate"] if in_store.ca_file else []
    assert (status, failed(found), keys()) == (0, [], ["p/mine"])
    assert found[-1].text == "all is well"
    assert [name for name in [*HEALTHY, *tls] if name not in {finding.step for finding in found}] == []
    assert "MOTO" in step(found, "credentials").text or "S3TARGET" in step(found, "credentials").text
    assert in_store.secret_access_key not in str(found)


@seaweedfs
def test_for_people_it_is_a_line_a_step(run: Run, base: str, in_store: Store) -> None:
    """Where each setting came from; lines to paste, without keys."""
    ran = run("doctor", base)
    assert f"OK      setting      endpoint_url = {in_store.endpoint_url} (AWS_ENDPOINT_URL_S3)" in ran.lines
    assert "                     store = seaweedfs" in ran.lines  # as it calls itself
    assert "OK      setting      aws_secret_access_key" not in ran.out
    assert f"                     endpoint_url = {in_store.endpoint_url}" in ran.lines
    assert in_store.secret_access_key not in ran.out


@seaweedfs
def test_quiet_leaves_what_failed(run: Run, base: str) -> None:
    """On stderr, with what to do."""
    assert run("doctor", "-q", base) == (0, b"", "")
    ran = run("doctor", "-q", "s3://no-such-bucket-0815")
    assert (ran.status, ran.content) == (1, b"")
    assert ran.err.startswith("s3target: FAILED  bucket ")
    assert "-> check the name" in ran.err


@seaweedfs
def test_read_only_writes_nothing(run: Run, base: str, put: Put) -> None:
    """One object is read."""
    path = put("p/mine", b"content")
    status, found = findings(run, "--read-only", f"{base}/p/")
    assert (status, step(found, "get").text) == (0, f"{path} can be read")
    assert {"put", "delete", "checksum"} & {finding.step for finding in found} == set()


@seaweedfs
def test_who_we_are(run: Run, base: str, in_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is an STS; without one that is a note."""
    assert step(findings(run, base)[1], "identity").status == "note"
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", str(in_store.sts_endpoint_url))
    assert step(findings(run, base)[1], "identity").text.startswith("arn:aws:iam::")


# ------------------------------------------------------------------------------------------ what can be wrong, by step


@seaweedfs
def test_a_wrong_secret(run: Run, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step "secret key", with what was signed."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    status, found = findings(run, base)
    assert (status, failed(found)) == (1, ["secret key"])
    told = step(found, "secret key").text
    assert "SignatureDoesNotMatch" in told
    assert "we signed this canonical request:\n  GET\n  /test-" in told
    assert "wrong-secret" not in str(found)


MISMATCH = "<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>{}</CanonicalRequest></Error>"


@pytest.mark.usefixtures("some_keys")
def test_a_proxy_that_changes_what_was_signed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step "signature", with the first line that differs from what the store says it has signed; no token is shown."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "very-secret-token")

    def reply(sent: bytes) -> bytes:
        line, *headers = sent.decode().split("\r\n\r\n")[0].split("\r\n")
        path, _, query = line.split()[1].partition("?")
        told = {name.lower(): value.strip() for name, _, value in (header.partition(":") for header in headers)}
        names = told.get("authorization", "SignedHeaders=,").split("SignedHeaders=")[1].split(",")[0]
        told["host"] = "ceph.internal:7480"
        lines = [f"{name}:{told.get(name, '')}" for name in names.split(";")]
        mine = "\n".join(["GET", path, query, *lines, "", names, told.get("x-amz-content-sha256", "")])
        return answer("403 Forbidden", MISMATCH.format(mine.replace("&", "&amp;")))

    with a_store(reply) as url:
        status, found = findings(run, "--endpoint-url", url, "s3://bucket")
    assert (status, failed(found)) == (1, ["signature"])
    host = url.removeprefix("http://")
    assert f"line 4 differs: we signed 'host:{host}', the store 'host:ceph.internal:7480'" in str(
        step(found, "signature").text
    )
    assert "proxy" in step(found, "signature").remedy
    assert "very-secret-token" not in str(found)


@seaweedfs
def test_an_unknown_key(run: Run, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step "access key"."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NOBODYKNOWSTHISKEY00")
    status, found = findings(run, base)
    assert (status, failed(found)) == (1, ["access key"])


def test_no_keys_at_all(run: Run) -> None:
    """Step "credentials"; the network is looked at all the same."""
    status, found = findings(run, "--endpoint-url", "http://127.0.0.1:9", "s3://bucket")
    assert (status, failed(found)) == (1, ["credentials", "connect"])
    assert "tried in this order" in step(found, "credentials").text


@pytest.fixture
def some_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.usefixtures("some_keys")
def test_a_closed_port(run: Run) -> None:
    """Step "connect"."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    status, found = findings(run, "--endpoint-url", f"http://127.0.0.1:{port}", "s3://bucket")
    assert (status, failed(found)) == (1, ["connect"])
    assert step(found, "in short").text == "failed: connect"
    assert "luigi.cfg" not in {finding.step for finding in found}
    assert f"127.0.0.1:{port}: Connection refused" in step(found, "connect").text


@pytest.mark.usefixtures("some_keys")
def test_a_host_without_an_address(run: Run) -> None:
    """Step "dns"; if the bucket was put into the host, what to set."""
    options = ("--endpoint-url", "http://store.invalid", "--setting", "addressing_style=virtual")
    status, found = findings(run, *options, "s3://bucket")
    assert (status, failed(found)) == (1, ["dns"])
    assert step(found, "dns").text.startswith("bucket.store.invalid has no address")
    assert "addressing_style = path" in step(found, "dns").remedy
    assert "addressing_style = path" in step(found, "luigi.cfg").text.splitlines()


@seaweedfs_tls
def test_a_wrong_authority(run: Run, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step "tls"."""
    monkeypatch.setenv("AWS_CA_BUNDLE", make_authority(tmp_path).ca_file)
    status, found = findings(run, base)
    assert (status, failed(found)) == (1, ["tls"])
    assert "is not trusted" in step(found, "tls").text
    assert "--ca-bundle FILE" in step(found, "tls").remedy


@seaweedfs_tls
def test_certificates_that_are_not_checked(run: Run, base: str) -> None:
    """Are a note."""
    ran = run("doctor", "--json", "--no-verify-ssl", base)
    found = [Finding(**json.loads(line)) for line in ran.lines]
    assert (ran.status, step(found, "certificate").status) == (0, "note")


@seaweedfs
def test_an_unknown_bucket(run: Run, base: str) -> None:
    """Step "bucket"."""
    status, found = findings(run, "s3://no-such-bucket-0815")
    assert (status, failed(found)) == (1, ["bucket"])
    assert "s3target mb" in step(found, "bucket").remedy


def answer(status: str, body: str = "", **headers: str) -> bytes:
    """An HTTP answer, dated now."""
    named = {"Date": date(time.time()), "x-amz-request-id": "R1", "Content-Length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in named.items())]
    return ("\r\n".join([*lines, "", ""]) + body).encode()


LISTED = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
MALFORMED = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message>{}</Error>"


@contextmanager
def a_store(reply: Callable[[bytes], bytes]) -> Iterator[str]:
    """Its URL; it answers every request by reply(request)."""
    with ScriptedServer(answers_forever(reply), endless=True) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.mark.usefixtures("some_keys")
def test_a_wrong_region(run: Run) -> None:
    """Step "region"."""

    def reply(sent: bytes) -> bytes:
        return answer("400 Bad Request", MALFORMED.format("") if sent.startswith(b"GET") else "")

    with a_store(reply) as url:
        status, found = findings(run, "--endpoint-url", url, "s3://bucket")
    assert (status, failed(found)) == (1, ["region"])
    assert "AuthorizationHeaderMalformed" in step(found, "region").text


@pytest.mark.usefixtures("some_keys")
def test_a_region_that_the_store_corrects(run: Run) -> None:
    """Is fixed, and told, with the line to paste."""

    def reply(sent: bytes) -> bytes:
        if b"/eu-west-9/s3/" in sent:
            return answer("200 OK", LISTED if sent.startswith(b"GET") else "")
        return answer("400 Bad Request", MALFORMED.format("<Region>eu-west-9</Region>"))

    with a_store(reply) as url:
        status, found = findings(run, "--read-only", "--endpoint-url", url, "s3://bucket")
    assert status == 0
    assert (step(found, "region").status, step(found, "region").remedy) == ("fixed", "set region_name = eu-west-9")
    assert "region_name = eu-west-9" in step(found, "luigi.cfg").text


@over("swift")
def test_a_region_that_a_real_store_refuses(run: Run, base: str, in_store: Store) -> None:
    """It says which one it wants, so that is fixed, and told."""
    status, found = findings(run, "--region", "mars-north-1", base)
    assert (status, failed(found)) == (0, [])
    assert (step(found, "region").status, step(found, "region").remedy) == (
        "fixed",
        f"set region_name = {in_store.region}",
    )


def patient_with_clock(store: Store, bucket: str, ahead: float) -> tuple[Client, Patient]:
    """As on a machine whose clock is so many seconds ahead."""

    def clock() -> float:
        return time.time() + ahead

    arguments = settings_for(store)
    plain = connect(**arguments)
    client = Client(plain.transport, plain.endpoint, plain.credentials, clock=clock)
    return plain, Patient(client, resolved(arguments), S3Path(bucket, ""), clock=clock)


@seaweedfs
@pytest.mark.parametrize(
    ("minutes", "status", "text"),
    [(20, "fixed", "20 min ahead of"), (-20, "fixed", "20 min behind"), (5, "ok", "5 min ahead of"), (0, "ok", "same")],
)
def test_a_clock_that_is_off(store: Store, bucket: str, minutes: int, status: str, text: str) -> None:
    """Step "clock": from 15 minutes on a store refuses, so it is put right, and told; all else works."""
    plain, patient = patient_with_clock(store, bucket, minutes * 60)
    with plain:
        found = list(examine(patient))
    assert (step(found, "clock").status, failed(found)) == (status, [])
    assert text in step(found, "clock").text
    assert ("NTP" in step(found, "clock").remedy) is (minutes != 0)


@pytest.fixture(scope="module")
def auth_store() -> Iterator[Store]:
    """moto that checks permissions."""
    with moto_auth_store() as store:
        yield store


def iam(store: Store, **fields: str) -> str:
    """A call to its IAM; the answer."""
    from urllib.parse import urlencode

    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"Version": "2010-05-08", **fields}).encode()
    answer = request(store, "POST", "/", body=body, headers=headers, service="iam")
    assert answer.status == 200, answer
    return answer.body.decode()


def key_of_user(store: Store, name: str, *actions: str) -> tuple[str, str]:
    """Access key id and secret of a new user who may do this."""
    import re

    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam(store, Action="CreateUser", UserName=name)
    iam(store, Action="PutUserPolicy", UserName=name, PolicyName="p", PolicyDocument=policy)
    made = iam(store, Action="CreateAccessKey", UserName=name)
    found = re.search(r"<AccessKeyId>(.*?)</AccessKeyId>.*<SecretAccessKey>(.*?)</SecretAccessKey>", made, re.DOTALL)
    assert found
    return found[1], found[2]


@pytest.mark.parametrize(
    ("actions", "steps"),
    [
        (("s3:ListBucket", "s3:GetObject"), ["put"]),
        (("s3:PutObject", "s3:GetObject", "s3:DeleteObject"), ["list"]),
        (("s3:ListBucket",), ["put", "get"]),
    ],
    ids=["read only", "no listing", "list only"],
)
def test_permissions_that_are_missing(
    run: Run, auth_store: Store, monkeypatch: pytest.MonkeyPatch, actions: tuple[str, ...], steps: list[str]
) -> None:
    """The step that lacks one, and its name; what was there stays."""
    bucket = make_bucket(auth_store)
    request(auth_store, "PUT", f"/{bucket}/there", body=b"x")
    key_id, secret = key_of_user(auth_store, f"user-{bucket}", *actions)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    status, found = findings(run, "--endpoint-url", auth_store.endpoint_url, f"s3://{bucket}")
    assert (status, failed(found)) == (1, steps)
    named = {"put": "s3:PutObject", "get": "s3:GetObject", "list": "s3:ListBucket"}
    assert all(named[name] in step(found, name).remedy for name in steps)
    listed = request(auth_store, "GET", f"/{bucket}", {"list-type": "2"}).body
    assert listed.count(b"<Key>") == 1


@pytest.mark.usefixtures("some_keys")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses(run: Run, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """Step "proxy"."""
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    with ScriptedServer(lambda peer: peer.wait_for_close(), answers_and_closes(refusal)) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{proxy.port}")
        status, found = findings(run, "--endpoint-url", f"{scheme}://store.example", "s3://bucket")
    assert (status, failed(found)) == (1, ["proxy"])
    assert "403" in step(found, "proxy").text
    assert "NO_PROXY" in step(found, "proxy").remedy


@pytest.mark.usefixtures("some_keys")
@pytest.mark.parametrize(
    ("url", "told"), [("socks5://x", "is not supported"), ("http://127.0.0.1:9", "no connection to 127.0.0.1:9")]
)
def test_a_proxy_that_cannot_be(run: Run, monkeypatch: pytest.MonkeyPatch, url: str, told: str) -> None:
    """Step "proxy" too."""
    monkeypatch.setenv("http_proxy", url)
    status, found = findings(run, "--endpoint-url", "http://store.example", "s3://bucket")
    assert (status, failed(found)) == (1, ["proxy"])
    assert told in step(found, "proxy").text


@pytest.mark.usefixtures("some_keys")
def test_plain_http_where_https_is_spoken(run: Run) -> None:
    """Some servers say 400 then, in words that are no S3 error."""
    refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\nConnection: close\r\n\r\nTLS"
    with ScriptedServer(lambda peer: peer.wait_for_close(), *[answers_and_closes(refusal)] * 2) as server:
        _, found = findings(run, "--endpoint-url", f"http://127.0.0.1:{server.port}", "s3://bucket")
    assert failed(found) == ["list"]
    assert "endpoint_url" in step(found, "list").remedy


@pytest.mark.usefixtures("some_keys")
@pytest.mark.parametrize("status", [b"200 OK", b"302 Found", b"404 Not Found"])
def test_a_web_page_is_no_store(run: Run, status: bytes) -> None:
    """However it answers."""
    page = b"HTTP/1.1 %s\r\nContent-Length: 34\r\nConnection: close\r\n\r\n<!DOCTYPE html><html>Hello!</html>" % status
    with ScriptedServer(lambda peer: peer.wait_for_close(), *[answers_and_closes(page)] * 4) as server:
        _, found = findings(run, "--endpoint-url", f"http://127.0.0.1:{server.port}", "s3://bucket")
    assert failed(found) == ["list"]
    assert "is it an S3 store that answers there?" in step(found, "list").remedy


# -------------------------------------------------------------------------------------------------------- what is left


@seaweedfs
def test_the_scratch_key_goes_whatever_happens(store: Store, bucket: str) -> None:
    """Here: whoever reads the findings stops after the put."""
    arguments = settings_for(store)
    with client_of(store) as client:
        steps = examine(Patient(client, resolved(arguments), S3Path(bucket, "p")))
        for finding in steps:
            if finding.step == "put":
                break
        listed = request(store, "GET", f"/{bucket}", {"list-type": "2"}).body
        assert b"<Key>p/s3target-doctor-" in listed
        steps.close()
    assert b"<Key>" not in request(store, "GET", f"/{bucket}", {"list-type": "2"}).body


@seaweedfs
def test_unfinished_uploads_are_told(run: Run, base: str, bucket: str, in_store: Store) -> None:
    """With how to be rid of them, once they are old."""
    request(in_store, "POST", f"/{bucket}/left", {"uploads": ""})
    told = step(findings(run, base)[1], "uploads")
    assert (told.status, told.remedy) == ("note", "")
    assert told.text.startswith("1 unfinished, the oldest for ")


@seaweedfs
def test_a_luigi_cfg_is_used_or_told(
    run: Run, bucket: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By --luigi-cfg its settings are those of the run, and known as such; without it there is a note."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "luigi.cfg").write_text(
        f"[s3]\nendpoint_url = {store.endpoint_url}\nregion_name = {store.region}\n"
        f"aws_access_key_id = {store.access_key_id}\naws_secret_access_key = {store.secret_access_key}\n"
    )
    status, found = findings(run, "--luigi-cfg", "luigi.cfg", f"s3://{bucket}")
    assert (status, failed(found)) == (0, [])
    assert f"endpoint_url = {store.endpoint_url} (luigi.cfg [s3])" in [finding.text for finding in found]
    assert store.secret_access_key not in str(found)
    _, found = findings(run, "--endpoint-url", "http://127.0.0.1:9", f"s3://{bucket}")
    assert "luigi.cfg has settings in [s3]" in next(each.text for each in found if each.step == "luigi.cfg")


class Careless(HttpTransport):
    """On the way to the store conditions are lost."""

    def send(self, request: Request) -> Response:
        kept = {name: value for name, value in request.headers.items() if name != "if-none-match"}
        return super().send(request._replace(headers=kept))


@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_a_store_that_ignores_conditions_and_checksums(store: Store, bucket: str) -> None:
    """Is healthy; notes tell what cannot be relied on. moto compares no CRC32."""
    with client_of(store) as client:
        assert isinstance(client.transport, HttpTransport)
        client.transport = Careless(client.transport.options)
        found = list(examine(Patient(client, resolved(settings_for(store)), S3Path(bucket, ""))))
        client.close()
    assert failed(found) == []
    assert (step(found, "conditional").status, step(found, "checksum").status) == ("note", "note")
    assert "ignores If-None-Match" in step(found, "conditional").text
    assert "does not compare" in step(found, "checksum").text

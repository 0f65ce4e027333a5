"""No secret in any log at DEBUG, any repr, any error's text, any pickle of what was not given keys.

Each scene is a piece of work with known secrets; what it logs, raises and leaves behind is searched for them.
"""

from __future__ import annotations

import json
import logging
import pickle
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from credentials.fakes import Answer, iso, serving
from s3target import S3Client, S3Target
from s3target.client import Client
from s3target.composition import connect, resolved
from s3target.credentials import Profiles
from s3target.errors import S3Error
from s3target.protocol.operations.objects import GetObject, PutObject
from s3target.transfer.plan import TransferOptions
from s3target.transfer.reader import ReaderOptions
from s3target.transfer.writer import WriterOptions
from servers.signed import make_bucket
from servers.store import Store

KEY, TOKEN, WEB, PASSWORD = "s3cr3t/KEY+of=mine", "SessIonToKenOfMine==", "eyJWEB.tok.en", "PaSsWoRd0fPr0xy"
METADATA, LOGIN, SSE = "ImdsT0kenOfMine", "L0ginTokenOfMine", b"0123456789abcdef0123456789abcdef"
SSE_BASE64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SECRETS = (KEY, TOKEN, WEB, PASSWORD, METADATA, LOGIN, SSE.decode(), SSE_BASE64, "Signature=", "X-Amz-Signature")


class Heard:
    """All that was said: logs, errors, reprs; whole() is the text to search."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog
        self.said: list[str] = []

    def error(self, error: BaseException) -> None:
        """The error, what caused it, and its pickle, which another process may print."""
        self.said += traceback.format_exception(type(error), error, error.__traceback__)
        seen: BaseException | None = error
        while seen is not None:
            self.said += [str(seen), repr(seen), repr(seen.args), repr(vars(seen))]
            seen = seen.__cause__ or seen.__context__
        copy = pickle.loads(pickle.dumps(error))
        self.said += [str(copy), repr(vars(copy)), repr(pickle.dumps(error))]

    @contextmanager
    def failing(self) -> Iterator[None]:
        with pytest.raises(S3Error) as raised:
            yield
        self.error(raised.value)

    def things(self, *roots: object) -> None:
        """Every object of ours that can be reached from these."""
        stack, seen = list(roots), set()
        while stack:
            thing = stack.pop()
            if id(thing) in seen:
                continue
            seen.add(id(thing))
            if type(thing).__module__.startswith("s3target"):
                self.said.append(repr(thing))
                names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
                stack += [getattr(thing, name) for name in names if hasattr(thing, name)]
                stack += vars(thing).values() if hasattr(thing, "__dict__") else ()
            elif isinstance(thing, (list, tuple)):
                stack += thing
            elif hasattr(thing, "func") and hasattr(thing, "args"):  # functools.partial
                self.said.append(repr(thing))
                stack += [thing.func, *thing.args]

    def whole(self) -> str:
        for record in self.caplog.records:
            assert record.name.startswith(("s3target", "urllib3", "asyncio", "luigi")), record.name
            self.said += [record.getMessage(), repr(record.args), record.exc_text or ""]
        return "\n".join(self.said)

    def check(self) -> None:
        text = self.whole()
        assert len(text) > 100
        assert [secret for secret in SECRETS if secret in text] == []


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Heard:
    caplog.set_level(logging.DEBUG)
    return Heard(caplog)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, with a proxy that wants a password but is for nobody here."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAMINE",
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_SESSION_TOKEN": TOKEN,
        "https_proxy": f"http://user:{PASSWORD}@127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)


SSE_C = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": SSE}


@pytest.mark.usefixtures("keys")
def test_whole_session(moto_store: Store, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job's usual calls and usual errors, with a session's keys and SSE-C, as Luigi makes them."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_store.endpoint_url)
    base = f"s3://{make_bucket(moto_store)}"
    (tmp_path / "big").write_bytes(bytes(9 << 20))
    client = S3Client()
    target = S3Target(f"{base}/d/out", client=client, **SSE_C)
    with target.open("w") as file:
        file.write("x")
    client.put(str(tmp_path / "big"), f"{base}/d/big", **SSE_C)
    client.get(f"{base}/d/big", str(tmp_path / "copy"))
    assert client.copy(f"{base}/d", f"{base}/e")[0] == 2
    assert sorted(client.list(f"{base}/e/")) == ["big", "out"]
    with heard.failing():
        client.s3.call(GetObject("no-such-bucket-here", "key"))
    with heard.failing():
        client.put_string("x", f"{base}/f", SSECustomerKey=5)
    assert client.remove(f"{base}/d")
    assert TOKEN in client.s3.presign(GetObject("bucket", "key")).replace("%3D", "=")
    heard.things(client, target, client.s3, client.s3.credentials, client.get_key(f"{base}/e/out"))
    heard.things(resolved({}), resolved({}).describe(), PutObject("b", "k", headers={"x": KEY}))
    options = (TransferOptions(extra_args=SSE_C), ReaderOptions(extra_args=SSE_C), WriterOptions(extra_args=SSE_C))
    heard.things(*options)
    assert "/d/out: 200" in heard.whole()
    heard.check()


@pytest.mark.usefixtures("keys")
def test_pickles(moto_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a client, an S3Client and a target that were used, and found their keys by themselves."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_store.endpoint_url)
    base = f"s3://{make_bucket(moto_store)}"
    client, target = S3Client(), S3Target(f"{base}/key")
    client.put_string("x", f"{base}/key")
    with target.open() as file:
        assert file.read() == "x"
    role = S3Client(aws_role_arn=moto_store.role_arn)
    assert role.exists(f"{base}/key")
    session = role.s3.credentials.get()
    assert session is not None
    secrets = [KEY, TOKEN, PASSWORD, session.secret_access_key, str(session.session_token)]
    for thing in (client, target, client.s3, role, role.s3, role.s3.credentials, target.fs.s3, resolved({})):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            pickled = pickle.dumps(thing, protocol)
            assert [secret for secret in secrets if secret.encode() in pickled] == []
    assert pickle.loads(pickle.dumps(target)).exists()
    assert pickle.loads(pickle.dumps(role)).exists(f"{base}/key")


def test_pickle_over_luigi_cfg(moto_store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys of luigi.cfg stay there: the other process has one of its own."""
    from luigi.configuration import LuigiConfigParser

    (tmp_path / "luigi.cfg").write_text(
        f"[s3]\naws_access_key_id = AKIAMINE\naws_secret_access_key = {KEY}\nendpoint_url = {moto_store.endpoint_url}\n"
    )
    monkeypatch.setattr(LuigiConfigParser, "_instance", None)
    monkeypatch.setattr(LuigiConfigParser, "_config_paths", [str(tmp_path / "luigi.cfg")])
    target = S3Target(f"s3://{make_bucket(moto_store)}/key")
    assert not target.exists()
    assert KEY.encode() not in pickle.dumps(target) + pickle.dumps(target.fs)


ECHO = (
    f"<Error><Code>{{code}}</Code><Message>no</Message><AWSAccessKeyId>AKIAMINE</AWSAccessKeyId>"
    f"<Token-0>{TOKEN}</Token-0><Token>{TOKEN}</Token><StringToSignBytes>41 57</StringToSignBytes></Error>"
)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "InvalidToken"),
        (400, "ExpiredToken"),
        (403, "SignatureDoesNotMatch"),
        (403, "AccessDenied"),
        (503, "SlowDown"),
    ],
)
def test_refusals(heard: Heard, status: int, code: str) -> None:
    """The store's error document repeats the token, as AWS does; the retries are logged."""
    with serving(lambda *_: Answer(status, ECHO.replace("{code}", code))) as server:
        with connect(endpoint_url=server.url, max_attempts=2) as client, heard.failing():
            client.call(PutObject("bucket", "key", headers={"x-amz-server-side-encryption-customer-key": SSE_BASE64}))
        assert server.headers[0]["x-amz-security-token"] == TOKEN
        heard.things(client)
    heard.check()


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("status", [407, 403, 502])
def test_proxy_that_refuses(heard: Heard, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Its password is sent to it and shown to nobody."""
    with serving(lambda *_: Answer(status, PASSWORD)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", f"//user:{PASSWORD}@"))
        with connect(endpoint_url="https://ceph.example", max_attempts=2) as client, heard.failing():
            client.call(GetObject("bucket", "key"))
        assert proxy.headers[0]["proxy-authorization"].startswith("Basic ")
        heard.things(client)
    heard.check()
    assert proxy.headers[0]["proxy-authorization"].split()[1] not in heard.whole()


# ------------------------------------------------------------------------------------------------------------ providers

Scene = Callable[[pytest.MonkeyPatch, Path, str], None]


def container(monkeypatch: pytest.MonkeyPatch, home: Path, url: str) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/container")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", LOGIN)


def instance(monkeypatch: pytest.MonkeyPatch, home: Path, url: str) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")


def web_identity(monkeypatch: pytest.MonkeyPatch, home: Path, url: str) -> None:
    (home / "token").write_text(WEB)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(home / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:r")


def profile_role(monkeypatch: pytest.MonkeyPatch, home: Path, url: str) -> None:
    (home / "config").write_text(
        f"[default]\nrole_arn = arn:r\nsource_profile = base\n"
        f"[profile base]\naws_access_key_id = AKIAMINE\naws_secret_access_key = {KEY}\naws_session_token = {TOKEN}\n"
    )


def process(monkeypatch: pytest.MonkeyPatch, home: Path, url: str) -> None:
    printed = json.dumps({"Version": 1, "AccessKeyId": "A", "SecretAccessKey": KEY, "SessionToken": TOKEN})
    (home / "printed").write_text(printed)
    (home / "config").write_text(f"[default]\ncredential_process = cat {home / 'printed'}\n")


SCENES: list[Scene] = [container, instance, web_identity, profile_role, process]


def good(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Keys from all services at once, and an S3."""
    end = iso(time.time() + 3600)
    if path == "/latest/api/token":
        return Answer(200, METADATA)
    if path.endswith("/security-credentials/"):
        return Answer(200, "role")
    if path.endswith(("/role", "/container")):
        keys = {"AccessKeyId": "A", "SecretAccessKey": KEY, "Token": TOKEN, "Expiration": end}
        return Answer(200, json.dumps(keys))
    if method == "POST":
        action = "AssumeRoleWithWebIdentity" if b"WebIdentity" in body else "AssumeRole"
        keys = (
            f"<AccessKeyId>A</AccessKeyId><SecretAccessKey>{KEY}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>"
        )
        result = f"<{action}Result><Credentials>{keys}<Expiration>{end}</Expiration></Credentials></{action}Result>"
        return Answer(200, f"<{action}Response>{result}</{action}Response>")
    return Answer(200, b"content")


def refusing(status: int) -> Callable[..., Answer]:
    """Who refuses, and repeats all it was sent."""

    def answer(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        echo = f"{WEB}{LOGIN}{METADATA}{KEY}{TOKEN}"
        if method == "PUT" and "token" in path:
            return Answer(200, METADATA)
        fault = "<Error><Code>Refused</Code><Message>no</Message></Error>"
        document = f"<ErrorResponse>{fault}<Echo>{echo}</Echo></ErrorResponse>"
        return Answer(status, document if method == "POST" else json.dumps({"SecretAccessKey": KEY, "message": "no"}))

    return answer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def work(heard: Heard, url: str) -> Client:
    with connect(endpoint_url=url, sts_endpoint_url=url, max_attempts=2) as client:
        client.call(GetObject("bucket", "key")).stream.close()
        heard.things(client)
    return client


@pytest.mark.parametrize("scene", SCENES)
def test_providers(heard: Heard, home: Path, monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    """Keys that were found: the client's objects and its pickle do not show them."""
    with serving(good) as server:
        scene(monkeypatch, home, server.url)
        client = work(heard, server.url)
    assert server.headers[-1]["x-amz-security-token"] == TOKEN
    heard.check()
    pickled = pickle.dumps(client)
    assert [secret for secret in SECRETS if secret.encode() in pickled] == []


@pytest.mark.parametrize(
    "printed", [f'{{"SecretAccessKey": "{KEY}"', f'{{"SecretAccessKey": "{KEY}\xff"}}', f'["{KEY}"]', f'{{"{KEY}": 1}}']
)
def test_process_that_prints_no_credentials(
    heard: Heard, home: Path, monkeypatch: pytest.MonkeyPatch, printed: str
) -> None:
    """Cut short, not in UTF-8, or of another form."""
    process(monkeypatch, home, "")
    (home / "printed").write_text(printed, encoding="latin-1")
    with heard.failing():
        work(heard, "http://127.0.0.1:9")
    heard.check()


@pytest.mark.parametrize("uri", ["http://user:{}@localhost/", "https://host:x/?token={}", "//{}"])
def test_container_address_that_cannot_be_right(
    heard: Heard, home: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    """It may have a password, or a token in its query."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.format(PASSWORD))
    with heard.failing():
        work(heard, "http://127.0.0.1:9")
    heard.check()


@pytest.mark.parametrize("status", [200, 401, 403, 500])
@pytest.mark.parametrize("scene", SCENES[:4])
def test_providers_that_fail(
    heard: Heard, home: Path, monkeypatch: pytest.MonkeyPatch, scene: Scene, status: int
) -> None:
    """Whatever a service answers in place of keys."""
    with serving(refusing(status)) as server:
        scene(monkeypatch, home, server.url)
        with heard.failing():
            work(heard, server.url)
    assert server.log
    heard.check()


def test_sso(heard: Heard, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login's token goes to IAM Identity Center alone; a proxy in between refuses."""
    from hashlib import sha1

    (home / "config").write_text(
        "[default]\nsso_account_id = 1\nsso_role_name = r\nsso_region = eu-west-1\nsso_start_url = https://start\n"
    )
    cache = home / ".aws/sso/cache" / f"{sha1(b'https://start').hexdigest()}.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({"accessToken": LOGIN, "expiresAt": iso(time.time() + 9999)}))
    with serving(lambda *_: Answer(403)) as proxy, heard.failing():
        monkeypatch.setenv("https_proxy", proxy.url)
        work(heard, "http://127.0.0.1:9")
    heard.check()


@pytest.mark.parametrize(
    "text",
    [
        f"aws_secret_access_key = {KEY}\n",
        f"[default]\n{KEY}\n",
        f"[default]\naws_secret_access_key = {KEY}\naws_secret_access_key = {TOKEN}\n",
        f"[default]\naws_access_key_id = A\naws_secret_access_key =\n  {KEY}\n",
        f"[default]\naws_access_key_id = A\naws_secret_access_key =\n  x = {KEY}\n",
        f"[default]\naws_secret_access_key = {KEY}\naws_access_key_id =\n  x = {TOKEN}\n",
        f"[default]\nmax_attempts = 3\ns3 = {KEY}\n",
        f"[default]\naws_secret_access_key = {KEY}\xff\n",
    ],
)
def test_files_that_are_not_understood(heard: Heard, home: Path, text: str) -> None:
    """The line that is wrong may hold a secret: it is named, not quoted."""
    (home / "config").write_text(text, encoding="latin-1")
    with heard.failing():
        work(heard, "http://127.0.0.1:9")
    heard.check()


def test_profiles_do_not_show_their_values(heard: Heard, home: Path) -> None:
    """Their repr has names alone."""
    (home / "config").write_text(f"[default]\naws_secret_access_key = {KEY}\naws_session_token = {TOKEN}\n")
    profiles = Profiles.load({"AWS_CONFIG_FILE": str(home / "config")})
    assert profiles.get("default")["aws_secret_access_key"] == KEY
    heard.things(profiles, profiles.get("default"))
    heard.check()


@pytest.mark.parametrize(
    "arguments",
    [
        {"aws_secret_access_key": KEY},
        {"aws_session_token": TOKEN},
        {"aws_secret_access_key": [KEY]},
        {"aws_access_key_id": "A", "aws_secret_access_key": KEY, "aws_session_token": 5, "region": "x"},
        {"proxies": [PASSWORD]},
        {"endpoint_url": f"https://user:{PASSWORD}@ceph"},
        {"endpoint_url": f"https://ceph/?token={PASSWORD}"},
    ],
)
def test_arguments_that_cannot_be_right(heard: Heard, arguments: dict[str, Any]) -> None:
    """They are named, not shown."""
    with heard.failing():
        connect(**arguments)
    with heard.failing():
        S3Client(**arguments).exists("s3://bucket/key")
    heard.check()

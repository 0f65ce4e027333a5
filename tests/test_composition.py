"""connect(): what client comes of arguments, variables and files; and shared(): one client per configuration."""

from __future__ import annotations

import json
import os
import pickle
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from credentials.fakes import Answer, Server, iso, serving
from s3target.client import Client
from s3target.composition import connect, resolved, shared
from s3target.errors import ConfigError, NoCredentials, RefreshFailed
from s3target.protocol.operations.objects import GetObject
from s3target.transfer.download import download
from s3target.transfer.reader import Reader

AWS = "https://bucket.s3.eu-west-1.amazonaws.com"


class Home:
    """The files that this test's environment names."""

    def __init__(self, folder: Path) -> None:
        self.config, self.credentials = folder / "config", folder / "credentials"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home.config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home.credentials))
    return home


class Cloud:
    """S3, STS and the metadata service of an instance, all on one address; `seen` counts what was asked for."""

    def __init__(self) -> None:
        self.server: Server
        self.seen: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.signers: list[str] = []
        self.lifetime = 3600.0
        self.refused: set[str] = set()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path.startswith("/latest"):
            self.seen[f"{method} {path}"] += 1
            return self._metadata(path)
        if method == "POST":
            self.seen["sts"] += 1
            self.forms.append(dict(parse_qsl(body.decode())))
            return self._role(self.forms[-1]["Action"])
        self.seen["s3"] += 1
        signer = headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]
        self.signers.append(signer)
        if signer in self.refused:
            return Answer(400, "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>")
        return Answer(200, b"content")

    def _metadata(self, path: str) -> Answer:
        if path.endswith("/token"):
            return Answer(200, "a-token")
        if path.endswith("/security-credentials/"):
            return Answer(200, "a-role")
        keys = {"AccessKeyId": "ASIAINSTANCE", "SecretAccessKey": "s", "Token": "t"}
        return Answer(200, json.dumps({**keys, "Expiration": iso(time.time() + self.lifetime)}))

    def _role(self, action: str) -> Answer:
        number = self.seen["sts"]
        keys = f"<AccessKeyId>ASIAROLE{number}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        keys += f"<SessionToken>t</SessionToken><Expiration>{iso(time.time() + self.lifetime)}</Expiration>"
        result = f"<{action}Result><Credentials>{keys}</Credentials></{action}Result>"
        return Answer(200, f"<{action}Response>{result}</{action}Response>")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The endpoint of everything."""
    cloud = Cloud()
    with serving(cloud.answer) as cloud.server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.server.url)
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.server.url)
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        yield cloud


def url(client: Client) -> str:
    """Where objects of a bucket named "bucket" are."""
    location = client.endpoint.locate("bucket")
    return f"{location.origin.scheme}://{location.origin.authority}{location.base_path}"


def get(client: Client) -> bytes:
    with closing(client.call(GetObject("bucket", "key")).stream) as stream:
        return stream.read()


# ------------------------------------------------------------------------------------------------------------- endpoint


@pytest.mark.parametrize(
    ("arguments", "environ", "config", "expected"),
    [
        ({}, {}, "", "https://bucket.s3.amazonaws.com"),
        ({}, {"AWS_REGION": "eu-west-1"}, "", AWS),
        ({"region_name": "eu-west-1"}, {}, "", AWS),
        ({"region_name": "eu-west-1", "use_ssl": False}, {}, "", AWS.replace("https", "http")),
        ({}, {"AWS_REGION": "eu-west-1"}, "s3 =\n  addressing_style = path\n", "https://s3.eu-west-1.amazonaws.com/bucket"),
        ({"endpoint_url": "http://ceph:8000/x"}, {}, "", "http://ceph:8000/x/bucket"),
        ({"endpoint_url": "http://ceph", "addressing_style": "virtual"}, {}, "", "http://bucket.ceph"),
        ({}, {"AWS_ENDPOINT_URL": "http://all"}, "endpoint_url = http://no\n", "http://all/bucket"),
        ({}, {}, "s3_us_east_1_regional_endpoint = regional\n", "https://bucket.s3.us-east-1.amazonaws.com"),
        ({}, {"AWS_DEFAULTS_MODE": "standard"}, "", "https://bucket.s3.us-east-1.amazonaws.com"),
        ({}, {"AWS_USE_FIPS_ENDPOINT": "true"}, "", "https://bucket.s3-fips.us-east-1.amazonaws.com"),
        ({}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", "https://bucket.s3.dualstack.us-east-1.amazonaws.com"),
        ({}, {}, "use_dualstack_endpoint = true\n", "https://bucket.s3.dualstack.us-east-1.amazonaws.com"),
        ({}, {}, "s3 =\n  use_dualstack_endpoint = true\n", "https://bucket.s3.dualstack.us-east-1.amazonaws.com"),
        ({}, {}, "s3 =\n  use_accelerate_endpoint = true\n", "https://bucket.s3-accelerate.amazonaws.com"),
        ({"use_dualstack_endpoint": False}, {}, "s3 =\n  use_dualstack_endpoint = true\n", "https://bucket.s3.amazonaws.com"),
    ],
)  # fmt: skip
def test_where_the_buckets_are(home, monkeypatch, arguments, environ, config, expected):
    """Region, custom endpoint, style and AWS's kinds of hosts, from wherever they are set."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    home.config.write_text(f"[default]\n{config}")
    with connect(**arguments) as client:
        assert url(client) == expected


AWS_ONLY = ("use_fips_endpoint", "use_dualstack_endpoint", "use_accelerate_endpoint")


@pytest.mark.parametrize("by", ["variable", "profile"])
def test_kinds_of_aws_hosts_do_not_concern_a_custom_endpoint(home, monkeypatch, by):
    """FIPS and the like that the environment or the profile asks for; as botocore has it."""
    if by == "variable":
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
        monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    else:
        block = "s3 =\n  use_accelerate_endpoint = true\n  use_dualstack_endpoint = true\n"
        home.config.write_text(f"[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n{block}")
    with connect(endpoint_url="http://ceph", sts_endpoint_url="http://sts", aws_role_arn="arn:x") as client:
        assert url(client) == "http://ceph/bucket"


@pytest.mark.parametrize("name", AWS_ONLY)
def test_kinds_of_aws_hosts_beside_a_custom_endpoint(name):
    """Both by argument: ConfigError."""
    with pytest.raises(ConfigError, match="custom"):
        connect(endpoint_url="http://ceph", **{name: True})


@pytest.mark.parametrize(
    ("environ", "config", "host"),
    [
        ({}, "", "sts.eu-west-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "", "sts-fips.eu-west-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", "sts.eu-west-1.api.aws"),
        ({}, "s3 =\n  use_dualstack_endpoint = true\n", "sts.eu-west-1.amazonaws.com"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}, "", "sts.amazonaws.com"),
        ({"AWS_ENDPOINT_URL_STS": "https://sts.local"}, "", "sts.local"),
        ({"AWS_ENDPOINT_URL_S3": "https://ceph.local"}, "", "sts.eu-west-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "https://ceph.local"}, "", "ceph.local"),
    ],
)
def test_where_sts_is(home, monkeypatch, environ, config, host):
    """By the region of S3 and settings of its own; the s3 block is not for it. (What a proxy is asked for shows it.)"""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    home.config.write_text(f"[default]\n{config}")
    with serving(lambda *_: Answer(403)) as proxy:
        keys = {"aws_access_key_id": "A", "aws_secret_access_key": "s", "aws_role_arn": "arn:x", "max_attempts": 1}
        with connect(region_name="eu-west-1", proxies=proxy.url, **keys) as client, pytest.raises(RefreshFailed):
            client.credentials.get()
    assert set(proxy.log) == {f"CONNECT {host}:443"}


# --------------------------------------------------------------------------------------------------- what it is made of


def test_network_and_retries(home, monkeypatch):
    """Timeouts, proxies, CA file, connections, attempts and checksums end up where they are used."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "/ca.pem")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    home.config.write_text("[default]\ntcp_keepalive = true\ns3 =\n  payload_signing_enabled = true\n")
    with connect(
        connect_timeout=1, read_timeout=2, max_pool_connections=5, deadline=9, client_certificate="/c"
    ) as client:
        options = client.transport.options
        assert (options.connect_timeout, options.read_timeout, options.max_idle) == (1.0, 2.0, 5)
        assert (options.verify, options.client_certificate, options.tcp_keepalive) == ("/ca.pem", "/c", True)
        assert options.proxies == {"https": "http://proxy:3128"}
        assert (client.policy.max_attempts, client.policy.deadline) == (3, 9.0)
        assert (client.checksums, client.validation, client.payload_signing) == (False, True, True)
    with connect(proxies={"http": "http://mine:1"}) as client:
        assert client.transport.options.proxies == {"http": "http://mine:1"}


def test_no_silence_outlasts_the_deadline(home):
    """Else a call that hangs would be over after the read timeout only."""
    with connect(read_timeout=60, connect_timeout=0.2, deadline=0.5) as client:
        options = client.transport.options
        assert (options.connect_timeout, options.read_timeout) == (0.2, 0.5)


def test_deadline_holds_for_the_role_as_well(home):
    """Who waits for S3 waits for STS."""
    with serving(lambda *_: Answer(500)) as server:
        role = {"aws_role_arn": "arn:r", "sts_endpoint_url": server.url}
        with connect(deadline=0.3, max_attempts=12, **role, **KEYS) as client, pytest.raises(RefreshFailed):
            client.call(GetObject("bucket", "key"))
        assert 1 < len(server.log) < 12


@pytest.mark.parametrize(("value", "asked"), [("when_supported", "ENABLED"), ("when_required", None)])
def test_checksums_of_what_is_read(cloud, tmp_path, monkeypatch, value, asked):
    """They are asked for, or not, by the setting of their own."""
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", value)
    with connect(anonymous=True) as client, Reader(client, "bucket", "key") as reader:
        assert reader.readall() == b"content"
        download(client, "bucket", "key", str(tmp_path / "file"))
    assert [headers.get("x-amz-checksum-mode") for headers in cloud.server.headers] == [asked, asked]


@pytest.mark.parametrize(("mode", "adaptive"), [("adaptive", True), ("standard", False), ("legacy", False)])
def test_retry_mode(mode, adaptive):
    """Adaptive limits the rate of sending; what botocore calls legacy is standard here."""
    with connect(retry_mode=mode) as client:
        assert client.policy.adaptive is adaptive


def test_bad_argument():
    """ConfigError, before anything is sent."""
    with pytest.raises(ConfigError, match="did you mean region_name"):
        connect(region="x")
    with pytest.raises(ConfigError, match="endpoint url"):
        connect(endpoint_url="ceph:8000")


def test_ca_file_that_is_not_there(monkeypatch):
    """ConfigError at the first connection, with its path."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "/not/there.pem")
    with connect(endpoint_url="https://127.0.0.1:9", anonymous=True) as client:
        with serving(lambda *_: Answer(200)) as listener, pytest.raises(ConfigError, match=r"/not/there\.pem"):
            get(connect(endpoint_url=listener.url.replace("http", "https"), anonymous=True))
        assert client.transport.options.verify == "/not/there.pem"


def test_resolved_is_what_connect_goes_by(home, monkeypatch):
    """For whoever asks where a setting came from."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    found = resolved({"verify": False, "max_attempts": 2}, {"max_attempts": "luigi.cfg [s3]"})
    told = {name: (value, source) for name, value, source in found.describe()}
    assert told["region_name"] == ("eu-west-1", "AWS_REGION")
    assert told["verify"] == ("False", "argument")
    assert told["max_attempts"] == ("2", "luigi.cfg [s3]")


# ---------------------------------------------------------------------------------------------------------- credentials

KEYS = {"aws_access_key_id": "GIVEN", "aws_secret_access_key": "s"}


def signer(client: Client) -> tuple[str, str]:
    """Key id and source of what the client signs with."""
    with client:
        found = client.credentials.get()
    assert found is not None
    return found.access_key_id, found.source


def test_whose_keys_it_signs_with(home, monkeypatch):
    """Argument; environment; profile; and a profile named in code goes before the environment."""
    home.credentials.write_text(
        "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = s\n"
        "[other]\naws_access_key_id = OTHER\naws_secret_access_key = s\n"
    )
    of_default = ("DEFAULT", f"shared-credentials-file: {home.credentials} [default]")
    of_other = ("OTHER", f"shared-credentials-file: {home.credentials} [other]")
    assert signer(connect()) == of_default
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert signer(connect()) == of_other
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert signer(connect()) == ("ENV", "env")
    assert signer(connect(profile_name="default")) == of_default
    assert signer(connect(profile_name="default", **KEYS)) == ("GIVEN", "argument")
    assert signer(shared({**KEYS, "max_attempts": 7}, dict.fromkeys(KEYS, "luigi.cfg [s3]"))) == (
        "GIVEN",
        "luigi.cfg [s3]",
    )


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ({"aws_access_key_id": "A"}, "aws_secret_access_key"),
        ({"aws_access_key_id": "A", "aws_secret_access_key": ""}, "aws_secret_access_key"),
        ({"aws_secret_access_key": "SeCrEt"}, "aws_access_key_id"),
        ({"aws_session_token": "SeCrEt"}, "aws_access_key_id"),
    ],
)
def test_part_of_a_key(arguments, missing):
    """ConfigError; what is missing is not looked for elsewhere."""
    with pytest.raises(ConfigError, match=f"{missing} is missing") as raised:
        connect(**arguments)
    assert "SeCrEt" not in str(raised.value)


def test_anonymous_signs_nothing(cloud):
    """Whatever keys there are; but keys given by argument beat anonymous = true in luigi.cfg."""
    with connect(anonymous=True, **KEYS) as client:
        get(client)
    cfg = {"anonymous": "luigi.cfg [s3]"}
    with shared({"anonymous": True}, cfg) as client:
        get(client)
    with shared({"anonymous": True, **KEYS}, cfg) as client:
        get(client)
    assert cloud.signers == ["", "", "GIVEN"]
    assert set(cloud.seen) == {"s3"}


@pytest.mark.parametrize("base", ["argument", "chain"])
def test_role_over_any_keys(cloud, monkeypatch, base):
    """aws_role_arn and what belongs to it reach STS, which is asked once for many calls."""
    for name, value in {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    role = {
        "aws_role_arn": "arn:r",
        "aws_role_session_name": "n",
        "aws_role_external_id": "e",
        "aws_role_duration": "900",
    }
    with connect(**role, **(KEYS if base == "argument" else {})) as client:
        assert [get(client) for _ in range(3)] == [b"content"] * 3
        assert client.credentials.get().source == "assume-role: arn:r"
    wanted = {"RoleArn": "arn:r", "RoleSessionName": "n", "ExternalId": "e", "DurationSeconds": "900"}
    assert [{name: form.get(name) for name in wanted} for form in cloud.forms] == [wanted]
    assert cloud.signers == ["ASIAROLE1"] * 3
    credential = next(h["authorization"] for h in cloud.server.headers if "s3" not in h["authorization"])
    assert f"Credential={'GIVEN' if base == 'argument' else 'ENV'}/" in credential


def test_role_over_an_instance_profile(cloud):
    """Base keys that come from the metadata service; both caches are asked once."""
    with connect(aws_role_arn="arn:r") as client:
        for _ in range(3):
            get(client)
    assert cloud.signers == ["ASIAROLE1"] * 3
    assert cloud.seen["sts"] == 1
    assert cloud.seen["GET /latest/meta-data/iam/security-credentials/a-role"] == 1


def test_no_credentials_anywhere(home, monkeypatch):
    """The error of the first call lists every provider and why it passed."""
    monkeypatch.setenv("BOTO_CONFIG", "/no.boto")
    home.config.write_text("[default]\nregion = eu-west-1\n")
    with connect() as client, pytest.raises(NoCredentials) as raised:
        get(client)
    lines = str(raised.value).splitlines()
    assert lines[0] == "no credentials found; tried in this order:"
    variables = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI"
    assert dict(line.strip().split(": ", 1) for line in lines[1:]) == {
        "env": "AWS_ACCESS_KEY_ID is not set",
        "assume-role": "profile 'default' has no role_arn",
        "assume-role-with-web-identity": (
            "no AWS_WEB_IDENTITY_TOKEN_FILE, nor web_identity_token_file in profile 'default'"
        ),
        "sso": "profile 'default' has no sso_role_name",
        "shared-credentials-file": f"no aws_access_key_id for profile 'default' in {home.credentials}",
        "login": "profile 'default' has no login_session",
        "custom-process": "profile 'default' has no credential_process",
        "config-file": f"no aws_access_key_id for profile 'default' in {home.config}",
        "ec2-credentials-file": "AWS_CREDENTIAL_FILE is not set",
        "boto-config": "no aws_access_key_id in section [Credentials] of /no.boto",
        "container-role": f"neither {variables} is set",
        "iam-role": "AWS_EC2_METADATA_DISABLED is true",
    }


def test_profile_that_does_not_exist(home):
    """ConfigError at once, naming the files."""
    home.config.write_text("[profile mine]\n")
    with pytest.raises(ConfigError, match=rf"no profile 'typo' in {home.config} or {home.credentials}"):
        connect(profile_name="typo")


def test_metadata_services_are_asked_past_the_proxy(cloud, monkeypatch):
    """A proxy is for S3 and STS; SSO goes through it too, since that is on the internet."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with connect() as client:
        assert client.credentials.get().access_key_id == "ASIAINSTANCE"


def test_sso_goes_by_the_proxy(home, monkeypatch, tmp_path):
    """And by the configured CA file, as S3 does."""
    from hashlib import sha1

    monkeypatch.setenv("HOME", str(tmp_path))
    home.config.write_text(
        "[default]\nsso_account_id = 1\nsso_role_name = r\nsso_region = eu-west-1\nsso_start_url = https://start\n"
    )
    cache = tmp_path / ".aws/sso/cache" / f"{sha1(b'https://start').hexdigest()}.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({"accessToken": "a", "expiresAt": iso(time.time() + 9999)}))
    with serving(lambda *_: Answer(403)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with connect() as client, pytest.raises(RefreshFailed, match="sso"):
            client.credentials.get()
    assert set(proxy.log) == {"CONNECT portal.sso.eu-west-1.amazonaws.com:443"}


# --------------------------------------------------------------------------------------------------- one client for all


def test_same_configuration_same_client(monkeypatch):
    """Also if it says the same in another order; anything else is another one."""
    first = shared({"region_name": "eu-west-1", "max_attempts": 3, "verify": None})
    assert shared({"max_attempts": 3, "region_name": "eu-west-1"}) is first
    assert shared({"max_attempts": 4, "region_name": "eu-west-1"}) is not first
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "HOME"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "http://other")
            assert shared({"max_attempts": 3, "region_name": "eu-west-1"}) is not first
    monkeypatch.setenv("UNRELATED", "x")
    assert shared({"max_attempts": 3, "region_name": "eu-west-1"}) is first


def test_configuration_that_is_wrong_is_not_kept(home, monkeypatch):
    """Once it is put right, it works."""
    monkeypatch.setenv("AWS_PROFILE", "late")
    with pytest.raises(ConfigError):
        shared({"region_name": "eu-west-1"})
    home.config.write_text("[profile late]\nregion = x\n")
    assert url(shared({"region_name": "eu-west-1"})) == AWS


def test_changed_files(home, cloud):
    """Settings of files are read once per client; keys are looked after: a rotated file is noticed, at the latest when
    the store refuses the old ones."""
    home.config.write_text("[default]\nregion = eu-west-1\n")
    home.credentials.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = s\n")
    client = shared({})
    assert get(client) == b"content"
    home.config.write_text("[default]\nregion = eu-west-2\n")
    home.credentials.write_text("[default]\naws_access_key_id = RENEWED\naws_secret_access_key = s\n")
    cloud.refused = {"OLD"}
    assert shared({}) is client
    assert get(client) == b"content"
    assert client.endpoint.locate().region == "eu-west-1"
    assert cloud.signers == ["OLD", "OLD", "RENEWED"]


def test_thousands_of_targets_ask_the_metadata_service_once(cloud):
    """S3Target and S3Client without arguments, from 16 threads at once: one client, one token, one set of keys."""
    pytest.importorskip("luigi")
    from s3target import S3Client, S3Target

    start = threading.Barrier(16)

    def work(number: int) -> set[int]:
        start.wait(10)
        targets = [S3Target(f"s3://bucket/{number}/{each}") for each in range(125)]
        clients = [target.fs.s3 for target in targets] + [S3Client().s3 for _ in range(25)]
        assert get(clients[0]) == b"content"
        return {id(client) for client in clients}

    with ThreadPoolExecutor(16) as pool:
        assert len(set.union(*pool.map(work, range(16)))) == 1
    metadata = {name: count for name, count in cloud.seen.items() if "latest" in name}
    assert metadata == {
        "PUT /latest/api/token": 1,
        "GET /latest/meta-data/iam/security-credentials/": 1,
        "GET /latest/meta-data/iam/security-credentials/a-role": 1,
    }
    assert cloud.signers == ["ASIAINSTANCE"] * 16


def test_off_aws_the_metadata_service_is_not_asked_again_and_again(cloud, monkeypatch):
    """Nobody answers: that is known after one try, for all clients of the process that share a configuration."""
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "5")
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(NoCredentials, match="iam-role"):
            get(shared({"max_attempts": 5}))
    assert time.monotonic() - began < 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_forked_children_share_nothing_that_is_locked(cloud):
    """The child makes clients of its own, and goes on with one that has keys already."""
    client = shared({})
    get(client)
    assert in_child(lambda: shared({"max_attempts": 9}) is not client and get(shared({})) == b"content")
    assert shared({}) is client
    assert cloud.seen["PUT /latest/api/token"] == 1


def in_child(work: Callable[[], bool]) -> bool:
    """Whether work() gave True in a forked child, which is ended if it takes too long."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        child = os.fork()
    if child == 0:
        status = 1
        try:
            threading.Timer(30, os._exit, [2]).start()
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_pickled_client_reads_its_own_environment(cloud, monkeypatch):
    """Neither keys of the chain nor a proxy's password are in it, and where it is loaded it works."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "ENV",
        "AWS_SECRET_ACCESS_KEY": "SeCrEt",
        "AWS_SESSION_TOKEN": "ToKeN",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("https_proxy", "http://user:PaSsWoRd@proxy:3128")
    role = {"aws_role_arn": "arn:r"}
    for arguments in ({}, role):
        with connect(**arguments) as client:
            get(client)
            pickled = pickle.dumps(client)
        for secret in (b"SeCrEt", b"ToKeN", b"PaSsWoRd"):
            assert secret not in pickled
        with monkeypatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "ELSEWHERE")
            patch.setenv("https_proxy", "http://elsewhere")
            with pickle.loads(pickled) as copy:
                assert get(copy) == b"content"
                assert copy.transport.options.proxies["https"] == "http://elsewhere"
    assert cloud.signers == ["ENV", "ELSEWHERE", "ASIAROLE1", "ASIAROLE2"]


def test_the_package_gives_the_function():
    """`s3target.connect` is the function, and no module of that name takes its place."""
    import s3target

    with s3target.connect(region_name="eu-west-1") as client:
        assert url(client) == AWS

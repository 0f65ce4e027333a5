"""Instance metadata, against an HTTP server on loopback: version 2, version 1, and the many ways to have neither."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from credentials.fakes import SECRET, START, TOKEN, Answer, Clock, iso, real_http, serving, sources_of, write_home
from s3target.credentials import Passed, default_chain
from s3target.credentials.metadata import Instance
from s3target.errors import ConfigError, NoCredentials, RefreshFailed
from s3target.protocol.messages import Origin

ROLES = "/latest/meta-data/iam/security-credentials/"
ALL = ["PUT /latest/api/token", f"GET {ROLES}", f"GET {ROLES}my-role"]


class Metadata:
    """The service of an instance with role my-role; `change` replaces answers by path."""

    def __init__(self, ends: float = START + 6 * 3600) -> None:
        self.ends = ends
        self.token: Answer | None = Answer(200, "t0ken")
        self.role = Answer(200, "my-role\n")
        self.keys: Answer | None = None

    def __call__(self, method, path, headers, body) -> Answer:
        if path.endswith("/latest/api/token"):
            assert method == "PUT"
            assert headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600"
            return self.token
        if self.token.status == 200 and self.token.until is None and headers.get("x-aws-ec2-metadata-token") != "t0ken":
            return Answer(401)
        if path.endswith(ROLES):
            return self.role
        assert path.endswith(f"{ROLES}my-role")
        return self.keys or Answer(200, self.document())

    def document(self) -> str:
        return json.dumps(
            {
                "Code": "Success",
                "AccessKeyId": "ASIAI",
                "SecretAccessKey": SECRET,
                "Token": TOKEN,
                "Expiration": iso(self.ends),
            }
        )


def provider(server, clock=None, home=None, config: str = "", **environ: str) -> Instance:
    environ = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url, "AWS_METADATA_SERVICE_TIMEOUT": "5", **environ}
    if home:
        environ = write_home(home, config, **environ)
    provider = Instance(sources_of(environ, http=real_http, clock=clock))
    provider.jitter = lambda: 120.0
    return provider


def test_version_2(caplog):
    """Token, role name, keys: three requests."""
    caplog.set_level(logging.DEBUG)
    with serving(Metadata()) as server:
        found = provider(server).fetch()
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("ASIAI", SECRET, TOKEN)
    assert (found.expires_at, found.source) == (START + 6 * 3600, "iam-role: my-role")
    assert server.log == ALL
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("status", [403, 404, 405])
def test_version_1_where_there_is_no_token(status):
    """These statuses say that version 2 is not there: go on without a token."""
    metadata = Metadata()
    metadata.token = Answer(status)
    with serving(metadata) as server:
        assert provider(server).fetch().access_key_id == "ASIAI"
        assert [line for line in server.log if "GET" in line] == ALL[1:]


def test_version_1_where_the_token_gets_lost():
    """In a container the answer may travel one hop too few, so silence means version 1 too."""
    metadata, until = Metadata(), threading.Event()
    metadata.token = Answer(200, "late", until=until)
    with serving(metadata) as server:
        try:
            assert provider(server, AWS_METADATA_SERVICE_TIMEOUT="0.2").fetch().access_key_id == "ASIAI"
            assert server.log == ALL
        finally:
            until.set()


@pytest.mark.parametrize("how", ["variable", "profile"])
def test_version_1_may_be_disabled(tmp_path, how):
    """Then no request goes without a token."""
    metadata = Metadata()
    metadata.token = Answer(404)
    environ = {"AWS_EC2_METADATA_V1_DISABLED": "true"} if how == "variable" else {}
    config = "[default]\nec2_metadata_v1_disabled = true\n" if how == "profile" else ""
    with serving(metadata) as server:
        with pytest.raises(Passed, match="version 1 is disabled, and version 2 gave no token"):
            provider(server, home=tmp_path, config=config, **environ).fetch()
        assert server.log == ALL[:1]


def test_bad_request_is_final():
    """400 to the token request: no version 1, no credentials."""
    metadata = Metadata()
    metadata.token = Answer(400)
    with serving(metadata) as server:
        with pytest.raises(Passed, match="400"):
            provider(server).fetch()
        assert server.log == ALL[:1]


@pytest.mark.parametrize(
    ("part", "answer"),
    [
        ("role", Answer(404)),
        ("role", Answer(500)),
        ("role", Answer(200, "")),
        ("role", Answer(200, "two\nlines")),
        ("keys", Answer(401)),
        ("keys", Answer(200, "")),
        ("keys", Answer(200, "<html>")),
        ("keys", Answer(200, '{"AccessKeyId": "A", "SecretAccessKey": "B"}')),
        ("keys", Answer(200, '{"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume"}')),
    ],
)
def test_no_credentials(part, answer):
    """Whatever else comes: no credentials here, after one attempt."""
    metadata = Metadata()
    setattr(metadata, part, answer)
    with serving(metadata) as server:
        with pytest.raises(Passed, match="no keys from the instance metadata service"):
            provider(server).fetch()
        assert len(server.log) == (2 if part == "role" else 3)


@pytest.mark.parametrize("how", ["variable", "profile"])
def test_number_of_attempts(tmp_path, how):
    """AWS_METADATA_SERVICE_NUM_ATTEMPTS, or the profile's key."""
    metadata = Metadata()
    metadata.keys = Answer(200, "")
    environ = {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3"} if how == "variable" else {}
    config = "[default]\nmetadata_service_num_attempts = 3\n" if how == "profile" else ""
    with serving(metadata) as server:
        with pytest.raises(Passed):
            provider(server, home=tmp_path, config=config, **environ).fetch()
        assert server.log == [*ALL, ALL[2], ALL[2]]


def test_disabled():
    """AWS_EC2_METADATA_DISABLED, in any case."""
    with pytest.raises(Passed, match="AWS_EC2_METADATA_DISABLED"):
        Instance(sources_of({"AWS_EC2_METADATA_DISABLED": "TRUE"})).fetch()


def test_absence_is_remembered_for_a_minute(tmp_path):
    """Off AWS nobody is asked again at each call, but a minute later."""
    clock = Clock()
    metadata = Metadata()
    metadata.role = Answer(404)
    with serving(metadata) as server:
        asked = provider(server, clock, tmp_path)
        for _ in range(3):
            with pytest.raises(Passed):
                asked.fetch()
        assert len(server.log) == 2
        metadata.role = Answer(200, "my-role")
        clock.now += 61
        assert asked.fetch().access_key_id == "ASIAI"


def test_clock_that_is_set_back_does_not_prolong_absence(tmp_path):
    """A machine may boot with a wrong clock, before its network is there."""
    clock, metadata = Clock(START + 1e9), Metadata()
    metadata.role = Answer(404)
    with serving(metadata) as server:
        asked = provider(server, clock, tmp_path)
        with pytest.raises(Passed):
            asked.fetch()
        metadata.role = Answer(200, "my-role")
        clock.now = START
        assert asked.fetch().access_key_id == "ASIAI"


def test_nobody_there():
    """A refused connection: passed, and version 1 is not tried."""
    with serving(Metadata()) as server:
        gone = provider(server)
    with pytest.raises(Passed, match="cannot connect"):
        gone.fetch()


def test_failing_renewal_is_tried_again_soon(tmp_path):
    """Once the service was there, a failure is not taken for absence."""
    clock = Clock()
    metadata = Metadata()
    with serving(metadata) as server:
        environ = write_home(tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url)
        chain = default_chain(sources_of(environ, http=real_http, clock=clock))
        chain.get()
        metadata.role = Answer(500)
        clock.now = metadata.ends - 800
        assert chain.get().access_key_id == "ASIAI"
        clock.now = metadata.ends - 500
        with pytest.raises(RefreshFailed, match="500"):
            chain.get()
        metadata.role, metadata.ends = Answer(200, "my-role"), metadata.ends + 21600
        assert chain.get().expires_at == metadata.ends


@pytest.mark.parametrize(("left", "stretched"), [(1021, False), (1019, True), (0, True), (-7200, True)])
def test_keys_that_end_soon_are_used_on(left, stretched, caplog):
    """Static stability: under 15 minutes and the jitter left, they get that time, with a warning."""
    with serving(Metadata(ends=START + left)) as server:
        found = provider(server).fetch()
    assert found.expires_at == (START + 1020 if stretched else START + left)
    assert ("using them on" in caplog.text) is stretched


@pytest.mark.parametrize(
    ("environ", "origin"),
    [
        ({}, Origin("http", "169.254.169.254", 80)),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, Origin("http", "fd00:ec2::254", 80)),
        (
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv4", "AWS_IMDS_USE_IPV6": "true"},
            Origin("http", "169.254.169.254", 80),
        ),
        ({"AWS_IMDS_USE_IPV6": "true"}, Origin("http", "fd00:ec2::254", 80)),
        (
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://h:81/p/", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv6"},
            Origin("http", "h", 81),
        ),
    ],
)
def test_address(tmp_path, environ, origin):
    """An endpoint wins over the mode, the mode over the older variable."""
    with serving(Metadata()) as server:
        Instance(sources_of(write_home(tmp_path, **environ), http=server.http)).fetch()
        assert server.asked_for == origin
        prefix = "/p" if origin.host == "h" else ""
        assert server.log[0] == f"PUT {prefix}/latest/api/token"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "nowhere"}, "must begin with"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv5"}, "'ipv5'"),
        (
            {"AWS_METADATA_SERVICE_TIMEOUT": "long"},
            "AWS_METADATA_SERVICE_TIMEOUT .* must be a number above 0, not 'long'",
        ),
        ({"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "0"}, "NUM_ATTEMPTS .* above 0"),
    ],
)
def test_settings_that_cannot_be_right(tmp_path, environ, said):
    """ConfigError that names the setting."""
    with pytest.raises(ConfigError, match=said):
        Instance(sources_of(write_home(tmp_path, **environ))).fetch()


def test_whole_chain_asks_once(tmp_path):
    """Last in the chain; NoCredentials has its reason too."""
    metadata = Metadata()
    metadata.role = Answer(404)
    with serving(metadata) as server:
        environ = write_home(tmp_path, AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url)
        chain = default_chain(sources_of(environ, http=real_http))
        for _ in range(3):
            with pytest.raises(NoCredentials, match="iam-role: "):
                chain.get()
        assert len(server.log) == 2

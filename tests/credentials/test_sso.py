"""IAM Identity Center, against an HTTP server on loopback and the AWS CLI's token cache."""

from __future__ import annotations

import hashlib
import json
import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from credentials.fakes import SECRET, START, TOKEN, Answer, Clock, iso, serving, sources_of, write_home
from s3target.credentials import Passed, default_chain
from s3target.credentials.logins import Sso, write_token
from s3target.errors import ConfigError, CredentialsError, RefreshFailed
from s3target.protocol.messages import Origin

ROLE = "sso_account_id = 111122223333\nsso_role_name = Reader\n"
OLD = f"[default]\n{ROLE}sso_start_url = https://x.awsapps.com/start\nsso_region = eu-central-1\n"
SESSION = "[sso-session corp]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-central-1\n"
NEW = f"[default]\n{ROLE}sso_session = corp\n{SESSION}"


class Portal:
    """Gives role keys to who shows `accepted`, and a new token for a refresh token."""

    def __init__(self) -> None:
        self.accepted = TOKEN
        self.refresh: Answer | None = None
        self.ends = START + 3600

    def __call__(self, method, path, headers, body) -> Answer:
        if path == "/token":
            if self.refresh:
                return self.refresh
            self.accepted = f"{TOKEN}-new"
            content = {"accessToken": self.accepted, "expiresIn": 28800, "refreshToken": f"{SECRET}-r2"}
            return Answer(200, json.dumps(content))
        if headers.get("x-amz-sso_bearer_token") != self.accepted:
            return Answer(401, '{"message": "Session token not found or invalid"}')
        content = {
            "accessKeyId": "ASIASSO",
            "secretAccessKey": SECRET,
            "sessionToken": TOKEN,
            "expiration": int(self.ends * 1000),
        }
        return Answer(200, json.dumps({"roleCredentials": content}))


def cache(home, name: str, **content: str):
    """The file that `aws sso login` writes."""
    path = home / ".aws" / "sso" / "cache" / f"{hashlib.sha1(name.encode()).hexdigest()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"accessToken": TOKEN, "expiresAt": iso(START + 7200), **content}))
    return path


REFRESHABLE = {
    "refreshToken": f"{SECRET}-r1",
    "clientId": "client",
    "clientSecret": f"{SECRET}-c",
    "registrationExpiresAt": iso(START + 86400),
    "startUrl": "https://x.awsapps.com/start",
}


@pytest.mark.parametrize(("config", "name"), [(OLD, "https://x.awsapps.com/start"), (NEW, "corp")])
def test_role_keys(tmp_path, config, name, caplog):
    """The token of the cache, by session name or start URL, buys the role's keys."""
    caplog.set_level(logging.DEBUG)
    environ = write_home(tmp_path, config)
    cache(tmp_path, name)
    with serving(Portal()) as server:
        found = default_chain(sources_of(environ, http=server.http)).get()
        assert server.asked_for == Origin("https", "portal.sso.eu-central-1.amazonaws.com", 443)
        [line] = server.log
    assert urlsplit(line.split()[1]).path == "/federation/credentials"
    assert parse_qs(urlsplit(line).query) == {"account_id": ["111122223333"], "role_name": ["Reader"]}
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("ASIASSO", SECRET, TOKEN)
    assert (found.expires_at, found.source) == (START + 3600, "sso: Reader in 111122223333")
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text


def test_token_is_renewed_before_it_ends(tmp_path):
    """With under 15 minutes left, by the refresh token; the cache is rewritten for its owner only."""
    environ = write_home(tmp_path, NEW)
    path = cache(tmp_path, "corp", **(REFRESHABLE | {"expiresAt": iso(START + 800)}))
    with serving(Portal()) as server:
        assert Sso(sources_of(environ, http=server.http), "default").fetch().access_key_id == "ASIASSO"
        assert server.log[0] == "POST /token"
        assert server.headers[0]["content-type"] == "application/json"
        assert json.loads(server.bodies[0]) == {
            "grantType": "refresh_token",
            "clientId": "client",
            "clientSecret": f"{SECRET}-c",
            "refreshToken": f"{SECRET}-r1",
        }
    assert json.loads(path.read_text()) == REFRESHABLE | {
        "accessToken": f"{TOKEN}-new",
        "expiresAt": iso(START + 28800),
        "refreshToken": f"{SECRET}-r2",
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_cache_that_is_written_in_half(tmp_path):
    """The file of before stays, and nothing beside it."""
    path = cache(tmp_path, "corp")
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_token(str(path), {"accessToken": SECRET, "expiresAt": object()})
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_cache_that_cannot_be_written(tmp_path, caplog):
    """The renewed token is used all the same."""
    environ = write_home(tmp_path, NEW)
    path = cache(tmp_path, "corp", **(REFRESHABLE | {"expiresAt": iso(START + 800)}))

    class Vanishing(Portal):
        def __call__(self, method, place, headers, body) -> Answer:
            if place == "/token":
                path.unlink()
                path.parent.rmdir()
            return super().__call__(method, place, headers, body)

    with serving(Vanishing()) as server:
        assert Sso(sources_of(environ, http=server.http), "default").fetch().access_key_id == "ASIASSO"
    assert "could not be written" in caplog.text


@pytest.mark.parametrize(
    ("change", "refresh"),
    [
        ({}, Answer(400, '{"error": "invalid_grant"}')),
        ({}, Answer(200, "{}")),
        ({"refreshToken": ""}, None),
        ({"registrationExpiresAt": iso(START - 1)}, None),
    ],
)
@pytest.mark.parametrize("left", [800, -1])
def test_token_that_cannot_be_renewed(tmp_path, change, refresh, left, caplog):
    """The old one is used while it is good; then the error says how to log in."""
    environ = write_home(tmp_path, NEW)
    cache(tmp_path, "corp", **(REFRESHABLE | {"expiresAt": iso(START + left)} | change))
    portal = Portal()
    portal.refresh = refresh
    with serving(portal) as server:
        provider = Sso(sources_of(environ, http=server.http), "default")
        if left > 0:
            assert provider.fetch().access_key_id == "ASIASSO"
        else:
            with pytest.raises(CredentialsError, match="has ended; log in by: aws sso login --profile default"):
                provider.fetch()
    assert "was not renewed" in caplog.text
    assert SECRET not in caplog.text


def test_old_form_is_never_renewed(tmp_path):
    """An ended token of the older form is an error."""
    environ = write_home(tmp_path, OLD)
    cache(tmp_path, "https://x.awsapps.com/start", **(REFRESHABLE | {"expiresAt": iso(START - 1)}))
    with pytest.raises(CredentialsError, match="aws sso login"):
        Sso(sources_of(environ), "default").fetch()


def test_login_that_the_portal_refuses(tmp_path):
    """401: log in again."""
    environ = write_home(tmp_path, NEW)
    cache(tmp_path, "corp", accessToken="revoked")
    with (
        serving(Portal()) as server,
        pytest.raises(CredentialsError, match="no longer valid; log in by: aws sso login"),
    ):
        Sso(sources_of(environ, http=server.http), "default").fetch()


ROLE_KEYS = '"accessKeyId": "A", "secretAccessKey": "s", "sessionToken": "t"'


@pytest.mark.parametrize(
    "content",
    [
        *("{}", "[]", "garbage", '{"roleCredentials": {"accessKeyId": "A"}}'),
        *(f'{{"roleCredentials": {{{ROLE_KEYS}, "expiration": {end}}}}}' for end in ("NaN", "1e999", "9" * 400)),
    ],
)
def test_garbage_of_the_portal(tmp_path, content):
    """RefreshFailed, after some attempts."""
    environ = write_home(tmp_path, NEW)
    cache(tmp_path, "corp")
    with serving(lambda *_: Answer(200, content)) as server:
        with pytest.raises(RefreshFailed, match="sso gave no credentials"):
            default_chain(sources_of(environ, http=server.http)).get()
        assert len(server.log) == 4


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"accessToken": "x"}', '{"expiresAt": "2027-01-01T00:00:00Z"}'])
def test_cache_that_is_no_login(tmp_path, text):
    """The file is named, its content is not shown."""
    environ = write_home(tmp_path, NEW)
    path = cache(tmp_path, "corp")
    path.write_text(text)
    with pytest.raises(CredentialsError, match="aws sso login --profile default") as raised:
        Sso(sources_of(environ), "default").fetch()
    assert str(path) in str(raised.value)


def test_not_logged_in(tmp_path):
    """No cache file: the error says how to log in."""
    with pytest.raises(CredentialsError, match=r"there is no .*; log in by: aws sso login"):
        Sso(sources_of(write_home(tmp_path, NEW)), "default").fetch()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[default]\nsso_role_name = R\n", "lacks sso_start_url, sso_region, sso_account_id"),
        (f"[default]\n{ROLE}sso_session = gone\n", r"no section \[sso-session gone\]"),
        (
            f"[default]\n{ROLE}sso_session = corp\nsso_region = us-east-1\n{SESSION}",
            "'us-east-1' in profile 'default' but",
        ),
        (f"[default]\n{ROLE}sso_session = corp\n[sso-session corp]\nsso_region = x\n", "lacks sso_start_url"),
    ],
)
def test_settings_that_cannot_be_right(tmp_path, config, said):
    """ConfigError names the profile and what is missing or contradicts itself."""
    with pytest.raises(ConfigError, match=said):
        Sso(sources_of(write_home(tmp_path, config)), "default").fetch()


def test_passes(tmp_path):
    """A profile without SSO keys; an sso_session alone, as for tokens of other services, is none."""
    with pytest.raises(Passed):
        Sso(sources_of(write_home(tmp_path, f"[default]\nsso_session = corp\n{SESSION}")), "default").fetch()


def test_renewal_of_the_role_keys(tmp_path):
    """They are fetched again before they end."""
    environ = write_home(tmp_path, NEW)
    cache(tmp_path, "corp")
    clock, portal = Clock(), Portal()
    with serving(portal) as server:
        chain = default_chain(sources_of(environ, http=server.http, clock=clock))
        chain.get()
        clock.now, portal.ends = START + 3000, START + 7200
        assert chain.get().expires_at == START + 7200
        assert len(server.log) == 2


def test_china(tmp_path):
    """Hosts of the partition of sso_region."""
    environ = write_home(tmp_path, NEW.replace("eu-central-1", "cn-north-1"))
    cache(tmp_path, "corp")
    with serving(Portal()) as server:
        Sso(sources_of(environ, http=server.http), "default").fetch()
        assert server.asked_for.host == "portal.sso.cn-north-1.amazonaws.com.cn"

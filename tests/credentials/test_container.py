"""Container credentials, against an HTTP server on loopback."""

from __future__ import annotations

import json
import logging

import pytest

from credentials.fakes import (
    SECRET,
    START,
    TOKEN,
    Answer,
    Clock,
    iso,
    no_http,
    real_http,
    serving,
    sources_of,
    write_home,
)
from s3target.credentials import Passed, default_chain
from s3target.credentials.metadata import Container
from s3target.errors import BadResponse, ConfigError, RefreshFailed, ServiceError
from s3target.protocol.messages import Origin

KEYS = json.dumps(
    {
        "AccessKeyId": "ASIAC",
        "SecretAccessKey": SECRET,
        "Token": TOKEN,
        "Expiration": iso(START + 3600),
        "AccountId": "1",
    }
)


def give_keys(method, path, headers, body) -> Answer:
    return Answer(200, KEYS)


def test_full_uri(tmp_path):
    """GET of the whole URI with its query; the token of the variable is shown to it."""
    with serving(give_keys) as server:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/v1/creds?id=a%20b&x=",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
        }
        found = Container(sources_of(environ, http=real_http)).fetch()
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("ASIAC", SECRET, TOKEN)
    assert (found.expires_at, found.source) == (START + 3600, "container-role")
    assert server.log == ["GET /v1/creds?id=a%20b&x="]
    assert server.headers[0]["authorization"] == TOKEN
    assert server.headers[0]["accept"] == "application/json"


def test_relative_uri_wins():
    """It is asked at 169.254.170.2, without a token if none is set."""
    with serving(give_keys) as server:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1?x=y",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/other",
        }
        Container(sources_of(environ, http=server.http)).fetch()
        assert server.asked_for == Origin("http", "169.254.170.2", 80)
        assert server.log == ["GET /v2/credentials/1?x=y"]
        assert "authorization" not in server.headers[0]


def test_token_file_is_read_again(tmp_path):
    """EKS Pod Identity replaces the token; the file beats the variable."""
    token = tmp_path / "token"
    token.write_text("first")
    clock = Clock()
    with serving(give_keys) as server:
        environ = write_home(
            tmp_path,
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{server.url}/v1/credentials",
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token),
            AWS_CONTAINER_AUTHORIZATION_TOKEN="variable",
        )
        chain = default_chain(sources_of(environ, http=real_http, clock=clock))
        chain.get()
        token.write_text("second")
        clock.now += 3000
        chain.get()
        assert [headers["authorization"] for headers in server.headers] == ["first", "second"]


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.com/c",
        "http://127.0.0.1:80/c",
        "http://127.9.9.9/c",
        "http://[::1]:8080/c",
        "http://localhost/c",
        "http://169.254.170.2/c",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
    ],
)
def test_allowed_hosts(uri):
    """Any host over https; over http only loopback and the services' own addresses."""
    with serving(give_keys) as server:
        Container(sources_of({"AWS_CONTAINER_CREDENTIALS_FULL_URI": uri}, http=server.http)).fetch()
        assert server.asked_for.host in uri


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/c"}, "'example.com', which is not asked"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.169.254/c"}, "which is not asked"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost.example.com/c"}, "which is not asked"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost@example.com/c"}, "must be http"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "ftp://localhost/c"}, "must be http"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "localhost"}, "must be http"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost:x/"}, "must be http"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://[::1/c"}, "must be http"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@example.com/c"}, "must begin with a slash"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": ".example.com/c"}, "must begin with a slash"),
        (
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\nb: c"},
            "line break",
        ),
        (
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/gone",
            },
            "/gone cannot be read",
        ),
    ],
)
def test_settings_that_are_refused(environ, said):
    """ConfigError before anything is sent."""
    with pytest.raises(ConfigError, match=said):
        Container(sources_of(environ, http=no_http)).fetch()


def test_passes():
    """Without either variable."""
    with pytest.raises(Passed, match="is set"):
        Container(sources_of({})).fetch()


def test_retries(caplog):
    """Server errors and broken JSON are tried again, three times in all."""
    caplog.set_level(logging.DEBUG)
    answers = [Answer(500), Answer(200, KEYS[:50]), Answer(200, KEYS)]
    with serving(lambda *_: answers.pop(0)) as server:
        environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}
        assert Container(sources_of(environ, http=real_http)).fetch().access_key_id == "ASIAC"
        assert len(server.log) == 3
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("answer", "tries", "error"),
    [
        (Answer(500), 3, ServiceError),
        (Answer(404), 1, ServiceError),
        (Answer(200, "<html>"), 3, BadResponse),
        (Answer(200, "[]"), 3, BadResponse),
        (Answer(200, '{"AccessKeyId": "A"}'), 3, BadResponse),
    ],
)
def test_answers_without_keys(tmp_path, answer, tries, error):
    """The chain ends there with RefreshFailed: a container that says it has keys must give them."""
    with serving(lambda *_: answer) as server:
        environ = write_home(tmp_path, AWS_CONTAINER_CREDENTIALS_FULL_URI=server.url)
        with pytest.raises(RefreshFailed, match="container-role gave no credentials") as raised:
            default_chain(sources_of(environ, http=real_http)).get()
        assert len(server.log) == tries
    assert isinstance(raised.value.__cause__, error)

"""Instance metadata, container credentials and SSO: what is sent, what an answer means, what is no answer."""

from __future__ import annotations

import json

import pytest

from s3target.errors import BadResponse, NoCredentials
from s3target.protocol.endpoint import Location
from s3target.protocol.messages import Credentials, Origin, Response
from s3target.protocol.operations.base import Fixed
from s3target.protocol.operations.identity import (
    SsoToken,
    container_credentials,
    create_token,
    get_role_credentials,
    instance_credentials,
    instance_role,
    instance_token,
)

HERE = Fixed(Location(Origin("http", "h", 80), "/base", "", ""))
ROLES = "/base/latest/meta-data/iam/security-credentials/"
KEYS = {"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T", "Expiration": "2027-01-15T08:00:00Z"}
ENDS = 1_800_000_000.0


@pytest.mark.parametrize(
    ("operation", "method", "path", "query", "headers"),
    [
        (instance_token(), "PUT", "/base/latest/api/token", (), {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}),
        (instance_role(), "GET", ROLES, (), {}),
        (instance_role("t"), "GET", ROLES, (), {"x-aws-ec2-metadata-token": "t"}),
        (instance_credentials("a/b c", "t"), "GET", ROLES + "a%2Fb%20c", (), {"x-aws-ec2-metadata-token": "t"}),
        (instance_credentials("a_b+c=d,e.f@g-h"), "GET", ROLES + "a_b+c=d,e.f@g-h", (), {}),
        (container_credentials("/v1"), "GET", "/base/v1", (), {"accept": "application/json"}),
        (
            container_credentials("/v1", (("id", "1"),), "auth"),
            "GET",
            "/base/v1",
            (("id", "1"),),
            {"accept": "application/json", "authorization": "auth"},
        ),
        (
            get_role_credentials("1", "r", "t"),
            "GET",
            "/base/federation/credentials",
            (("role_name", "r"), ("account_id", "1")),
            {"x-amz-sso_bearer_token": "t"},
        ),
        (create_token("c", "s", "r"), "POST", "/base/token", (), {"content-type": "application/json"}),
    ],
)
def test_request(operation, method, path, query, headers):
    """Method, path, query, headers; none of them is ever signed."""
    request = operation.request(HERE)
    assert (request.method, request.path, request.query, dict(request.headers)) == (method, path, query, headers)
    assert request.service == ""


def test_body_of_create_token():
    """JSON with the names of the API."""
    with create_token("c", "s", "r").request(HERE).body.open() as body:
        assert json.loads(body.read()) == {
            "grantType": "refresh_token",
            "clientId": "c",
            "clientSecret": "s",
            "refreshToken": "r",
        }


ROLE_KEYS = {"accessKeyId": "A", "secretAccessKey": "S", "sessionToken": "T", "expiration": ENDS * 1000}


@pytest.mark.parametrize(
    ("operation", "content", "result"),
    [
        (instance_token(), b"token\n", "token"),
        (instance_role(), b"my-role", "my-role"),
        (instance_credentials("r"), {"Code": "Success", **KEYS}, Credentials("A", "S", "T", ENDS)),
        (container_credentials("/"), KEYS, Credentials("A", "S", "T", ENDS)),
        (
            container_credentials("/"),
            {"AccessKeyId": "A", "SecretAccessKey": "S"},
            Credentials("A", "S", None, None),
        ),
        (get_role_credentials("1", "r", "t"), {"roleCredentials": ROLE_KEYS}, Credentials("A", "S", "T", ENDS)),
        (create_token("c", "s", "r"), {"accessToken": "a", "expiresIn": 60}, SsoToken("a", 60, None)),
        (
            create_token("c", "s", "r"),
            {"accessToken": "a", "expiresIn": 60, "refreshToken": "n"},
            SsoToken("a", 60, "n"),
        ),
    ],
)
def test_answer(operation, content, result):
    """What the services answer."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    assert operation.parse(Response(200, {}, raw)) == result


def less(content: dict, name: str, value: object = None) -> dict:
    return {**content, name: value}


@pytest.mark.parametrize(
    ("operation", "content"),
    [
        (instance_token(), b""),
        (instance_token(), b"a\r\nb: c"),
        (instance_role(), b" \n"),
        (instance_role(), "r\u00f6le".encode()),
        (instance_credentials("r"), b"<html>"),
        (instance_credentials("r"), b"[]"),
        (instance_credentials("r"), less(KEYS, "AccessKeyId", "")),
        (instance_credentials("r"), less(KEYS, "SecretAccessKey", 5)),
        (instance_credentials("r"), less(KEYS, "Expiration")),
        (instance_credentials("r"), less(KEYS, "Expiration", "soon")),
        (container_credentials("/"), less(KEYS, "Expiration", 5)),
        (container_credentials("/"), b'{"AccessKeyId": "A", "Secr'),
        (get_role_credentials("1", "r", "t"), {}),
        (get_role_credentials("1", "r", "t"), {"roleCredentials": []}),
        (get_role_credentials("1", "r", "t"), {"roleCredentials": less(ROLE_KEYS, "expiration", "soon")}),
        (get_role_credentials("1", "r", "t"), {"roleCredentials": less(ROLE_KEYS, "sessionToken")}),
        (create_token("c", "s", "r"), {"accessToken": "a"}),
        (create_token("c", "s", "r"), {"expiresIn": 5}),
    ],
)
def test_answer_that_breaks_its_promise(operation, content):
    """BadResponse, so that it is asked for again; it never quotes what came."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(BadResponse) as raised:
        operation.parse(Response(200, {}, raw))
    assert raised.value.__cause__ is None
    assert '"A"' not in str(raised.value)


def test_instance_that_says_why_it_has_no_keys():
    """NoCredentials with the reason: asking again is no use."""
    content = b'{"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role"}'
    with pytest.raises(NoCredentials, match="AssumeRoleUnauthorizedAccess: EC2 cannot assume the role"):
        instance_credentials("r").parse(Response(200, {}, content))


def test_no_secret_in_repr():
    """Tokens and secrets are left out."""
    shown = [
        instance_role("s3cret"),
        instance_credentials("r", "s3cret"),
        container_credentials("/", (), "s3cret"),
        get_role_credentials("1", "r", "s3cret"),
        create_token("c", "s3cret", "s3cret"),
        SsoToken("s3cret", 60, "s3cret"),
    ]
    assert "s3cret" not in repr(shown)

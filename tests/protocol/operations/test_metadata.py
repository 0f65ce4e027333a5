"""Instance metadata, container credentials and SSO: what is sent, what an answer means, what is no answer."""

from __future__ import annotations

import json

import pytest

from s3target.errors import BadResponse, NoCredentials
from s3target.protocol.endpoint import Location
from s3target.protocol.messages import Origin, Response
from s3target.protocol.operations.base import Fixed
from s3target.protocol.operations.metadata import (
    ContainerCredentials,
    CreateToken,
    GetRoleCredentials,
    InstanceCredentials,
    InstanceRole,
    InstanceToken,
    SsoToken,
)
from s3target.protocol.sigv4 import Credentials

HERE = Fixed(Location(Origin("http", "h", 80), "/base", "", ""))
ROLES = "/base/latest/meta-data/iam/security-credentials/"
KEYS = {"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T", "Expiration": "2027-01-15T08:00:00Z"}
ENDS = 1_800_000_000.0


@pytest.mark.parametrize(
    ("operation", "method", "path", "query", "headers"),
    [
        (InstanceToken(60), "PUT", "/base/latest/api/token", (), {"x-aws-ec2-metadata-token-ttl-seconds": "60"}),
        (InstanceRole(), "GET", ROLES, (), {}),
        (InstanceRole("t"), "GET", ROLES, (), {"x-aws-ec2-metadata-token": "t"}),
        (InstanceCredentials("a/b c", "t"), "GET", ROLES + "a%2Fb%20c", (), {"x-aws-ec2-metadata-token": "t"}),
        (ContainerCredentials("/v1"), "GET", "/base/v1", (), {"accept": "application/json"}),
        (
            ContainerCredentials("/v1", (("id", "1"),), "auth"),
            "GET",
            "/base/v1",
            (("id", "1"),),
            {"accept": "application/json", "authorization": "auth"},
        ),
        (
            GetRoleCredentials("1", "r", "t"),
            "GET",
            "/base/federation/credentials",
            (("role_name", "r"), ("account_id", "1")),
            {"x-amz-sso_bearer_token": "t"},
        ),
        (CreateToken("c", "s", "r"), "POST", "/base/token", (), {"content-type": "application/json"}),
    ],
)
def test_request(operation, method, path, query, headers):
    """Method, path, query, headers; none of them is ever signed."""
    request = operation.request(HERE)
    assert (request.method, request.path, request.query, dict(request.headers)) == (method, path, query, headers)
    assert request.service == ""


def test_body_of_create_token():
    """JSON with the names of the API."""
    with CreateToken("c", "s", "r").request(HERE).body.open() as body:
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
        (InstanceToken(), b"token\n", "token"),
        (InstanceRole(), b"my-role", "my-role"),
        (InstanceCredentials("r"), {"Code": "Success", **KEYS}, Credentials("A", "S", "T", ENDS, "iam-role")),
        (ContainerCredentials("/"), KEYS, Credentials("A", "S", "T", ENDS, "container-role")),
        (
            ContainerCredentials("/"),
            {"AccessKeyId": "A", "SecretAccessKey": "S"},
            Credentials("A", "S", None, None, "container-role"),
        ),
        (GetRoleCredentials("1", "r", "t"), {"roleCredentials": ROLE_KEYS}, Credentials("A", "S", "T", ENDS, "sso")),
        (CreateToken("c", "s", "r"), {"accessToken": "a", "expiresIn": 60}, SsoToken("a", 60, None)),
        (
            CreateToken("c", "s", "r"),
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
        (InstanceToken(), b""),
        (InstanceToken(), b"a\r\nb: c"),
        (InstanceRole(), b" \n"),
        (InstanceRole(), "r\u00f6le".encode()),
        (InstanceCredentials("r"), b"<html>"),
        (InstanceCredentials("r"), b"[]"),
        (InstanceCredentials("r"), less(KEYS, "AccessKeyId", "")),
        (InstanceCredentials("r"), less(KEYS, "SecretAccessKey", 5)),
        (InstanceCredentials("r"), less(KEYS, "Expiration")),
        (InstanceCredentials("r"), less(KEYS, "Expiration", "soon")),
        (ContainerCredentials("/"), less(KEYS, "Expiration", 5)),
        (ContainerCredentials("/"), b'{"AccessKeyId": "A", "Secr'),
        (GetRoleCredentials("1", "r", "t"), {}),
        (GetRoleCredentials("1", "r", "t"), {"roleCredentials": []}),
        (GetRoleCredentials("1", "r", "t"), {"roleCredentials": less(ROLE_KEYS, "expiration", "soon")}),
        (GetRoleCredentials("1", "r", "t"), {"roleCredentials": less(ROLE_KEYS, "sessionToken")}),
        (CreateToken("c", "s", "r"), {"accessToken": "a"}),
        (CreateToken("c", "s", "r"), {"expiresIn": 5}),
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
        InstanceCredentials("r").parse(Response(200, {}, content))


def test_no_secret_in_repr():
    """Tokens and secrets are left out."""
    shown = [
        InstanceRole("s3cret"),
        InstanceCredentials("r", "s3cret"),
        ContainerCredentials("/", (), "s3cret"),
        GetRoleCredentials("1", "r", "s3cret"),
        CreateToken("c", "s3cret", "s3cret"),
        SsoToken("s3cret", 60, "s3cret"),
    ]
    assert "s3cret" not in repr(shown)

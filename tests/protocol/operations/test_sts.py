"""STS: forms out, keys in."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from s3target.errors import BadResponse
from s3target.protocol.endpoint import Location, sts_endpoint
from s3target.protocol.messages import Credentials, Origin
from s3target.protocol.operations.base import Fixed
from s3target.protocol.operations.identity import (
    AssumeRole,
    AssumeRoleWithWebIdentity,
    CallerIdentity,
    GetCallerIdentity,
)
from scripted import reply

STS = Fixed(sts_endpoint("eu-west-1"))
ROLE = "arn:aws:iam::123456789012:role/a b"


@pytest.mark.parametrize(
    ("operation", "form", "service"),
    [
        (GetCallerIdentity(), "Action=GetCallerIdentity&Version=2011-06-15", "sts"),
        (
            AssumeRole(ROLE, "me"),
            "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fa%20b&RoleSessionName=me"
            "&Version=2011-06-15",
            "sts",
        ),
        (
            AssumeRole("r", "me", 900, "x&y", "serial", "123456"),
            "Action=AssumeRole&DurationSeconds=900&ExternalId=x%26y&RoleArn=r&RoleSessionName=me&SerialNumber=serial"
            "&TokenCode=123456&Version=2011-06-15",
            "sts",
        ),
        (
            AssumeRoleWithWebIdentity("r", "me", "a.b+c="),
            "Action=AssumeRoleWithWebIdentity&RoleArn=r&RoleSessionName=me&Version=2011-06-15"
            "&WebIdentityToken=a.b%2Bc%3D",
            "",
        ),
    ],
)
def test_forms(operation, form, service):
    """Only what was given; all are signed for STS but the one that a web token vouches for."""
    request = operation.request(STS)
    assert (request.method, request.path, request.query) == ("POST", "/", ())
    assert request.origin == Origin("https", "sts.eu-west-1.amazonaws.com", 443)
    assert request.headers == {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert b"".join(request.body.pieces).decode() == form
    assert (request.region, request.service) == ("eu-west-1", service)


def test_sts_below_a_path():
    """A look-alike may have its STS beside other things."""
    elsewhere = Fixed(Location(Origin("http", "h", 80), "/sts", "us-east-1", "sts"))
    assert GetCallerIdentity().request(elsewhere).path == "/sts"


def session(
    action: str, expiration: str, token: str = "<SessionToken>T/+=</SessionToken>", namespace: str = ""
) -> bytes:
    return (
        f"<{action}Response{namespace}><{action}Result><Credentials><AccessKeyId>AK</AccessKeyId>"
        f"<SecretAccessKey>SK</SecretAccessKey>{token}<Expiration>{expiration}</Expiration></Credentials>"
        f"</{action}Result><ResponseMetadata><RequestId>R</RequestId></ResponseMetadata></{action}Response>"
    ).encode()


ROLES = [AssumeRole("r", "me"), AssumeRoleWithWebIdentity("r", "me", "t")]


@pytest.mark.parametrize("operation", ROLES)
@pytest.mark.parametrize(
    ("expiration", "fraction"),
    [
        ("2026-11-22T21:44:13Z", 0.0),  # SeaweedFS
        ("2026-11-22T21:44:13.148814Z", 0.148814),  # moto
        ("2026-11-22T21:44:13.040438271Z", 0.040438),  # Ceph
    ],
)
@pytest.mark.parametrize("namespace", ["", ' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'])
def test_keys_of_a_session(operation, expiration, fraction, namespace):
    """A complete value, with the moment it expires."""
    keys = operation.parse(reply(200, session(operation.name, expiration, namespace=namespace)))
    whole = datetime(2026, 11, 22, 21, 44, 13, tzinfo=timezone.utc).timestamp()
    assert keys.expires_at == pytest.approx(whole + fraction, abs=1e-6)
    assert keys == Credentials("AK", "SK", "T/+=", keys.expires_at)


def test_session_without_a_token():
    """None, not an empty header."""
    content = session("AssumeRole", "2026-11-22T21:44:13Z", "<SessionToken/>")
    assert AssumeRole("r", "me").parse(reply(200, content)).session_token is None


GOOD = session("AssumeRole", "2026-11-22T21:44:13Z")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<AssumeRoleResponse/>",
        b"<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>",
        GOOD.replace(b"AssumeRoleR", b"OtherR"),
        GOOD.replace(b"<AccessKeyId>AK</AccessKeyId>", b""),
        GOOD.replace(b">SK<", b"><"),
        GOOD.replace(b"2026-11-22T21:44:13Z", b""),
        GOOD.replace(b"2026-11-22T21:44:13Z", b"soon"),
        GOOD.replace(b"2026-11-22T21:44:13Z", b"0001-01-01T00:00:00+01:00"),
        GOOD[:-1],
    ],
)
def test_session_that_cannot_be_used(content):
    """Keys in part are no keys; the error shows none of them."""
    with pytest.raises(BadResponse) as caught:
        AssumeRole("r", "me").parse(reply(200, content))
    assert "SK" not in str(caught.value)


def test_identity():
    """Account, ARN and user id."""
    content = (
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        b"<Arn>arn:x</Arn><UserId>U</UserId><Account>123</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    assert GetCallerIdentity().parse(reply(200, content)) == CallerIdentity("123", "arn:x", "U")
    with pytest.raises(BadResponse):
        GetCallerIdentity().parse(reply(200, b"<GetCallerIdentityResponse/>"))

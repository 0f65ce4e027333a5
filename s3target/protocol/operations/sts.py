"""STS: AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity. A form is posted, XML comes back.

https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from typing import NamedTuple

from ...errors import BadResponse
from ...value import dataclass, field
from ..encoding import parse_timestamp, query_string
from ..messages import BytesBody, Query, Request, Response
from ..sigv4 import Credentials
from ..xml import Element
from .base import Locator, ServiceOperation, document

_VERSION = "2011-06-15"


class CallerIdentity(NamedTuple):
    account: str
    arn: str
    user_id: str


def _form(endpoint: Locator, action: str, fields: Query, signed: bool = True) -> Request:
    location = endpoint.locate()
    given = tuple((name, value) for name, value in fields if value)
    body = query_string((("Action", action), ("Version", _VERSION), *given))
    return Request(
        "POST",
        location.origin,
        location.base_path or "/",
        headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        body=BytesBody(body.encode()),
        region=location.region,
        service=location.service if signed else "",
    )


def _credentials(result: Element | None, source: str) -> Credentials:
    keys = result.find("Credentials") if result else None
    if keys is None or not keys.get("AccessKeyId") or not keys.get("SecretAccessKey"):
        raise BadResponse(f"{source} was answered without credentials")
    try:
        expires_at = parse_timestamp(keys.get("Expiration")).timestamp()
    except ValueError:
        raise BadResponse(f"{source} was answered with an Expiration that is no time") from None
    return Credentials(
        keys.get("AccessKeyId"), keys.get("SecretAccessKey"), keys.get("SessionToken") or None, expires_at, source
    )


@dataclass(frozen=True)
class AssumeRole(ServiceOperation[Credentials]):
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

    duration: seconds, 900 to 43,200, None for the service's default (an hour).
    """

    role_arn: str
    session_name: str
    duration: int | None = None
    external_id: str | None = None
    mfa_serial: str | None = None
    mfa_code: str | None = field(default=None, repr=False)

    def request(self, endpoint: Locator) -> Request:
        fields = (
            ("RoleArn", self.role_arn),
            ("RoleSessionName", self.session_name),
            ("DurationSeconds", str(self.duration or "")),
            ("ExternalId", self.external_id or ""),
            ("SerialNumber", self.mfa_serial or ""),
            ("TokenCode", self.mfa_code or ""),
        )
        return _form(endpoint, "AssumeRole", fields)

    def parse(self, response: Response) -> Credentials:
        return _credentials(document(response, "AssumeRoleResponse").find("AssumeRoleResult"), "AssumeRole")


@dataclass(frozen=True)
class AssumeRoleWithWebIdentity(ServiceOperation[Credentials]):
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html (never signed)"""

    role_arn: str
    session_name: str
    token: str = field(repr=False)
    duration: int | None = None

    def request(self, endpoint: Locator) -> Request:
        fields = (
            ("RoleArn", self.role_arn),
            ("RoleSessionName", self.session_name),
            ("WebIdentityToken", self.token),
            ("DurationSeconds", str(self.duration or "")),
        )
        return _form(endpoint, "AssumeRoleWithWebIdentity", fields, signed=False)

    def parse(self, response: Response) -> Credentials:
        root = document(response, "AssumeRoleWithWebIdentityResponse")
        return _credentials(root.find("AssumeRoleWithWebIdentityResult"), "AssumeRoleWithWebIdentity")


@dataclass(frozen=True)
class GetCallerIdentity(ServiceOperation[CallerIdentity]):
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""

    def request(self, endpoint: Locator) -> Request:
        return _form(endpoint, "GetCallerIdentity", ())

    def parse(self, response: Response) -> CallerIdentity:
        result = document(response, "GetCallerIdentityResponse").find("GetCallerIdentityResult")
        if result is None:
            raise BadResponse("GetCallerIdentity was answered without a result")
        return CallerIdentity(result.get("Account"), result.get("Arn"), result.get("UserId"))

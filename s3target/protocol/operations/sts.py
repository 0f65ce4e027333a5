"""STS: AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity. A form is posted, XML comes back.

https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from ...errors import BadResponse
from ...value import dataclass, field
from ..encoding import parse_timestamp, query_string
from ..messages import BytesBody, Credentials, Request, Response
from .base import Locator, Result, ServiceOperation, document


def credentials_of(content: Mapping[str, Any], session_field: str, must_expire: bool = False) -> Credentials:
    """Of the names that container, instance, process and STS agree on. session_field: where the session token is."""
    end, session_token = content.get("Expiration"), content.get(session_field)
    if must_expire and not end:
        raise BadResponse("the answer has no Expiration")
    try:
        expires_at = parse_timestamp(end).timestamp() if end else None
    except (ValueError, TypeError, AttributeError):
        raise BadResponse("the answer has an Expiration that is no time") from None
    key_id, secret = text_of(content, "AccessKeyId"), text_of(content, "SecretAccessKey")
    return Credentials(key_id, secret, str(session_token) if session_token else None, expires_at)


def text_of(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not value or not isinstance(value, str):
        raise BadResponse(f"the answer has no {name}")
    return value


class _StsOperation(ServiceOperation[Result]):
    """One whose name, fields and result are called as in the API."""

    signed: ClassVar[bool] = True

    def fields(self) -> Mapping[str, str | int | None]:
        """What to ask for; what is empty is left out."""
        raise NotImplementedError

    def request(self, endpoint: Locator) -> Request:
        location = endpoint.locate()
        given = ((name, str(value)) for name, value in self.fields().items() if value)
        form = query_string((("Action", self.name), ("Version", "2011-06-15"), *given))
        return Request(
            "POST",
            location.origin,
            location.base_path or "/",
            headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=BytesBody(form.encode()),
            region=location.region,
            service=location.service if self.signed else "",
        )

    def _result(self, response: Response, *path: str) -> Mapping[str, str]:
        result = document(response, f"{self.name}Response").find(f"{self.name}Result", *path)
        if result is None:
            raise BadResponse(f"{self.name} was answered without {' '.join(path) or 'a result'}")
        return {child.name: child.text for child in result.children}


class _AssumeOperation(_StsOperation[Credentials]):
    def parse(self, response: Response) -> Credentials:
        return credentials_of(self._result(response, "Credentials"), "SessionToken", must_expire=True)


@dataclass(frozen=True)
class AssumeRole(_AssumeOperation):
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

    duration: seconds, 900 to 43,200, None for the service's default (an hour).
    """

    role_arn: str
    session_name: str
    duration: int | None = None
    external_id: str | None = None
    mfa_serial: str | None = None
    mfa_code: str | None = field(default=None, repr=False)

    def fields(self) -> Mapping[str, str | int | None]:
        return {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": self.duration,
            "ExternalId": self.external_id,
            "SerialNumber": self.mfa_serial,
            "TokenCode": self.mfa_code,
        }


@dataclass(frozen=True)
class AssumeRoleWithWebIdentity(_AssumeOperation):
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html (never signed)"""

    signed: ClassVar[bool] = False
    role_arn: str
    session_name: str
    token: str = field(repr=False)
    duration: int | None = None

    def fields(self) -> Mapping[str, str | int | None]:
        return {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "WebIdentityToken": self.token,
            "DurationSeconds": self.duration,
        }


class CallerIdentity(NamedTuple):
    account: str
    arn: str
    user_id: str


@dataclass(frozen=True)
class GetCallerIdentity(_StsOperation[CallerIdentity]):
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""

    def fields(self) -> Mapping[str, str | int | None]:
        return {}

    def parse(self, response: Response) -> CallerIdentity:
        result = self._result(response)
        return CallerIdentity(*(result.get(name, "") for name in ("Account", "Arn", "UserId")))

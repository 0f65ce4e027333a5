"""The services that hand out keys over plain HTTP: instance metadata, container credentials, IAM Identity Center (SSO).

None of these requests is signed. Answers are JSON or a line of text.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html,
https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html,
https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import BadResponse, NoCredentials
from ...value import dataclass, field
from ..encoding import parse_timestamp, percent_encode
from ..messages import EMPTY, Body, BytesBody, Headers, Query, Request, Response
from ..sigv4 import Credentials
from .base import Locator, ServiceOperation

_NO_HEADERS: Headers = {}


@dataclass(frozen=True)
class InstanceToken(ServiceOperation[str]):
    """The session token of IMDSv2. lifetime: seconds."""

    lifetime: int = 21600

    def request(self, endpoint: Locator) -> Request:
        headers = {"x-aws-ec2-metadata-token-ttl-seconds": str(self.lifetime)}
        return _request(endpoint, "PUT", "/latest/api/token", headers=headers)

    def parse(self, response: Response) -> str:
        return _line(response)


@dataclass(frozen=True)
class InstanceRole(ServiceOperation[str]):
    """The name of the instance's role. token None: version 1 of the service."""

    token: str | None = field(default=None, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return _request(endpoint, "GET", _ROLES, headers=_with_token(self.token))

    def parse(self, response: Response) -> str:
        return _line(response)


@dataclass(frozen=True)
class InstanceCredentials(ServiceOperation[Credentials]):
    """The keys of the instance's role. NoCredentials if the service says why it has none."""

    role: str
    token: str | None = field(default=None, repr=False)

    def request(self, endpoint: Locator) -> Request:
        return _request(endpoint, "GET", _ROLES + percent_encode(self.role), headers=_with_token(self.token))

    def parse(self, response: Response) -> Credentials:
        content = json_object(response.content)
        if "AccessKeyId" not in content and "Code" in content:
            raise NoCredentials(f"instance metadata answered {content['Code']}: {content.get('Message', '')}")
        return credentials_of(content, "iam-role", "Token", must_expire=True)


@dataclass(frozen=True)
class ContainerCredentials(ServiceOperation[Credentials]):
    """The keys that ECS or EKS has for a container. path: percent-encoded. authorization: of the header."""

    path: str
    query: Query = ()
    authorization: str | None = field(default=None, repr=False)

    def request(self, endpoint: Locator) -> Request:
        headers = {"accept": "application/json"}
        if self.authorization:
            headers["authorization"] = self.authorization
        return _request(endpoint, "GET", self.path, self.query, headers)

    def parse(self, response: Response) -> Credentials:
        return credentials_of(json_object(response.content), "container-role", "Token")


@dataclass(frozen=True)
class GetRoleCredentials(ServiceOperation[Credentials]):
    """The keys of a role in an account, for somebody who is logged in to IAM Identity Center."""

    account: str
    role: str
    access_token: str = field(repr=False)

    def request(self, endpoint: Locator) -> Request:
        query = (("role_name", self.role), ("account_id", self.account))
        headers = {"x-amz-sso_bearer_token": self.access_token}
        return _request(endpoint, "GET", "/federation/credentials", query, headers)

    def parse(self, response: Response) -> Credentials:
        keys = json_object(response.content).get("roleCredentials")
        if not isinstance(keys, Mapping):
            raise BadResponse("GetRoleCredentials was answered without roleCredentials")
        end = keys.get("expiration")
        if not isinstance(end, (int, float)):
            raise BadResponse("GetRoleCredentials was answered with an expiration that is no number")
        return Credentials(
            _text(keys, "accessKeyId"), _text(keys, "secretAccessKey"), _text(keys, "sessionToken"), end / 1000, "sso"
        )


class SsoToken(NamedTuple):
    """lifetime: seconds from now. refresh_token: None if the old one stays."""

    access_token: str
    lifetime: float
    refresh_token: str | None

    def __repr__(self) -> str:
        return f"SsoToken(lifetime={self.lifetime})"


@dataclass(frozen=True)
class CreateToken(ServiceOperation[SsoToken]):
    """A new access token for a refresh token."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)

    def request(self, endpoint: Locator) -> Request:
        import json

        fields = {
            "grantType": "refresh_token",
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "refreshToken": self.refresh_token,
        }
        headers = {"content-type": "application/json"}
        return _request(endpoint, "POST", "/token", headers=headers, body=BytesBody(json.dumps(fields).encode()))

    def parse(self, response: Response) -> SsoToken:
        content = json_object(response.content)
        lifetime = content.get("expiresIn")
        if not isinstance(lifetime, (int, float)):
            raise BadResponse("CreateToken was answered with an expiresIn that is no number")
        refresh_token = content.get("refreshToken")
        return SsoToken(_text(content, "accessToken"), lifetime, str(refresh_token) if refresh_token else None)


def json_object(content: bytes | str) -> Mapping[str, Any]:
    """BadResponse, which never quotes the content, if it is not one JSON object."""
    import json

    try:
        value = json.loads(content)
    except ValueError:
        raise BadResponse("the answer is no JSON") from None
    if not isinstance(value, dict):
        raise BadResponse("the answer is JSON but no object")
    return value


def credentials_of(
    content: Mapping[str, Any], source: str, session_field: str, must_expire: bool = False
) -> Credentials:
    """Of the object that container, instance and process agree on. session_field: where the session token is."""
    end = content.get("Expiration")
    if end is None and must_expire:
        raise BadResponse("the answer has no Expiration")
    session_token = content.get(session_field)
    try:
        expires_at = parse_timestamp(end).timestamp() if end else None
    except (ValueError, TypeError, AttributeError):
        raise BadResponse("the answer has an Expiration that is no time") from None
    key_id, secret = _text(content, "AccessKeyId"), _text(content, "SecretAccessKey")
    return Credentials(key_id, secret, str(session_token) if session_token else None, expires_at, source)


_ROLES = "/latest/meta-data/iam/security-credentials/"


def _request(
    endpoint: Locator,
    method: str,
    path: str,
    query: Query = (),
    headers: Headers = _NO_HEADERS,
    body: Body = EMPTY,
) -> Request:
    location = endpoint.locate()
    return Request(method, location.origin, location.base_path + path, query, headers, body, service="")


def _with_token(token: str | None) -> Headers:
    return {"x-aws-ec2-metadata-token": token} if token else _NO_HEADERS


def _line(response: Response) -> str:
    """The answer's one line, which will be part of a header or a path."""
    text = response.content.decode("ascii", errors="replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise BadResponse("the answer is empty, or not a line of text")
    return text


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not value or not isinstance(value, str):
        raise BadResponse(f"the answer has no {name}")
    return value

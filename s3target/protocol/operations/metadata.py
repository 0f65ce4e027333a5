"""The services that hand out keys over plain HTTP: instance metadata, container credentials, IAM Identity Center (SSO).

None of these requests is signed. Answers are JSON or a line of text; what breaks its promise is BadResponse, which
never quotes the answer.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html,
https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html,
https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...errors import BadResponse, NoCredentials
from ...value import dataclass, field
from ..encoding import percent_encode
from ..messages import EMPTY, Body, BytesBody, Credentials, Headers, Query, Request, Response
from .base import Locator, Result, ServiceOperation
from .sts import credentials_of, text_of

_ROLES = "/latest/meta-data/iam/security-credentials/"


@dataclass(frozen=True)
class Question(ServiceOperation[Result]):
    """One such request. asked: the operation's name. read: makes the result of the answer's body."""

    asked: str
    read: Callable[[bytes], Result]
    path: str
    headers: Headers = field(repr=False)
    query: Query = ()
    method: str = "GET"
    body: Body = EMPTY

    @property
    def name(self) -> str:
        return self.asked

    def request(self, endpoint: Locator) -> Request:
        location = endpoint.locate()
        path = location.base_path + self.path
        return Request(self.method, location.origin, path, self.query, self.headers, self.body, service="")

    def parse(self, response: Response) -> Result:
        return self.read(response.content)


def instance_token(lifetime: int = 21600) -> Question[str]:
    """The session token of IMDSv2. lifetime: seconds."""
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": str(lifetime)}
    return Question("InstanceToken", _line, "/latest/api/token", headers, method="PUT")


def instance_role(token: str | None = None) -> Question[str]:
    """The name of the instance's role. token None: version 1 of the service."""
    return Question("InstanceRole", _line, _ROLES, _with_token(token))


def instance_credentials(role: str, token: str | None = None) -> Question[Credentials]:
    """The keys of the instance's role. NoCredentials if the service says why it has none."""
    return Question("InstanceCredentials", _of_instance, _ROLES + percent_encode(role), _with_token(token))


def _with_token(token: str | None) -> Headers:
    return {"x-aws-ec2-metadata-token": token} if token else {}


def _of_instance(answer: bytes) -> Credentials:
    content = json_object(answer)
    if "AccessKeyId" not in content and "Code" in content:
        raise NoCredentials(f"instance metadata answered {content['Code']}: {content.get('Message', '')}")
    return credentials_of(content, "Token", must_expire=True)


def container_credentials(path: str, query: Query = (), authorization: str | None = None) -> Question[Credentials]:
    """The keys that ECS or EKS has for a container. path: percent-encoded. authorization: of the header."""
    headers = {"accept": "application/json", **({"authorization": authorization} if authorization else {})}
    return Question(
        "ContainerCredentials", lambda answer: credentials_of(json_object(answer), "Token"), path, headers, query
    )


def get_role_credentials(account: str, role: str, access_token: str) -> Question[Credentials]:
    """The keys of a role in an account, for somebody who is logged in to IAM Identity Center."""
    query = (("role_name", role), ("account_id", account))
    headers = {"x-amz-sso_bearer_token": access_token}
    return Question("GetRoleCredentials", _of_login, "/federation/credentials", headers, query)


def _of_login(answer: bytes) -> Credentials:
    keys = json_object(answer).get("roleCredentials")
    if not isinstance(keys, Mapping):
        raise BadResponse("the answer has no roleCredentials")
    key_id, secret, token = (text_of(keys, name) for name in ("accessKeyId", "secretAccessKey", "sessionToken"))
    return Credentials(key_id, secret, token, _number(keys, "expiration") / 1000)


class SsoToken(NamedTuple):
    """lifetime: seconds from now. refresh_token: None if the old one stays."""

    access_token: str
    lifetime: float
    refresh_token: str | None

    def __repr__(self) -> str:
        return f"SsoToken(lifetime={self.lifetime})"


def create_token(client_id: str, client_secret: str, refresh_token: str) -> Question[SsoToken]:
    """A new access token for a refresh token."""
    import json

    fields = {
        "grantType": "refresh_token",
        "clientId": client_id,
        "clientSecret": client_secret,
        "refreshToken": refresh_token,
    }
    body = BytesBody(json.dumps(fields).encode())
    return Question("CreateToken", _sso_token, "/token", {"content-type": "application/json"}, (), "POST", body)


def _sso_token(answer: bytes) -> SsoToken:
    content = json_object(answer)
    refresh_token = content.get("refreshToken")
    lifetime = _number(content, "expiresIn")
    return SsoToken(text_of(content, "accessToken"), lifetime, str(refresh_token) if refresh_token else None)


def json_object(content: bytes | str) -> Mapping[str, Any]:
    """BadResponse if it is not one JSON object."""
    import json

    try:
        value = json.loads(content)
    except ValueError:
        raise BadResponse("the answer is no JSON") from None
    if not isinstance(value, dict):
        raise BadResponse("the answer is JSON but no object")
    return value


def _line(answer: bytes) -> str:
    """The answer's one line, which will be part of a header or a path."""
    text = answer.decode("ascii", errors="replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise BadResponse("the answer is empty, or not a line of text")
    return text


def _number(content: Mapping[str, Any], name: str) -> float:
    value = content.get(name)
    if not isinstance(value, (int, float)):
        raise BadResponse(f"the answer has no {name} that is a number")
    return value

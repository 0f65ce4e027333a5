"""The services that hand out keys, or say whose keys they are: STS, instance metadata, container credentials, SSO.

STS is posted a form and answers in XML. The others are sent plain HTTP, never signed, and answer in JSON or a line of
text. An answer that breaks its promise is BadResponse, which never quotes it.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html,
https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html,
https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...errors import BadResponse, NoCredentials
from ...value import Any, ClassVar, NamedTuple, dataclass, field
from ..encoding import form, parse_timestamp, percent_encode
from ..messages import EMPTY, Body, BytesBody, Credentials, Headers, Query, Request, Response
from .base import Locator, Result, ServiceOperation, document


class _StsOperation(ServiceOperation[Result]):
    """One whose name, fields and result are called as in the API."""

    signed: ClassVar[bool] = True

    def fields(self) -> Mapping[str, str | int | None]:
        """What to ask for; what is empty is left out."""
        return {}

    def request(self, endpoint: Locator) -> Request:
        location = endpoint.locate()
        given = ((name, str(value)) for name, value in self.fields().items() if value)
        text = form((("Action", self.name), ("Version", "2011-06-15"), *given))
        return Request(
            "POST",
            location.origin,
            location.base_path or "/",
            headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=BytesBody(text.encode()),
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

    def fields(self) -> Mapping[str, str | int | None]:
        return {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "WebIdentityToken": self.token,
        }


class CallerIdentity(NamedTuple):
    account: str
    arn: str
    user_id: str


@dataclass(frozen=True)
class GetCallerIdentity(_StsOperation[CallerIdentity]):
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""

    def parse(self, response: Response) -> CallerIdentity:
        result = self._result(response)
        return CallerIdentity(*(result.get(name, "") for name in ("Account", "Arn", "UserId")))


_ROLES = "/latest/meta-data/iam/security-credentials/"


@dataclass(frozen=True)
class Question(ServiceOperation[Result]):
    """What one of the others is asked. asked: the operation's name. read: makes the result of the answer's body."""

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


def instance_token() -> Question[str]:
    """The session token of IMDSv2, for six hours."""
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}
    return Question("InstanceToken", _line, "/latest/api/token", headers, method="PUT")


def instance_role(token: str | None = None) -> Question[str]:
    """The name of the instance's role. token None: version 1 of the service."""
    return Question("InstanceRole", _line, _ROLES, _with_token(token))


def instance_credentials(role: str, token: str | None = None) -> Question[Credentials]:
    """The keys of the instance's role. NoCredentials if the service says why it has none."""
    # What a role's name may have stays as it is, as in all SDKs: the service need not know of encoding.
    path = _ROLES + percent_encode(role, b"+,=@")
    return Question("InstanceCredentials", _of_instance, path, _with_token(token))


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
    return Question("ContainerCredentials", _of_container, path, headers, query)


def _of_container(answer: bytes) -> Credentials:
    return credentials_of(json_object(answer), "Token")


def get_role_credentials(account: str, role: str, access_token: str) -> Question[Credentials]:
    """The keys of a role in an account, for somebody who is logged in to IAM Identity Center."""
    query = (("role_name", role), ("account_id", account))
    headers = {"x-amz-sso_bearer_token": access_token}
    return Question("GetRoleCredentials", _of_login, "/federation/credentials", headers, query)


def _of_login(answer: bytes) -> Credentials:
    keys = json_object(answer).get("roleCredentials")
    if not isinstance(keys, Mapping):
        raise BadResponse("the answer has no roleCredentials")
    key_id, secret, token = (_text(keys, name) for name in ("accessKeyId", "secretAccessKey", "sessionToken"))
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
    return SsoToken(_text(content, "accessToken"), lifetime, str(refresh_token) if refresh_token else None)


def credentials_of(content: Mapping[str, Any], session_field: str, must_expire: bool = False) -> Credentials:
    """Of the names that container, instance, process and STS agree on. session_field: where the session token is."""
    end, session_token = content.get("Expiration"), content.get(session_field)
    if must_expire and not end:
        raise BadResponse("the answer has no Expiration")
    try:
        expires_at = parse_timestamp(end).timestamp() if end else None
    except (ValueError, AttributeError):
        raise BadResponse("the answer has an Expiration that is no time") from None
    key_id, secret = _text(content, "AccessKeyId"), _text(content, "SecretAccessKey")
    return Credentials(key_id, secret, str(session_token) if session_token else None, expires_at)


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not value or not isinstance(value, str):
        raise BadResponse(f"the answer has no {name}")
    return value


def json_object(content: bytes | str) -> Mapping[str, Any]:
    """BadResponse if it is not one JSON object."""
    import json

    try:
        value = json.loads(content)
    except (ValueError, RecursionError):  # not the context of what is raised below, for it holds the document
        value = None
    if not isinstance(value, dict):
        raise BadResponse("the answer is no JSON object")
    return value


def _line(answer: bytes) -> str:
    """The answer's one line, which will be part of a header or a path."""
    text = answer.decode("ascii", errors="replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise BadResponse("the answer is empty, or not a line of text")
    return text


def _number(content: Mapping[str, Any], name: str) -> float:
    value = content.get(name)
    if not isinstance(value, (int, float)) or not 0 <= value < 1e15:  # what is over that is no time
        raise BadResponse(f"the answer has no {name} that is a number")
    return value

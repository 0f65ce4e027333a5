"""A role by a token that an identity provider has put into a file, as on EKS (IRSA).

https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..protocol.identity import Credentials
from ..value import replace
from .ini import read_text
from .provider import Anonymous, Passed, Provider
from .sources import Sources

if TYPE_CHECKING:
    from ..protocol.operations.sts import AssumeRoleWithWebIdentity


class WebIdentity(Provider):
    """AssumeRoleWithWebIdentity. The token file is read for each call, since its token is replaced before it ends.

    with_environment: the environment's settings beat the profile's, each by itself; not so for a profile that was named
    in code or by another profile.
    """

    name = "assume-role-with-web-identity"

    def __init__(self, sources: Sources, profile: str, with_environment: bool) -> None:
        self._sources, self._profile, self._with_environment = sources, profile, with_environment

    def fetch(self) -> Credentials:
        request = self._request()
        with self._sources.sts(Anonymous()) as client:
            credentials = client.call(request)
        return replace(credentials, source=f"{self.name}: {request.role_arn}")

    def _request(self) -> AssumeRoleWithWebIdentity:
        from ..protocol.operations.sts import AssumeRoleWithWebIdentity

        path = self._setting("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file")
        if not path:
            raise Passed(f"no AWS_WEB_IDENTITY_TOKEN_FILE, nor web_identity_token_file in profile {self._profile!r}")
        role_arn = self._setting("AWS_ROLE_ARN", "role_arn")
        if not role_arn:
            raise ConfigError(f"there is a web identity token file ({path}) but no role; set AWS_ROLE_ARN or role_arn")
        session_name = self._setting("AWS_ROLE_SESSION_NAME", "role_session_name")
        return AssumeRoleWithWebIdentity(
            role_arn, session_name or f"s3target-{self._sources.clock():.0f}", _token(path)
        )

    def _setting(self, variable: str, key: str) -> str | None:
        if self._with_environment:
            return self._sources.setting(variable, key, self._profile)
        return self._sources.profiles.get(self._profile).text(key)


def _token(path: str) -> str:
    token = read_text(path).strip()
    if not token:
        raise ConfigError(f"the web identity token file {path} is empty")
    return token

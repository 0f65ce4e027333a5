"""Keys for somebody who has logged in by the AWS CLI: to IAM Identity Center, or by "aws login".

Logging in itself is left to the AWS CLI. So is renewing the keys of "aws login", which takes an ECDSA signature, which
Python's standard library cannot make. The files in which the CLI keeps a login hold secrets: errors never quote them.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html,
https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping

from ..errors import BadResponse, ConfigError, CredentialsError, S3Error, ServiceError
from ..logs import getLogger
from ..protocol.encoding import parse_timestamp
from ..protocol.messages import Credentials, Origin
from ..protocol.partitions import partition_of
from ..value import TYPE_CHECKING, Any, replace
from .profiles import expanded, read_text, stamp_of
from .provider import Passed, Provider

if TYPE_CHECKING:
    from ..client import Client


def read_token(path: str, advice: str) -> dict[str, Any]:
    """The content of the file. CredentialsError, ending in the advice, if it is not there or not understood."""
    from ..protocol.operations.identity import json_object

    if stamp_of(path) is None:
        raise CredentialsError(f"there is no {path}; {advice}")
    try:
        return dict(json_object(read_text(path)))
    except BadResponse as error:
        raise CredentialsError(f"{path}: {error}; {advice}") from None


def write_token(path: str, content: Mapping[str, Any]) -> None:
    """Replace the file at once, readable by its owner only. OSError if that cannot be done."""
    import json

    fresh = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(dict(content), file)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise


def moment(content: Mapping[str, Any], name: str) -> float:
    """A time in the file, as seconds since 1970. ValueError if it is none."""
    value = content.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing")
    return parse_timestamp(value).timestamp()


class Login(Provider):
    """login_session of the profile. The cache is read again at each renewal: the AWS CLI may have renewed it."""

    name = "login"

    def fetch(self) -> Credentials:
        session = self._sources.profiles.get(self._profile).text("login_session")
        if not session:
            raise Passed(f"profile {self._profile!r} has no login_session")
        environ = self._sources.environ
        folder = expanded(environ.get("AWS_LOGIN_CACHE_DIRECTORY") or "~/.aws/login/cache", environ)
        return self._read(f"{folder}/{hashlib.sha256(session.encode()).hexdigest()}.json")

    def _read(self, path: str) -> Credentials:
        advice = f"log in by: aws login --profile {self._profile}"
        keys = read_token(path, advice).get("accessToken") or {}
        try:
            key_id, secret, token = (keys[name] for name in ("accessKeyId", "secretAccessKey", "sessionToken"))
            expires_at = moment(keys, "expiresAt")
        except (KeyError, TypeError, ValueError):
            raise CredentialsError(f"{path} is no login; {advice}") from None
        if expires_at <= self._sources.clock():
            raise CredentialsError(
                f"the login of profile {self._profile!r} has ended, and only the AWS CLI can renew it; run any command"
                f" of it with this profile, or {advice}; for a job that must run alone use a role or credential_process"
            )
        return Credentials(str(key_id), str(secret), str(token), expires_at, f"{self.name}: {path}")


_log = getLogger("s3target.credentials")

_NEEDED = ("sso_start_url", "sso_region", "sso_role_name", "sso_account_id")
_RENEW_BEFORE = 900.0
_TIMEOUT = 10.0
_ATTEMPTS = 4


class Sso(Provider):
    """The profile's role, by the token in the AWS CLI's cache, which is renewed before it ends if it can be."""

    name = "sso"

    @property
    def _advice(self) -> str:
        return f"log in by: aws sso login --profile {self._profile}"

    def fetch(self) -> Credentials:
        from ..protocol.operations.identity import get_role_credentials

        settings = self._settings()
        role, account = settings["sso_role_name"], settings["sso_account_id"]
        request = get_role_credentials(account, role, self._access_token(settings))
        try:
            with self._client("portal.sso", settings["sso_region"]) as client:
                credentials = client.call(request)
        except ServiceError as error:
            if error.status != 401:
                raise
            raise CredentialsError(
                f"IAM Identity Center takes the login for no longer valid; {self._advice}"
            ) from error
        return replace(credentials, source=f"{self.name}: {role} in {account}")

    def _settings(self) -> dict[str, str]:
        """What is needed, and sso_session, which is "" in the older form, whose token cannot be renewed."""
        profile = self._sources.profiles.get(self._profile)
        if "sso_role_name" not in profile and "sso_account_id" not in profile:
            raise Passed(f"profile {self._profile!r} has no sso_role_name")
        session, merged = profile.text("sso_session") or "", profile
        if session:
            section = self._sources.profiles.section("sso-session", session)
            for key in section:
                mine, theirs = profile.text(key), section.text(key)
                if mine not in (None, theirs):
                    raise ConfigError(
                        f"{key} is {mine!r} in profile {self._profile!r} but {theirs!r} in its sso-session"
                    )
            merged = section.over(profile)
        values = {key: merged.text(key) or "" for key in _NEEDED}
        missing = [key for key, value in values.items() if not value]
        if missing:
            raise ConfigError(f"profile {self._profile!r} uses SSO but lacks {', '.join(missing)}")
        return {**values, "sso_session": session}

    def _access_token(self, settings: dict[str, str]) -> str:
        session = settings["sso_session"]
        # The file's name is the AWS CLI's choice; nothing is kept secret by this hash.
        name = hashlib.sha1((session or settings["sso_start_url"]).encode(), usedforsecurity=False).hexdigest()
        path = expanded(f"~/.aws/sso/cache/{name}.json", self._sources.environ)
        content = read_token(path, self._advice)
        token = content.get("accessToken")
        try:
            left = moment(content, "expiresAt") - self._sources.clock()
        except ValueError:
            token = None
        if not token or not isinstance(token, str):
            raise CredentialsError(f"{path} is no login; {self._advice}")
        if session and left < _RENEW_BEFORE:
            token, left = self._renewed(settings["sso_region"], path, content) or (token, left)
        if left <= 0:
            raise CredentialsError(f"the login has ended; {self._advice}")
        return token

    def _renewed(self, region: str, path: str, content: dict[str, Any]) -> tuple[str, float] | None:
        """A new access token and its seconds, also written to the cache; None if it cannot be had."""
        from ..protocol.operations.identity import create_token

        try:
            if moment(content, "registrationExpiresAt") <= self._sources.clock():
                raise ValueError("the registration has ended")
            fields = [content.get(name) for name in ("clientId", "clientSecret", "refreshToken")]
            if not all(fields):
                raise ValueError("there is no refresh token")
            with self._client("oidc", region) as client:
                fresh = client.call(create_token(*map(str, fields)))
        except (ValueError, S3Error) as error:
            _log.warning("the SSO login of profile %s was not renewed: %s", self._profile, error)
            return None
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._sources.clock() + fresh.lifetime))
        content = {**content, "accessToken": fresh.access_token, "expiresAt": end}
        if fresh.refresh_token:
            content["refreshToken"] = fresh.refresh_token
        try:
            write_token(path, content)
        except OSError as error:
            _log.warning("the renewed SSO login could not be written to %s: %s", path, error.strerror)
        return fresh.access_token, fresh.lifetime

    def _client(self, service: str, region: str) -> Client:
        origin = Origin("https", f"{service}.{region}.{partition_of(region).dns_suffix}", 443)
        return self._sources.unsigned(origin, "", _TIMEOUT, _ATTEMPTS, outside=True)

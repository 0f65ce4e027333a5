"""Keys of an "aws login" session, as long as the AWS CLI's cache has ones that are good.

Renewing them takes an ECDSA signature, which Python's standard library cannot make: that is left to the AWS CLI.
https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
"""

from __future__ import annotations

import hashlib

from ..errors import CredentialsError
from ..protocol.identity import Credentials
from .profiles import expanded
from .provider import Passed, Provider
from .sources import Sources


class Login(Provider):
    """login_session of the profile. The cache is read again at each renewal: the AWS CLI may have renewed it."""

    name = "login"

    def __init__(self, sources: Sources, profile: str) -> None:
        self._sources, self._profile = sources, profile

    def fetch(self) -> Credentials:
        session = self._sources.profiles.get(self._profile).text("login_session")
        if not session:
            raise Passed(f"profile {self._profile!r} has no login_session")
        return self._read(self._cache_path(session))

    def _read(self, path: str) -> Credentials:
        from .token_files import moment, read_token

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

    def _cache_path(self, session: str) -> str:
        environ = self._sources.environ
        folder = expanded(environ.get("AWS_LOGIN_CACHE_DIRECTORY") or "~/.aws/login/cache", environ)
        return f"{folder}/{hashlib.sha256(session.encode()).hexdigest()}.json"

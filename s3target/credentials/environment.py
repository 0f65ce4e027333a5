"""Keys in environment variables. https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html"""

from __future__ import annotations

from ..errors import ConfigError
from ..protocol.encoding import parse_timestamp
from ..protocol.identity import Credentials
from .provider import Passed, Provider
from .sources import Sources


class Environment(Provider):
    """AWS_ACCESS_KEY_ID and its kin. With AWS_CREDENTIAL_EXPIRATION they are read again when they are to end."""

    name = "env"

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._expiring = False

    def fetch(self) -> Credentials:
        environ = self._sources.environ
        key_id, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
        if not key_id:
            raise Passed("AWS_ACCESS_KEY_ID is not set")
        if not secret:
            raise ConfigError("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not; set both or neither")
        token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN") or None
        return Credentials(key_id, secret, token, self._expires_at(), self.name)

    def _expires_at(self) -> float | None:
        text = self._sources.environ.get("AWS_CREDENTIAL_EXPIRATION")
        if not text:
            if self._expiring:
                raise ConfigError("AWS_CREDENTIAL_EXPIRATION was set and is gone; set it with the new keys")
            return None
        try:
            expires_at = parse_timestamp(text).timestamp()
        except ValueError:
            raise ConfigError(f"AWS_CREDENTIAL_EXPIRATION is {text!r}; write it like 2026-11-22T20:15:00Z") from None
        self._expiring = True
        return expires_at

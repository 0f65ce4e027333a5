"""Keys written into the AWS credentials file, or into the configuration file.

A file that another process rotates is noticed: it is looked at every few seconds while the keys are in use, and when
the store refuses them. https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html
"""

from __future__ import annotations

from ..errors import ConfigError
from ..protocol.identity import Credentials
from .profiles import Profile, Stamp
from .provider import Passed, Provider
from .sources import Sources


class SharedCredentials(Provider):
    """aws_access_key_id and its kin in the credentials file's section for the profile."""

    name = "shared-credentials-file"

    def __init__(self, sources: Sources, profile: str) -> None:
        self._profiles, self._profile = sources.profiles, profile
        self._stamp: Stamp | None = None

    def fetch(self) -> Credentials:
        self._stamp = self._profiles.refresh()
        profile, path = self._section()
        credentials = keys_of(profile, self.name)
        if credentials is None:
            raise Passed(f"no aws_access_key_id for profile {self._profile!r} in {path}")
        return credentials

    def changed(self) -> bool:
        return self._stamp != self._profiles.stamp()

    def _section(self) -> tuple[Profile, str]:
        return self._profiles.in_credentials(self._profile), self._profiles.credentials_path


class ConfigFile(SharedCredentials):
    """The same keys in the configuration file's section for the profile."""

    name = "config-file"

    def _section(self) -> tuple[Profile, str]:
        return self._profiles.in_config(self._profile), self._profiles.config_path


def keys_of(profile: Profile, name: str) -> Credentials | None:
    """The keys of a section, None if it has no access key id. ConfigError for half a pair."""
    key_id, secret = profile.text("aws_access_key_id"), profile.text("aws_secret_access_key")
    if not key_id:
        return None
    place = profile.source("aws_access_key_id")
    if not secret:
        raise ConfigError(f"{place} has aws_access_key_id without aws_secret_access_key; add it")
    token = profile.text("aws_security_token") or profile.text("aws_session_token")
    return Credentials(key_id, secret, token, source=f"{name}: {place}")

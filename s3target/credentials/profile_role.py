"""A profile with role_arn: the role is assumed with another profile's keys, and so on for any number of profiles.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..protocol.identity import Credentials
from ..protocol.operations.sts import AssumeRole
from .chain import Chain, profile_bound
from .environment import Environment
from .profiles import Profile
from .provider import Passed, Provider
from .role import RoleFetch
from .sources import Sources

if TYPE_CHECKING:
    from ..client import CredentialProvider

_log = logging.getLogger("s3target.credentials")


class ProfileRole(Provider):
    """AssumeRole as a profile says. What the profile says is read once; the keys below the role are kept up to date.

    visited: the profiles that led here, the first one first.
    """

    name = "assume-role"

    def __init__(self, sources: Sources, profile: str, visited: tuple[str, ...] = ()) -> None:
        self._sources, self._profile = sources, profile
        self._visited = (*visited, profile)
        self._call: RoleFetch | None = None

    def fetch(self) -> Credentials:
        if self._call is None:
            profile = self._sources.profiles.get(self._profile)
            if not _has_role(profile):
                raise Passed(f"profile {self._profile!r} has no role_arn")
            request = _request(profile, self._sources.clock())
            self._call = RoleFetch(self._sources.sts, self._base(profile), request, self._sources.ask)
        return self._call()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_call": None}

    def _base(self, profile: Profile) -> CredentialProvider:
        source_profile, source = profile.text("source_profile"), profile.text("credential_source")
        if source_profile and source:
            raise ConfigError(f"profile {self._profile!r} has both source_profile and credential_source; drop one")
        if source:
            return self._from_source(source)
        if source_profile:
            return self._from_profile(source_profile)
        raise ConfigError(
            f"profile {self._profile!r} has role_arn but neither source_profile nor credential_source; add the one that"
            " has the keys to assume the role with"
        )

    def _from_source(self, source: str) -> CredentialProvider:
        from .container import Container
        from .instance import Instance

        providers: dict[str, type[Environment | Container | Instance]] = {
            "environment": Environment,
            "ecscontainer": Container,
            "ec2instancemetadata": Instance,
        }
        found = providers.get(source.lower())
        if found is None:
            raise ConfigError(
                f"credential_source of profile {self._profile!r} is {source!r}; it must be Environment, EcsContainer or"
                " Ec2InstanceMetadata"
            )
        what = f"credentials of {source}, credential_source of profile {self._profile!r},"
        return Chain([found(self._sources)], what, clock=self._sources.clock)

    def _from_profile(self, name: str) -> CredentialProvider:
        if name not in self._sources.profiles.names:
            raise ConfigError(f"profile {self._profile!r} has source_profile {name!r}, which does not exist")
        source = self._sources.profiles.get(name)
        static = "aws_access_key_id" in source or "aws_secret_access_key" in source
        # A profile may name itself to hold the role and the keys for it in one place.
        if name in self._visited and not (static and name == self._profile):
            raise ConfigError(f"the profiles go round in a circle: {' -> '.join((*self._visited, name))}")
        what = f"credentials of source_profile {name!r}"
        providers = (
            profile_bound(self._sources, name)
            if static or not _has_role(source)
            else [ProfileRole(self._sources, name, self._visited)]
        )
        return Chain(providers, what, clock=self._sources.clock)


def _has_role(profile: Profile) -> bool:
    return bool(profile.text("role_arn")) and "web_identity_token_file" not in profile


def _request(profile: Profile, now: float) -> AssumeRole:
    return AssumeRole(
        profile.text("role_arn") or "",
        profile.text("role_session_name") or f"s3target-{now:.0f}",
        _duration(profile),
        profile.text("external_id"),
        profile.text("mfa_serial"),
    )


def _duration(profile: Profile) -> int | None:
    text = profile.text("duration_seconds")
    try:
        return int(text) if text else None
    except ValueError:
        _log.warning("%s: duration_seconds is %r, no whole number; left out", profile.source("duration_seconds"), text)
        return None

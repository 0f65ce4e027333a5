"""Roles over other keys: AssumeRole, given or as profiles say, and by a web token in a file, as on EKS (IRSA).

default_chain(): all providers, in the order that boto3's users know.
https://docs.aws.amazon.com/boto3/latest/guide/credentials.html#configuring-credentials,
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..errors import ConfigError, CredentialsError, RefreshFailed, ServiceError, TransportError
from ..logs import getLogger
from ..protocol.messages import Credentials
from ..value import TYPE_CHECKING, Any, replace
from .profiles import Profile, read_text
from .provider import Anonymous, CannotRenew, Passed, Provider, Sources
from .refreshing import Chain, Refreshing

if TYPE_CHECKING:
    from ..client import Client, CredentialProvider
    from ..protocol.operations.identity import AssumeRole, AssumeRoleWithWebIdentity

StsFactory = Callable[["CredentialProvider"], "Client"]


class RoleFetch:
    """Calls AssumeRole each time it is called itself, signed with what the base then gives.

    An MFA code is asked for on the terminal, but only until one was good: a job that has been running for hours must
    not stop and wait for a person whom nobody expects to be there.
    """

    def __init__(self, sts: StsFactory, base: CredentialProvider, request: AssumeRole) -> None:
        self._sts, self._base, self._request = sts, base, request
        self._asked = False

    def __call__(self) -> Credentials:
        request = self._with_code() if self._request.mfa_serial else self._request
        try:
            with self._sts(self._base) as client:
                credentials = client.call(request)
        except (ServiceError, TransportError) as error:
            raise RefreshFailed(f"role {request.role_arn} was not given: {error}") from error
        self._asked = True
        return replace(credentials, source=f"assume-role: {request.role_arn}")

    def _with_code(self) -> AssumeRole:
        serial = self._request.mfa_serial
        if self._asked:
            raise CannotRenew(
                f"the session of {self._request.role_arn} needs an MFA code of {serial} again, and nobody is asked for"
                " one in the middle of a job; give it a longer duration_seconds"
            )
        return replace(self._request, mfa_code=ask_on_terminal(f"MFA code of {serial}: ").strip())


def assume_role(
    sts: StsFactory, base: CredentialProvider, request: AssumeRole, *, clock: Callable[[], float] = time.time
) -> Refreshing:
    """The keys of a role that base's keys may assume. sts: see Sources."""
    return Refreshing(RoleFetch(sts, base, request), f"assume-role {request.role_arn}", clock=clock)


def ask_on_terminal(prompt: str) -> str:
    """The answer of the person at the terminal, not shown while typed. CredentialsError if nobody is there."""
    import getpass
    import sys

    try:
        with open("/dev/tty"):
            pass
    except OSError:
        if not (sys.stdin and sys.stdin.isatty()):
            raise CredentialsError(f"an MFA code is needed ({prompt.strip(' :')}) and there is no terminal") from None
    return getpass.getpass(prompt)


_log = getLogger("s3target.credentials")


class ProfileRole(Provider):
    """AssumeRole as a profile says. What the profile says is read once; the keys below the role are kept up to date.

    visited: the profiles that led here, the first one first.
    """

    name = "assume-role"

    def __init__(self, sources: Sources, profile: str, visited: tuple[str, ...] = ()) -> None:
        super().__init__(sources, profile)
        self._visited = (*visited, profile)
        self._call: RoleFetch | None = None

    def fetch(self) -> Credentials:
        if self._call is None:
            profile = self._sources.profiles.get(self._profile)
            if not _has_role(profile):
                raise Passed(f"profile {self._profile!r} has no role_arn")
            self._call = RoleFetch(self._sources.sts, self._base(profile), _request(profile, self._sources.clock()))
        return self._call()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_call": None}

    def _base(self, profile: Profile) -> CredentialProvider:
        name, source = profile.text("source_profile"), profile.text("credential_source")
        if name and source:
            raise ConfigError(f"profile {self._profile!r} has both source_profile and credential_source; drop one")
        if source:
            what = f"credentials of {source}, credential_source of profile {self._profile!r},"
            return Chain([self._from_source(source)], what, clock=self._sources.clock)
        if name:
            return Chain(self._from_profile(name), f"credentials of source_profile {name!r}", clock=self._sources.clock)
        raise ConfigError(
            f"profile {self._profile!r} has role_arn but neither source_profile nor credential_source; add the one that"
            " has the keys to assume the role with"
        )

    def _from_source(self, source: str) -> Provider:
        from .metadata import Container, Instance
        from .stored import Environment

        kinds: dict[str, Callable[[Sources], Provider]] = {
            "environment": Environment,
            "ecscontainer": Container,
            "ec2instancemetadata": Instance,
        }
        kind = kinds.get(source.lower())
        if kind is None:
            raise ConfigError(
                f"credential_source of profile {self._profile!r} is {source!r}; it must be Environment, EcsContainer or"
                " Ec2InstanceMetadata"
            )
        return kind(self._sources)

    def _from_profile(self, name: str) -> Sequence[Provider]:
        if name not in self._sources.profiles.names:
            raise ConfigError(f"profile {self._profile!r} has source_profile {name!r}, which does not exist")
        source = self._sources.profiles.get(name)
        static = "aws_access_key_id" in source or "aws_secret_access_key" in source
        # A profile may name itself to hold the role and the keys for it in one place.
        if name in self._visited and not (static and name == self._profile):
            raise ConfigError(f"the profiles go round in a circle: {' -> '.join((*self._visited, name))}")
        if static or not _has_role(source):
            return profile_bound(self._sources, name)
        return [ProfileRole(self._sources, name, self._visited)]


def _has_role(profile: Profile) -> bool:
    return bool(profile.text("role_arn")) and "web_identity_token_file" not in profile


def _request(profile: Profile, now: float) -> AssumeRole:
    from ..protocol.operations.identity import AssumeRole

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


class WebIdentity(Provider):
    """AssumeRoleWithWebIdentity. The token file is read for each call, since its token is replaced before it ends.

    with_environment: the environment's settings beat the profile's, each by itself; only for the profile in use, if it
    was not named in code.
    """

    name = "assume-role-with-web-identity"

    def __init__(self, sources: Sources, profile: str, with_environment: bool) -> None:
        super().__init__(sources, profile)
        self._with_environment = with_environment

    def fetch(self) -> Credentials:
        request = self._request()
        with self._sources.sts(Anonymous()) as client:
            credentials = client.call(request)
        return replace(credentials, source=f"{self.name}: {request.role_arn}")

    def _request(self) -> AssumeRoleWithWebIdentity:
        from ..protocol.operations.identity import AssumeRoleWithWebIdentity

        path = self._setting("web_identity_token_file")
        if not path:
            raise Passed(f"no AWS_WEB_IDENTITY_TOKEN_FILE, nor web_identity_token_file in profile {self._profile!r}")
        role_arn = self._setting("role_arn")
        if not role_arn:
            raise ConfigError(f"there is a web identity token file ({path}) but no role; set AWS_ROLE_ARN or role_arn")
        token = read_text(path).strip()
        if not token:
            raise ConfigError(f"the web identity token file {path} is empty")
        session_name = self._setting("role_session_name")
        return AssumeRoleWithWebIdentity(role_arn, session_name or f"s3target-{self._sources.clock():.0f}", token)

    def _setting(self, key: str) -> str | None:
        if self._with_environment:
            return self._sources.setting(key)
        return self._sources.profiles.get(self._profile).text(key)


def default_chain(sources: Sources) -> Chain:
    """All providers in botocore's order. A profile that was named in code takes the environment's keys out."""
    from .metadata import Container, Instance
    from .stored import BotoConfig, Ec2CredentialsFile, Environment

    profile, by_environment = sources.chosen, sources.profile_name is None
    return Chain(
        [
            *([Environment(sources)] if by_environment else []),
            ProfileRole(sources, profile),
            *profile_bound(sources, profile, by_environment),
            Ec2CredentialsFile(sources),
            BotoConfig(sources),
            Container(sources),
            Instance(sources),
        ],
        clock=sources.clock,
    )


def profile_bound(sources: Sources, profile: str, with_environment: bool = False) -> list[Provider]:
    """The providers that look at one profile only, as a source_profile is looked at too."""
    from .logins import Login, Sso
    from .stored import ConfigFile, Process, SharedCredentials

    return [
        WebIdentity(sources, profile, with_environment),
        Sso(sources, profile),
        SharedCredentials(sources, profile),
        Login(sources, profile),
        Process(sources, profile),
        ConfigFile(sources, profile),
    ]

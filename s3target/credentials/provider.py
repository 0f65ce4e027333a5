"""What a provider is, what it reads from, and the two that need nothing: Static and Anonymous.

A Provider only fetches. That its keys are kept, renewed and shared between threads is the business of Refreshing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from ..errors import ConfigError, CredentialsError, RefreshFailed, S3Error
from ..protocol.messages import Credentials, Origin
from ..value import TYPE_CHECKING, Any, dataclass, field, replace
from .profiles import Profiles, boolean

if TYPE_CHECKING:
    from ..client import Client, CredentialProvider
    from ..protocol.operations.base import Locator


class Passed(Exception):
    """Not configured here: the chain goes on to its next member. The message says what was looked for."""


class CannotRenew(CredentialsError):
    """Renewing needs a person. The old keys stay in use for as long as they are good."""


@dataclass(frozen=True)
class Sources:
    """profile_name: a profile that was named in code; None if the environment or nobody chose it.

    sts: makes a client for STS that signs with the given keys. http: makes an unsigned client for a metadata service,
    from its address and a timeout in seconds, without any proxy. outside: the same for a service on the internet, by
    the configured proxies and certificates; None: http. Each client is closed after use, so it must not share its
    connections. clock: seconds since 1970.

    A pickle has no secrets if environ is os.environ, whose place the other process's own takes.
    """

    environ: Mapping[str, str] = field(repr=False)
    profiles: Profiles
    profile_name: str | None
    sts: Callable[[CredentialProvider], Client]
    http: Callable[[Locator, float], Client]
    clock: Callable[[], float] = time.time
    outside: Callable[[Locator, float], Client] | None = None

    @property
    def chosen(self) -> str:
        """The name of the profile in use."""
        # botocore looks at AWS_DEFAULT_PROFILE first, though all other SDKs know AWS_PROFILE alone.
        return self.profile_name or self._variable("AWS_DEFAULT_PROFILE") or self._variable("AWS_PROFILE") or "default"

    def _variable(self, name: str) -> str:
        """Without blanks around it, as in all other settings; "" if there is none."""
        return self.environ.get(name, "").strip()

    def setting(self, key: str) -> str | None:
        """The environment's AWS_KEY, or the key of the profile in use. An empty one counts as none."""
        return self._variable(f"AWS_{key.upper()}") or self.profiles.get(self.chosen).text(key)

    def number(self, key: str, default: float) -> float:
        """A setting that is a number above 0. ConfigError if it is none."""
        text = self.setting(key)
        try:
            value = default if text is None else float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise ConfigError(f"AWS_{key.upper()} (or {key} of the profile) must be a number above 0, not {text!r}")
        return value

    def flag(self, key: str) -> bool:
        return boolean(self.setting(key))

    def unsigned(self, origin: Origin, prefix: str, timeout: float, attempts: int, outside: bool = False) -> Client:
        """A client by http() or outside() that sends each request at most `attempts` times. prefix: of the path."""
        from ..protocol.endpoint import Location
        from ..protocol.operations.base import Fixed

        make = self.outside if outside and self.outside else self.http
        client = make(Fixed(Location(origin, prefix, "", "")), timeout)
        client.policy = replace(client.policy, max_attempts=attempts)
        return client

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "environ": None if self.environ is os.environ else self.environ}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "environ": os.environ if state["environ"] is None else state["environ"]})


class Provider:
    """One source of keys. name: botocore's name of it, such as "env", "assume-role", "iam-role"."""

    name = ""

    def __init__(self, sources: Sources, profile: str = "") -> None:
        self._sources, self._profile = sources, profile

    def fetch(self) -> Credentials:
        """Keys, asked for anew each time. Passed if it is not configured; other errors if it fails."""
        raise NotImplementedError

    def changed(self) -> bool:
        """Whether what the last fetch() read is another by now. Cheap: it is asked every few seconds."""
        return False


class Static:
    """Keys that were given, for good."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials

    def get(self) -> Credentials | None:
        return self._credentials

    def invalidate(self, credentials: Credentials, certain: bool) -> bool:
        return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._credentials or ''})"


class Anonymous(Static):
    """No keys: requests go unsigned. Only ever because somebody asked for it."""

    def __init__(self) -> None:
        super().__init__(None)


def failure(name: str, error: Exception) -> S3Error:
    """What get() may raise: an error that says what to do as it is, others as RefreshFailed with the name."""
    if isinstance(error, (CredentialsError, ConfigError)):
        return error
    if isinstance(error, Passed):
        return RefreshFailed(f"{name} has no credentials any more: {error}")
    said = str(error) if isinstance(error, (S3Error, OSError)) else f"{type(error).__name__}: {error}"
    return RefreshFailed(f"{name} gave no credentials: {said}")

"""What a provider is, and the two that need nothing: Static and Anonymous.

A Provider only fetches. That its keys are kept, renewed and shared between threads is the business of Refreshing.
"""

from __future__ import annotations

from ..errors import ConfigError, CredentialsError, RefreshFailed, S3Error
from ..protocol.identity import Credentials


class Passed(Exception):
    """Not configured here: the chain goes on to its next member. The message says what was looked for."""


class CannotRenew(CredentialsError):
    """Renewing needs a person. The old keys stay in use for as long as they are good."""


class Provider:
    """One source of keys. name: botocore's name of it, such as "env", "assume-role", "iam-role"."""

    name = ""

    def fetch(self) -> Credentials:
        """Keys, asked for anew each time. Passed if it is not configured; CredentialsError, ConfigError if it fails."""
        raise NotImplementedError

    def changed(self) -> bool:
        """Whether what the last fetch() read is another by now. Cheap: it is asked every few seconds."""
        return False


class Static:
    """Keys that were given, for good."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def get(self) -> Credentials:
        return self._credentials

    def invalidate(self, credentials: Credentials, certain: bool) -> bool:
        return False

    def __repr__(self) -> str:
        return f"Static({self._credentials!r})"


class Anonymous:
    """No keys: requests go unsigned. Only ever because somebody asked for it."""

    def get(self) -> None:
        return None

    def invalidate(self, credentials: Credentials, certain: bool) -> bool:
        return False

    def __repr__(self) -> str:
        return "Anonymous()"


def failure(name: str, error: Exception) -> S3Error:
    """error as what get() may raise: those that say what to do as they are, others as RefreshFailed with the name."""
    if isinstance(error, (CredentialsError, ConfigError)):
        return error
    if isinstance(error, Passed):
        return RefreshFailed(f"{name} has no credentials any more: {error}")
    said = str(error) if isinstance(error, (S3Error, OSError)) else f"{type(error).__name__}: {error}"
    return RefreshFailed(f"{name} gave no credentials: {said}")

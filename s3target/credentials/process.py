"""Keys that a program prints. https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html"""

from __future__ import annotations

from ..errors import BadResponse, ConfigError, RefreshFailed
from ..protocol.identity import Credentials
from ..value import replace
from .provider import Passed, Provider
from .sources import Sources

TIMEOUT = 60.0
"""Seconds for the program to answer. It may wait for a person who looks for a key fob, but not for ever."""

_SHOWN = 300


class Process(Provider):
    """credential_process of the profile, run without a shell. Its output is never shown, for it holds the keys."""

    name = "custom-process"

    def __init__(self, sources: Sources, profile: str, timeout: float = TIMEOUT) -> None:
        self._sources, self._profile, self._timeout = sources, profile, timeout

    def fetch(self) -> Credentials:
        profile = self._sources.profiles.get(self._profile)
        command = profile.text("credential_process")
        if not command:
            raise Passed(f"profile {self._profile!r} has no credential_process")
        credentials = _read(self._run(command))
        return replace(credentials, source=f"{self.name}: {profile.source('credential_process')}")

    def _run(self, command: str) -> bytes:
        """What the command prints."""
        import shlex
        import subprocess

        try:
            words = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"credential_process of profile {self._profile!r} cannot be split: {error}") from None
        what = f"credential_process of profile {self._profile!r} ({words[0] if words else 'empty'})"
        try:
            done = subprocess.run(  # noqa: S603 - what the user's own file says
                words, capture_output=True, timeout=self._timeout, env=dict(self._sources.environ), check=False
            )
        except subprocess.TimeoutExpired:
            raise RefreshFailed(f"{what} gave no answer in {self._timeout:.0f} s") from None
        except (OSError, ValueError, IndexError) as error:
            raise ConfigError(f"{what} cannot be run: {error}") from None
        if done.returncode:
            raise RefreshFailed(f"{what} ended with status {done.returncode}: {_shortened(done.stderr)}")
        return done.stdout


def _shortened(stderr: bytes) -> str:
    said = " ".join(stderr.decode(errors="replace").split())
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."


def _read(output: bytes) -> Credentials:
    from ..protocol.operations.metadata import credentials_of, json_object

    try:
        content = json_object(output)
        version = content.get("Version")
        if version != 1 or isinstance(version, bool):
            raise BadResponse('its "Version" is not 1')
        return credentials_of(content, Process.name, "SessionToken")
    except BadResponse as error:
        raise RefreshFailed(f"credential_process printed something else than credentials: {error}") from None

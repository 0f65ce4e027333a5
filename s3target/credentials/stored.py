"""Keys that lie on this machine: in variables, in AWS's files and those of its oldest tools, or printed by a program.

A file that another process rotates is noticed: it is looked at every few seconds while the keys are in use, and when
the store refuses them. https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import BadResponse, ConfigError, RefreshFailed
from ..protocol.encoding import parse_timestamp
from ..protocol.messages import Credentials
from ..value import replace
from .profiles import Stamp, expanded, read_sections, read_text, section_profile, stamp_of
from .provider import Passed, Provider

_IN_AWS_FILES = ("aws_access_key_id", "aws_secret_access_key", "aws_security_token", "aws_session_token")


class _Written(Provider):
    """Keys that are written down somewhere under names."""

    def _keys(self, read: Callable[[str], str | None], names: tuple[str, ...], place: str) -> Credentials | None:
        """None without a key id; ConfigError without its secret.

        read: the value of a name. names: of key id and secret, then of session tokens, of which the first counts.
        """
        key_id, secret, *tokens = ((read(name) or "").strip() for name in names)
        if not key_id:
            return None
        if not secret:
            raise ConfigError(f"{place} has {names[0]} without {names[1]}; set both or neither")
        return Credentials(key_id, secret, next(filter(None, tokens), None), source=f"{self.name}: {place}")


class Environment(_Written):
    """AWS_ACCESS_KEY_ID and its kin. With AWS_CREDENTIAL_EXPIRATION they are read again when they are to end."""

    name = "env"
    _expiring = False

    def fetch(self) -> Credentials:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
        credentials = self._keys(self._sources.environ.get, names, "the environment")
        if credentials is None:
            raise Passed("AWS_ACCESS_KEY_ID is not set")
        return replace(credentials, expires_at=self._expires_at(), source=self.name)

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


class SharedCredentials(_Written):
    """aws_access_key_id and its kin in the credentials file's section for the profile."""

    name = "shared-credentials-file"
    _in_config = False
    _stamp: Stamp | None = None

    def fetch(self) -> Credentials:
        profiles = self._sources.profiles
        self._stamp = profiles.refresh()
        profile = profiles.alone(self._profile, self._in_config)
        credentials = self._keys(profile.text, _IN_AWS_FILES, profile.source(_IN_AWS_FILES[0]))
        if credentials is None:
            path = profiles.config_path if self._in_config else profiles.credentials_path
            raise Passed(f"no aws_access_key_id for profile {self._profile!r} in {path}")
        return credentials

    def changed(self) -> bool:
        return self._stamp != self._sources.profiles.stamp()


class ConfigFile(SharedCredentials):
    """The same keys in the configuration file's section for the profile."""

    name = "config-file"
    _in_config = True


class Ec2CredentialsFile(_Written):
    """AWS_CREDENTIAL_FILE names a file with lines AWSAccessKeyId=... and AWSSecretKey=..."""

    name = "ec2-credentials-file"

    def fetch(self) -> Credentials:
        named = self._sources.environ.get("AWS_CREDENTIAL_FILE")
        if not named:
            raise Passed("AWS_CREDENTIAL_FILE is not set")
        path = expanded(named, self._sources.environ)
        pairs = (line.partition("=") for line in read_text(path).splitlines())
        values = {name.strip(): value.strip() for name, equals, value in pairs if equals}
        credentials = self._keys(values.get, ("AWSAccessKeyId", "AWSSecretKey"), path)
        if credentials is None:
            raise Passed(f"no AWSAccessKeyId in {path}")
        return credentials


class BotoConfig(_Written):
    """Section [Credentials] of BOTO_CONFIG, or of /etc/boto.cfg, then ~/.boto."""

    name = "boto-config"

    def fetch(self) -> Credentials:
        environ = self._sources.environ
        named = environ.get("BOTO_CONFIG")
        paths = [expanded(path, environ) for path in ([named] if named else ["/etc/boto.cfg", "~/.boto"])]
        for path in filter(stamp_of, paths):
            section = section_profile("Credentials", path, "Credentials", read_sections(path).get("Credentials", {}))
            # boto 2 knew no session tokens, and botocore reads none here.
            credentials = self._keys(section.text, _IN_AWS_FILES[:2], f"{path} [Credentials]")
            if credentials is not None:
                return credentials
        raise Passed(f"no aws_access_key_id in section [Credentials] of {' or '.join(paths)}")


_SHOWN = 300


class Process(Provider):
    """credential_process of the profile, run without a shell. Its output is never shown, for it holds the keys.

    timeout: seconds for its answer. It may wait for a person who looks for a key fob, but not for ever.
    """

    name = "custom-process"
    timeout = 60.0

    def fetch(self) -> Credentials:
        profile = self._sources.profiles.get(self._profile)
        command = profile.text("credential_process")
        if not command:
            raise Passed(f"profile {self._profile!r} has no credential_process")
        return replace(_read(self._run(command)), source=f"{self.name}: {profile.source('credential_process')}")

    def _run(self, command: str) -> bytes:
        """What the command prints."""
        import shlex
        import subprocess

        windows = os.name == "nt"  # where a program gets its command line as it is, and "\\" is a part of paths
        try:
            words = shlex.split(command, posix=not windows)
        except ValueError as error:
            raise ConfigError(f"credential_process of profile {self._profile!r} cannot be split: {error}") from None
        what = f"credential_process of profile {self._profile!r} ({words[0] if words else 'empty'})"
        try:
            done = subprocess.run(  # noqa: S603 - what the user's own file says
                command if windows else words,
                capture_output=True,
                timeout=self.timeout,
                env=dict(self._sources.environ),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RefreshFailed(f"{what} gave no answer in {self.timeout:.0f} s") from None
        except (OSError, ValueError, IndexError) as error:
            raise ConfigError(f"{what} cannot be run: {error}") from None
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            shown = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."
            raise RefreshFailed(f"{what} ended with status {done.returncode}: {shown}")
        return done.stdout


def _read(output: bytes) -> Credentials:
    from ..protocol.operations.identity import credentials_of, json_object

    try:
        content = json_object(output)
        version = content.get("Version")
        if version != 1 or isinstance(version, bool):
            raise BadResponse('its "Version" is not 1')
        return credentials_of(content, "SessionToken")
    except BadResponse as error:
        raise RefreshFailed(f"credential_process printed something else than credentials: {error}") from None

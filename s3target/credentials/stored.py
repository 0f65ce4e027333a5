"""Keys that lie on this machine: in variables, in AWS's files and those of its oldest tools, or printed by a program.

A file that another process rotates is noticed: it is looked at every few seconds while the keys are in use, and when
the store refuses them. https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

from ..errors import BadResponse, ConfigError, RefreshFailed
from ..protocol.encoding import parse_timestamp
from ..protocol.messages import Credentials
from ..value import replace
from .profiles import Profile, Stamp, Value, expanded, read_sections, read_text, stamp_of
from .provider import Passed, Provider, Sources


class Environment(Provider):
    """AWS_ACCESS_KEY_ID and its kin. With AWS_CREDENTIAL_EXPIRATION they are read again when they are to end."""

    name = "env"

    _expiring = False

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


class SharedCredentials(Provider):
    """aws_access_key_id and its kin in the credentials file's section for the profile."""

    name = "shared-credentials-file"

    _stamp: Stamp | None = None

    def fetch(self) -> Credentials:
        self._stamp = self._sources.profiles.refresh()
        profile, path = self._section()
        credentials = keys_of(profile, self.name)
        if credentials is None:
            raise Passed(f"no aws_access_key_id for profile {self._profile!r} in {path}")
        return credentials

    def changed(self) -> bool:
        return self._stamp != self._sources.profiles.stamp()

    def _section(self) -> tuple[Profile, str]:
        return self._sources.profiles.in_credentials(self._profile), self._sources.profiles.credentials_path


class ConfigFile(SharedCredentials):
    """The same keys in the configuration file's section for the profile."""

    name = "config-file"

    def _section(self) -> tuple[Profile, str]:
        return self._sources.profiles.in_config(self._profile), self._sources.profiles.config_path


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


class Ec2CredentialsFile(Provider):
    """AWS_CREDENTIAL_FILE names a file with lines AWSAccessKeyId=... and AWSSecretKey=..."""

    name = "ec2-credentials-file"

    def fetch(self) -> Credentials:
        named = self._sources.environ.get("AWS_CREDENTIAL_FILE")
        if not named:
            raise Passed("AWS_CREDENTIAL_FILE is not set")
        path = expanded(named, self._sources.environ)
        pairs = (line.partition("=") for line in read_text(path).splitlines())
        values = {name.strip(): value.strip() for name, equals, value in pairs if equals}
        key_id, secret = values.get("AWSAccessKeyId"), values.get("AWSSecretKey")
        if not key_id:
            raise Passed(f"no AWSAccessKeyId in {path}")
        if not secret:
            raise ConfigError(f"{path} has AWSAccessKeyId without AWSSecretKey; add it")
        return Credentials(key_id, secret, source=f"{self.name}: {path}")


class BotoConfig(Provider):
    """Section [Credentials] of BOTO_CONFIG, or of /etc/boto.cfg, then ~/.boto."""

    name = "boto-config"

    def fetch(self) -> Credentials:
        environ = self._sources.environ
        named = environ.get("BOTO_CONFIG")
        paths = [expanded(path, environ) for path in ([named] if named else ["/etc/boto.cfg", "~/.boto"])]
        for path in paths:
            values = read_sections(path).get("Credentials", {}) if stamp_of(path) else {}
            # boto 2 knew no session tokens, and botocore reads none here.
            known: dict[str, Value] = {
                key: values[key] for key in ("aws_access_key_id", "aws_secret_access_key") if key in values
            }
            found = keys_of(Profile("Credentials", known, dict.fromkeys(known, f"{path} [Credentials]")), self.name)
            if found:
                return found
        raise Passed(f"no aws_access_key_id in section [Credentials] of {' or '.join(paths)}")


TIMEOUT = 60.0
"""Seconds for the program to answer. It may wait for a person who looks for a key fob, but not for ever."""

_SHOWN = 300


class Process(Provider):
    """credential_process of the profile, run without a shell. Its output is never shown, for it holds the keys."""

    name = "custom-process"

    def __init__(self, sources: Sources, profile: str, timeout: float = TIMEOUT) -> None:
        super().__init__(sources, profile)
        self._timeout = timeout

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
        return credentials_of(content, "SessionToken")
    except BadResponse as error:
        raise RefreshFailed(f"credential_process printed something else than credentials: {error}") from None

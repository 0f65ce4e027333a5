"""Keys in the files of AWS's oldest tools and of boto 2."""

from __future__ import annotations

from ..errors import ConfigError
from ..protocol.identity import Credentials
from .ini import Value, read_sections, read_text
from .profiles import Profile, expanded, stamp_of
from .provider import Passed, Provider
from .shared_files import keys_of
from .sources import Sources

_KEYS = ("aws_access_key_id", "aws_secret_access_key")


class Ec2CredentialsFile(Provider):
    """AWS_CREDENTIAL_FILE names a file with lines AWSAccessKeyId=... and AWSSecretKey=..."""

    name = "ec2-credentials-file"

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

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

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

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

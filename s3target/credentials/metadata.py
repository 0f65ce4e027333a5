"""Keys from a metadata service: of the container (ECS, EKS Pod Identity), or of the role of an EC2 instance.

An instance is asked by version 2, or 1 where 2 cannot be had. Off AWS nobody answers, which costs the timeout, so that
is remembered for a minute.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html,
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html
"""

from __future__ import annotations

import os

from ..errors import BadResponse, ConfigError, NoCredentials, ServiceError, TimedOut, TransportError
from ..logs import getLogger
from ..protocol.messages import Credentials, Origin, Query
from ..value import TYPE_CHECKING, replace
from .profiles import boolean, read_text
from .provider import Passed, Provider

if TYPE_CHECKING:
    from ..client import Client
    from ..protocol.operations.identity import Question


_ECS = "169.254.170.2"
_ALLOWED = (_ECS, "169.254.170.23", "fd00:ec2::23", "localhost")
_RELATIVE, _FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_AUTHORIZATION = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
_TIMEOUT = 2.0
_ATTEMPTS = 3


class Container(Provider):
    """Asks the address that the environment names. The file with the token to show there is read each time."""

    name = "container-role"

    def fetch(self) -> Credentials:
        origin, request = self._request()
        with self._sources.unsigned(origin, "", _TIMEOUT, _ATTEMPTS) as client:
            return replace(client.call(request), source=self.name)

    def _request(self) -> tuple[Origin, Question[Credentials]]:
        from ..protocol.operations.identity import container_credentials

        relative, full = self._sources.environ.get(_RELATIVE), self._sources.environ.get(_FULL)
        if not relative and not full:
            raise Passed(f"neither {_RELATIVE} nor {_FULL} is set")
        if relative and not relative.startswith("/"):
            raise ConfigError(f"{_RELATIVE} must begin with a slash")
        url, variable = (f"http://{_ECS}{relative}", _RELATIVE) if relative else (full or "", _FULL)
        origin, path, query = _parse(url, variable)
        return origin, container_credentials(path, query, self._authorization())

    def _authorization(self) -> str | None:
        environ = self._sources.environ
        path = environ.get(f"{_AUTHORIZATION}_FILE")
        token = read_text(path) if path else environ.get(_AUTHORIZATION)
        if token and ("\r" in token or "\n" in token):
            raise ConfigError(
                f"the token in {path or _AUTHORIZATION} has a line break, so it cannot be sent; take it out"
            )
        return token or None


def _parse(url: str, variable: str) -> tuple[Origin, str, Query]:
    """Origin, path, query of a URL that may be asked for keys: over https, or a host that is this machine's own.

    No error shows the URL: who may ask there may have the keys.
    """
    from urllib.parse import parse_qsl, quote, urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise ConfigError(f"{variable} must be http://HOST/PATH or https://HOST/PATH, with no user or password")
    if parts.scheme == "http" and not _is_own(host):
        raise ConfigError(
            f"{variable} names {host!r}, which is not asked for credentials over plain http; use https, a loopback"
            f" address, or one of {', '.join(_ALLOWED)}"
        )
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Origin(parts.scheme, host, port), quote(parts.path, safe="/%:@!$&'()*+,;=~") or "/", query


def _is_own(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host in _ALLOWED or ip_address(host).is_loopback
    except ValueError:
        return False


_log = getLogger("s3target.credentials")

ABSENCE = 60.0
"""Seconds for which the service is taken to be absent after it did not answer."""

_SOON = 900.0


class Instance(Provider):
    """The instance metadata service."""

    name = "iam-role"
    _absent_until = 0.0
    _found = False

    def fetch(self) -> Credentials:
        if boolean(self._sources.environ.get("AWS_EC2_METADATA_DISABLED")):
            raise Passed("AWS_EC2_METADATA_DISABLED is true")
        now = self._sources.clock()
        if 0 < self._absent_until - now <= ABSENCE:  # else the clock has been set back
            raise Passed("the instance metadata service did not answer a moment ago")
        try:
            credentials = self._ask()
        except (TransportError, ServiceError, NoCredentials) as error:
            # Once it has been there it is there: what fails now is a renewal, which is to be tried again soon.
            if not self._found:
                self._absent_until = self._sources.clock() + ABSENCE
            raise Passed(f"no keys from the instance metadata service: {error}") from None
        self._found = True
        return self._stretched(credentials)

    def _ask(self) -> Credentials:
        from ..protocol.operations.identity import instance_credentials, instance_role

        timeout = self._sources.number("metadata_service_timeout", 1.0)
        attempts = self._sources.number("metadata_service_num_attempts", 1)
        with self._sources.unsigned(*self._endpoint(), timeout, max(1, int(attempts))) as client:
            token = self._token(client)
            role = client.call(instance_role(token))
            credentials = client.call(instance_credentials(role, token))
        return replace(credentials, source=f"{self.name}: {role}")

    def _token(self, client: Client) -> str | None:
        """None: use version 1. NoCredentials if that is turned off."""
        from ..protocol.operations.identity import instance_token

        try:
            return client.call(instance_token())
        except (TimedOut, BadResponse, ServiceError) as error:
            # In a container the answer may not get through, since it may travel one hop only: silence means version 1.
            if error.status == 400:
                raise
            reason = error
        if self._sources.flag("ec2_metadata_v1_disabled"):
            raise NoCredentials(f"version 1 is disabled, and version 2 gave no token: {reason}")
        _log.debug("instance metadata version 2 gave no token (%s); using version 1", reason)
        return None

    def _endpoint(self) -> tuple[Origin, str]:
        from ..protocol.partitions import parse_url

        url = self._sources.setting("ec2_metadata_service_endpoint")
        if not url:
            url = "http://[fd00:ec2::254]/" if self._over_ipv6() else "http://169.254.169.254/"
        return parse_url(url)

    def _over_ipv6(self) -> bool:
        mode = self._sources.setting("ec2_metadata_service_endpoint_mode")
        if mode is None:
            return self._sources.flag("imds_use_ipv6")
        if mode.lower() not in ("ipv4", "ipv6"):
            raise ConfigError(f'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is {mode!r}; use "ipv4" or "ipv6"')
        return mode.lower() == "ipv6"

    def jitter(self) -> float:
        """Seconds, 120 to 600, by which the machines of a fleet differ."""
        return 120.0 + int.from_bytes(os.urandom(2), "big") / 65536 * 480.0

    def _stretched(self, credentials: Credentials) -> Credentials:
        """Keys that end soon, or have ended, get time: AWS keeps such keys alive while the service has no new ones."""
        now, soon = self._sources.clock(), _SOON + self.jitter()
        if credentials.expires_at is None or credentials.expires_at - now >= soon:
            return credentials
        _log.warning("instance metadata has keys that end soon; using them on, and asking again in some minutes")
        return replace(credentials, expires_at=now + soon)

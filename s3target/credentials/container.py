"""Keys from the container service: ECS, and EKS Pod Identity.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..protocol.endpoint import Location
from ..protocol.identity import Credentials
from ..protocol.messages import Origin, Query
from ..protocol.operations.base import Fixed
from .ini import read_text
from .provider import Passed, Provider
from .sources import Sources

if TYPE_CHECKING:
    from ..protocol.operations.metadata import ContainerCredentials

_ECS = "169.254.170.2"
_ALLOWED = (_ECS, "169.254.170.23", "fd00:ec2::23", "localhost")
_RELATIVE, _FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_TIMEOUT = 2.0
_ATTEMPTS = 3


class Container(Provider):
    """Asks the address that the environment names. The file with the token to show there is read each time."""

    name = "container-role"

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def fetch(self) -> Credentials:
        origin, request = self._request()
        with self._sources.unsigned(Fixed(Location(origin, "", "", "")), _TIMEOUT, _ATTEMPTS) as client:
            return client.call(request)

    def _request(self) -> tuple[Origin, ContainerCredentials]:
        from ..protocol.operations.metadata import ContainerCredentials

        relative, full = self._sources.environ.get(_RELATIVE), self._sources.environ.get(_FULL)
        if relative:
            if not relative.startswith("/"):
                raise ConfigError(f"{_RELATIVE} is {relative!r}; it must begin with a slash")
            origin, path, query = _parse(f"http://{_ECS}{relative}", _RELATIVE)
        elif full:
            origin, path, query = _parse(full, _FULL)
        else:
            raise Passed(f"neither {_RELATIVE} nor {_FULL} is set")
        return origin, ContainerCredentials(path, query, self._authorization())

    def _authorization(self) -> str | None:
        environ = self._sources.environ
        path = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        token = read_text(path) if path else environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if token and ("\r" in token or "\n" in token):
            place = path or "AWS_CONTAINER_AUTHORIZATION_TOKEN"
            raise ConfigError(f"the token in {place} has a line break, so it cannot be sent; take it out")
        return token or None


def _parse(url: str, variable: str) -> tuple[Origin, str, Query]:
    """Origin, path, query of a URL that may be asked for keys: over https, or a host that is this machine's own."""
    from urllib.parse import parse_qsl, quote, urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise ConfigError(f"{variable} is {url!r}, which is no URL") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise ConfigError(f"{variable} is {url!r}; it must be http://HOST/PATH or https://HOST/PATH")
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

"""Which proxy a request goes through. Pure; a user and password of a proxy are in no message and no repr."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import ConfigError
from ..protocol.messages import Headers, Origin
from ..value import dataclass, field

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proxy:
    """scheme: how to talk to the proxy itself. authorization: the value of Proxy-Authorization, or ""."""

    scheme: str
    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def headers(self) -> Headers:
        return {"proxy-authorization": self.authorization} if self.authorization else {}


def environment_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxies that environ names, as TransportOptions.proxies: http_proxy, https_proxy, all_proxy for the one that
    is not set, no_proxy. Lower case wins over upper case; set but empty means none.

    HTTP_PROXY is left out where REQUEST_METHOD is set: a CGI program gets it from the request's Proxy header.
    """
    found = {}
    fallback = environ.get("all_proxy", environ.get("ALL_PROXY", ""))
    for scheme in ("http", "https"):
        upper = None if scheme == "http" and "REQUEST_METHOD" in environ else environ.get(f"{scheme.upper()}_PROXY")
        url = environ.get(f"{scheme}_proxy", fallback if upper is None else upper)
        if url:
            found[scheme] = url
    exceptions = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    return {**found, "no": exceptions} if found and exceptions else found


def find_proxy(proxies: Mapping[str, str], origin: Origin) -> Proxy | None:
    """The proxy for `origin`, None to go straight. ConfigError if the proxy's URL cannot be used."""
    url = proxies.get(origin.scheme)
    if not url or is_exempt(proxies.get("no", ""), origin):
        return None
    return parse_proxy(url, origin.scheme)


def parse_proxy(url: str, purpose: str) -> Proxy:
    """http://[user:password@]host[:port], the scheme may be left out. `purpose` names the setting in errors."""
    from base64 import b64encode
    from urllib.parse import unquote_to_bytes, urlsplit

    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port, scheme = parts.hostname, parts.port, parts.scheme
    except ValueError:
        host = None
    if not host:
        raise ConfigError(f"the proxy for {purpose} is no proxy URL: write http://[user:password@]host:port")
    if scheme not in _DEFAULT_PORTS:
        raise ConfigError(f"the proxy for {purpose} is a {scheme} proxy, which is not supported: use an http:// one")
    authorization = ""
    if parts.username is not None:
        login = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
        authorization = f"Basic {b64encode(login).decode()}"
    return Proxy(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port, authorization)


def is_exempt(exceptions: str, origin: Origin) -> bool:
    """Whether a no_proxy list names the origin: "*", host, domain or .domain (with what is below it), address, CIDR
    block; any but a block may end in :port."""
    host = origin.host.lower().rstrip(".")
    return any(_names(entry, host, origin.port) for entry in re.split(r"[,\s]+", exceptions.lower()) if entry)


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, entry_port = _split_port(entry)
    if entry_port and entry_port != str(port):
        return False
    if ":" in host or host.rpartition(".")[2].isdigit():
        return _names_address(name, host)
    domain = name.removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _split_port(entry: str) -> tuple[str, str]:
    """host:port, [v6]:port, or without port; a bare IPv6 address has more than one colon and no port."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = entry.rpartition(":")
    return (name, port) if name and ":" not in name else (entry, "")


def _names_address(entry: str, host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return entry == host

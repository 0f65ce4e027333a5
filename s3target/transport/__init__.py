"""HTTP yes, S3 no: one `send` from a Request to a Response, over pooled connections.

Nothing here retries, follows a redirect, signs, or reads the environment by itself. Importing this package loads no
socket code: it comes with the first connection, and ssl with the first one over TLS, so that `import s3target` stays
light.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.messages import Request, Response
from ..value import TYPE_CHECKING, dataclass, field
from .proxy import environment_proxies

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["HttpTransport", "TransportOptions", "environment_proxies"]


@dataclass(frozen=True)
class TransportOptions:
    """How to connect.

    connect_timeout: seconds for each address of a host, and for each step of a TLS handshake (looking up the name is
    up to the system's resolver). read_timeout: seconds of silence while sending or receiving, not a total.
    verify: True trusts the system's authorities, a path those of a PEM file or directory, False checks nothing.
    client_certificate: a PEM file with certificate and key, or the two files.
    proxies: {"http": url, "https": url, "no": "a,b"}; see environment_proxies(). max_idle: idle connections per origin.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    verify: bool | str = True
    client_certificate: str | tuple[str, str] | None = None
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    max_idle: int = 64
    tcp_keepalive: bool = False


_DEFAULTS = TransportOptions()


class HttpTransport:
    """Sends requests; threads and forked children may share it. Its state is its options: pickling leaves the rest."""

    def __init__(self, options: TransportOptions = _DEFAULTS) -> None:
        self.options = options

    def send(self, request: Request) -> Response:
        """The answer, whatever its status; `stream`, if there is one, is its body, still to be read or closed.

        Raises TransportError. What is wrong before a byte has been sent is raised as it is: ConfigError for a
        header, path, proxy or certificate setting, OSError for a body's file that cannot be opened.
        """
        return self._exchange().send(request)

    def close(self) -> None:
        """Close the idle connections; those in use close when their body ends. Sending again opens new ones."""
        exchange: Exchange | None = self.__dict__.get("_made")
        if exchange is not None:
            exchange.close()

    def _exchange(self) -> Exchange:
        made: Exchange | None = self.__dict__.get("_made")
        if made is None:
            from .exchange import Exchange

            # setdefault is atomic: of two threads that come first together, both get the same one, without a lock.
            made = self.__dict__.setdefault("_made", Exchange(self.options))
        return made

    def __reduce__(self) -> tuple[type[HttpTransport], tuple[TransportOptions]]:
        return HttpTransport, (self.options,)

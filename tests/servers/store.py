"""What a test needs to know of a running server."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Store:
    """ca_file: PEM file of the authority behind an https endpoint. checks_signatures: a wrong secret is refused."""

    name: str
    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    ca_file: str | None
    checks_signatures: bool
    sts_endpoint_url: str | None
    role_arn: str | None

    @property
    def kind(self) -> str:
        """The name of the program, whether by TLS or not."""
        return self.name.removesuffix("-tls")

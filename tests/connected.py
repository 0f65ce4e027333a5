"""The package's own client for a running store, and a transport that counts what goes over the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from s3target.client import Client, Transport
from s3target.composition import connect
from s3target.protocol.messages import Request, Response
from servers.store import Store

KeyStore = Callable[[str], tuple[Client, str]]
"""From the name of a store to a client of it and a bucket in it."""


def settings_for(store: Store, **more: Any) -> dict[str, Any]:
    """The arguments of connect(), and of S3Client, for this store. more: others, or other values for these."""
    settings: dict[str, Any] = {
        "endpoint_url": store.endpoint_url,
        "region_name": store.region,
        "aws_access_key_id": store.access_key_id,
        "aws_secret_access_key": store.secret_access_key,
        "verify": store.ca_file,
    }
    return {**settings, **more}


def client_of(store: Store, **more: Any) -> Client:
    """The caller closes it."""
    return connect(**settings_for(store, **more))


class Counting:
    """A Transport that notes each request on its way to the real one.

    sent: "GET list" for listings, "POST delete" for DeleteObjects, else the method and the key's path.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.sent: list[str] = []

    def send(self, request: Request) -> Response:
        names = dict(request.query)
        subject = "list" if "list-type" in names else "delete" if "delete" in names else request.path
        self.sent.append(f"{request.method} {subject}")
        return self._transport.send(request)

    def close(self) -> None:
        self._transport.close()

    def methods(self) -> Counter[str]:
        return Counter(line.partition(" ")[0] for line in self.sent)


def count(client: Client) -> Counting:
    """Put a counter before client's transport."""
    counting = Counting(client.transport)
    client.transport = counting
    return counting

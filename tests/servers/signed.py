"""A SigV4 requester that shares nothing with the package: the tests' second opinion on what a store holds.

Written from https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import ssl
import uuid
from collections.abc import Mapping
from contextlib import closing
from functools import reduce
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from servers.store import Store


class Answer(NamedTuple):
    """headers: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(
    store: Store,
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    service: str = "s3",
) -> Answer:
    """One signed request. path and query are as they are meant, nothing of them is percent-encoded yet."""
    url = urlsplit(store.endpoint_url)
    pairs = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in (query or {}).items())
    line = quote(path, safe="/~"), "&".join(f"{name}={value}" for name, value in pairs)
    send = {name.lower(): value for name, value in (headers or {}).items()}
    send |= {"host": url.netloc, "x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
    send["x-amz-date"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    send["authorization"] = _authorization(store, service, (method, *line), send)
    with closing(_connect(store)) as connection:
        connection.request(method, "?".join(filter(None, line)), body or None, send)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def make_bucket(store: Store) -> str:
    """A new bucket's name."""
    name = f"test-{uuid.uuid4().hex[:20]}"
    answer = request(store, "PUT", f"/{name}")
    assert answer.status == 200, answer
    return name


def _authorization(store: Store, service: str, line: tuple[str, str, str], send: Mapping[str, str]) -> str:
    scope = (send["x-amz-date"][:8], store.region, service, "aws4_request")
    names = ";".join(sorted(send))
    canonical_headers = "".join(f"{name}:{' '.join(send[name].split())}\n" for name in sorted(send))
    canonical_request = "\n".join([*line, canonical_headers, names, send["x-amz-content-sha256"]])
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    string_to_sign = "\n".join(["AWS4-HMAC-SHA256", send["x-amz-date"], "/".join(scope), digest])
    key = reduce(_hmac, scope, b"AWS4" + store.secret_access_key.encode())
    credential = "/".join([store.access_key_id, *scope])
    signature = _hmac(key, string_to_sign).hex()
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _connect(store: Store) -> http.client.HTTPConnection:
    url = urlsplit(store.endpoint_url)
    assert url.hostname
    if url.scheme == "http":
        return http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    context = ssl.create_default_context(cafile=store.ca_file)
    return http.client.HTTPSConnection(url.hostname, url.port, timeout=30, context=context)

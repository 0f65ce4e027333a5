"""AWS Signature Version 4 for S3, step by step under the names of AWS's own text, so that each can be compared.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html

The path is signed as it is sent: S3 neither normalises nor encodes twice (other services do; STS is always asked at
"/", where it makes no difference). The clock is an argument. The cache of signing keys is a dict the caller owns.
"""

from __future__ import annotations

import hashlib
import hmac

from ..errors import ConfigError
from ..value import NamedTuple
from .encoding import amz_timestamp, query_string
from .messages import Credentials, Headers, Query, Request

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
MAX_EXPIRES = 7 * 24 * 3600
"""Seconds that a presigned URL may live, at most."""

KeyCache = dict[tuple[str, str, str, str], bytes]
"""(secret, day, region, service) -> signing key."""


class Scope(NamedTuple):
    """The credential scope: a signature is good for one day, region and service."""

    day: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def canonical_headers(headers: Headers) -> tuple[str, str]:
    """Name and value lines, sorted by name, in which runs of blanks count as one; and SignedHeaders, the names."""
    names = sorted(headers)
    lines = "".join([f"{name}:{headers[name]}\n" for name in names])
    # Seldom is there anything to fold, and a look at all lines at once costs less than one at each.
    if "  " in lines or "\t" in lines or ": " in lines or " \n" in lines or not lines.isascii():
        # All that Python takes for blanks, as botocore does: SeaweedFS folds U+3000 and its like, too.
        lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
    return lines, ";".join(names)


def canonical_request(request: Request, payload_hash: str) -> tuple[str, str]:
    """What is signed of a request, whose headers must be exactly those to be signed; and SignedHeaders."""
    lines, names = canonical_headers(request.headers)
    query = query_string(request.query)
    return f"{request.method}\n{request.path}\n{query}\n{lines}\n{names}\n{payload_hash}", names


def string_to_sign(canonical: str, scope: Scope, timestamp: str) -> str:
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def signing_key(secret: str, scope: Scope) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature(key: bytes, to_sign: str) -> str:
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _cached_key(secret: str, scope: Scope, cache: KeyCache) -> bytes:
    slot = (secret, *scope)
    key = cache.get(slot)
    if key is None:
        if len(cache) > 64:
            cache.clear()
        key = cache[slot] = signing_key(secret, scope)
    return key


def payload_hash(request: Request) -> str:
    """What x-amz-content-sha256 says; without that header (STS) the hash of the body."""
    declared = request.headers.get("x-amz-content-sha256")
    if declared is not None:
        return declared
    with request.body.open() as body:
        return hashlib.sha256(body.read()).hexdigest()


def sign(request: Request, credentials: Credentials, now: float, keys: KeyCache) -> Request:
    """request with Host, X-Amz-Date, X-Amz-Security-Token and Authorization. now: seconds since 1970."""
    timestamp = amz_timestamp(now)
    scope = Scope(timestamp[:8], request.region, request.service)
    headers = {"host": request.origin.authority, "x-amz-date": timestamp}
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    signed = request.with_headers(headers)
    canonical, names = canonical_request(signed, payload_hash(request))
    key = _cached_key(credentials.secret_access_key, scope, keys)
    mark = signature(key, string_to_sign(canonical, scope, timestamp))
    headers["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope},SignedHeaders={names},Signature={mark}"
    )
    return request.with_headers(headers)


def presign(request: Request, credentials: Credentials, now: float, expires: int, keys: KeyCache) -> str:
    """A URL that carries its signature, good for `expires` seconds (1 to 604,800).

    Headers of the request are signed too: whoever uses the URL must send them. The payload is not signed.
    ConfigError if `expires` is out of range.
    """
    if not 1 <= expires <= MAX_EXPIRES:
        raise ConfigError(f"a presigned URL lives 1 to {MAX_EXPIRES} seconds, not {expires}")
    timestamp = amz_timestamp(now)
    scope = Scope(timestamp[:8], request.region, request.service)
    headers = {**request.headers, "host": request.origin.authority}
    query: Query = (
        *request.query,
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", f"{credentials.access_key_id}/{scope}"),
        ("X-Amz-Date", timestamp),
        ("X-Amz-Expires", str(expires)),
        ("X-Amz-SignedHeaders", ";".join(sorted(headers))),
        *([("X-Amz-Security-Token", credentials.session_token)] if credentials.session_token else []),
    )
    canonical, _ = canonical_request(request._replace(headers=headers, query=query), UNSIGNED_PAYLOAD)
    key = _cached_key(credentials.secret_access_key, scope, keys)
    signed = signature(key, string_to_sign(canonical, scope, timestamp))
    return f"{url(request._replace(query=query))}&X-Amz-Signature={signed}"


def url(request: Request) -> str:
    """The request's URL."""
    query = query_string(request.query)
    return f"{request.origin.scheme}://{request.origin.authority}{request.path}{'?' + query if query else ''}"

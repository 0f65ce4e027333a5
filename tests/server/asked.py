"""A request as a store reads it, and whether it is signed and sealed as it should be: written from the documents, with
nothing of the package in it.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
import zlib
from base64 import b64encode
from functools import reduce
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

ALLOWED_SKEW = 900
_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})")


class Asked(NamedTuple):
    """One request. path, query: as they came. headers: names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""

    @classmethod
    def parse(cls, head: bytes) -> Asked:
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        pairs = (line.partition(":") for line in lines if line)
        return cls(method, path, query, {name.lower(): value.strip() for name, _, value in pairs})

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", "0"))

    @property
    def arguments(self) -> dict[str, str]:
        pairs = (pair.partition("=") for pair in self.query.split("&") if pair)
        return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}

    @property
    def bucket(self) -> str:
        return unquote(self.path[1:].partition("/")[0])

    @property
    def key(self) -> str:
        return unquote(self.path[1:].partition("/")[2])

    @property
    def operation(self) -> str:
        """Its name in the API."""
        asked = {name for name in ("uploads", "uploadId", "delete", "tagging", "partNumber") if name in self.arguments}
        if not self.key:
            by_bucket = {"GET": "ListMultipartUploads" if "uploads" in asked else "ListObjectsV2", "HEAD": "HeadBucket"}
            return by_bucket.get(self.method, "DeleteObjects")
        if self.method == "PUT":
            copied = "Copy" if "x-amz-copy-source" in self.headers else ""
            return f"UploadPart{copied}" if "partNumber" in asked else "CopyObject" if copied else "PutObject"
        if self.method == "POST":
            return "CreateMultipartUpload" if "uploads" in asked else "CompleteMultipartUpload"
        if self.method == "DELETE":
            return "AbortMultipartUpload" if "uploadId" in asked else "DeleteObject"
        return "GetObjectTagging" if "tagging" in asked else {"GET": "GetObject", "HEAD": "HeadObject"}[self.method]


class Keys(NamedTuple):
    """What a store knows of those who sign."""

    access_key_id: str
    secret: str
    token: str | None = None


def fault_of(asked: Asked, keys: Keys, region: str, now: float) -> str:
    """The error code with which a store refuses the request; "" if it is as it should be."""
    found = _AUTHORIZATION.fullmatch(asked.headers.get("authorization", ""))
    if found is None:
        return "AccessDenied"
    access_key_id, date, scope_region, *service = found[1].split("/")
    if access_key_id != keys.access_key_id or asked.headers.get("x-amz-security-token") != keys.token:
        return "InvalidAccessKeyId"
    if service != ["s3", "aws4_request"] or scope_region != region:
        return "AuthorizationHeaderMalformed"
    stamp = asked.headers["x-amz-date"]
    signed_at = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    if abs(signed_at - now) > ALLOWED_SKEW or not stamp.startswith(date):
        return "RequestTimeTooSkewed"
    if not hmac.compare_digest(_signature(asked, found[2], keys.secret, found[1].split("/")[1:]), found[3]):
        return "SignatureDoesNotMatch"
    return _payload_fault(asked)


def _signature(asked: Asked, names: str, secret: str, scope: list[str]) -> str:
    headers = "".join(f"{name}:{' '.join(asked.headers[name].split())}\n" for name in names.split(";"))
    pairs = sorted(pair if "=" in pair else f"{pair}=" for pair in asked.query.split("&") if pair)
    payload = asked.headers["x-amz-content-sha256"]
    canonical = "\n".join([asked.method, asked.path, "&".join(pairs), headers, names, payload])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", asked.headers["x-amz-date"], "/".join(scope), digest])
    key = reduce(_hmac, scope, b"AWS4" + secret.encode())
    return _hmac(key, to_sign).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _payload_fault(asked: Asked) -> str:
    headers, body = asked.headers, asked.body
    said = headers["x-amz-content-sha256"]
    if said != "UNSIGNED-PAYLOAD" and said != hashlib.sha256(body).hexdigest():
        return "XAmzContentSHA256Mismatch"
    for name, digest in (
        ("x-amz-checksum-crc32", lambda: zlib.crc32(body).to_bytes(4, "big")),
        ("content-md5", lambda: hashlib.md5(body).digest()),
    ):
        # The one of a CompleteMultipartUpload is of the object, not of its body.
        if name in headers and asked.method == "PUT" and headers[name] != b64encode(digest()).decode():
            return "BadDigest"
    return ""

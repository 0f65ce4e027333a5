"""boto3's ExtraArgs names -> headers of each request.

Here stands which header an option is, and which of the requests of a multipart transfer carries it.
https://boto3.amazonaws.com/v1/documentation/api/latest/reference/customizations/s3.html
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cache

from ..errors import ConfigError
from ..value import Any
from .encoding import http_date, query_string, utc
from .messages import Headers

ExtraArgs = Mapping[str, Any]
"""boto3's names to values."""

_SSE_CUSTOMER = ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5")
_SOURCE_SSE = tuple(f"CopySource{name}" for name in _SSE_CUSTOMER)
_SOURCE_CONDITIONS = tuple(f"CopySourceIf{what}" for what in ("Match", "ModifiedSince", "NoneMatch", "UnmodifiedSince"))
_REQUEST = ("RequestPayer", "ExpectedBucketOwner")
_CONDITIONS = ("IfMatch", "IfNoneMatch")
_FULL_CHECKSUMS = tuple(f"Checksum{kind}" for kind in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"))

_DESCRIPTION = (
    *("ACL", "BucketKeyEnabled", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage"),
    *("ContentType", "Expires", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP", "Metadata"),
    *("ObjectLockLegalHoldStatus", "ObjectLockMode", "ObjectLockRetainUntilDate", "ServerSideEncryption"),
    *("SSEKMSKeyId", "SSEKMSEncryptionContext", "StorageClass", "Tagging", "WebsiteRedirectLocation"),
    *("ChecksumAlgorithm", *_SSE_CUSTOMER, *_REQUEST),
)

_ACCEPTED: dict[str, frozenset[str]] = {
    operation: frozenset(names)
    for operation, names in {
        "PutObject": (*_DESCRIPTION, *_FULL_CHECKSUMS, *_CONDITIONS, "ContentMD5"),
        "CreateMultipartUpload": (*_DESCRIPTION, "ChecksumType"),
        "UploadPart": ("ChecksumAlgorithm", *_SSE_CUSTOMER, *_REQUEST),
        "CompleteMultipartUpload": (
            *(*_SSE_CUSTOMER, *_REQUEST, "ChecksumType", "MpuObjectSize"),
            *(*_FULL_CHECKSUMS, *_CONDITIONS),
        ),
        "AbortMultipartUpload": _REQUEST,
        "CopyObject": (
            *(*_DESCRIPTION, "MetadataDirective", "TaggingDirective"),
            *(*_SOURCE_CONDITIONS, *_SOURCE_SSE, *_CONDITIONS),
        ),
        "UploadPartCopy": (*_SOURCE_CONDITIONS, *_SOURCE_SSE, *_SSE_CUSTOMER, *_REQUEST),
        "GetObject": (*_SSE_CUSTOMER, *_REQUEST, "ChecksumMode", "IfMatch", "IfNoneMatch", "IfModifiedSince"),
        "HeadObject": (*_SSE_CUSTOMER, *_REQUEST, "ChecksumMode"),
    }.items()
}

UPLOAD = _ACCEPTED["PutObject"] | _ACCEPTED["CreateMultipartUpload"] | _ACCEPTED["CompleteMultipartUpload"]
"""The names that a way to write accepts. COPY, DOWNLOAD: those of a copy, of a way to read."""
COPY = _ACCEPTED["CopyObject"]
DOWNLOAD = _ACCEPTED["GetObject"] | {"VersionId"}


def check(extra_args: Iterable[str], accepted: frozenset[str], what: str) -> None:
    """ConfigError naming the first unknown option and the nearest known one."""
    for name in extra_args:
        if name not in accepted:
            import difflib

            near = difflib.get_close_matches(name, accepted)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(accepted))}"
            raise ConfigError(f"{what} knows no option {name!r}{hint}")


def headers_for(operation: str, extra_args: ExtraArgs) -> Headers:
    """The headers by which `operation` carries extra_args, but for options that are not its business.

    ConfigError if a value has no header form.
    """
    if not extra_args:
        return {}
    accepted = _ACCEPTED[operation]
    headers: dict[str, str] = {}
    for name, value in extra_args.items():
        if value is not None and name in accepted:
            headers.update(_header(operation, name, value))
    return headers


def source_headers(extra_args: ExtraArgs) -> Headers:
    """The headers of a HEAD of a copy's source: what guards and decrypts the source."""
    prefix = "CopySource"
    own = {name.removeprefix(prefix): value for name, value in extra_args.items() if name in _SOURCE_SSE}
    shared = {name: value for name, value in extra_args.items() if name == "RequestPayer"}
    return headers_for("HeadObject", {**own, **shared})


def _header(operation: str, name: str, value: Any) -> Headers:
    if name == "Metadata":
        return _metadata(value)
    if name == "ChecksumAlgorithm":
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html names it without "sdk".
        sdk = "sdk-" if operation in ("PutObject", "UploadPart") else ""
        return {f"x-amz-{sdk}checksum-algorithm": str(value).upper()}
    if name.endswith("SSECustomerKey"):
        return _customer_key(name, value)
    text = _text(name, value)
    # The ETag of a write goes as it was given, as boto3 sends it: Ceph 16 wants it bare, and others take both forms.
    quoted = name.endswith("Match") and (name != "IfMatch" or operation == "GetObject")
    return {_header_name(name): f'"{text}"' if quoted and text != "*" and not text.startswith('"') else text}


_NAMED_OTHERWISE = {
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
    "MpuObjectSize": "x-amz-mp-object-size",
    "ObjectLockLegalHoldStatus": "x-amz-object-lock-legal-hold",
    "SSEKMSEncryptionContext": "x-amz-server-side-encryption-context",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
}


@cache
def _header_name(option: str) -> str:
    """The words of the option; with x-amz- in front, unless HTTP itself has the header."""
    words = re.sub("(?<=[a-z])(?=[A-Z])", "-", option).lower().replace("ssec", "server-side-encryption-c")
    is_http = words.startswith(("cache-", "content-", "expires", "if-"))
    return _NAMED_OTHERWISE.get(option) or (words if is_http else f"x-amz-{words}")


def _metadata(value: Any) -> Headers:
    if not isinstance(value, Mapping):
        raise ConfigError(f"Metadata is a mapping of names to strings, not {type(value).__name__}")
    for name, text in value.items():
        if not isinstance(text, str) or not f"{name}{text}".isascii():
            raise ConfigError(f"Metadata {name!r} must be ASCII text, as S3 stores no other; percent-encode it")
    return {f"x-amz-meta-{name.lower()}": text for name, text in value.items()}


def _customer_key(name: str, value: Any) -> Headers:
    """SSE-C: the key in base64 and its MD5, https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html"""
    if not isinstance(value, str | bytes):
        raise ConfigError(f"{name} is the raw key as bytes or str, not {type(value).__name__}")
    raw = value.encode() if isinstance(value, str) else value
    digest = hashlib.md5(raw, usedforsecurity=False).digest()
    header = _header_name(name)
    return {header: b64encode(raw).decode(), f"{header}-md5": b64encode(digest).decode()}


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Mapping) and name == "Tagging":
        return query_string(tuple(value.items()))
    from datetime import datetime

    if isinstance(value, datetime) and (name == "Expires" or name.endswith("Since")):
        return http_date(value)
    if isinstance(value, datetime) and name == "ObjectLockRetainUntilDate":
        return utc(value).strftime("%Y-%m-%dT%H:%M:%SZ")
    raise ConfigError(f"{name} is text, not {type(value).__name__}")

"""Keyword arguments of S3Client and S3Target, checked before anything is sent."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from ..protocol.options import DOWNLOAD, UPLOAD, ExtraArgs, check, headers_for
from ..settings import SETTINGS, check_names
from .errors import DeprecatedBotoClientException

WRITE_OPTIONS = UPLOAD | {"part_size", "progress"}
DEPRECATED = {
    "encrypt_key": "say how to encrypt: ServerSideEncryption='AES256' (or 'aws:kms' with SSEKMSKeyId=)",
    "host": "name the region, region_name='us-west-1', or the store, endpoint_url='https://...'",
}
_FOR_READING = DOWNLOAD & UPLOAD - {"IfMatch", "IfNoneMatch"}


def check_deprecated(kwargs: ExtraArgs) -> None:
    """DeprecatedBotoClientException for an argument of boto 2."""
    for name, advice in DEPRECATED.items():
        if name in kwargs:
            raise DeprecatedBotoClientException(f"{name} is an argument of boto 2; {advice}")


def check_write_options(what: str, kwargs: ExtraArgs, accepted: frozenset[str] = WRITE_OPTIONS) -> None:
    """DeprecatedBotoClientException, or ConfigError for an unknown name or a value that has no header form."""
    check_deprecated(kwargs)
    check(kwargs, accepted, what)
    headers_for("PutObject", kwargs)


def check_read_options(what: str, kwargs: ExtraArgs) -> ExtraArgs:
    """kwargs, boto3's ExtraArgs of a download. ConfigError as for check_write_options()."""
    check(kwargs, DOWNLOAD, what)
    headers_for("GetObject", kwargs)
    return kwargs


def for_reading(kwargs: ExtraArgs) -> dict[str, Any]:
    """Of what was given for writing an object, that without which it cannot be read or asked for: its SSE-C key, who
    pays, whose bucket it must be."""
    return {name: value for name, value in kwargs.items() if name in _FOR_READING}


def check_settings(kwargs: ExtraArgs) -> None:
    """DeprecatedBotoClientException for the first name that is no setting."""
    if any(name not in SETTINGS for name in kwargs):
        try:
            check_names(kwargs, "S3Client")
        except ConfigError as error:
            raise DeprecatedBotoClientException(str(error)) from None

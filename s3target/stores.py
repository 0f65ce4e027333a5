"""What is known of a kind of store beforehand and need not be found out: one table of frozen values. Pure.

Ceph, SeaweedFS and Swift are as measured (tests/interop); AWS, R2 and GCS as their documentation says, and MinIO, of
which nothing is taken for granted:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html,
https://developers.cloudflare.com/r2/api/s3/conditional-operations/,
https://docs.cloud.google.com/storage/docs/request-preconditions
"""

from __future__ import annotations

from collections.abc import Mapping

from .errors import ConfigError
from .protocol.partitions import parse_url
from .value import dataclass, field

_PUT, _COMPLETE, _COPY = "PutObject", "CompleteMultipartUpload", "CopyObject"


@dataclass(frozen=True)
class Store:
    """keeps, lacks: operations on which conditions work, or certainly do not; of others transfer.once finds it out.
    equal_parts: all parts of an upload have one size, but the last. full_checksum: of an upload in parts it compares
    and keeps the CRC32 of the whole, so that whoever reads the object can check it. settings: what takes the place of a
    default.
    """

    keeps: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    equal_parts: bool = False
    full_checksum: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


_IN_PATH = {"addressing_style": "path"}
UNKNOWN = Store()
STORES: dict[str, Store] = {
    "aws": Store(keeps=frozenset({_PUT, _COMPLETE, _COPY}), full_checksum=True),
    # Complete is tried: version 16 ignores the condition there.
    "ceph": Store(keeps=frozenset({_PUT}), settings=_IN_PATH),
    "seaweedfs": Store(full_checksum=True, settings=_IN_PATH),
    "minio": Store(settings=_IN_PATH),
    # The copy's condition has a header of R2's own.
    "r2": Store(
        frozenset({_PUT, _COMPLETE}), frozenset({_COPY}), equal_parts=True, settings={**_IN_PATH, "region_name": "auto"}
    ),
    "gcs": Store(
        lacks=frozenset({_PUT, _COMPLETE, _COPY}),
        settings={**_IN_PATH, "request_checksum_calculation": "when_required"},
    ),
    "swift": Store(lacks=frozenset({_PUT, _COPY}), settings=_IN_PATH),
}
_HOSTS = {
    **dict.fromkeys((".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu"), "aws"),
    ".r2.cloudflarestorage.com": "r2",
    ".storage.googleapis.com": "gcs",
}
_RENTED = frozenset({"compute", "compute-1", "elb"})
"""In names of machines and load balancers at amazonaws.com, behind which anything may be."""


def guessed(url: str | None) -> str | None:
    """The kind of store at this endpoint, where its host name tells it: those that only their owners run."""
    if url is None:
        return "aws"
    try:
        host = f".{parse_url(url)[0].host}"
    except ConfigError:
        return None  # the endpoint refuses it in better words
    if not _RENTED.isdisjoint(host.split(".")):
        return None
    return next((name for end, name in _HOSTS.items() if host.endswith(end)), None)

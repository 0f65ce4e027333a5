"""What names say: the partition of a region, what a bucket name or an access point's ARN means, where a url points.

Partitions are AWS's separate clouds, each with DNS suffixes of its own; a region nobody knows counts as `aws`, so new
regions work without a new release. Whatever passes check_bucket() and is no ARN may stand in a path as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..errors import ConfigError
from ..value import NamedTuple
from .messages import Origin


class Partition(NamedTuple):
    """One of AWS's clouds. dns_suffix: of its hosts; dual_stack_suffix: of IPv6 hosts of services other than S3."""

    name: str
    dns_suffix: str
    dual_stack_suffix: str


_AWS = Partition("aws", "amazonaws.com", "api.aws")

_PARTITIONS: tuple[tuple[str, Partition], ...] = (
    (r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+", _AWS),
    (r"cn-\w+-\d+", Partition("aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn")),
    (r"us-gov-\w+-\d+", Partition("aws-us-gov", "amazonaws.com", "api.aws")),
    (r"us-iso-\w+-\d+", Partition("aws-iso", "c2s.ic.gov", "api.aws.ic.gov")),
    (r"us-isob-\w+-\d+", Partition("aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud")),
    (r"eu-isoe-\w+-\d+", Partition("aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk")),
    (r"us-isof-\w+-\d+", Partition("aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov")),
    (r"eusc-de-\w+-\d+", Partition("aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu")),
)


def partition_of(region: str) -> Partition:
    """The partition of a region, or of a pseudo-region such as "aws-cn-global"; `aws` for one that is not known."""
    for pattern, partition in _PARTITIONS:
        if re.fullmatch(pattern, region, re.ASCII) or region == f"{partition.name}-global":
            return partition
    return _AWS


_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_IPV4_SHAPE = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"


def is_host_label(text: str) -> bool:
    """Whether `text` can be one label of a host name: 1-63 letters, digits, hyphens, none of them at an end."""
    return re.fullmatch(_LABEL, text) is not None


def is_virtual_hostable(bucket: str, dots: bool) -> bool:
    """Whether a bucket name can stand in front of a host name; with `dots`, also as several labels."""
    if len(bucket) < 3 or bucket != bucket.lower() or re.fullmatch(_IPV4_SHAPE, bucket):
        return False
    return all(map(is_host_label, bucket.split("."))) if dots else is_host_label(bucket)


_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
_ARN = r"arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):([0-9]{12})?:([a-z]+)[:/](.+)"  # compiled at its first use
_BUCKET_RULE = "a bucket name has 1-255 letters, digits, dots, hyphens and underscores"
_ARN_RULE = "arn:PARTITION:s3:REGION:ACCOUNT:accesspoint:NAME, with 12 digits for the account"

_UNSUPPORTED_SUFFIX = {
    "--x-s3": "directory buckets (S3 Express) are not supported yet: they need CreateSession; use another",
    "--xa-s3": "access points of directory buckets (S3 Express) are not supported yet: they need CreateSession",
    "--op-s3": "buckets on S3 Outposts are not supported; use a bucket in a region",
}
_UNSUPPORTED_SERVICE = {
    "s3-outposts": "S3 Outposts is not supported; use a bucket or access point in a region",
    "s3-object-lambda": "S3 Object Lambda is not supported; use the access point behind it",
}


class AccessPoint(NamedTuple):
    """An access point's ARN. label: what stands in front of a host, name-account."""

    partition: str
    region: str
    label: str


def check_bucket(name: str) -> None:
    """ConfigError for what is no name of a bucket, alias or ARN of an access point, or of a kind not supported.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; the limits are botocore's, which are
    wider because old buckets and other stores have names that AWS gives no more.
    """
    if is_arn(name):
        parse_access_point(name)
        return
    if not _BUCKET.fullmatch(name) or name in (".", ".."):
        raise ConfigError(f"{name!r} cannot be a bucket: {_BUCKET_RULE}, or is an access point's {_ARN_RULE}")
    for suffix, reason in _UNSUPPORTED_SUFFIX.items():
        if name.endswith(suffix):
            raise ConfigError(f"bucket {name!r}: {reason}")


def is_arn(bucket: str) -> bool:
    return bucket.startswith("arn:")


def parse_access_point(arn: str) -> AccessPoint:
    """ConfigError for any other ARN.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
    """
    found = re.fullmatch(_ARN, arn)
    if not found:
        raise ConfigError(f"{arn!r} is no access point ARN; expected {_ARN_RULE}")
    partition, service, region, account, kind, name = found.groups()
    if service in _UNSUPPORTED_SERVICE:
        raise ConfigError(f"{arn!r}: {_UNSUPPORTED_SERVICE[service]}")
    if service != "s3" or kind != "accesspoint" or not account:
        raise ConfigError(f"{arn!r} is no access point ARN; expected {_ARN_RULE}")
    if not region:
        raise ConfigError(
            f"{arn!r}: a multi-region access point needs SigV4A, which the standard library cannot do; "
            "use the bucket, or an access point of one region"
        )
    if not is_host_label(region) or not is_host_label(name):
        raise ConfigError(f"{arn!r}: region and name of an access point have 1-63 letters, digits and inner hyphens")
    return AccessPoint(partition, region, f"{name}-{account}")


_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<ipv6>[0-9a-f]*:[0-9a-f:.]*)(?:%(?:25)?(?P<zone>[a-z0-9._~-]+))?\]|(?P<host>(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[!\x22$->@-~]*)?",
    re.IGNORECASE | re.ASCII,
)


@lru_cache(maxsize=128)
def parse_url(url: str) -> tuple[Origin, str]:
    """Origin and path prefix of a custom endpoint. ConfigError if it is not http(s)://host[:port][/prefix].

    The prefix is "" or begins with "/" and is percent-encoded as the store will do it to verify: "+" is "%2B".
    """
    found = _URL.fullmatch(url)
    if not found:
        raise ConfigError(_url_fault(url))
    scheme = found["scheme"].lower()
    port = int(found["port"] or (443 if scheme == "https" else 80))
    prefix = _path_prefix(found["path"] or "")
    if not 0 < port < 65536 or (found["ipv6"] and not is_ip(found["ipv6"])) or prefix is None:
        raise ConfigError(_url_fault(url))
    host = (found["ipv6"] or found["host"]).lower() + (f"%{found['zone']}" if found["zone"] else "")
    return Origin(scheme, host, port), prefix


def _path_prefix(path: str) -> str | None:
    """None if it has a dot segment."""
    if path in ("", "/"):  # urllib.parse is slow to load
        return ""
    from urllib.parse import quote, unquote_to_bytes

    segments = [unquote_to_bytes(segment) for segment in path.split("/") if segment]
    dotted = not {b".", b".."}.isdisjoint(segments)
    return None if dotted else "".join("/" + quote(segment, safe="") for segment in segments)


def _url_fault(url: str) -> str:
    if "@" in url:
        return "the endpoint url must not hold a user name or password; give credentials by their own settings"
    if not url.lower().startswith(("http://", "https://")):
        return f'endpoint url {url!r} must begin with "https://" or "http://"'
    if "?" in url or "#" in url:
        return (
            f"endpoint url {re.split('[?#]', url)[0]!r} must not have a query or a fragment; drop what follows the path"
        )
    return (
        f"endpoint url {url!r} is not understood; write it as https://HOST, https://HOST:PORT or https://HOST:PORT/PREFIX"
        " with a host name or IP address, a port from 1 to 65535 and a percent-encoded prefix without dot segments"
    )


_OCTETS = frozenset(map(str, range(256)))


def is_ip(host: str) -> bool:
    if ":" not in host:
        parts = host.split(".")
        return len(parts) == 4 and all(part in _OCTETS for part in parts)
    from ipaddress import ip_address  # slow to load

    try:
        ip_address(host)
    except ValueError:
        return False
    return True

"""Where requests go: from a bucket name to host, path and signing region, by the rules botocore follows.

Nothing here connects, looks up names or reads the environment. The host of a custom url is never changed for another
one: a redirect can only change the region a request is signed for, so no signature reaches a host nobody asked for.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html,
https://docs.aws.amazon.com/general/latest/gr/s3.html, https://docs.aws.amazon.com/general/latest/gr/sts.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from ..errors import ConfigError
from ..value import NamedTuple, dataclass, replace
from .messages import Headers, Origin
from .partitions import (
    check_bucket,
    is_arn,
    is_host_label,
    is_ip,
    is_virtual_hostable,
    parse_access_point,
    parse_url,
    partition_of,
)


class Location(NamedTuple):
    """Where a bucket lives. region, service: of the credential scope.

    base_path: "", "/prefix", "/bucket" or "/prefix/bucket", percent-encoded; "/" and the encoded key come behind it.
    """

    origin: Origin
    base_path: str
    region: str
    service: str


@dataclass(frozen=True)
class Endpoint:
    """All that is needed to find any bucket. ConfigError, as soon as it is made, if the settings cannot be right.

    region: of the client, and to sign for; with a custom url any string, else an AWS region.
    url: a custom endpoint, "https://ceph.example:8443/prefix"; None for AWS itself.
    addressing_style: "virtual" puts the bucket into the host if its name allows it, "path" never does, "auto" does so
        on AWS but not on a custom url. A host that is an IP address always has the bucket in the path.
    use_arn_region: an access point's ARN may name another region than `region`.
    us_east_1_regional: use s3.us-east-1.amazonaws.com in place of the global s3.amazonaws.com.
    use_ssl: scheme of AWS's hosts; a custom url has its own.
    """

    region: str = "us-east-1"
    url: str | None = None
    addressing_style: str = "auto"
    dualstack: bool = False
    fips: bool = False
    accelerate: bool = False
    use_arn_region: bool = True
    us_east_1_regional: bool = False
    use_ssl: bool = True

    def __post_init__(self) -> None:
        _check_region(self.region, self.url)
        if self.addressing_style not in ("auto", "virtual", "path"):
            raise ConfigError(f'addressing_style is {self.addressing_style!r}; use "auto", "virtual" or "path"')
        _check_variants(self.url, self.fips, self.dualstack)
        in_china = partition_of(self.region).name == "aws-cn"
        if self.fips and in_china:
            raise ConfigError("S3 has no FIPS endpoints in China; turn FIPS off or choose another region")
        for wrong, why in (
            (self.url is not None, "works on AWS only; drop the custom endpoint url or turn accelerate off"),
            (self.fips, "has no FIPS endpoints; turn one of the two off"),
            (self.addressing_style == "path", 'needs the bucket in the host; set addressing_style to "auto"'),
            (in_china, "does not exist in China; turn accelerate off"),
        ):
            if self.accelerate and wrong:
                raise ConfigError(f"S3 Accelerate {why}")

    def locate(self, bucket: str = "", accelerable: bool = True) -> Location:
        """Where `bucket` (a name, an alias or an access point's ARN) is; "" is the service itself, as for ListBuckets.

        accelerable: see Operation. ConfigError for a bucket that cannot be reached with these settings.
        """
        return _locate(self, bucket, accelerable)

    def in_region(self, region: str) -> Endpoint:
        """With a custom url only what is signed changes, never the host."""
        return self if region == self.region else replace(self, region=region)


@lru_cache(maxsize=1024)
def _locate(endpoint: Endpoint, bucket: str, accelerable: bool) -> Location:
    region = _real_region(endpoint.region)
    if not bucket:
        return Location(*_service(endpoint, accelerated=False), region, "s3")
    check_bucket(bucket)
    if is_arn(bucket):
        return _locate_access_point(endpoint, bucket)
    accelerated = endpoint.accelerate and accelerable
    origin, prefix = _service(endpoint, accelerated)
    if _bucket_in_host(endpoint, origin, bucket):
        return Location(_subdomain(bucket, origin), prefix, region, "s3")
    if accelerated:
        raise ConfigError(
            f"bucket {bucket!r} cannot use S3 Accelerate: its name must have 3-63 lower-case letters, digits and "
            "hyphens, and no dots; turn accelerate off for it"
        )
    return Location(origin, f"{prefix}/{bucket}", region, "s3")


def _service(endpoint: Endpoint, accelerated: bool) -> tuple[Origin, str]:
    """The host all buckets share, and the path in front of them."""
    global_region = endpoint.region == "aws-global" or (
        endpoint.region == "us-east-1" and not endpoint.us_east_1_regional
    )
    if accelerated:
        variant = ".dualstack" if endpoint.dualstack else ""
        host = f"s3-accelerate{variant}.{partition_of(endpoint.region).dns_suffix}"
    elif global_region and not endpoint.fips and not endpoint.dualstack:
        host = "s3.amazonaws.com"
    else:
        host = _regional_host("s3", endpoint, _real_region(endpoint.region))
    return _place(endpoint, host)


def _regional_host(name: str, endpoint: Endpoint, region: str) -> str:
    # Unlike STS, S3 keeps the plain DNS suffix for its dual-stack hosts.
    fips = "-fips" if endpoint.fips else ""
    dualstack = ".dualstack" if endpoint.dualstack else ""
    return f"{name}{fips}{dualstack}.{region}.{partition_of(region).dns_suffix}"


def _place(endpoint: Endpoint, aws_host: str) -> tuple[Origin, str]:
    """Host and path of the custom url; without one, of AWS's host."""
    if endpoint.url is not None:
        return parse_url(endpoint.url)
    return Origin("https", aws_host, 443) if endpoint.use_ssl else Origin("http", aws_host, 80), ""


def _bucket_in_host(endpoint: Endpoint, origin: Origin, bucket: str) -> bool:
    custom = endpoint.url is not None
    if endpoint.addressing_style == "path" or is_ip(origin.host) or (custom and endpoint.addressing_style == "auto"):
        return False
    # A wildcard certificate covers one label only. On AWS names with dots stay in the path without TLS as well, as
    # botocore has it.
    return is_virtual_hostable(bucket, dots=custom and origin.scheme == "http")


def _subdomain(label: str, origin: Origin) -> Origin:
    return origin._replace(host=f"{label}.{origin.host}")


def _locate_access_point(endpoint: Endpoint, arn: str) -> Location:
    """Access points have a host of their own, whatever the addressing style."""
    point = parse_access_point(arn)
    if endpoint.accelerate:
        raise ConfigError(f"{arn}: access points have no S3 Accelerate; turn accelerate off")
    if not endpoint.use_arn_region and point.region != endpoint.region:
        raise ConfigError(
            f"{arn} is in another region than the client ({endpoint.region}); set use_arn_region or change the region"
        )
    if not point.partition == partition_of(point.region).name == partition_of(endpoint.region).name:
        raise ConfigError(
            f"{arn} is in another partition than the client's region {endpoint.region}; change the region"
        )
    origin, prefix = _place(endpoint, _regional_host("s3-accesspoint", endpoint, point.region))
    if is_ip(origin.host):
        raise ConfigError(f"{arn}: an access point needs a host name, but the endpoint is the IP address {origin.host}")
    return Location(_subdomain(point.label, origin), prefix, point.region, "s3")


_SIGNABLE = re.compile(r"[!-+.0-~-]+")
"""What can stand in a credential scope and a header: printable ASCII but for comma, slash and space."""


def _real_region(region: str) -> str:
    return "us-east-1" if region == "aws-global" else region


def _check_region(region: str, url: str | None) -> None:
    if not region:
        raise ConfigError(
            "no region: pass region_name, set AWS_REGION, or put region into the profile (a store other than AWS"
            ' mostly takes "us-east-1")'
        )
    if url is None and not is_host_label(region):
        raise ConfigError(
            f'{region!r} is no AWS region; use one like "eu-west-1", or give the endpoint url of the store'
        )
    if not _SIGNABLE.fullmatch(region):
        raise ConfigError(f"region {region!r} cannot be signed for; use letters, digits and hyphens")


def _check_variants(url: str | None, fips: bool, dualstack: bool) -> None:
    if url is None:
        return
    origin, _ = parse_url(url)
    if origin.host.startswith("s3-accelerate."):
        raise ConfigError("for S3 Accelerate set accelerate to true and drop the endpoint url")
    if fips or dualstack:
        named = "FIPS" if fips else "dual-stack"
        raise ConfigError(f"{named} chooses among AWS's hosts; turn it off or drop the custom endpoint url {url!r}")


_STS_GLOBAL_REGION = (
    r"ap-northeast-1|ap-south-1|ap-southeast-[12]|ca-central-1|eu-central-1|eu-north-1|eu-west-[123]|sa-east-1"
    r"|us-(east|west)-[12]"
)


def sts_endpoint(
    region: str, url: str | None = None, *, fips: bool = False, dualstack: bool = False, legacy_global: bool = False
) -> Location:
    """Where STS is. ConfigError as Endpoint.

    legacy_global: the oldest regions use sts.amazonaws.com (sts_regional_endpoints = legacy).
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html
    """
    _check_region(region, url)
    _check_variants(url, fips, dualstack)
    if url is not None:
        origin, prefix = parse_url(url)
        return Location(origin, prefix, _real_region(region), "sts")
    is_global = region == "aws-global" or (legacy_global and re.fullmatch(_STS_GLOBAL_REGION, region) is not None)
    region = _real_region(region)
    if is_global and not fips and not dualstack:
        return Location(Origin("https", "sts.amazonaws.com", 443), "", "us-east-1", "sts")
    partition = partition_of(region)
    # In GovCloud every plain STS host is a FIPS one.
    name = "sts-fips" if fips and (dualstack or partition.name != "aws-us-gov") else "sts"
    host = f"{name}.{region}.{partition.dual_stack_suffix if dualstack else partition.dns_suffix}"
    return Location(Origin("https", host, 443), "", region, "sts")


_REGION_CODES = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"})


def redirected_region(status: int, headers: Headers, code: str, details: Mapping[str, str]) -> str | None:
    """The region an error answer says the bucket is in, which may be that of the request; None when it names none.

    Not for CreateBucket, whose IllegalLocationConstraintException is about what it asked for. A HEAD has no body, so of
    a 400 the header alone counts. https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
    """
    named = headers.get("x-amz-bucket-region", "")
    if status in (301, 302, 307) or code in _REGION_CODES:
        named = named or details.get("Region", "")
    elif status != 400:
        return None
    # It will be part of a host name, so an answer must not be able to put anything else there.
    return named if is_host_label(named) else None

"""Where requests go, by tables of values; test_endpoint_botocore.py compares the same with botocore."""

from __future__ import annotations

import pickle

import pytest

from s3target.errors import ConfigError
from s3target.protocol.endpoint import (
    Endpoint,
    Location,
    redirected_region,
    sts_endpoint,
)


def shown(location: Location) -> str:
    """A location in one line: url and signing scope."""
    origin = location.origin
    return f"{origin.scheme}://{origin.authority}{location.base_path} {location.region}/{location.service}"


ARN = "arn:aws:s3:us-west-2:123456789012:accesspoint:mine"
POINT = "mine-123456789012"


@pytest.mark.parametrize(
    ("settings", "bucket", "expected"),
    [
        ({}, "", "https://s3.amazonaws.com us-east-1/s3"),
        ({}, "buck", "https://buck.s3.amazonaws.com us-east-1/s3"),
        ({"region": "aws-global"}, "buck", "https://buck.s3.amazonaws.com us-east-1/s3"),
        ({"us_east_1_regional": True}, "buck", "https://buck.s3.us-east-1.amazonaws.com us-east-1/s3"),
        ({"fips": True}, "buck", "https://buck.s3-fips.us-east-1.amazonaws.com us-east-1/s3"),
        ({"region": "aws-global", "fips": True}, "", "https://s3-fips.us-east-1.amazonaws.com us-east-1/s3"),
        ({"region": "sa-east-1"}, "", "https://s3.sa-east-1.amazonaws.com sa-east-1/s3"),
        ({"region": "sa-east-1"}, "my.buck", "https://s3.sa-east-1.amazonaws.com/my.buck sa-east-1/s3"),
        ({"region": "sa-east-1"}, "Old_Buck", "https://s3.sa-east-1.amazonaws.com/Old_Buck sa-east-1/s3"),
        ({"region": "sa-east-1"}, "10.0.0.1", "https://s3.sa-east-1.amazonaws.com/10.0.0.1 sa-east-1/s3"),
        ({"region": "sa-east-1"}, "ab", "https://s3.sa-east-1.amazonaws.com/ab sa-east-1/s3"),
        ({"region": "sa-east-1"}, "a" * 64, f"https://s3.sa-east-1.amazonaws.com/{'a' * 64} sa-east-1/s3"),
        ({"region": "sa-east-1"}, "buck-", "https://s3.sa-east-1.amazonaws.com/buck- sa-east-1/s3"),
        (
            {"region": "sa-east-1"},
            "mine-abc-s3alias",
            "https://mine-abc-s3alias.s3.sa-east-1.amazonaws.com sa-east-1/s3",
        ),
        (
            {"region": "sa-east-1", "addressing_style": "path"},
            "buck",
            "https://s3.sa-east-1.amazonaws.com/buck sa-east-1/s3",
        ),
        ({"region": "sa-east-1", "use_ssl": False}, "buck", "http://buck.s3.sa-east-1.amazonaws.com sa-east-1/s3"),
        (
            {"region": "sa-east-1", "use_ssl": False},
            "my.buck",
            "http://s3.sa-east-1.amazonaws.com/my.buck sa-east-1/s3",
        ),
        (
            {"region": "sa-east-1", "dualstack": True},
            "buck",
            "https://buck.s3.dualstack.sa-east-1.amazonaws.com sa-east-1/s3",
        ),
        (
            {"region": "us-gov-west-1", "fips": True, "dualstack": True},
            "buck",
            "https://buck.s3-fips.dualstack.us-gov-west-1.amazonaws.com us-gov-west-1/s3",
        ),
        ({"region": "cn-north-1"}, "buck", "https://buck.s3.cn-north-1.amazonaws.com.cn cn-north-1/s3"),
        ({"region": "sa-east-1", "accelerate": True}, "buck", "https://buck.s3-accelerate.amazonaws.com sa-east-1/s3"),
        ({"region": "sa-east-1", "accelerate": True}, "", "https://s3.sa-east-1.amazonaws.com sa-east-1/s3"),
        (
            {"region": "aws-global", "accelerate": True, "dualstack": True},
            "buck",
            "https://buck.s3-accelerate.dualstack.amazonaws.com us-east-1/s3",
        ),
        ({}, ARN, f"https://{POINT}.s3-accesspoint.us-west-2.amazonaws.com us-west-2/s3"),
        ({}, ARN.replace(":mine", "/mine"), f"https://{POINT}.s3-accesspoint.us-west-2.amazonaws.com us-west-2/s3"),
        ({"addressing_style": "path"}, ARN, f"https://{POINT}.s3-accesspoint.us-west-2.amazonaws.com us-west-2/s3"),
        (
            {"region": "us-west-2", "use_arn_region": False},
            ARN,
            f"https://{POINT}.s3-accesspoint.us-west-2.amazonaws.com us-west-2/s3",
        ),
        (
            {"fips": True, "dualstack": True},
            ARN,
            f"https://{POINT}.s3-accesspoint-fips.dualstack.us-west-2.amazonaws.com us-west-2/s3",
        ),
        (
            {"region": "aws-global", "url": "http://ap.example", "addressing_style": "virtual"},
            "my.buck",
            "http://my.buck.ap.example us-east-1/s3",
        ),
        ({"url": "https://ap.example:8443/pre"}, ARN, f"https://{POINT}.ap.example:8443/pre us-west-2/s3"),
    ],
)
def test_bucket_is_located(settings, bucket, expected):
    """Host, path and signing region follow from the settings and the bucket's name."""
    assert shown(Endpoint(**settings).locate(bucket)) == expected


@pytest.mark.parametrize(
    ("url", "style", "bucket", "expected"),
    [
        ("http://localhost:9000", "auto", "", "http://localhost:9000"),
        ("http://localhost:9000", "auto", "buck", "http://localhost:9000/buck"),
        ("http://localhost:9000/", "virtual", "buck", "http://buck.localhost:9000"),
        ("http://localhost:9000", "virtual", "my.buck", "http://my.buck.localhost:9000"),
        ("http://localhost:9000", "virtual", "buc", "http://buc.localhost:9000"),
        ("http://localhost:9000", "virtual", "bu", "http://localhost:9000/bu"),
        ("https://localhost:9000", "virtual", "my.buck", "https://localhost:9000/my.buck"),
        ("http://localhost:9000", "virtual", "Buck", "http://localhost:9000/Buck"),
        ("http://127.0.0.1:9000", "virtual", "buck", "http://127.0.0.1:9000/buck"),
        ("http://127.0.0.1:9000", "virtual", "my.buck", "http://127.0.0.1:9000/my.buck"),
        ("http://[::1]:9000", "virtual", "buck", "http://[::1]:9000/buck"),
        ("http://[fd00::17]", "auto", "buck", "http://[fd00::17]/buck"),
        ("https://ceph.example:8443/prefix", "auto", "buck", "https://ceph.example:8443/prefix/buck"),
        ("https://ceph.example:8443/prefix/", "virtual", "buck", "https://buck.ceph.example:8443/prefix"),
        ("https://ceph.example//a//b/", "auto", "", "https://ceph.example/a/b"),
        ("https://ceph.example/a+b%20c(%e4)", "auto", "buck", "https://ceph.example/a%2Bb%20c%28%E4%29/buck"),
        ("https://ceph.example/a%2Fb", "auto", "buck", "https://ceph.example/a%2Fb/buck"),
        ("HTTPS://Ceph.Example:443", "auto", "buck", "https://ceph.example/buck"),
        ("http://ceph.example:80", "auto", "buck", "http://ceph.example/buck"),
        ("https://ceph.example:80", "auto", "buck", "https://ceph.example:80/buck"),
        ("http://minio_1:9000", "auto", "buck", "http://minio_1:9000/buck"),
    ],
)
def test_custom_url_is_kept(url, style, bucket, expected):
    """Bucket in the path unless "virtual" is asked for and possible; the url's own path stays in front."""
    endpoint = Endpoint(region="auto", url=url, addressing_style=style)
    assert shown(endpoint.locate(bucket)) == f"{expected} auto/s3"


def test_ipv6_host_has_no_brackets_in_the_origin():
    """A socket wants the bare address; brackets are the Host header's."""
    assert Endpoint(url="http://[::1]:9000").locate("buck").origin == ("http", "::1", 9000)


@pytest.mark.parametrize("url", ["http://[FE80::1%25Eth0]:9000", "http://[fe80::1%Eth0]:9000"])
def test_zone_of_a_link_local_address(url):
    """The socket wants it, as RFC 6874 writes it or as everybody does; the bucket stays in the path."""
    location = Endpoint(url=url, addressing_style="virtual").locate("buck")
    assert location.origin == ("http", "fe80::1%Eth0", 9000)
    assert location.base_path == "/buck"


def test_bucket_is_not_accelerated_to_be_made_or_deleted():
    """CreateBucket and DeleteBucket go to the plain host even with accelerate, whatever the bucket's name."""
    endpoint = Endpoint("eu-west-1", accelerate=True)
    assert endpoint.locate("buck", accelerable=False).origin.host == "buck.s3.eu-west-1.amazonaws.com"
    assert endpoint.locate("my.buck", accelerable=False).base_path == "/my.buck"


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"region": ""}, "AWS_REGION"),
        ({"region": "", "url": "http://localhost"}, "AWS_REGION"),
        ({"region": "eu west"}, "eu-west-1"),
        ({"region": "evil.example/"}, "eu-west-1"),
        ({"region": "eu-west-1\n"}, "eu-west-1"),
        ({"region": "-eu"}, "eu-west-1"),
        ({"region": "a/b", "url": "http://localhost"}, "cannot be signed"),
        ({"region": "a\r\nX: y", "url": "http://localhost"}, "cannot be signed"),
        ({"addressing_style": "dns"}, '"virtual"'),
        ({"url": ""}, 'begin with "https://"'),
        ({"url": "ceph.example:9000"}, 'begin with "https://"'),
        ({"url": "ftp://ceph.example"}, 'begin with "https://"'),
        ({"url": "https://"}, "https://HOST"),
        ({"url": "https://:9000"}, "https://HOST"),
        ({"url": "https://ceph.example:nine"}, "https://HOST"),
        ({"url": "https://ceph.example:0"}, "1 to 65535"),
        ({"url": "https://ceph.example:65536"}, "1 to 65535"),
        ({"url": "https://ceph..example"}, "https://HOST"),
        ({"url": "https://ceph.example\n"}, "https://HOST"),
        ({"url": "https://ceph.example/a b"}, "percent-encoded"),
        ({"url": "https://ceph.example/a/../b"}, "dot segments"),
        ({"url": "https://ceph.example/%2e%2e/b"}, "dot segments"),
        ({"url": "https://[:::1]:9000"}, "https://HOST"),
        ({"url": "https://[::1:9000"}, "https://HOST"),
        ({"url": "https://[fe80::1%]"}, "https://HOST"),
        ({"url": "https://[fe80::1%25a b]"}, "https://HOST"),
        ({"url": "https://ceph.example%25eth0"}, "https://HOST"),
        ({"url": "https://ceph.example/?x=1"}, "query"),
        ({"url": "https://ceph.example/#top"}, "fragment"),
        ({"url": "https://s3-accelerate.amazonaws.com"}, "set accelerate"),
        ({"url": "https://ceph.example", "fips": True}, "FIPS"),
        ({"url": "https://ceph.example", "dualstack": True}, "dual-stack"),
        ({"url": "https://ceph.example", "accelerate": True}, "drop the custom"),
        ({"accelerate": True, "fips": True}, "FIPS"),
        ({"accelerate": True, "addressing_style": "path"}, "addressing_style"),
        ({"accelerate": True, "region": "cn-north-1"}, "China"),
        ({"fips": True, "region": "cn-north-1"}, "China"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(settings, advice):
    """Each refusal says what to do."""
    with pytest.raises(ConfigError) as caught:
        Endpoint(**settings)
    assert advice in str(caught.value)


def test_password_in_the_url_is_refused_and_not_shown():
    """Errors end up in logs."""
    with pytest.raises(ConfigError) as caught:
        Endpoint(url="https://user:pazzword@ceph.example")
    assert "user name or password" in str(caught.value)
    assert "pazz" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "bucket", "reason"),
    [
        ({}, "my/bucket", "1-255"),
        ({"accelerate": True}, "my.buck", "turn accelerate off"),
        ({"accelerate": True}, ARN, "no S3 Accelerate"),
        ({"use_arn_region": False}, ARN, "use_arn_region"),
        ({"region": "cn-north-1"}, ARN, "partition"),
        ({}, ARN.replace("us-west-2", "cn-north-1"), "partition"),
        ({"region": "cn-north-1"}, ARN.replace("us-west-2", "cn-north-1"), "partition"),
        ({"url": "http://127.0.0.1:9000"}, ARN, "IP address"),
    ],
)
def test_bucket_out_of_reach_is_refused(settings, bucket, reason):
    """A good name may still not go with the settings."""
    with pytest.raises(ConfigError, match=reason):
        Endpoint(**settings).locate(bucket)


def test_other_region_keeps_the_custom_host():
    """A redirect must not send signatures to a host nobody asked for."""
    moved = Endpoint("auto", "https://ceph.example/p", "virtual").in_region("eu-west-1")
    assert shown(moved.locate("buck")) == "https://buck.ceph.example/p eu-west-1/s3"


def test_other_region_is_another_host_on_aws():
    """All else stays as it was."""
    moved = Endpoint("eu-west-1", dualstack=True).in_region("us-east-1")
    assert shown(moved.locate("buck")) == "https://buck.s3.dualstack.us-east-1.amazonaws.com us-east-1/s3"
    assert Endpoint("eu-west-1").in_region("us-east-1") == Endpoint()


def test_endpoint_is_a_value():
    """Hashable and picklable: workers in other processes get it."""
    endpoint = Endpoint("eu-west-1", "http://localhost:9000")
    copy = pickle.loads(pickle.dumps(endpoint))
    assert copy == endpoint
    assert hash(copy) == hash(endpoint)
    assert copy.locate("buck") == endpoint.locate("buck")


def test_locating_again_is_cached():
    """locate() runs for every request: once found, a location is handed out again as the same object."""
    assert Endpoint("eu-west-1").locate("buck") is Endpoint("eu-west-1").locate("buck")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"region": "eu-west-1"}, "https://sts.eu-west-1.amazonaws.com eu-west-1/sts"),
        ({"region": "aws-global"}, "https://sts.amazonaws.com us-east-1/sts"),
        ({"region": "us-east-1"}, "https://sts.us-east-1.amazonaws.com us-east-1/sts"),
        ({"region": "eu-west-1", "legacy_global": True}, "https://sts.amazonaws.com us-east-1/sts"),
        ({"region": "eu-south-1", "legacy_global": True}, "https://sts.eu-south-1.amazonaws.com eu-south-1/sts"),
        ({"region": "us-gov-west-1", "fips": True}, "https://sts.us-gov-west-1.amazonaws.com us-gov-west-1/sts"),
        ({"region": "us-west-2", "fips": True}, "https://sts-fips.us-west-2.amazonaws.com us-west-2/sts"),
        ({"region": "aws-global", "fips": True}, "https://sts-fips.us-east-1.amazonaws.com us-east-1/sts"),
        ({"region": "us-west-2", "dualstack": True}, "https://sts.us-west-2.api.aws us-west-2/sts"),
        ({"region": "cn-north-1"}, "https://sts.cn-north-1.amazonaws.com.cn cn-north-1/sts"),
        ({"region": "aws-global", "url": "http://localhost:8080"}, "http://localhost:8080 us-east-1/sts"),
        ({"region": "x", "url": "http://localhost:8080/sts"}, "http://localhost:8080/sts x/sts"),
    ],
)
def test_sts_is_located(settings, expected):
    """STS has hosts of its own."""
    assert shown(sts_endpoint(**settings)) == expected


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"region": ""}, "AWS_REGION"),
        ({"region": "a.b"}, "eu-west-1"),
        ({"region": "eu-west-1", "url": "sts.example"}, "begin with"),
        ({"region": "eu-west-1", "url": "https://sts.example", "fips": True}, "FIPS"),
    ],
)
def test_sts_settings_that_cannot_be_right_are_refused(settings, advice):
    """By the same rules as for S3."""
    with pytest.raises(ConfigError, match=advice):
        sts_endpoint(**settings)


HEADER = {"x-amz-bucket-region": "eu-west-1"}


@pytest.mark.parametrize(
    ("status", "headers", "code", "details", "region"),
    [
        (301, HEADER, "PermanentRedirect", {}, "eu-west-1"),
        (301, HEADER, "", {}, "eu-west-1"),
        (400, HEADER, "", {}, "eu-west-1"),
        (307, HEADER, "TemporaryRedirect", {}, "eu-west-1"),
        (302, {}, "Found", {"Region": "eu-west-1"}, "eu-west-1"),
        (400, {}, "AuthorizationHeaderMalformed", {"Region": "eu-west-1"}, "eu-west-1"),
        (403, {}, "AuthorizationHeaderMalformed", {"Region": "eu-west-1"}, "eu-west-1"),
        (400, HEADER, "AuthorizationHeaderMalformed", {"Region": "us-west-2"}, "eu-west-1"),
        (400, HEADER, "IllegalLocationConstraintException", {}, "eu-west-1"),
        (400, {}, "IllegalLocationConstraintException", {}, None),
        (301, {}, "PermanentRedirect", {"Endpoint": "buck.s3.amazonaws.com"}, None),
        (400, {}, "InvalidArgument", {"Region": "eu-west-1"}, None),
        (403, HEADER, "AccessDenied", {}, None),
        (404, HEADER, "NoSuchKey", {}, None),
        (200, HEADER, "", {}, None),
        (400, {}, "AuthorizationHeaderMalformed", {"Region": "evil.example/"}, None),
        (301, {"x-amz-bucket-region": "a b"}, "PermanentRedirect", {}, None),
    ],
)
def test_answer_points_to_a_region(status, headers, code, details, region):
    """The header first, then the body; only answers that are about the region; nothing that is no host label."""
    assert redirected_region(status, headers, code, details) == region

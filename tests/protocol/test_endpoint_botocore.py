"""Endpoints compared with botocore's: its rule engines over thousands of combinations, and whole clients for a few."""

from __future__ import annotations

import os
from itertools import product

import pytest

from s3target.errors import ConfigError
from s3target.protocol.endpoint import Endpoint, Location, sts_endpoint

pytest.importorskip("botocore")

from botocore.args import LEGACY_GLOBAL_STS_REGIONS
from botocore.config import Config
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError, EndpointProviderError
from botocore.handlers import VALID_BUCKET, VALID_S3_ARN
from botocore.loaders import Loader
from botocore.session import Session


def shown(location: Location) -> str:
    """A location in one line: url and signing scope."""
    origin = location.origin
    return f"{origin.scheme}://{origin.authority}{location.base_path} {location.region}/{location.service}"


def located(settings, bucket):
    return shown(Endpoint(**settings).locate(bucket))


class Refused(Exception):
    """botocore does not serve this combination."""


@pytest.fixture(scope="module")
def rules():
    """botocore's rule engines: rules("s3" or "sts", its parameters) -> "url region/service", or Refused."""
    loader = Loader()
    engines = {
        service: EndpointProvider(
            loader.load_service_model(service, "endpoint-rule-set-1"), loader.load_data("partitions")
        )
        for service in ("s3", "sts")
    }

    def resolve(service, parameters):
        bucket = parameters.get("Bucket")
        if bucket is not None and not VALID_BUCKET.search(bucket) and not VALID_S3_ARN.search(bucket):
            raise Refused("not a bucket name")
        try:
            found = engines[service].resolve_endpoint(**parameters)
        except EndpointProviderError as error:
            raise Refused(str(error)) from error
        schemes = found.properties.get("authSchemes") or [{}]
        region = schemes[0].get("signingRegion", parameters["Region"])
        return f"{found.url.rstrip('/')} {region}/{schemes[0].get('signingName', service)}"

    return resolve


def s3_parameters(settings, bucket):
    """Settings as botocore's client hands them to its rule engine (test_client_of_botocore_agrees checks that)."""
    custom = settings.get("url")
    style = settings.get("addressing_style", "auto")
    path_style = style != "virtual" if custom else style == "path"
    legacy = not settings.get("us_east_1_regional", False)
    parameters = {
        "Region": settings["region"],
        "Bucket": bucket or None,
        "Endpoint": custom,
        "UseFIPS": settings.get("fips", False),
        "UseDualStack": settings.get("dualstack", False),
        "Accelerate": settings.get("accelerate", False),
        "ForcePathStyle": path_style and not bucket.startswith("arn:"),
        "UseArnRegion": settings.get("use_arn_region", True),
        "UseGlobalEndpoint": settings["region"] == "aws-global" or (settings["region"] == "us-east-1" and legacy),
    }
    return {name: value for name, value in parameters.items() if value is not None}


def answer(ask, *arguments):
    """What comes of asking: the location in one line, or "refused"."""
    try:
        return ask(*arguments)
    except (ConfigError, Refused):
        return "refused"


def differs_on_purpose(settings, bucket):
    """Where botocore's rules make a host that does not exist, or overlook a setting; test_endpoint.py has ours."""
    style, url = settings.get("addressing_style", "auto"), settings.get("url")
    accelerate, fixed_up = settings.get("accelerate", False), settings["region"] == "aws-global"
    by_address = url is not None and ("127.0.0.1" in url or "[" in url)
    if accelerate and (style == "path" or (settings["region"] == "cn-north-1" and not bucket)):
        return True
    if accelerate and settings.get("dualstack") and fixed_up:
        return True
    return url is not None and ((by_address and ("." in bucket or ":" in bucket)) or (fixed_up and "." in bucket))


REGIONS = [
    *("us-east-1", "aws-global", "us-west-2", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1"),
    *("eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1", "mars-north-7"),
]
ARN = "arn:aws:s3:us-west-2:123456789012:accesspoint:mine"
BUCKETS = [
    *("", "buck", "a-1", "my.buck", "my..buck", "my.-buck", "Buck", "old_buck", "ab", "a" * 63, "a" * 64, "a" * 256),
    *("10.0.0.1", "1000.0.0.1", "-buck", "buck-", "mine-abc-s3alias", "my/buck", "my:buck", "arn:aws:s3:::buck"),
    *(ARN, ARN.replace(":mine", "/mine"), ARN.replace("mine", "my_point"), ARN.replace("mine", "my.point"), ARN + ":x"),
    *(ARN.replace("us-west-2", "us-east-1"), ARN.replace("aws:s3:us-west-2", "aws-cn:s3:cn-north-1")),
    *(ARN.replace("aws:s3:us-west-2", "aws-us-gov:s3:us-gov-west-1"), ARN.replace("123456789012", "12345")),
]
URLS = [
    *("http://localhost:9000", "https://ceph.example:8443/prefix", "http://ceph.example/a/b/", "https://localhost/"),
    *("http://127.0.0.1:9000", "https://127.0.0.1/p", "http://[::1]:9000", "https://[fd00::17]/p/"),
]
STYLES = ("auto", "virtual", "path")


def flags(*names):
    """Every on-and-off combination of the flags."""
    return [dict(zip(names, chosen, strict=True)) for chosen in product((False, True), repeat=len(names))]


@pytest.mark.parametrize("region", REGIONS)
def test_aws_hosts_are_those_of_botocore(rules, region):
    """All flags, styles and kinds of bucket names: the same url and signing scope, or both refuse."""
    combinations = product(
        BUCKETS, STYLES, flags("fips", "dualstack", "accelerate", "us_east_1_regional"), (True, False)
    )
    compare(
        rules,
        [
            ({"region": region, "addressing_style": style, "use_arn_region": use_arn_region, **chosen}, bucket)
            for bucket, style, chosen, use_arn_region in combinations
        ],
    )


@pytest.mark.parametrize("url", URLS)
def test_custom_urls_are_served_as_by_botocore(rules, url):
    """The same url and signing scope, or both refuse."""
    combinations = product(REGIONS[:4], BUCKETS, STYLES, flags("fips", "dualstack", "accelerate"))
    compare(
        rules,
        [
            ({"region": region, "url": url, "addressing_style": style, **chosen}, bucket)
            for region, bucket, style, chosen in combinations
        ],
    )


def compare(rules, combinations):
    combinations = [each for each in combinations if not differs_on_purpose(*each)]
    ours = [answer(located, settings, bucket) for settings, bucket in combinations]
    theirs = [answer(rules, "s3", s3_parameters(settings, bucket)) for settings, bucket in combinations]
    assert len(combinations) > 500
    assert 100 < ours.count("refused") < len(ours) - 100
    assert [case for case in zip(combinations, ours, theirs, strict=True) if case[1] != case[2]] == []


@pytest.mark.parametrize("url", [None, "http://localhost:9000/sts"])
def test_sts_hosts_are_those_of_botocore(rules, url):
    """All regions and flags. (botocore has no FIPS or dual-stack host for aws-global that exists.)"""
    for region, chosen in product(
        [*REGIONS, "eu-west-3", "ap-southeast-1"], flags("fips", "dualstack", "legacy_global")
    ):
        if region == "aws-global" and (url or chosen["fips"] or chosen["dualstack"]):
            continue
        parameters = {"Region": region, "UseFIPS": chosen["fips"], "UseDualStack": chosen["dualstack"]}
        parameters["UseGlobalEndpoint"] = chosen["legacy_global"] and region in LEGACY_GLOBAL_STS_REGIONS
        if url:
            parameters["Endpoint"] = url
        ours = answer(lambda region=region, chosen=chosen: shown(sts_endpoint(region, url, **chosen)))
        assert (region, chosen, ours) == (region, chosen, answer(rules, "sts", parameters))


@pytest.mark.parametrize(
    "settings",
    [
        {"region": "us-east-1"},
        {"region": "us-east-1", "us_east_1_regional": True},
        {"region": "eu-central-1", "use_ssl": False},
        {"region": "eu-central-1", "addressing_style": "path"},
        {"region": "eu-central-1", "dualstack": True},
        {"region": "us-gov-west-1", "fips": True},
        {"region": "eu-central-1", "accelerate": True},
        {"region": "us-east-1", "url": "http://localhost:9000/pre"},
        {"region": "us-east-1", "url": "http://localhost:9000", "addressing_style": "virtual"},
        {"region": "us-east-1", "url": "https://127.0.0.1:443", "addressing_style": "virtual"},
        {"region": "us-west-2", "use_arn_region": False},
    ],
)
def test_client_of_botocore_agrees(settings, monkeypatch):
    """What a whole botocore client would send, by the same settings: url and signing scope."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for bucket in ("buck", "my.buck", "Old_Buck", ARN):
        if differs_on_purpose(settings, bucket):
            continue
        ours = answer(located, settings, bucket)
        assert (bucket, ours) == (bucket, answer(sent_by_botocore, settings, bucket))


def sent_by_botocore(settings, bucket):
    style = {"addressing_style": settings.get("addressing_style", "auto")}
    style["use_accelerate_endpoint"] = settings.get("accelerate", False)
    style["use_arn_region"] = settings.get("use_arn_region", True)
    style["us_east_1_regional_endpoint"] = "regional" if settings.get("us_east_1_regional") else "legacy"
    client = Session().create_client(
        "s3",
        region_name=settings["region"],
        endpoint_url=settings.get("url"),
        use_ssl=settings.get("use_ssl", True),
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=Config(
            s3=style,
            use_fips_endpoint=settings.get("fips", False),
            use_dualstack_endpoint=settings.get("dualstack", False),
        ),
    )
    sent = []

    def stop(request, **_):
        sent.append(request)
        raise Stopped

    client.meta.events.register("before-send.s3", stop)
    try:
        client.get_object(Bucket=bucket, Key="k")
    except Stopped:
        pass
    except BotoCoreError as error:
        raise Refused(str(error)) from error
    finally:
        client.close()
    _, _, region, service, _ = sent[0].headers["Authorization"].decode().split(",")[0].split("/")
    return f"{sent[0].url.removesuffix('/k').replace(':443/', '/')} {region}/{service}"


class Stopped(Exception):
    """The request has been seen; nothing is to be sent."""

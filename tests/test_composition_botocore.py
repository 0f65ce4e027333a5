"""The same variables, files and arguments lead to the same hosts and signing regions as with botocore.

Configurations are drawn by a fixed seed. What a whole botocore client is about to send, to S3 and to STS, is compared
with where ours would send it. (Keys and providers: credentials/test_botocore_differential.py.) Where we differ on
purpose, differs_on_purpose() says so, and the last test shows each case.
"""

from __future__ import annotations

import collections
import contextlib
import random
from pathlib import Path
from typing import Any

import pytest

from s3target.composition import _sts_locator, connect, resolved
from s3target.errors import ConfigError
from s3target.settings import SETTINGS

pytest.importorskip("botocore")

from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, DEFAULT_S3_CONFIG_VARS
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader
from botocore.session import Session

CONFIGURATIONS = 400
KEYS = {"aws_access_key_id": "A", "aws_secret_access_key": "s"}
BUCKETS = ("bucket", "dotted.bucket", "Capital_Bucket")
LOADER = Loader()

Variables = dict[str, str]
REGION: list[Variables] = [
    {},
    {"AWS_DEFAULT_REGION": "eu-west-1"},
    {"AWS_DEFAULT_REGION": "us-east-1"},
    {"AWS_DEFAULT_REGION": "us-gov-west-1"},
    {"AWS_DEFAULT_REGION": "ap-south-1", "AWS_REGION": "sa-east-1"},
    {"AWS_REGION": "us-west-2"},
    {"AWS_DEFAULT_REGION": "no region"},
]
CHOICE: list[Variables] = [
    {},
    {"AWS_PROFILE": "p"},
    {"AWS_DEFAULT_PROFILE": "p"},
    {"AWS_DEFAULT_PROFILE": "p", "AWS_PROFILE": "gone"},
    {"AWS_PROFILE": "gone"},
    {"explicit": "p"},
    {"explicit": "default", "AWS_PROFILE": "p"},
    {"explicit": "gone"},
]
URLS: list[Variables] = [
    {},
    {"AWS_ENDPOINT_URL": "http://all.example:9000"},
    {"AWS_ENDPOINT_URL": ""},
    {"AWS_ENDPOINT_URL_S3": "https://s3.example/prefix"},
    {"AWS_ENDPOINT_URL_STS": "https://sts.example"},
    {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000", "AWS_ENDPOINT_URL": "http://all.example"},
    {"AWS_ENDPOINT_URL_S3": "", "AWS_ENDPOINT_URL_STS": "http://sts.example", "AWS_ENDPOINT_URL": "http://all.example"},
]
IGNORE: list[Variables] = [
    {},
    {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "1"},
    {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
]
HOSTS: list[Variables] = [
    {},
    {"AWS_USE_FIPS_ENDPOINT": "true"},
    {"AWS_USE_FIPS_ENDPOINT": "yes"},
    {"AWS_USE_DUALSTACK_ENDPOINT": "TRUE"},
    {"AWS_USE_DUALSTACK_ENDPOINT": "false"},
    {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "regional"},
    {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
    {"AWS_DEFAULTS_MODE": "standard"},
    {"AWS_DEFAULTS_MODE": "in-region", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "legacy"},
]
ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"region_name": "eu-north-1"},
    {"region_name": "us-east-1"},
    {"endpoint_url": "http://given.example:8000"},
    {"endpoint_url": "https://given.example", "region_name": "anything-9"},
    {"use_ssl": False},
]
IN_PROFILE = (
    ["", "region = eu-central-1\n", "region = us-east-1\n", "region = us-east-1 # home\n"],
    ["", "endpoint_url = http://profile.example\n", "endpoint_url =\n"],
    ["", "services = x\n", "services = s3-only\n", "services = gone\n"],
    ["", "ignore_configured_endpoint_urls = true\n", "ignore_configured_endpoint_urls = yes\n"],
    ["", "use_fips_endpoint = true\n", "use_dualstack_endpoint = true\n", "use_dualstack_endpoint = on\n"],
    [
        "",
        "s3_us_east_1_regional_endpoint = regional\n",
        "sts_regional_endpoints = legacy\n",
        "defaults_mode = mobile\n",
    ],
)
S3_BLOCK = (
    ["", "addressing_style = path", "addressing_style = virtual", "addressing_style = auto"],
    ["", "use_dualstack_endpoint = true", "use_dualstack_endpoint = false"],
    ["", "use_accelerate_endpoint = true", "use_accelerate_endpoint = yes"],
    ["", "us_east_1_regional_endpoint = regional"],
)
OTHERS = (
    "[services x]\ns3 =\n  endpoint_url = http://services-s3.example:1\nsts =\n  endpoint_url = http://services-sts.example\n"
    "[services s3-only]\ns3 =\n  endpoint_url = https://services-s3.example\n  other = x\n"
)


class Drawn:
    """One configuration: files, variables, arguments, and the profile that code names."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._dice = random.Random(seed)
        variables: Variables = {}
        for choices in (REGION, CHOICE, URLS, IGNORE, HOSTS):
            variables |= self._draw(choices)
        self.explicit = variables.pop("explicit", None)
        self.arguments: dict[str, Any] = self._draw(ARGUMENTS)
        self.bucket = self._dice.choice(BUCKETS)
        block = [line for line in map(self._draw, S3_BLOCK) if line]
        body = "".join(map(self._draw, IN_PROFILE)) + ("s3 =\n  " + "\n  ".join(block) + "\n" if block else "")
        self.text = "".join(f"[{header}]\n{body}" for header in ("default", "profile p")) + OTHERS
        self.credentials = self._draw(["", "[p]\nregion = ca-central-1\n"])
        (folder / "config").write_text(self.text)
        (folder / "credentials").write_text(self.credentials)
        self.environ = {
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            **variables,
        }

    def _draw(self, choices: list[Any]) -> Any:
        # The first one, which is nothing, is likely, so that the places behind have their chance.
        return choices[0] if self._dice.random() < 0.6 else self._dice.choice(choices)

    def __str__(self) -> str:
        return f"{self.environ} {self.explicit} {self.arguments} {self.bucket}\n{self.text}{self.credentials}"


class Stopped(Exception):
    """The request has been seen; nothing is to be sent."""


def sent_by(client: Any, service: str, operation: str, **parameters: str) -> str:
    """Url, less the key, and signing region of what a botocore client is about to send."""
    sent: list[Any] = []

    def stop(request: Any, **_: Any) -> None:
        sent.append(request)
        raise Stopped

    client.meta.events.register(f"before-send.{service}", stop)
    with pytest.raises(Stopped):
        getattr(client, operation)(**parameters)
    region = sent[0].headers["Authorization"].decode().split("/")[2]
    url = sent[0].url.removesuffix("/key").rstrip("/")
    return f"{url} {region}"


def by_botocore(drawn: Drawn, alike: bool = True) -> dict[str, str]:
    """Where requests to S3 and to STS go, or "refused". alike: give it the region that we find, where that differs."""
    found = {}
    for service, operation, parameters, names in (
        ("s3", "get_object", {"Bucket": drawn.bucket, "Key": "key"}, {"region_name", "endpoint_url", "use_ssl"}),
        ("sts", "get_caller_identity", {}, {"region_name"}),
    ):
        try:
            session = Session(profile=drawn.explicit)
            session.register_component("data_loader", LOADER)
            given = {name: value for name, value in drawn.arguments.items() if name in names}
            # Both on purpose: AWS_REGION is read too, after AWS_DEFAULT_REGION and before the profile, as by all other
            # SDKs; and without any region it is us-east-1.
            if alike and not given.get("region_name") and "AWS_DEFAULT_REGION" not in drawn.environ:
                known = session.get_config_variable("region") or "us-east-1"
                given["region_name"] = drawn.environ.get("AWS_REGION", known)
            client = session.create_client(service, **KEYS, **given)
            found[service] = sent_by(client, service, operation, **parameters)
            client.close()
        except (BotoCoreError, ValueError):
            found[service] = "refused"
    return found


def by_us(drawn: Drawn) -> dict[str, str]:
    arguments = {**drawn.arguments, **KEYS, "profile_name": drawn.explicit}
    found = {"s3": "refused", "sts": "refused"}
    with contextlib.suppress(ConfigError):
        found["sts"] = shown(_sts_locator(resolved(arguments)).locate())
    with contextlib.suppress(ConfigError), connect(**arguments) as client:
        found["s3"] = shown(client.endpoint.locate(drawn.bucket))
    return found


def shown(location: Any) -> str:
    origin = location.origin
    return f"{origin.scheme}://{origin.authority}{location.base_path} {location.region}"


def differs_on_purpose(drawn: Drawn, service: str) -> str:
    """Why we differ there from botocore; "" if we do not."""
    try:
        settings = resolved({**drawn.arguments, "profile_name": drawn.explicit})
    except ConfigError as error:
        gone = "no section [services gone]" in str(error)
        return "a services section that is not there is an error for S3 and STS alike" if gone else ""
    if service == "s3" and settings["use_accelerate_endpoint"]:
        if settings["endpoint_url"]:
            return "accelerate in the profile does not concern a custom endpoint"
        if settings["addressing_style"] == "path":
            return "accelerate beside path style is refused"
    return ""


def test_same_hosts_and_regions_as_botocore(tmp_path, monkeypatch):
    """Url and signing region of S3 and STS are the same, or both refuse."""
    seen: collections.Counter[str] = collections.Counter()
    for seed in range(CONFIGURATIONS):
        drawn = Drawn(tmp_path, seed)
        with monkeypatch.context() as patch:
            for name, value in drawn.environ.items():
                patch.setenv(name, value)
            theirs, ours = by_botocore(drawn), by_us(drawn)
            for service in ("s3", "sts"):
                reason = differs_on_purpose(drawn, service)
                if not reason:
                    assert ours[service] == theirs[service], f"seed {seed}, {service}: {drawn}"
                seen[reason or f"{service} {theirs[service]}"] += 1
    # So many different outcomes must have come up, or the comparison proves too little.
    assert len([outcome for outcome in seen if outcome.startswith("s3 ")]) > 60
    assert len([outcome for outcome in seen if outcome.startswith("sts ")]) > 15
    assert seen["s3 refused"] + seen["sts refused"] < CONFIGURATIONS / 2
    assert sum(count for outcome, count in seen.items() if not outcome.startswith(("s3 ", "sts "))) < CONFIGURATIONS / 4


@pytest.mark.parametrize(
    ("environ", "config", "service", "theirs", "ours"),
    [
        # AWS_REGION is read too, and before the profile, as by all other SDKs.
        ({"AWS_REGION": "us-west-2"}, "region = eu-west-1", "s3", "bucket.s3.eu-west-1", "bucket.s3.us-west-2"),
        # Without a region it is us-east-1, at that region's own STS; and S3's settings for us-east-1 apply.
        ({}, "", "sts", "https://sts.amazonaws.com us-east-1", "https://sts.us-east-1.amazonaws.com us-east-1"),
        ({}, "s3_us_east_1_regional_endpoint = regional", "s3", "bucket.s3.amazonaws", "bucket.s3.us-east-1.amazonaws"),
        # An empty variable is none.
        ({"AWS_DEFAULT_REGION": ""}, "region = eu-west-1", "s3", "refused", "bucket.s3.eu-west-1"),
        # A file that cannot be right is told, also where botocore does not look.
        ({"AWS_ENDPOINT_URL_S3": "http://x"}, "services = gone", "s3", "http://x/bucket", "refused"),
        # S3 Accelerate is only for AWS's own hosts, and needs the bucket in the host.
        (
            {"AWS_ENDPOINT_URL": "http://x"},
            "s3 =\n  use_accelerate_endpoint = true",
            "s3",
            "refused",
            "http://x/bucket",
        ),
    ],
)
def test_where_we_differ_on_purpose(tmp_path, monkeypatch, environ, config, service, theirs, ours):
    """Each difference, with what botocore makes of it."""
    drawn = Drawn(tmp_path, 0)
    drawn.arguments, drawn.explicit, drawn.bucket = {}, None, "bucket"
    (tmp_path / "config").write_text(f"[default]\n{config}\n")
    (tmp_path / "credentials").write_text("")
    files = {name: value for name, value in drawn.environ.items() if name.endswith("_FILE")}
    for name, value in {**files, **environ}.items():
        monkeypatch.setenv(name, value)
    assert theirs in by_botocore(drawn, alike=False)[service]
    assert ours in by_us(drawn)[service]


def _listed(names: Any) -> list[Any]:
    return names if isinstance(names, list) else [names] if names else []


def test_settings_stand_where_botocore_looks_for_them():
    """Under the same names, in the same order; beside them only what other SDKs and botocore's HTTP library know."""
    beside = {"AWS_REGION", "REQUESTS_CA_BUNDLE"}
    by_name = {"profile": "profile_name", "region": "region_name", "ca_bundle": "verify"}
    theirs = {by_name.get(name, name): row for name, row in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    for name, row in DEFAULT_S3_CONFIG_VARS.items():
        theirs["s3_use_dualstack_endpoint" if name == "use_dualstack_endpoint" else name] = row
    for name, setting in SETTINGS.items():
        if setting.places and not name.endswith("endpoint_url"):
            keys, variables = map(_listed, theirs[name][:2])
            expected = [*variables, *(key if isinstance(key, str) else ".".join(key) for key in keys)]
            assert [place for place in setting.places if place not in beside] == expected, name

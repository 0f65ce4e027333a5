"""What all commands understand of their arguments: the options that say how to reach the store, times, patterns.

A client is made of the options here and nowhere else. What cannot be read is a usage error, told by argparse.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..client import Client
from ..composition import connect
from ..errors import ConfigError

LUIGI_CFG = "luigi.cfg [s3]"


def add_connection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("store", "What is not given comes from the environment and the AWS profile.")
    group.add_argument("--endpoint-url", metavar="URL", help="the store, https://ceph.example:8443; without it: AWS")
    group.add_argument("--region", metavar="NAME", help="the region to sign for")
    group.add_argument("--profile", metavar="NAME", help="of ~/.aws/config and ~/.aws/credentials")
    group.add_argument("--no-sign-request", action="store_true", help="go without keys")
    group.add_argument("--ca-bundle", metavar="FILE", help="PEM file of the authority behind the store's certificate")
    group.add_argument("--no-verify-ssl", action="store_true", help="do not check certificates")
    group.add_argument("--luigi-cfg", metavar="FILE", help="take the settings in [s3] of this luigi.cfg")
    group.add_argument(
        "--setting", metavar="NAME=VALUE", action="append", default=[], help="any setting, addressing_style=path"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="one JSON object a line")
    group.add_argument("-q", "--quiet", action="store_true", help="nothing but errors")
    group.add_argument("--debug", action="store_true", help="tell what is sent and tried; tracebacks")


def connection_settings(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments of connect(), and where those come from that were not on the command line."""
    given = {
        "endpoint_url": options.endpoint_url,
        "region_name": options.region,
        "profile_name": options.profile,
        "anonymous": True if options.no_sign_request else None,
        "verify": False if options.no_verify_ssl else options.ca_bundle,
        **dict(pair(text) for text in options.setting),
    }
    named = {name: value for name, value in given.items() if value is not None}
    configured = read_luigi_cfg(options.luigi_cfg) if options.luigi_cfg else {}
    origin = {name: LUIGI_CFG for name in configured if name not in named}
    return {**configured, **named}, origin


def client_of(options: argparse.Namespace) -> Client:
    """The caller closes it."""
    return connect(**connection_settings(options)[0])


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE. ConfigError if there is no "="."""
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise ConfigError(f"{text!r} is no NAME=VALUE")
    return name.strip(), value


def read_luigi_cfg(path: str) -> dict[str, str]:
    """The settings in [s3] of an ini file, ${VARIABLE} filled in. ConfigError if there is no such file or section.

    Without Luigi, and so without its search path: this very file.
    """
    import configparser

    parser = configparser.ConfigParser(default_section="", interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
        section = parser["s3"]
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigError(f"--luigi-cfg {path} cannot be read: {error}") from None
    except KeyError:
        raise ConfigError(f"--luigi-cfg {path} has no section [s3]") from None
    return {name: _filled(value, os.environ).replace("%%", "%") for name, value in section.items()}


def _filled(text: str, environ: Mapping[str, str]) -> str:
    import re

    return re.sub(r"\$\{(\w+)\}", lambda found: environ.get(found[1], found[0]), text)


def examples(*lines: str) -> str:
    """The end of a help text."""
    return "examples:\n" + "\n".join(f"  {line}" if "| s3target" in line else f"  s3target {line}" for line in lines)


def declare(parser: argparse.ArgumentParser, description: str, lines: Sequence[str]) -> None:
    """What --help says before and after the options."""
    parser.description = description
    parser.epilog = examples(*lines)

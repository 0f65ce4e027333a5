"""What all commands understand of their arguments: one table of them, and how to reach the store.

A client's settings are made of the options here and nowhere else. What cannot be read is a usage error, told by
argparse.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import partial
from importlib import import_module

from ..errors import ConfigError
from ..value import Any
from . import COMMANDS, WITHOUT_STORE
from .output import columns
from .places import bucket_path, place, s3_path

LUIGI_CFG = "luigi.cfg [s3]"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: str) -> int:
    """Seconds of "90", "90s", "15m", "12h", "1d" or "2w"; a type for argparse."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw]?)", text.strip().lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s, 15m, 12h, 1d or 2w")
    return int(found[1]) * _UNITS[found[2]]


def positive(text: str) -> int:
    """A whole number of at least 1; a type for argparse."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE; a type for argparse."""
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name.strip(), value


_S3 = {"type": s3_path, "metavar": "s3://BUCKET/PREFIX"}
_SEVERAL = {"dest": "paths", "nargs": "+"}
_PAIRS = {"action": "append", "default": [], "type": pair, "metavar": "NAME=VALUE"}

Row = str | tuple[str, str] | dict[str, Any]
ARGUMENTS: dict[str, Row] = {
    "path": {"dest": "path", **_S3},
    "key": {**_S3, "dest": "path", "metavar": "s3://BUCKET/KEY"},
    "[path]": {"dest": "path", **_S3, "nargs": "?"},
    "keys": {**_S3, **_SEVERAL, "metavar": "s3://BUCKET/KEY"},
    "buckets": {"type": bucket_path, **_SEVERAL, "metavar": "s3://BUCKET"},
    "places": {"type": place, **_SEVERAL, "metavar": "PATH"},
    "source": {"dest": "source", "type": place, "metavar": "SOURCE"},
    "target": {"dest": "destination", "type": place, "metavar": "DESTINATION"},
    "action": {"dest": "action", "choices": ["ls", "abort"]},
    "shell": {"dest": "shell", "choices": ["bash", "zsh", "fish"]},
    "[folder]": {"dest": "folder", "nargs": "?", "metavar": "DIR", "help": "where the package's folder is to be made"},
    "-r/--recursive": "all that is below",
    "-n/--dry-run": "say what would be done",
    "-H/--human-readable": "sizes as 1.5 KiB",
    "--raw": "* ? [ are characters like any other",
    "--version-id": ("ID", "of the object, where the bucket keeps versions"),
    "--no-clobber": "leave alone what is there already",
    "--exclude": {"action": "append", "default": [], "metavar": "GLOB", "help": "leave out paths that fit"},
    "--jobs": {"type": positive, "default": 8, "metavar": "N", "help": "objects at once (8)"},
    "--set": {**_PAIRS, "help": "of requests and new objects, by boto3's names"},
    "--size-only": "what has the same size is the same",
    "--checksum": "compare ETags with the content",
    "--delete": "remove what the source has not",
    "--expires": {"type": duration, "default": 3600, "metavar": "TIME", "help": "1h if not given, 7d at most"},
    "--put": "to write the object",
    "--force": "also where something is in the way: objects and uploads in it, a changed copy, a file",
    "--older-than": {"type": duration, "metavar": "AGE", "help": "30m, 12h, 1d, 2w"},
    "--read-only": "write nothing, not even the scratch key",
    "--bucket": ("NAME", "to work in (s3target-demo if none is named); made if need be"),
    "--keep": "leave what the pipeline wrote in your store",
    "--zipapp": ("FILE", "make one file"),
    "--check": "compare the copied package in DIR with its manifest",
    "--name": {"default": "s3target", "help": "of the copied package"},
    "--no-luigi": "leave out what needs Luigi",
    "--endpoint-url": ("URL", "where the store is: https://ceph.example:8443"),
    "--region": ("NAME", "the region to sign for"),
    "--profile": ("NAME", "of ~/.aws/config and ~/.aws/credentials"),
    "--no-sign-request": "go without keys",
    "--ca-bundle": ("FILE", "PEM file of the authority behind the certificate"),
    "--no-verify-ssl": "do not check certificates",
    "--luigi-cfg": ("FILE", "take the settings in [s3] of this luigi.cfg"),
    "--setting": {**_PAIRS, "help": "addressing_style=path, ..."},
    "--json": "one JSON object a line",
    "-q/--quiet": "nothing but errors",
    "--debug": "tell what is sent and tried; tracebacks",
}
"""By the names on the command line, of what is none in brackets or bare: the help text of a flag; (metavar, help) of an
option with a value; or the arguments of add_argument()."""
_STORE = "--endpoint-url --region --profile --no-sign-request --ca-bundle --no-verify-ssl --luigi-cfg --setting"
_COPY = "-n/--dry-run --exclude --jobs --set"


class _Parser(argparse.ArgumentParser):
    def print_help(self, file: Any = None) -> None:
        print(self.format_help(), end="", file=file)  # argparse keeps it to itself where that fails


def parser_for(name: str) -> argparse.ArgumentParser:
    """The parser of one command; its help text is the docstring of the function."""
    module, about, arguments = COMMANDS[name]
    run = getattr(import_module(f".{module}", __package__), name)
    description, _, examples = (run.__doc__ or about).replace("\n    ", "\n").partition("examples:")
    parser = _Parser(
        prog=f"s3target {name}",
        description=description,
        epilog=f"examples:{examples}",
        # Without a width argparse loads shutil, and all compressors with it, to ask how wide the terminal is.
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=columns(sys.stdout) - 2),
        allow_abbrev=False,
    )
    if "places" in arguments:
        parser.usage = f"{parser.prog} [OPTIONS] SOURCE ... DESTINATION"
    _add(parser, arguments.replace("COPY", _COPY))
    if module not in WITHOUT_STORE:
        add_connection(parser)
    # A pipeline's output is Luigi's own.
    _add(parser.add_argument_group("output"), "--debug" if module == "demo" else "--json -q/--quiet --debug")
    parser.set_defaults(run=run, fail_usage=parser.error, json=False, quiet=False)
    return parser


def _add(group: argparse._ActionsContainer, rows: str) -> None:
    for name in rows.split():
        row = ARGUMENTS[name]
        if isinstance(row, str):
            row = {"action": "store_true", "help": row}
        elif isinstance(row, tuple):
            row = {"metavar": row[0], "help": row[1]}
        group.add_argument(*(name.split("/") if name.startswith("-") else ()), **row)


def add_connection(parser: argparse.ArgumentParser) -> None:
    about = "What is not given comes from the environment and the AWS profile."
    _add(parser.add_argument_group("store", about), _STORE)


def connection_settings(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments of connect(), and where those come from that were not on the command line."""
    given = {
        "endpoint_url": options.endpoint_url,
        "region_name": options.region,
        "profile_name": options.profile,
        "anonymous": True if options.no_sign_request else None,
        "verify": False if options.no_verify_ssl else options.ca_bundle,
        **dict(options.setting),
    }
    named = {name: value for name, value in given.items() if value is not None}
    configured = read_luigi_cfg(options.luigi_cfg) if options.luigi_cfg else {}
    origin = {name: LUIGI_CFG for name in configured if name not in named}
    return {**configured, **named}, origin


def read_luigi_cfg(path: str) -> dict[str, str]:
    """The settings in [s3] of an ini file, ${VARIABLE} filled in. ConfigError if file, section or variable is missing.

    Without Luigi, and so without its search path: this very file.
    """
    import configparser

    from ..credentials.profiles import fault_of, read_text

    parser = configparser.ConfigParser(default_section="", interpolation=None)
    try:
        parser.read_string(read_text(path))
        section = parser["s3"]
    except ConfigError as error:
        raise ConfigError(f"--luigi-cfg {error}") from None
    except configparser.Error as error:
        raise ConfigError(f"--luigi-cfg {path}{fault_of(error)}") from None
    except KeyError:
        raise ConfigError(f"--luigi-cfg {path} has no section [s3]") from None

    try:  # "%%" first, as Luigi does it: in what a variable holds it is two characters
        return {
            name: re.sub(r"\$\{([^}]+)\}", lambda found: os.environ[found[1]], value.replace("%%", "%"))
            for name, value in section.items()
        }
    except KeyError as unset:
        raise ConfigError(f"--luigi-cfg {path} names the variable {unset.args[0]}, which is not set") from None

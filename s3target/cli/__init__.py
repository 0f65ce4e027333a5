"""The s3target command: finds the subcommand, reads its arguments, runs it.

A subcommand is a function that declares its arguments on a parser of its own; its module is imported when it is asked
for, and nothing else is. Options on how to reach the store may stand before the subcommand as well as after it.

Exit statuses: 0 done; 1 failed; 2 wrong usage; 3 some of many failed, the others are done; 130 interrupted; 141 whoever
read our output closed it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import argparse

_VALUE_OPTIONS = ("--endpoint-url", "--region", "--profile", "--ca-bundle", "--setting", "--luigi-cfg")


class Command(NamedTuple):
    """module: of this package, with a function named like the command. store: it takes the options of the store."""

    module: str
    about: str
    store: bool = True


COMMANDS = {
    "ls": Command("listing", "list buckets, folders and objects"),
    "stat": Command("reading", "what the store tells of an object or bucket"),
    "cat": Command("reading", "write objects to stdout"),
    "cp": Command("copying", "copy to, from and inside the store"),
    "mv": Command("copying", "copy, then remove the source"),
    "rm": Command("removing", "remove objects"),
    "sync": Command("syncing", "make a folder like another one"),
    "presign": Command("reading", "a URL that anyone can use for a while"),
    "du": Command("listing", "how much lies there"),
    "mb": Command("buckets", "make a bucket"),
    "rb": Command("buckets", "remove a bucket"),
    "uploads": Command("uploads", "list or abort unfinished multipart uploads"),
    "doctor": Command("doctor", "find out what is wrong, from settings to permissions"),
    "demo": Command("pipelines", "run a Luigi pipeline on S3", store=False),
    "luigi": Command("pipelines", "luigi, with this package in place of luigi.contrib.s3", store=False),
    "vendor": Command("vendor", "copy this package into a project, or into one file", store=False),
    "completion": Command("completion", "completion for bash, zsh or fish", store=False),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit status, as the module says."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(argv)
    except SystemExit as ended:  # argparse, and Luigi, have said why
        return _exit_status(ended.code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _let_go_of_stdout()
        return 141


def _exit_status(code: object) -> int:
    if isinstance(code, str):
        print(code, file=sys.stderr)
    return code if isinstance(code, int) else 1 if code else 0


def _dispatch(argv: list[str]) -> int:
    before, name, after = split(argv)
    if name == "help":
        before, name, after = [], after[0] if after else "", ["--help"]
    if not name:
        return _without_command(before)
    if name not in COMMANDS:
        return _unknown(name)
    if name == "luigi" and after != ["--help"]:
        return _run_luigi(before, after)
    options = parser_for(name).parse_intermixed_args([*before, *after])
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a key may have characters that the terminal has not
    return _run(options)


def split(argv: Sequence[str]) -> tuple[list[str], str, list[str]]:
    """What stands before the subcommand, its name or "", and what comes after it."""
    place = 0
    while place < len(argv) and argv[place].startswith("-"):
        place += 2 if argv[place] in _VALUE_OPTIONS else 1
    return list(argv[:place]), argv[place] if place < len(argv) else "", list(argv[place + 1 :])


def parser_for(name: str) -> argparse.ArgumentParser:
    """The parser of one subcommand."""
    import argparse

    from .arguments import add_connection, add_output

    command = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog=f"s3target {name}", formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    getattr(import_module(f".{command.module}", __name__), name)(parser)
    if command.store:
        add_connection(parser)
    add_output(parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    """The subcommand's status; an error that ends it is one line."""
    from ..errors import S3Error
    from .output import FAILED, Output

    if options.debug:
        import logging

        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (S3Error, OSError) as error:
        if options.debug:
            import traceback

            traceback.print_exc()
        Output(options).failure(error)
        return FAILED
    return status


def _run_luigi(before: list[str], after: list[str]) -> int:
    from ..errors import ConfigError
    from .pipelines import run_luigi

    if before:
        print(f"s3target: luigi takes no {before[0]}; settings go into [s3] of luigi.cfg", file=sys.stderr)
        return 2
    try:
        return run_luigi(after)
    except ConfigError as error:
        print(f"s3target: {error}", file=sys.stderr)
        return 1


def _without_command(before: list[str]) -> int:
    if "--version" in before:
        print(f"s3target {version()}")
        return 0
    asked = bool({"-h", "--help"} & set(before))
    print(overview(), file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def version() -> str:
    """Of the package, under whatever name it was copied."""
    return str(sys.modules[__name__.rpartition(".")[0]].__dict__["__version__"])


def overview() -> str:
    """The help text without a subcommand."""
    commands = "\n".join(f"  {name:<11} {command.about}" for name, command in COMMANDS.items())
    return (
        "usage: s3target COMMAND [OPTIONS] ...\n\nS3 without boto3.\n\n"
        f"{commands}\n\n"
        "s3target COMMAND --help tells more, with examples. s3target --version tells the version.\n"
        "exit status: 0 done, 1 failed, 2 wrong usage, 3 some of many failed, 130 interrupted"
    )


def _unknown(name: str) -> int:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
    print(f"s3target: no command {name!r}; {hint}", file=sys.stderr)
    return 2


def _let_go_of_stdout() -> None:
    """So that the interpreter's last flush does not complain. From the documentation of the signal module."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)

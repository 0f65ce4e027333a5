"""The s3target command: finds the subcommand, reads its arguments, makes the client, runs it.

A subcommand is a function named like it, whose docstring is its help text; COMMANDS says where it lives and what it
takes. Its module is imported when it is asked for, and nothing else is. Options may stand before the subcommand too.

Exit statuses: 0 done; 1 failed; 2 wrong usage; 3 some of many failed, the others are done; 130 interrupted, 143 by
SIGTERM; 141 whoever read our output closed it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .output import Output

_VALUE_OPTIONS = ("--endpoint-url", "--region", "--profile", "--ca-bundle", "--setting", "--luigi-cfg")
COMMANDS = {
    "ls": ("reading", "list buckets, folders and objects", "[path] -r/--recursive -H/--human-readable --raw"),
    "stat": ("reading", "what the store tells of an object or bucket", "keys --version-id"),
    "cat": ("reading", "write objects to stdout", "keys --version-id --raw"),
    "cp": ("copying", "copy to, from and inside the store", "places -r/--recursive --no-clobber --raw COPY"),
    "mv": ("copying", "copy, then remove the source", "places -r/--recursive --no-clobber --raw COPY"),
    "rm": ("removing", "remove objects", "keys -r/--recursive -n/--dry-run --exclude --raw"),
    "sync": ("syncing", "make a folder like another one", "source target --size-only --checksum --delete COPY"),
    "presign": ("reading", "a URL that anyone can use for a while", "key --expires --put --version-id"),
    "du": ("reading", "how much lies there", "keys -H/--human-readable --raw"),
    "mb": ("removing", "make a bucket", "buckets -n/--dry-run"),
    "rb": ("removing", "remove a bucket", "buckets --force -n/--dry-run"),
    "uploads": ("removing", "list or abort unfinished multipart uploads", "action path --older-than -n/--dry-run"),
    "doctor": ("doctor", "find out what is wrong, from settings to permissions", "path --read-only"),
    "demo": ("demo", "run a Luigi pipeline on S3", "--endpoint-url --bucket --keep"),
    "luigi": ("demo", "luigi, with this package in place of luigi.contrib.s3", ""),
    "vendor": (
        *("vendor", "copy this package into a project, or into one file"),
        "[folder] --zipapp --check --name --no-luigi --force",
    ),
    "completion": ("completion", "completion for bash, zsh or fish", "shell"),
}
"""Its module of this package, what is told of it, and the rows of arguments.ARGUMENTS it takes."""
WITHOUT_STORE = ("demo", "vendor", "completion")
"""Modules whose commands get no client."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit status, as the module says."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    _open_what_is_closed()
    try:
        try:
            status = _dispatch(argv)
        except SystemExit as ended:  # argparse, and Luigi, have said why
            if isinstance(ended.code, str):
                print(ended.code, file=sys.stderr)
            status = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
        if not status:
            sys.stdout.flush()  # as of a help text: what could not be written is no success
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        print(f"s3target: {error.strerror}", file=sys.stderr)
        return 1
    finally:
        _let_go_of_stdout()


def _dispatch(argv: list[str]) -> int:
    before, name, after = split(argv)
    if name == "help":
        before, name, after = ([], after[0], ["--help"]) if after else (["--help"], "", [])
    if not name:
        return _without_command(before)
    if name not in COMMANDS:
        return _unknown(name)
    if name == "luigi" and after != ["--help"]:
        if before:
            return _wrong(f"luigi takes no {before[0]}; settings go into [s3] of luigi.cfg")
        from .demo import run_luigi

        return run_luigi(after)
    from .arguments import parser_for

    options = parser_for(name).parse_intermixed_args(_literal([*before, *after]))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a key may have characters that the terminal has not
    return _run(options, COMMANDS[name][0] not in WITHOUT_STORE)


def split(argv: Sequence[str]) -> tuple[list[str], str, list[str]]:
    """What stands before the subcommand, its name or "", and what comes after it."""
    place = 0
    while place < len(argv) and argv[place].startswith("-"):
        place += 2 if argv[place] in _VALUE_OPTIONS else 1
    return list(argv[:place]), argv[place] if place < len(argv) else "", list(argv[place + 1 :])


def _literal(argv: list[str]) -> list[str]:
    """argv without "--", after which nothing is an option: argparse, of mixed arguments, refuses "-x" there too."""
    place = argv.index("--") if "--" in argv else len(argv)
    files = (f"./{word}" if word.startswith("-") and word != "-" else word for word in argv[place + 1 :])
    return [*argv[:place], *files]


def _run(options: argparse.Namespace, store: bool) -> int:
    """The subcommand's status; an error that ends it is one line."""
    from ..errors import S3Error
    from .output import FAILED, Output

    if options.debug:
        import logging

        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s")
    output = Output(options)
    try:
        status = _with_client(output, options) if store else options.run(output, options)
        sys.stdout.flush()
        return output.status if status is None else int(status)
    except BrokenPipeError:
        raise
    except (S3Error, OSError) as error:
        if options.debug:
            import traceback

            traceback.print_exc()
        output.failure(error)
        return FAILED


def _with_client(output: Output, options: argparse.Namespace) -> int | None:
    from ..composition import connect
    from .arguments import connection_settings

    with _ending_well(), connect(**connection_settings(options)[0]) as client:
        status: int | None = options.run(client, output, options)
        return status


@contextmanager
def _ending_well() -> Iterator[None]:
    """What is begun is aborted after SIGTERM and SIGHUP too, as after Ctrl-C; unless they are ignored (nohup)."""
    import signal

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    found = {getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")} - {None}
    ours = [number for number in found if number and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _without_command(before: list[str]) -> int:
    if "--version" in before:
        print(f"s3target {version()}")
        return 0
    asked = bool({"-h", "--help"} & set(before))
    if before and not asked:
        return _wrong(f"there is no command after {' '.join(before)}; s3target --help shows what there is")
    commands = "\n".join(f"  {name:<11} {about}" for name, (_, about, _) in COMMANDS.items())
    print(
        f"usage: s3target COMMAND [OPTIONS] ...\n\nS3 without boto3.\n\n{commands}\n\n"
        "s3target COMMAND --help tells more, with examples. s3target --version tells the version.\n"
        "exit status: 0 done, 1 failed, 2 wrong usage, 3 some of many failed, 130 interrupted",
        file=sys.stdout if asked else sys.stderr,
    )
    return 0 if asked else 2


def version() -> str:
    """Of the package, under whatever name it was copied."""
    return str(sys.modules[__name__.rpartition(".")[0]].__dict__["__version__"])


def _unknown(name: str) -> int:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
    return _wrong(f"no command {name!r}; {hint}")


def _wrong(usage: str) -> int:
    print(f"s3target: {usage}", file=sys.stderr)
    return 2


def _open_what_is_closed() -> None:
    """A standard stream that was closed before us (`>&-`) fails if it is used, and no file of ours gets its number."""
    closed = {"stdin": (os.O_WRONLY, "r"), "stdout": (os.O_RDONLY, "w"), "stderr": (os.O_WRONLY, "w")}
    for name, (flags, mode) in closed.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, flags), mode, encoding="utf-8"))  # noqa: SIM115


def _let_go_of_stdout() -> None:
    """So that the interpreter's last flush does not complain. From the documentation of the signal module."""
    from contextlib import suppress

    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):  # as of what is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

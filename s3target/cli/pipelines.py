"""demo and luigi: the two commands that need Luigi, which is imported when they run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..errors import ConfigError
from .arguments import declare


def demo(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "Run a Luigi pipeline of word counts with two worker processes, on an S3 server that is started for it on\n"
        "loopback (needs the demo extra), or on your own store.",
        ["demo", "demo --endpoint-url https://ceph.example:8443 --bucket scratch"],
    )
    parser.add_argument("--endpoint-url", help="your store; keys come from the environment, the profile or luigi.cfg")
    parser.add_argument("--bucket", help="bucket to work in (s3target-demo if none is named); made if it is not there")
    parser.add_argument("--keep", action="store_true", help="leave what the pipeline wrote in your store")
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    from .demo import run

    return run(options.endpoint_url, options.bucket, options.keep)


def luigi(parser: argparse.ArgumentParser) -> None:
    """For --help alone: what follows the command is Luigi's business."""
    declare(
        parser,
        "The luigi command with this package in place of luigi.contrib.s3: pipelines that import that module run\n"
        "without boto3, unchanged. All arguments are luigi's; s3target luigi -h shows them.",
        ["luigi --module pipelines.daily Report --day 2026-11-22 --local-scheduler"],
    )


def run_luigi(arguments: Sequence[str]) -> int:
    """luigi's own exit status, as [retcode] of luigi.cfg has it. ConfigError if Luigi is not installed."""
    try:
        from luigi.cmdline import luigi_run

        from ..luigi.standin import install
    except ImportError as error:
        raise ConfigError(f"this command runs Luigi: pip install luigi ({error})") from None
    install()
    luigi_run(list(arguments))
    return 0

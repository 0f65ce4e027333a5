"""The s3target command. Luigi and the floors below are imported by the subcommand that needs them, when it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    from ..errors import S3Error

    try:
        status: int = options.run(options)
    except S3Error as error:
        print(f"s3target: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="s3target", description="S3 for Luigi without boto3.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="run a Luigi pipeline on S3",
        description="Run a Luigi pipeline of word counts with two worker processes, on an S3 server that is started "
        "for it on loopback (needs the demo extra), or on your own store.",
        epilog="example: s3target demo --endpoint-url https://ceph.example:8443 --bucket scratch",
    )
    demo.add_argument("--endpoint-url", help="your store; keys come from the environment, the profile or luigi.cfg")
    demo.add_argument("--bucket", help="bucket to work in (s3target-demo if none is named); made if it is not there")
    demo.add_argument("--keep", action="store_true", help="leave what the pipeline wrote in your store")
    demo.set_defaults(run=_demo)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from .demo import run

    return run(options.endpoint_url, options.bucket, options.keep)

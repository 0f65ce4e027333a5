"""The command line: which servers; the results as Markdown."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from servers.debian import NotInstalled
from servers.store import Store
from servers.tls import make_authority
from stores import STARTS

from . import report
from .checks import environment

MODULES = {"s3target": "s3target", "luigi.contrib.s3": "luigi.contrib.s3"}
_TIMEOUT = 1500


def main(words: list[str] | None = None) -> int:
    options = _parser().parse_args(words)
    results: list[report.Result] = []
    with tempfile.TemporaryDirectory(prefix="s3target-") as folder:
        authority = make_authority(Path(folder))
        for kind in options.servers:
            for tls in (False, True):
                try:
                    with STARTS[kind](authority if tls else None) as store:
                        results += _measured(store)
                except NotInstalled as error:
                    print(f"{kind} is left out: {error}", file=sys.stderr)
    text = report.text(results)
    options.out.write_text(text)
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="interop", description=__doc__)
    parser.add_argument("--servers", nargs="+", choices=list(STARTS), default=list(STARTS), help="all, or some")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.md"), help="the file to write")
    return parser


def _measured(store: Store) -> Iterator[report.Result]:
    for package, module in MODULES.items():
        print(f"{store.name}: {package}", file=sys.stderr, flush=True)
        for line in _lines(module, store):
            yield report.Result(store.name, package, **json.loads(line))


def _lines(module: str, store: Store) -> list[str]:
    tests = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent)])
    with tempfile.TemporaryDirectory(prefix="s3target-") as home:
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "PYTHONPATH": path, **environment(store)}
        argv = [sys.executable, "-m", "interop.worker", module]
        given = json.dumps(dataclasses.asdict(store))
        done = subprocess.run(argv, input=given, env=env, cwd=home, stdout=subprocess.PIPE, text=True, timeout=_TIMEOUT)
    if done.returncode:
        raise RuntimeError(f"{module} on {store.name} ended with {done.returncode}")
    return done.stdout.splitlines()

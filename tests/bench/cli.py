"""The command line: what to run, on which store, where the results go."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from . import clients, plot, report
from .bars import BARS, Bar
from .figures import Run, figures
from .null_server import WAN_BYTES_PER_SECOND, WAN_FIRST_BYTE_MS, null_server
from .runner import Bench, Plan, scratch_folder
from .store import Store
from .workloads import BYTES, PROFILES, WORKLOADS, chosen

RESULTS = Path(__file__).with_name("results")
_ABOUT = {
    "null": "a null server in C on loopback, plain http",
    "wan": f"the null server with {WAN_FIRST_BYTE_MS} ms to the first byte and "
    f"{WAN_BYTES_PER_SECOND // 10**6} MB/s for each connection",
    "seaweedfs": "SeaweedFS on loopback, plain http",
}


def main(words: list[str] | None = None) -> int:
    options = _parser().parse_args(words)
    for profile in options.profile:
        _measure(profile, options)
    return 0


def _measure(profile: str, options: argparse.Namespace) -> None:
    workloads = chosen(profile, options.workloads, options.scale)
    names = options.clients or list(clients.CLIENTS)
    plan = Plan(workloads, names, options.rounds, options.loop_seconds, options.timeout, options.awake)
    largest = max((workload.amount for workload in workloads if workload.kind == BYTES), default=0)
    folder, kind = scratch_folder(largest)
    try:
        with _store(profile) as store:
            runs = list(Bench(plan, store, folder, _say).runs())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rounds = f"{options.rounds} round{'s' if options.rounds > 1 else ''}"
    awake = "; processors kept from sleeping between small calls" if options.awake else ""
    heading = f"Medians of {rounds} on {_ABOUT[profile]}; files {kind}{awake}."
    # Of other sizes than those it was set for, a bar means nothing.
    _write(options.out / profile, plan, runs, heading, BARS.get(profile, ()) if options.scale == 1 else ())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--profile", nargs="+", choices=sorted(PROFILES), default=["null"], help="one store or more (null)"
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=sorted(WORKLOADS),
        default=[],
        metavar="NAME",
        help=f"all of the profile, or some of: {' '.join(WORKLOADS)}",
    )
    parser.add_argument(
        "--clients",
        nargs="+",
        choices=sorted(clients.CLIENTS),
        default=[],
        metavar="NAME",
        help=f"all, or some of: {' '.join(clients.CLIENTS)}",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each client gets its turn (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="sizes and counts times this (1); 0.01 for a try")
    parser.add_argument("--loop-seconds", type=float, default=2.0, help="how long small calls go on (2)")
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds after which a process is killed (180)")
    parser.add_argument(
        "--awake",
        action="store_true",
        help="keep processors from sleeping between small calls: to wake one may take longer than a call",
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="a folder for PROFILE.md .png .json (results/ here)")
    return parser


@contextlib.contextmanager
def _store(profile: str) -> Iterator[Store]:
    if profile == "seaweedfs":
        from s3target.cli.seaweedfs import seaweedfs

        with seaweedfs() as server:
            yield Store(server.endpoint_url, server.access_key_id, server.secret_access_key, server.region)
        return
    pace = (WAN_FIRST_BYTE_MS, WAN_BYTES_PER_SECOND) if profile == "wan" else (0, 0)
    with null_server(*pace) as store:
        yield store


def _say(run: Run) -> None:
    said = (
        f"FAILED: {run.failure}" if run.failure else f"{run.wall:8.3f} s {run.cpu:8.3f} s CPU {run.rss / 1e6:6.0f} MB"
    )
    print(f"{run.round + 1} {run.workload:14} {run.client:24} {said}", file=sys.stderr, flush=True)


def _write(place: Path, plan: Plan, runs: list[Run], heading: str, bars: tuple[Bar, ...]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    medians = figures(runs)
    text = f"{heading} {report.machine()}\n\n{report.tables(plan.workloads, plan.clients, medians, bars)}"
    place.with_suffix(".md").write_text(text)
    place.with_suffix(".json").write_text(json.dumps([run.as_dict() for run in runs], indent=1))
    print(text)
    with contextlib.suppress(ValueError):
        plot.draw(plan.workloads, medians, heading, place.with_suffix(".png"))
        print(f"{place}.md, .json and .png are written", file=sys.stderr)

"""What each profile has to reach: how many times as fast as another client of the same run, and how much memory. Pure.

The figures are the project's goals, set before it was written; they are shown beside what was measured.
"""

from __future__ import annotations

from typing import NamedTuple

from .clients import REFERENCE, label
from .figures import Figure
from .workloads import Workload, title


class Speed(NamedTuple):
    """`client` is at least `least` times as fast as `against`."""

    workload: str
    least: float
    client: str = "s3target"
    against: str = REFERENCE


class Memory(NamedTuple):
    """The process of `client` has at most `most` MB of peak RSS."""

    workload: str
    most: float
    client: str = "s3target"


Bar = Speed | Memory

BARS: dict[str, tuple[Bar, ...]] = {
    "null": (
        Speed("cold", 1.65),
        Speed("cold", 0.25, "s3target-core", "python"),
        Memory("cold", 45),
        Memory("cold", 22, "s3target-core"),
        Speed("put_small", 8),
        Speed("get_small", 11),
        Speed("exists_hit", 11),
        Speed("exists_miss", 20),
        Speed("get_small_16", 15),
        Speed("put", 2.2),
        Speed("put", 4, "s3target-unsigned"),
        Memory("put", 60),
        Speed("get", 1.7),
        Speed("get", 0.9, against="sockets"),
        Memory("get", 60),
        Speed("read", 1.2),
        Speed("read", 0.9, against="sockets"),
        Speed("write", 2.5),
        Speed("write", 1, "s3target-while-writing", "obstore"),
        Speed("lines", 2.5),
        Speed("list_names", 22),
        Speed("list_objects", 12),
        Speed("remove", 11),
        Speed("copy", 17),
    ),
    "wan": (
        Speed("exists_miss", 2),
        Speed("exists_many", 60),
        Speed("put", 1.6),
        Speed("get", 1.8),
        Speed("read", 1),
        Speed("read_ahead", 8),
        Speed("copy", 11),
        Speed("remove", 3.2),
        Speed("list_prefixes", 8),
    ),
}


def table(bars: tuple[Bar, ...], workloads: dict[str, Workload], figures: dict[tuple[str, str], Figure]) -> str:
    """Measured beside wanted, as Markdown; a bar whose clients were not run is left out, "" if all are."""
    rows = [_row(bar, workloads[bar.workload], figures) for bar in bars if bar.workload in workloads]
    shown = [row for row in rows if row]
    if not shown:
        return ""
    return "\n".join(["| | measured | reach | |", "|---|--:|--:|---|", *shown])


def _row(bar: Bar, workload: Workload, figures: dict[tuple[str, str], Figure]) -> str:
    own = figures.get((bar.workload, bar.client))
    if own is None or not own.runs:
        return ""
    what = f"{title(workload)}, {label(bar.client)}"
    if isinstance(bar, Memory):
        value, met = own.rss / 1e6, own.rss <= bar.most * 1e6
        return f"| {what}: peak RSS | {value:.0f} MB | {bar.most:g} MB | {_verdict(met)} |"
    other = figures.get((bar.workload, bar.against))
    if other is None or not other.runs:
        return ""
    ratio = own.rate / other.rate
    return f"| {what}: to {label(bar.against)} | {ratio:.3g}x | {bar.least:g}x | {_verdict(ratio >= bar.least)} |"


def _verdict(met: bool) -> str:
    return "met" if met else "missed"

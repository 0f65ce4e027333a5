"""What one run gives, and what many give together. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Run:
    """One workload by one client in one process.

    amount: calls, bytes or keys done in `wall` seconds, with `cpu` seconds of this process and its children.
    rss: peak resident memory of the process, bytes. failure: why there are no figures, "" if there are.
    """

    workload: str
    client: str
    round: int
    amount: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    rss: int = 0
    failure: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Figure:
    """Medians of the runs of one workload by one client. rate: amount per second. cpu: seconds for one of the amount.

    spread: of the rate, (highest - lowest) / median. runs: how many there were. failure: the first that was seen.
    """

    rate: float
    cpu: float
    rss: float
    spread: float
    runs: int
    failure: str = ""


def figure(runs: Iterable[Run]) -> Figure:
    """All runs failed: only `failure` means something."""
    given = list(runs)
    failure = next((run.failure for run in given if run.failure), "")
    good = [run for run in given if not run.failure]
    if not good:
        return Figure(0, 0, 0, 0, 0, failure)
    rates = [run.amount / run.wall for run in good]
    rate = statistics.median(rates)
    cpu = statistics.median(run.cpu / run.amount for run in good)
    rss = statistics.median(run.rss for run in good)
    return Figure(rate, cpu, rss, (max(rates) - min(rates)) / rate, len(good), failure)


def figures(runs: Iterable[Run]) -> dict[tuple[str, str], Figure]:
    """By (workload, client)."""
    grouped: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        grouped.setdefault((run.workload, run.client), []).append(run)
    return {slot: figure(group) for slot, group in grouped.items()}

"""The table: medians, ratios to the incumbent, CPU and memory, as Markdown. Pure, but for machine()."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from importlib import metadata

from .clients import REFERENCE, label
from .figures import Figure
from .workloads import BYTES, COLD, GIB, MIB, Workload, title

Figures = dict[tuple[str, str], Figure]
_PACKAGES = ("luigi", "boto3", "s3transfer", "awscrt", "minio", "obstore", "smart_open")


def machine() -> str:
    """What the figures depend on, in one line."""
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} absent")
    cores = len(os.sched_getaffinity(0))
    return f"Python {platform.python_version()}, {cores} cores, Linux {platform.release()}; {', '.join(versions)}."


def tables(workloads: Sequence[Workload], clients: Sequence[str], figures: Figures) -> str:
    """Three tables, and what failed."""
    used = [client for client in clients if any((workload.name, client) in figures for workload in workloads)]
    parts = [
        "Speed; in brackets how many times as fast as luigi.contrib.s3:",
        _table(workloads, used, figures, _speed),
        "CPU of the client's process (cold, for one; small calls and keys, microseconds each; bytes, s per GiB):",
        _table(workloads, used, figures, _cpu),
        "Peak RSS of the client's process, MB:",
        _table(workloads, used, figures, lambda _, figure, __: f"{figure.rss / 1e6:.0f}"),
    ]
    failures = [
        f"- {workload.name}, {label(client)}: {figures[workload.name, client].failure}"
        for workload in workloads
        for client in used
        if (workload.name, client) in figures and figures[workload.name, client].failure
    ]
    if failures:
        parts += ["Failed:", "\n".join(failures)]
    return "\n\n".join(parts) + "\n"


Cell = Callable[[Workload, Figure, "Figure | None"], str]


def _table(workloads: Sequence[Workload], clients: Sequence[str], figures: Figures, cell: Cell) -> str:
    rows = [["workload", *(label(client) for client in clients)], ["---", *("--:" for _ in clients)]]
    for workload in workloads:
        reference = figures.get((workload.name, REFERENCE))
        row = [f"{title(workload)}, {workload.unit}"]
        for client in clients:
            figure = figures.get((workload.name, client))
            row.append("-" if figure is None else cell(workload, figure, reference) if figure.runs else "failed")
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _speed(workload: Workload, figure: Figure, reference: Figure | None) -> str:
    value = {COLD: 1000 / figure.rate, BYTES: figure.rate / MIB}.get(workload.kind, figure.rate)
    text = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    if reference is None or not reference.runs or reference is figure:
        return text
    ratio = figure.rate / reference.rate
    return f"{text} ({ratio:.0f}x)" if ratio >= 10 else f"{text} ({ratio:.2g}x)"


def _cpu(workload: Workload, figure: Figure, _: Figure | None) -> str:
    if workload.kind == BYTES:
        return f"{figure.cpu * GIB:.2f} s"
    return f"{figure.cpu * 1000:.0f} ms" if workload.kind == COLD else f"{figure.cpu * 1e6:,.0f}"

"""The table: medians, ratios to the incumbent, CPU and memory, as Markdown. Pure, but for machine()."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from importlib import metadata

from .bars import Bar
from .bars import table as bar_table
from .clients import CLIENTS, REFERENCE, label
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


def tables(workloads: Sequence[Workload], clients: Sequence[str], figures: Figures, bars: tuple[Bar, ...] = ()) -> str:
    """What was measured, each quantity in a table of its own; how that stands to the bars; what failed."""
    used = [client for client in clients if any((workload.name, client) in figures for workload in workloads)]
    shown = [client for client in used if not CLIENTS[client].floor]
    reached = bar_table(bars, {workload.name: workload for workload in workloads}, figures)
    parts = [
        *(["What has to be reached:", reached] if reached else []),
        "Speed; in brackets how many times as fast as luigi.contrib.s3:",
        _table(workloads, shown, figures, _speed),
        *_floors(used, figures),
        "CPU of the client's process: for a start, for one call or key, for a GiB:",
        _table(workloads, shown, figures, _cpu),
        "Peak RSS of the client's process, MB:",
        _table(workloads, shown, figures, lambda _, figure, __: f"{figure.rss / 1e6:.0f}"),
        "Spread of the speed, (highest - lowest) / median:",
        _table(workloads, shown, figures, lambda _, figure, __: f"{figure.spread:.0%}"),
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


def _floors(clients: Sequence[str], figures: Figures) -> list[str]:
    starts = [(label(client), figures["cold", client]) for client in clients if CLIENTS[client].floor]
    shown = [
        f"{name} takes {1000 / each.rate:.0f} ms and {each.rss / 1e6:.0f} MB" for name, each in starts if each.runs
    ]
    return [f"Of a cold start, {'; '.join(shown)}."] if shown else []


Cell = Callable[[Workload, Figure, "Figure | None"], str]


def _table(workloads: Sequence[Workload], clients: Sequence[str], figures: Figures, cell: Cell) -> str:
    """A column for each client; its variants have rows of their own."""
    columns = [client for client in clients if not CLIENTS[client].variant_of]
    rows = [["", *map(label, columns)], ["---", *("--:" for _ in columns)]]
    for workload in workloads:
        cells = {client: _shown(workload, client, figures, cell) for client in clients}
        unit = f", {workload.unit}" if cell is _speed else ""
        rows.append([title(workload) + unit, *(cells[client] or "-" for client in columns)])
        for variant in clients:
            base = CLIENTS[variant].variant_of
            if base and cells[variant]:
                line = [cells[variant] if column == base else "" for column in columns]
                rows.append([f"... {CLIENTS[variant].label}", *line])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _shown(workload: Workload, client: str, figures: Figures, cell: Cell) -> str:
    """ "" if the client was not run."""
    figure = figures.get((workload.name, client))
    if figure is None:
        return ""
    return cell(workload, figure, figures.get((workload.name, REFERENCE))) if figure.runs else "failed"


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
    return f"{figure.cpu * 1000:.0f} ms" if workload.kind == COLD else f"{figure.cpu * 1e6:,.0f} us"

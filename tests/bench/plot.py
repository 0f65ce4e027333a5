"""The picture: for each workload, how many times as fast as the incumbent everybody is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from .clients import REFERENCE, label
from .report import Figures
from .workloads import Workload, title

_COLOURS = {
    "luigi": "tab:blue",
    "s3target": "crimson",
    "s3target-unsigned": "salmon",
    "s3target-while-writing": "darkorange",
    "s3target-while-unsigned": "gold",
    "s3target-core": "mediumvioletred",
    "boto3": "lightskyblue",
    "boto3-crt": "mediumpurple",
    "minio": "olive",
    "obstore": "seagreen",
    "smart_open": "tan",
    "sockets": "black",
}


def draw(workloads: Sequence[Workload], figures: Figures, heading: str, path: Path) -> None:
    """Write a PNG. Workloads that the incumbent did not finish are left out; ValueError if none is left."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [workload for workload in workloads if _ratio(figures, workload, REFERENCE)]
    if not shown:
        raise ValueError("there is nothing to draw: no workload has figures of luigi.contrib.s3")
    chart, axes = pyplot.subplots(figsize=(9, 1.6 + 0.42 * len(shown)), layout="constrained")
    for client, colour in _COLOURS.items():
        points = [(_ratio(figures, workload, client), row) for row, workload in enumerate(shown)]
        points = [(ratio, row) for ratio, row in points if ratio]
        if not points:
            continue
        ours = client.startswith("s3target")
        style = {"s": 64 if ours else 40, "marker": "D" if ours else "o", "zorder": 4 if ours else 3}
        axes.scatter(*zip(*points, strict=True), color=colour, label=label(client), **style)
    axes.set_xscale("log")
    axes.axvline(1, color="0.5", linewidth=1, zorder=1)
    axes.grid(axis="x", which="both", color="0.9", zorder=0)
    axes.set_yticks(range(len(shown)), [title(workload) for workload in shown])
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as luigi.contrib.s3 on boto3 (median; right is better)")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    chart.suptitle(textwrap.fill(heading, 100), fontsize=10)
    chart.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    chart.savefig(path, dpi=130)
    pyplot.close(chart)


def _ratio(figures: Figures, workload: Workload, client: str) -> float:
    """0 where there are no figures."""
    figure, reference = figures.get((workload.name, client)), figures.get((workload.name, REFERENCE))
    return figure.rate / reference.rate if figure and reference and figure.runs and reference.runs else 0.0

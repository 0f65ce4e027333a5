"""The tables, as Markdown. Pure, but for the versions."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import NamedTuple

from .impossible import IMPOSSIBLE

OURS, THEIRS = "s3target", "luigi.contrib.s3"


class Result(NamedTuple):
    """error: "" if the check passed."""

    store: str
    package: str
    group: str
    name: str
    error: str


def text(results: Sequence[Result]) -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("luigi", "boto3", "botocore"))
    parts = [
        "# Server x capability",
        f"Python {platform.python_version()}; {versions}. Default settings on both sides. "
        "Written by `python tests/interop`.",
        "Checks passed by s3target / by luigi.contrib.s3 on boto3, of how many; http, then https:",
        summary(results),
        "What failed, by s3target:",
        _failures(results, OURS),
        "By luigi.contrib.s3 on boto3:",
        _failures(results, THEIRS),
        "Not checked, as the server cannot do it whoever asks:",
        "\n".join(f"- {kind}, {name}: {reason}" for (kind, name), reason in IMPOSSIBLE.items()),
    ]
    return "\n\n".join(parts) + "\n"


def summary(results: Sequence[Result]) -> str:
    """A row for each group and one for all, a column for each server."""
    kinds = list(dict.fromkeys(result.store.removesuffix("-tls") for result in results))
    rows = [["", *kinds], ["---", *("---" for _ in kinds)]]
    for group in dict.fromkeys(result.group for result in results):
        chosen = [result for result in results if result.group == group]
        rows.append([group, *(_cell(chosen, kind) for kind in kinds)])
    rows.append(["**all**", *(_cell(results, kind) for kind in kinds)])
    rows.append(["**all servers**", *(total(results), *[""] * (len(kinds) - 1))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def total(results: Sequence[Result]) -> str:
    return " / ".join(str(_passed(results, package)) for package in (OURS, THEIRS)) + f" of {len(results) // 2}"


def _cell(results: Iterable[Result], kind: str) -> str:
    """ "7 / 7, 7 / 1 of 7": by http, then by https."""
    pairs = []
    for store in (kind, f"{kind}-tls"):
        chosen = [result for result in results if result.store == store]
        pairs.append(" / ".join(str(_passed(chosen, package)) for package in (OURS, THEIRS)))
        count = len(chosen) // 2
    return f"{', '.join(pairs)} of {count}" if count else "-"


def _passed(results: Iterable[Result], package: str) -> int:
    return sum(not result.error for result in results if result.package == package)


def _failures(results: Iterable[Result], package: str) -> str:
    failed = [result for result in results if result.package == package and result.error]
    lines = [f"- {each.store}, {each.group}, {each.name}: `{_one_line(each.error)}`" for each in failed]
    return "\n".join(lines) or "Nothing."


def _one_line(error: str) -> str:
    return " ".join(error.replace("`", "'").split())

"""What is to come of each operation under each fault, and the README's table of it.

test_faults.py holds every cell to it, and the README to the table. To write the table anew:
PYTHONPATH=tests:. python -m server.matrix
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from server.faults import FAMILIES, FAULTS
from server.misbehaving import Fault
from server.scenarios import SCENARIOS, Scenario

SIGNS = {"right": "✓", "error": "E", "unknown": "-", "": ""}
LEGEND = (
    "✓: the result is right all the same. E: a clear error, and nothing broken or left behind. -: S3 tells no checksum "
    "of a range. Empty: cannot happen there. Each fault strikes the first and the last request of each kind."
)


def meets(fault: Fault, scenario: Scenario, operations: Iterable[str]) -> bool:
    """Whether there is a request that the fault is about."""
    if scenario.command and fault.name == "ExpiredToken":
        return False
    return any(not fault.concerns or operation in fault.concerns for operation in operations)


def expected(fault: Fault, scenario: Scenario, operations: Iterable[str]) -> str:
    """What comes of the fault if it happens once: "right", "error", "unknown", or "" if it does not concern this."""
    if not meets(fault, scenario, operations):
        return ""
    if scenario.in_ranges and fault.concerns == ("GetObject",):
        return "unknown"
    return "right" if fault.survived else "error"


def table(requests: Mapping[str, Iterable[str]]) -> str:
    """Markdown: operations down, families of faults across. requests: by name of the scenario, its operations."""
    rows = [["", *FAMILIES], ["---"] * (len(FAMILIES) + 1)]
    for scenario in SCENARIOS:
        row = [scenario.name]
        for faults in FAMILIES.values():
            marks = {expected(fault, scenario, requests[scenario.name]) for fault in faults}
            row.append(next(SIGNS[mark] for mark in ("error", "unknown", "right", "") if mark in marks))
        rows.append(row)
    drawn = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{LEGEND}\n\n{drawn}\n\n{len(SCENARIOS)} operations, {len(FAULTS)} faults.\n"


if __name__ == "__main__":
    import tempfile
    from pathlib import Path

    from battery.test_faults import all_requests

    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(table(all_requests(Path(folder))))

"""The README's table of operations and faults, from the marks that test_faults.py has collected.

S3TARGET_MATRIX=marks pytest -n 2 -m "slow or not slow" tests/battery/test_faults.py && python -m server.matrix marks
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from server.faults import FAULTS
from server.scenarios import SCENARIOS

SIGNS = {"right": "✓", "error": "E"}


def table(lines: list[str]) -> str:
    """Markdown: faults down, operations across. ✓ right all the same; E a clear error, nothing broken; blank: cannot
    happen there."""
    marks: dict[str, dict[str, str]] = defaultdict(dict)
    cells = 0
    for line in lines:
        fault, scenario, mark, count = line.split("\t")
        marks[fault][scenario] = SIGNS[mark]
        cells += int(count)
    scenarios = [scenario.name for scenario in SCENARIOS]
    rows = [["fault", *scenarios], ["---"] * (len(scenarios) + 1)]
    rows += [[fault.name, *(marks[fault.name].get(name, "") for name in scenarios)] for fault in FAULTS]
    drawn = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{drawn}\n\n{len(scenarios)} operations, {len(marks)} faults, {cells} places where one meets the other.\n"


if __name__ == "__main__":
    sys.stdout.write(table(sorted(set(Path(sys.argv[1]).read_text().splitlines()))))

"""python tests/bench, or python -m bench with tests/ on the path: the benchmark; with "soak" before the options, hours
of work on a store that misbehaves. --help says what can be chosen."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    # Run as a folder, this folder is on the path itself: its modules would hide others of the same names.
    sys.path[:] = [str(here.parent), *(entry for entry in sys.path if Path(entry).resolve() != here)]
    if sys.argv[1:2] == ["soak"]:
        from bench.soak import main

        sys.exit(main(sys.argv[2:]))
    from bench.cli import main

    sys.exit(main())

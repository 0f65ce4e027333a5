"""python tests/interop, or python -m interop with tests/ on the path; --help says what can be chosen."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    # Run as a folder, this folder is on the path itself: its modules would hide others of the same names.
    sys.path[:] = [str(here.parent), *(entry for entry in sys.path if Path(entry).resolve() != here)]
    from interop.cli import main

    sys.exit(main())

"""python tests/bench, or python -m bench with tests/ on the path: the benchmark; --help says what can be chosen.

With "large" before the options an object of many GiB goes there and back (large.py); with "soak", minutes of work on a
store that misbehaves (soak.py).
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    # Run as a folder, this folder is on the path itself: its modules would hide others of the same names.
    sys.path[:] = [str(here.parent), *(entry for entry in sys.path if Path(entry).resolve() != here)]
    words = sys.argv[1:]
    kind = words.pop(0) if words[:1] in (["large"], ["soak"]) else "cli"
    sys.exit(import_module(f"bench.{kind}").main(words))

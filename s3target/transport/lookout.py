"""Staying awake for an answer that is about to come.

A store on this machine or beside it answers within microseconds; to wake a sleeping processor takes longer than that on
many machines, above all on virtual ones. So whoever has been answered promptly for a while looks for the next answer
over and over, instead of going to sleep over it; but not beside threads of its own process or in the way of others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from threading import get_ident
from time import perf_counter, sleep

NEARBY = 0.0003
"""Seconds within which an answer is prompt, and which are spent on looking for one at most."""
_TRUST = 8
"""Prompt answers in a row, all to one thread, before it is worth it."""
_CROWDED = 0.00005
"""Seconds that it takes to yield the processor if another process waits for it."""
_RESPECT = -32
"""So many requests are answered without it then."""

_yield_processor: Callable[[], object] = getattr(os, "sched_yield", partial(sleep, 0))


class Lookout:
    """Of one Exchange. Threads share it without a lock: what they do to each other's counts costs time at most."""

    def __init__(self) -> None:
        self._thread = 0
        self._prompt = 0

    def watch(self, is_quiet: Callable[[], bool]) -> float:
        """A request is out: wait awake while is_quiet(), if that is worth it. When the wait began, for heard()."""
        began = now = perf_counter()
        thread = get_ident()
        if thread != self._thread:
            self._thread, self._prompt = thread, 0
        while self._prompt > _TRUST and is_quiet():
            _yield_processor()
            then, now = now, perf_counter()
            if now - began > NEARBY:
                self._prompt = 0
            elif now - then > _CROWDED and is_quiet():  # it did not go to whoever answers
                self._prompt = _RESPECT
        return began

    def heard(self, began: float) -> None:
        """The answer has come."""
        self._prompt = self._prompt + 1 if perf_counter() - began < NEARBY else min(self._prompt, 0)

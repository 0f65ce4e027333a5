"""A progress bar with rate and time left, in one line of a terminal. Output decides whether there is one.

Fed from many threads. The rate is that of the last seconds, so the time left follows the network.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from .units import clock_time, human_size

_REDRAW_EVERY = 0.1
_WINDOW = 8.0
"""Seconds of which the rate is taken."""
_BAR_WIDTH = 24


class Bar:
    """total: bytes in all, None if not known. clock: seconds, from whenever on. columns: of the terminal."""

    def __init__(
        self,
        stream: TextIO,
        total: int | None,
        clock: Callable[[], float] = time.monotonic,
        columns: int | None = None,
    ) -> None:
        self._stream, self._total, self._clock, self._columns = stream, total, clock, columns
        self._lock = threading.Lock()
        self._count = 0
        self._marks: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._drawn_at = clock() - _REDRAW_EVERY
        self._drawn = 0

    def counter(self) -> Callable[[int, int | None], None]:
        """A progress callback for one of the objects that make up the total."""
        before = 0

        def report(done: int, _total: int | None) -> None:
            nonlocal before
            # A body that is sent again is counted once.
            self.add(max(0, done - before))
            before = max(before, done)

        return report

    def add(self, count: int) -> None:
        """So many bytes more."""
        with self._lock:
            self._count += count
            now = self._clock()
            if now - self._drawn_at >= _REDRAW_EVERY:
                self._drawn_at = now
                self._mark(now)
                self._draw()

    def clear(self) -> None:
        with self._lock:
            self._erase()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For a line of text: the bar is away meanwhile."""
        with self._lock:
            self._erase()
            yield
            self._draw()

    def _mark(self, now: float) -> None:
        self._marks.append((now, self._count))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW:
            self._marks.popleft()

    def _draw(self) -> None:
        columns = self._columns or _columns_of(self._stream)
        line = self.line()[: columns - 1]
        self._stream.write(f"\r{line.ljust(self._drawn)}")
        self._stream.flush()
        self._drawn = len(line)

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\r{' ' * self._drawn}\r")
            self._stream.flush()
            self._drawn = 0

    def line(self) -> str:
        """What is drawn: "45% [####----] 1.2 GiB of 2.7 GiB, 96.3 MiB/s, 0:16 left"."""
        rate = self._rate()
        speed = f"{human_size(rate)}/s"
        if not self._total:
            return f"{human_size(self._count)}, {speed}"
        share = min(1.0, self._count / self._total)
        filled = "#" * int(share * _BAR_WIDTH)
        left = f", {clock_time((self._total - self._count) / rate)} left" if rate and self._count < self._total else ""
        sizes = f"{human_size(self._count)} of {human_size(self._total)}"
        return f"{int(share * 100):3d}% [{filled.ljust(_BAR_WIDTH, '-')}] {sizes}, {speed}{left}"

    def _rate(self) -> float:
        """Bytes a second."""
        since, before = self._marks[0]
        passed = self._clock() - since
        return (self._count - before) / passed if passed > 0 else 0.0


def _columns_of(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80

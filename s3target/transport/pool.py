"""Idle connections, kept per origin, last in first out, so that the surplus grows old and goes.

Thread-safe and fork-safe. A connection belongs to the one who got it until it is put back. The lock is held for
bookkeeping alone, never over a system call that may wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..protocol.messages import Origin
from .connection import Connection
from .fork import renew_in_children

IDLE_SECONDS = 50.0
"""Connections idle for longer are not used again: many servers and balancers close them after 60 seconds."""


class Pool:
    """max_idle: connections kept per origin. clock: seconds, from whenever on."""

    def __init__(self, max_idle: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_idle = max_idle
        self._clock = clock
        self._idle: dict[Origin, list[tuple[float, Connection]]] = {}
        self._lock = threading.Lock()
        self.era = object()
        renew_in_children(self)

    def get(self, origin: Origin) -> Connection | None:
        """An idle connection that looks alive, or None."""
        while True:
            with self._lock:
                shelf = self._idle.get(origin)
                if not shelf:
                    return None
                since, connection = shelf.pop()
            if self._clock() - since < IDLE_SECONDS and connection.is_quiet():
                return connection
            connection.close()

    def put(self, origin: Origin, connection: Connection) -> None:
        """Keep the connection for later; close it if it is of another era (before a fork or close()) or has bytes
        waiting that nobody asked for."""
        now = self._clock()
        surplus = []
        keep = connection.is_clean()
        with self._lock:
            shelf = self._idle.setdefault(origin, [])
            while shelf and now - shelf[0][0] > IDLE_SECONDS:
                surplus.append(shelf.pop(0)[1])
            if keep and connection.era is self.era and len(shelf) < self._max_idle:
                shelf.append((now, connection))
            else:
                surplus.append(connection)
        for unwanted in surplus:
            unwanted.close()

    def close(self) -> None:
        """Close what is idle; what is in use will be closed when it comes back."""
        with self._lock:
            idle, self._idle, self.era = self._idle, {}, object()
        _close_all(idle)

    def renew(self) -> None:
        # Closing is harmless to the parent: it gives back this process's descriptors and says nothing on the wire.
        idle, self._idle, self.era, self._lock = self._idle, {}, object(), threading.Lock()
        _close_all(idle)


def _close_all(idle: dict[Origin, list[tuple[float, Connection]]]) -> None:
    for shelf in idle.values():
        for _, connection in shelf:
            connection.close()

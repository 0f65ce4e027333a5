"""Fresh locks, and nobody else's sockets, in a forked child.

A lock that another thread held at the moment of the fork would stay locked in the child for ever, and a connection
used by both processes would mix their answers.
"""

from __future__ import annotations

import os
import weakref

from ..value import Protocol


class Renewable(Protocol):
    def renew(self) -> None:
        """Drop what belongs to the parent process and make locks anew. Called in the child, in its only thread."""


_alive: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_in_children(thing: Renewable) -> None:
    """Have thing.renew() called in every forked child for as long as it lives."""
    _alive.add(thing)


def _renew_all() -> None:
    for thing in list(_alive):
        thing.renew()


if hasattr(os, "register_at_fork"):  # absent where processes do not fork
    os.register_at_fork(after_in_child=_renew_all)

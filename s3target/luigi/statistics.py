"""log_statistics(): one line at INFO at the end of each task, on what it has moved."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any
from weakref import WeakValueDictionary

from luigi import Event, Task

from ..client import Client
from ..statistics import Statistics

_log = logging.getLogger("luigi-interface.s3target")
"""Luigi's own lines on tasks go to its parent, so these are seen wherever they are."""
_clients: WeakValueDictionary[int, Client] = WeakValueDictionary()
"""By id."""
_before: dict[str, Statistics] = {}


def note_client(client: Client) -> None:
    """It counts among those whose traffic is told. What a test has put in its place need not count anything."""
    if isinstance(client, Client):
        _clients[id(client)] = client


def total() -> Statistics:
    """What all Luigi clients of this process have sent and received so far."""
    clients = (reference() for reference in _clients.valuerefs())
    return sum((client.statistics for client in clients if client is not None), Statistics())


@cache
def log_statistics() -> None:
    """From now on, each task that ends, well or not, is followed by a line in Luigi's own log such as

        Report(day=2026-11-23): 12 requests (0 retries), 1.5 MB out, 80.2 MB in, 1.42 s

    Seconds are those that requests took, in all threads together; what they were spent on besides does not count.
    Luigi's worker processes tell it too, as each runs one task at a time. To call it again changes nothing.
    """
    Task.event_handler(Event.START)(_begin)
    Task.event_handler(Event.SUCCESS)(_tell)
    Task.event_handler(Event.FAILURE)(_tell)


def _begin(task: Any) -> None:
    _before[task.task_id] = total()


def _tell(task: Any, *_: object) -> None:
    before = _before.pop(task.task_id, None)
    if before is not None:
        _log.info("%s: %s", task, total() - before)

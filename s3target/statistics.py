"""What a client has moved: requests, retries, bytes, seconds.

Counting is a few additions to integers of one object, without a lock: CPython does not switch threads within one, and
where an interpreter does, a statistic may miss a request.
"""

from __future__ import annotations

from time import perf_counter

from .protocol.messages import Response, Stream
from .value import dataclass


@dataclass(frozen=True)
class Statistics:
    """Since the client was made, or between two moments: the difference of two is one, their sum too.

    requests: all that were sent, retries among them. bytes_out, bytes_in: of bodies. seconds: that requests took, and
    reading what they brought; with several threads more than have passed.
    """

    requests: int = 0
    retries: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    seconds: float = 0.0

    def __add__(self, other: Statistics) -> Statistics:
        return self._plus(other, 1)

    def __sub__(self, other: Statistics) -> Statistics:
        return self._plus(other, -1)

    def _plus(self, other: Statistics, sign: int) -> Statistics:
        names = Statistics.__match_args__
        return Statistics(*(getattr(self, name) + sign * getattr(other, name) for name in names))

    def __str__(self) -> str:
        return (
            f"{self.requests} requests ({self.retries} retries), {self.bytes_out / 1e6:.1f} MB out, "
            f"{self.bytes_in / 1e6:.1f} MB in, {self.seconds:.2f} s"
        )


class Counters:
    """The counts of one client as they grow. Pickled, it begins anew."""

    __slots__ = ("bytes_in", "bytes_out", "requests", "retries", "seconds")

    def __init__(self) -> None:
        self.requests = self.retries = self.bytes_out = self.bytes_in = 0
        self.seconds = 0.0

    def add(self, sent: int, response: Response | None, begun: float) -> None:
        """A request that was sent at `begun`, by perf_counter(), and answered, or not."""
        self.requests += 1
        self.bytes_out += sent
        if response is not None:
            self.bytes_in += len(response.content)
        self.seconds += perf_counter() - begun

    def value(self) -> Statistics:
        return Statistics(self.requests, self.retries, self.bytes_out, self.bytes_in, self.seconds)

    def __reduce__(self) -> tuple[type[Counters], tuple[()]]:
        return Counters, ()


class CountedStream:
    """An answer's body, counted as it is read."""

    __slots__ = ("_counters", "_stream", "close")

    def __init__(self, stream: Stream, counters: Counters) -> None:
        self._stream, self._counters = stream, counters
        self.close = stream.close

    def read(self, size: int = -1, /) -> bytes:
        begun = perf_counter()
        content = self._stream.read(size)
        counters = self._counters
        counters.bytes_in += len(content)
        counters.seconds += perf_counter() - begun
        return content

    def readinto(self, buffer: memoryview, /) -> int:
        begun = perf_counter()
        got = self._stream.readinto(buffer)
        counters = self._counters
        counters.bytes_in += got
        counters.seconds += perf_counter() - begun
        return got

"""What a client counts, and what it costs to count."""

from __future__ import annotations

import pickle
import threading
import time
import timeit

import pytest

from s3target.errors import ConnectionDropped, NoSuchKey
from s3target.filesystem import FileSystem, S3Path
from s3target.protocol.messages import BytesBody, Response
from s3target.protocol.operations.objects import GetObject, HeadObject, PutObject
from s3target.statistics import CountedStream, Counters, Statistics
from scripted import Pieces, Scripted, client_for, error_reply, reply


def test_requests_retries_and_bytes_are_counted() -> None:
    """A retry is a request, and its body goes out again; an answer's body counts as it is read."""
    client = client_for(
        Scripted(
            ConnectionDropped("gone"),
            reply(200, etag='"e"'),
            reply(200, b"", Pieces(b"hel", b"lo"), content_length="5"),
            error_reply(404, "NoSuchKey"),
        )
    )
    client.call(PutObject("b", "k", BytesBody(b"12345678")))
    assert client.statistics.requests == 2
    assert client.statistics.retries == 1
    assert client.statistics.bytes_out == 16
    before = client.statistics
    stream = client.call(GetObject("b", "k")).stream
    assert client.statistics.bytes_in == before.bytes_in
    buffer = memoryview(bytearray(3))
    assert stream.readinto(buffer) == 3
    assert stream.read() == b"lo"
    stream.close()
    assert client.statistics.bytes_in - before.bytes_in == 5
    with pytest.raises(NoSuchKey):
        client.call(GetObject("b", "k"))
    assert client.statistics.requests == 4
    assert client.statistics.bytes_in - before.bytes_in == 5 + len(error_reply(404, "NoSuchKey").content)


def test_statistics_are_values() -> None:
    """Frozen, added and subtracted, one line as text."""
    one, two = Statistics(4, 3, 2_500_000, 10, 1.5), Statistics(1, 1, 500_000, 5, 0.25)
    assert one - two == Statistics(3, 2, 2_000_000, 5, 1.25)
    assert (one - two) + two == one
    assert str(one) == "4 requests (3 retries), 2.5 MB out, 0.0 MB in, 1.50 s"
    with pytest.raises(AttributeError):
        one.requests = 5  # type: ignore[misc]


def test_seconds_are_those_of_the_network() -> None:
    """Of a request, and of each read of what it brought."""

    class Slow(Pieces):
        def read(self, size: int = -1, /) -> bytes:
            time.sleep(0.01)
            return super().read(size)

    counters = Counters()
    counters.add(0, None, time.perf_counter() - 2.0)
    assert 2.0 <= counters.seconds < 3.0
    stream = CountedStream(Slow(b"abc", b"d"), counters)
    for read in (lambda: stream.read(3), lambda: stream.readinto(memoryview(bytearray(3)))):
        before = counters.seconds
        read()
        assert 0.01 <= counters.seconds - before < 1.0


def test_a_pickled_client_counts_anew() -> None:
    """What it has moved where it came from is not its own."""
    counters = Counters()
    counters.add(5, None, time.perf_counter())
    assert pickle.loads(pickle.dumps(counters)).value() == Statistics()


def test_threads_lose_no_request() -> None:
    """Many at once, each with many calls."""
    each, number = 300, 8
    client = client_for(Scripted(*[reply(200, content_length="5") for _ in range(each * number)]))

    def work() -> None:
        for _ in range(each):
            client.call(HeadObject("b", "k"))

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.statistics.requests == each * number


def test_counting_costs_less_than_a_microsecond() -> None:
    """Per request, its stream included; a machine that is busy is given three."""
    counters, response, stream = Counters(), Response(200, {}, b"abc"), Pieces(b"")

    def one_request() -> None:
        counters.add(5, response, time.perf_counter())
        CountedStream(stream, counters)

    assert min(timeit.repeat(one_request, number=10_000, repeat=5)) / 10_000 < 3e-6


def test_a_question_counts(moto_store: object) -> None:
    """Of a real store: a miss is two requests."""
    from connected import client_of
    from servers.signed import make_bucket

    with client_of(moto_store) as client:  # type: ignore[arg-type]
        assert not FileSystem(client).exists(S3Path(make_bucket(moto_store), "nope"))  # type: ignore[arg-type]
        assert client.statistics.requests == 2
        assert client.statistics.bytes_in > 0

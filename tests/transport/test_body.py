"""Bodies as they arrive: every framing, cut up in every way, whole or broken off. No sockets: receive() is scripted."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3target.errors import BadResponse, ConnectionDropped, TimedOut
from s3target.transport.body import LINE_LIMIT, READ_SIZE, TRAILER_LIMIT, Body, ChunkedBody, LengthBody, UntilCloseBody

Make = Callable[[Callable[[memoryview], int], Callable[[bool], None], bytes], Body]


class Wire:
    """Gives out pieces one recv at a time, then the end or an error; notes how the body left."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.pieces = list(pieces)
        self.error = error
        self.left: list[bool] = []
        self.asked: list[int] = []

    def receive(self, view: memoryview) -> int:
        self.asked.append(len(view))
        if not self.pieces:
            if self.error:
                raise self.error
            return 0
        piece = self.pieces.pop(0)
        if len(piece) > len(view):
            self.pieces.insert(0, piece[len(view) :])
            piece = piece[: len(view)]
        view[: len(piece)] = piece
        return len(piece)

    def length(self, length: int, rest: bytes = b"") -> LengthBody:
        return LengthBody(self.receive, self.left.append, rest, length)

    def chunked(self, rest: bytes = b"") -> ChunkedBody:
        return ChunkedBody(self.receive, self.left.append, rest)

    def until_close(self, rest: bytes = b"") -> UntilCloseBody:
        return UntilCloseBody(self.receive, self.left.append, rest)


def test_a_body_of_known_length_is_read_and_its_connection_given_back_at_its_last_byte() -> None:
    """No further read is needed to see the end."""
    wire = Wire(b"cde", b"fgh")
    body = wire.length(8, rest=b"ab")
    buffer = bytearray(5)
    assert (body.readinto(buffer), buffer[:2], wire.left) == (2, b"ab", [])
    assert (body.readinto(buffer), body.readinto(buffer), wire.left) == (3, 3, [True])
    assert (body.readinto(buffer), body.read(), body.read(3)) == (0, b"", b"")
    body.close()
    assert wire.left == [True]


def test_large_reads_go_into_the_callers_buffer_and_never_past_the_body() -> None:
    """What follows the body on the connection is left there."""
    wire = Wire(b"x" * 300_000)
    body = wire.length(250_000, rest=b"")
    buffer = bytearray(1_000_000)
    assert body.readinto(buffer) == 250_000
    assert wire.asked == [250_000]
    assert len(wire.pieces[0]) == 50_000


def test_no_more_is_read_than_asked_for() -> None:
    """Nothing for nothing, and a large read takes what has come, in memory of a bounded size."""
    wire = Wire(b"c" * 200_000)
    body = wire.length(200_002, rest=b"ab")
    assert [body.read(size) for size in (0, 1, 3, 3)] == [b"", b"a", b"b", b"ccc"]
    assert len(body.read(1 << 40)) == READ_SIZE


def test_bodies_can_be_buffered_by_io() -> None:
    """A body is a raw stream: io.BufferedReader gives lines from it."""
    with io.BufferedReader(Wire(b"one\ntw", b"o\n").length(8)) as lines:
        assert list(lines) == [b"one\n", b"two\n"]


@pytest.mark.parametrize("make", [lambda wire: wire.length(9, b"ab"), lambda wire: wire.chunked(b"9\r\nab")])
def test_a_body_cut_off_raises_and_goes_on_raising(make: Callable[[Wire], Body]) -> None:
    """A short body is never taken for a whole one: not at the cut, and not when asked again."""
    wire = Wire(b"cd")
    body = make(wire)
    assert body.read(4) + body.read(4) == b"abcd"
    for _ in range(2):
        with pytest.raises(ConnectionDropped) as caught:
            body.read()
        assert not caught.value.reused
    assert wire.left == [False]


def test_silence_inside_a_body_raises_and_leaves_the_connection() -> None:
    """An error of the connection comes through as it is."""
    wire = Wire(b"cd", error=TimedOut("silent"))
    body = wire.length(9)
    with pytest.raises(TimedOut):
        body.readall()
    with pytest.raises(ConnectionDropped):
        body.read()
    assert wire.left == [False]


def test_a_body_until_close_ends_with_a_clean_end_only() -> None:
    """Its connection is of no more use then."""
    wire = Wire(b"cd")
    body = wire.until_close(b"ab")
    assert (body.readall(), body.read(), wire.left) == (b"abcd", b"", [False])
    body = Wire(b"cd", error=ConnectionDropped("reset")).until_close()
    with pytest.raises(ConnectionDropped):
        body.readall()


def test_closing_before_the_end_gives_the_connection_up() -> None:
    """Once; and what is closed is not read."""
    for body, wire in [(w.length(9), w) for w in [Wire(b"ab")]] + [(w.chunked(b"3\r\nabc"), w) for w in [Wire()]]:
        body.read(1)
        body.close()
        body.close()
        assert wire.left == [False]
        with pytest.raises(ValueError, match="closed"):
            body.read(1)


def test_a_body_that_is_dropped_gives_its_connection_up() -> None:
    """Nobody has to remember close(): the last reference does it."""
    wire = Wire(b"ab")
    body = wire.length(9)
    body.read(1)
    del body
    assert wire.left == [False]


@pytest.mark.parametrize(
    ("sent", "content", "clean"),
    [
        (b"0\r\n\r\n", b"", True),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc", True),
        (b"03\r\nabc\r\n00\r\n\r\n", b"abc", True),
        (b'a\r\n0123456789\r\nA ;x="y"\r\n0123456789\r\n0;z\r\n\r\n', b"01234567890123456789", True),
        (b"3\nabc\n0\n\n", b"abc", True),
        (b"2\r\n\r\n\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", b"\r\n", True),
        (b"0\r\n\r\nHTTP/1.1 ", b"", False),
    ],
)
def test_chunks_are_joined(sent: bytes, content: bytes, clean: bool) -> None:
    """Extensions and trailers are dropped; bytes after the end spoil the connection. RFC 9112 section 7.1."""
    wire = Wire(sent)
    assert (wire.chunked().readall(), wire.left) == (content, [clean])
    wire = Wire()
    body = wire.chunked(rest=sent)
    assert (body.readall(), body.read(), wire.left) == (content, b"", [clean])


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b" 1\r\n",
        b"1 2\r\n",
        b"f" * 16 + b"\r\n",
        b"1\r\nab\r\n",
        b"1" * (LINE_LIMIT + 1),
        b"0\r\n" + b"a: b\r\n" * TRAILER_LIMIT,
    ],
)
def test_malformed_chunks_are_refused(sent: bytes) -> None:
    """BadResponse, and the connection is given up."""
    wire = Wire(*[sent[i : i + 4000] for i in range(0, len(sent), 4000)])
    with pytest.raises(BadResponse):
        wire.chunked().readall()
    assert wire.left == [False]


CHUNKED_BYTES = b"5;e\r\nhello\r\n1\r\n \r\nB\r\nworld chunks\r\n0\r\nT: v\r\n\r\n".replace(b"B\r\n", b"c\r\n")


@given(st.lists(st.integers(0, len(CHUNKED_BYTES)), max_size=12), st.integers(1, 20), st.integers(0, 30))
def test_chunks_may_arrive_in_any_pieces(places: list[int], size: int, rest: int) -> None:
    """The content is the same however it is cut up, and however it is read."""
    ends = sorted({*places, rest, len(CHUNKED_BYTES)})
    pieces = [CHUNKED_BYTES[a:b] for a, b in itertools.pairwise(ends)]
    wire = Wire(*[piece for piece in pieces if piece])
    body = wire.chunked(CHUNKED_BYTES[: ends[0]])
    got = b""
    while piece := body.read(size):
        got += piece
    assert (got, wire.left) == (b"hello world chunks", [True])


@pytest.mark.parametrize("end", range(len(CHUNKED_BYTES)))
def test_chunks_cut_off_anywhere_raise(end: int) -> None:
    """Up to the very last byte of the last empty line, the body is not whole."""
    with pytest.raises(ConnectionDropped):
        Wire(CHUNKED_BYTES[:end] or b"5").chunked().readall()

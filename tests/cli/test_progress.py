"""The progress bar: what it says, when it draws, that it leaves no trace."""

from __future__ import annotations

import io
import os
import re
import sys
from argparse import Namespace

import pytest

from s3target.cli.output import Bar, Output, columns


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def bar_of(total: int | None, columns: int = 100) -> tuple[Bar, Clock, io.StringIO]:
    clock, stream = Clock(), io.StringIO()
    return Bar(stream, total, clock, columns), clock, stream


def test_share_rate_and_time_left() -> None:
    """Of a known total."""
    bar, clock, _ = bar_of(4 << 20)
    clock.now += 2
    bar.add(1 << 20)
    assert bar.line() == " 25% [######------------------] 1.0 MiB of 4.0 MiB, 512.0 KiB/s, 0:06 left"


def test_the_only_object_tells_the_total() -> None:
    """Of which no listing has told the size."""
    bar, clock, _ = bar_of(None)
    clock.now += 2
    report = bar.counter(alone=True)
    report(0, 4 << 20)
    report(1 << 20, None)
    assert bar.line().startswith(" 25% [######")


def test_neither_before_nor_after_is_there_time_left() -> None:
    """Nothing has passed; nothing is left."""
    bar, clock, _ = bar_of(100)
    assert bar.line().endswith("0 B of 100 B, 0 B/s")
    clock.now += 1
    bar.add(100)
    assert bar.line() == f"100% [{24 * '#'}] 100 B of 100 B, 100 B/s"
    bar.add(50)
    assert bar.line().startswith(f"100% [{24 * '#'}] 150 B of 100 B")


def test_what_is_drawn_is_seen_at_once() -> None:
    """And so is that it is gone: stderr keeps what ends without a newline."""
    raw = io.BytesIO()
    bar = Bar(io.TextIOWrapper(raw), 100, columns=100)
    bar.add(50)
    assert b" 50% [" in raw.getvalue()
    bar.clear()
    assert raw.getvalue().endswith(b" \r")


def test_without_a_total_there_is_no_time_left() -> None:
    """As of stdin."""
    bar, clock, _ = bar_of(None)
    clock.now += 1
    bar.add(2048)
    assert bar.line() == "2.0 KiB, 2.0 KiB/s"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A slow beginning is forgotten; one second is not all."""
    bar, clock, _ = bar_of(None)
    clock.now += 100
    bar.add(1024)
    assert bar.line().endswith(", 10 B/s")
    for second in range(20):
        clock.now += 1
        bar.add(second % 2 << 21)
    assert bar.line().endswith(", 1.0 MiB/s")


def test_it_draws_ten_times_a_second_at_most() -> None:
    """However many pieces come."""
    bar, clock, stream = bar_of(1000)
    for _ in range(1000):
        clock.now += 0.001
        bar.add(1)
    assert 5 <= stream.getvalue().count("\r") <= 12


def test_it_stays_in_its_line_and_goes_without_a_trace() -> None:
    """No longer than the terminal is wide; clear() blanks all of it."""
    bar, clock, stream = bar_of(1 << 40, columns=30)
    clock.now += 1
    bar.add(1 << 30)
    drawn = stream.getvalue().split("\r")[-1]
    assert len(drawn) == 29
    bar.clear()
    assert stream.getvalue().endswith(f"\r{' ' * 29}\r")
    bar.clear()
    assert stream.getvalue().count("\r") == 3


def test_a_line_of_text_finds_the_bar_aside() -> None:
    """It is drawn again below."""
    bar, clock, stream = bar_of(100)
    clock.now += 1
    bar.add(50)
    with bar.aside():
        stream.write("cp a b\n")
    before, after = stream.getvalue().split("cp a b\n")
    assert before.endswith("\r")
    assert " 50% [" in after


def test_bytes_that_are_sent_again_count_once() -> None:
    """Each object has a counter of its own."""
    bar, clock, _ = bar_of(100)
    one, other = bar.counter(), bar.counter()
    clock.now += 1
    for count in (10, 5, 20):
        one(count, 20)
    other(30, None)
    assert "50 B of 100 B" in bar.line()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "quiet", "drawn"), [(Terminal(), False, True), (Terminal(), True, False), (io.StringIO(), False, False)]
)
def test_a_bar_is_drawn_where_somebody_sees_it(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, quiet: bool, drawn: bool
) -> None:
    """And is gone afterwards."""
    monkeypatch.setattr(sys, "stderr", stream)
    with Output(Namespace(json=False, quiet=quiet)).progress(10) as bar:
        assert (bar is not None) is drawn
        if bar:
            bar.add(5)
    assert stream.getvalue().endswith(" \r") is drawn
    assert bool(stream.getvalue()) is drawn


def test_lines_go_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is away meanwhile; once it has gone, it stays so."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", screen)
    output = Output(Namespace(json=False, quiet=False))
    with output.progress(10) as bar:
        assert bar
        bar.add(5)
        output.tell("cp a b", {})
    output.tell("cp c d", {})
    before, between, after = re.split("cp a b\n|cp c d\n", screen.getvalue())
    assert before.endswith(" \r")
    assert " 50% [" in between
    assert between.endswith(" \r")
    assert after == ""


@pytest.mark.parametrize(("told", "taken"), [(120, 120), (0, 80)])
def test_how_wide_the_terminal_is(monkeypatch: pytest.MonkeyPatch, told: int, taken: int) -> None:
    """Some say 0."""
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((told, 30)))
    with open(os.devnull, "w") as stream:
        assert columns(stream) == taken
    with pytest.raises(ValueError, match="closed"):
        stream.fileno()
    assert columns(stream) == 80


def test_what_is_no_terminal_has_80_columns() -> None:
    with open(os.devnull, "w") as stream:
        assert columns(stream) == 80

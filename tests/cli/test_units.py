"""Sizes and times as people write and read them."""

from __future__ import annotations

import argparse
import time
from datetime import datetime, timezone

import pytest

from s3target.cli.arguments import duration, positive
from s3target.cli.output import clock_time, human_size, human_time, moment


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43200), ("1d", 86400), ("2W", 1209600)]
)
def test_durations(text: str, seconds: int) -> None:
    """A bare number is seconds."""
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "-1d", "1.5h", "1y", "one day"])
def test_what_is_no_duration(text: str) -> None:
    """Is a usage error."""
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1.0", "²"])
def test_what_is_no_positive_number(text: str) -> None:
    """Is a usage error."""
    with pytest.raises(argparse.ArgumentTypeError):
        positive(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 60, "3072.0 PiB")],
)
def test_sizes(count: int, text: str) -> None:
    """In powers of 1024."""
    assert human_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (5, "5 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h"), (172800, "2 days")]
)
def test_spans(seconds: float, text: str) -> None:
    """In the unit that says enough."""
    assert human_time(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (16.4, "0:16"), (61, "1:01"), (3720, "1:02:00")])
def test_clock_times(seconds: float, text: str) -> None:
    """Hours only where there are some."""
    assert clock_time(seconds) == text


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs tzset")
def test_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """In local time; the first year, which stands for no time at all with some stores, has none west of Greenwich."""
    monkeypatch.setenv("TZ", "XXX+5")
    time.tzset()
    try:
        assert moment(datetime(2026, 1, 1, 7, 8, 9, tzinfo=timezone.utc)) == "2026-01-01 02:08:09"
        assert moment(datetime(1, 1, 1, tzinfo=timezone.utc)) == "0001-01-01 00:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()

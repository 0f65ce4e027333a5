"""Sizes and times as people write and read them. Pure."""

from __future__ import annotations

import argparse
import re
from datetime import datetime

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: str) -> int:
    """Seconds of "90", "90s", "15m", "12h", "1d" or "2w"; a type for argparse."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw]?)", text.strip().lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s, 15m, 12h, 1d or 2w")
    return int(found[1]) * _UNITS[found[2]]


def positive(text: str) -> int:
    """A whole number of at least 1; a type for argparse."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def human_size(count: float) -> str:
    """Bytes: "512 B", "1.5 KiB"."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} PiB"


def human_time(seconds: float) -> str:
    """A span of time: "45 s", "12 min", "3 h", "8 days"."""
    for limit, length, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def clock_time(seconds: float) -> str:
    """A span of time as a clock shows it: "0:16", "1:02:00"."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def moment(when: datetime) -> str:
    """A time of day and year in the zone of this machine."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")

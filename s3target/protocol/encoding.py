"""Percent-encoding and timestamps, exactly as SigV4 wants them.

The encoded path and query made here are both what is signed and what is sent: nothing encodes a second time.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import re
import time
from functools import lru_cache

from ..errors import ConfigError
from ..value import TYPE_CHECKING
from .messages import Query

if TYPE_CHECKING:
    from datetime import datetime


_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_ENCODED = tuple(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def percent_encode(text: str, safe: bytes = b"") -> str:
    """text in UTF-8, with every byte but letters, digits, "-._~" and those of `safe` as %XX."""
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{text!r} has no UTF-8 form (a lone surrogate at {error.start}), so S3 cannot store it"
        ) from None
    # urllib's quote() comes to the same, but takes three times as long.
    if not raw.translate(None, _UNRESERVED + safe):
        return text
    return "".join([chr(byte) if byte in safe else _ENCODED[byte] for byte in raw])


def encode_key(key: str) -> str:
    """An object key as the path of a URL. "//", "." and ".." stay: to S3 they are characters like any other."""
    return percent_encode(key, b"/")


@lru_cache(maxsize=64)  # asked for twice: what is signed is what is sent
def query_string(query: Query) -> str:
    """The canonical query string: encoded, sorted by encoded name, then value. "" for no query."""
    return form(query)


def form(query: Query) -> str:
    """The same for a body, which may hold secrets, so that it is not remembered."""
    pairs = sorted([(percent_encode(name), percent_encode(value)) for name, value in query])
    return "&".join([f"{name}={value}" for name, value in pairs])


def percent_decode(text: str) -> str:
    """Undo percent-encoding as it is in listings: some stores write a space as "+", and all write "+" as %2B."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    from urllib.parse import unquote_to_bytes  # slow to load, and seldom needed

    return unquote_to_bytes(text).decode(errors="surrogateescape")


def amz_timestamp(now: float) -> str:
    """now (seconds since 1970) as YYYYMMDD'T'HHMMSS'Z'."""
    return _timestamp(int(now // 1))


@lru_cache(maxsize=8)  # many requests are signed within one second
def _timestamp(second: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))


@lru_cache(maxsize=1)
def _datetime() -> type[datetime]:
    from datetime import datetime  # slow to load, and most who list never ask

    return datetime


def parse_timestamp(text: str) -> datetime:
    """An ISO 8601 time, in UTC; any number of fraction digits, a space for the T. ValueError if it is none."""
    text = text.strip()
    if len(text) in (20, 24) and text.endswith("Z"):  # as S3 writes it, in listings too
        return _datetime().fromisoformat(f"{text[:-1]}+00:00")
    if len(text) <= len("2026-11-22"):
        raise ValueError(f"not a day and a time: {text!r}")
    # Python 3.10 takes neither Z, nor +0000, nor other fractions than of 3 or 6 digits; older AWS tools write UTC.
    exact = re.sub(r"\.([0-9]+)", lambda found: "." + found[1][:6].ljust(6, "0"), text)
    zoned = re.sub(r"([+-][0-9]{2})([0-9]{2})$", r"\1:\2", re.sub("(Z|z|UTC)$", "+00:00", exact))
    stamp = _datetime().fromisoformat(zoned)
    try:
        return utc(stamp)
    except OverflowError:
        raise ValueError(f"not a time of these millennia: {text!r}") from None


def parse_http_date(text: str) -> datetime:
    """An HTTP date such as "Sun, 22 Nov 2026 20:15:00 GMT" (RFC 9110 section 5.6.7). ValueError if it is none.

    Not email.utils: importing it costs more than a whole request.
    """
    from datetime import timezone

    fields = text.replace("-", " ").split()
    # A year of two digits (RFC 850) is refused rather than guessed.
    if len(fields) < 5 or len(fields[3]) < 4:
        raise ValueError(f"not an HTTP date: {text!r}")
    hour, minute, second = (int(field) for field in fields[4].split(":"))
    month = _MONTHS.index(fields[2]) + 1
    try:
        return _datetime()(int(fields[3]), month, int(fields[1]), hour, minute, second, tzinfo=timezone.utc)
    except OverflowError:
        raise ValueError(f"not an HTTP date: {text!r}") from None


def utc(moment: datetime) -> datetime:
    """The same moment in UTC, which one without a time zone is taken for."""
    from datetime import timezone

    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def http_date(moment: datetime) -> str:
    """The inverse of parse_http_date."""
    moment = utc(moment)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    return f"{day}, {moment.day:02d} {_MONTHS[moment.month - 1]} {moment.year:04d} {moment:%H:%M:%S} GMT"

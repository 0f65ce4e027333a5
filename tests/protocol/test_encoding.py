"""Percent-encoding and dates, by tables and by their inverses."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3target.errors import ConfigError
from s3target.protocol.encoding import (
    amz_timestamp,
    encode_key,
    http_date,
    parse_http_date,
    parse_timestamp,
    percent_decode,
    percent_encode,
    query_string,
)

UTC = timezone.utc


def test_each_ascii_character():
    """Letters, digits and "-._~" stay, all else is %XX in upper case."""
    for byte in range(128):
        char = chr(byte)
        assert percent_encode(char) == (char if char.isalnum() or char in "-._~" else f"%{byte:02X}")
        assert encode_key(char) == ("/" if char == "/" else percent_encode(char))


def test_each_byte_of_utf_8():
    """Every byte that UTF-8 knows is encoded as the standard library encodes it."""
    everything = "".join(map(chr, range(0x800))) + "\uffff\U0010ffff\U00010000\U0003ffff\U000fffff"
    assert percent_encode(everything) == quote(everything, safe="-._~")
    assert encode_key(everything) == quote(everything, safe="-._~/")


@pytest.mark.parametrize("form", ["%{:02X}", "%{:02x}"])
def test_each_encoded_byte_is_decoded(form):
    """Upper or lower case; a byte that is no UTF-8 becomes what surrogateescape makes of it, so none is lost."""
    for byte in range(256):
        assert percent_decode(form.format(byte)) == bytes([byte]).decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("", ""),
        ("plain/key-1_2.txt~", "plain/key-1_2.txt~"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("100%", "100%25"),
        ("%20", "%2520"),
        ("a?b#c&d=e", "a%3Fb%23c%26d%3De"),
        ("ü/日本/😀", "%C3%BC/%E6%97%A5%E6%9C%AC/%F0%9F%98%80"),
        ("u\u0308", "u%CC%88"),
        ("//", "//"),
        ("a//b", "a//b"),
        ("/lead", "/lead"),
        (".", "."),
        ("a/../b/./c", "a/../b/./c"),
        ("trail/", "trail/"),
        ("a\nb\r\tc\x00\x01\x7f", "a%0Ab%0D%09c%00%01%7F"),
        ("back\\slash", "back%5Cslash"),
        ("!*'()", "%21%2A%27%28%29"),
        ("\u00a0", "%C2%A0"),
        ("k" * 1024, "k" * 1024),
        ("ü" * 512, "%C3%BC" * 512),
    ],
)
def test_awkward_keys(key, encoded):
    """Keys are bytes to S3: nothing is normalised, slashes stay."""
    assert encode_key(key) == encoded
    assert percent_decode(encoded) == key


@pytest.mark.parametrize("text", ["\ud800", "ok/\udcff", "\udfff tail"])
def test_lone_surrogate_is_refused(text):
    """File names that are no UTF-8 come so from os.listdir; the error says where, and can itself be printed."""
    for encode in (percent_encode, encode_key, lambda text: query_string((("prefix", text),))):
        with pytest.raises(ConfigError, match="lone surrogate") as caught:
            encode(text)
        str(caught.value).encode()


@given(st.text())
def test_decoding_undoes_encoding(text):
    """For any text, with the standard library as the judge."""
    assert percent_decode(percent_encode(text)) == text
    assert percent_decode(encode_key(text)) == text
    assert percent_encode(text) == quote(text, safe="-._~")


@given(st.text(alphabet="%+ 0123456789abcdefABCDEFgü"))
def test_sloppy_encodings_are_decoded_like_the_standard_library(text):
    """A percent sign without two hex digits behind it is a percent sign."""
    assert percent_decode(text) == unquote(text.replace("+", " "), errors="surrogateescape")


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%2bb%20c", "a+b c"),
        ("%", "%"),
        ("%1", "%1"),
        ("%%31", "%1"),
        ("% 1", "% 1"),
    ],
)
def test_listed_keys(text, decoded):
    """SeaweedFS and rclone write a space as "+", the others as %20; all write "+" as %2B."""
    assert percent_decode(text) == decoded


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ((), ""),
        ((("uploads", ""),), "uploads="),
        ((("b", "2"), ("a", "1")), "a=1&b=2"),
        ((("a", "2"), ("a", "1")), "a=1&a=2"),
        ((("prefix", "a b/ü+&="),), "prefix=a%20b%2F%C3%BC%2B%26%3D"),
        ((("a-b", ""), ("a", ""), ("a.b", "")), "a=&a-b=&a.b="),
        ((("ü", ""), ("z", ""), ("A", "")), "%C3%BC=&A=&z="),
    ],
)
def test_query_string(query, text):
    """Sorted by the encoded name, so a "%" comes first; every name has its "="."""
    assert query_string(query) == text


@pytest.mark.parametrize(
    ("now", "stamp"),
    [(0, "19700101T000000Z"), (1369353600, "20130524T000000Z"), (1369353600.999, "20130524T000000Z")],
)
def test_amz_timestamp(now, stamp):
    """Whole seconds of UTC."""
    assert amz_timestamp(now) == stamp


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T21:15:21Z", datetime(2026, 11, 22, 21, 15, 21, tzinfo=UTC)),
        ("2026-11-22T21:15:21.000Z", datetime(2026, 11, 22, 21, 15, 21, tzinfo=UTC)),
        ("2026-11-22T21:15:21.148Z", datetime(2026, 11, 22, 21, 15, 21, 148000, tzinfo=UTC)),
        ("2026-11-22T21:15:21.148814Z", datetime(2026, 11, 22, 21, 15, 21, 148814, tzinfo=UTC)),
        ("2026-11-22T21:15:21.040438271Z", datetime(2026, 11, 22, 21, 15, 21, 40438, tzinfo=UTC)),
        ("2026-11-22T21:15:21.5z", datetime(2026, 11, 22, 21, 15, 21, 500000, tzinfo=UTC)),
        ("2026-11-22T23:15:21+02:00", datetime(2026, 11, 22, 21, 15, 21, tzinfo=UTC)),
        ("2026-11-22T23:15:21.148+02:00", datetime(2026, 11, 22, 21, 15, 21, 148000, tzinfo=UTC)),
        ("2026-11-22T19:45:21.123456789-01:30", datetime(2026, 11, 22, 21, 15, 21, 123456, tzinfo=UTC)),
        ("2026-11-22T21:15:21", datetime(2026, 11, 22, 21, 15, 21, tzinfo=UTC)),
        ("\n 2026-11-22T21:15:21.25 ", datetime(2026, 11, 22, 21, 15, 21, 250000, tzinfo=UTC)),
        ("2026-11-22 21:15:21.148+00:00", datetime(2026, 11, 22, 21, 15, 21, 148000, tzinfo=UTC)),
        ("2026-11-22T23:15:21+0200", datetime(2026, 11, 22, 21, 15, 21, tzinfo=UTC)),
        ("2026-11-22T21:15:21UTC", datetime(2026, 11, 22, 21, 15, 21, tzinfo=UTC)),
    ],
)
def test_timestamps_of_documents(text, moment):
    """0, 3, 6 or 9 digits of a second, Z or an offset, T or what str() of a datetime has; the answer is in UTC."""
    parsed = parse_timestamp(text)
    assert parsed == moment
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "T",
        "now",
        "2026-11-22",
        "2026-13-01T00:00:00Z",
        "2026-11-22T21:15:21.x1Z",
        "2026-11-22T21:15:21+02:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "Sun, 22 Nov 2026 20:15:00 GMT",
    ],
)
def test_what_is_no_timestamp(text):
    """ValueError and nothing else, also at the ends of time."""
    with pytest.raises(ValueError, match=r".+"):
        parse_timestamp(text)


def test_timestamp_without_a_zone_is_utc(monkeypatch):
    """Wherever this machine is."""
    monkeypatch.setenv("TZ", "XXX-5")
    time.tzset()
    try:
        assert parse_timestamp("2026-11-22T21:15:21") == datetime(2026, 11, 22, 21, 15, 21, tzinfo=UTC)
        assert amz_timestamp(0) == "19700101T000000Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_timestamps_come_back(moment, precision):
    """What Python itself writes is read again."""
    text = moment.isoformat(timespec=precision)
    assert parse_timestamp(text) == datetime.fromisoformat(text)
    assert parse_timestamp(text.replace("+00:00", "Z")) == datetime.fromisoformat(text)


@given(st.text())
def test_dates_of_garbage_are_value_errors(text):
    """A header from the network raises nothing else."""
    for parse in (parse_timestamp, parse_http_date):
        with suppress(ValueError):
            assert parse(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 22 Nov 2026 20:15:00 GMT",
        "Sun, 22-Nov-2026 20:15:00 GMT",
        "  Sun,  22 Nov 2026  20:15:00  GMT ",
    ],
)
def test_http_date(text):
    """The form of RFC 9110, and what comes close to it."""
    assert parse_http_date(text) == datetime(2026, 11, 22, 20, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sun",
        "22 Nov 2026",
        "Sun, 22 nov 2026 20:15:00 GMT",
        "Sun, 31 Feb 2026 20:15:00 GMT",
        "Sun, 22 Nov 2026 20:15 GMT",
        "Sun, 22 Nov 2026 25:15:00 GMT",
        "Sun, 22 Nov 99999999999999999999 20:15:00 GMT",
        "Sun, 99999999999999999999 Nov 2026 20:15:00 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "2026-11-22T20:15:00Z",
    ],
)
def test_what_is_no_http_date(text):
    """ValueError; a year of two digits is not taken for one of the Roman empire."""
    with pytest.raises(ValueError, match=r".+"):
        parse_http_date(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_http_dates_come_back(moment):
    """Whole seconds; an inverse."""
    assert parse_http_date(http_date(moment)) == moment.replace(microsecond=0)


def test_http_date_is_in_gmt():
    """Whatever the zone of the moment, and with the right day of the week."""
    moment = datetime(2013, 5, 24, 1, tzinfo=timezone(timedelta(hours=2)))
    assert http_date(moment) == "Thu, 23 May 2013 23:00:00 GMT"

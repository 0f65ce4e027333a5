"""Heads as bytes and as values: what is taken, what is refused, and that cutting up the bytes changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3target.errors import BadResponse, ConfigError
from s3target.protocol.messages import BytesBody, Origin, Request
from s3target.transport.head import (
    CHUNKED,
    HEAD_LIMIT,
    HEADER_LIMIT,
    INTERIM_LIMIT,
    UNTIL_CLOSE,
    Head,
    HeadReader,
    body_length,
    keeps_alive,
    request_head,
)

OK = b"HTTP/1.1 200 OK\r\n"
HERE = Origin("http", "store.test", 9000)


def read(*pieces: bytes) -> tuple[Head | None, bytes] | str:
    """The outcome of feeding pieces: (head, what follows) or the text of the refusal."""
    reader = HeadReader()
    head = None
    try:
        for number, piece in enumerate(pieces):
            head = reader.feed(piece)
            if head is not None:
                return head, reader.rest + b"".join(pieces[number + 1 :])
    except BadResponse as error:
        return f"BadResponse {error}".partition("begins with")[0]
    return None, b""


@pytest.mark.parametrize(
    ("received", "head", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Head(1, 200, {}), b""),
        (b"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\nbody", Head(0, 404, {"a": "b"}), b"body"),
        (b"HTTP/1.1 200 \r\nA:b\r\n\r\n\r\n", Head(1, 200, {"a": "b"}), b"\r\n"),
        (b'HTTP/1.1 200\r\nETag: "x"\r\n\r\n', Head(1, 200, {"etag": '"x"'}), b""),
        (b"HTTP/1.1 200 OK\nA: b\nC: d\n\nrest\n\n", Head(1, 200, {"a": "b", "c": "d"}), b"rest\n\n"),
        (b"HTTP/1.1 200 OK\r\nA: b\n\r\nrest\n\n", Head(1, 200, {"a": "b"}), b"rest\n\n"),
        (b"HTTP/1.1 200 OK\nA: b\n\n\r\n", Head(1, 200, {"a": "b"}), b"\r\n"),
        (OK + b"A: 1\r\na:  2\t\r\nA:\r\n\r\n", Head(1, 200, {"a": "1, 2, "}), b""),
        (OK + b"A: b: c\r\n\r\n", Head(1, 200, {"a": "b: c"}), b""),
        (OK + b"A: b\r\n \t folded: too\n\tc\r\n \r\n\r\n", Head(1, 200, {"a": "b folded: too c"}), b""),
        (OK + b" no: header\r\nA:\r\n b\r\n\r\nrest", Head(1, 200, {"a": "b"}), b"rest"),
        (OK + "X-Amz-Meta-N: ü\x85日\r\n\r\n".encode(), Head(1, 200, {"x-amz-meta-n": "ü\x85日"}), b""),
        (OK + b"x-amz-meta-n: \xfc\r\n\r\n", Head(1, 200, {"x-amz-meta-n": "ü"}), b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + OK + b"\r\nx", Head(1, 200, {}), b"x"),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * INTERIM_LIMIT + OK + b"\r\n", Head(1, 200, {}), b""),
    ],
)
def test_a_good_head_is_read(received: bytes, head: Head, rest: bytes) -> None:
    """Lines end in CRLF or LF and may be folded; names are lower-cased, values stripped, repeated ones joined; 1xx
    answers skipped."""
    assert read(received) == (head, rest)
    assert read(*(received[i : i + 1] for i in range(len(received)))) == (head, rest)


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 -12 OK\r\n\r\n",
        "HTTP/1.1 2٣0 OK\r\n\r\n".encode(),
        b"HTTP/1.1  200 OK\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b": no name\r\n\r\n",
        OK + b"na me: x\r\n\r\n",
        OK + b"name : x\r\n\r\n",
        OK + b"na\x01me: x\r\n\r\n",
        OK + b"A: b\rC: d\r\n\r\n",
        OK + b"A: b\r\r\n\r\n",
        OK + b"A: b\0c\r\n\r\n",
        OK + b"A: b\r\n" * (HEADER_LIMIT + 1) + b"\r\n",
        OK + b"A: " + b"x" * HEAD_LIMIT + b"\r\n\r\n",
        OK + b"A: " + b"x" * HEAD_LIMIT,
        b"HTTP/1.1 100 Continue\r\n\r\n" * (INTERIM_LIMIT + 1) + OK + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nwhat?",
    ],
)
def test_a_malformed_head_is_refused(received: bytes) -> None:
    """Anything doubtful is BadResponse, however the bytes arrive."""
    outcome = read(received)
    assert isinstance(outcome, str)
    step = 1 if len(received) < 1000 else 999
    assert read(*(received[i : i + step] for i in range(0, len(received), step))) == outcome


def test_limits_are_reached_exactly() -> None:
    """A head of HEAD_LIMIT bytes, or HEADER_LIMIT lines, is the last good one."""
    frame = len(OK + b"A: \r\n\r\n")
    whole, rest = read(OK + b"A: " + b"x" * (HEAD_LIMIT - frame) + b"\r\n\r\nrest")  # type: ignore[misc]
    assert (len(whole.headers["a"]), rest) == (HEAD_LIMIT - frame, b"rest")
    assert isinstance(read(OK + b"A: " + b"x" * (HEAD_LIMIT - frame + 1) + b"\r\n\r\n"), str)
    assert read(OK + b"".join(b"h%d: 1\r\n" % n for n in range(HEADER_LIMIT)) + b"\r\n")[0].headers  # type: ignore[union-attr]


@pytest.mark.parametrize("end", range(1, len(OK) + 8))
def test_a_head_cut_off_is_no_head(end: int) -> None:
    """Nothing is believed before the empty line has come."""
    assert read((OK + b"A: b\r\n\r\n")[:end]) == (None, b"")


LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.0 500 x", b"A: b", b"a:c", b"bad", b" x", b"", b"", b"\r"]
)
MESSAGES = st.lists(st.tuples(LINES, st.sampled_from([b"\r\n", b"\n", b""])), max_size=12).map(
    lambda lines: b"HTTP/1.1 200 OK\r\n" + b"".join(b"".join(pair) for pair in lines)
)


def cut(received: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(received) + 1) for place in places} | {len(received)})
    return [received[a:b] for a, b in zip([0, *ends], ends, strict=False) if a < b]


@given(MESSAGES | st.binary(max_size=60), st.lists(st.integers(0, 500), max_size=20))
def test_cutting_the_bytes_up_changes_nothing(received: bytes, places: list[int]) -> None:
    """The outcome depends on the bytes alone, not on the packets they come in; nothing but BadResponse is raised."""
    assert read(*cut(received, places)) == read(received)


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_raises_nothing_else(garbage: bytes) -> None:
    """Whatever follows a good status line gives a head, no head yet, or BadResponse."""
    for prefix in (b"", OK, OK + b"A: "):
        outcome = read(prefix + garbage + b"\r\n\r\n")
        assert isinstance(outcome, (str, tuple))


@pytest.mark.parametrize(
    ("method", "status", "headers", "length"),
    [
        ("GET", 200, {}, UNTIL_CLOSE),
        ("GET", 200, {"content-length": "0"}, 0),
        ("GET", 200, {"content-length": "12"}, 12),
        ("GET", 200, {"content-length": "5, 5"}, 5),
        ("GET", 200, {"transfer-encoding": "chunked"}, CHUNKED),
        ("GET", 200, {"transfer-encoding": "Chunked", "content-length": "3"}, CHUNKED),
        ("HEAD", 200, {"content-length": "12"}, 0),
        ("HEAD", 404, {"transfer-encoding": "chunked"}, 0),
        ("DELETE", 204, {}, 0),
        ("GET", 304, {"content-length": "12"}, 0),
    ],
)
def test_framing_follows_the_rfc(method: str, status: int, headers: dict[str, str], length: int) -> None:
    """RFC 9112 section 6.3, in its order."""
    assert body_length(method, status, headers) == length


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "5, 6"},
        {"content-length": "-1"},
        {"content-length": "+1"},
        {"content-length": ""},
        {"content-length": "1_0"},
        {"content-length": "٣"},
        {"content-length": "1 2"},
        {"content-length": "9" * 5000},
        {"transfer-encoding": "gzip, chunked"},
        {"transfer-encoding": "chunked, chunked"},
    ],
)
def test_doubtful_framing_is_refused(headers: dict[str, str]) -> None:
    """A length that can be read in two ways is read in none."""
    with pytest.raises(BadResponse):
        body_length("GET", 200, headers)


@pytest.mark.parametrize(
    ("minor", "headers", "kept"),
    [
        (1, {}, True),
        (1, {"connection": "close"}, False),
        (1, {"connection": "Keep-Alive, Close"}, False),
        (1, {"connection": "upgrade"}, True),
        (0, {}, False),
        (0, {"connection": "Keep-Alive"}, True),
        (1, {"content-length": "1", "transfer-encoding": "chunked"}, False),
    ],
)
def test_keep_alive(minor: int, headers: dict[str, str], kept: bool) -> None:
    """HTTP/1.1 stays unless it says close, HTTP/1.0 only if it says so; two framings at once never."""
    assert keeps_alive(Head(minor, 200, headers)) is kept


def test_a_request_head_has_what_http_wants_and_no_more() -> None:
    """Host, Content-Length, Accept-Encoding and User-Agent are added; what is there stays."""
    put = Request("PUT", HERE, "/b/k", headers={"x-amz-date": "now"}, body=BytesBody(b"abc"))
    assert request_head(put, "/b/k?x=1", {}) == (
        b"PUT /b/k?x=1 HTTP/1.1\r\nhost: store.test:9000\r\nx-amz-date: now\r\ncontent-length: 3\r\n"
        b"accept-encoding: identity\r\nuser-agent: s3target\r\n\r\n"
    )
    own = {"host": "h", "content-length": "0", "accept-encoding": "x", "user-agent": "me"}
    assert request_head(Request("POST", HERE, "/", headers=own), "/", {"proxy-authorization": "p"}) == (
        b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\naccept-encoding: x\r\nuser-agent: me\r\n"
        b"proxy-authorization: p\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "expected"), [("PUT", True), ("POST", True), ("GET", False), ("DELETE", True), ("HEAD", False)]
)
def test_an_empty_body_is_announced_where_one_is_expected(method: str, expected: bool) -> None:
    """Some stores refuse a PUT or POST without Content-Length; a GET with one is odd."""
    assert (b"content-length: 0" in request_head(Request(method, HERE, "/"), "/", {})) is expected


def test_values_go_out_as_they_are_signed() -> None:
    """The signer hashes UTF-8, so UTF-8 is what must be sent."""
    head = request_head(Request("GET", HERE, "/", headers={"x-a": "ü日"}), "/", {})
    assert "\r\nx-a: ü日\r\n".encode() in head


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-a": "secret\r\nx-b: 1"}, "'x-a'"),
        ({"x-a": "secret\n"}, "'x-a'"),
        ({"x-a": "secret\r"}, "'x-a'"),
        ({"x-ok": "1", "x-a": "secret\0"}, "'x-a'"),
        ({"x-a": "secret\ud800"}, "'x-a'"),
        ({"x-a\r\nx-b": "secret"}, "x-b"),
        ({"x a": "secret"}, "'x a'"),
        ({"x-a:": "secret"}, "'x-a:'"),
        ({"": "secret"}, "''"),
        ({"x-ü": "secret"}, "x-ü"),
        ({"content-length": "7"}, "content-length"),
    ],
)
def test_header_injection_is_refused(headers: dict[str, str], told: str) -> None:
    """The error names the header, never its value."""
    with pytest.raises(ConfigError) as caught:
        request_head(Request("GET", HERE, "/", headers=headers), "/", {})
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/a b", "/a\r\nx: y", "/ü", "/a\0"])
def test_a_path_that_is_not_encoded_is_refused(path: str) -> None:
    """The request line holds what was signed, or the request is not sent."""
    with pytest.raises(ConfigError, match="percent-encode"):
        request_head(Request("GET", HERE, path), path, {})

"""The values of the pipe: they compare, pickle, can be read again, and show no secret."""

from __future__ import annotations

import pickle

import pytest

from s3target.errors import ConfigError
from s3target.protocol.messages import BytesBody, Credentials, FileSlice, Origin, Request, Response

ORIGIN = Origin("https", "store.test", 443)


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (("https", "h", 443), "h"),
        (("http", "h", 80), "h"),
        (("http", "h", 443), "h:443"),
        (("https", "h", 80), "h:80"),
        (("https", "h", 8443), "h:8443"),
        (("http", "10.0.0.1", 9000), "10.0.0.1:9000"),
        (("http", "::1", 80), "[::1]"),
        (("https", "fe80::1", 9000), "[fe80::1]:9000"),
        (("https", "fe80::1%eth0", 9000), "[fe80::1]:9000"),
    ],
)
def test_host_header(origin, authority):
    """The scheme's own port is left out, an IPv6 address gets its brackets."""
    assert Origin(*origin).authority == authority


@pytest.mark.parametrize("content", [b"", b"hello", memoryview(b"hello")])
def test_body_in_memory_can_be_read_again(content):
    """Each open() is a fresh reader from the start."""
    body = BytesBody(content)
    assert body.length == len(content)
    for _ in range(2):
        with body.open() as reader:
            assert reader.read() == bytes(content)


def test_slice_of_a_file_is_read_from_its_offset(tmp_path):
    """Each open() begins at the offset; the length is what was asked for."""
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    body = FileSlice(str(path), 3, 4)
    for _ in range(2):
        with body.open() as reader:
            assert reader.read(body.length) == b"3456"


@pytest.mark.parametrize(
    "value",
    [
        ORIGIN,
        BytesBody(b"x"),
        FileSlice("/f", 1, 2),
        Request("PUT", ORIGIN, "/b/k", (("a", "b"),), {"range": "x"}, BytesBody(b"x"), "eu-west-1"),
        Response(200, {"etag": "e"}, b"x"),
        Credentials("AK", "SK", "ST", 1.5, "env"),
    ],
)
def test_values_compare_and_pickle(value):
    """A copy from another process equals the original."""
    twin = pickle.loads(pickle.dumps(value))
    assert twin == value
    assert type(twin) is type(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            Credentials("AK", "SECRET", "SECRET", 1.5, "env"),
            "Credentials(access_key_id='AK', expires_at=1.5, source='env')",
        ),
        (BytesBody(b"SECRET"), "BytesBody(6 bytes)"),
        (
            Request("GET", ORIGIN, "/b/k", (("q", "SECRET"),), {"authorization": "SECRET"}, BytesBody(b"SECRET")),
            "<Request GET https://store.test/b/k>",
        ),
        (Response(200, {"x": "SECRET"}, b"SECRET"), "<Response 200, 6 bytes>"),
        (FileSlice("/f", 1, 2), "FileSlice(path='/f', offset=1, length=2)"),
    ],
)
def test_values_print_without_secrets(value, shown):
    """Signatures, tokens, SSE-C keys and bodies stay out of logs and tracebacks."""
    assert repr(value) == shown
    assert str(value) == shown


def test_headers_are_added_to_a_new_request():
    """The request itself stays as it was; the later value wins."""
    request = Request("GET", ORIGIN, "/", headers={"a": "1", "b": "1"})
    assert request.with_headers({"b": "2", "c": "2"}).headers == {"a": "1", "b": "2", "c": "2"}
    assert request.headers == {"a": "1", "b": "1"}


@pytest.mark.parametrize("keys", [("A\udcff", "S", "T"), ("A", "S\udcff", None), ("A", "S", "T\udcff")])
def test_keys_that_are_no_text_are_refused_unseen(keys):
    """Signing would fail with an error that holds them."""
    with pytest.raises(ConfigError, match="keys \\(env\\) are not UTF-8") as caught:
        Credentials(*keys, source="env")
    assert "\udcff" not in str(caught.value)
    assert caught.value.__context__ is None
    assert Credentials("ä", "ö", "ü").secret_access_key == "ö"

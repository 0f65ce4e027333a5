"""Which proxy, if any: the environment's variables, proxy URLs, and no_proxy lists."""

from __future__ import annotations

import base64

import pytest

from s3target.errors import ConfigError
from s3target.protocol.messages import Origin
from s3target.transport.proxy import Proxy, environment_proxies, find_proxy, is_exempt, parse_proxy


@pytest.mark.parametrize(
    ("environ", "proxies"),
    [
        ({}, {}),
        ({"NO_PROXY": "a"}, {}),
        ({"http_proxy": "http://p:1"}, {"http": "http://p:1"}),
        ({"HTTP_PROXY": "http://p:1"}, {"http": "http://p:1"}),
        ({"HTTP_PROXY": "http://p:1", "http_proxy": "http://q:2"}, {"http": "http://q:2"}),
        ({"HTTP_PROXY": "http://p:1", "http_proxy": ""}, {}),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, {}),
        ({"http_proxy": "http://p:1", "REQUEST_METHOD": "GET"}, {"http": "http://p:1"}),
        ({"HTTPS_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, {"https": "http://p:1"}),
        ({"ALL_PROXY": "http://p:1"}, {"http": "http://p:1", "https": "http://p:1"}),
        ({"all_proxy": "http://p:1", "https_proxy": "http://q:2"}, {"http": "http://p:1", "https": "http://q:2"}),
        ({"all_proxy": "http://p:1", "https_proxy": ""}, {"http": "http://p:1"}),
        ({"https_proxy": "http://p:1", "no_proxy": "a,b", "NO_PROXY": "c"}, {"https": "http://p:1", "no": "a,b"}),
    ],
)
def test_the_environment_names_proxies(environ: dict[str, str], proxies: dict[str, str]) -> None:
    """Lower case wins, set but empty means none, and HTTP_PROXY is not believed in a CGI program."""
    assert environment_proxies(environ) == proxies


@pytest.mark.parametrize(
    ("exceptions", "host", "exempt"),
    [
        ("", "a.test", False),
        ("*", "a.test", True),
        (" , ,", "a.test", False),
        ("a.test", "a.test", True),
        ("A.Test", "a.tesT", True),
        ("b,a.test", "a.test", True),
        ("b a.test", "a.test", True),
        ("a.test", "a.test.", True),
        ("test", "a.test", True),
        (".test", "a.test", True),
        (".a.test", "a.test", True),
        ("*.test", "a.test", True),
        (".", "a.test", False),
        ("est", "a.test", False),
        ("a.test", "ba.test", False),
        ("b.a.test", "a.test", False),
        ("a.test:9000", "a.test", True),
        ("a.test:9001", "a.test", False),
        ("test:9000", "a.test", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:9000", "10.1.2.3", True),
        ("10.1.2.3:1", "10.1.2.3", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.1.2.3/8", "10.200.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "a.test", False),
        ("2.3", "10.1.2.3", False),
        ("a.test,10.0.0.0/99", "10.1.2.3", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("[::1]:9000", "::1", True),
        ("[::1]:1", "::1", False),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "fe80::1", False),
        ("10.0.0.0/8", "::1", False),
    ],
)
def test_no_proxy(exceptions: str, host: str, exempt: bool) -> None:
    """Names match whole labels, addresses by value, blocks by membership; a port narrows an entry."""
    assert is_exempt(exceptions, Origin("http", host, 9000)) is exempt


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://p:3128", Proxy("http", "p", 3128)),
        ("p:3128", Proxy("http", "p", 3128)),
        ("HTTP://p/", Proxy("http", "p", 80)),
        ("https://p", Proxy("https", "p", 443)),
        ("http://[::1]:8", Proxy("http", "::1", 8)),
        ("http://me:a%40b%C3%BC@p:1", Proxy("http", "p", 1, "Basic " + base64.b64encode("me:a@bü".encode()).decode())),
        ("http://me@p:1", Proxy("http", "p", 1, "Basic " + base64.b64encode(b"me:").decode())),
    ],
)
def test_proxy_urls(url: str, proxy: Proxy) -> None:
    """Scheme and port may be left out; user and password are percent-decoded."""
    assert parse_proxy(url, "http") == proxy


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("socks5://me:secret@p:1080", "socks5 proxy, which is not supported"),
        ("http://me:secret@p:port", "write http://"),
        ("http://me:secret@:80", "write http://"),
        ("http://me:secret@[::1", "write http://"),
    ],
)
def test_a_proxy_url_that_cannot_be_used_is_refused_without_its_password(url: str, told: str) -> None:
    """ConfigError says what to write and shows nothing of the URL."""
    with pytest.raises(ConfigError, match=told) as caught:
        parse_proxy(url, "https")
    assert "secret" not in str(caught.value)


def test_the_password_of_a_proxy_is_in_no_repr() -> None:
    """repr() of a Proxy leaves its authorization out."""
    assert "Basic" not in repr(parse_proxy("http://me:secret@p:1", "http"))


def test_the_proxy_goes_by_the_scheme_of_the_origin() -> None:
    """http and https origins have a proxy each; the list of exceptions holds for both."""
    proxies = {"https": "http://p:1", "no": "inner"}
    assert find_proxy(proxies, Origin("https", "a.test", 443)) == Proxy("http", "p", 1)
    assert find_proxy(proxies, Origin("http", "a.test", 80)) is None
    assert find_proxy(proxies, Origin("https", "a.inner", 443)) is None

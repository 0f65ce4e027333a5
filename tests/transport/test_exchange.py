"""By way of a proxy: absolute-form for http, CONNECT for https, TLS to the proxy itself, and its refusals."""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Iterator

import pytest
import trustme

from s3target.errors import ConfigError, ConnectFailed, TimedOut
from s3target.protocol.messages import BytesBody, Origin, Request
from s3target.transport import HttpTransport, TransportOptions
from server.scripted_socket import OK, Peer, Script, ScriptedServer, answers

STORE = Origin("https", "store.test", 8443)
LOGIN = b"proxy-authorization: Basic bWU6c2VjcmV0\r\n"  # me:secret
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture(scope="module")
def authority() -> Iterator[tuple[str, ssl.SSLContext]]:
    """A PEM file to trust, and a server's context for all the names used here."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "store.test").configure_cert(context)
    with ca.cert_pem.tempfile() as path:
        yield path, context


def through(server: ScriptedServer, trusted: str | bool = True, no: str = "") -> HttpTransport:
    """A transport whose proxy is the server, with a login."""
    url = f"{'https' if server.tls else 'http'}://me:secret@127.0.0.1:{server.port}"
    proxies = {"http": url, "https": url, "no": no}
    return HttpTransport(TransportOptions(connect_timeout=2, read_timeout=5, verify=trusted, proxies=proxies))


def tunnels(context: ssl.SSLContext, *replies: bytes) -> Script:
    """A proxy and the store behind it in one: CONNECT, then TLS, then HTTP."""

    def play(peer: Peer) -> None:
        peer.server.requests.append(peer.read_head())
        peer.send(ESTABLISHED)
        peer.start_tls(context)
        answers(*replies)(peer)

    return play


def relays(peer: Peer) -> None:
    """A real proxy: CONNECT, then bytes to and fro."""
    head = peer.read_head()
    peer.server.requests.append(head)
    host, _, port = head.split(b" ")[1].decode().rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as onward, selectors.DefaultSelector() as ready:
        peer.send(ESTABLISHED)
        ready.register(peer.sock, selectors.EVENT_READ, onward)
        ready.register(onward, selectors.EVENT_READ, peer.sock)
        while True:
            for key, _events in ready.select(5):
                pieces = [key.fileobj.recv(65536)]
                while isinstance(key.fileobj, ssl.SSLSocket) and key.fileobj.pending():
                    pieces.append(key.fileobj.recv(65536))
                if not pieces[0]:
                    return
                key.data.sendall(b"".join(pieces))


def test_plain_http_goes_to_the_proxy_in_absolute_form() -> None:
    """The Host header is the store's; the proxy's login goes along. RFC 9112 section 3.2.2."""
    with ScriptedServer(answers(OK, OK)) as server:
        transport = through(server)
        for _ in range(2):
            request = Request("GET", Origin("http", "store.test", 80), "/b/k", (("x", "1"),))
            assert transport.send(request).reader().read() == b"ok"
        transport.close()
    assert server.requests[0].startswith(b"GET http://store.test/b/k?x=1 HTTP/1.1\r\nhost: store.test\r\n")
    assert LOGIN in server.requests[0]


def test_exempt_hosts_are_reached_directly() -> None:
    """The list of the proxy's exceptions; origin-form and no login then."""
    with ScriptedServer() as proxy, ScriptedServer(answers(OK)) as server:
        transport = through(proxy, no="127.0.0.0/8")
        assert transport.send(Request("GET", server.origin, "/b")).reader().read() == b"ok"
        transport.close()
    assert proxy.accepted == 0
    assert server.requests[0].startswith(b"GET /b HTTP/1.1\r\n")
    assert LOGIN not in server.requests[0]


def test_https_goes_through_a_tunnel(authority: tuple[str, ssl.SSLContext]) -> None:
    """CONNECT once, TLS with the store, and then as ever; the login stays with the proxy."""
    trusted, context = authority
    with ScriptedServer(tunnels(context, OK, OK)) as server:
        transport = through(server, trusted)
        for _ in range(2):
            assert transport.send(Request("GET", STORE, "/b")).reader().read() == b"ok"
        transport.close()
    connect, first, second = server.requests
    assert connect == b"CONNECT store.test:8443 HTTP/1.1\r\nhost: store.test:8443\r\n" + LOGIN + b"\r\n"
    assert first == second
    assert first.startswith(b"GET /b HTTP/1.1\r\nhost: store.test:8443\r\n")
    assert LOGIN not in first


@pytest.mark.parametrize(
    ("reply", "told", "status"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno", "407: put user:password@", 407),
        (b"HTTP/1.1 503 Unavailable\r\n\r\n", "refused store.test:8443: 503", 503),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", "302", 302),
        (b"SSH-2.0\r\n", "does not speak HTTP", None),
        (b"HTTP/1.1 200 OK\r\n", "cannot connect to store.test:8443 by proxy 127.0.0.1:", None),
        (b"", "cannot connect to store.test:8443 by proxy 127.0.0.1:", None),
        (b"HTTP/1.1 200 OK\r\n\r\nwelcome", "bytes of its own", None),
    ],
)
def test_a_tunnel_refused(reply: bytes, told: str, status: int | None) -> None:
    """ConnectFailed with the proxy's status, the proxy named, and never its password."""

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(reply)

    with ScriptedServer(play) as server, pytest.raises(ConnectFailed, match=told) as caught:
        through(server).send(Request("GET", STORE, "/"))
    assert caught.value.status == status
    assert "secret" not in str(caught.value)


def test_a_proxy_that_does_not_answer_times_out() -> None:
    """The connect timeout holds for CONNECT too."""

    def play(peer: Peer) -> None:
        while peer.sock.recv(10_000):
            pass

    with ScriptedServer(play) as server:
        proxies = {"https": f"http://127.0.0.1:{server.port}"}
        transport = HttpTransport(TransportOptions(connect_timeout=0.2, proxies=proxies))
        with pytest.raises(TimedOut, match=r"by proxy 127\.0\.0\.1"):
            transport.send(Request("GET", STORE, "/"))


def test_the_stores_certificate_is_checked_in_the_tunnel_too(authority: tuple[str, ssl.SSLContext]) -> None:
    """The proxy cannot pass for the store."""

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(ESTABLISHED)
        peer.start_tls(authority[1])
        raise AssertionError("the client took it")

    with ScriptedServer(play) as server, pytest.raises(ConnectFailed, match=r"not for evil\.test"):
        through(server, authority[0]).send(Request("GET", Origin("https", "evil.test", 443), "/"))


def test_plain_http_by_tls_to_the_proxy(authority: tuple[str, ssl.SSLContext]) -> None:
    """The proxy's own certificate is checked."""
    trusted, context = authority
    with ScriptedServer(answers(OK), tls=context) as server:
        transport = through(server, trusted)
        assert transport.send(Request("GET", Origin("http", "store.test", 80), "/b")).reader().read() == b"ok"
        transport.close()
    assert server.requests[0].startswith(b"GET http://store.test/b HTTP/1.1\r\n")


def test_https_by_tls_to_the_proxy(authority: tuple[str, ssl.SSLContext]) -> None:
    """TLS inside TLS: large bodies both ways, and the connection used again."""
    trusted, context = authority
    content = bytes(range(256)) * 4000
    big = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)
    with ScriptedServer(answers(big, OK), tls=context) as store, ScriptedServer(relays, tls=context) as proxy:
        transport = through(proxy, trusted)
        response = transport.send(Request("PUT", store.origin, "/b", body=BytesBody(content)))
        assert response.reader().readall() == content  # type: ignore[union-attr]
        assert transport.send(Request("GET", store.origin, "/b")).reader().read() == b"ok"
        transport.close()
    assert store.requests[0].endswith(b"\r\n\r\n" + content)
    assert (store.accepted, proxy.accepted) == (1, 1)


def test_https_by_tls_to_the_proxy_checks_the_inner_certificate(authority: tuple[str, ssl.SSLContext]) -> None:
    """Two certificates, two checks."""
    trusted, context = authority

    def never(peer: Peer) -> None:
        raise AssertionError("the client took it")

    strange = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(strange)
    with (
        ScriptedServer(never, tls=strange) as store,
        ScriptedServer(relays, tls=context) as proxy,
        pytest.raises(ConnectFailed, match=r"certificate of 127.0.0.1 is not trusted"),
    ):
        through(proxy, trusted).send(Request("GET", store.origin, "/"))


def test_an_inner_connection_cut_off_in_the_handshake(authority: tuple[str, ssl.SSLContext]) -> None:
    """The proxy agrees, then hangs up."""

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(ESTABLISHED)
        peer.sock.recv(10_000)

    with ScriptedServer(play, tls=authority[1]) as server, pytest.raises(ConnectFailed, match=r"store\.test"):
        through(server, authority[0]).send(Request("GET", STORE, "/"))


def test_socks_is_not_supported_and_says_so() -> None:
    """Only when it would be used."""
    transport = HttpTransport(TransportOptions(proxies={"http": "socks5://me:secret@p:1080", "no": "127.0.0.1"}))
    with pytest.raises(ConfigError, match="socks5 proxy, which is not supported"):
        transport.send(Request("GET", Origin("http", "store.test", 80), "/"))
    with ScriptedServer(answers(OK)) as server:
        assert transport.send(Request("GET", server.origin, "/")).reader().read() == b"ok"
        transport.close()

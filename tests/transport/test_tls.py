"""TLS: who is trusted, what is checked, and what the errors say."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from s3target.errors import ConfigError, ConnectFailed, ConnectionDropped, TimedOut
from s3target.protocol.messages import Origin, Request
from s3target.transport import HttpTransport, TransportOptions
from s3target.transport.tls import Tls
from server.scripted_socket import OK, Peer, ScriptedServer, answers


def never(peer: Peer) -> None:
    """The handshake fails on the server's side, so no script is reached."""
    raise AssertionError("no request was to come through")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def options(verify: bool | str = True, certificate: str | tuple[str, str] | None = None) -> TransportOptions:
    return TransportOptions(connect_timeout=2, read_timeout=2, verify=verify, client_certificate=certificate)


def ask(transport: HttpTransport, origin: Origin) -> bytes:
    content = transport.send(Request("GET", origin, "/")).reader().read()
    transport.close()
    return content


def test_an_authority_of_ones_own_is_trusted_when_named(authority: trustme.CA, trusted: str) -> None:
    """verify='/path/to/ca.pem'."""
    with ScriptedServer(answers(OK), tls=serving(authority, "127.0.0.1")) as server:
        assert ask(HttpTransport(options(trusted)), server.origin) == b"ok"


def test_an_unknown_authority_is_not_trusted(authority: trustme.CA) -> None:
    """The error names the host and says what to pass."""
    with (
        ScriptedServer(never, tls=serving(authority, "127.0.0.1")) as server,
        pytest.raises(ConnectFailed, match=r"certificate of 127.0.0.1 is not trusted .*verify='/path/to/ca.pem'"),
    ):
        ask(HttpTransport(options()), server.origin)


@pytest.mark.parametrize("name", ["127.0.0.2", "other.test"])
def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, trusted: str, name: str) -> None:
    """Trusting the authority is not enough."""
    with (
        ScriptedServer(never, tls=serving(authority, name)) as server,
        pytest.raises(ConnectFailed, match=r"not for 127.0.0.1 .*check the endpoint's host"),
    ):
        ask(HttpTransport(options(trusted)), server.origin)


def test_verify_false_takes_anybody_and_says_so_once(authority: trustme.CA, caplog: pytest.LogCaptureFixture) -> None:
    """One warning per transport, however many connections."""
    transport = HttpTransport(options(False))
    server = ScriptedServer(answers(OK), endless=True, tls=serving(authority, "other.test"))
    with caplog.at_level(logging.WARNING, "s3target.transport"), server:
        assert ask(transport, server.origin) == b"ok"
        assert ask(transport, server.origin) == b"ok"
    assert [record.name for record in caplog.records] == ["s3target.transport"]
    assert "verify=False" in caplog.text


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: str(path / "gone.pem"), "there is no such file"),
        (lambda path: "", "there is no such file"),
        (lambda path: str(path / "no.pem"), "no readable file of PEM certificates"),
    ],
)
def test_authorities_that_cannot_be_read(tmp_path: Path, make: Callable[[Path], str], told: str) -> None:
    """Found out before the network is troubled: nobody listens here."""
    (tmp_path / "no.pem").write_text("nothing")
    with pytest.raises(ConfigError, match=told):
        ask(HttpTransport(options(make(tmp_path))), Origin("https", "127.0.0.1", 9))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command names the files of a directory")
def test_a_directory_of_authorities_is_taken(authority: trustme.CA, trusted: str, tmp_path: Path) -> None:
    """As OpenSSL wants it: files named by hash. One that does not hold the authority does not trust it."""
    shown = subprocess.run(["openssl", "x509", "-in", trusted, "-noout", "-hash"], capture_output=True, check=True)
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / f"{shown.stdout.decode().strip()}.0").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "empty").mkdir()
    context = serving(authority, "127.0.0.1")
    with ScriptedServer(answers(OK), tls=context) as server:
        assert ask(HttpTransport(options(str(tmp_path / "good"))), server.origin) == b"ok"
    with ScriptedServer(never, tls=context) as server, pytest.raises(ConnectFailed, match="not trusted"):
        ask(HttpTransport(options(str(tmp_path / "empty"))), server.origin)


def test_the_host_name_is_told_to_the_server(authority: trustme.CA, trusted: str) -> None:
    """SNI for names, as one address may serve many; none for addresses."""
    told: list[str | None] = []
    context = serving(authority, "localhost", "127.0.0.1")
    context.sni_callback = lambda sock, name, context: told.append(name)
    for host in ("localhost", "127.0.0.1"):
        with ScriptedServer(answers(OK), tls=context) as server:
            assert ask(HttpTransport(options(trusted)), Origin("https", host, server.port)) == b"ok"
    assert told == ["localhost", None]


def test_the_dot_of_the_root_is_in_no_certificate(authority: trustme.CA, trusted: str) -> None:
    """https://localhost./ is the host "localhost", to SNI (RFC 6066 section 3) and to its certificate."""
    told: list[str | None] = []
    context = serving(authority, "localhost")
    context.sni_callback = lambda sock, name, context: told.append(name)
    with ScriptedServer(answers(OK), tls=context) as server:
        sock = socket.create_connection(("127.0.0.1", server.port), 2)
        with Tls(options(trusted)).wrap(sock, "localhost.") as wrapped:  # type: ignore[union-attr]
            wrapped.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert wrapped.recv(100) == OK
    assert told == ["localhost"]


def test_old_protocols_are_not_spoken() -> None:
    """TLS 1.2 at least; the context is made once."""
    tls = Tls(options())
    assert tls.context().minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.context() is tls.context()
    assert tls.context().check_hostname
    assert tls.context().verify_mode == ssl.CERT_REQUIRED


def test_a_client_certificate_is_shown_when_asked_for(authority: trustme.CA, trusted: str, tmp_path: Path) -> None:
    """One PEM file with both, or a pair of files."""
    mine = authority.issue_cert("me@here.test")
    both, cert, key = (str(tmp_path / name) for name in ("both.pem", "cert.pem", "key.pem"))
    mine.private_key_and_cert_chain_pem.write_to_path(both)
    mine.cert_chain_pems[0].write_to_path(cert)
    mine.private_key_pem.write_to_path(key)
    context = serving(authority, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    for certificate in (both, (cert, key)):
        with ScriptedServer(answers(OK), tls=context) as server:
            assert ask(HttpTransport(options(trusted, certificate)), server.origin) == b"ok"
    with ScriptedServer(never, tls=context) as server, pytest.raises((ConnectFailed, ConnectionDropped)):
        ask(HttpTransport(options(trusted)), server.origin)


def test_a_client_certificate_that_cannot_be_used(authority: trustme.CA, tmp_path: Path) -> None:
    """Missing, without key, or with an encrypted key: an error, and never a question on the terminal."""
    mine = authority.issue_cert("me@here.test")
    key = load_pem_private_key(mine.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "locked.pem").write_bytes(locked + mine.cert_chain_pems[0].bytes())
    (tmp_path / "bare.pem").write_bytes(mine.cert_chain_pems[0].bytes())
    for name in ("locked.pem", "bare.pem", "gone.pem"):
        with pytest.raises(ConfigError, match=f"{name}.*must not be encrypted"):
            Tls(options(certificate=str(tmp_path / name))).context()


def test_plain_http_where_tls_is_expected(trusted: str) -> None:
    """The message asks the right question."""

    def play(peer: Peer) -> None:
        peer.sock.recv(10_000)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with (
        ScriptedServer(play) as server,
        pytest.raises(ConnectFailed, match=r"TLS handshake with 127.0.0.1 failed .*plain http"),
    ):
        ask(HttpTransport(options(trusted)), Origin("https", "127.0.0.1", server.port))


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_handshake_cut_off(trusted: str, how: str) -> None:
    """Nothing has been sent, so ConnectFailed."""

    def play(peer: Peer) -> None:
        peer.sock.recv(10_000)
        if how == "reset":
            peer.reset()

    with ScriptedServer(play) as server, pytest.raises(ConnectFailed, match=r"127\.0\.0\.1"):
        ask(HttpTransport(options(trusted)), Origin("https", "127.0.0.1", server.port))


def test_a_handshake_without_an_answer_times_out(trusted: str) -> None:
    """The connect timeout holds for TLS too."""

    def play(peer: Peer) -> None:
        while peer.sock.recv(10_000):
            pass

    transport = HttpTransport(TransportOptions(connect_timeout=0.2, verify=trusted))
    with ScriptedServer(play) as server, pytest.raises(TimedOut, match=r"within 0.2 s"):
        ask(transport, Origin("https", "127.0.0.1", server.port))


def test_a_body_until_close_must_end_with_a_goodbye(authority: trustme.CA, trusted: str) -> None:
    """TLS tells an end from a cut: close_notify is the end of the body, a bare close is not."""

    def ends(peer: Peer) -> None:
        cut(peer)
        peer.sock.unwrap()  # type: ignore[attr-defined]

    def cut(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nabc")

    transport = HttpTransport(options(trusted))
    with ScriptedServer(ends, cut, tls=serving(authority, "127.0.0.1")) as server:
        assert ask(transport, server.origin) == b"abc"
        with pytest.raises(ConnectionDropped):
            ask(transport, server.origin)


def test_large_bodies_by_tls(authority: trustme.CA, trusted: str) -> None:
    """Many records make one body, in a read or two, and the connection goes on after it."""
    content = bytes(range(256)) * 8000
    big = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)
    transport = HttpTransport(options(trusted))
    with ScriptedServer(answers(big, OK), tls=serving(authority, "127.0.0.1")) as server:
        response = transport.send(Request("GET", server.origin, "/"))
        buffer = bytearray(len(content))
        counts = []
        while count := response.reader().readinto(memoryview(buffer)[sum(counts) :]):
            counts.append(count)
        assert (sum(counts), buffer) == (len(content), content)
        assert len(counts) <= 2
        assert ask(transport, server.origin) == b"ok"
    assert server.accepted == 1


def test_what_came_by_tls_before_a_cut_is_given(authority: trustme.CA, trusted: str) -> None:
    """So that who reads can go on from there; the error comes with the next read."""

    def cut(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        peer.send(b"abc")
        peer.send(b"def")

    transport = HttpTransport(options(trusted))
    with ScriptedServer(cut, tls=serving(authority, "127.0.0.1")) as server:
        body = transport.send(Request("GET", server.origin, "/")).reader()
        buffer = bytearray(9)
        assert (body.readinto(memoryview(buffer)), buffer[:6]) == (6, b"abcdef")
        with pytest.raises(ConnectionDropped):
            body.readinto(memoryview(buffer))
    transport.close()

"""Requests with bodies on real sockets: content exact, files short or gone, answers that come while we send."""

from __future__ import annotations

import hashlib
import io
import random
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest
import trustme

from s3target.errors import ConfigError, ConnectFailed, ConnectionDropped, TimedOut
from s3target.protocol.messages import Body, BytesBody, FileSlice, Origin, Request
from s3target.transport import HttpTransport, TransportOptions
from s3target.transport.connection import Connection
from server.scripted_socket import OK, PATIENCE, Peer, ScriptedServer, answers

CONTENT = random.Random(1).randbytes(3_000_000)
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied"


@dataclass(frozen=True)
class OtherBody(Body):
    """A body of a kind that the transport does not know."""

    content: bytes

    @property
    def length(self) -> int:  # type: ignore[override]
        return len(self.content)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    """A PEM file to trust, and the context of a server for 127.0.0.1."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return str(path), context


@pytest.fixture
def transport(authority: tuple[str, ssl.SSLContext]) -> Iterator[HttpTransport]:
    transport = HttpTransport(TransportOptions(connect_timeout=5, read_timeout=5, verify=authority[0]))
    yield transport
    transport.close()


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, authority: tuple[str, ssl.SSLContext]) -> ssl.SSLContext | None:
    """Every test that takes it runs without and with TLS."""
    return authority[1] if request.param == "tls" else None


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return str(path)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
@pytest.mark.parametrize("kind", ["bytes", "view", "file", "other"])
def test_bodies_arrive_exact(
    transport: HttpTransport, tls: ssl.SSLContext | None, file: str, kind: str, size: int
) -> None:
    """Every kind and size of body, announced by its length; the connection goes on after it."""
    offset = min(1234, 3_000_000 - size)
    expected = CONTENT[offset : offset + size]
    bodies = {
        "bytes": BytesBody(expected),
        "view": BytesBody(memoryview(CONTENT)[offset : offset + size]),
        "file": FileSlice(file, offset, size),
        "other": OtherBody(expected),
    }
    with ScriptedServer(answers(OK, OK), tls=tls) as server:
        for _ in range(2):
            response = transport.send(Request("PUT", server.origin, "/k", body=bodies[kind]))
            assert response.reader().read() == b"ok"
        transport.close()
    for request in server.requests:
        head, _, received = request.partition(b"\r\n\r\n")
        assert f"content-length: {size}".encode() in head
        assert hashlib.sha256(received).digest() == hashlib.sha256(expected).digest()


def drains_until_close(peer: Peer) -> None:
    """Takes the head, then what comes, and sees the connection end."""
    peer.read_head()
    while peer.sock.recv(1 << 20):
        pass


@pytest.mark.parametrize("there", [0, 10, 2_000_000])
def test_a_file_shorter_than_announced_closes_the_connection(
    transport: HttpTransport, tls: ssl.SSLContext | None, tmp_path: Path, there: int
) -> None:
    """The other side must never take the next request for the rest of this one."""
    (tmp_path / "short").write_bytes(CONTENT[:there])
    body = FileSlice(str(tmp_path / "short"), 0, there + 5)
    told = f"only {there} of {there + 5} bytes"
    with ScriptedServer(drains_until_close, tls=tls) as server, pytest.raises(ConnectionDropped, match=told):
        transport.send(Request("PUT", server.origin, "/k", body=body))


def test_a_file_that_is_not_there_is_a_plain_os_error(transport: HttpTransport) -> None:
    """It is the caller's file, and nothing has been sent: no connection is made, nothing to retry."""
    with ScriptedServer() as server, pytest.raises(FileNotFoundError, match="gone"):
        transport.send(Request("PUT", server.origin, "/k", body=FileSlice("gone", 0, 5)))
    assert server.accepted == 0


def refuses_early(peer: Peer) -> None:
    """Reads the head and a little, refuses, closes: with unread bytes the kernel makes a reset of that."""
    peer.server.requests.append(peer.read_head())
    peer.send(FORBIDDEN)


@pytest.mark.parametrize("kind", ["bytes", "file", "other"])
def test_a_refusal_that_comes_while_the_body_is_sent_is_the_answer(
    transport: HttpTransport, tls: ssl.SSLContext | None, file: str, kind: str
) -> None:
    """S3 says 403 and closes; that says more than a broken pipe. The connection is not used again."""
    big = CONTENT * 8
    Path(file).write_bytes(big)
    bodies = {"bytes": BytesBody(big), "file": FileSlice(file, 0, len(big)), "other": OtherBody(big)}
    with ScriptedServer(refuses_early, answers(OK), tls=tls) as server:
        response = transport.send(Request("PUT", server.origin, "/k", body=bodies[kind]))
        assert (response.status, response.reader().read()) == (403, b"denied")
        assert transport.send(Request("GET", server.origin, "/")).status == 200
        transport.close()
    assert server.accepted == 2


def test_a_connection_that_got_only_a_part_of_a_body_is_not_used_again(
    tls: ssl.SSLContext | None, authority: tuple[str, ssl.SSLContext]
) -> None:
    """The server refuses and stops reading, but stays: it still waits for the rest of the body."""
    released = threading.Event()

    def play(peer: Peer) -> None:
        peer.read_head()
        peer.send(FORBIDDEN)
        assert released.wait(PATIENCE)

    transport = HttpTransport(TransportOptions(connect_timeout=5, read_timeout=0.5, verify=authority[0]))
    with ScriptedServer(play, answers(OK), tls=tls) as server:
        response = transport.send(Request("PUT", server.origin, "/k", body=BytesBody(CONTENT * 8)))
        assert (response.status, response.reader().read()) == (403, b"denied")
        assert transport.send(Request("GET", server.origin, "/")).reader().read() == b"ok"
        released.set()
        transport.close()
    assert server.accepted == 2


def test_a_peer_that_stops_taking_the_body_times_out(
    tls: ssl.SSLContext | None, authority: tuple[str, ssl.SSLContext]
) -> None:
    """Silence while sending is silence too."""
    released = threading.Event()

    def play(peer: Peer) -> None:
        peer.read_head()
        assert released.wait(PATIENCE)

    options = TransportOptions(connect_timeout=5, read_timeout=0.3, verify=authority[0])
    with ScriptedServer(play, tls=tls) as server:
        with pytest.raises(TimedOut, match=r"silent for 0.3 s"):
            HttpTransport(options).send(Request("PUT", server.origin, "/k", body=BytesBody(CONTENT * 8)))
        released.set()


def test_the_read_timeout_is_for_silence_not_for_the_whole_body() -> None:
    """A slow but steady peer may take as long as it needs: several times the timeout here."""
    begun = []

    def play(peer: Peer) -> None:
        request = peer.read_head()
        left = int(request.partition(b"content-length: ")[2].split(b"\r\n")[0]) - len(peer.received)
        peer.received = b""
        pace = threading.Event()
        while left > 0:
            pace.wait(0.02)
            left -= len(peer.sock.recv(min(left, 400_000)))
            begun.append(left)
        peer.send(OK)
        peer.wait_for_close()

    transport = HttpTransport(TransportOptions(connect_timeout=5, read_timeout=0.6))
    with ScriptedServer(play) as server:
        response = transport.send(Request("PUT", server.origin, "/k", body=BytesBody(CONTENT * 10)))
        assert response.reader().read() == b"ok"
        transport.close()
    assert len(begun) * 0.02 > 0.6


def test_a_stale_connection_that_breaks_while_the_body_is_sent_says_so(transport: HttpTransport) -> None:
    """It had served before, and no byte of an answer came: trying again is free."""

    def play(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        peer.read_head()
        peer.reset()

    with ScriptedServer(play) as server:
        assert transport.send(Request("GET", server.origin, "/")).reader().read() == b"ok"
        with pytest.raises(ConnectionDropped) as caught:
            transport.send(Request("PUT", server.origin, "/k", body=BytesBody(CONTENT * 8)))
        assert caught.value.reused


def test_tcp_options_are_set() -> None:
    """Nagle's algorithm is off always, keep-alive probes are on when asked for."""
    for keepalive in (False, True):
        options = TransportOptions(tcp_keepalive=keepalive)
        with ScriptedServer(Peer.wait_for_close) as server:
            connection = Connection(Origin("http", "127.0.0.1", server.port), options, None, None, None)
            connection.connect()
            assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert bool(connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is keepalive
            kept = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.calcsize("@ll"))
            assert struct.unpack("@ll", kept) == (60, 0)
            connection.close()


@pytest.mark.parametrize("tiny", [1e-9, 2e-7])
def test_the_smallest_timeout_is_one(tiny: float) -> None:
    """To the kernel, no microsecond at all is no timeout."""
    with ScriptedServer(Peer.wait_for_close) as server:
        connection = Connection(server.origin, TransportOptions(read_timeout=tiny), None, None, None)
        connection.connect()
        assert any(connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.calcsize("@ll")))
        connection.close()


def test_a_kernel_that_takes_no_such_timeout_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a time is longer than a long: 32 bits, 64 for time_t."""
    monkeypatch.setattr(socket, "SO_RCVTIMEO", 9999)

    def is_silent(peer: Peer) -> None:
        peer.read_request()
        peer.wait_for_close()

    with ScriptedServer(is_silent) as server, pytest.raises(TimedOut, match=r"was silent for 0\.2 s"):
        HttpTransport(TransportOptions(read_timeout=0.2)).send(Request("GET", server.origin, "/"))


def test_a_timeout_longer_than_time_is_refused_as_an_error_of_ours() -> None:
    with ScriptedServer(Peer.wait_for_close) as server, pytest.raises(ConnectFailed, match="cannot connect"):
        HttpTransport(TransportOptions(read_timeout=1e30)).send(Request("GET", server.origin, "/"))


def test_a_host_that_cannot_be_one_is_refused() -> None:
    """Before anything is looked up."""
    with pytest.raises(ConfigError, match=r"'a\\nb' is no host name: check the endpoint"):
        Connection(Origin("http", "a\nb", 80), TransportOptions(), None, None, None)


def test_https_is_never_spoken_plainly() -> None:
    """A connection that was given no TLS fails, and sends nothing."""
    with ScriptedServer(Peer.wait_for_close) as server:
        connection = Connection(Origin("https", "127.0.0.1", server.port), TransportOptions(), None, None, None)
        with pytest.raises(AssertionError):
            connection.connect()
        assert connection.sock is None

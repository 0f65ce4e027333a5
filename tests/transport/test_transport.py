"""HttpTransport on real sockets: what goes out, what comes back, and what becomes of the connection."""

from __future__ import annotations

import logging
import pickle
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trustme

from s3target.errors import BadResponse, ConfigError, ConnectFailed, ConnectionDropped, TimedOut
from s3target.protocol.messages import BytesBody, Origin, Request, Response
from s3target.transport import HttpTransport, TransportOptions
from server.scripted_socket import OK, PATIENCE, Peer, ScriptedServer, answers, answers_and_closes, answers_forever

QUICK = TransportOptions(connect_timeout=5, read_timeout=0.3)


def get(origin: Origin, path: str = "/", method: str = "GET") -> Request:
    return Request(method, origin, path)


def content(response: Response) -> bytes:
    pieces, stream = [], response.reader()
    while piece := stream.read(100_000):
        pieces.append(piece)
    stream.close()
    return b"".join(pieces)


@pytest.fixture
def transport():
    transport = HttpTransport(TransportOptions(connect_timeout=5, read_timeout=5))
    yield transport
    transport.close()


def test_head_and_small_body_go_out_in_one_write(transport: HttpTransport) -> None:
    """One segment, so one recv on the other side gets all of it."""
    first: list[bytes] = []

    def play(peer: Peer) -> None:
        first.append(peer.sock.recv(100_000))
        peer.send(OK)
        peer.wait_for_close()

    with ScriptedServer(play) as server:
        request = Request("PUT", server.origin, "/b/k", (("x", "a b"), ("a", "")), {"x-h": "v"}, BytesBody(b"c" * 5000))
        response = transport.send(request)
        assert (response.status, response.headers, content(response)) == (200, {"content-length": "2"}, b"ok")
        transport.close()
    authority = f"127.0.0.1:{server.port}"
    assert (
        first[0]
        == (
            f"PUT /b/k?a=&x=a%20b HTTP/1.1\r\nhost: {authority}\r\nx-h: v\r\ncontent-length: 5000\r\n"
            "accept-encoding: identity\r\nuser-agent: s3target\r\n\r\n" + "c" * 5000
        ).encode()
    )


@pytest.mark.parametrize(
    ("method", "reply", "expected"),
    [
        ("GET", OK, b"ok"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b""),
        ("HEAD", b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
        ("GET", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000, b"x" * 300_000),
    ],
)
def test_the_connection_serves_again_once_its_body_is_read(
    transport: HttpTransport, method: str, reply: bytes, expected: bytes
) -> None:
    """Every framing leaves the connection right behind the answer."""
    with ScriptedServer(answers(reply, OK)) as server:
        assert content(transport.send(get(server.origin, method=method))) == expected
        assert content(transport.send(get(server.origin))) == b"ok"
        transport.close()
    assert server.accepted == 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
    ],
)
def test_the_connection_is_not_used_again(transport: HttpTransport, reply: bytes, expected: bytes) -> None:
    """The server said so, or what it sent cannot be trusted to end where it should."""
    with ScriptedServer(answers(reply), answers(OK)) as server:
        assert content(transport.send(get(server.origin))) == expected
        assert content(transport.send(get(server.origin))) == b"ok"
        transport.close()
    assert server.accepted == 2


def test_a_body_until_close_is_read_to_the_end(transport: HttpTransport) -> None:
    """Neither length nor chunks: the end of the connection is the end of the body."""
    with ScriptedServer(answers_and_closes(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000)) as server:
        assert content(transport.send(get(server.origin))) == b"x" * 200_000


def test_a_chunked_body_ends_with_its_last_chunk() -> None:
    """Not when the read timeout runs out because no more came: the other side keeps the connection open."""
    transport = HttpTransport(TransportOptions(read_timeout=PATIENCE / 2))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"186a0\r\n" + bytes(100_000) + b"\r\n"
    with ScriptedServer(answers(head + 2 * chunk + b"0\r\n\r\n")) as server:
        begun = time.monotonic()
        assert len(content(transport.send(Request("GET", server.origin, "/")))) == 200_000
        assert time.monotonic() - begun < PATIENCE / 4
        transport.close()


def test_a_length_beside_chunks_is_not_believed(transport: HttpTransport) -> None:
    """Else who goes by it takes a part of the body for all of it. RFC 9112 section 6.3."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    with ScriptedServer(answers(reply)) as server:
        response = transport.send(get(server.origin))
        assert "content-length" not in response.headers
        assert content(response) == b"ok"
        transport.close()


def test_a_store_may_say_that_it_is_still_at_work() -> None:
    """By a 1xx answer now and then: the patience for a head is none for all of them."""

    def works(peer: Peer) -> None:
        peer.read_request()
        for _ in range(4):
            peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            time.sleep(0.4)
        peer.send(OK)

    with ScriptedServer(works) as server:
        transport = HttpTransport(TransportOptions(read_timeout=1))
        assert content(transport.send(get(server.origin))) == b"ok"
        transport.close()


def test_an_answer_may_come_byte_by_byte(transport: HttpTransport) -> None:
    """Packets have no meaning."""

    def play(peer: Peer) -> None:
        peer.read_request()
        peer.drip(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        )
        peer.wait_for_close()

    with ScriptedServer(play) as server:
        assert content(transport.send(get(server.origin))) == b"ok"
        transport.close()


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"])
def test_an_answer_cut_off_in_its_head_is_no_answer(transport: HttpTransport, received: bytes) -> None:
    """Not even with a status of 200 in it; and the first request of a connection cannot have met a stale one."""
    with ScriptedServer(answers_and_closes(received)) as server:
        with pytest.raises(ConnectionDropped, match=f"127.0.0.1:{server.port}") as caught:
            transport.send(get(server.origin))
        assert not caught.value.reused


@pytest.mark.parametrize("framing", [b"Content-Length: 300000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("sent", [0, 5, 200_000])
def test_a_body_cut_off_raises(transport: HttpTransport, framing: bytes, sent: int) -> None:
    """Never a silent short read."""
    size = b"493e0\r\n" if b"chunked" in framing else b""
    reply = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + size + b"x" * sent
    with ScriptedServer(answers_and_closes(reply)) as server:
        response = transport.send(get(server.origin))
        with pytest.raises(ConnectionDropped) as caught:
            content(response)
        assert not caught.value.reused


def test_a_body_reset_by_the_other_side_raises(transport: HttpTransport) -> None:
    """Also a body that would end by closing: a reset is no end."""

    read = threading.Event()

    def play(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        assert read.wait(PATIENCE)
        peer.reset()

    with ScriptedServer(play) as server:
        response = transport.send(get(server.origin))
        assert response.reader().read(3) == b"abc"
        read.set()
        with pytest.raises(ConnectionDropped):
            content(response)


def test_a_stale_connection_is_told_from_a_fresh_one(transport: HttpTransport) -> None:
    """It had served, and dropped without a byte of the next answer: `reused` says that trying again is free."""

    def play(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        peer.read_request()  # and never answers it

    with ScriptedServer(play) as server:
        content(transport.send(get(server.origin)))
        with pytest.raises(ConnectionDropped) as caught:
            transport.send(get(server.origin))
        assert caught.value.reused


def test_a_connection_that_broke_inside_an_answer_was_not_stale(transport: HttpTransport) -> None:
    """A byte of the answer had come, so the request has been seen."""

    def play(peer: Peer) -> None:
        peer.read_request()
        peer.send(OK)
        peer.read_request()
        peer.send(b"H")

    with ScriptedServer(play) as server:
        content(transport.send(get(server.origin)))
        with pytest.raises(ConnectionDropped) as caught:
            transport.send(get(server.origin))
        assert not caught.value.reused


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
def test_silence_before_or_inside_a_head_times_out(reply: bytes) -> None:
    """The message says who was silent, and for how long."""

    def play(peer: Peer) -> None:
        peer.read_request()
        peer.send(reply)
        peer.wait_for_close()

    with (
        ScriptedServer(play) as server,
        pytest.raises(TimedOut, match=rf"127.0.0.1:{server.port} was silent for 0.3 s"),
    ):
        HttpTransport(QUICK).send(get(server.origin))


def test_silence_inside_a_body_times_out() -> None:
    """And the connection is closed: the server sees it go."""

    def play(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        peer.wait_for_close()

    with ScriptedServer(play) as server:
        response = HttpTransport(QUICK).send(get(server.origin))
        with pytest.raises(TimedOut):
            content(response)


@pytest.mark.parametrize(
    "reply",
    [b"220 smtp.test ESMTP\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad\r\n\r\n"],
)
def test_what_is_no_http_is_refused_and_the_connection_closed(transport: HttpTransport, reply: bytes) -> None:
    """The script waits for the close."""
    with ScriptedServer(answers(reply)) as server, pytest.raises(BadResponse):
        transport.send(get(server.origin))


def test_a_stream_dropped_or_closed_before_its_end_closes_the_connection(transport: HttpTransport) -> None:
    """The rest is not drained; the scripts wait for the close."""
    long = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    with ScriptedServer(long, long, answers(OK)) as server:
        response = transport.send(get(server.origin))
        del response
        response = transport.send(get(server.origin))
        response.reader().close()
        assert content(transport.send(get(server.origin))) == b"ok"
        transport.close()
    assert server.accepted == 3


def test_a_transport_dropped_without_close_leaks_no_socket() -> None:
    """ResourceWarning is an error in these tests; and the script waits for the close."""
    with ScriptedServer(answers(OK)) as server:
        content(HttpTransport().send(get(server.origin)))


def test_redirects_are_answers_like_any_other(transport: HttpTransport) -> None:
    """Nothing is followed: a signature must not reach another host."""
    reply = b"HTTP/1.1 307 Temporary\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer(answers(reply)) as server:
        response = transport.send(get(server.origin))
        transport.close()
    assert (response.status, response.headers["location"]) == (307, "http://evil.test/")


def test_nobody_listens(transport: HttpTransport) -> None:
    """ConnectFailed names host and port."""
    with ScriptedServer() as server:
        origin = server.origin
    with pytest.raises(ConnectFailed, match=f"127.0.0.1:{origin.port}"):
        transport.send(get(origin))


@pytest.mark.parametrize("host", ["::1%no-such-interface", "a..b", "x" * 64 + ".test"])
def test_a_host_without_address(transport: HttpTransport, host: str) -> None:
    """The message says what to look at. None of these needs to ask a name server."""
    with pytest.raises(ConnectFailed, match="check the endpoint's host name"):
        transport.send(get(Origin("http", host, 80)))


@pytest.mark.parametrize(("host", "port"), [("a b", 80), ("a\nb", 80)])
def test_an_origin_that_cannot_be(transport: HttpTransport, host: str, port: int) -> None:
    """A host with a blank or line break in it is a setting gone wrong."""
    with pytest.raises(ConfigError):
        transport.send(get(Origin("http", host, port)))


def test_connecting_times_out() -> None:
    """A listener whose queue is full answers no SYN; the message says how long was waited."""
    options = TransportOptions(connect_timeout=0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        queued = [socket.socket() for _ in range(4)]
        for sock in queued:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        try:
            with pytest.raises(TimedOut, match=rf"127.0.0.1:{port} within 0.2 s"):
                HttpTransport(options).send(get(Origin("http", "127.0.0.1", port)))
        finally:
            for sock in queued:
                sock.close()


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_ipv6_origins(transport: HttpTransport) -> None:
    """Brackets in the Host header, none where the connection is made."""
    with ScriptedServer(answers(OK), host="::1") as server:
        assert content(transport.send(get(server.origin))) == b"ok"
        transport.close()
    assert f"\r\nhost: [::1]:{server.port}\r\n".encode() in server.requests[0]


def understands_zones() -> bool:
    """Of the loopback address, which need not have one."""
    try:
        return bool(socket.getaddrinfo("::1%1", 80)) and has_ipv6()
    except OSError:
        return False


@pytest.mark.skipif(not understands_zones(), reason="this machine takes no zone on ::1, or has no IPv6")
@pytest.mark.parametrize("tls", [False, True])
def test_zone_of_an_ipv6_origin(tls: bool, tmp_path: Path) -> None:
    """It is for the socket alone, not for the store or its certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("::1").configure_cert(context)
    transport = HttpTransport(TransportOptions(verify=str(tmp_path / "ca.pem")))
    with ScriptedServer(answers(OK), host="::1", tls=context if tls else None) as server:
        origin = Origin("https" if tls else "http", "::1%1", server.port)
        assert content(transport.send(get(origin))) == b"ok"
        transport.close()
    assert f"\r\nhost: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_header_injection_is_refused_before_anything_is_sent(transport: HttpTransport) -> None:
    """No connection is made for a request that cannot be."""
    with ScriptedServer() as server, pytest.raises(ConfigError, match="'x-a'"):
        transport.send(Request("GET", server.origin, "/", headers={"x-a": "1\r\nx-b: 2"}))
    assert server.accepted == 0


def test_options_do_not_show_a_password() -> None:
    """The proxy's, which stands in its URL."""
    assert "secret" not in repr(TransportOptions(proxies={"http": "http://me:secret@p"}))


def test_a_transport_can_be_pickled_in_use(transport: HttpTransport) -> None:
    """Options go along; sockets are made anew."""
    with ScriptedServer(answers(OK), answers(OK)) as server:
        content(transport.send(get(server.origin)))
        copy = pickle.loads(pickle.dumps(transport))
        assert copy.options == transport.options
        assert content(copy.send(get(server.origin))) == b"ok"
        copy.close()
        transport.close()
    assert server.accepted == 2


def test_close_closes_what_is_idle_and_later_what_is_in_use(transport: HttpTransport) -> None:
    """A body that is being read may be read on; the transport can be used again."""
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    with ScriptedServer(answers(big), answers(OK)) as server:
        response = transport.send(get(server.origin))
        transport.close()
        assert len(content(response)) == 200_000
        assert content(transport.send(get(server.origin))) == b"ok"
        transport.close()
    assert server.accepted == 2


def test_debug_log_has_neither_query_nor_headers(transport: HttpTransport, caplog: pytest.LogCaptureFixture) -> None:
    """Presigned queries and Authorization are secrets."""
    with ScriptedServer(answers_forever(lambda _: OK)) as server, caplog.at_level(logging.DEBUG, "s3target.transport"):
        request = Request("GET", server.origin, "/b/k", (("X-Amz-Signature", "hush"),), {"authorization": "hush"})
        content(transport.send(request))
        transport.close()
    assert [record.name for record in caplog.records] == ["s3target.transport"]
    assert f"GET 127.0.0.1:{server.port}/b/k: 200" in caplog.text
    assert "hush" not in caplog.text


def test_importing_the_package_loads_no_socket_code() -> None:
    """`import s3target` must stay light; the first request loads the rest."""
    heavy = {"email", "http.client", "ipaddress", "logging", "socket", "ssl", "threading", "urllib.parse"}
    program = f"""if True:
        import sys
        before = set(sys.modules)
        import s3target.transport
        s3target.transport.HttpTransport().close()
        print(sorted({heavy} & (set(sys.modules) - before)))"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert shown.stdout == "[]\n", shown.stdout + shown.stderr


def test_plain_http_loads_no_more_than_sockets() -> None:
    """Of memory and of the time to a first answer, ssl, email and IDNA's tables would be a quarter."""
    program = """if True:
        import sys
        from s3target.protocol.messages import Origin, Request
        from s3target.transport import HttpTransport
        assert HttpTransport().send(Request("GET", Origin("http", "127.0.0.1", int(sys.argv[1])), "/")).status == 200
        print(sorted({"email", "http.client", "ssl", "unicodedata"} & set(sys.modules)))"""
    with ScriptedServer(answers_and_closes(OK)) as server:
        argv = [sys.executable, "-c", program, str(server.port)]
        shown = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert shown.stdout == "[]\n", shown.stdout + shown.stderr

"""Idle connections: which are kept, which are used again, by threads and across a fork."""

from __future__ import annotations

import os
import signal
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from s3target.protocol.messages import Origin, Request
from s3target.transport import HttpTransport, TransportOptions
from s3target.transport.pool import IDLE_SECONDS, Pool
from s3target.transport.tls import Tls
from server.scripted_socket import OK, PATIENCE, Peer, ScriptedServer, answers, answers_and_closes, answers_forever

HERE, THERE = Origin("http", "here.test", 80), Origin("http", "there.test", 80)


class Idle:
    """What a pool needs of a connection."""

    def __init__(self, era: object, quiet: bool = True, clean: bool = True) -> None:
        self.era, self.quiet, self.clean, self.closed = era, quiet, clean, False

    def is_quiet(self) -> bool:
        return self.quiet

    def is_clean(self) -> bool:
        return self.clean

    def close(self) -> None:
        self.closed = True


def filled(pool: Pool, *connections: Idle, origin: Origin = HERE) -> None:
    for connection in connections:
        pool.put(origin, connection)  # type: ignore[arg-type]


def test_the_last_one_in_is_the_first_one_out_and_origins_are_apart() -> None:
    """The most recently used connection is the least likely to be stale."""
    pool = Pool(9)
    a, b, c = (Idle(pool.era) for _ in range(3))
    filled(pool, a, b)
    filled(pool, c, origin=THERE)
    assert [pool.get(HERE), pool.get(HERE), pool.get(HERE), pool.get(THERE)] == [b, a, None, c]


def test_a_connection_with_something_to_read_is_not_used() -> None:
    """It was closed, or has bytes that nobody asked for."""
    pool = Pool(9)
    good, bad = Idle(pool.era), Idle(pool.era, quiet=False)
    filled(pool, good, bad)
    assert (pool.get(HERE), bad.closed, good.closed) == (good, True, False)


def test_a_connection_that_tls_holds_bytes_for_is_not_kept() -> None:
    """They would be taken for the next answer."""
    pool = Pool(9)
    bad = Idle(pool.era, clean=False)
    filled(pool, bad)
    assert (pool.get(HERE), bad.closed) == (None, True)


def test_no_more_than_max_idle_are_kept() -> None:
    """The one that finds no room is closed."""
    pool = Pool(2)
    connections = [Idle(pool.era) for _ in range(3)]
    filled(pool, *connections)
    assert [connection.closed for connection in connections] == [False, False, True]


def test_old_ones_go() -> None:
    """When they are asked for, and when a younger one comes."""
    now = [0.0]
    pool = Pool(9, clock=lambda: now[0])
    a, b, c = (Idle(pool.era) for _ in range(3))
    filled(pool, a)
    now[0] = IDLE_SECONDS - 1
    filled(pool, b)
    now[0] = IDLE_SECONDS + 1
    filled(pool, c)
    assert (a.closed, b.closed, c.closed) == (True, False, False)
    now[0] = IDLE_SECONDS * 2
    assert (pool.get(HERE), b.closed, c.closed) == (c, False, False)
    assert (pool.get(HERE), b.closed) == (None, True)


def test_close_ends_an_era() -> None:
    """What is idle is closed at once, what was in use when it comes back."""
    pool = Pool(9)
    idle, used, new = Idle(pool.era), Idle(pool.era), None
    filled(pool, idle)
    pool.close()
    filled(pool, used)
    assert (idle.closed, used.closed) == (True, True)
    new = Idle(pool.era)
    filled(pool, new)
    assert pool.get(HERE) is new


def test_a_connection_closed_by_the_server_is_not_used_again() -> None:
    """The close is seen before the request is sent, so nothing fails."""
    seen = threading.Event()

    def closes(peer: Peer) -> None:
        answers_and_closes(OK)(peer)
        peer.sock.close()
        seen.set()

    transport = HttpTransport()
    with ScriptedServer(closes, answers(OK)) as server:
        for _ in range(2):
            assert transport.send(Request("GET", server.origin, "/")).reader().read() == b"ok"
            assert seen.wait(PATIENCE)
        transport.close()
    assert server.accepted == 2


def test_many_threads_share_one_transport() -> None:
    """Everybody gets the answer to their own request, more threads than idle places or not."""

    def echo(request: bytes) -> bytes:
        path = request.split(b" ")[1]
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path) * 3000, path * 3000)

    transport = HttpTransport(TransportOptions(max_idle=5))
    begin = threading.Barrier(16)

    def work(number: int) -> int:
        begin.wait(PATIENCE)
        good = 0
        for turn in range(50):
            path = f"/{number}/{turn}"
            stream = transport.send(Request("GET", server.origin, path)).reader()
            pieces = []
            while piece := stream.read(10_000):
                pieces.append(piece)
            good += b"".join(pieces) == path.encode() * 3000
        return good

    with ScriptedServer(answers_forever(echo), endless=True) as server:
        with ThreadPoolExecutor(16) as threads:
            assert sum(threads.map(work, range(16))) == 800
        transport.close()
    assert len(server.requests) == 800


def in_a_child(work: Callable[[], bytes]) -> bytes:
    """What work() gives in a forked child; b"" if it fails or takes too long."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(int(PATIENCE))
            os.write(sink, work())
        finally:
            os._exit(0)
    os.close(sink)
    with open(source, "rb") as pipe:
        result = pipe.read()
    os.waitpid(child, 0)
    return result


forks = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # 3.12 warns of forks beside threads


@forks
@pytest.mark.parametrize("scheme", ["plain", "tls"])
def test_parent_and_child_of_a_fork_have_connections_of_their_own(scheme: str) -> None:
    """The child neither uses nor disturbs the parent's connection, TLS goodbyes included."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    echo = answers_forever(lambda request: OK.replace(b"ok", request[5:7]))

    with authority.cert_pem.tempfile() as path:
        transport = HttpTransport(TransportOptions(verify=path, read_timeout=5))

        def ask(path: str) -> bytes:
            return transport.send(Request("GET", server.origin, path)).reader().read()

        with ScriptedServer(echo, echo, tls=context if scheme == "tls" else None) as server:
            assert ask("/p1") == b"p1"
            assert in_a_child(lambda: ask("/c1") + ask("/c2")) == b"c1c2"
            assert ask("/p2") == b"p2"
            transport.close()
    assert server.accepted == 2
    assert sorted(request[5:7] for request in server.requests) == [b"c1", b"c2", b"p1", b"p2"]


@forks
def test_a_body_begun_before_a_fork_does_not_bring_its_connection_into_the_childs_pool() -> None:
    """Its connection belongs to the parent; the child closes its copy and opens one of its own."""
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    transport = HttpTransport(TransportOptions(read_timeout=5))

    with ScriptedServer(answers(big, OK), answers(OK)) as server:
        response = transport.send(Request("GET", server.origin, "/"))

        def work() -> bytes:
            response.reader().close()
            return transport.send(Request("GET", server.origin, "/c")).reader().read()

        assert in_a_child(work) == b"ok"
        assert len(response.reader().read(300_000)) > 0
        while response.reader().read(300_000):
            pass
        assert transport.send(Request("GET", server.origin, "/p")).reader().read() == b"ok"
        transport.close()
    assert server.accepted == 2


@forks
def test_a_lock_held_at_the_moment_of_the_fork_is_free_in_the_child() -> None:
    """Else the child would wait for ever for a thread that it does not have."""
    pool = Pool(9)
    connection = Idle(pool.era)
    filled(pool, connection)
    with pool._lock:
        shown = in_a_child(lambda: repr((pool.get(HERE), connection.closed)).encode())
    assert shown == b"(None, True)"
    assert pool.get(HERE) is connection
    tls = Tls(TransportOptions())
    with tls._lock:
        assert in_a_child(lambda: repr(tls.context().check_hostname).encode()) == b"True"

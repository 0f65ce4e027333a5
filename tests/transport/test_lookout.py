"""When an answer is waited for awake, and when not."""

from __future__ import annotations

import pytest

from s3target.errors import TimedOut
from s3target.protocol.messages import Request
from s3target.transport import HttpTransport, TransportOptions, lookout
from s3target.transport.connection import Connection
from s3target.transport.lookout import NEARBY, Lookout
from server.scripted_socket import OK, Peer, ScriptedServer

TICK = 1e-6


class World:
    """A clock that each look at it moves on, the thread that asks, and what it costs to yield the processor."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.thread, self.price = 0.0, 1, 0.0
        monkeypatch.setattr(lookout, "perf_counter", self.tick)
        monkeypatch.setattr(lookout, "get_ident", lambda: self.thread)
        monkeypatch.setattr(lookout, "_yield_processor", self.yield_processor)

    def tick(self) -> float:
        self.now += TICK
        return self.now

    def yield_processor(self) -> None:
        self.now += self.price

    def looks(self, watching: Lookout, answered: float) -> int:
        """How often a request that is answered after so many seconds was looked for."""
        begun, looks = self.now, 0

        def is_quiet() -> bool:
            nonlocal looks
            looks += 1
            return self.now - begun < answered

        asked = watching.watch(is_quiet)
        self.now = max(self.now, begun + answered)
        watching.heard(asked)
        return looks


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def trusting(world: World) -> Lookout:
    watching = Lookout()
    assert [world.looks(watching, NEARBY / 9) for _ in range(9)] == [0] * 9
    return watching


def test_prompt_answers_are_looked_for_until_they_come(world: World) -> None:
    """After nine of them."""
    watching = trusting(world)
    assert all(10 < world.looks(watching, NEARBY / 9) < 50 for _ in range(99))


def test_answers_from_afar_are_never_looked_for(world: World) -> None:
    """Prompt ones in between do not add up."""
    watching = Lookout()
    assert not any(world.looks(watching, NEARBY * (2 if i % 5 else 0.1)) for i in range(99))


def test_a_late_answer_is_looked_for_no_longer_than_a_prompt_one_takes(world: World) -> None:
    """And the next ones not at all, before trust is won anew."""
    watching = trusting(world)
    assert world.looks(watching, 60.0) <= NEARBY / TICK + 1
    assert [world.looks(watching, NEARBY / 9) for _ in range(9)] == [0] * 9
    assert world.looks(watching, NEARBY / 9)


def test_threads_that_ask_by_turns_sleep(world: World) -> None:
    """They have use for the interpreter that one of them would keep busy."""
    watching = trusting(world)
    for i in range(99):
        world.thread = i % 3
        assert not world.looks(watching, NEARBY / 9)


def test_other_processes_go_first(world: World) -> None:
    """Where they wait for the processor, a look or two in dozens of requests find out, no more."""
    watching = trusting(world)
    world.price = NEARBY / 5
    assert sum(world.looks(watching, NEARBY * 0.9) for _ in range(400)) <= 24
    world.price = 0.0
    assert sum(world.looks(watching, NEARBY / 9) for _ in range(200)) > 999


def test_a_processor_lent_to_the_store_itself_is_lent_again(world: World) -> None:
    """What takes long then is the answer."""
    watching = trusting(world)
    world.price = NEARBY / 5
    assert all(world.looks(watching, NEARBY / 9) for _ in range(99))


def test_a_store_that_falls_silent_times_out_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a real socket, with any answer counting as prompt."""
    monkeypatch.setattr(lookout, "NEARBY", 0.05)
    monkeypatch.setattr(lookout, "_CROWDED", 9.0)
    looks = []
    is_quiet = Connection.is_quiet
    monkeypatch.setattr(Connection, "is_quiet", lambda connection: looks.append(1) or is_quiet(connection))

    def falls_silent(peer: Peer) -> None:
        for _ in range(12):
            peer.read_request()
            peer.send(OK)
        peer.read_request()
        peer.wait_for_close()

    transport = HttpTransport(TransportOptions(read_timeout=0.3))
    with ScriptedServer(falls_silent) as server:
        for _ in range(12):
            assert transport.send(Request("GET", server.origin, "/")).reader().read() == b"ok"
        with pytest.raises(TimedOut, match=r"was silent for 0\.3 s"):
            transport.send(Request("GET", server.origin, "/"))
    assert len(looks) > 100

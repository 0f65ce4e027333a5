"""The soak in short: the promise is kept, and a broken one would be seen."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.soak import GONE, Race, Tally, Worker, is_whole, make, soak
from s3target.luigi import S3Client


@pytest.mark.timeout(60)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to see memory and descriptors")
def test_some_seconds_of_it() -> None:
    """Many operations, most kinds of faults, nothing lost, wrong or left."""
    figures = soak(seconds=4.0, threads=16, rate=0.1, seed=3)
    assert figures.failures == []
    assert sum(figures.operations.values()) > 100
    assert len(figures.held.met) > 10
    assert figures.held.requests > sum(figures.operations.values())


def test_what_would_be_seen(tmp_path: Path) -> None:
    """A lost object, another one in its place, a second winner, a piece in place of the whole."""
    tally = Tally()
    race = Race(tally)
    worker = Worker(0, S3Client(), tmp_path, tally, race, 0.0)
    worker.may["k0"] = {b"ours"}
    worker.check("k0", GONE)
    assert len(tally.lost) == 1
    worker.may["k0"] = {b"ours", b"older"}
    worker.check("k0", b"older")
    worker.check("k0", b"ours")
    assert len(tally.wrong) == 1
    for digest in (b"one", b"one", b"other"):
        race.note(race.winners, 7, digest)
    assert tally.wrong[1:] == ["race 7 has two winners"]
    content = make(1000, random.Random(1))
    assert is_whole(content)
    assert not is_whole(content[:-1])

"""overwrite=False on real stores: many writers, one winner, and the object is one writer's bytes whole."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Barrier
from typing import Any

from luigi.format import Nop
from luigi.target import FileAlreadyExists

from connected import settings_for
from s3target.luigi import S3Client, S3Target
from servers.signed import request
from servers.store import Store
from stores import over

ROUNDS = 200


def content_of(writer: int, number: int) -> bytes:
    return b"%d of %d\n" % (writer, number) * 2000


def compete(settings: dict[str, Any], bucket: str, writer: int, rounds: int, start: Barrier, results: Any) -> None:
    """One process: its wins, by number of the round."""
    client = S3Client(**settings)
    wins = []
    for number in range(rounds):
        target = S3Target(f"s3://{bucket}/race/{number}", client=client, format=Nop, overwrite=False)
        start.wait(60)
        try:
            with target.open("w") as output:
                output.write(content_of(writer, number))
            wins.append(number)
        except FileAlreadyExists:
            pass
    client.s3.close()
    results.put((writer, wins))


@over("seaweedfs", "ceph")  # moto first looks, then stores: of two at once both may win
def test_two_processes_race_for_each_output(store: Store, bucket: str) -> None:
    """One of them wins each time, and it is its output that is there."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    writers = [
        context.Process(target=compete, args=(settings_for(store), bucket, writer, ROUNDS, start, results))
        for writer in (1, 2)
    ]
    for process in writers:
        process.start()
    wins = dict(results.get(timeout=100) for _ in writers)
    for process in writers:
        process.join(20)
    assert sorted(wins[1] + wins[2]) == list(range(ROUNDS))
    for writer, numbers in wins.items():
        for number in numbers:
            answer = request(store, "GET", f"/{bucket}/race/{number}")
            assert answer.body == content_of(writer, number)

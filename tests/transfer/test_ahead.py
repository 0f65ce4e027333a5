"""HashAhead: the hashes that upload() would make, made while the file grows; and no harm done where it cannot."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3target.client import Client
from s3target.composition import connect
from s3target.protocol.messages import FileSlice
from s3target.protocol.operations.multipart import UploadPart
from s3target.transfer.ahead import HashAhead
from s3target.transfer.plan import MIN_PART, TransferOptions
from transfer.memory_store import crc32_header

OPTIONS = TransferOptions(part_size=MIN_PART, extra_args={"RequestPayer": "requester"})
CONTENT = os.urandom(1 << 16) * (3 * MIN_PART >> 16) + b"the rest"
Make = Callable[..., HashAhead]


@pytest.fixture
def client() -> Iterator[Client]:
    """Of a store that is never asked."""
    settings = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
    with connect(endpoint_url="http://127.0.0.1:9", **settings) as client:
        yield client


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return str(path)


def hashed(ahead: HashAhead, wanted: int) -> None:
    """Wait until so many parts are."""
    end = time.monotonic() + 20
    while sum(ticket.done for ticket in ahead._tickets) < wanted:
        assert time.monotonic() < end
        time.sleep(0.002)


def test_each_part_that_is_whole_is_hashed(client: Client, path: str) -> None:
    """By what the store will be sent, options included; a part that may still grow is not."""
    ahead = HashAhead(client, "b", "k", OPTIONS)
    ahead.reached(MIN_PART - 1, path)
    assert ahead._tickets == []
    for length in (MIN_PART, 2 * MIN_PART + 1, len(CONTENT)):
        ahead.reached(length, path)
    hashed(ahead, 3)
    parts = ahead.parts()
    assert list(parts) == [1, 2, 3]
    for number, headers in parts.items():
        piece = CONTENT[(number - 1) * MIN_PART : number * MIN_PART]
        assert headers["x-amz-content-sha256"] == hashlib.sha256(piece).hexdigest()
        assert headers["x-amz-checksum-crc32"] == crc32_header(piece)
        assert headers["x-amz-request-payer"] == "requester"


def test_a_part_that_is_hashed_is_not_hashed_again(client: Client, path: str) -> None:
    """The request made of these headers is the one that would have been made without, and reads no file."""
    ahead = HashAhead(client, "b", "k", OPTIONS)
    ahead.reached(MIN_PART, path)
    hashed(ahead, 1)
    headers = ahead.parts()[1]
    plain = UploadPart("b", "k", "id", 1, FileSlice(path, 0, MIN_PART), {"x-amz-request-payer": "requester"})
    expected = client.prepare(plain).headers
    os.remove(path)
    again = client.prepare(UploadPart("b", "k", "id", 1, FileSlice(path, 0, MIN_PART), headers))
    assert again.headers == expected


def test_what_was_written_over_is_forgotten(client: Client, path: str) -> None:
    """And nothing is learnt any more."""
    ahead = HashAhead(client, "b", "k", OPTIONS)
    ahead.reached(MIN_PART, path)
    ahead.forget()
    ahead.reached(2 * MIN_PART, path)
    assert ahead._tickets == []
    assert ahead.parts() == {}


def test_a_file_that_is_gone_is_not_its_business(client: Client, path: str) -> None:
    """upload() will say so; until then the writer writes on."""
    ahead = HashAhead(client, "b", "k", OPTIONS)
    os.remove(path)
    for number in range(1, 4):
        ahead.reached(number * MIN_PART, path)
        time.sleep(0.01)
    assert ahead.parts() == {}


def test_after_the_end_it_follows_no_more(client: Client, path: str) -> None:
    """So no thread is left, and parts() may be asked twice."""
    ahead = HashAhead(client, "b", "k", OPTIONS)
    ahead.reached(len(CONTENT), path)
    known = ahead.parts()
    ahead.reached(len(CONTENT) + MIN_PART, path)
    assert ahead.parts() == known
    assert not any(thread.is_alive() for thread in ahead._workers._started)


def test_a_forked_child_does_not_wait_for_its_parents_thread(client: Client, path: str) -> None:
    """It has the locks and the jobs, but not the thread."""
    ahead = HashAhead(client, "b", "k", OPTIONS)
    ahead.reached(MIN_PART, path)
    hashed(ahead, 1)
    child = os.fork()
    if not child:
        ahead.reached(3 * MIN_PART, path)
        os._exit(0 if list(ahead.parts()) == [1] else 1)
    end = time.monotonic() + 10
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert ended[1] == 0
    ahead.forget()

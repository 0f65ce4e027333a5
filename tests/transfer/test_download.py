"""Objects to files: by ranges, bound to one ETag; the whole file or none."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
import time
import tracemalloc
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from s3target.errors import (
    ChecksumMismatch,
    ConnectionDropped,
    NoSuchKey,
    ObjectChanged,
    PreconditionFailed,
    ServerFault,
)
from s3target.protocol.operations.objects import ByteRange, ObjectInfo, ObjectStream
from s3target.transfer.download import BUFFER, download
from s3target.transfer.plan import TransferOptions
from s3target.value import replace
from transfer.memory_store import MemoryStore, MemoryStream, crc32_header, ctrl_c

PART = 1000
CONTENT = os.urandom(10 * PART + 7)


def ready(content: bytes = CONTENT, **headers: str) -> MemoryStore:
    store = MemoryStore()
    store.put("b", "k", content, **headers)
    return store


def ranges(store: MemoryStore) -> list[str]:
    return [str(call.byte_range) for call in store.calls]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the file is to be; nothing else may be left beside it."""
    return tmp_path / "target"


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART, 2 * PART + 1, 10 * PART + 7])
@pytest.mark.parametrize("threads", [1, 3, None])
def test_sizes_around_part_borders(target: Path, size: int, threads: int | None) -> None:
    """One GetObject per part, no HEAD; every part but the first is bound to the ETag."""
    store = ready(CONTENT[:size])
    told: list[tuple[int, int | None]] = []
    info = download(store, "b", "k", str(target), TransferOptions(PART, threads, lambda *count: told.append(count)))
    assert target.read_bytes() == CONTENT[:size]
    assert info.size == size
    assert store.names() == ["GetObject"] * -(-size // PART)
    assert {call.if_match for call in store.calls[1:]} <= {info.e_tag}
    assert told[-1] == (size, size)
    assert os.listdir(target.parent) == ["target"]
    assert store.open_streams == 0


def test_an_empty_object_is_asked_for_without_a_range(target: Path) -> None:
    """It has no first byte, so a range is answered with 416."""
    store = ready(b"")
    told: list[tuple[int, int | None]] = []
    options = TransferOptions(progress=lambda *count: told.append(count))
    assert download(store, "b", "k", str(target), options).size == 0
    assert target.read_bytes() == b""
    assert [call.byte_range for call in store.calls] == [None]
    assert told == [(0, 0)]


@pytest.mark.parametrize("lengths", [True, False])
def test_a_store_that_knows_no_ranges_gives_one_stream(target: Path, lengths: bool) -> None:
    """It is written as it comes, also where its length is not told."""
    store = ready(accept_ranges="none")
    store.ranges, store.lengths = False, lengths
    assert download(store, "b", "k", str(target), TransferOptions(PART)).size == len(CONTENT)
    assert target.read_bytes() == CONTENT
    assert store.names() == ["GetObject"]


def test_parts_that_nothing_binds_together_are_not_asked_for(target: Path) -> None:
    """Without an ETag all comes in one stream."""
    store = ready()
    store.e_tags = False
    download(store, "b", "k", str(target), TransferOptions(PART))
    assert target.read_bytes() == CONTENT
    assert ranges(store) == ["None"]
    assert store.open_streams == 0


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("breaks", [[0], [300], [999], [None, 500, 0, 1], [None, None, 10, 10, 10]])
def test_a_body_that_breaks_off_goes_on_where_it_stopped(target: Path, threads: int, breaks: list[int | None]) -> None:
    """Another request for the rest, after the policy's pause."""
    store = ready()
    store.breaks = list(breaks)
    told: list[tuple[int, int | None]] = []
    download(store, "b", "k", str(target), TransferOptions(PART, threads, lambda *count: told.append(count)))
    assert target.read_bytes() == CONTENT
    broken = sum(after is not None for after in breaks)
    assert len(store.calls) == 11 + broken
    assert len(store.pauses) == broken
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert store.open_streams == 0


def test_the_rest_is_asked_for_by_its_own_range(target: Path) -> None:
    """Not a byte twice."""
    store = ready()
    store.breaks = [300, None]
    download(store, "b", "k", str(target), TransferOptions(PART, 1))
    assert ranges(store)[:3] == ["None", "bytes=300-999", "bytes=1000-1999"]
    assert store.calls[1].if_match


def test_a_stream_of_unknown_length_resumes_too(target: Path) -> None:
    """To the end of the object, wherever that is."""
    store = ready()
    store.ranges, store.lengths = False, False
    store.breaks = [300]

    def on_call(operation: Any) -> None:
        store.ranges = len(store.calls) > 1

    store.on_call = on_call
    download(store, "b", "k", str(target), TransferOptions(PART))
    assert target.read_bytes() == CONTENT
    assert ranges(store) == ["None", "bytes=300-"]


def test_a_body_that_breaks_off_again_and_again_is_given_up(target: Path) -> None:
    """After as many tries as the policy allows, with the last error."""
    store = ready()
    store.breaks = [0] * 100
    with pytest.raises(ConnectionDropped, match="broke off"):
        download(store, "b", "k", str(target), TransferOptions(PART, 1))
    assert len(store.calls) == store.policy.max_attempts
    assert os.listdir(target.parent) == []


def test_without_an_etag_a_broken_body_is_an_error(target: Path) -> None:
    """The rest might be of another object."""
    store = ready()
    store.e_tags = False
    store.breaks = [300]
    with pytest.raises(ConnectionDropped):
        download(store, "b", "k", str(target), TransferOptions(PART))
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("call", range(1, 12))
@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_of_any_request_leaves_no_file(target: Path, call: int, threads: int) -> None:
    """The first error is raised, what was at the path is still there, no temporary file is."""
    target.write_bytes(b"before")
    store = ready()
    store.failures[call] = error = ServerFault(500, "InternalError")
    with pytest.raises(ServerFault) as caught:
        download(store, "b", "k", str(target), TransferOptions(PART, threads))
    assert caught.value is error
    assert target.read_bytes() == b"before"
    assert os.listdir(target.parent) == ["target"]
    assert store.open_streams == 0


def test_a_missing_object_leaves_no_file(target: Path) -> None:
    """The 404 is the answer."""
    with pytest.raises(NoSuchKey):
        download(MemoryStore(), "b", "k", str(target))
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("change", ["other bytes", "other size", "If-Match ignored"])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_object_that_is_replaced_meanwhile_is_an_error(target: Path, change: str, threads: int) -> None:
    """Never a file of two states; rclone ignores If-Match, so each answer's ETag is looked at."""
    store = ready()

    def on_call(operation: Any) -> None:
        if len(store.calls) == 3:
            store.put("b", "k", CONTENT[::-1] if change != "other size" else CONTENT[:5000])
        if change == "If-Match ignored" and operation.if_match:
            object.__setattr__(operation, "if_match", None)

    store.on_call = on_call
    with pytest.raises(ObjectChanged, match="s3://b/k"):
        download(store, "b", "k", str(target), TransferOptions(PART, threads))
    assert os.listdir(target.parent) == []
    assert store.open_streams == 0


def test_a_condition_of_the_callers_is_not_a_change(target: Path) -> None:
    """IfMatch on the first request: PreconditionFailed as it is."""
    store = ready()
    store.failures[1] = PreconditionFailed(412, "PreconditionFailed")
    with pytest.raises(PreconditionFailed):
        download(store, "b", "k", str(target), TransferOptions(PART, extra_args={"IfMatch": "x"}))
    assert store.calls[0].headers["if-match"] == '"x"'


def test_a_store_that_forgets_a_range_gives_the_right_bytes(target: Path) -> None:
    """It sends all from byte 0: what stands before the range is dropped, so each byte lands in its place."""
    store = ready()

    def on_call(operation: Any) -> None:
        store.ranges = len(store.calls) < 3

    store.on_call = on_call
    download(store, "b", "k", str(target), TransferOptions(PART, 1))
    assert target.read_bytes() == CONTENT
    assert store.open_streams == 0


@pytest.mark.parametrize("told", [True, False])
def test_a_store_that_gives_but_a_part_of_a_range_is_asked_for_the_rest(target: Path, told: bool) -> None:
    """As RFC 9110 section 15.3.7 allows, with the size of the whole or without: no hole is left in the file."""

    class GivesLittle(MemoryStore):
        def _GetObject(self, operation: Any) -> ObjectStream:
            if operation.byte_range:
                first, last = operation.byte_range
                operation = replace(operation, byte_range=ByteRange(first, min(last, first + 599)))
            return super()._GetObject(operation)

    store = GivesLittle()
    store.put("b", "k", CONTENT)
    store.content_ranges = told
    download(store, "b", "k", str(target), TransferOptions(PART))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("size", [PART, len(CONTENT)])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_checksum_of_the_whole_is_compared(target: Path, size: int, threads: int) -> None:
    """Combined of the ranges' checksums; a difference leaves no file."""
    good = ready(CONTENT[:size], x_amz_checksum_crc32=crc32_header(CONTENT[:size]))
    download(good, "b", "k", str(target), TransferOptions(PART, threads))
    assert target.read_bytes() == CONTENT[:size]
    assert good.calls[0].headers == {"x-amz-checksum-mode": "ENABLED"}
    target.unlink()
    bad = ready(CONTENT[:size], x_amz_checksum_crc32=crc32_header(b"other"))
    with pytest.raises(ChecksumMismatch, match="s3://b/k"):
        download(bad, "b", "k", str(target), TransferOptions(PART, threads))
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_of_one_stream_other_checksums_are_compared_too(target: Path, algorithm: str) -> None:
    """Which no parts' can be combined to."""
    stored = b64encode(hashlib.new(algorithm, CONTENT).digest()).decode()
    download(ready(**{f"x_amz_checksum_{algorithm}": stored}), "b", "k", str(target))
    assert target.read_bytes() == CONTENT
    with pytest.raises(ChecksumMismatch):
        download(ready(CONTENT[1:], **{f"x_amz_checksum_{algorithm}": stored}), "b", "k", str(target))
    assert target.read_bytes() == CONTENT


def test_the_checksum_survives_a_resume(target: Path) -> None:
    """It is of all bytes, whichever answers they came in."""
    store = ready(x_amz_checksum_crc32=crc32_header(CONTENT))
    store.breaks = [300, None, 7]
    download(store, "b", "k", str(target), TransferOptions(PART, 2))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "headers",
    [
        {"x_amz_checksum_crc32": "anF9hg==-1"},
        {"x_amz_checksum_crc32": crc32_header(b"other"), "x_amz_checksum_type": "COMPOSITE"},
        {"x_amz_checksum_crc32": "????????"},
        {"x_amz_checksum_sha256": "not looked at"},
    ],
)
def test_checksums_that_are_not_of_the_bytes_are_no_ground_for_refusal(target: Path, headers: dict[str, str]) -> None:
    """That of parts' checksums says nothing about the ranges."""
    download(ready(**headers), "b", "k", str(target), TransferOptions(PART))
    assert target.read_bytes() == CONTENT


def test_a_checksum_of_the_range_alone_is_good_too(target: Path) -> None:
    """A range that is just a part may come with the part's checksum."""
    store = ready(bytes(3 * PART))
    store.range_headers = {"x-amz-checksum-crc32": crc32_header(bytes(PART))}
    download(store, "b", "k", str(target), TransferOptions(PART))
    assert target.read_bytes() == bytes(3 * PART)


def test_memory_is_one_buffer_per_thread(target: Path) -> None:
    """However large the parts."""
    store = ready(bytes(3 * BUFFER))
    store.piece = 10_000
    download(store, "b", "k", str(target), TransferOptions(2 * BUFFER, 2))
    assert target.stat().st_size == 3 * BUFFER
    assert store.largest_read <= BUFFER


def test_a_buffer_serves_part_after_part(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    store, buffers = ready(), {}
    readinto = MemoryStream.readinto

    def watched(stream: MemoryStream, buffer: memoryview, /) -> int:
        buffers[id(buffer.obj)] = buffer.obj
        return readinto(stream, buffer)

    monkeypatch.setattr(MemoryStream, "readinto", watched)
    download(store, "b", "k", str(target), TransferOptions(PART, 3))
    assert len(buffers) <= 3


def test_a_failure_ends_the_other_parts_between_two_pieces(target: Path) -> None:
    """What they still fetch is of no use."""
    store, reads = ready(), []
    store.piece = 10
    store.failures[2] = ServerFault(500, "InternalError")

    def before_read() -> None:
        reads.append(1)
        time.sleep(0.01)

    store.before_read = before_read
    with pytest.raises(ServerFault):
        download(store, "b", "k", str(target), TransferOptions(PART, 2))
    assert len(reads) < PART // store.piece


def test_a_size_that_cannot_be_is_no_disk_and_no_memory(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store may announce what it likes: parts are not listed before there is room for them."""
    store = ready()
    info = ObjectInfo("b", "k", 1 << 50, "e")
    monkeypatch.setattr(store, "_info", lambda *_: info)
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match=re.escape(os.strerror(errno.ENOSPC))):
            download(store, "b", "k", str(target), TransferOptions(5 << 30))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert os.listdir(target.parent) == []


def test_no_more_requests_at_once_than_threads(target: Path) -> None:
    """The bound holds for the first part as well."""
    store = ready()
    streams: list[int] = []
    store.before_read = lambda: streams.append(store.open_streams)
    download(store, "b", "k", str(target), TransferOptions(PART, 3))
    assert max(streams) <= 3
    assert store.most_running <= 3


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_stops_and_leaves_nothing(target: Path, threads: int) -> None:
    """Other threads see it between two pieces."""
    store = ready(bytes(50 * PART))
    store.piece = 100
    began: list[float] = []

    def interrupt() -> None:
        if not began:
            began.append(time.monotonic())
            ctrl_c()
        time.sleep(0.001)

    store.before_read = interrupt
    with pytest.raises(KeyboardInterrupt):
        download(store, "b", "k", str(target), TransferOptions(PART, threads))
    assert time.monotonic() - began[0] < 1
    assert os.listdir(target.parent) == []
    assert store.open_streams == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("s3target")]


def test_a_thread_left_behind_by_ctrl_c_writes_to_no_other_file(target: Path) -> None:
    """The descriptor stays open until the last thread is done: its number must not become another file's."""
    store = ready()
    release, stuck = threading.Event(), threading.Event()

    def wait() -> None:
        if threading.current_thread() is not threading.main_thread() and not stuck.is_set():
            stuck.set()
            ctrl_c()
            release.wait(20)

    store.before_read = wait
    with pytest.raises(KeyboardInterrupt):
        download(store, "b", "k", str(target), TransferOptions(PART, 2))
    assert os.listdir(target.parent) == []
    others = [os.open(target.parent / str(number), os.O_RDWR | os.O_CREAT) for number in range(5)]
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("s3target"):
            thread.join(10)
    assert [os.fstat(other).st_size for other in others] == [0] * 5
    for other in others:
        os.close(other)
    assert store.open_streams == 0


def test_the_version_and_the_key_go_with_every_request(target: Path) -> None:
    """All ranges of one version, decrypted by the same key."""
    store = ready()
    options = TransferOptions(PART, 2, extra_args={"SSECustomerKey": b"k" * 32, "VersionId": "v7"})
    download(store, "b", "k", str(target), options)
    download(store, "b", "k", str(target), TransferOptions(PART), "v7")
    assert {call.version_id for call in store.calls} == {"v7"}
    assert all("x-amz-server-side-encryption-customer-key" in call.headers for call in store.calls[:11])


@pytest.mark.parametrize("path", ["", "missing/target"])
def test_a_path_where_no_file_can_be_made_is_no_request(tmp_path: Path, path: str) -> None:
    """A directory, or no directory to put it in."""
    store = ready()
    with pytest.raises((IsADirectoryError, FileNotFoundError)):
        download(store, "b", "k", str(tmp_path / path))
    assert store.calls == []
    assert os.listdir(tmp_path) == []

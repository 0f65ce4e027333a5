"""The Reader against a store in memory: sizes, breaks at every byte, objects that change, wrappers, threads."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import random
import subprocess
import sys
import threading
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from s3target.errors import (
    AccessDenied,
    ChecksumMismatch,
    ConfigError,
    ConnectionDropped,
    NoSuchKey,
    ObjectChanged,
    TimedOut,
    Truncated,
)
from s3target.protocol.operations.objects import ByteRange, GetObject, ObjectStream
from s3target.transfer.ranges import read_range
from s3target.transfer.reader import Reader, ReaderOptions, open_reader
from s3target.transfer.workers import Stopped
from s3target.value import replace
from transfer.memory_store import MemoryStore, MemoryStream, crc32_header, ctrl_c

CONTENT = bytes(range(65, 95))
PART = 10
ROOT = Path(__file__).parents[2]


class IgnoresConditions(MemoryStore):
    """As rclone: If-Match has no effect."""

    def _GetObject(self, operation: Any) -> ObjectStream:
        return super()._GetObject(replace(operation, if_match=None))


class GivesLittle(MemoryStore):
    """Of a range never more than ten bytes, as RFC 9110 section 15.3.7 allows; of the whole no length."""

    def _GetObject(self, operation: Any) -> ObjectStream:
        if operation.byte_range:
            first = operation.byte_range.first
            operation = replace(operation, byte_range=ByteRange(first, first + 9))
        return super()._GetObject(operation)


class EndsEarly(MemoryStore):
    """ends: for each GetObject in turn, behind how many bytes its body ends as if that were all."""

    ends: tuple[int, ...] = ()

    def _GetObject(self, operation: Any) -> ObjectStream:
        answer = super()._GetObject(operation)
        if len(self.calls) > len(self.ends):
            return answer
        answer.stream.close()
        return answer._replace(stream=MemoryStream(self, CONTENT[: self.ends[len(self.calls) - 1]], None))


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """With CONTENT at b/k; whatever was opened must be closed in the end."""
    store = MemoryStore()
    store.put("b", "k", CONTENT)
    yield store
    assert store.open_streams == 0


def reader_of(store: MemoryStore, **options: Any) -> Reader:
    return Reader(store, "b", "k", ReaderOptions(part_size=PART, **options))


def ranges(store: MemoryStore) -> list[str]:
    return [str(operation.byte_range or "all") for operation in store.calls]


@pytest.mark.parametrize("readahead", [0, 1, 3])
@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 19, 20, 21, 40, 41, 105])
@pytest.mark.parametrize("piece", [1, 3, 10, 1000])
def test_every_size_comes_whole(readahead: int, size: int, piece: int) -> None:
    """All bytes, in order, however few the caller takes at a time."""
    store = MemoryStore()
    content = random.Random(size).randbytes(size)
    store.put("b", "k", content)
    with reader_of(store, readahead=readahead) as reader:
        pieces = []
        while got := reader.read(piece):
            pieces.append(got)
    assert b"".join(pieces) == content
    assert store.open_streams == 0
    assert set(store.names()) == {"GetObject"}


@pytest.mark.parametrize("readahead", [0, 3])
def test_an_object_of_one_part_costs_one_request_and_no_thread(readahead: int, store: MemoryStore) -> None:
    """Reading ahead begins behind the first part."""
    store.put("b", "k", CONTENT[:PART])
    before = threading.enumerate()
    with reader_of(store, readahead=readahead) as reader:
        assert reader.read(4) == CONTENT[:4]
        assert threading.enumerate() == before
        assert reader.read() == CONTENT[4:PART]
    assert store.names() == ["GetObject"]


def test_nothing_is_asked_before_the_first_read(store: MemoryStore) -> None:
    """Lazy; and the first read is one GetObject without a HEAD."""
    with reader_of(store) as reader:
        assert store.calls == []
        assert reader.tell() == 0
        assert reader.read(5) == CONTENT[:5]
    assert store.names() == ["GetObject"]
    assert store.calls[0].byte_range is None


def test_a_missing_key_raises_where_it_is_opened(store: MemoryStore) -> None:
    """open_reader() issues the GetObject, and reading goes on with its body."""
    for options in (None, ReaderOptions(readahead=2)):
        with pytest.raises(NoSuchKey):
            open_reader(store, "b", "missing", options)
    assert len(store.calls) == 2
    store.calls.clear()
    with open_reader(store, "b", "k") as reader:
        assert reader.open().size == len(CONTENT)
        assert reader.readall() == CONTENT
    assert len(store.calls) == 1


def test_what_the_caller_wants_goes_into_the_request(store: MemoryStore) -> None:
    """Version, options and the wish for a checksum; no such wish where checksums are switched off."""
    with reader_of(store, version_id="v7", extra_args={"RequestPayer": "requester"}) as reader:
        reader.read()
    assert store.calls[0].version_id == "v7"
    assert store.calls[0].headers == {"x-amz-checksum-mode": "ENABLED", "x-amz-request-payer": "requester"}
    store.validation = False
    with reader_of(store, extra_args={"VersionId": "v8"}) as reader:
        reader.read()
    assert (store.calls[1].version_id, store.calls[1].headers) == ("v8", {})


@pytest.mark.parametrize("options", [{"readahead": -1}, {"part_size": 0}])
def test_numbers_that_cannot_be_right_are_refused(options: dict[str, int]) -> None:
    """At once, and by name."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        ReaderOptions(**options)


@pytest.mark.parametrize("at", range(len(CONTENT)))
@pytest.mark.parametrize("piece", [1, 7, 100])
def test_a_break_at_any_byte_is_resumed_from_there(at: int, piece: int, store: MemoryStore) -> None:
    """Range from the first byte that is missing, bound to the ETag of what was read before."""
    store.breaks = [at]
    with reader_of(store) as reader:
        assert b"".join(iter(lambda: reader.read(piece), b"")) == CONTENT
    again = store.calls[1]
    assert again.byte_range == (ByteRange(at) if at else None)
    assert again.if_match == store.objects["b", "k"].e_tag
    assert store.pauses == [1]


def test_a_break_behind_the_last_byte_does_not_matter(store: MemoryStore) -> None:
    """All that was announced has come."""
    store.breaks = [len(CONTENT)]
    with reader_of(store) as reader:
        assert reader.readall() == CONTENT
        assert reader.read(1) == b""
    assert len(store.calls) == 1


def test_silence_is_resumed_like_a_break(store: MemoryStore) -> None:
    """TimedOut in the middle of a body."""
    store.piece = 8
    reads = iter([None, TimedOut("silent"), None, None, None, None, None])

    def before_read() -> None:
        if (error := next(reads)) is not None:
            raise error

    store.before_read = before_read
    with reader_of(store) as reader:
        assert reader.readall() == CONTENT
    assert ranges(store) == ["all", "bytes=8-"]


def test_breaks_with_progress_are_resumed_without_end(store: MemoryStore) -> None:
    """The count of tries in vain begins anew with every byte."""
    store.breaks = [1] * 25
    with reader_of(store) as reader:
        assert reader.readall() == CONTENT
    assert store.pauses == [1] * 25


def test_a_few_bytes_of_many_are_no_progress(store: MemoryStore) -> None:
    """Of a short object it is the 32nd part that counts, so a store that gives one byte at a time comes to an end."""
    store.put("b", "k", CONTENT * 32)
    store.breaks = [30] * 31
    with reader_of(store) as reader:
        assert reader.readall() == CONTENT * 32
    store.breaks = [29] * 31
    with reader_of(store) as reader, pytest.raises(ConnectionDropped):
        reader.readall()
    assert store.pauses == [1] * 31 + [1, 2, 3, 4]


def test_breaks_without_progress_come_to_an_end(store: MemoryStore) -> None:
    """The error of the last break, once the policy's attempts in a row have brought nothing."""
    store.breaks = [3, 0, 0, 2, 0, 0, 0, 0]
    with reader_of(store) as reader:
        assert reader.read(5) == CONTENT[:3]
        assert reader.read(5) == CONTENT[3:5]
        with pytest.raises(ConnectionDropped, match="broke off"):
            reader.read(5)
    assert store.pauses == [1, 2, 3, 1, 2, 3, 4]


def test_a_body_that_just_ends_early_is_no_whole_body(store: MemoryStore) -> None:
    """Bytes are counted: a stream that says "end" before the announced length has broken off."""

    early = EndsEarly()
    early.objects = store.objects
    early.ends = (4,)
    with reader_of(early) as reader:
        assert reader.readall() == CONTENT
    assert ranges(early) == ["all", "bytes=4-"]
    early.e_tags = False
    early.calls.clear()
    with reader_of(early) as reader, pytest.raises(ConnectionDropped, match="ended early"):
        reader.readall()
    assert early.open_streams == 0


@pytest.mark.parametrize("readahead", [0, 2])
def test_nor_where_the_store_ignores_ranges(readahead: int) -> None:
    """Neither in what is new, nor in what is dropped as it was there before; the rest is asked for to its end."""
    store = EndsEarly()
    store.put("b", "k", CONTENT)
    store.ranges = False
    store.ends = 4, 2
    with reader_of(store, readahead=readahead) as reader:
        assert reader.readall() == CONTENT
    assert ranges(store)[1:] == ["bytes=4-", "bytes=4-"]
    assert store.pauses == [1, 2]


def test_without_an_e_tag_nothing_is_resumed(store: MemoryStore) -> None:
    """The rest might be of another object."""
    store.e_tags = False
    store.breaks = [4]
    with reader_of(store) as reader:
        assert reader.read(10) == CONTENT[:4]
        with pytest.raises(ConnectionDropped):
            reader.read(10)
    assert len(store.calls) == 1
    assert store.pauses == []


@pytest.mark.parametrize("kind", [MemoryStore, IgnoresConditions])
@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT[:3], CONTENT * 2])
def test_an_object_that_was_replaced_is_not_mixed_in(kind: type[MemoryStore], content: bytes) -> None:
    """By 412 where the store knows If-Match, else by the ETag of the answer, or by 416 where it became shorter."""
    store = kind()
    store.put("b", "k", CONTENT)
    store.breaks = [4]
    with reader_of(store) as reader:
        assert reader.read(4) == CONTENT[:4]
        store.put("b", "k", content)
        with pytest.raises(ObjectChanged, match="s3://b/k was replaced"):
            reader.read(4)
        with pytest.raises(ObjectChanged):
            reader.read(4)
    assert store.open_streams == 0


@pytest.mark.parametrize("change", [{"first": 5}, {"size": 31}])
def test_an_answer_that_does_not_go_on_where_it_broke_off_is_refused(change: dict[str, int]) -> None:
    """Another offset or another size than asked for, though the ETag is the same."""

    class Confused(MemoryStore):
        def _GetObject(self, operation: Any) -> ObjectStream:
            answer = super()._GetObject(operation)
            if len(self.calls) == 1:
                return answer
            size = change.get("size", answer.info.size)
            return answer._replace(first=change.get("first", answer.first), info=answer.info._replace(size=size))

    store = Confused()
    store.put("b", "k", CONTENT)
    store.breaks = [4]
    with reader_of(store) as reader, pytest.raises(ObjectChanged):
        reader.readall()
    assert store.open_streams == 0


@pytest.mark.parametrize("breaks", [[4], [4, 2], [4, 4], [4, 20, 29]])
def test_a_store_that_ignores_ranges_is_read_past_what_is_known(breaks: list[int | None], store: MemoryStore) -> None:
    """A resumed body from byte 0: what was handed out before is dropped. A break meanwhile counts as a try."""
    store.ranges = False
    store.breaks = breaks
    store.piece = 3
    with reader_of(store) as reader:
        assert reader.readall() == CONTENT


def test_a_store_that_ignores_ranges_and_never_gets_further_is_given_up(store: MemoryStore) -> None:
    """Bytes that are dropped are no progress."""
    store.ranges = False
    store.breaks = [4] * 10
    with reader_of(store) as reader:
        assert reader.read(10) == CONTENT[:4]
        with pytest.raises(ConnectionDropped):
            reader.read(10)
    assert store.pauses == [1, 2, 3, 4]


def test_a_part_of_the_rest_is_not_the_end_of_an_object_of_unknown_length() -> None:
    """The range that goes on where it broke off says how long the object is."""
    store = GivesLittle()
    store.put("b", "k", CONTENT)
    store.lengths = False
    store.breaks = [7]
    with reader_of(store) as reader:
        assert reader.read() == CONTENT
    assert ranges(store) == ["all", "bytes=7-", "bytes=17-", "bytes=27-"]
    assert store.open_streams == 0


def test_a_range_of_an_unknown_whole_goes_on_with_what_is_known(store: MemoryStore) -> None:
    """Content-Range "bytes 4-29/*" says nothing against the size that the first answer told."""
    store.content_ranges = False
    store.breaks = [4]
    with reader_of(store) as reader:
        assert reader.readall() == CONTENT
        assert reader.open().size == len(CONTENT)


def test_a_range_is_filled_or_an_error() -> None:
    """Also where a store gives but a part of it, and does not say of how much."""
    store = GivesLittle()
    store.put("b", "k", CONTENT)
    store.content_ranges = False
    whole = bytearray(15)
    read_range(store, GetObject("b", "k", ByteRange(5, 19)), memoryview(whole))
    assert whole == CONTENT[5:20]
    store.content_ranges = True
    with pytest.raises(Truncated, match="15 bytes before the end"):
        read_range(store, GetObject("b", "k", ByteRange(25, 44)), memoryview(bytearray(20)))
    assert store.open_streams == 0


def test_a_range_that_is_of_no_use_any_more_ends_at_once(store: MemoryStore) -> None:
    """`stop` is looked at between two pieces."""
    stop = threading.Event()
    store.piece = 2
    store.before_read = stop.set
    buffer = bytearray(PART)
    with pytest.raises(Stopped):
        read_range(store, GetObject("b", "k", ByteRange(0, PART - 1)), memoryview(buffer), None, stop)
    assert buffer == CONTENT[:2] + bytes(PART - 2)


def test_an_object_of_unknown_length_is_read_to_its_end(store: MemoryStore) -> None:
    """No Content-Length: progress has no total, and there is no end to seek from."""
    store.lengths = False
    store.piece = 7
    told: list[Any] = []
    with reader_of(store, progress=lambda *count: told.append(count)) as reader:
        assert reader.read() == CONTENT
        with pytest.raises(io.UnsupportedOperation):
            reader.seek(0, io.SEEK_END)
    assert told[-1] == (len(CONTENT), None)


def checksum(algorithm: str, content: bytes) -> dict[str, str]:
    if algorithm == "crc32":
        return {"x_amz_checksum_crc32": crc32_header(content)}
    return {f"x_amz_checksum_{algorithm}": b64encode(hashlib.new(algorithm, content).digest()).decode()}


@pytest.mark.parametrize("algorithm", ["crc32", "sha1", "sha256"])
@pytest.mark.parametrize("breaks", [[], [4], [0, 1, 20]])
@pytest.mark.parametrize("readahead", [0, 2])
def test_the_stored_checksum_is_compared(
    algorithm: str, breaks: list[int | None], readahead: int, store: MemoryStore
) -> None:
    """Also over breaks, and where all comes in the first range: right bytes pass, wrong ones do not."""
    options = ReaderOptions(readahead=readahead)
    store.put("b", "k", CONTENT, **checksum(algorithm, CONTENT))
    store.breaks = [*breaks]
    with Reader(store, "b", "k", options) as reader:
        assert reader.readall() == CONTENT
    store.put("b", "k", CONTENT, **checksum(algorithm, b"other"))
    store.breaks = [*breaks]
    with Reader(store, "b", "k", options) as reader, pytest.raises(ChecksumMismatch, match="s3://b/k"):
        reader.readall()


@pytest.mark.parametrize("lengths", [True, False])
def test_the_last_bytes_are_held_back_if_the_checksum_is_wrong(lengths: bool, store: MemoryStore) -> None:
    """So that even who stops at the announced size notices, and so does who tries again."""
    store.put("b", "k", CONTENT, **checksum("crc32", b"other"))
    store.lengths = lengths
    with reader_of(store) as reader:
        assert reader.read(20) == CONTENT[:20]
        if not lengths:
            assert reader.read(10) == CONTENT[20:]
        for _ in range(2):
            with pytest.raises(ChecksumMismatch):
                reader.read(10)
        reader.seek(0)
        with pytest.raises(ChecksumMismatch):
            reader.readall()
        if lengths:
            reader.seek(0, io.SEEK_END)
            assert reader.read(1) == b""


def test_an_empty_object_is_compared_too(store: MemoryStore) -> None:
    """The checksum of nothing is one, too."""
    store.put("b", "k", b"", **checksum("crc32", b"not so empty"))
    with reader_of(store) as reader, pytest.raises(ChecksumMismatch):
        reader.read(1)
    with open_reader(store, "b", "k") as reader, pytest.raises(ChecksumMismatch):
        reader.read(1)


@pytest.mark.parametrize(
    "headers",
    [{"x_amz_checksum_crc32": "AAAAAA==-3"}, {"x_amz_checksum_crc32": "AAAAAA==", "x_amz_checksum_type": "COMPOSITE"}],
)
def test_a_checksum_of_checksums_is_not_compared(headers: dict[str, str], store: MemoryStore) -> None:
    """It cannot be computed from a stream."""
    store.put("b", "k", CONTENT, **headers)
    with reader_of(store) as reader:
        assert reader.readall() == CONTENT


def test_what_is_not_read_in_one_pass_is_not_compared(store: MemoryStore) -> None:
    """A seek leaves bytes out, so nothing can be said of the whole."""
    store.put("b", "k", CONTENT, **checksum("crc32", b"other"))
    with reader_of(store) as reader:
        reader.seek(1)
        assert reader.readall() == CONTENT[1:]


def test_the_checksum_of_a_range_is_not_that_of_the_whole(store: MemoryStore) -> None:
    """S3 gives a part's own for a range that happens to be one."""
    store.range_headers = {"x-amz-checksum-crc32": crc32_header(CONTENT[:PART])}
    with reader_of(store, readahead=2) as reader:
        assert reader.readall() == CONTENT


def test_a_seek_on_a_store_that_ignores_ranges_is_not_compared_either(store: MemoryStore) -> None:
    """The answer covers the whole object, but its beginning is dropped unseen."""
    store.put("b", "k", CONTENT, **checksum("crc32", CONTENT))
    store.ranges = False
    with reader_of(store) as reader:
        reader.seek(10)
        assert reader.readall() == CONTENT[10:]


def test_ranges_that_come_in_any_order_are_handed_out_in_theirs(store: MemoryStore) -> None:
    """The second range is answered only after the fourth was."""
    store.put("b", "k", CONTENT * 3)
    fourth = threading.Event()

    def on_call(operation: Any) -> None:
        if operation.byte_range.first == PART:
            assert fourth.wait(30)
        if operation.byte_range.first == 3 * PART:
            fourth.set()

    store.on_call = on_call
    with reader_of(store, readahead=3) as reader:
        assert reader.readall() == CONTENT * 3
    assert sorted(ranges(store)) == sorted(f"bytes={at}-{at + PART - 1}" for at in range(0, 90, PART))
    assert {operation.if_match for operation in store.calls[1:]} == {store.objects["b", "k"].e_tag}


def test_ranges_are_on_their_way_while_the_first_is_read(store: MemoryStore) -> None:
    """From open() on: nobody has read a byte yet."""
    third = threading.Event()
    store.on_call = lambda operation: third.set() if operation.byte_range.first == 2 * PART else None
    with reader_of(store, readahead=2) as reader:
        reader.open()
        assert third.wait(30)


@pytest.mark.parametrize("readahead", [1, 2, 5])
@pytest.mark.parametrize("piece", [1, 4, 10, 33])
def test_no_more_is_fetched_ahead_than_there_are_buffers(readahead: int, piece: int, store: MemoryStore) -> None:
    """What was asked for and not yet handed out never exceeds (readahead + 1) parts, and readahead requests at once."""
    store.put("b", "k", CONTENT * 10)
    ahead = []
    reader = reader_of(store, readahead=readahead)
    store.on_call = lambda operation: ahead.append(operation.byte_range.last + 1 - reader.tell())
    with reader:
        while reader.read(piece):
            pass
    assert len(ahead) == 30
    # tell() lags by the one read that is under way.
    assert max(ahead) <= (readahead + 1) * PART + piece
    assert store.most_running <= readahead


def test_buffers_are_used_again(store: MemoryStore) -> None:
    """However long the object, one buffer per range ahead and one that is being handed out."""
    store.put("b", "k", CONTENT * 10)
    buffers = {}

    class Watching(MemoryStream):
        def readinto(self, buffer: memoryview, /) -> int:
            buffers[id(buffer.obj)] = buffer.obj
            return super().readinto(buffer)

    class Watched(MemoryStore):
        def _GetObject(self, operation: Any) -> ObjectStream:
            answer = super()._GetObject(operation)
            answer.stream.__class__ = Watching  # type: ignore[assignment]
            return answer

    watched = Watched()
    watched.objects = store.objects
    with reader_of(watched, readahead=2) as reader:
        target = bytearray(300)
        view, got = memoryview(target), 0
        while count := reader.readinto(view[got : got + 7]):
            got += count
    assert bytes(target) == CONTENT * 10
    assert len([buffer for buffer in buffers.values() if buffer is not target]) <= 3


def test_each_range_resumes_by_itself(store: MemoryStore) -> None:
    """A break in one costs the others nothing."""
    store.put("b", "k", CONTENT * 2)
    store.breaks = [1] * 9
    with reader_of(store, readahead=2) as reader:
        assert reader.readall() == CONTENT * 2
    assert len(store.pauses) == 9


def test_an_error_in_a_range_ends_the_threads(store: MemoryStore) -> None:
    """It is raised to whoever reads, before close(); what was read before is good."""
    store.put("b", "k", CONTENT * 3)
    before = threading.enumerate()

    def on_call(operation: Any) -> None:
        if operation.byte_range.first == 2 * PART:
            raise AccessDenied(403, "AccessDenied")

    store.on_call = on_call
    with reader_of(store, readahead=1) as reader:
        got: list[bytes] = []
        with pytest.raises(AccessDenied):
            got.extend(iter(lambda: reader.read(PART), b""))
        assert threading.enumerate() == before
        assert CONTENT.startswith(b"".join(got))
        assert store.open_streams == 0


def test_an_object_replaced_between_two_ranges_is_noticed(store: MemoryStore) -> None:
    """Each range is bound to the ETag of the first."""
    with reader_of(store, readahead=1) as reader:
        assert reader.read(PART) == CONTENT[:PART]
        reader.read(PART)
        store.put("b", "k", CONTENT[::-1])
        store.put("b", "k", CONTENT[::-1] * 3)
        reader.seek(3)
        with pytest.raises(ObjectChanged):
            reader.read(PART)


def test_ranges_without_an_e_tag_are_not_put_together(store: MemoryStore) -> None:
    """One GetObject of everything instead."""
    store.e_tags = False
    with reader_of(store, readahead=2) as reader:
        assert reader.readall() == CONTENT
    assert ranges(store) == ["bytes=0-9", "all"]


def test_readahead_on_a_store_that_ignores_ranges_is_one_stream(store: MemoryStore) -> None:
    """The first answer is everything, so it is read on."""
    store.ranges = False
    with reader_of(store, readahead=2) as reader:
        assert reader.readall() == CONTENT
    assert len(store.calls) == 1


@pytest.mark.parametrize("replaced", [False, True])
def test_without_an_etag_the_time_tells_one_object_from_another(replaced: bool, store: MemoryStore) -> None:
    """Who goes back in it asks again, and must not get bytes of what has replaced it."""
    store.e_tags = False
    store.objects["b", "k"].modified = "now"
    with reader_of(store) as reader:
        assert reader.read(4) == CONTENT[:4]
        store.put("b", "k", CONTENT[::-1]).modified = "later" if replaced else "now"
        reader.seek(20)
        with pytest.raises(ObjectChanged) if replaced else nullcontext():
            assert reader.read(4) == CONTENT[::-1][20:24]


def test_an_interrupt_in_a_read_leaves_no_gap(store: MemoryStore) -> None:
    """How far the stream came is not known, so the next read asks again from what was handed out."""
    store.piece = 8
    reads = iter([None, KeyboardInterrupt(), None, None, None, None, None])

    def before_read() -> None:
        if (error := next(reads)) is not None:
            raise error

    store.before_read = before_read
    with reader_of(store) as reader:
        assert reader.read(8) == CONTENT[:8]
        with pytest.raises(KeyboardInterrupt):
            reader.read(8)
        assert store.open_streams == 0
        assert reader.readall() == CONTENT[8:]
    assert store.pauses == []


def test_an_interrupt_while_waiting_for_a_range_is_over_at_once(store: MemoryStore) -> None:
    """A range that takes no notice of Ctrl-C is not waited for long, and no byte is lost to whoever reads on."""
    reading, released = threading.Event(), threading.Event()
    before = threading.enumerate()

    def on_call(operation: Any) -> None:
        if operation.byte_range.first == PART and not released.is_set():
            assert reading.wait(30)
            ctrl_c()
            assert released.wait(30)

    def read() -> bytes:
        reading.set()
        return reader.read(PART)

    store.on_call = on_call
    with reader_of(store, readahead=1) as reader:
        assert reader.read(PART) == CONTENT[:PART]
        with pytest.raises(KeyboardInterrupt):
            read()
        released.set()
        assert reader.readall() == CONTENT[PART:]
    for thread in set(threading.enumerate()) - set(before):
        thread.join(30)


@pytest.mark.parametrize("readahead", [0, 2])
@pytest.mark.parametrize("read", [0, 1, 15])
def test_closing_half_way_releases_everything(readahead: int, read: int, store: MemoryStore) -> None:
    """Streams and threads; closing twice does no harm; reading afterwards is a ValueError."""
    before = threading.enumerate()
    reader = reader_of(store, readahead=readahead)
    reader.read(read)
    reader.close()
    reader.close()
    assert store.open_streams == 0
    assert threading.enumerate() == before
    questions = (reader.open, reader.tell, reader.readable, reader.seekable)
    for use in (reader.read, reader.readall, *questions, lambda: reader.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            use()


@pytest.mark.parametrize("readahead", [0, 2])
def test_a_dropped_reader_releases_everything(readahead: int, store: MemoryStore) -> None:
    """As io.IOBase does: losing the last reference closes."""
    before = threading.enumerate()
    reader = reader_of(store, readahead=readahead)
    reader.read(1)
    del reader
    gc.collect()
    assert store.open_streams == 0
    assert threading.enumerate() == before


@pytest.mark.parametrize("readahead", [0, 3])
def test_lines_come_through_the_wrappers(readahead: int) -> None:
    """BufferedReader and TextIOWrapper, in few reads of the buffer's size."""
    lines = [f"line {number} \N{SNOWMAN}\n" for number in range(100_000)]
    store = MemoryStore()
    store.put("b", "k", "".join(lines).encode())
    options = ReaderOptions(readahead=readahead, part_size=100_000)
    with io.BufferedReader(Reader(store, "b", "k", options)) as binary:
        assert list(binary) == [line.encode() for line in lines]
    with io.TextIOWrapper(io.BufferedReader(Reader(store, "b", "k", options)), "utf-8") as text:
        assert text.readline() == lines[0]
        mark = text.tell()
        assert text.read(20) == "".join(lines[1:4])[:20]
        text.seek(mark)
        assert list(text) == lines[1:]
    assert store.open_streams == 0


def test_wrappers_cost_no_request_of_their_own(store: MemoryStore) -> None:
    """They call tell() and seekable(); reading straight through stays one GetObject."""
    with io.TextIOWrapper(io.BufferedReader(reader_of(store)), "ascii") as text:
        assert text.read() == CONTENT.decode()
    assert ranges(store) == ["all"]


@pytest.mark.parametrize("readahead", [0, 2])
def test_seeking_is_that_of_a_file(readahead: int) -> None:
    """Compared with io.BytesIO over a thousand random steps, some past the end."""
    content = random.Random(1).randbytes(100)
    store = MemoryStore()
    store.put("b", "k", content)
    store.piece = 9
    steps = random.Random(2)
    with reader_of(store, readahead=readahead) as raw, io.BufferedReader(raw, 16) as reader:
        model = io.BytesIO(content)
        for _ in range(300):
            whence = steps.choice([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
            offset = steps.randrange(120) if whence == io.SEEK_SET else steps.randrange(-40, 20)
            if model.tell() + offset < 0 and whence == io.SEEK_CUR:
                continue
            assert reader.seek(offset, whence) == model.seek(offset, whence)
            count = steps.randrange(30)
            assert reader.read(count) == model.read(count)
            assert reader.tell() == model.tell()
    assert store.open_streams == 0


def test_a_zip_archive_can_be_read_in_place() -> None:
    """What needs seekable files works without a copy on disk."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("one", "two"):
            archive.writestr(name, name * 10_000)
    store = MemoryStore()
    store.put("b", "k", file.getvalue())
    with io.BufferedReader(Reader(store, "b", "k")) as reader, zipfile.ZipFile(reader) as archive:
        assert archive.read("two") == b"two" * 10_000


def test_seeking_costs_nothing_until_the_next_read(store: MemoryStore) -> None:
    """And then one request, bound to the same object; none at or past the end."""
    with open_reader(store, "b", "k") as reader:
        assert reader.seek(-2, io.SEEK_END) == 28
        assert reader.seek(-8, io.SEEK_CUR) == 20
        assert len(store.calls) == 1
        assert reader.read(3) == CONTENT[20:23]
        assert ranges(store) == ["all", "bytes=20-"]
        assert store.calls[1].if_match == store.objects["b", "k"].e_tag
        for offset in (30, 1000):
            reader.seek(offset)
            assert reader.read(1) == b""
            assert reader.readall() == b""
        assert len(store.calls) == 2
        with pytest.raises(ValueError, match="before the start"):
            reader.seek(-1)
        with pytest.raises(ValueError, match="whence"):
            reader.seek(0, 7)
        assert "content-range" not in reader.open().headers


@pytest.mark.parametrize("content", [CONTENT, b""])
def test_seeking_past_the_end_is_no_error(content: bytes, store: MemoryStore) -> None:
    """There is nothing to read, as in a file, and no range to ask for."""
    store.put("b", "k", content)
    with reader_of(store) as reader:
        assert reader.seek(1000) == 1000
        assert reader.read(1) == b""
        assert reader.seek(0, io.SEEK_END) == len(content)
        assert reader.read(1) == b""


@pytest.mark.parametrize("readahead", [0, 1])
def test_progress_counts_what_was_handed_out(readahead: int, store: MemoryStore) -> None:
    """Bytes so far and the size of the object."""
    told: list[Any] = []
    with reader_of(store, readahead=readahead, progress=lambda *count: told.append(count)) as reader:
        while reader.read(PART):
            pass
    assert told == [(10, 30), (20, 30), (30, 30)]


def test_any_buffer_of_bytes_will_do(store: MemoryStore) -> None:
    """readinto() fills arrays of wider items, and nothing into an empty one without asking the store."""
    import array

    wide = array.array("I", [0] * 5)
    with reader_of(store) as reader:
        assert reader.readinto(bytearray()) == 0
        assert store.calls == []
        assert reader.readinto(wide) == 20
    assert wide.tobytes() == CONTENT[:20]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_forked_child_reads_on_by_a_request_of_its_own(store: MemoryStore) -> None:
    """Two processes on one connection would take each other's bytes."""
    with reader_of(store) as reader:
        assert reader.read(5) == CONTENT[:5]
        child = os.fork()
        if not child:
            right = reader.readall() == CONTENT[5:] and ranges(store) == ["all", "bytes=5-"]
            os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert reader.readall() == CONTENT[5:]
    assert ranges(store) == ["all"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_forked_child_that_reads_first_asks_once(store: MemoryStore) -> None:
    """The connection is its own from then on."""
    with reader_of(store) as reader:
        child = os.fork()
        if not child:
            right = reader.read(5) + reader.readall() == CONTENT and ranges(store) == ["all"]
            os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_reader_that_is_open_at_the_end_does_not_hold_up_the_interpreter() -> None:
    """Its threads are ended first; nothing is printed about it."""
    script = (
        "import atexit, threading\n"
        "from transfer.memory_store import MemoryStore\n"
        "atexit.register(lambda: print(threading.active_count()))\n"
        "from s3target.transfer.reader import Reader, ReaderOptions\n"
        "store = MemoryStore()\n"
        "store.put('b', 'k', bytes(100))\n"
        "reader = Reader(store, 'b', 'k', ReaderOptions(readahead=3, part_size=10))\n"
        "assert reader.read(15) == bytes(10)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")

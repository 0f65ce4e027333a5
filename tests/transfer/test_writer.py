"""The Writer against a store in memory: all or nothing, on every way out; bounded memory; no thread left behind."""

from __future__ import annotations

import gc
import gzip
import io
import os
import platform
import random
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3target.errors import AccessDenied, ConfigError, PreconditionFailed, TimedOut
from s3target.stores import STORES
from s3target.transfer.plan import DEFAULT_PART, MAX_PART, MAX_PARTS, MIN_PART
from s3target.transfer.writer import KEPT_FROM, KEPT_TO, PartBuffer, Writer, WriterOptions, part_size_at
from transfer.memory_store import MemoryStore, crc32_header, ctrl_c

ROOT = Path(__file__).parents[2]
CONTENT = random.Random(0).randbytes(3 * MIN_PART + 1)
PART = CONTENT[:MIN_PART]
Drop = Callable[[Writer], Any]


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()
    assert set(threading.enumerate()) <= before


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def writer_of(store: MemoryStore, **options: Any) -> Writer:
    return Writer(store, "b", "k", WriterOptions(**{"part_size": MIN_PART, "threads": 2, **options}))


def nothing_is_left(store: MemoryStore) -> bool:
    return not store.objects and not store.uploads


@pytest.mark.parametrize("piece", [MIN_PART // 3 + 1, MIN_PART, 1 << 30])
@pytest.mark.parametrize("parts", [0, 1, 2, 3])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_every_size_arrives(parts: int, more: int, piece: int, store: MemoryStore) -> None:
    """Less than a part is one PutObject, an empty object too; everything else goes up in parts."""
    size = max(0, parts * MIN_PART + more)
    view = memoryview(CONTENT)[:size]
    with writer_of(store) as writer:
        for at in range(0, size, piece):
            length = len(view[at : at + piece])
            assert writer.write(view[at : at + piece]) == length
        assert not store.objects
        assert writer.tell() == size
    assert store.content("b", "k") == view
    assert writer.written is not None
    assert writer.written.e_tag == store.objects["b", "k"].e_tag
    names = store.names()
    if size < MIN_PART:
        assert names == ["PutObject"]
    else:
        count = -(-size // MIN_PART)
        assert names == ["CreateMultipartUpload", *["UploadPart"] * count, "CompleteMultipartUpload"]


def test_many_small_writes_are_collected(store: MemoryStore) -> None:
    """No request before a part is full, and the caller's buffer may change after each write."""
    scratch = bytearray(1000)
    with writer_of(store) as writer:
        for number in range(6000):
            scratch[:] = number.to_bytes(4, "big") * 250
            writer.write(scratch)
    assert store.content("b", "k") == b"".join(number.to_bytes(4, "big") * 250 for number in range(6000))
    assert len(store.calls) == 4


def test_options_go_to_the_requests_they_belong_to(store: MemoryStore) -> None:
    """Metadata with Create or Put, conditions with Complete or Put, customer keys with all."""
    extra = {"ContentType": "text/plain", "IfNoneMatch": "*", "RequestPayer": "requester"}
    with writer_of(store, extra_args=extra) as writer:
        writer.write(PART)
    create, part, complete = store.calls
    payer = {"x-amz-request-payer": "requester"}
    mark = {"x-amz-meta-s3target-once": ANY}
    whole = {"x-amz-checksum-type": "FULL_OBJECT"}
    checksum = {**whole, "x-amz-checksum-algorithm": "CRC32"}
    assert create.headers == {**payer, **mark, **checksum, "content-type": "text/plain"}
    assert part.headers == payer
    assert complete.headers == {**payer, **whole, "x-amz-checksum-crc32": crc32_header(PART), "if-none-match": "*"}
    assert all(part.checksum for part in complete.parts)
    store.objects.clear()
    with writer_of(store, extra_args=extra) as writer:
        writer.write(b"small")
    assert store.calls[3].headers == {**payer, **mark, "content-type": "text/plain", "if-none-match": "*"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part_size": MIN_PART - 1}, "5 MiB"),
        ({"part_size": MAX_PART + 1}, "5 GiB"),
        ({"threads": 0}, "threads"),
        ({"extra_args": {"ChecksumSHA256": "abc"}}, "ChecksumSHA256 cannot be known"),
        ({"extra_args": {"ContentMD5": "abc"}}, "ContentMD5 cannot be known"),
    ],
)
def test_options_that_cannot_be_right_are_refused(options: dict[str, Any], message: str) -> None:
    """At once, not when the last part has gone up."""
    with pytest.raises(ConfigError, match=message):
        WriterOptions(**options)
    assert WriterOptions(extra_args={"ChecksumAlgorithm": "SHA256", "ChecksumType": "COMPOSITE"}).extra_args


@pytest.mark.parametrize("part_size", [MIN_PART, DEFAULT_PART, MAX_PART])
def test_parts_grow_so_that_10_000_of_them_hold_5_tib(part_size: int) -> None:
    """The first thousand as asked for; never smaller than the one before, never over 5 GiB."""
    options = WriterOptions(part_size=part_size)
    sizes = [part_size_at(number, options) for number in range(1, MAX_PARTS + 1)]
    assert set(sizes[:1000]) == {part_size}
    assert sizes == sorted(sizes)
    assert sizes[-1] <= MAX_PART
    assert sum(sizes) >= 5 << 40
    with pytest.raises(ConfigError, match="write it to several objects"):
        part_size_at(MAX_PARTS + 1, options)


def test_the_table_of_memory_holds() -> None:
    """The figures of the file's docstring: GiB written, MiB of the part that follows."""
    options = WriterOptions()
    written, table = 0, {8000: 8, 78 << 10: 136, 500 << 10: 368, 1 << 20: 528, 5 << 20: 1184}
    for number in range(1, MAX_PARTS + 1):
        size = part_size_at(number, options) >> 20
        for mark in [mark for mark in table if written < mark <= written + size]:
            assert size == table.pop(mark)
        written += size
    assert not table


def test_equal_parts_stay_equal_and_the_end_names_the_remedy() -> None:
    """For stores that refuse unequal ones."""
    options = WriterOptions(equal_parts=True)
    assert {part_size_at(number, options) for number in range(1, MAX_PARTS + 1)} == {DEFAULT_PART}
    with pytest.raises(ConfigError, match="give a part_size above 8388608"):
        part_size_at(MAX_PARTS + 1, options)
    store = MemoryStore()
    for kind, last in (("r2", DEFAULT_PART), ("aws", 151 * DEFAULT_PART)):
        store.store = STORES[kind]
        writer = Writer(store, "b", "k")
        assert part_size_at(MAX_PARTS, writer._options) == last
        writer.abort()


def test_a_buffer_serves_parts_of_any_size() -> None:
    """It takes no more than its size, and what it held before never shows."""
    buffer = PartBuffer(4)
    for size, pieces in [(4, [b"ab", b"cdef"]), (4, [b"x", b"yz", b"w"]), (7, [b"0123456", b"7"]), (7, [b"12345678"])]:
        buffer.reuse(size)
        taken = [buffer.add(memoryview(piece), False) for piece in pieces]
        assert sum(taken) == buffer.length == size
        assert b"".join(buffer.body().pieces) == b"".join(pieces)[:size]


LENGTHS = st.sampled_from([1, 1000, KEPT_FROM - 1, KEPT_FROM, KEPT_FROM + 1, KEPT_TO, KEPT_TO + 1])
PIECES = st.lists(st.tuples(LENGTHS, st.sampled_from([bytes, bytearray])), max_size=12)


@given(parts=st.lists(st.tuples(st.integers(1, 3 * KEPT_TO), PIECES), max_size=4))
def test_a_part_is_what_was_added_in_its_order(parts: list[tuple[int, list[tuple[int, type]]]]) -> None:
    """Kept or copied, in whatever turn; and what can change after it was given is copied."""
    buffer = PartBuffer(1)
    bodies = []  # somebody may still look at those
    for number, (size, pieces) in enumerate(parts):
        buffer.reuse(size)
        expected = b""
        for length, kind in pieces:
            start = number + length % 251
            piece = kind(CONTENT[start : start + length])
            taken = buffer.add(memoryview(piece), kind is bytes)
            expected += piece[:taken]
            assert taken == min(length, size - len(expected) + taken)
            if kind is bytearray:
                piece[:] = bytes(length)
        bodies.append(buffer.body())
        assert b"".join(bodies[-1].pieces) == expected


def test_large_bytes_are_not_copied(store: MemoryStore) -> None:
    """From the caller to the socket; but not those that would keep much more in memory than the part has."""
    view = memoryview(CONTENT[:KEPT_TO])  # of which a short piece would hold all
    for length, kept in [(KEPT_FROM - 1, False), (KEPT_FROM, True), (KEPT_TO, True), (KEPT_TO + 1, False)]:
        piece = CONTENT[:length]
        with writer_of(store) as writer:
            for given in (piece, bytearray(piece), view[:length]):
                writer.write(given)
        (put,) = store.calls
        assert [sent.obj is piece for sent in put.body.pieces] == ([True, False] if kept else [False])
        store.calls.clear()
    with writer_of(store) as writer:
        for _ in range(6):
            writer.write(CONTENT[:KEPT_TO])
    assert [len(call.body.pieces) for call in store.calls if call.name == "UploadPart"] == [5, 1]
    assert store.content("b", "k") == CONTENT[:KEPT_TO] * 6


@pytest.mark.parametrize("threads", [1, 3])
def test_memory_is_bounded_however_slow_the_store_is(threads: int, store: MemoryStore) -> None:
    """At most threads parts on their way and one being filled; their buffers are used again and again."""
    finished = 0
    held: list[int] = []
    lock = threading.Lock()

    def on_call(operation: Any) -> None:
        nonlocal finished
        if operation.name == "UploadPart":
            with lock:
                held.append(writer.tell() + 1000 - finished)
                finished += operation.body.length

    store.on_call = on_call
    with writer_of(store, threads=threads) as writer:
        for _ in range(12 * MIN_PART // 1000):
            writer.write(CONTENT[:1000])
    assert max(held) <= (threads + 1) * MIN_PART + 1000
    assert store.most_running <= threads
    parts = [operation for operation in store.calls if operation.name == "UploadPart"]
    assert len(parts) == 12
    assert len({id(part.body.pieces[0].obj) for part in parts}) <= threads + 1


def test_writing_waits_while_all_threads_are_busy(store: MemoryStore) -> None:
    """Two parts are on their way and hang, so a third one that is full is not taken."""
    go_on, second, third_taken = threading.Event(), threading.Event(), threading.Event()
    too_early: list[bool] = []

    def on_call(operation: Any) -> None:
        if operation.name == "UploadPart":
            if operation.number == 2:
                second.set()
            assert go_on.wait(30)

    def release() -> None:
        assert second.wait(30)
        too_early.append(third_taken.wait(0.1))  # time enough for a writer that does not wait
        go_on.set()

    store.on_call = on_call
    with writer_of(store) as writer:
        thread = threading.Thread(target=release)
        thread.start()
        for _ in range(3):
            writer.write(PART)
        third_taken.set()
        thread.join()
    assert too_early == [False]
    assert store.content("b", "k") == PART * 3


@pytest.mark.parametrize("part", [1, 2, 3, 4])
def test_a_part_that_fails_aborts_the_upload(part: int, store: MemoryStore) -> None:
    """The first error is raised by write() or close(), nothing is stored, and the upload is aborted once."""
    error = AccessDenied(403, "AccessDenied")

    def on_call(operation: Any) -> None:
        if operation.name == "UploadPart" and operation.number == part:
            raise error

    store.on_call = on_call
    writer = writer_of(store)
    with pytest.raises(AccessDenied) as raised:
        write_all_and_close(writer)
    assert raised.value is error
    writer.abort()
    assert nothing_is_left(store)
    assert store.names()[-1] == "AbortMultipartUpload"
    assert store.names().count("AbortMultipartUpload") == 1


def write_all_and_close(writer: Writer) -> None:
    for at in range(0, len(CONTENT), MIN_PART):
        writer.write(CONTENT[at : at + MIN_PART])
    writer.close()


def fail_at(store: MemoryStore, name: str, error: BaseException) -> None:
    def on_call(operation: Any) -> None:
        if operation.name == name:
            store.on_call = lambda operation: None
            raise error

    store.on_call = on_call


def test_close_after_a_failed_write_raises_its_error_and_stores_nothing(store: MemoryStore) -> None:
    """A caller who swallows the error of a write must not get a shorter object. Once closed, it is over."""
    error = TimedOut("silent")
    fail_at(store, "CreateMultipartUpload", error)
    writer = writer_of(store)
    for _ in range(2):
        with pytest.raises(TimedOut) as raised:
            writer.write(PART)
        assert raised.value is error
    with pytest.raises(TimedOut) as raised:
        writer.close()
    assert raised.value is error
    assert writer.closed
    writer.close()
    assert nothing_is_left(store)
    assert store.names() == ["CreateMultipartUpload"]


@pytest.mark.parametrize("name", ["PutObject", "CompleteMultipartUpload"])
def test_a_commit_that_is_refused_leaves_nothing_behind(name: str, store: MemoryStore) -> None:
    """Somebody else's object is there: it stays, the error comes out of close(), the parts are dropped."""
    store.put("b", "k", b"theirs")
    writer = writer_of(store, extra_args={"IfNoneMatch": "*"})
    writer.write(b"small" if name == "PutObject" else CONTENT)
    with pytest.raises(PreconditionFailed):
        writer.close()
    assert writer.closed
    writer.close()
    assert store.content("b", "k") == b"theirs"
    assert not store.uploads
    assert store.names().count(name) == 1
    assert writer.written is None


@pytest.mark.parametrize("size", [0, 10, MIN_PART, len(CONTENT)])
def test_closing_twice_commits_once(size: int, store: MemoryStore) -> None:
    """The second close() does nothing, nor does an abort() after it."""
    writer = writer_of(store)
    writer.write(CONTENT[:size])
    writer.close()
    calls = len(store.calls)
    writer.close()
    writer.abort()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")
    assert len(store.calls) == calls
    assert store.content("b", "k") == CONTENT[:size]


@pytest.mark.parametrize("size", [0, 10, MIN_PART, len(CONTENT)])
def test_abort_stores_nothing(size: int, store: MemoryStore) -> None:
    """Whatever was written; it closes, and a second one does nothing."""
    writer = writer_of(store)
    writer.write(CONTENT[:size])
    writer.abort()
    assert writer.closed
    calls = len(store.calls)
    writer.abort()
    writer.close()
    assert nothing_is_left(store)
    assert len(store.calls) == calls
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")


@pytest.mark.parametrize("error", [ZeroDivisionError("theirs"), KeyboardInterrupt(), SystemExit(1)])
@pytest.mark.parametrize("size", [0, 10, len(CONTENT)])
def test_leaving_the_block_by_an_exception_stores_nothing(error: BaseException, size: int, store: MemoryStore) -> None:
    """And the exception is the one that left it."""

    def write() -> None:
        with writer_of(store) as writer:
            writer.write(CONTENT[:size])
            raise error

    with pytest.raises(type(error)) as raised:
        write()
    assert raised.value is error
    assert nothing_is_left(store)


def test_abort_waits_for_the_parts_on_their_way(store: MemoryStore) -> None:
    """A part that lands after the abort would stay, and cost."""
    begun, released = threading.Event(), threading.Event()
    events: list[str] = []

    def on_call(operation: Any) -> None:
        if operation.name == "UploadPart":
            begun.set()
            assert released.wait(30)
        events.append(operation.name)

    store.on_call = on_call
    writer = writer_of(store)
    writer.write(PART)
    assert begun.wait(30)
    aborting = threading.Thread(target=writer.abort)
    aborting.start()
    aborting.join(0.1)  # time enough for an abort that does not wait to be too early
    assert aborting.is_alive()
    released.set()
    aborting.join(30)
    assert events == ["CreateMultipartUpload", "UploadPart", "AbortMultipartUpload"]
    assert nothing_is_left(store)


def test_an_abort_that_fails_is_told_and_does_not_hide_the_error(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the upload, so that it can be dropped later."""
    fail_at(store, "AbortMultipartUpload", TimedOut("silent"))

    def write() -> None:
        with writer_of(store) as writer:
            writer.write(PART)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert "upload-1 of s3://b/k could not be aborted" in caplog.text
    assert not store.objects


@pytest.mark.parametrize(
    "wrap",
    [
        lambda writer: writer,
        lambda writer: [writer],
        io.BufferedWriter,
        io.TextIOWrapper,
        lambda writer: io.TextIOWrapper(io.BufferedWriter(writer)),
    ],
    ids=["bare", "in a list", "buffered", "text", "text, buffered"],
)
@pytest.mark.parametrize("size", [0, 10, len(CONTENT)])
@pytest.mark.parametrize("cycle", [False, True])
@pytest.mark.skipif(platform.python_implementation() != "CPython", reason="relies on how CPython drops wrappers")
def test_a_dropped_writer_stores_nothing(
    wrap: Drop, size: int, cycle: bool, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Losing the last reference aborts, bare, in a wrapper or in a cycle, and the log says so."""
    writer = writer_of(store)
    writer.write(CONTENT[:size])
    wrapped = wrap(writer)
    del writer
    if isinstance(wrapped, io.TextIOBase):
        wrapped.write("pending")
    elif isinstance(wrapped, io.BufferedIOBase):
        wrapped.write(b"pending")
    if cycle:
        holder = [wrapped]
        holder.append(holder)
        del holder
    del wrapped
    gc.collect()
    assert nothing_is_left(store)
    assert "s3://b/k was dropped without close()" in caplog.text


def test_dropping_a_writer_does_not_wait_for_parts_that_wait_for_who_drops_it(store: MemoryStore) -> None:
    """The collector may drop it in a thread that renews the keys, for which its parts wait."""
    renewing, sending = threading.Lock(), threading.Event()

    def on_call(operation: Any) -> None:
        if operation.name == "UploadPart":
            sending.set()
            with renewing:
                pass

    store.on_call = on_call
    writer = writer_of(store)
    with renewing:
        writer.write(CONTENT[: MIN_PART + 1])
        assert sending.wait(10)
        began = time.monotonic()
        del writer
        gc.collect()
        assert time.monotonic() - began < 5
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.name.startswith("s3target"):
            thread.join(10)
    assert nothing_is_left(store)


def test_a_failed_writer_is_not_kept_alive(store: MemoryStore) -> None:
    """Nothing global holds on to it by the error that it raised."""
    import weakref

    fail_at(store, "UploadPart", AccessDenied(403, "AccessDenied"))
    writer = writer_of(store)
    with pytest.raises(AccessDenied):
        write_all_and_close(writer)
    gone = weakref.ref(writer)
    del writer
    gc.collect()
    assert gone() is None


def test_an_interrupt_of_a_write_never_commits(store: MemoryStore) -> None:
    """Ctrl-C while write() waits for a thread: aborted within a second though a part hangs, and close() raises."""
    hanging, released = threading.Event(), threading.Event()
    before = threading.enumerate()

    def on_call(operation: Any) -> None:
        if operation.name == "UploadPart":
            hanging.set()
            if operation.number == 1:
                ctrl_c()
            assert released.wait(30)

    store.on_call = on_call
    writer = writer_of(store, threads=1)
    with pytest.raises(KeyboardInterrupt):
        write_all_and_close(writer)
    assert hanging.is_set()
    assert nothing_is_left(store)
    with pytest.raises(KeyboardInterrupt):
        writer.close()
    writer.close()
    released.set()
    for thread in set(threading.enumerate()) - set(before):
        thread.join(30)
    assert nothing_is_left(store)
    assert "CompleteMultipartUpload" not in store.names()


@pytest.mark.parametrize("name", ["CreateMultipartUpload", "CompleteMultipartUpload", "PutObject"])
def test_an_interrupt_of_any_request_leaves_nothing_begun(name: str, store: MemoryStore) -> None:
    """In the caller's own thread."""
    fail_at(store, name, KeyboardInterrupt())
    writer = writer_of(store)
    with pytest.raises(KeyboardInterrupt):
        write_all_and_close(writer) if name != "PutObject" else writer.close()
    if not writer.closed:
        with pytest.raises(KeyboardInterrupt):
            writer.close()
    assert nothing_is_left(store)


def test_what_is_no_bytes_is_refused_and_does_no_harm(store: MemoryStore) -> None:
    """A TypeError, as every binary file raises; what was written before is kept. Wide items count in bytes."""
    import array

    with writer_of(store) as writer:
        writer.write(b"good")
        with pytest.raises(TypeError):
            writer.write("text")  # type: ignore[arg-type]
        assert writer.write(array.array("I", [1])) == 4
        assert writer.write(b"") == 0
    assert store.content("b", "k") == b"good" + array.array("I", [1]).tobytes()


def test_progress_hears_of_parts_and_in_the_end_of_the_total(store: MemoryStore) -> None:
    """The total is known once close() was called."""
    told: list[Any] = []
    with writer_of(store, threads=1, progress=lambda *count: told.append(count)) as writer:
        writer.write(PART)
        writer.write(PART)
        writer.write(b"rest")
    total = 2 * MIN_PART + 4
    assert told[0] == (MIN_PART, None)
    assert [count for count, _ in told] == [MIN_PART, 2 * MIN_PART, total]
    assert told[-1] == (total, total)
    told.clear()
    with writer_of(store, progress=lambda *count: told.append(count)) as writer:
        writer.write(b"small")
    assert told == [(5, 5)]


def test_progress_that_raises_fails_the_upload(store: MemoryStore) -> None:
    """By its own exception, and nothing is stored."""

    def progress(done: int, total: int | None) -> None:
        raise ZeroDivisionError

    writer = writer_of(store, progress=progress)
    with pytest.raises(ZeroDivisionError):
        write_all_and_close(writer)
    assert nothing_is_left(store)


def test_text_and_compression_go_through_the_wrappers(store: MemoryStore) -> None:
    """Closing the outermost one commits."""
    lines = [f"line {number} \N{SNOWMAN}\n" for number in range(300_000)]
    with io.TextIOWrapper(io.BufferedWriter(writer_of(store)), "utf-8") as text:
        text.writelines(lines)
    assert store.content("b", "k").decode() == "".join(lines)
    with writer_of(store) as writer, gzip.open(writer, "wt", encoding="utf-8") as text:
        text.writelines(lines)
    assert gzip.decompress(store.content("b", "k")).decode() == "".join(lines)


def test_a_writer_only_writes(store: MemoryStore) -> None:
    """It says so, and names its object."""
    with writer_of(store) as writer:
        assert (writer.writable(), writer.readable(), writer.seekable()) == (True, False, False)
        assert writer.name == "s3://b/k"
        writer.flush()
        with pytest.raises(io.UnsupportedOperation):
            writer.seek(0)
        with pytest.raises(io.UnsupportedOperation):
            writer.fileno()


def in_child(work: Callable[[], bool]) -> bool:
    """Whether work() gave True in a forked child."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        child = os.fork()
    if not child:
        status = 2
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
@pytest.mark.parametrize("size", [10, len(CONTENT)])
def test_a_forked_child_neither_commits_nor_aborts(size: int, store: MemoryStore) -> None:
    """Dropped, closed, aborted or left by an exception in the child: the parent's upload goes on untouched."""
    holder = [writer_of(store)]
    holder[0].write(CONTENT[:size])

    def refused(use: Callable[[], Any]) -> bool:
        try:
            use()
        except ConfigError as error:
            return "another process" in str(error)
        return False

    def use_it() -> bool:
        calls = len(store.calls)
        return refused(lambda: holder[0].write(b"x")) and refused(holder[0].close) and len(store.calls) == calls

    def drop_it() -> bool:
        calls = len(store.calls)
        holder.clear()
        gc.collect()
        return len(store.calls) == calls

    def abort_it() -> bool:
        calls = len(store.calls)
        holder[0].abort()
        return len(store.calls) == calls

    def drop_wrapped() -> bool:
        calls = len(store.calls)
        wrapped = io.TextIOWrapper(holder.pop())
        wrapped.write("x")
        del wrapped
        gc.collect()
        return len(store.calls) == calls

    # The parts of the parent are on their way, so the child counts calls that its own copy of the store has seen.
    for work in (use_it, drop_it, abort_it, drop_wrapped):
        assert in_child(work), work.__name__
    holder[0].write(b"end")
    holder[0].close()
    assert store.content("b", "k") == CONTENT[:size] + b"end"


def test_a_writer_that_is_open_at_the_end_of_the_interpreter_is_aborted() -> None:
    """While there are threads to be waited for; the interpreter is not held up."""
    script = (
        "import atexit\n"
        "from transfer.memory_store import MemoryStore\n"
        "store = MemoryStore()\n"
        "atexit.register(lambda: print(store.names()[-1], store.uploads, store.objects))\n"
        "from s3target.transfer.writer import Writer, WriterOptions\n"
        "writer = Writer(store, 'b', 'k', WriterOptions(part_size=5 << 20))\n"
        "writer.write(bytes(6 << 20))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "AbortMultipartUpload {} {}\n")
    assert "Traceback" not in done.stderr

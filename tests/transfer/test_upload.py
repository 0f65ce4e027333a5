"""Files to objects: one request or parts; whole or not at all."""

from __future__ import annotations

import os
import threading
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from s3target.errors import (
    AccessDenied,
    ConfigError,
    IntegrityError,
    NoSuchUpload,
    PreconditionFailed,
    ServerFault,
    TransportError,
)
from s3target.protocol.messages import FileSlice
from s3target.protocol.operations.multipart import Part
from s3target.stores import UNKNOWN
from s3target.transfer.plan import MIB, MIN_PART, TransferOptions
from s3target.transfer.upload import READ_AT_ONCE, StoppableSlice, upload
from s3target.transfer.workers import Stopped
from transfer.memory_store import MemoryStore, crc32_header, ctrl_c

PARTS = TransferOptions(part_size=MIN_PART, threads=3)
SIXTEEN = bytes(range(256)) * (MIB // 16)  # 16 MiB: four parts, the last one short


def made(folder: Path, content: bytes, name: str = "file") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def fault(text: str = "first") -> ServerFault:
    return ServerFault(500, "InternalError", text)


@pytest.mark.parametrize("size", [0, 1, READ_AT_ONCE - 1, READ_AT_ONCE, READ_AT_ONCE + 1, MIN_PART - 1, MIN_PART])
def test_a_file_of_one_part_is_one_request(tmp_path: Path, size: int) -> None:
    """Also an empty one: multipart cannot make an empty object."""
    store, content = MemoryStore(), SIXTEEN[:size]
    told: list[tuple[int, int | None]] = []
    options = TransferOptions(part_size=MIN_PART, progress=lambda *count: told.append(count))
    written = upload(store, made(tmp_path, content), "b", "k", options)
    assert store.names() == ["PutObject"]
    assert store.content("b", "k") == content
    assert written.version_id == "v1"
    assert told == [(size, size)]
    assert store.largest_memory_body <= READ_AT_ONCE


@pytest.mark.parametrize("size", [MIN_PART + 1, 2 * MIN_PART - 1, 2 * MIN_PART, 2 * MIN_PART + 1, len(SIXTEEN)])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_larger_file_goes_in_parts(tmp_path: Path, size: int, threads: int) -> None:
    """Create, as many parts as the plan says, Complete; the bytes go from the file, not through memory."""
    store, content = MemoryStore(), SIXTEEN[:size]
    told: list[tuple[int, int | None]] = []
    options = TransferOptions(MIN_PART, threads, lambda *count: told.append(count))
    written = upload(store, made(tmp_path, content), "b", "k", options)
    parts = -(-size // MIN_PART)
    assert store.names() == ["CreateMultipartUpload", *["UploadPart"] * parts, "CompleteMultipartUpload"]
    assert store.content("b", "k") == content
    assert written.e_tag == f"parts-{parts}"
    assert told[-1] == (size, size)
    assert len(told) == parts
    assert store.uploads == {}
    assert all(isinstance(call.body, FileSlice) for call in store.calls if call.name == "UploadPart")
    assert store.most_running <= threads


@pytest.mark.parametrize("call", range(1, 7))
@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_anywhere_aborts_and_is_the_one_raised(tmp_path: Path, call: int, threads: int) -> None:
    """Create, each part, Complete: whichever fails, no upload is left and no object made."""
    store = MemoryStore()
    store.failures[call] = error = fault()
    with pytest.raises(ServerFault) as caught:
        upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(MIN_PART, threads))
    assert caught.value is error
    assert store.uploads == {}
    assert store.objects == {}
    assert ("AbortMultipartUpload" in store.names()) == (call > 1)


def test_an_abort_that_fails_is_logged_with_the_upload_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first error is raised; whoever cleans up needs the id."""
    store = MemoryStore()
    store.failures = {2: fault(), 3: AccessDenied(403, "AccessDenied", operation="AbortMultipartUpload")}
    with pytest.raises(ServerFault, match="first"):
        upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(MIN_PART, 1))
    assert "upload-1" in caplog.text
    assert "AccessDenied" in caplog.text


def test_an_upload_that_is_gone_when_aborted_is_done(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """NoSuchUpload is what an abort is to bring about."""
    store = MemoryStore()
    store.failures = {2: fault(), 3: NoSuchUpload(404, "NoSuchUpload")}
    with pytest.raises(ServerFault, match="first"):
        upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(MIN_PART, 1))
    assert caplog.text == ""


def test_a_part_that_lands_after_the_abort_is_aborted_again(tmp_path: Path) -> None:
    """Ctrl-C does not wait long for parts on their way; one that arrives late would be stored for ever."""
    store, release, stuck = MemoryStore(), threading.Event(), threading.Barrier(3)
    aborts: list[Any] = []

    def on_received(operation: Any) -> None:
        stuck.wait(10)
        assert release.wait(20)

    def on_call(operation: Any) -> None:
        if operation.name == "AbortMultipartUpload":
            aborts.append(operation)

    store.on_received = on_received

    def interrupting(done: int, total: int | None) -> None:
        raise AssertionError("no part was to end")

    store.on_call = on_call
    before = set(threading.enumerate())
    options = TransferOptions(MIN_PART, 2, interrupting)

    def interrupt() -> None:
        stuck.wait(10)
        ctrl_c()

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        upload(store, made(tmp_path, SIXTEEN), "b", "k", options)
    watcher.join()
    assert len(aborts) == 1
    assert store.uploads == {}
    release.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert len(aborts) == 3
    assert store.objects == {}


def test_ctrl_c_ends_parts_that_are_being_read(tmp_path: Path) -> None:
    """A part is neither hashed nor sent to its end, nor tried again, once the upload is stopped."""
    stop = threading.Event()
    body = StoppableSlice(made(tmp_path, b"0123456789"), 2, 5, stop)
    buffer = bytearray(3)
    with body.open() as reader:
        assert (reader.readinto(buffer), bytes(buffer)) == (3, b"234")
        stop.set()
        with pytest.raises(Stopped):
            reader.readinto(buffer)
    with pytest.raises(Stopped):
        body.open()


def test_a_missing_file_is_no_request(tmp_path: Path) -> None:
    """FileNotFoundError as it is."""
    store = MemoryStore()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        upload(store, str(tmp_path / "nowhere"), "b", "k", PARTS)
    assert store.calls == []


def test_a_directory_is_no_request(tmp_path: Path) -> None:
    """IsADirectoryError as open() gives it."""
    store = MemoryStore()
    with pytest.raises(IsADirectoryError):
        upload(store, str(tmp_path), "b", "k", PARTS)
    assert store.calls == []


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """Its size reads as 0: an empty object would be made of it."""
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="no regular file"):
        upload(MemoryStore(), pipe, "b", "k", PARTS)


def test_parts_under_5_mib_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """S3 would say so only at Complete."""
    store = MemoryStore()
    with pytest.raises(ConfigError, match="5 MiB"):
        upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(part_size=MIB))
    assert store.calls == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten", "is replaced"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_changes_while_its_parts_go_up_makes_no_object(tmp_path: Path, change: str, threads: int) -> None:
    """An object of two states of the file would be worse than none."""
    store, path = MemoryStore(), Path(made(tmp_path, SIXTEEN))
    before = path.stat()

    def on_call(operation: Any) -> None:
        if operation.name == "UploadPart" and operation.number == 2:
            content = {"grows": SIXTEEN + b"x", "shrinks": SIXTEEN[:7_000_000]}.get(change, SIXTEEN[::-1])
            if change == "is replaced":
                path.rename(path.with_name("old"))
            path.write_bytes(content)
            os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns + (change == "is rewritten")))

    store.on_call = on_call
    with pytest.raises(IntegrityError, match="changed"):
        upload(store, str(path), "b", "k", TransferOptions(MIN_PART, threads))
    assert store.objects == {}
    assert store.uploads == {}


@pytest.mark.parametrize("size", [1, READ_AT_ONCE + 1])
@pytest.mark.parametrize("change", [b"longer", b""])
def test_a_file_that_changes_while_it_goes_up_at_once_is_an_error(tmp_path: Path, size: int, change: bytes) -> None:
    """What is read into memory is one state of the file; what is not is looked at again afterwards."""
    store, path = MemoryStore(), Path(made(tmp_path, SIXTEEN[:size]))
    store.on_call = lambda operation: path.write_bytes(SIXTEEN[:size] + change if change else b"") and None
    if size <= READ_AT_ONCE:
        upload(store, str(path), "b", "k", PARTS)
        assert store.content("b", "k") == SIXTEEN[:size]
        return
    with pytest.raises(IntegrityError, match="changed"):
        upload(store, str(path), "b", "k", PARTS)


@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="needs files whose size reads as 0")
def test_a_file_that_is_longer_than_it_says_makes_no_object() -> None:
    """As in /proc: an empty object would be made of it, or the beginning of what grows."""
    store = MemoryStore()
    with pytest.raises(IntegrityError, match="changed from 0 bytes"):
        upload(store, "/proc/version", "b", "k", PARTS)
    assert store.calls == []


def test_an_error_of_the_store_is_not_mistaken_for_a_change_of_the_file(tmp_path: Path) -> None:
    """Only if the file is another one."""
    store = MemoryStore()
    store.failures[1] = TransportError("gone")
    with pytest.raises(TransportError, match="gone"):
        upload(store, made(tmp_path, b"x"), "b", "k", PARTS)


def test_each_request_carries_its_share_of_the_options(tmp_path: Path) -> None:
    """Metadata on Create, the customer's key on each part, the condition on Complete."""
    store = MemoryStore()
    extra = {"Metadata": {"a": "1"}, "SSECustomerKey": b"k" * 32, "IfNoneMatch": "*", "RequestPayer": "requester"}
    upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(MIN_PART, 2, extra_args=extra))
    headers = {operation.name: operation.headers for operation in store.calls}
    assert headers["CreateMultipartUpload"]["x-amz-meta-a"] == "1"
    assert "x-amz-meta-a" not in headers["UploadPart"]
    assert "x-amz-server-side-encryption-customer-key" in headers["UploadPart"]
    assert [name for name in headers if "if-none-match" in headers[name]] == ["CompleteMultipartUpload"]


@pytest.mark.parametrize("size", [3, len(SIXTEEN)])
def test_a_condition_that_fails_leaves_the_other_object(tmp_path: Path, size: int) -> None:
    """IfNoneMatch: the loser is told, and its parts are aborted."""
    store = MemoryStore()
    store.put("b", "k", b"theirs")
    options = TransferOptions(MIN_PART, 2, extra_args={"IfNoneMatch": "*"})
    with pytest.raises(PreconditionFailed):
        upload(store, made(tmp_path, SIXTEEN[:size]), "b", "k", options)
    assert store.content("b", "k") == b"theirs"
    assert store.uploads == {}


def test_an_upload_announces_the_checksum_of_its_parts(tmp_path: Path) -> None:
    """AWS refuses parts with a checksum that Create did not name, and a Complete that leaves them out."""
    store = MemoryStore()
    store.store = UNKNOWN
    upload(store, made(tmp_path, SIXTEEN), "b", "k", PARTS)
    create, complete = store.calls[0], store.calls[-1]
    assert create.headers == {"x-amz-checksum-algorithm": "CRC32"}
    assert complete.parts[0].checksum == crc32_header(SIXTEEN[:MIN_PART])
    assert complete.headers == {}


def test_without_checksums_none_is_announced(tmp_path: Path) -> None:
    """A client that sends none must not promise any."""
    store = MemoryStore()
    store.checksums = False
    upload(store, made(tmp_path, SIXTEEN), "b", "k", PARTS)
    assert store.calls[0].headers == {}


@pytest.mark.parametrize("given", [None, "AAAAAA=="])
def test_full_checksum_goes_with_complete(tmp_path: Path, given: str | None) -> None:
    """Combined of the parts' without reading the file again; or as the caller gave it."""
    store = MemoryStore()
    extra = {"ChecksumCRC32": given} if given else {}
    upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(MIN_PART, 2, None, extra))
    create, complete = store.calls[0], store.calls[-1]
    assert create.headers == {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"}
    whole = b64encode(zlib.crc32(SIXTEEN).to_bytes(4, "big")).decode()
    assert complete.headers == {"x-amz-checksum-type": "FULL_OBJECT", "x-amz-checksum-crc32": given or whole}


def test_a_checksum_of_the_callers_is_announced_with_all_else_it_gives(tmp_path: Path) -> None:
    """Where the client makes none of its own, and of another kind than it would make."""
    store = MemoryStore()
    store.checksums = False
    extra: dict[str, Any] = {"ChecksumCRC32": "AAAAAA==", "Metadata": {"a": "1"}}
    upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(MIN_PART, 2, None, extra))
    checksum = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"}
    assert store.calls[0].headers == {**checksum, "x-amz-meta-a": "1"}
    store = MemoryStore()
    extra = {"ChecksumAlgorithm": "SHA256"}
    upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(MIN_PART, 2, None, extra))
    assert store.calls[0].headers == {"x-amz-checksum-algorithm": "SHA256"}


@pytest.mark.parametrize("given", [{"checksum": None}, {"algorithm": "CRC64NVME"}])
def test_a_part_whose_crc32_is_not_told_leaves_none_to_combine(tmp_path: Path, given: dict[str, str | None]) -> None:
    """Some stores give back no checksum, or one of their own choice."""

    class TellsOther(MemoryStore):
        def _UploadPart(self, operation: Any) -> Part:
            part = super()._UploadPart(operation)
            return part._replace(**given) if part.number == 2 else part

    store = TellsOther()
    upload(store, made(tmp_path, SIXTEEN), "b", "k", PARTS)
    assert store.calls[-1].headers == {"x-amz-checksum-type": "FULL_OBJECT"}
    assert store.content("b", "k") == SIXTEEN


def test_a_full_checksum_that_no_parts_can_have_is_refused(tmp_path: Path) -> None:
    """S3 knows no SHA-256 of an object in parts."""
    store = MemoryStore()
    options = TransferOptions(MIN_PART, extra_args={"ChecksumSHA256": "x"})
    with pytest.raises(ConfigError, match="ChecksumSHA256"):
        upload(store, made(tmp_path, SIXTEEN), "b", "k", options)
    assert store.calls == []


def test_an_error_of_the_progress_callback_stops_the_upload(tmp_path: Path) -> None:
    """It may be the caller's way to cancel."""
    store = MemoryStore()

    def report(done: int, total: int | None) -> None:
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        upload(store, made(tmp_path, SIXTEEN), "b", "k", TransferOptions(MIN_PART, 2, report))
    assert store.uploads == {}
    assert store.objects == {}

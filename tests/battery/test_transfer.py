"""Files to objects and back, and copies, on real servers: whole or not at all, at every border of parts."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from connected import Counting, count
from s3target import ConfigError, ConnectionDropped, NoSuchKey, NotFound, ObjectChanged
from s3target.cli.removing import pending
from s3target.client import Client, Transport
from s3target.filesystem import S3Path
from s3target.protocol.messages import Request, Response
from s3target.protocol.operations.objects import CopySource, HeadObject
from s3target.retry import RetryPolicy
from s3target.transfer.copy import copy
from s3target.transfer.download import download
from s3target.transfer.plan import MIB, TransferOptions
from s3target.transfer.reader import ReaderOptions, open_reader
from s3target.transfer.upload import upload
from servers.signed import request
from servers.store import Store
from stores import PLAIN, TLS, over

ONE_OF_A_KIND = over(*PLAIN)
KIB = 1024
BY_5_MIB = TransferOptions(part_size=5 * MIB)
BY_8_MIB = TransferOptions()


def pattern(size: int) -> bytes:
    """Bytes in which no two parts are alike, so that swapped or repeated ones show."""
    block = hashlib.shake_128(b"s3target").digest(64 * KIB - 8)
    return b"".join(number.to_bytes(8, "big") + block for number in range(size // (64 * KIB) + 1))[:size]


def write(path: Path, size: int) -> str:
    """The SHA-256 of what is in the file now."""
    content = pattern(size)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def stored(store: Store, bucket: str, key: str) -> str:
    """The SHA-256 of what the store holds, by a second opinion."""
    answer = request(store, "GET", f"/{bucket}/{key}")
    assert answer.status == 200
    return hashlib.sha256(answer.body).hexdigest()


def leftovers(client: Client, bucket: str) -> list[str]:
    return [found.upload_id for found in pending(client, S3Path(bucket, ""))]


SIZES = [
    (0, BY_5_MIB, 1),
    (1, BY_5_MIB, 1),
    (64 * KIB + 1, BY_5_MIB, 1),
    (5 * MIB - 1, BY_5_MIB, 1),
    (5 * MIB, BY_5_MIB, 1),
    (5 * MIB + 1, BY_5_MIB, 2),
    (8 * MIB - 1, BY_8_MIB, 1),
    (8 * MIB, BY_8_MIB, 1),
    (8 * MIB + 1, BY_8_MIB, 2),
    (10 * MIB, BY_5_MIB, 2),
    (20 * MIB, BY_5_MIB, 4),
]


@pytest.mark.parametrize(("size", "options", "parts"), SIZES, ids=[f"{size}-{parts}" for size, _, parts in SIZES])
@ONE_OF_A_KIND
def test_a_file_goes_up_and_comes_down(
    store: Store, client: Client, bucket: str, tmp_path: Path, size: int, options: TransferOptions, parts: int
) -> None:
    """In as many parts as its size asks for; the same bytes for a second opinion, and in the file that comes back."""
    counting = count(client)
    sha256 = write(tmp_path / "up", size)
    written = upload(client, str(tmp_path / "up"), bucket, "dir/key", options)
    methods = counting.methods()
    assert methods == ({"PUT": 1} if parts == 1 else {"POST": 2, "PUT": parts})
    assert written.e_tag.endswith(f"-{parts}") is (parts > 1)
    assert stored(store, bucket, "dir/key") == sha256
    counting.sent.clear()
    info = download(client, bucket, "dir/key", str(tmp_path / "down"), options)
    assert info.size == size
    assert hashlib.sha256((tmp_path / "down").read_bytes()).hexdigest() == sha256
    assert counting.methods() == {"GET": parts}
    assert sorted(os.listdir(tmp_path)) == ["down", "up"]
    assert leftovers(client, bucket) == []


@over(*TLS)
def test_parts_go_up_and_come_down_over_tls(store: Store, client: Client, bucket: str, tmp_path: Path) -> None:
    """There the payload is not signed but protected by CRC32, and bodies do not go by sendfile."""
    sha256 = write(tmp_path / "up", 12 * MIB + 5)
    upload(client, str(tmp_path / "up"), bucket, "k", BY_5_MIB)
    assert stored(store, bucket, "k") == sha256
    download(client, bucket, "k", str(tmp_path / "down"), BY_5_MIB)
    assert hashlib.sha256((tmp_path / "down").read_bytes()).hexdigest() == sha256


@ONE_OF_A_KIND
def test_what_describes_an_object_goes_with_an_upload_in_parts(client: Client, bucket: str, tmp_path: Path) -> None:
    """As it goes with a single put."""
    write(tmp_path / "up", 5 * MIB + 1)
    extra_args = {"ContentType": "text/x-test", "Metadata": {"a": "b  c"}, "CacheControl": "max-age=5"}
    for name, part_size in (("parts", 5 * MIB), ("single", 8 * MIB)):
        upload(client, str(tmp_path / "up"), bucket, name, TransferOptions(part_size, extra_args=extra_args))
        info = client.call(HeadObject(bucket, name))
        assert (info.content_type, info.metadata) == ("text/x-test", {"a": "b  c"})
        assert info.headers["cache-control"] == "max-age=5"


@ONE_OF_A_KIND
def test_progress_is_told_to_the_end(client: Client, bucket: str, tmp_path: Path) -> None:
    """It only grows, and ends at the size, up and down."""
    write(tmp_path / "up", 11 * MIB)
    told: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        told.append((done, total))

    options = TransferOptions(5 * MIB, progress=progress)
    for transfer in ("up", "down"):
        told.clear()
        if transfer == "up":
            upload(client, str(tmp_path / "up"), bucket, "k", options)
        else:
            download(client, bucket, "k", str(tmp_path / "down"), options)
        assert told == sorted(told)
        assert told[-1] == (11 * MIB, 11 * MIB)


class Failing:
    """A Transport on which, from the second part of an upload on, every part is lost with its connection."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._parts = 0

    def send(self, request: Request) -> Response:
        if request.method == "PUT" and "partNumber" in dict(request.query):
            with self._lock:
                self._parts += 1
                number = self._parts
            if number > 1:
                raise ConnectionDropped("cut on purpose")
        return self._transport.send(request)

    def close(self) -> None:
        self._transport.close()


@ONE_OF_A_KIND
def test_an_upload_that_fails_in_the_middle_leaves_nothing(client: Client, bucket: str, tmp_path: Path) -> None:
    """No object, no upload in the store's list of uploads; the error is the one of the part."""
    write(tmp_path / "up", 16 * MIB)
    failing = Client(Failing(client.transport), client.endpoint, client.credentials, RetryPolicy(max_attempts=2))
    with pytest.raises(ConnectionDropped, match="cut on purpose"):
        upload(failing, str(tmp_path / "up"), bucket, "k", TransferOptions(5 * MIB, threads=2))
    assert leftovers(client, bucket) == []
    with pytest.raises(NotFound):
        client.call(HeadObject(bucket, "k"))


@ONE_OF_A_KIND
def test_an_upload_that_fails_leaves_the_old_object(store: Store, client: Client, bucket: str, tmp_path: Path) -> None:
    """What was at the key before is still there, whole."""
    before = write(tmp_path / "old", 6 * MIB)
    upload(client, str(tmp_path / "old"), bucket, "k", BY_5_MIB)
    write(tmp_path / "new", 16 * MIB)
    failing = Client(Failing(client.transport), client.endpoint, client.credentials, RetryPolicy(max_attempts=1))
    with pytest.raises(ConnectionDropped):
        upload(failing, str(tmp_path / "new"), bucket, "k", BY_5_MIB)
    assert stored(store, bucket, "k") == before


def test_parts_that_s3_refuses_are_refused_before_anything_is_sent(client: Client, bucket: str, tmp_path: Path) -> None:
    """A part_size under 5 MiB for a file that needs several."""
    write(tmp_path / "up", 2 * MIB)
    counting = count(client)
    with pytest.raises(ConfigError, match="5 MiB"):
        upload(client, str(tmp_path / "up"), bucket, "k", TransferOptions(part_size=MIB))
    assert counting.sent == []


@ONE_OF_A_KIND
def test_a_download_replaces_the_file_when_it_is_whole(client: Client, bucket: str, tmp_path: Path) -> None:
    """Whoever reads meanwhile has the old content or the new one, never a mixture: another file takes the name."""
    write(tmp_path / "up", 12 * MIB)
    upload(client, str(tmp_path / "up"), bucket, "k", BY_5_MIB)
    down = tmp_path / "down"
    down.write_bytes(b"old")
    seen: list[bytes] = []
    options = TransferOptions(5 * MIB, progress=lambda done, total: seen.append(down.read_bytes()))
    with down.open("rb") as reader:
        download(client, bucket, "k", str(down), options)
        assert reader.read() == b"old"
    assert set(seen) == {b"old"}
    assert down.read_bytes() == (tmp_path / "up").read_bytes()


@pytest.mark.parametrize("missing", ["key", "bucket"])
def test_a_download_of_nothing_leaves_nothing(client: Client, bucket: str, tmp_path: Path, missing: str) -> None:
    """Neither a file nor a temporary one; a file that was there stays."""
    (tmp_path / "down").write_bytes(b"old")
    for name in ("down", "other"):
        with pytest.raises(NotFound) as caught:
            download(client, bucket if missing == "key" else f"{bucket}-no", "k", str(tmp_path / name), BY_5_MIB)
        assert isinstance(caught.value, NoSuchKey) is (missing == "key")
    assert os.listdir(tmp_path) == ["down"]
    assert (tmp_path / "down").read_bytes() == b"old"


@ONE_OF_A_KIND
def test_a_copy_is_the_same_object(store: Store, client: Client, bucket: str, tmp_path: Path) -> None:
    """Of nothing, of one part and of what went up in parts; the size is told."""
    for size in (0, 1, 5 * MIB + 1):
        sha256 = write(tmp_path / "up", size)
        upload(client, str(tmp_path / "up"), bucket, f"from {size}", BY_5_MIB)
        written, told = copy(client, CopySource(bucket, f"from {size}"), bucket, f"to/{size}")
        assert told == size
        assert written.e_tag
        assert stored(store, bucket, f"to/{size}") == sha256


@ONE_OF_A_KIND
def test_an_object_is_read_as_a_file(client: Client, bucket: str, tmp_path: Path) -> None:
    """One request for all of it; ranges ahead in parallel if asked; seeking and reading on."""
    write(tmp_path / "up", 12 * MIB + 3)
    content = (tmp_path / "up").read_bytes()
    upload(client, str(tmp_path / "up"), bucket, "k", BY_5_MIB)
    counting = count(client)
    with open_reader(client, bucket, "k") as reader:
        assert reader.read() == content
    assert counting.sent == [f"GET /{bucket}/k"]
    with open_reader(client, bucket, "k", ReaderOptions(readahead=3, part_size=MIB)) as reader:
        assert reader.read() == content
        reader.seek(-5, os.SEEK_END)
        assert reader.read() == content[-5:]
        reader.seek(7 * MIB - 1)
        assert reader.read(10) == content[7 * MIB - 1 :][:10]


class Cutting(Counting):
    """A Transport whose first answers to GET break off after half a megabyte each."""

    def __init__(self, transport: Transport, times: int) -> None:
        super().__init__(transport)
        self._times = times

    def send(self, request: Request) -> Response:
        response = super().send(request)
        if request.method == "GET" and response.stream and self._times:
            self._times -= 1
            return response._replace(stream=_Cut(response))
        return response


class _Cut:
    def __init__(self, response: Response) -> None:
        assert response.stream
        self._stream = response.stream
        self._left = MIB // 2

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._left:
            raise ConnectionDropped("cut on purpose")
        got = self._stream.readinto(buffer[: self._left])
        self._left -= got
        return got

    def read(self, size: int = -1, /) -> bytes:
        buffer = bytearray(self._left if size < 0 else min(size, self._left))
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def close(self) -> None:
        self._stream.close()


@pytest.mark.parametrize("way", ["download", "reader"])
@ONE_OF_A_KIND
def test_reading_goes_on_where_a_connection_breaks(client: Client, bucket: str, tmp_path: Path, way: str) -> None:
    """The rest is asked for, and the bytes are those of the object."""
    sha256 = write(tmp_path / "up", 3 * MIB)
    upload(client, str(tmp_path / "up"), bucket, "k", BY_5_MIB)
    cutting = client.transport = Cutting(client.transport, 3)
    if way == "download":
        download(client, bucket, "k", str(tmp_path / "down"), BY_5_MIB)
        content = (tmp_path / "down").read_bytes()
    else:
        with open_reader(client, bucket, "k") as reader:
            content = reader.read()
    assert hashlib.sha256(content).hexdigest() == sha256
    assert cutting.methods() == {"GET": 4}


@ONE_OF_A_KIND
def test_an_object_that_is_replaced_while_it_is_read_is_an_error(client: Client, bucket: str, tmp_path: Path) -> None:
    """Better than a file of two objects."""
    write(tmp_path / "up", 3 * MIB)
    upload(client, str(tmp_path / "up"), bucket, "k", BY_5_MIB)
    client.transport = Cutting(client.transport, 1)
    with open_reader(client, bucket, "k") as reader:
        reader.read(KIB)
        write(tmp_path / "up", 3 * MIB - 1)
        upload(client, str(tmp_path / "up"), bucket, "k", BY_5_MIB)
        with pytest.raises(ObjectChanged):
            reader.read()

"""Windows and macOS, as near as this machine can show them; see elsewhere.py for how."""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from credentials.fakes import SECRET, sources_of, write_home
from elsewhere import keep_open_files
from s3target.composition import connect
from s3target.credentials.stored import Process
from s3target.protocol.messages import FileSlice, Request
from s3target.transfer.ahead import HashAhead
from s3target.transfer.destination import Destination
from s3target.transfer.plan import TransferOptions
from s3target.transport import HttpTransport, TransportOptions
from s3target.transport.connection import Connection
from server.scripted_socket import OK, Peer, ScriptedServer
from servers.store import Store

linux = pytest.mark.skipif(sys.platform != "linux", reason="which files are open is read in /proc")
CONTENT = os.urandom(1 << 20) * 8
GIB = 1 << 30


@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_plain_use_needs_nothing_that_windows_lacks(store: Store, bucket: str, tmp_path: Path) -> None:
    """Import of every module, put, get, read, write, list, cp, sync, mv, and Luigi with spawned workers."""
    script = Path(__file__).with_name("on_windows.py")
    argv = [sys.executable, "-X", "warn_default_encoding", str(script), f"s3://{bucket}", str(tmp_path)]
    environ = {
        **os.environ,
        "AWS_ENDPOINT_URL_S3": store.endpoint_url,
        "AWS_ACCESS_KEY_ID": store.access_key_id,
        "AWS_SECRET_ACCESS_KEY": store.secret_access_key,
        "AWS_REGION": store.region,
        "PYTHONPATH": str(script.parent.parent),
    }
    done = subprocess.run(argv, capture_output=True, text=True, env=environ, timeout=100, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["all went well"]), done.stderr


@linux
def test_a_file_that_a_thread_still_writes_to_goes_when_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C. Windows removes no file that is open."""
    keep_open_files(monkeypatch)
    with Destination(str(tmp_path / "file")) as file:
        writing = file.used()
        writing.__enter__()
    file.write(memoryview(b"x"), 0)
    writing.__exit__(None, None, None)
    assert os.listdir(tmp_path) == []


def test_where_a_size_is_written_as_zeros_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by ftruncate() on Windows, before the first byte comes. That there is room is known all the same."""
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000))
    monkeypatch.delattr(os, "statvfs")
    with Destination(str(tmp_path / "file")) as file:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            file.allocate(1001)
        file.allocate(1000)
        file.write(memoryview(b"end"), 997)
        file.commit()
    assert (tmp_path / "file").read_bytes() == bytes(997) + b"end"


@linux
def test_a_file_whose_hashes_are_of_no_use_is_let_go_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the part is that is being hashed: the file is to be removed, which on Windows no reader survives."""
    keep_open_files(monkeypatch)
    settings = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
    with (tmp_path / "file").open("wb") as file:
        file.truncate(4 * GIB)
    with connect(endpoint_url="http://127.0.0.1:9", **settings) as client:
        ahead = HashAhead(client, "b", "k", TransferOptions(part_size=4 * GIB))
        ahead.reached(4 * GIB, str(tmp_path / "file"))
        wait_until_open(tmp_path / "file")
        ahead.forget()
        os.remove(tmp_path / "file")
    assert ahead.parts() == {}


def wait_until_open(path: Path) -> None:
    for _ in range(1000):
        if str(path) in (os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")):
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"nobody opens {path}")


def test_credential_process_has_paths_as_windows_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    r"""Its command line is the program's as it is: "\" is a part of paths there."""
    command = r"C:\tools\get.exe"
    printed = json.dumps({"Version": 1, "AccessKeyId": "AKIAP", "SecretAccessKey": SECRET})
    (tmp_path / command).write_text(f"#!/bin/sh\necho '{printed}'\n")
    (tmp_path / command).chmod(0o755)
    home = write_home(tmp_path, f"[default]\ncredential_process = {command}\n", PATH=f"{tmp_path}:/bin")
    process = Process(sources_of(home), "default")
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        found = process.fetch()
    assert found.access_key_id == "AKIAP"


def slowly(peer: Peer) -> None:
    """Takes the request at last."""
    threading.Event().wait(0.3)
    peer.read_request()
    peer.send(OK)


def send_file(path: Path) -> None:
    path.write_bytes(CONTENT)
    with ScriptedServer(slowly) as server:
        transport = HttpTransport(TransportOptions(read_timeout=10))
        body = FileSlice(str(path), 5, len(CONTENT) - 5)
        assert transport.send(Request("PUT", server.origin, "/k", body=body)).reader().read() == b"ok"
        transport.close()
    assert server.requests[0].endswith(CONTENT[5:])


def test_a_file_is_sent_where_the_kernel_keeps_no_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on 32 bits with 64 for a time: such a socket never blocks, and a full buffer is no silence."""
    monkeypatch.setattr(socket, "SO_RCVTIMEO", 9999)
    send_file(tmp_path / "file")


def test_macos_sends_no_file_by_sendfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a signal in the midst of it has Python send bytes twice, and count them once."""

    def sendfile(*_: Any) -> int:
        raise AssertionError("sendfile() was called")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "sendfile", sendfile, raising=False)
    send_file(tmp_path / "file")


class Darwin:
    """A socket as macOS has it: it gives nothing to who asks for more than 31 bits can count."""

    def recv_into(self, view: memoryview, size: int = 0, _: int = 0) -> int:
        if (size or len(view)) >= 1 << 31:
            raise OSError(errno.EINVAL, "Invalid argument")
        return size or len(view)

    def close(self) -> None:
        pass


def test_no_receive_asks_for_more_than_macos_gives() -> None:
    """Into a buffer of any size."""
    with ScriptedServer(Peer.wait_for_close) as server, mmap.mmap(-1, 3 * GIB) as pages, memoryview(pages) as view:
        connection = Connection(server.origin, TransportOptions(), None, None, None)
        connection.connect()
        connection.close()
        connection.sock = Darwin()
        assert connection.receive(view) == connection.receive_some(view) == GIB

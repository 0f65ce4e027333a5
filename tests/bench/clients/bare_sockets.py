"""The floor that Python can reach: one socket, requests made beforehand, nothing signed, hashed or looked at twice."""

from __future__ import annotations

import io
import os
import re
import socket
import threading
from urllib.parse import urlsplit

from ..store import BUCKET, HIT, MISS, SMALL, Store
from ..workloads import MIB
from . import Job

_OK = b"HTTP/1.1 200"

_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)")
_KEY = re.compile(rb"<Key>([^<]*)</Key>")
_TOKEN = re.compile(rb"<NextContinuationToken>([^<]*)<")


class BareSockets:
    SIGNS = False
    COLD = f"""
import os, socket
host, port = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://").split(":")
peer = socket.create_connection((host, int(port)))
peer.sendall(b"HEAD /{BUCKET}/{HIT} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
assert b" 200 " in peer.recv(65536)
"""

    def __init__(self) -> None:
        url = urlsplit(Store.of_environment().endpoint_url)
        self._address = (url.hostname, url.port)
        self._local = threading.local()
        self._buffer = memoryview(bytearray(MIB))
        self._head_hit, self._head_miss = _request("HEAD", HIT), _request("HEAD", MISS)
        self._get_hit = _request("GET", HIT)
        self._put_small = _request("PUT", "new/small", SMALL) + b"x" * SMALL

    @property
    def peer(self) -> socket.socket:
        """This thread's connection."""
        if not hasattr(self._local, "peer"):
            self._local.peer = socket.create_connection(self._address)
            self._local.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._local.peer

    def exists_hit(self) -> bool:
        self.peer.sendall(self._head_hit)
        return self.peer.recv(65536).startswith(_OK)

    def exists_miss(self) -> bool:
        self.peer.sendall(self._head_miss)
        return not self.peer.recv(65536).startswith(b"HTTP/1.1 404")

    def put_small(self) -> None:
        self.peer.sendall(self._put_small)
        assert self.peer.recv(65536).startswith(_OK)

    def get_small(self) -> bytes:
        self.peer.sendall(self._get_hit)
        head, _, body = self._answer()
        assert head.startswith(_OK)
        return body

    def _answer(self) -> tuple[bytes, int, bytes]:
        """Head, Content-Length, and what of the body came along."""
        data = self.peer.recv(65536)
        while b"\r\n\r\n" not in data:
            data += self.peer.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        assert found
        return head, int(found[1]), body

    def put(self, job: Job) -> int:
        self.peer.sendall(_request("PUT", job.fresh, job.amount))
        with open(job.source, "rb") as file:
            sent = self.peer.sendfile(file)
        assert self.peer.recv(65536).startswith(_OK)
        return sent

    def _begin(self, key: str) -> tuple[int, bytes]:
        self.peer.sendall(_request("GET", key))
        _, length, body = self._answer()
        return length, body

    def get(self, job: Job) -> int:
        length, body = self._begin(job.key)
        with open(job.destination, "wb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, length)
            done = file.write(body)
            while done < length:
                done += file.write(self._buffer[: self.peer.recv_into(self._buffer)])
        return done

    def read(self, job: Job) -> int:
        length, body = self._begin(job.key)
        done = len(body)
        while done < length:
            done += self.peer.recv_into(self._buffer, min(MIB, length - done), socket.MSG_WAITALL)
        return done

    def lines(self, job: Job) -> int:
        self.peer.sendall(_request("GET", job.key, close=True))
        with self.peer.makefile("rb", 256 * 1024) as stream:
            while stream.readline() != b"\r\n":
                pass
            return sum(map(len, io.TextIOWrapper(stream, encoding="utf-8")))

    def list_names(self, job: Job) -> int:
        names: list[bytes] = []
        token = ""
        while True:
            self.peer.sendall(_request("GET", f"?list-type=2&prefix={job.key}/{token}"))
            _, length, body = self._answer()
            pieces = [body]
            left = length - len(body)
            while left:
                pieces.append(self.peer.recv(left))
                left -= len(pieces[-1])
            page = b"".join(pieces)
            names += _KEY.findall(page)
            found = _TOKEN.search(page)
            if not found:
                return len(names)
            token = f"&continuation-token={found[1].decode()}"


def _request(method: str, target: str, length: int = 0, close: bool = False) -> bytes:
    """The head of a request for a key, or for the bucket with a query."""
    slash = "" if target.startswith("?") else "/"
    lines = [f"{method} /{BUCKET}{slash}{target} HTTP/1.1", "Host: x"]
    if method == "PUT":
        lines.append(f"Content-Length: {length}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "\r\n"]).encode()

"""A peer on loopback that plays a script per connection and writes down what it was sent.

    with ScriptedServer(answers(OK)) as server:      # one script per connection, in the order they are made
        transport.send(Request("GET", server.origin, "/"))
    assert server.requests[0].startswith(b"GET / HTTP/1.1\\r\\n")

A script is a function of a Peer. An error in a script fails the test when the server is left; every wait is bounded.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

from s3target.protocol.messages import Origin

PATIENCE = 10.0
"""Seconds after which a wait is a failure."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One accepted connection, from the server's side."""

    def __init__(self, sock: socket.socket, server: ScriptedServer) -> None:
        self.sock = sock
        self.server = server
        self.received = b""

    def read_head(self) -> bytes:
        """The next request's head; b"" if the client has closed instead."""
        while b"\r\n\r\n" not in self.received:
            piece = self.sock.recv(65536)
            if not piece:
                assert not self.received, "the client closed inside a head"
                return b""
            self.received += piece
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def read_request(self) -> bytes:
        """The next request, head and body, and keep it in server.requests; b"" if the client has closed."""
        head = self.read_head()
        if not head:
            return b""
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
        pieces, have = [self.received], len(self.received)
        while have < length:
            piece = self.sock.recv(1 << 20)
            assert piece, "the client closed inside a body"
            pieces.append(piece)
            have += len(piece)
        content = b"".join(pieces)
        self.received = content[length:]
        request = head + content[:length]
        self.server.requests.append(request)
        return request

    def send(self, content: bytes) -> None:
        self.sock.sendall(content)

    def drip(self, content: bytes) -> None:
        """Byte by byte, each in a segment of its own."""
        for byte in content:
            self.sock.sendall(bytes([byte]))

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.sock = self.server.adopt(context.wrap_socket(self.sock, server_side=True))

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_close(self) -> None:
        assert not self.received
        assert self.sock.recv(1) == b"", "the client sent more"


Script = Callable[[Peer], Any]


def answers(*replies: bytes) -> Script:
    """Read a request, send a reply, for each of them; then wait until the client closes."""

    def play(peer: Peer) -> None:
        for reply in replies:
            assert peer.read_request(), "the client closed; a request was expected"
            peer.send(reply)
        peer.wait_for_close()

    return play


def answers_and_closes(reply: bytes) -> Script:
    def play(peer: Peer) -> None:
        assert peer.read_request()
        peer.send(reply)

    return play


def answers_forever(reply: Callable[[bytes], bytes]) -> Script:
    """reply(request) to whatever comes, until the client closes."""

    def play(peer: Peer) -> None:
        while request := peer.read_request():
            peer.send(reply(request))

    return play


class ScriptedServer:
    """Listens on loopback. `tls`: wrap every connection at once. `endless`: the last script goes on for all further
    connections; else a connection more than there are scripts is an error."""

    def __init__(
        self, *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", endless: bool = False
    ) -> None:
        self.scripts = scripts
        self.tls = tls
        self.endless = endless
        self.requests: list[bytes] = []
        self.accepted = 0
        self.errors: list[BaseException] = []
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._listener.settimeout(0.05)  # the accepting thread looks up this often
        self._stop = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self.host, self.port = host, self._listener.getsockname()[1]

    @property
    def origin(self) -> Origin:
        return Origin("https" if self.tls else "http", self.host, self.port)

    def adopt(self, sock: Any) -> Any:
        self._open.append(sock)
        return sock

    def __enter__(self) -> ScriptedServer:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()
        for sock in self._open:
            sock.close()
        if kind is None:
            assert not [thread for thread in self._threads if thread.is_alive()], "a script hangs"
            if self.errors:
                raise self.errors[0]

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            script = self._script()
            sock.settimeout(PATIENCE)
            # Else a short answer may wait for an acknowledgement, and be thrown away by a close with bytes unread.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._play, args=(self.adopt(sock), script))
            self._threads.append(thread)
            thread.start()

    def _script(self) -> Script:
        self.accepted += 1
        if self.accepted <= len(self.scripts):
            return self.scripts[self.accepted - 1]
        if self.endless:
            return self.scripts[-1]
        self.errors.append(AssertionError(f"connection number {self.accepted} was not expected"))
        return Peer.reset

    def _play(self, sock: socket.socket, script: Script) -> None:
        peer = Peer(sock, self)
        try:
            if self.tls:
                peer.start_tls(self.tls)
            script(peer)
        except (AssertionError, TimeoutError) as error:
            self.errors.append(error)
        except OSError:
            pass  # the client broke off: what it made of it is what the test looks at
        finally:
            peer.sock.close()

"""A store on loopback that misbehaves on order: real sockets, a thread per connection, memory_s3 behind them.

    with MisbehavingStore() as store:
        store.order(Fault("lost", ends="reset", sends=lambda head, whole: 0), "PutObject", nth=1)

Every request that is read to its end is checked for its signature and checksums (asked.py); what is wrong with one is a
complaint, unless the fault is about just that. `log` has one line per request: "PutObject /b/k 200", or the name of the
fault that it met.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from server.asked import Asked, Keys, fault_of
from server.memory_s3 import Answer, MemoryS3, refusal

PATIENCE = 10.0
"""Seconds after which a wait of the server's is over."""
KEYS = Keys("AKIDEXAMPLE", "a-very-secret-key")
_STATUS = {"BadDigest": 400, "XAmzContentSHA256Mismatch": 400, "AuthorizationHeaderMalformed": 400}


@dataclass(frozen=True)
class Fault:
    """What befalls a request. By default nothing: it is read, done and answered.

    reads: "all", "half" of the body, or "head" of the request. acts: whether it is done. says: gives the answer in
    place of the store's own, as an Answer or the bytes of one. sends: how many bytes of the answer go out, from the
    length of its head and all of it. endless: what is sent over and over after that. slowly: seconds in which the
    answer comes. ends: "stays", "close", "reset", or "hang" until the client has had enough. mode: what changes in the
    store from this request on. concerns: the operations it is about, all if empty.

    For whoever judges what came of it: survived: the call is to succeed if this happens once; None: it may, or not.
    stale: it is to meet a connection that has served before. waits: it takes a read timeout to get over it.
    """

    name: str
    reads: str = "all"
    acts: bool = True
    says: Callable[[Asked, Answer], Answer | bytes] | None = None
    sends: Callable[[int, int], int] | None = None
    endless: bytes = b""
    slowly: float = 0.0
    ends: str = "stays"
    mode: Callable[[MisbehavingStore], None] | None = None
    concerns: tuple[str, ...] = ()
    survived: bool | None = True
    stale: bool = False
    waits: bool = False


class _Peer:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._held = b""

    def head(self) -> bytes:
        """The next head, b"" if there is none."""
        while b"\r\n\r\n" not in self._held:
            piece = self.sock.recv(65536)
            if not piece:
                return b""
            self._held += piece
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        return head

    def take(self, count: int) -> bytes:
        """count bytes of a body; fewer if the client breaks off."""
        pieces, have = [self._held[:count]], len(self._held[:count])
        self._held = self._held[count:]
        while have < count:
            piece = self.sock.recv(min(count - have, 1 << 20))
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        return b"".join(pieces)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_close(self) -> None:
        while self.sock.recv(65536):
            pass


def wire(asked: Asked, answer: Answer) -> tuple[bytes, bytes]:
    """Head and body of an answer."""
    headers = {"date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), **answer.headers}
    body = b"" if asked.method == "HEAD" or answer.status == 204 else answer.body
    if "transfer-encoding" not in headers and answer.status != 204:
        headers.setdefault("content-length", str(len(answer.body) if answer.length is None else answer.length))
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode(), body


class MisbehavingStore:
    """A bucket "b" over http. reset() makes it as new; wait_idle() says whether all connections are gone.

    elsewhere: the URL that its redirects lead to.
    """

    elsewhere = ""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._open: set[socket.socket] = set()
        self.port = self._listener.getsockname()[1]
        self.reset()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        self.s3 = MemoryS3()
        self.keys, self.region, self.skew = KEYS, "us-east-1", 0.0
        self.refusals: dict[str, Callable[[Asked], Answer]] = {}
        self.log: list[str] = []
        self.complaints: list[str] = []
        self.struck = 0
        self._fault: Fault | None = None
        self._target, self._nth, self._times = "", 1, 1
        self._seen = 0

    def order(self, fault: Fault, operation: str, nth: int = 1, times: int = 1) -> None:
        """Have the fault befall the nth request of the operation, and times - 1 further ones."""
        self._fault, self._target, self._nth, self._times = fault, operation, nth, times
        self._seen = 0

    def __enter__(self) -> MisbehavingStore:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for sock in left:
            sock.close()

    def wait_idle(self, seconds: float = 5.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, seconds)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        peer = _Peer(sock)
        try:
            while (head := peer.head()) and self._exchange(peer, Asked.parse(head)):
                pass
        except OSError:
            pass  # the client broke off
        finally:
            sock.close()
            with self._changed:
                self._open.discard(sock)
                self._changed.notify_all()

    def _exchange(self, peer: _Peer, asked: Asked) -> bool:
        """One request; whether the connection goes on."""
        fault = self._fault_for(asked)
        wanted = {"all": asked.length, "half": asked.length // 2, "head": 0}[fault.reads if fault else "all"]
        body = peer.take(wanted)
        if len(body) < wanted:
            return False
        asked = asked._replace(body=body)
        answer = self._answer(asked, fault)
        if fault is None:
            head, content = wire(asked, answer)
            peer.sock.sendall(head + content)
            return True
        self._play(peer, asked, answer, fault)
        return fault.ends == "stays"

    def _fault_for(self, asked: Asked) -> Fault | None:
        with self._lock:
            if self._fault is None or asked.operation != self._target:
                return None
            if self._fault.reads == "half" and asked.length < 2:
                return None
            self._seen += 1
            if not 0 <= self._seen - self._nth < self._times:
                return None
            self.struck += 1
            if self._fault.mode:
                self._fault.mode(self)
            return self._fault

    def _answer(self, asked: Asked, fault: Fault | None) -> Answer:
        """What a store in order says, or nothing much if the request is not to be done."""
        line = f"{asked.operation} {asked.path}"
        if fault and (not fault.acts or fault.reads != "all"):
            self.log.append(f"{line} {fault.name}")
            return Answer(200)
        with self._lock:
            code = fault_of(asked, self.keys, self.region, time.time() + self.skew)
            if code in self.refusals:
                answer = self.refusals[code](asked)
            elif code:
                self.complaints.append(f"{line}: {code}")
                answer = refusal(_STATUS.get(code, 403), code)
            else:
                answer = self.s3.act(asked)
        self.log.append(f"{line} {fault.name if fault else answer.status}")
        return answer

    def _play(self, peer: _Peer, asked: Asked, answer: Answer, fault: Fault) -> None:
        said = fault.says(asked, answer) if fault.says else answer
        head, content = (said, b"") if isinstance(said, bytes) else wire(asked, said)
        message = head + content
        if fault.sends:
            message = message[: fault.sends(len(head), len(message))]
        pieces = 8 if fault.slowly else 1
        size = max(1, -(-len(message) // pieces))
        for start in range(0, len(message), size):
            time.sleep(fault.slowly / pieces)
            peer.sock.sendall(message[start : start + size])
        while fault.endless:
            peer.sock.sendall(fault.endless)
        if fault.ends == "reset":
            peer.reset()
        elif fault.ends == "hang":
            peer.wait_for_close()
        elif fault.ends == "close" and fault.reads != "all":
            # Else the unread rest of the request makes the system reset the connection, and the answer is lost.
            peer.sock.shutdown(socket.SHUT_WR)
            peer.wait_for_close()

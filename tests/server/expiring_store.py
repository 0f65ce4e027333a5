"""A small S3 on loopback whose sessions really end: it issues keys that live for seconds and refuses them afterwards.

    with expiring_store(lifetime=2.0) as store:     # store.credentials_url for a container, store.url for STS and S3

It holds objects and uploads in memory, knows PutObject, GetObject with ranges, HeadObject, DeleteObject, uploads in
parts, and AssumeRole. Of each request it checks token, key id, end and signature, so keys of two sessions that were
mixed up are refused as well. Whatever it refuses is in `refused`, each fetch of keys in `fetches`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

LASTING = ("LASTINGKEY", "lasting-secret")
"""The key that may call AssumeRole."""


class Session(NamedTuple):
    """end: seconds since 1970."""

    key_id: str
    secret: str
    end: float


class ExpiringStore:
    """lifetime: seconds that keys live. announced: seconds that they are said to live, None: the truth.

    code: what ended or unknown keys are answered with; "" for a bare 403, as some look-alikes have it.
    slow: seconds that each part and each read takes. cut: bytes after which a read breaks off, 0 for never.
    """

    def __init__(
        self, lifetime: float, announced: float | None, code: str = "ExpiredToken", slow: float = 0.0, cut: int = 0
    ) -> None:
        self.lifetime, self.announced, self.code, self.slow, self.cut = lifetime, announced, code, slow, cut
        self.lock = threading.Lock()
        self.sessions: dict[str, Session] = {}
        self.fetches: list[float] = []
        self.fetching = self.fetching_at_once = 0
        self.refused: list[str] = []
        self.served: list[str] = []
        self.signed_by: dict[str, set[str]] = {}
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials_url(self) -> str:
        return f"{self.url}/credentials"

    def issue(self) -> dict[str, str]:
        """New keys, as a container's endpoint gives them."""
        with self.lock:
            self.fetching += 1
            self.fetching_at_once = max(self.fetching_at_once, self.fetching)
        try:
            time.sleep(0.05)  # as long as a metadata service takes: those who come meanwhile must find keys
            now, number = time.time(), uuid.uuid4().hex
            session = Session(f"ASIA{number[:12].upper()}", f"secret-{number}", now + self.lifetime)
            with self.lock:
                self.sessions[f"token-{number}"] = session
                self.fetches.append(now)
        finally:
            with self.lock:
                self.fetching -= 1
        end = datetime.fromtimestamp(now + (self.announced or self.lifetime), timezone.utc)
        return {
            "AccessKeyId": session.key_id,
            "SecretAccessKey": session.secret,
            "Token": f"token-{number}",
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }


@contextmanager
def expiring_store(
    lifetime: float = 2.0, announced: float | None = None, code: str = "ExpiredToken", slow: float = 0.0, cut: int = 0
) -> Iterator[ExpiringStore]:
    store = ExpiringStore(lifetime, announced, code, slow, cut)
    listener = _Listener(("127.0.0.1", 0), type("Connection", (_Connection,), {"store": store}))
    store.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield store
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True  # a connection that is kept open must not hold up the end of the test

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Those who hang up are no news."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    store: ExpiringStore

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def parse_request(self) -> bool:
        # All methods are one: a refusal needs no more than the head, and the session must be good when that comes.
        if not super().parse_request():
            return False
        parts = urlsplit(self.path)
        self.place, self.names = unquote(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True))
        self.fault = "" if self.place == "/credentials" else self._fault(parts.path, parts.query)
        return True

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.place == "/credentials":
            self.reply(200, json.dumps(self.store.issue()))
        elif self.fault:
            self.store.refused.append(f"{self.command} {self.path}: {self.fault}")
            self._refuse()
        else:
            self.store.served.append(f"{self.command} {self.path}")
            getattr(self, f"on_{self.command.lower()}")(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def reply(self, status: int, body: bytes | str = b"", **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content_Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # ------------------------------------------------------------------------------------------------------- sessions

    def _fault(self, path: str, query: str) -> str:
        """What is wrong with who asks; "" if nothing is."""
        token = self.headers.get("x-amz-security-token", "")
        given = re.match(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)",
            self.headers.get("authorization", ""),
        )
        if given is None:
            return "unsigned"
        key_id, scope, names, signature = given.groups()
        session = self.store.sessions.get(token) if token else Session(*LASTING, float("inf"))
        if session is None or session.key_id != key_id:
            return "token and key id are no pair"
        if time.time() >= session.end:
            return "expired"
        signs_payload = "x-amz-content-sha256" in self.headers  # STS's requests do not say the hash that they sign
        if signs_payload and self._signature(session.secret, path, query, scope, names.split(";")) != signature:
            return "wrong signature"
        with self.store.lock:
            self.store.signed_by.setdefault(self.place, set()).add(key_id)
        return ""

    def _signature(self, secret: str, path: str, query: str, scope: str, names: list[str]) -> str:
        pairs = sorted(parse_qsl(query, keep_blank_values=True))
        encoded = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
        headers = [f"{name}:{' '.join(self.headers[name].split())}" for name in names]
        payload = self.headers["x-amz-content-sha256"]
        canonical = "\n".join([self.command, path, encoded, *headers, "", ";".join(names), payload])
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, digest])
        key = f"AWS4{secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()

    def _refuse(self) -> None:
        if not self.store.code:
            self.reply(403)
            return
        status = 400 if self.store.code in ("ExpiredToken", "InvalidToken", "TokenRefreshRequired") else 403
        self.reply(status, f"<Error><Code>{self.store.code}</Code><Message>no</Message></Error>")

    # ------------------------------------------------------------------------------------------------------ operations

    def on_put(self, body: bytes) -> None:
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        if "uploadId" in self.names:
            time.sleep(self.store.slow)
            self.store.uploads[self.names["uploadId"]][int(self.names["partNumber"])] = body
        else:
            self.store.objects[self.place] = body
        self.reply(200, ETag=tag)

    def on_head(self, body: bytes) -> None:
        content = self.store.objects.get(self.place)
        if content is None:
            self.reply(404)
        else:
            self.reply(200, Content_Length=str(len(content)), ETag=self._tag(content))

    def on_get(self, body: bytes) -> None:
        content = self.store.objects.get(self.place)
        if content is None:
            self.reply(404, "<Error><Code>NoSuchKey</Code></Error>")
            return
        first, last = 0, len(content) - 1
        headers = {"ETag": self._tag(content)}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if wanted:
            first, last = int(wanted[1]), min(last, int(wanted[2] or last))
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        time.sleep(self.store.slow)
        piece = content[first : last + 1]
        if 0 < self.store.cut < len(piece):
            self.reply(206 if wanted else 200, piece[: self.store.cut], Content_Length=str(len(piece)), **headers)
            self.close_connection = True
        else:
            self.reply(206 if wanted else 200, piece, **headers)

    def on_delete(self, body: bytes) -> None:
        if "uploadId" in self.names:
            self.store.uploads.pop(self.names["uploadId"], None)
        else:
            self.store.objects.pop(self.place, None)
        self.reply(204)

    def on_post(self, body: bytes) -> None:
        if "uploads" in self.names:
            number = uuid.uuid4().hex
            self.store.uploads[number] = {}
            result = f"<UploadId>{number}</UploadId>"
            self.reply(200, f"<InitiateMultipartUploadResult>{result}</InitiateMultipartUploadResult>")
        elif "uploadId" in self.names:
            parts = self.store.uploads.pop(self.names["uploadId"])
            content = b"".join(parts[int(number)] for number in re.findall(rb"<PartNumber>(\d+)<", body))
            self.store.objects[self.place] = content
            result = f"<ETag>{self._tag(content)}</ETag>"
            self.reply(200, f"<CompleteMultipartUploadResult>{result}</CompleteMultipartUploadResult>")
        else:
            keys = self.store.issue()
            keys["SessionToken"] = keys.pop("Token")
            fields = "".join(f"<{name}>{value}</{name}>" for name, value in keys.items())
            result = f"<AssumeRoleResult><Credentials>{fields}</Credentials></AssumeRoleResult>"
            self.reply(200, f"<AssumeRoleResponse>{result}</AssumeRoleResponse>")

    def _tag(self, content: bytes) -> str:
        return f'"{hashlib.md5(content).hexdigest()}"'

"""An OpenID Connect issuer on loopback, as a Kubernetes cluster has one: its key set, and tokens that it signs."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

CLIENT_ID = "s3target-tests"


class Issuer:
    """url: what its tokens name as their issuer."""

    def __init__(self) -> None:
        self.url = ""
        self._key = generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def keys_url(self) -> str:
        return f"{self.url}/keys"

    def token(self, seconds: float = 3600, *, forged: bool = False) -> str:
        """A token that is good for so long; forged: signed by somebody else."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "azp": CLIENT_ID, "sub": "job", "jti": uuid.uuid4().hex}
        times = {"iat": min(now, now + int(seconds) - 1), "nbf": now - 7200, "exp": now + int(seconds)}
        text = f"{_encoded({'alg': 'RS256', 'typ': 'JWT', 'kid': 'k1'})}.{_encoded({**claims, **times})}"
        key = generate_private_key(public_exponent=65537, key_size=2048) if forged else self._key
        return f"{text}.{_base64url(key.sign(text.encode(), PKCS1v15(), SHA256()))}"

    def documents(self) -> dict[str, Any]:
        """What it serves, by path."""
        public = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "e": "AQAB"}
        return {
            "/keys": {"keys": [{**key, "n": _base64url(public.n.to_bytes(256, "big"))}]},
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": self.keys_url,
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
            },
        }


@contextmanager
def oidc_issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Connection", (_Connection,), {"issuer": issuer}))
    issuer.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield issuer
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Connection(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        document = self.issuer.documents().get(self.path)
        content = json.dumps(document).encode()
        self.send_response(404 if document is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _encoded(document: Mapping[str, object]) -> str:
    return _base64url(json.dumps(document).encode())

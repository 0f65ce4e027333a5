"""TLS: one context per transport, made at the first need of it, and handshakes whose errors say what to do."""

from __future__ import annotations

import os.path
import socket
import ssl
import threading

from ..errors import ConfigError, ConnectFailed
from ..logs import getLogger
from ..value import TYPE_CHECKING
from .fork import renew_in_children
from .nested import NestedTls

if TYPE_CHECKING:
    from . import TransportOptions

log = getLogger("s3target.transport")

_WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


class Tls:
    """Wraps sockets as the options say. Thread-safe."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        self._lock = threading.Lock()

    def wrap(self, sock: socket.socket, host: str) -> ssl.SSLSocket | NestedTls:
        """`sock` after the handshake, the certificate checked against `host`. Takes `sock` over, errors or not.

        ConfigError: the options name files that cannot be. ConnectFailed: no agreement with the other side.
        """
        context = self.context()
        # Certificates are made out without the dot of the root, and without an address's zone.
        host = host.rstrip(".").partition("%")[0]
        try:
            if isinstance(sock, ssl.SSLSocket):
                return NestedTls(sock, context, host)
            # A connection cut without TLS's goodbye must not look like an end: bodies may end by closing.
            return context.wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False)
        except (ssl.SSLError, ValueError) as error:
            raise _handshake_failure(error, host) from error

    def context(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = _make_context(self._options.verify, self._options.client_certificate)
            return self._context


def _make_context(verify: bool | str, certificate: str | tuple[str, str] | None) -> ssl.SSLContext:
    if verify is True:
        context = ssl.create_default_context()
    else:
        context = _trusting(verify) if isinstance(verify, str) else _trusting_all()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Some releases of Python 3.10 and 3.11 set it by themselves; to them a connection cut off looks ended.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.set_alpn_protocols(["http/1.1"])
    if certificate is not None:
        _load_certificate(context, certificate)
    return context


def _trusting_all() -> ssl.SSLContext:
    log.warning("verify=False: certificates are not checked, so anyone on the way can read and change the traffic")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _trusting(path: str) -> ssl.SSLContext:
    if not os.path.exists(path):
        raise ConfigError(f"verify={path!r}: there is no such file or directory")
    try:
        if os.path.isdir(path):
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"verify={path!r} is no readable file of PEM certificates: {error}") from None


def _load_certificate(context: ssl.SSLContext, certificate: str | tuple[str, str]) -> None:
    file, key = (certificate, None) if isinstance(certificate, str) else certificate
    try:
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(file, key, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"client_certificate={certificate!r} cannot be used ({error}): give a PEM file with the certificate and "
            "its key, or a pair (certificate, key); the key must not be encrypted"
        ) from None


def _handshake_failure(error: ssl.SSLError | ValueError, host: str) -> ConnectFailed:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_NAME:
            return ConnectFailed(
                f"the certificate is not for {host} ({error.verify_message}): check the endpoint's host"
            )
        return ConnectFailed(
            f"certificate of {host} is not trusted ({error.verify_message}): pass verify='/path/to/ca.pem' "
            "(or set AWS_CA_BUNDLE)"
        )
    reason = getattr(error, "reason", None) or str(error)
    hint = ": does it speak plain http there?" if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE") else ""
    return ConnectFailed(f"TLS handshake with {host} failed ({reason}){hint}")

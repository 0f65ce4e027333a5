"""Copies of the package: complete, provable, reproducible, and of use where nothing is installed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.conftest import Put, Run
from s3target import __version__
from s3target.cli.vendor import MANIFEST
from servers.store import Store

PACKAGE = Path(__file__).parents[2] / "s3target"
moto = pytest.mark.parametrize("store", ["moto"], indirect=True)


def bare_python(*argv: str, folder: Path, store: Store | None = None) -> subprocess.CompletedProcess[str]:
    """Python with nothing installed (-S), nothing of its user (-I), and an environment of the store's keys alone."""
    env = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(folder)}
    if store:
        env |= {"AWS_ENDPOINT_URL_S3": store.endpoint_url, "AWS_ACCESS_KEY_ID": store.access_key_id}
        env |= {"AWS_SECRET_ACCESS_KEY": store.secret_access_key, "AWS_REGION": store.region}
    argv = (sys.executable, "-I", "-S", "-B", "-W", "error", *argv)
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def own_files() -> set[str]:
    return {name for name in files_of(PACKAGE) if name.endswith(".py") or name == "py.typed"}


def test_a_copy_is_complete_and_proves_it(run: Run, tmp_path: Path) -> None:
    """Every file, and a manifest that sha256sum reads; its own SHA-256 is told."""
    told = json.loads(run("vendor", "--json", tmp_path).out)
    copy = tmp_path / "s3target"
    assert files_of(copy) == own_files() | {"MANIFEST.sha256"}
    digest = hashlib.sha256((copy / MANIFEST).read_bytes()).hexdigest()
    record = {"path": str(copy), "files": len(own_files()), "status": "ok"}
    assert told == {**record, "version": __version__, "sha256": digest}
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--strict", "-c", MANIFEST], cwd=copy, check=True, capture_output=True)
    (line,) = run("vendor", "--check", copy).lines
    assert line == f"{copy}: all {len(own_files())} files are as they were copied"
    assert json.loads(run("vendor", "--check", "--json", copy).out) == record
    assert files_of(copy) == own_files() | {MANIFEST}


def test_a_changed_copy_is_found_out(run: Run, tmp_path: Path) -> None:
    """What was changed, added or removed is named, and not overwritten without --force."""
    run("vendor", tmp_path)
    copy = tmp_path / "s3target"
    (copy / "client.py").write_text("mine")
    (copy / "new.py").write_text("mine")
    (copy / "retry.py").unlink()
    ran = run("vendor", "--check", copy)
    assert ran.status == 1
    assert "is not what was copied: client.py, new.py, retry.py" in ran.err
    assert run("vendor", tmp_path).status == 1
    assert (copy / "client.py").read_text() == "mine"
    assert run("vendor", "--force", tmp_path).status == 0
    assert run("vendor", "--check", copy).status == 0


def test_an_unchanged_copy_is_replaced_and_another_folder_is_not(run: Run, tmp_path: Path) -> None:
    """A folder of that name that nobody vendored may be anything."""
    assert run("vendor", tmp_path).status == 0
    assert run("vendor", tmp_path).status == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "work.py").write_text("mine")
    ran = run("vendor", "--name", "other", tmp_path)
    assert ran.status == 1
    assert f"has no {MANIFEST}" in ran.err
    assert (tmp_path / "other" / "work.py").exists()


def test_a_single_file_has_no_manifest_to_check(run: Run) -> None:
    """A usage error."""
    ran = run("vendor", "--check", "--zipapp", "x.pyz")
    assert ran.status == 2
    assert "--check is for folders" in ran.err


def test_without_luigi_its_classes_are_left_out(run: Run, tmp_path: Path) -> None:
    """And nothing else."""
    run("vendor", "--no-luigi", "--name", "s3x", tmp_path)
    left_out = {name for name in own_files() if name.startswith("luigi/")}
    assert files_of(tmp_path / "s3x") == own_files() - left_out | {MANIFEST}
    assert "without its Luigi classes" in (tmp_path / "s3x" / MANIFEST).read_text()


@moto
@pytest.mark.parametrize("more", [[], ["--no-luigi"]], ids=["whole", "no-luigi"])
def test_a_copy_works_where_nothing_is_installed(
    run: Run, base: str, put: Put, in_store: Store, tmp_path: Path, more: list[str]
) -> None:
    """Under another name, in a package of others: the client, and its command line."""
    path = put("a/b", b"content")
    run("vendor", "--name", "s3x", *more, tmp_path / "acme")
    (tmp_path / "acme" / "__init__.py").touch()
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import acme.s3x as s3x\n"
        "from acme.s3x.filesystem import parse_path\n"
        "with s3x.connect() as client:\n"
        f"    print([entry.key for entry in s3x.FileSystem(client).list(parse_path({base!r}))], flush=True)\n"
        f"from acme.s3x.cli import main; sys.exit(main(['cat', {path!r}]))"
    )
    done = bare_python("-c", script, folder=tmp_path, store=in_store)
    assert (done.returncode, done.stdout, done.stderr) == (0, "['a/b']\ncontent", "")


@moto
def test_a_single_file_works_where_nothing_is_installed(
    run: Run, base: str, put: Put, in_store: Store, tmp_path: Path
) -> None:
    """As an argument of Python; it can vendor itself."""
    pyz = tmp_path / "s3target.pyz"
    told = json.loads(run("vendor", "--json", "--zipapp", pyz).out)
    assert told["sha256"] == hashlib.sha256(pyz.read_bytes()).hexdigest()
    assert os.access(pyz, os.X_OK)
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    (tmp_path / "file").write_text("up")
    assert bare_python(str(pyz), "--version", folder=tmp_path).stdout == f"s3target {__version__}\n"
    done = bare_python(str(pyz), "cp", "file", f"{base}/", folder=tmp_path, store=in_store)
    assert (done.returncode, done.stderr) == (0, "")
    assert bare_python(str(pyz), "cat", f"{base}/file", folder=tmp_path, store=in_store).stdout == "up"
    done = bare_python(str(pyz), "vendor", "inside", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert files_of(tmp_path / "inside" / "s3target") == own_files() | {MANIFEST}


def test_an_old_python_is_told_what_is_needed(run: Run, tmp_path: Path) -> None:
    """Instead of a traceback; as RHEL 9 has 3.9."""
    run("vendor", "--zipapp", tmp_path / "s3target.pyz")
    script = "import runpy, sys; sys.version_info = (3, 9); runpy.run_path('s3target.pyz', run_name='__main__')"
    done = bare_python("-c", script, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("s3target needs Python 3.10 or later; this is ")


def test_the_same_version_makes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    """Of the single file and of the manifest; another file is not overwritten without --force."""
    one, two = tmp_path / "1.pyz", tmp_path / "2.pyz"
    assert run("vendor", "--zipapp", one).status == run("vendor", "--zipapp", two).status == 0
    assert one.read_bytes() == two.read_bytes()
    ran = run("vendor", "--zipapp", one)
    assert ran.status == 1
    assert "is there already; give --force to replace it" in ran.err
    assert run("vendor", "--force", "--no-luigi", "--zipapp", one).status == 0
    with zipfile.ZipFile(one) as archive:
        assert [name for name in archive.namelist() if "/luigi/" in name] == []
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}

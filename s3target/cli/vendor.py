"""vendor: this package as a folder in another project, or as one file that Python runs.

What was copied can be proved: a folder gets MANIFEST.sha256 (for sha256sum -c, and for vendor --check), and the SHA-256
of the manifest, or of the single file, is told. One version makes the same bytes, whenever and wherever it is made.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from ..errors import ConfigError, IntegrityError
from ..value import Any
from . import version
from .output import Output

MANIFEST = "MANIFEST.sha256"
_PACKAGE = __name__.rpartition(".cli.")[0]
_MAIN = """import sys

if sys.version_info < (3, 10):
    sys.exit("{name} needs Python 3.10 or later; this is " + sys.version.split()[0])
from {name}.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def vendor(output: Output, options: argparse.Namespace) -> None:
    """Copy this package into a project, where it works under any name, or into one file that Python runs.
    Without the Luigi classes if --no-luigi. Nothing else need be installed.

    examples:
      s3target vendor src/acme/_vendor                   then: from acme._vendor.s3target import S3Target
      s3target vendor --name s3x --no-luigi src/acme
      s3target vendor --check src/acme/s3x               is it still what was copied?
      s3target vendor --zipapp s3target.pyz              then: python3 s3target.pyz ls
    """
    if (options.folder is None) == (options.zipapp is None) or (options.check and options.zipapp):
        options.fail_usage("name either a folder or --zipapp FILE; --check is for folders")
    if not options.name.isidentifier():
        options.fail_usage(f"--name {options.name!r} is no name of a Python package")
    if options.check:
        count = check(Path(options.folder))
        record = {"path": options.folder, "files": count, "status": "ok"}
        output.tell(f"{options.folder}: all {count} files are as they were copied", record)
        return
    # Also of a package that is in a zip file itself.
    found = sorted(_walk(files(_PACKAGE), ""))
    content = {path: each for path, each in found if not (options.no_luigi and path.startswith("luigi/"))}
    path, proof = (_make_zipapp if options.zipapp else _make_folder)(content, options)
    digest = hashlib.sha256(proof).hexdigest()
    record = {"path": str(path), "version": version(), "files": len(content), "sha256": digest, "status": "ok"}
    output.tell(f"{path}: version {version()}, {len(content)} files, SHA-256 {digest}", record)


def _walk(folder: Any, base: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{base}{entry.name}/")
        elif entry.name.endswith(".py") or entry.name == "py.typed":
            yield f"{base}{entry.name}", entry.read_bytes()


def check(folder: Path) -> int:
    """The number of files. IntegrityError naming those that differ from the manifest, are missing, or are new."""
    try:
        listed = (folder / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{folder} has no {MANIFEST}, so it is no copy that s3target vendor made") from None
    expected = {path: digest for digest, path in re.findall(r"^([0-9a-f]{64})  (.+)$", listed, re.MULTILINE)}
    present = {path: hashlib.sha256(content).hexdigest() for path, content in _walk(folder, "")}
    differing = sorted(path for path in expected.keys() | present if expected.get(path) != present.get(path))
    if differing:
        raise IntegrityError(f"{folder} is not what was copied: {', '.join(differing)}")
    return len(expected)


def _make_folder(content: Mapping[str, bytes], options: argparse.Namespace) -> tuple[Path, bytes]:
    folder = Path(options.folder, options.name)
    if folder.exists():
        if not options.force:
            check(folder)  # work of others is not to be lost
        shutil.rmtree(folder)
    without = "" if any(path.startswith("luigi/") for path in content) else ", without its Luigi classes"
    lines = [f"# s3target {version()}{without}; check with: sha256sum -c {MANIFEST}"]
    lines += [f"{hashlib.sha256(each).hexdigest()}  {path}" for path, each in content.items()]
    manifest = "\n".join([*lines, ""]).encode()
    for path, each in {**content, MANIFEST: manifest}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(each)
    return folder, manifest


def _make_zipapp(content: Mapping[str, bytes], options: argparse.Namespace) -> tuple[Path, bytes]:
    path = Path(options.zipapp)
    if path.exists() and not options.force:
        raise ConfigError(f"{path} is there already; give --force to replace it")
    inside = {f"{options.name}/{name}": each for name, each in content.items()}
    inside["__main__.py"] = _MAIN.format(name=options.name).encode()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(b"#!/usr/bin/env python3\n")
            with zipfile.ZipFile(file, "w") as archive:
                for name, each in sorted(inside.items()):
                    _add(archive, name, each)
        temporary.chmod(0o755)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path, path.read_bytes()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)  # no clock of this machine, so that the same version gives the same file
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    archive.writestr(entry, content)

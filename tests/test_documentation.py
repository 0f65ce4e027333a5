"""What is told is true: README's examples are typed and its commands exist, docstrings' examples run, every public name
is explained."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pydoc
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import s3target
from s3target.cli import COMMANDS, split
from s3target.cli.arguments import parser_for
from servers.signed import request
from servers.store import Store

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = ["composition", "filesystem", "luigi.client", "luigi.target"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


# ---------------------------------------------------------------------------------------------------------------- types

USER = """
from typing_extensions import assert_type
from s3target import Client, FileSystem, NoSuchKey, S3Client, S3Error, S3Target, connect, prefetch
from s3target.filesystem import parse_path

def copy(client: S3Client, path: str) -> int:
    target = S3Target(path, client=client, overwrite=False)
    assert_type(target, S3Target)
    assert_type(target.exists(), bool)
    assert_type(target.fs, S3Client)
    assert_type(client.get_as_string(path), str)
    with connect(endpoint_url="https://ceph.example") as store:
        assert_type(store, Client)
        files = FileSystem(store)
    try:
        return sum(entry.size for entry in files.list(parse_path(path)))
    except NoSuchKey as error:
        assert_type(error.status, int | None)
        raise S3Error(f"{error.bucket} {error.key}") from None

assert_type(prefetch, int)  # wrong, so that it is known that wrong is noticed
"""


def mypy(folder: Path, *more: str) -> list[str]:
    """The errors in the scripts of a folder of somebody who has this package installed, as it tells them."""
    argv = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--no-error-summary"]
    env = {**os.environ, "MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache" / "users")}
    argv += ["--follow-imports=silent", "--scripts-are-modules", *more]
    scripts = sorted(map(str, folder.glob("*.py")))
    done = subprocess.run(argv + scripts, cwd=folder, env=env, capture_output=True, text=True, timeout=290, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if ": error:" in line]


@pytest.mark.timeout(300)  # mypy without a cache, on a busy machine
def test_a_strict_user_finds_types(tmp_path: Path) -> None:
    """No public name is Any, and the one mistake in the script is found."""
    (tmp_path / "user.py").write_text(USER)
    (error,) = mypy(tmp_path)
    assert re.search(r"Expression is of type .*, not \"int\"", error)


@pytest.mark.timeout(300)  # mypy without a cache, on a busy machine
def test_the_examples_of_the_readme_are_typed(tmp_path: Path) -> None:
    """As they stand; only that their own functions are annotated is not asked for."""
    found = blocks("python")
    assert len(found) >= 4
    for number, block in enumerate(found):
        (tmp_path / f"example_{number}.py").write_text(block)
    unannotated = ("--allow-untyped-defs", "--allow-untyped-calls", "--allow-incomplete-defs")
    errors = mypy(tmp_path, *unannotated, "--allow-subclassing-any", "--ignore-missing-imports")
    # Luigi's SparkSubmitTask declares its app, which every user sets, as None.
    assert [error for error in errors if 'base class "SparkSubmitTask"' not in error] == []


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.split("\n")[0][:40])
def test_the_examples_of_the_readme_name_what_there_is(block: str) -> None:
    """Their imports of this package work."""
    for line in re.findall(r"^(?:from s3target|import s3target).*$", block, re.MULTILINE):
        exec(line, {})


# ----------------------------------------------------------------------------------------------------------- docstrings


@pytest.mark.parametrize("name", s3target.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    """A docstring of its own, and of each method; pydoc, which is the reference, can show it."""
    value = getattr(s3target, name)
    assert value.__doc__
    if inspect.isclass(value):
        members = {key: member for key, member in vars(value).items() if not key.startswith("_")}
        callables = {key for key, member in members.items() if callable(getattr(member, "__func__", member))}
        properties = {key for key, member in members.items() if isinstance(member, property)}
        assert [key for key in callables | properties if not inspect.getdoc(members[key])] == []
    assert name in pydoc.render_doc(f"s3target.{name}")


@pytest.mark.parametrize("store", ["moto"], indirect=True)
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_docstrings_run(name: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a store with a bucket named bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.secret_access_key)
    request(store, "PUT", "/bucket")
    result = doctest.testmod(importlib.import_module(f"s3target.{name}"), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


# ------------------------------------------------------------------------------------------------------------- commands


def command_lines() -> list[str]:
    """Each use of the command in a shell block of the README."""
    text = "\n".join(blocks("sh")).replace("\\\n", " ")
    return re.findall(r"(?:^|[|&;] *|\s-m )s3target ([a-z][^|&;\n]*)", text, re.MULTILINE)


@pytest.mark.parametrize("line", command_lines())
def test_the_commands_of_the_readme_exist(line: str) -> None:
    """With these options."""
    before, name, after = split(shlex.split(line, comments=True))
    assert name in COMMANDS
    if name != "luigi":
        parser_for(name).parse_intermixed_args([*before, *after])

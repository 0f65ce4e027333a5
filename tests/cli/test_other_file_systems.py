"""Copies to file systems that take several names for one, as those of macOS and Windows do: nothing is lost unsaid."""

from __future__ import annotations

import errno
import json
import ntpath
import os
import unicodedata
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Put, Run
from elsewhere import ignore_case
from s3target.cli.copying import _Plan, job_below
from s3target.cli.places import LocalPath, UnsafeName, file_name, folded, place
from s3target.filesystem import S3Path
from scripted import Scripted, client_for

Keys = Callable[[], list[str]]
moto = pytest.mark.parametrize("store", ["moto"], indirect=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which case does not count."""
    ignore_case(monkeypatch, tmp_path)
    return tmp_path


def content_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


@moto
def test_no_two_objects_are_moved_into_one_file(run: Run, base: str, put: Put, keys: Keys, home: Path) -> None:
    """One of them is, the other is told and stays. Copied alone, or to another folder, it can be had."""
    for key in ("in/A", "in/a", "in/Dir/x", "in/dir/x", "in/z"):
        put(key, key.encode())
    ran = run("mv", "-r", f"{base}/in/", home / "down")
    assert (ran.status, ran.err.count("as the file system here takes both names for one")) == (3, 2)
    left = keys()
    assert sorted(key.lower() for key in left) == ["in/a", "in/dir/x"]
    there = {"in/" + name: (home / "down" / name).read_bytes().decode() for name in ("a", "dir/x", "z")}
    assert sorted([*there.values(), *left]) == ["in/A", "in/Dir/x", "in/a", "in/dir/x", "in/z"]
    assert run("mv", "-r", f"{base}/in/", home / "other").status == 0
    assert keys() == []


@moto
def test_elsewhere_they_are_two_files(run: Run, base: str, put: Put, tmp_path: Path) -> None:
    """And nothing is left of the look at the file system."""
    for key in ("in/A", "in/a"):
        put(key, key.encode())
    assert run("cp", "-r", f"{base}/in/", tmp_path / "new" / "down").status == 0
    assert content_of(tmp_path / "new" / "down") == {"A": b"in/A", "a": b"in/a"}
    assert os.listdir(tmp_path) == ["new"]


@moto
def test_sync_knows_a_file_by_another_spelling(run: Run, base: str, put: Put, home: Path) -> None:
    """It is compared and replaced, but not removed as what the source has not."""
    (home / "readme").write_bytes(b"of old")
    (home / "gone").write_bytes(b"x")
    put("Readme", b"new")
    for lines in (2, 0):
        ran = run("sync", "--delete", f"{base}/", home)
        assert (ran.status, len(ran.lines)) == (0, lines)
        assert content_of(home) == {"readme": b"new"}


@moto
def test_sync_puts_no_two_objects_into_one_file(run: Run, base: str, put: Put, home: Path) -> None:
    """Neither when both are new, nor when the file is that of one of them; what cannot be copied is told each time."""
    put("A", b"12")
    put("a", b"1")
    for _ in range(3):
        ran = run("sync", "--json", f"{base}/", home)
        assert ran.status in (1, 3)
        assert json.loads(ran.err)["message"].startswith("another key goes to ")
        assert content_of(home) in ({"a": b"12"}, {"a": b"1"})


@moto
def test_a_file_that_takes_no_time_is_copied_all_the_same(
    run: Run, put: Put, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a mount without owners; mv removes the source too."""

    def utime(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "utime", utime)
    assert run("mv", put("a", b"content"), tmp_path / "a").status == 0
    assert (keys(), content_of(tmp_path)) == ([], {"a": b"content"})


@pytest.mark.parametrize("names", [("A", "a"), ("x/É", "X/e\u0301"), ("ß", "SS"), ("ﬁ", "FI")])
def test_what_may_be_one_file_is_the_same_folded(names: tuple[str, str]) -> None:
    """Case, and the form of accents: macOS may give back another than it was given."""
    assert folded(names[0]) == folded(names[1]) == folded(unicodedata.normalize("NFD", names[0]))


def test_a_key_that_the_locale_cannot_write_is_no_file_name() -> None:
    """As a snowman where file names are Latin-1. It is told, and does not end the copy of the others."""
    with pytest.raises(UnsafeName, match="characters that file names here cannot have"):
        file_name("a/\ud800")


RESERVED = [
    "con",
    "a/NUL",
    "aux.txt",
    "COM1",
    "lpt³.x/a",
    "conout$",
    "a.",
    "a /b",
    'a"b',
    "a*",
    "a?",
    "<",
    "a|b",
    "a\x01b",
]


@pytest.mark.parametrize("key", [*RESERVED, "a\\b", "c:d/e", "a:stream"])
def test_what_windows_keeps_for_itself_is_no_file_name_there(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device takes all that is written to it, "a." is the same as "a", ":" leads to another stream of a file."""
    assert file_name(key) == key
    monkeypatch.setattr(os, "sep", "\\")
    with pytest.raises(UnsafeName, match="reserved"):
        file_name(key)


@pytest.mark.parametrize(
    "key", ["a.b", ".a", "a b", "console", "com", "com10", "auxiliary/x", "nul_", "ä/☃", "~$x", "a;b'c"]
)
def test_harmless_keys_are_file_names_on_windows_too(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sep", "\\")
    assert file_name(key) == key


@pytest.fixture
def backslashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are those of Windows."""
    monkeypatch.setattr(os, "path", ntpath)
    monkeypatch.setattr(os, "sep", "\\")


@pytest.mark.usefixtures("backslashes")
@pytest.mark.parametrize("path", [r"C:\dir\x", "C:/dir/x", r"\\host\share\x", r"dir\x", "C:x"])
def test_a_file_of_windows_goes_up_under_its_name(path: str) -> None:
    """However its path is written; the key has none of that."""
    options = Namespace(recursive=False, raw=False, exclude=[], paths=[path, "s3://b/in/"])
    plan = _Plan(client_for(Scripted()), Namespace(failure=None), S3Path("b", "in/"), options)
    (job,) = plan.jobs(place(path))
    assert (job.source, job.destination) == (LocalPath(path), S3Path("b", "in/x"))


@pytest.mark.usefixtures("backslashes")
def test_an_object_comes_down_to_a_path_of_windows() -> None:
    """Each slash of a key makes a folder."""
    job = job_below(LocalPath(r"C:\down"), "a/b", S3Path("b", "k"))
    assert job.destination == LocalPath(r"C:\down\a\b")

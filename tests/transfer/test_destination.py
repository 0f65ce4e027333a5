"""The file of a download: all of it at its name, or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s3target.errors import ConfigError
from s3target.transfer.destination import Destination


def lowest_descriptor() -> int:
    """The number that the next file gets."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


def make(path: Path | str, content: bytes = b"new") -> None:
    with Destination(str(path)) as file:
        file.allocate(len(content))
        with file.used():
            file.write(memoryview(content)[1:], 1)
            file.write(memoryview(content)[:1], 0)
        file.commit()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_a_plain_open(tmp_path: Path, umask: int) -> None:
    """The umask decides, not the temporary file."""
    before = os.umask(umask)
    try:
        make(tmp_path / "ours")
        (tmp_path / "plain").write_bytes(b"")
    finally:
        os.umask(before)
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_pieces_in_any_order_make_the_file(tmp_path: Path) -> None:
    """It replaces what was there."""
    (tmp_path / "file").write_bytes(b"something longer")
    make(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_what_the_system_writes_in_pieces_comes_whole(tmp_path: Path) -> None:
    """Of more than 2 GiB, or on a disk that is nearly full, it takes but a part at a time."""

    class Slow(Destination):
        def _write(self, view: memoryview, position: int) -> int:
            return super()._write(view[:2], position)

    with Slow(str(tmp_path / "file")) as file:
        file.write(memoryview(b"content"), 3)
        file.commit()
    assert (tmp_path / "file").read_bytes() == bytes(3) + b"content"


def test_nothing_is_at_the_name_before_the_commit(tmp_path: Path) -> None:
    """The temporary file lies beside it, hidden and named after it; leaving without commit removes it."""
    with Destination(str(tmp_path / "file")) as file:
        file.write(memoryview(b"half"), 0)
        (temporary,) = os.listdir(tmp_path)
        assert temporary.startswith(".file.")
    assert os.listdir(tmp_path) == []


def test_a_relative_path_is_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name has no folder part."""
    monkeypatch.chdir(tmp_path)
    make("file")
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "\N{PILE OF POO}" * 63])
def test_the_longest_names_have_temporary_ones(tmp_path: Path, name: str) -> None:
    """255 bytes are what file systems take."""
    make(tmp_path / name)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed(tmp_path: Path, there: bool) -> None:
    """As open() does; the link stays one."""
    real, link = tmp_path / "real", tmp_path / "link"
    if there:
        real.write_bytes(b"old")
    link.symlink_to(real)
    make(link)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_devices_and_pipes_are_not_replaced(tmp_path: Path) -> None:
    """Root could put a file in the place of /dev/null."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="no regular file"):
        make(tmp_path / "pipe")


def test_a_disk_that_is_too_small_is_known_at_once(tmp_path: Path) -> None:
    """And not after hours."""
    with pytest.raises(OSError, match="No space left"), Destination(str(tmp_path / "file")) as file:
        file.allocate(1 << 62)
    assert os.listdir(tmp_path) == []


def test_the_file_has_its_size_at_once(tmp_path: Path) -> None:
    """So a limit of the file system's or the user's is met before the first byte is fetched."""
    with Destination(str(tmp_path / "file")) as file:
        file.allocate(12_345)
        (temporary,) = tmp_path.iterdir()
        assert temporary.stat().st_size == 12_345


@pytest.mark.parametrize("commits", [True, False])
def test_the_descriptor_is_closed_by_whoever_uses_it_last(tmp_path: Path, commits: bool) -> None:
    """And by nobody before; who comes later is refused."""
    before = lowest_descriptor()
    with Destination(str(tmp_path / "file")) as file:
        with file.used():
            pass
        assert lowest_descriptor() != before
        if commits:
            file.commit()
            assert lowest_descriptor() == before
    assert lowest_descriptor() == before
    with pytest.raises(ValueError, match="closed"), file.used():
        pass
    with Destination(str(tmp_path / "file")) as file:
        late = file.used()
        late.__enter__()
    assert lowest_descriptor() != before
    late.__exit__(None, None, None)
    assert lowest_descriptor() == before


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """And not a temporary file that nobody has asked for."""
    with pytest.raises(FileNotFoundError, match="No such directory") as caught:
        make(tmp_path / "missing" / "file")
    assert caught.value.filename == str(tmp_path / "missing")

"""sync: only what differs is copied, and with --delete what is too much goes."""

from __future__ import annotations

import os
import time
import tracemalloc
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Put, Run
from s3target.cli.output import Output
from s3target.cli.syncing import _Plan, sync
from s3target.filesystem import S3Path
from s3target.protocol.messages import Response
from scripted import Scripted, client_for, reply
from server.scripted_socket import ScriptedServer, answers_and_closes

Get = Callable[[str], "bytes | None"]
Keys = Callable[[], list[str]]

both = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
moto = pytest.mark.parametrize("store", ["moto"], indirect=True)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files, an hour old; the working directory is above."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "tree"
    (folder / "sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        (folder / name).write_text(name)
        touch(folder / name, -3600)
    return folder


def touch(path: Path, seconds: float) -> None:
    """Its time is so many seconds from now."""
    moment = time.time() + seconds
    os.utime(path, (moment, moment))


def copied(lines: list[str]) -> list[str]:
    """The sources of what was copied."""
    return sorted(line.split()[1] for line in lines if line.startswith("cp "))


@both
def test_what_is_missing_new_or_of_another_size_goes_up(run: Run, base: str, get: Get, tree: Path) -> None:
    """And nothing else."""
    assert copied(run("sync", "tree", f"{base}/x").lines) == ["tree/a", "tree/sub/b"]
    assert run("sync", "tree", f"{base}/x") == (0, b"", "")
    (tree / "a").write_text("longer")
    touch(tree / "a", -3600)
    (tree / "c").write_text("new")
    touch(tree / "c", -3600)
    assert copied(run("sync", "tree", f"{base}/x").lines) == ["tree/a", "tree/c"]
    (tree / "a").write_text("LONGER")
    touch(tree / "a", 60)
    assert copied(run("sync", "tree", f"{base}/x").lines) == ["tree/a"]
    assert get("x/a") == b"LONGER"


def test_a_source_that_is_a_file_is_told(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing was done."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 39\r\n\r\n<ListBucketResult></ListBucketResult>\r\n"
    with ScriptedServer(answers_and_closes(empty)) as server:
        ran = run("sync", "--endpoint-url", f"http://127.0.0.1:{server.port}", "tree/a", "s3://b/x/")
    assert (ran.status, ran.content, ran.err) == (1, b"", "s3target: tree/a: Not a directory\n")


@both
def test_down_and_across(run: Run, base: str, put: Put, get: Get, tree: Path) -> None:
    """A second time there is nothing to do."""
    put("x/1", b"one")
    put("x/sub/2", b"two")
    assert len(run("sync", f"{base}/x", "down").lines) == 2
    assert (tree.parent / "down" / "sub" / "2").read_text() == "two"
    assert run("sync", f"{base}/x", "down").lines == []
    assert len(run("sync", f"{base}/x", f"{base}/y").lines) == 2
    assert get("y/sub/2") == b"two"
    assert run("sync", f"{base}/x", f"{base}/y").lines == []


@moto
def test_size_only(run: Run, base: str, put: Put, tree: Path) -> None:
    """However new the source is."""
    put("x/a", b"A")
    touch(tree / "a", 3600)
    assert copied(run("sync", "--size-only", "tree", f"{base}/x").lines) == ["tree/sub/b"]


@both
def test_checksum_sees_what_size_and_time_do_not(run: Run, base: str, put: Put, get: Get, tree: Path) -> None:
    """By the ETag, also of an upload in parts, on either side or both; nothing is copied for its time alone."""
    put("x/a", b"A")
    put("x/sub/b", b"sub/b")
    touch(tree / "sub" / "b", 3600)
    (tree / "large").write_bytes(os.urandom(17 << 20))
    assert copied(run("sync", "--checksum", "tree", f"{base}/x").lines) == ["tree/a", "tree/large"]
    assert get("x/a") == b"a"
    touch(tree / "large", 3600)
    assert run("sync", "--checksum", "tree", f"{base}/x").lines == []
    assert run("sync", "--checksum", f"{base}/x", "tree").lines == []
    put("y/a", b"a")
    put("y/sub/b", b"SUB/B")
    assert copied(run("sync", "--checksum", "--exclude", "large", f"{base}/x", f"{base}/y").lines) == [
        f"{base}/x/sub/b"
    ]


@both
def test_delete_removes_what_the_source_has_not(run: Run, base: str, put: Put, keys: Keys, tree: Path) -> None:
    """On either side; what is excluded stays; --dry-run shows."""
    for key in ("x/old", "x/keep.tmp", "xy"):
        put(key)
    argv = ("sync", "--delete", "--exclude", "*.tmp", "tree", f"{base}/x")
    assert run(*argv, "--dry-run").lines[-1] == f"(dry run) rm {base}/x/old"
    assert keys() == ["x/keep.tmp", "x/old", "xy"]
    assert run(*argv).lines[-1] == f"rm {base}/x/old"
    assert keys() == ["x/a", "x/keep.tmp", "x/sub/b", "xy"]
    (tree / "surplus").write_text("1")
    assert run("sync", "--delete", f"{base}/x", "tree").lines[-1] == "rm tree/surplus"
    assert not (tree / "surplus").exists()


@moto
def test_markers_of_folders_are_no_files(run: Run, base: str, put: Put, keys: Keys, tree: Path) -> None:
    """Neither copied nor deleted."""
    for key in ("x/", "x/sub/", "x/sub_$folder$"):
        put(key, b"")
    put("x/a", b"a")
    put("x/sub/b", b"sub/b")
    assert run("sync", "--delete", "--size-only", f"{base}/x", "tree") == (0, b"", "")
    assert run("sync", "--delete", "tree", f"{base}/x") == (0, b"", "")
    assert keys() == ["x/", "x/a", "x/sub/", "x/sub/b", "x/sub_$folder$"]


@moto
def test_nothing_is_deleted_unless_all_was_copied(run: Run, base: str, put: Put, keys: Keys, tree: Path) -> None:
    """A file that cannot be read may be the new name of what would go."""
    put("x/old")
    (tree / "pipe").symlink_to(tree / "fifo")
    os.mkfifo(tree / "fifo")
    ran = run("sync", "--delete", "tree", f"{base}/x")
    assert ran.status == 3
    assert "nothing is deleted, since not all could be copied" in ran.err
    assert "x/old" in keys()


@moto
def test_a_file_that_cannot_be_looked_at_is_told(run: Run, base: str, put: Put, keys: Keys, tree: Path) -> None:
    """Here a link to nothing. The others are copied; nothing is deleted. At the destination it is replaced."""
    put("x/old")
    (tree / "gone").symlink_to("nowhere")
    for flags, there in ((["--dry-run"], ["x/old"]), ([], ["x/a", "x/old", "x/sub/b"])):
        ran = run("sync", "--delete", *flags, "tree", f"{base}/x")
        assert (ran.status, keys(), len(copied([line.split(") ")[-1] for line in ran.lines]))) == (3, there, 2)
        assert "tree/gone: No such file or directory" in ran.err
    put("y/gone", b"here")
    assert run("sync", f"{base}/y", "tree").status == 0
    assert (tree / "gone").read_text() == "here"


@moto
def test_a_folder_that_cannot_be_read_is_told(
    run: Run, base: str, put: Put, keys: Keys, tree: Path, lock: Callable[[Path], None]
) -> None:
    """At either side the others are copied, and nothing is deleted; if it is excluded, all goes as ever."""
    lock(tree / "sub")
    put("x/old")
    ran = run("sync", "--delete", "tree", f"{base}/x")
    assert (ran.status, copied(ran.lines), keys()) == (3, ["tree/a"], ["x/a", "x/old"])
    assert ran.err.splitlines() == [
        "s3target: tree/sub: Permission denied",
        "s3target: nothing is deleted, since not all could be copied",
    ]
    put("x/sub/b", b"other")
    ran = run("sync", "--delete", f"{base}/x", "tree")
    assert (ran.status, copied(ran.lines)) == (3, [f"{base}/x/a", f"{base}/x/old"])
    assert ((tree / "sub" / "b").read_text(), ran.err.count("\n")) == ("sub/b", 2)
    put("x/more")
    assert run("sync", "--delete", "--exclude", "sub/*", "tree", f"{base}/x") == (0, f"rm {base}/x/more\n".encode(), "")


@moto
def test_a_file_that_cannot_be_compared_is_told(
    run: Run, base: str, put: Put, tree: Path, lock: Callable[[Path], None]
) -> None:
    """The others are copied."""
    put("x/a", b"A")
    put("x/sub/b", b"SUB/B")
    lock(tree / "a")
    ran = run("sync", "--checksum", f"{base}/x", "tree")
    assert (ran.status, copied(ran.lines)) == (3, [f"{base}/x/sub/b"])
    assert ran.err == f"s3target: cp {base}/x/a: tree/a: Permission denied\n"


def listing(*keys: str, year: int = 2026) -> Response:
    entries = (
        f"<Contents><Key>{key}</Key><LastModified>{year}-11-25T02:56:13.866Z</LastModified><ETag>&quot;{'0' * 32}&quot;"
        "</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key in keys
    )
    return reply(200, f"<ListBucketResult>{''.join(entries)}</ListBucketResult>".encode())


def options() -> Namespace:
    how = {"json": False, "quiet": False, "checksum": False, "size_only": False, "delete": True, "exclude": []}
    return Namespace(**how, source=S3Path("b", "x"), destination=S3Path("b", "y"), set=[], jobs=1)


def test_what_is_listed_twice_is_compared_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A second time nothing at the destination is left to compare with; that is not missing, nor too much."""
    transport = Scripted(listing("y/a", "y/b", "y/a", year=2027), listing("x/a", "x/b", "x/a"))
    with client_for(transport) as client:
        sync(client, Output(options()), options())
    assert (capsys.readouterr(), transport.script) == (("", ""), [])


def test_little_is_kept_of_a_name() -> None:
    """Twice the name's own size, or thrice: a destination may have millions."""
    names = [f"2026/11/part-{number:012}.csv.gz" for number in range(2000)]
    transport = Scripted(listing(*(f"y/{name}" for name in names)))
    with client_for(transport) as client:
        tracemalloc.start()
        try:
            plan = _Plan(client, Output(options()), options())
            assert tracemalloc.get_traced_memory()[0] / len(names) < 300
        finally:
            tracemalloc.stop()
    assert plan.surplus() == names


@moto
def test_nothing_is_deleted_through_a_link(run: Run, base: str, put: Put, tree: Path) -> None:
    """What a folder elsewhere holds is not the destination's; and a link inside may show what has just been copied."""
    put("x/sub/b", b"sub/b")
    (tree.parent / "elsewhere").mkdir()
    (tree.parent / "elsewhere" / "precious").write_text("1")
    (tree / "link").symlink_to("../elsewhere")
    (tree / "again").symlink_to("sub")
    ran = run("sync", "--delete", f"{base}/x", "tree")
    assert (ran.status, ran.lines) == (0, ["cp " + f"{base}/x/sub/b tree/sub/b", "rm tree/a"])
    assert (tree.parent / "elsewhere" / "precious").exists()
    assert (tree / "sub" / "b").exists()


@moto
def test_an_empty_source_does_not_empty_the_destination(run: Run, base: str, put: Put, keys: Keys, tree: Path) -> None:
    """It may be a typing error."""
    put("x/old")
    ran = run("sync", "--delete", f"{base}/typo", f"{base}/x")
    assert (ran.status, keys()) == (1, ["x/old"])
    assert "use rm -r for that" in ran.err
    ran = run("sync", "--delete", "typo", f"{base}/x")
    assert (ran.status, keys()) == (1, ["x/old"])
    assert "typo: No such file or directory" in ran.err


@moto
def test_unsafe_keys_are_refused(run: Run, base: str, put: Put, tree: Path) -> None:
    """The others come; status 3."""
    put("x/../../evil")
    put("x/good")
    ran = run("sync", f"{base}/x", "down")
    assert ran.status == 3
    assert "would lead out of the destination" in ran.err
    assert [path.name for path in (tree.parent / "down").iterdir()] == ["good"]
    assert not (tree.parent / "evil").exists()

"""cp and mv against real stores: what goes where, what is told, what is refused."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from cli.conftest import Put, Run
from s3target.cli.output import Output
from s3target.cli.places import LocalPath
from s3target.cli.transfers import Job, Transfers
from s3target.filesystem import S3Path
from s3target.transfer.workers import Ticket
from scripted import Pieces, Scripted, client_for, reply
from servers.signed import request
from servers.store import Store

Get = Callable[[str], "bytes | None"]
Keys = Callable[[], list[str]]

both = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
moto = pytest.mark.parametrize("store", ["moto"], indirect=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, **files: str) -> None:
    """name="content"; "__" in a name is a slash, and "_" before the last word its dot."""
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def files_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@both
@pytest.mark.parametrize(
    ("destination", "key"),
    [("/copy", "copy"), ("/dir/", "dir/a"), ("", "a"), ("/dir/copy", "dir/copy")],
)
def test_a_file_goes_up(run: Run, base: str, get: Get, folder: Path, destination: str, key: str) -> None:
    """To a key, or under its own name into a folder, which a slash makes one."""
    write(folder, a="content")
    ran = run("cp", "a", f"{base}{destination}")
    assert (ran.status, ran.lines) == (0, [f"cp a {base}/{key}"])
    assert get(key) == b"content"


@both
@pytest.mark.parametrize(
    ("destination", "name"), [("copy", "copy"), (".", "a.txt"), ("there", "there/a.txt"), ("new/sub/", "new/sub/a.txt")]
)
def test_an_object_comes_down(run: Run, put: Put, folder: Path, destination: str, name: str) -> None:
    """To a file, or under its own name into a folder, which is made if it is named with a slash. With its time."""
    (folder / "there").mkdir()
    assert run("cp", put("dir/a.txt", b"content"), destination).status == 0
    assert files_in(folder) == {name: "content"}


@both
def test_a_file_gets_the_time_of_its_object(run: Run, put: Put, folder: Path) -> None:
    """So that sync sees which of the two is newer."""
    path = put("a")
    assert run("cp", path, "a").status == 0
    told = json.loads(run("stat", "--json", path).out)["modified"]
    assert abs(datetime.fromisoformat(told).timestamp() - (folder / "a").stat().st_mtime) < 1


@both
def test_an_object_is_copied_inside_the_store(run: Run, base: str, put: Put, get: Get) -> None:
    """Its metadata goes along."""
    path = put("a", b"content", **{"x-amz-meta-owner": "me"})
    assert run("cp", path, f"{base}/dir/").status == 0
    assert (get("a"), get("dir/a")) == (b"content", b"content")
    assert json.loads(run("stat", "--json", f"{base}/dir/a").out)["metadata"] == {"owner": "me"}


@both
def test_folders_go_up_and_down(run: Run, base: str, keys: Keys, folder: Path) -> None:
    """What lies below the source lies below the destination then."""
    write(folder, tree__a="1", tree__sub__b="2", tree__sub__sub__c="3")
    assert run("cp", "-r", "tree", f"{base}/up").status == 0
    assert keys() == ["up/a", "up/sub/b", "up/sub/sub/c"]
    assert run("cp", "-r", f"{base}/up/", f"{base}/other").status == 0
    ran = run("cp", "-r", f"{base}/other", "down")
    assert ran.status == 0
    assert files_in(folder / "down") == {"a": "1", "sub/b": "2", "sub/sub/c": "3"}
    assert len(ran.lines) == 3


@both
def test_patterns_keep_what_lies_below_the_last_literal_folder(run: Run, base: str, put: Put, folder: Path) -> None:
    """As s5cmd does; without --raw."""
    for key in ("logs/22/a.gz", "logs/23/b.gz", "logs/23/c.txt", "x.gz"):
        put(key, key.encode())
    assert run("cp", f"{base}/logs/2*/*.gz", "down").status == 0
    assert files_in(folder / "down") == {"22/a.gz": "logs/22/a.gz", "23/b.gz": "logs/23/b.gz"}


@both
def test_several_sources_go_into_a_folder(run: Run, base: str, put: Put, keys: Keys, folder: Path) -> None:
    """Files and objects together, whether the destination ends in a slash or not."""
    write(folder, a="1", b="2")
    assert run("cp", "a", "b", put("x/c", b"3"), f"{base}/all").status == 0
    assert run("cp", "a", f"{base}/x/c", f"{base}/two").status == 0
    assert keys() == ["all/a", "all/b", "all/c", "two/a", "two/c", "x/c"]


def test_after_two_dashes_nothing_is_an_option(run: Run, base: str, folder: Path, keys: Keys) -> None:
    """As scripts write it whose file names may be anything."""
    (folder / "-dash").write_text("x")
    assert run("cp", "-q", "--", "-dash", f"{base}/").status == 0
    assert run("cp", "-q", "--", "-dash", "-dash", f"{base}/d/").status == 0
    assert keys() == ["-dash", "d/-dash"]


@both
def test_stdin_and_stdout(run: Run, base: str, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any length; nothing but the object is on stdout."""
    content = os.urandom(9 << 20)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("cp", "-", f"{base}/piped").status == 0
    assert get("piped") == content
    for flags in ([], ["--no-clobber"]):
        assert run("cp", *flags, f"{base}/piped", "-") == (0, content, "")


@moto
def test_the_content_type_is_guessed_or_given(run: Run, base: str, folder: Path) -> None:
    """By the key; --set has boto3's names."""
    write(folder, **{"a.html": "x", "a.csv.gz": "x"})
    run("cp", "a.html", "a.csv.gz", f"{base}/")
    run("cp", "--set", "ContentType=text/x-mine", "--set", "CacheControl=no-store", "a.html", f"{base}/mine.html")
    lines = run("stat", "--json", f"{base}/a.html", f"{base}/a.csv.gz", f"{base}/mine.html").lines
    told = [json.loads(line) for line in lines]
    assert [entry["content-type"] for entry in told] == ["text/html", "application/gzip", "text/x-mine"]
    assert told[2]["cache-control"] == "no-store"


@moto
def test_some_of_many_failed(run: Run, base: str, put: Put, folder: Path) -> None:
    """Status 3, and the others are there; status 1 if none is."""
    ran = run("cp", put("a", b"1"), f"{base}/none", put("b", b"2"), "down/")
    assert (ran.status, files_in(folder)) == (3, {"down/a": "1", "down/b": "2"})
    assert ran.err.count("\n") == 1
    assert f"s3target: cp {base}/none: " in ran.err
    assert run("cp", f"{base}/none", "x").status == 1


UNSAFE = ["../../etc/passwd", "/etc/passwd", "a/../../b", "C:/x", "C:\\x", "d//e", "./f"]


@moto
@pytest.mark.parametrize("how", [("-r", "/in/"), ("", "/in/*")], ids=["folder", "pattern"])
def test_no_key_is_written_outside_the_destination(
    run: Run, base: str, put: Put, folder: Path, how: tuple[str, str]
) -> None:
    """Each such key is refused and told, the others come; status 3."""
    for key in [*UNSAFE, "good", "sub/good"]:
        put(f"in/{key}", b"content")
    flag, suffix = how
    ran = run("cp", *filter(None, [flag]), f"{base}{suffix}", folder / "x" / "y" / "down")
    assert ran.status == 3
    assert files_in(folder) == {"x/y/down/good": "content", "x/y/down/sub/good": "content"}
    assert ran.err.count("\n") == len(UNSAFE)
    assert "has '..' in it, which would lead out of the destination" in ran.err
    assert "is an absolute path" in ran.err


@moto
def test_a_key_with_an_unsafe_name_is_refused_alone_too(run: Run, base: str, put: Put, folder: Path) -> None:
    """Into a folder; to a file that is named it can be copied."""
    path = put("in/..", b"content")
    (folder / "down").mkdir()
    ran = run("cp", path, "down")
    assert (ran.status, files_in(folder)) == (1, {})
    assert run("cp", path, "down/named").status == 0
    assert files_in(folder) == {"down/named": "content"}


@moto
def test_a_dry_run_does_nothing(run: Run, base: str, put: Put, keys: Keys, folder: Path) -> None:
    """It tells what would be done, as JSON too."""
    put("in/a")
    put("in/b")
    ran = run("cp", "-r", "--dry-run", f"{base}/in", "down")
    assert (ran.status, sorted(ran.lines)) == (
        0,
        [f"(dry run) cp {base}/in/a down/a", f"(dry run) cp {base}/in/b down/b"],
    )
    told = json.loads(run("mv", "-n", "--json", f"{base}/in/a", f"{base}/c").out)
    assert (told["operation"], told["status"], told["destination"]) == ("mv", "planned", f"{base}/c")
    assert (files_in(folder), keys()) == ({}, ["in/a", "in/b"])


@moto
def test_quiet_says_nothing(run: Run, base: str, put: Put, folder: Path) -> None:
    """But the work is done."""
    assert run("cp", "-q", put("a", b"1"), "x") == (0, b"", "")
    assert files_in(folder) == {"x": "1"}


@both
def test_no_clobber_leaves_alone_what_is_there(run: Run, base: str, put: Put, get: Get, folder: Path) -> None:
    """On either side; it is told, and no failure. mv leaves alone the source too. By a condition it is a failure.
    Without either it is replaced.
    """
    write(folder, a="new", b="new")
    path = put("a", b"old")
    ran = run("cp", "--no-clobber", "a", "b", f"{base}/")
    assert (ran.status, get("a"), get("b")) == (0, b"old", b"new")
    assert f"cp a {path}: is there already, left alone" in ran.lines
    for argv in (["cp", path, "a"], ["mv", path, "a"], ["mv", "a", path]):
        assert run(*argv, "--no-clobber").status == 0
        assert (files_in(folder)["a"], get("a")) == ("new", b"old")
    assert run("mv", "--set", "IfNoneMatch=*", "a", path).status == 1
    assert (files_in(folder)["a"], get("a")) == ("new", b"old")
    assert run("cp", path, "a").status == run("cp", "b", path).status == 0
    assert (files_in(folder)["a"], get("a")) == ("old", b"new")


@both
def test_mv_removes_the_source_once_it_is_copied(run: Run, base: str, put: Put, keys: Keys, folder: Path) -> None:
    """Inside the store, down and up again."""
    assert run("mv", put("a", b"1"), f"{base}/b").status == 0
    assert keys() == ["b"]
    assert run("mv", f"{base}/b", "down").status == 0
    assert (keys(), files_in(folder)) == ([], {"down": "1"})
    assert run("mv", "down", f"{base}/").status == 0
    assert (keys(), files_in(folder)) == (["down"], {})


@moto
def test_mv_keeps_the_source_where_the_copy_failed(run: Run, base: str, put: Put, keys: Keys, folder: Path) -> None:
    """And where source and destination are the same."""
    path = put("in/../a", b"1")
    put("in/b", b"2")
    assert run("mv", "-r", f"{base}/in", "down").status == 3
    assert (keys(), files_in(folder)) == (["in/../a"], {"down/b": "2"})
    ran = run("mv", path, path)
    assert (ran.status, keys()) == (1, ["in/../a"])
    assert "source and destination are the same" in ran.err
    assert run("mv", "--raw", path, f"{base}/in/../").status == 1
    assert keys() == ["in/../a"]


@moto
def test_a_pattern_does_not_find_what_it_makes(run: Run, base: str, put: Put, keys: Keys) -> None:
    """mv *.gz into a folder whose keys fit as well."""
    put("a.gz")
    put("old/b.gz")
    assert run("mv", f"{base}/*.gz", f"{base}/old/").status == 0
    assert keys() == ["old/a.gz", "old/b.gz"]


@moto
@pytest.mark.parametrize("target", ["", "/"])
def test_nothing_is_copied_onto_itself(run: Run, base: str, put: Put, keys: Keys, target: str) -> None:
    """A store that takes such a copy (here as it changes the object) would lose it, as mv then removes the source."""
    put("a")
    put("in/b")
    ran = run("mv", "--set", "StorageClass=STANDARD_IA", f"{base}/*", f"{base}{target}")
    assert (ran.status, keys()) == (1, ["a", "in/b"])
    assert f"its copy, {base}/in/b, would lie among the sources" in ran.err


@both
def test_what_is_one_object_to_the_store_is_not_moved(
    run: Run, base: str, put: Put, keys: Keys, in_store: Store
) -> None:
    """SeaweedFS drops empty segments. Elsewhere these are two keys."""
    put("in/a")
    put("in//a")
    assert run("mv", f"{base}/in//a", f"{base}/in/b").status == 0
    put("in/a")
    put("in//c")
    ran = run("mv", f"{base}/in//c", f"{base}/in/c")
    if in_store.name == "seaweedfs":
        assert (ran.status, keys()) == (1, ["in/a", "in/b", "in/c"])
        assert "the same object" in ran.err
    else:
        assert (ran.status, keys()) == (0, ["in/a", "in/b", "in/c"])


@both
def test_what_is_listed_elsewhere_is_not_taken(
    run: Run, base: str, put: Put, keys: Keys, folder: Path, in_store: Store
) -> None:
    """SeaweedFS lists a/b below a//, of which other names would become, or none: cp, mv, and sync --delete fail."""
    for key in ("in//a", "in//s/b"):
        put(key)
    write(folder, a="1", s__b="2")
    if in_store.name == "moto":
        assert run("sync", "--delete", folder, f"{base}/in//").status == 0
        assert keys() == ["in//a", "in//s/b"]
        return
    for argv in (["cp", "-r", f"{base}/in//", "down"], ["mv", "-r", f"{base}/in//", f"{base}/other"]):
        assert f"the store lists 'in/a' below {base}/in//; write the path as the store does" in run(*argv).err
    assert run("sync", "--delete", folder, f"{base}/in//").status == 1
    assert (keys(), files_in(folder)) == (["in/a", "in/s/b"], {"a": "1", "s/b": "2"})


@moto
@pytest.mark.parametrize("source", [("/in/26/*",), ("-r", "/in/26")])
def test_what_is_moved_to_a_folder_above(run: Run, base: str, put: Put, keys: Keys, source: tuple[str, ...]) -> None:
    """Lies there then; what would take the place of a source stays."""
    put("in/26/a")
    put("in/26/26/a")
    *flags, path = source
    assert run("mv", *flags, f"{base}{path}", f"{base}/in/").status == 3
    assert keys() == ["in/26/26/a", "in/a"]


@moto
def test_no_two_sources_go_to_one_place(run: Run, base: str, get: Get, keys: Keys, folder: Path) -> None:
    """As with coreutils; a source that is named twice goes once."""
    write(folder, one__a="1", two__a="2")
    ran = run("mv", "one/a", "two/a", "one/a", f"{base}/")
    assert (ran.status, ran.err) == (3, f"s3target: mv two/a: one/a goes to {base}/a too\n")
    assert (keys(), get("a"), files_in(folder)) == (["a"], b"1", {"two/a": "2"})


@moto
def test_a_dry_run_tells_what_is_not_there(run: Run, base: str, folder: Path) -> None:
    """As the copy itself would."""
    (folder / "link").symlink_to("nowhere")
    for argv in (["nothing", f"{base}/"], ["-r", ".", f"{base}/"], [f"{base}/nothing", "."]):
        ran = run("cp", "--dry-run", *argv)
        assert (ran.status, ran.content, ran.err.count("\n")) == (1, b"", 1)


@moto
@pytest.mark.parametrize("flag", ["-q", "--dry-run"])
def test_json_has_the_size_of_what_was_copied(run: Run, base: str, put: Put, folder: Path, flag: str) -> None:
    """Up, down and inside; None of what was left alone."""
    write(folder, up="12345")
    path = put("a", b"123")
    flags = ["--json", *filter(lambda each: each != "-q", [flag])]
    for source, destination, size in (("up", f"{base}/", 5), (path, "down", 3), (path, f"{base}/b", 3)):
        assert json.loads(run("cp", *flags, source, destination).out)["size"] == size
    assert json.loads(run("cp", *flags, "--no-clobber", path, "up").out)["size"] is None


@moto
def test_folders_need_recursive(run: Run, base: str, put: Put, folder: Path) -> None:
    """As with coreutils; and nothing below one is a failure."""
    put("dir/a")
    write(folder, tree__a="1")
    for source, destination in [(f"{base}/dir/", "x"), (base, "x"), ("tree", f"{base}/tree")]:
        ran = run("cp", source, destination)
        assert (ran.status, ran.content) == (1, b"")
        assert "it is a folder; give -r" in ran.err
    ran = run("cp", "-r", f"{base}/empty", "x")
    assert ran.status == 1
    assert "there is nothing" in ran.err


@moto
def test_what_is_excluded_stays(run: Run, base: str, keys: Keys, folder: Path) -> None:
    """Paths below the source."""
    write(folder, tree__a_tmp="1", tree__sub__b_tmp="1", tree__sub__c="1")
    assert run("cp", "-r", "--exclude", "*_tmp", "tree", base).status == 0
    assert keys() == ["sub/c"]
    assert run("cp", "--exclude", "*_tmp", "tree/a_tmp", "tree/sub/c", f"{base}/d/").status == 0
    assert keys() == ["d/c", "sub/c"]


@moto
def test_markers_of_folders_are_no_files(run: Run, base: str, put: Put, keys: Keys, folder: Path) -> None:
    """`dir/` and `dir_$folder$` of no size. Inside the store they are copied, but for the folder's own."""
    put("in/", b"")
    put("in/dir/", b"")
    put("in/dir_$folder$", b"")
    put("in/dir/a", b"1")
    put("in/dir/_SUCCESS", b"")
    put("in/size_$folder$", b"1")
    assert run("cp", "-r", f"{base}/in", "down").status == 0
    assert files_in(folder / "down") == {"dir/a": "1", "dir/_SUCCESS": "", "size_$folder$": "1"}
    run("cp", "-r", f"{base}/in", f"{base}/out")
    out = ["out/dir/", "out/dir/_SUCCESS", "out/dir/a", "out/dir_$folder$", "out/size_$folder$"]
    assert [key for key in keys() if key.startswith("out/")] == out


@moto
def test_links_are_followed_but_not_in_circles(run: Run, base: str, keys: Keys, folder: Path) -> None:
    """A link to a folder above; a link to a file; one that leads nowhere is a failure that is told."""
    write(folder, tree__sub__a="1", outside="2")
    (folder / "tree" / "sub" / "up").symlink_to("../../tree")
    (folder / "tree" / "file").symlink_to("../outside")
    assert run("cp", "-r", "tree", base).status == 0
    assert keys() == ["file", "sub/a"]
    (folder / "tree" / "broken").symlink_to("nowhere")
    (folder / "tree" / "loop").symlink_to("loop")
    ran = run("cp", "-r", "tree", base)
    assert (ran.status, len(ran.lines)) == (3, 2)
    assert "broken: No such file or directory" in ran.err
    assert "loop: Too many levels" in ran.err


@moto
def test_a_folder_that_cannot_be_read_is_told(
    run: Run, base: str, keys: Keys, folder: Path, lock: Callable[[Path], None]
) -> None:
    """The others are copied, as by coreutils; status 3, or 1 if there are no others."""
    write(folder, tree__a="1", tree__sub__b="2", tree__z__c="3")
    lock(folder / "tree" / "sub")
    ran = run("cp", "-r", "tree", base)
    assert (ran.status, ran.err, keys()) == (3, "s3target: tree/sub: Permission denied\n", ["a", "z/c"])
    assert run("cp", "-r", "--exclude", "sub/*", "tree", base).status == 0
    assert run("cp", "-r", "tree/sub", base).status == 1


@moto
def test_a_missing_bucket_ends_it(run: Run, in_store: Store, folder: Path) -> None:
    """One line, status 1."""
    ran = run("cp", "-r", "s3://no-such-bucket-0815/x", "down")
    assert (ran.status, ran.err.count("\n")) == (1, 1)
    assert "NoSuchBucket" in ran.err


def test_what_is_set_goes_with_a_download_too(tmp_path: Path) -> None:
    """As far as it is the business of one: who pays, whose key it is; nothing of new objects."""
    how = Namespace(json=False, quiet=True, jobs=1, set=[("RequestPayer", "requester"), ("StorageClass", "GLACIER")])
    answer = reply(200, stream=Pieces(b"1"), content_length="1", etag='"e"')
    transport = Scripted(answer)
    with client_for(transport) as client:
        Transfers(client, Output(how), how).run([Job(S3Path("b", "k"), LocalPath(f"{tmp_path}/k"))])
    (sent,) = transport.requests
    assert (sent.headers["x-amz-request-payer"], "x-amz-storage-class" in sent.headers) == ("requester", False)
    assert files_in(tmp_path) == {"k": "1"}


def test_nothing_is_kept_of_what_is_done() -> None:
    """There may be millions of jobs; some thousand are made before the first one runs."""

    def jobs() -> Iterator[Job]:
        yield from (Job(LocalPath(f"{number}"), S3Path("b", f"{number}"), number) for number in range(10_300))
        assert sum(type(each) is Ticket for each in gc.get_objects()) < 40

    how = Namespace(json=False, quiet=True, dry_run=True, jobs=8, set=[])
    with client_for(Scripted()) as client:
        Transfers(client, output := Output(how), how).run(jobs())
    assert output.status == 0


@moto
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals here")
def test_there_is_a_bar_on_a_terminal_and_no_trace_of_it(base: str, folder: Path) -> None:
    """On stderr; stdout, a pipe here, has the lines as ever."""
    (folder / "large").write_bytes(bytes(20 << 20))
    master, slave = os.openpty()
    argv = [sys.executable, "-m", "s3target", "cp", "large", f"{base}/"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=slave, timeout=60, check=False)
    os.close(slave)
    drawn = b""
    with suppress(OSError):  # what Linux says at the end of a terminal
        while piece := os.read(master, 65536):
            drawn += piece
    os.close(master)
    assert (done.returncode, done.stdout.decode()) == (0, f"cp large {base}/large\n")
    assert re.search(rb"\r *\d+% \[[#-]{24}\] [\d.]+ MiB of 20.0 MiB, [\d.]+ [KM]?i?B/s", drawn)
    assert drawn.endswith(b" \r")


@moto
def test_no_upload_is_left_behind(run: Run, base: str, bucket: str, in_store: Store, folder: Path) -> None:
    """Of a file in parts."""
    (folder / "large").write_bytes(os.urandom(17 << 20))
    assert run("cp", "large", f"{base}/").status == 0
    assert b"<Upload>" not in request(in_store, "GET", f"/{bucket}", {"uploads": ""}).body

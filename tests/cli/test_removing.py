"""rm against real stores."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable

import pytest

from cli.conftest import Put, Run
from connected import client_of
from s3target.cli.output import Output
from s3target.cli.removing import remove, rm
from s3target.errors import ServiceError
from s3target.filesystem import FileSystem, S3Path
from s3target.protocol.messages import Response
from scripted import Scripted, client_for, error_reply, reply
from servers.store import Store

Keys = Callable[[], list[str]]

pytestmark = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)


@pytest.fixture
def tree(put: Put, base: str) -> str:
    for key in ("a", "dir/b", "dir/sub/c.tmp", "dirt"):
        put(key)
    return base


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        (["/a"], ["dir/b", "dir/sub/c.tmp", "dirt"]),
        (["/a", "/dirt", "/not-there"], ["dir/b", "dir/sub/c.tmp"]),
        (["-r", "/dir"], ["a", "dirt"]),
        (["-r", "/dir/", "/a"], ["dirt"]),
        (["-r", "/a"], ["dir/b", "dir/sub/c.tmp", "dirt"]),
        (["/dir*"], ["a"]),
        (["/*.tmp"], ["a", "dir/b", "dirt"]),
        (["-r", "--exclude", "*.tmp", ""], ["dir/sub/c.tmp"]),
        (["-r", ""], []),
        (["-r", "--dry-run", ""], ["a", "dir/b", "dir/sub/c.tmp", "dirt"]),
    ],
    ids=lambda value: " ".join(value) or "nothing",
)
def test_what_is_removed_and_what_is_left(run: Run, tree: str, keys: Keys, argv: list[str], left: list[str]) -> None:
    """Keys, folders, patterns; `dirt` is not in `dir`."""
    ran = run("rm", *(f"{tree}{word}" if word.startswith("/") or not word else word for word in argv))
    assert (ran.status, ran.err, keys()) == (0, "", left)


def test_each_key_is_told(run: Run, tree: str) -> None:
    """Removed, or in a dry run to be removed."""
    assert run("rm", "-r", "--dry-run", f"{tree}/dir/").lines == [
        f"(dry run) rm {tree}/dir/b",
        f"(dry run) rm {tree}/dir/sub/c.tmp",
    ]
    told = [json.loads(line) for line in run("rm", "--json", f"{tree}/a", f"{tree}/dirt").lines]
    assert [(entry["url"], entry["status"]) for entry in told] == [(f"{tree}/a", "ok"), (f"{tree}/dirt", "ok")]


def test_nothing_to_remove_is_a_failure(run: Run, tree: str) -> None:
    """Of a folder or a pattern; the others go, so status 3."""
    assert run("rm", "-r", f"{tree}/nothing").status == 1
    ran = run("rm", "-r", f"{tree}/nothing", f"{tree}/dir")
    assert (ran.status, len(ran.lines)) == (3, 2)
    assert "s3target: " in ran.err
    assert "/nothing: 404 NoSuchKey: there is nothing" in ran.err


def test_the_marker_of_a_folder_goes_with_it(run: Run, base: str, put: Put, keys: Keys) -> None:
    """Hadoop's. With a key of that name it does not."""
    path = put("only_$folder$")
    assert run("rm", "-r", f"{base}/only/").lines == [f"rm {path}"]
    put("dir_$folder$")
    put("dir/a")
    assert run("rm", f"{base}/dir").status == 0
    assert keys() == ["dir/a", "dir_$folder$"]
    assert run("rm", "-r", f"{base}/dir").status == 0
    assert keys() == []


def test_keys_that_xml_cannot_carry_are_removed_singly(in_store: Store, bucket: str, put: Put, keys: Keys) -> None:
    """Together with others."""
    if in_store.name == "seaweedfs":
        pytest.skip("a listing by XML cannot show them")
    put("bell\x07")
    put("plain")
    with client_of(in_store) as client:
        assert FileSystem(client).remove_keys(bucket, ["bell\x07", "plain"]) == {}
    assert keys() == []


def test_what_the_store_keeps_is_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """By DeleteObjects per key; if the whole call fails, all of its keys."""
    refused = b"<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
    with client_for(Scripted(reply(200, refused))) as client:
        (failure,) = FileSystem(client).remove_keys("bucket", ["a", "b"]).items()
    assert (failure[0], failure[1].code, failure[1].message) == ("b", "AccessDenied", "no")
    assert isinstance(failure[1], ServiceError)
    output = Output(Namespace(json=True, quiet=False))
    with client_for(Scripted(error_reply(403, "AccessDenied"))) as client:
        assert remove(client, output, "bucket", iter(["a", "b"])) == 2
    assert (output.status, capsys.readouterr().err.count('"code": "AccessDenied"')) == (1, 2)


@pytest.mark.parametrize(
    ("left", "status"), [(["d/e/"], 0), ([], 0), (None, 3)], ids=["a folder", "nothing", "who knows"]
)
def test_folders_that_a_batch_of_removals_leaves(store: Store, left: list[str] | None, status: int) -> None:
    """As on JuiceFS, are removed too; it is told if they cannot be seen."""
    absent, gone = error_reply(404, "NoSuchKey"), reply(204)
    after = [error_reply(403, "AccessDenied")] if left is None else [listing(*left)] * (2 if left else 1) + [gone]
    transport = Scripted(absent, absent, listing("d/a", "d/b"), reply(200, b"<DeleteResult/>"), *after)
    options = Namespace(paths=[S3Path("b", "d")], recursive=True, exclude=[], raw=False, json=False, quiet=True)
    with client_for(transport) as client:
        rm(client, output := Output(options), options)
    assert output.status == status
    assert (transport.log[-1] == "DELETE /b/d/e/ 204") is bool(left)


def listing(*keys: str) -> Response:
    """Folders have no ETag."""
    entries = (
        f"<Contents><Key>{key}</Key><LastModified>2026-11-25T02:56:13.866Z</LastModified>"
        f"<ETag>{'' if key.endswith('/') else 'e'}</ETag><Size>0</Size></Contents>"
        for key in keys
    )
    return reply(200, f"<ListBucketResult>{''.join(entries)}</ListBucketResult>".encode())

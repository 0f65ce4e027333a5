"""uploads: orphans are listed and aborted, by age and prefix."""

from __future__ import annotations

import json
import re
import time
from argparse import Namespace
from collections.abc import Callable

import pytest

from cli.conftest import Run
from s3target.cli.output import Output
from s3target.cli.removing import pending, uploads
from s3target.filesystem import S3Path
from scripted import NOW, Scripted, client_for, error_reply, reply
from servers.signed import request
from servers.store import Store

Begin = Callable[[str], str]

both = pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
seaweedfs = pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)  # to moto all were begun in 2010


@pytest.fixture
def begin(in_store: Store, bucket: str) -> Begin:
    """Begin an upload and leave it; its id."""

    def create(key: str) -> str:
        answer = request(in_store, "POST", f"/{bucket}/{key}", {"uploads": ""})
        found = re.search("<UploadId>(.*?)</UploadId>", answer.body.decode())
        assert found, answer
        return found[1]

    return create


@both
def test_unfinished_uploads_are_listed(run: Run, base: str, begin: Begin) -> None:
    """All, or those below a prefix, or those that are old enough."""
    one, two = begin("logs/a"), begin("other")
    assert sorted(line.split()[-2:] for line in run("uploads", "ls", base).lines) == [
        [f"{base}/logs/a", one],
        [f"{base}/other", two],
    ]
    told = [json.loads(line) for line in run("uploads", "ls", "--json", f"{base}/logs/").lines]
    assert [(entry["url"], entry["upload_id"]) for entry in told] == [(f"{base}/logs/a", one)]


@seaweedfs
def test_young_ones_are_left_out(run: Run, base: str, begin: Begin) -> None:
    """By --older-than."""
    begin("logs/a")
    assert run("uploads", "ls", "--older-than", "1h", base) == (0, b"", "")
    assert run("uploads", "abort", "--older-than", "1d", base) == (0, b"", "")
    assert len(run("uploads", "ls", base).lines) == 1


@both
def test_old_ones_are_aborted(run: Run, base: str, begin: Begin) -> None:
    """Those elsewhere stay; --dry-run aborts none."""
    begin("logs/a")
    begin("logs/b")
    begin("other")
    ran = run("uploads", "abort", "--older-than", "0s", "--dry-run", f"{base}/logs/")
    assert (ran.status, len(ran.lines)) == (0, 2)
    assert all(line.startswith(f"(dry run) abort {base}/logs/") for line in ran.lines)
    assert len(run("uploads", "ls", base).lines) == 3
    assert run("uploads", "abort", "--older-than", "0s", f"{base}/logs/").status == 0
    assert [line.split()[-2] for line in run("uploads", "ls", base).lines] == [f"{base}/other"]


def page(keys: str, marker: str = "") -> bytes:
    uploads = "".join(
        f"<Upload><Key>{key}</Key><UploadId>id-{key}</UploadId><Initiated>{moment}</Initiated></Upload>"
        for key, moment in zip(keys, ("2026-11-22T11:00:00Z", "2026-11-20T12:00:00Z"), strict=True)
    )
    more = (
        f"<IsTruncated>true</IsTruncated><NextKeyMarker>{marker}</NextKeyMarker>"
        f"<NextUploadIdMarker>id-{marker}</NextUploadIdMarker>"
    )
    return f"<ListMultipartUploadsResult>{uploads}{more if marker else ''}</ListMultipartUploadsResult>".encode()


def test_all_pages_are_read_and_the_young_left_out() -> None:
    """NOW is noon of the 22nd; one is from 11, the other two days old."""
    transport = Scripted(reply(200, page("ab", marker="b")), reply(200, page("cd")))
    with client_for(transport) as client:
        found = list(pending(client, S3Path("bucket", "p"), age=time.time() - NOW + 43200))
    assert [upload.key for upload in found] == ["b", "d"]
    assert transport.log == [
        "GET /bucket?encoding-type=url&prefix=p&uploads= 200",
        "GET /bucket?encoding-type=url&key-marker=b&prefix=p&upload-id-marker=id-b&uploads= 200",
    ]


@pytest.mark.parametrize(("action", "begins"), [("abort", "GET GET DELETE"), ("ls", "GET GET")])
def test_all_are_listed_before_one_is_aborted(action: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without one of them the mark of the next page may lead nowhere. What was aborted by others is no failure;
    without an age what was begun in the future, by the store's clock, is meant too."""
    pages = reply(200, page("ab", marker="b")), reply(200, page("cd").replace(b"2026", b"2999"))
    transport = Scripted(*pages, reply(204), error_reply(404, "NoSuchUpload"), reply(204), reply(204))
    options = Namespace(action=action, path=S3Path("b", ""), older_than=0, dry_run=False, json=False, quiet=False)
    with client_for(transport) as client:
        uploads(client, output := Output(options), options)
    assert " ".join(line.split()[0] for line in transport.log).startswith(begins)
    assert (output.status, capsys.readouterr().out.count("\n")) == (0, 4)


def test_a_store_may_say_so_that_there_is_none() -> None:
    """As rclone does."""
    with client_for(Scripted(error_reply(404, "NoSuchUpload"))) as client:
        assert list(pending(client, S3Path("bucket", ""))) == []

"""Luigi's own classes end to end: targets written, read, found and moved on every server."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import luigi
import pytest
from luigi.format import Gzip, Nop

from connected import count, settings_for
from s3target.errors import ConfigError
from s3target.luigi import FileNotFoundException, InvalidDeleteException, S3Client, S3FlagTarget, S3Target
from servers.signed import request
from servers.store import Store
from stores import but, needs, over

ROW = "größe\t1\n"


@pytest.fixture
def s3(store: Store) -> S3Client:
    return S3Client(**settings_for(store))


def test_a_target_appears_when_it_is_closed(store: Store, bucket: str, s3: S3Client) -> None:
    """Not before; then it is there with its content type, for a second opinion too."""
    target = S3Target(f"s3://{bucket}/a dir/out+1.tsv", client=s3, ContentType="text/tab-separated-values")
    assert not target.exists()
    with target.open("w") as file:
        file.write(ROW * 1000)
        assert not target.exists()
    assert target.exists()
    answer = request(store, "GET", f"/{bucket}/a dir/out+1.tsv")
    assert answer.body.decode() == ROW * 1000
    assert answer.headers["content-type"] == "text/tab-separated-values"
    with target.open() as file:
        assert list(file) == [ROW] * 1000
    target.remove()
    assert not target.exists()


def test_a_failed_task_leaves_no_target(bucket: str, s3: S3Client) -> None:
    """An exception while writing: nothing at the key."""
    target = S3Target(f"s3://{bucket}/k", client=s3)
    with pytest.raises(ZeroDivisionError):
        _fail(target)
    assert not target.exists()


@over(*but("rclone"))  # which refuses such keys
@pytest.mark.parametrize("key", ["d//x", "d\\x"])
def test_what_is_one_object_to_the_store_is_not_moved(bucket: str, s3: S3Client, key: str) -> None:
    """SeaweedFS drops empty segments, so the copy would be the source, and go with it. Elsewhere these are two keys."""
    source, destination = f"s3://{bucket}/{key}", f"s3://{bucket}/d/x"
    s3.put_string("kept", source)
    if s3.exists(destination):
        with pytest.raises(ConfigError, match="the same object"):
            s3.move(source, destination, Metadata={"a": "b"}, MetadataDirective="REPLACE")
    else:
        s3.move(source, destination)
    assert s3.get_as_string(destination) == "kept"


@over(*but("rclone"))
@pytest.mark.parametrize(("source", "destination"), [("d", "/d"), ("a/d", "a//d")])
def test_what_is_one_directory_to_the_store_is_not_moved(
    bucket: str, s3: S3Client, source: str, destination: str
) -> None:
    """Not by a copy that changes the objects either, which SeaweedFS takes where source and destination are one."""
    source, destination = f"s3://{bucket}/{source}", f"s3://{bucket}/{destination}"
    for name in ("x", "s/y"):
        s3.put_string(name, f"{source}/{name}")
    one = s3.exists(f"{destination}/x")
    with pytest.raises(ConfigError, match=r"the same object|the store lists") if one else nullcontext():
        s3.move(source, destination, Metadata={"a": "b"}, MetadataDirective="REPLACE")
    assert [s3.get_as_string(f"{destination}/{name}") for name in ("x", "s/y")] == ["x", "s/y"]


def _fail(target: S3Target) -> None:
    with target.open("w") as file:
        file.write("half")
        raise ZeroDivisionError


@pytest.mark.parametrize("form", [Nop, Gzip], ids=["bytes", "gzip"])
def test_big_targets_go_in_parts(store: Store, bucket: str, s3: S3Client, form: luigi.format.Format) -> None:
    """More than one part of bytes, and a format over them."""
    content = b"".join(number.to_bytes(4, "big") for number in range(2_200_000 if form is Nop else 20_000))
    target = S3Target(f"s3://{bucket}/big", format=form, client=s3)
    with target.open("w") as file:
        file.write(content)
    with target.open() as file:
        assert file.read() == content
    if form is Nop:
        in_parts = request(store, "HEAD", f"/{bucket}/big").headers["etag"].endswith('-2"')
        assert in_parts is (store.kind != "rclone")  # which tells the MD5 of the whole


def test_what_luigi_asks_costs(bucket: str, s3: S3Client) -> None:
    """exists() 1 and 2, open("r") 1, a small write 1."""
    counting = count(s3.s3)
    target = S3Target(f"s3://{bucket}/k", client=s3)
    costs = []
    for work in (target.exists, lambda: _write(target), target.exists, lambda: _read(target)):
        counting.sent.clear()
        work()
        costs.append([line.partition(" ")[0] for line in counting.sent])
    assert costs == [["HEAD", "GET"], ["PUT"], ["HEAD"], ["GET"]]


def _write(target: S3Target) -> None:
    with target.open("w") as file:
        file.write("x\n")


def _read(target: S3Target) -> None:
    with target.open() as file:
        assert file.read() == "x\n"


@needs("conditional writes")
def test_only_one_of_two_tasks_keeps_its_output(bucket: str, s3: S3Client) -> None:
    """overwrite=False: the second gets FileAlreadyExists and the first one's bytes stay."""
    targets = [S3Target(f"s3://{bucket}/k", client=s3, overwrite=False) for _ in range(2)]
    first, second = (target.open("w") for target in targets)
    first.write("first")
    second.write("second")
    first.close()
    with pytest.raises(luigi.target.FileAlreadyExists):
        second.close()
    assert s3.get_as_string(f"s3://{bucket}/k") == "first"


def test_a_client_does_what_luigi_documents(bucket: str, s3: S3Client, tmp_path: Path) -> None:
    """put, get, copy, move, list and remove, with files and directories."""
    root = f"s3://{bucket}/work"
    (tmp_path / "up").write_text(ROW)
    s3.put(str(tmp_path / "up"), f"{root}/a/1")
    s3.put_string(ROW * 2, f"{root}/a/b/2")
    s3.get(f"{root}/a/1", str(tmp_path / "down"))
    assert (tmp_path / "down").read_text() == ROW
    assert sorted(s3.listdir(f"{root}/a")) == [f"{root}/a/1", f"{root}/a/b/2"]
    assert s3.copy(f"{root}/a", f"{root}/copy") == (2, 3 * len(ROW.encode()))
    s3.move(f"{root}/copy", f"{root}/moved")
    assert not s3.exists(f"{root}/copy")
    assert sorted(s3.list(f"{root}/moved")) == ["1", "b/2"]
    assert s3.get_as_string(f"{root}/moved/b/2") == ROW * 2
    with pytest.raises(InvalidDeleteException):
        s3.remove(f"{root}/moved", recursive=False)
    assert s3.remove(root)
    assert not s3.exists(root)
    assert not s3.remove(root)


def test_reading_what_is_not_there_fails_at_once(bucket: str, s3: S3Client) -> None:
    """At open(), as Luigi's own exception."""
    with pytest.raises(FileNotFoundException):
        S3Target(f"s3://{bucket}/missing", client=s3).open()


def test_a_flag_makes_a_directory_complete(bucket: str, s3: S3Client) -> None:
    """The parts alone do not."""
    target = S3FlagTarget(f"s3://{bucket}/out/", client=s3)
    s3.put_string("x", f"s3://{bucket}/out/part-0")
    assert not target.exists()
    s3.put_string("", f"s3://{bucket}/out/_SUCCESS")
    assert target.exists()


class Copied(luigi.Task):
    """Writes what it was given; for the scheduler of the test below."""

    path = luigi.Parameter()
    settings = luigi.DictParameter()

    def output(self) -> S3Target:
        return S3Target(self.path, client=S3Client(**self.settings))

    def run(self) -> None:
        with self.output().open("w") as file:
            file.write(ROW)


@over("moto", "seaweedfs-tls", "rclone", "ceph-tls", "swift-tls", "juicefs-tls")
def test_luigi_runs_tasks_over_it(store: Store, bucket: str) -> None:
    """Two tasks, scheduled locally; done again, they are complete."""
    tasks = [Copied(path=f"s3://{bucket}/{name}", settings=settings_for(store)) for name in "ab"]
    assert luigi.build(tasks, local_scheduler=True, log_level="WARNING")
    assert all(task.complete() for task in tasks)
    assert request(store, "GET", f"/{bucket}/b").body.decode() == ROW


@pytest.mark.parametrize("first", ["S3Client", "connect", "FileSystem"])
def test_every_public_name_is_what_it_says(first: str) -> None:
    """Whichever is asked for first: the module of connect() must not take the place of the function."""
    text = f"""
import s3target
s3target.{first}
from s3target.luigi import S3Target
from s3target import connect
for function in (connect, s3target.connect):
    function(endpoint_url="http://127.0.0.1:1").close()
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

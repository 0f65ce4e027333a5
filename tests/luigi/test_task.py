"""The external tasks, and a pipeline on them in Luigi's own worker processes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import luigi
import pytest

from s3target import S3Client, S3EmrTarget, S3EmrTask, S3FlagTarget, S3FlagTask, S3PathTask, S3Target

Run = Callable[..., "subprocess.Popen[str]"]

pytestmark = pytest.mark.usefixtures("in_environment")


def test_a_path_task_waits_for_an_object(client: S3Client, base: str) -> None:
    """Its output is a plain target at the path, in the scheme it was given."""
    task = S3PathTask(f"{base}/file".replace("s3:", "s3n:"))
    assert type(task.output()) is S3Target
    assert task.output().path == task.path
    assert not task.complete()
    client.put_string("x", f"{base}/file")
    assert task.complete()


def test_a_path_task_waits_for_a_directory(client: S3Client, base: str) -> None:
    """Anything below it makes it complete."""
    task = S3PathTask(path=f"{base}/dir/")
    assert not task.complete()
    client.put_string("x", f"{base}/dir/part-0")
    assert task.complete()


@pytest.mark.parametrize(
    ("flag", "name"), [({}, "_SUCCESS"), ({"flag": None}, "_SUCCESS"), ({"flag": "_DONE"}, "_DONE")]
)
def test_a_flag_task_waits_for_its_flag(client: S3Client, base: str, flag: dict[str, str], name: str) -> None:
    """_SUCCESS if no other is named, where luigi.contrib.s3 crashes; other files do not count."""
    task = S3FlagTask(f"{base}/dir/", **flag)
    assert type(task.output()) is S3FlagTarget
    client.put_string("x", f"{base}/dir/part-0")
    assert not task.complete()
    client.put_string("", f"{base}/dir/{name}")
    assert task.complete()


def test_an_emr_task_waits_for_the_flag_with_a_warning(client: S3Client, base: str) -> None:
    """The old name for the same."""
    task = S3EmrTask(f"{base}/dir/")
    with pytest.warns(UserWarning, match="S3EmrTarget is deprecated"):
        target = task.output()
    assert type(target) is S3EmrTarget
    assert not target.exists()
    client.put_string("", f"{base}/dir/_SUCCESS")
    assert target.exists()


@pytest.mark.parametrize("task", [S3FlagTask, S3EmrTask])
@pytest.mark.filterwarnings("ignore:S3EmrTarget")
def test_a_directory_without_a_slash_is_told(task: type[luigi.Task]) -> None:
    """When Luigi asks for the output."""
    with pytest.raises(ValueError, match="must end with a slash"):
        task("s3://bucket/dir").output()


PIPELINE = """
import multiprocessing, sys
import luigi
from luigi.format import Gzip, UTF8
from s3target import S3Client, S3PathTask, S3Target

client = S3Client()


class Lines(luigi.Task):
    base, number = luigi.Parameter(), luigi.IntParameter()

    def requires(self):
        return S3PathTask(f"{self.base}/input")

    def output(self):
        return S3Target(f"{self.base}/lines/{self.number}", client=client)

    def run(self):
        with self.input().open() as text, self.output().open("w") as lines:
            for _ in range(50):
                assert client.exists(f"{self.base}/input") and not client.exists(f"{self.base}/nope")
            lines.write(text.read() * self.number)


class All(luigi.Task):
    base = luigi.Parameter()

    def requires(self):
        return [Lines(self.base, number) for number in range(1, 4)]

    def output(self):
        return S3Target(f"{self.base}/all.gz", format=UTF8 >> Gzip, client=client)

    def run(self):
        with self.output().open("w") as out:
            for target in self.input():
                with target.open() as lines:
                    out.write(lines.read())


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[2])
    base = sys.argv[1]
    client.put_string("a line\\n", f"{base}/input")
    assert client.exists(f"{base}/input")
    done = luigi.build([All(base)], workers=2, local_scheduler=True, no_lock=True, log_level="ERROR")
    assert done
    assert All(base).complete()
    with All(base).output().open() as file:
        assert file.read() == "a line\\n" * 6
    assert sorted(client.list(f"{base}/lines")) == list("123")
    print("boto3" in sys.modules, client.get_key(f"{base}/input").size)
"""


@pytest.mark.parametrize(
    ("store", "method"), [("moto", "fork"), ("seaweedfs", "fork"), ("seaweedfs", "spawn")], indirect=["store"]
)
def test_a_pipeline_runs_in_worker_processes(start: Run, base: str, method: str) -> None:
    """They share a client of the module's that was used before the fork; spawned ones, as on macOS, make their own."""
    process = start(PIPELINE, base, method)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "False 7\n")


FAILING = """
import sys
import luigi
from s3target import S3Target


class Half(luigi.Task):
    path, how = luigi.Parameter(), luigi.Parameter()

    def output(self):
        return S3Target(self.path)

    def run(self):
        with self.output().open("w") as file:
            file.write("half of it")
            if self.how == "exit":
                sys.exit(1)
            raise ValueError("in the middle of it")


if __name__ == "__main__":
    tasks = [Half(f"{sys.argv[1]}/{how}", how) for how in ("raise", "exit")]
    assert not luigi.build(tasks, workers=2, local_scheduler=True, no_lock=True, log_level="CRITICAL")
    assert not any(task.complete() for task in tasks)
"""


def test_a_task_that_fails_leaves_no_output(start: Run, base: str, keys: Callable[[], list[str]]) -> None:
    """Neither by an exception nor by sys.exit() in a worker process."""
    assert start(FAILING, base).wait(60) == 0
    assert keys() == []

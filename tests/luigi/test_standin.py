"""install(): what imports luigi.contrib.s3 gets this package.

Each test in an interpreter of its own, where the store is that of the environment, warnings are errors, and boto3 and
botocore cannot be imported.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from s3target import S3Client

Run = Callable[..., "subprocess.Popen[str]"]

WITHOUT_BOTO = """
import sys
sys.modules["boto3"] = sys.modules["botocore"] = None
import s3target
"""
INSTALLED = WITHOUT_BOTO + "s3target.install()\n"
HAS_RUNNER = (Path(str(find_spec("luigi.contrib").submodule_search_locations[0])) / "mrrunner.py").exists()  # type: ignore[union-attr,index]


@pytest.fixture
def told(start: Run, base: str) -> Callable[[str], str]:
    """What a script prints; it has the path of a bucket in sys.argv[1]."""

    def run(script: str) -> str:
        process = start(script, base)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output.strip()

    return run


def test_the_module_is_this_package(told: Callable[[str], str]) -> None:
    """By each way to import it, and every public name of it."""
    script = """
import luigi.contrib, luigi.contrib.s3
from luigi.contrib import s3
from luigi.contrib.s3 import *
from luigi.contrib.s3 import AtomicS3File, S3_DIRECTORY_MARKER_SUFFIX_0, S3_DIRECTORY_MARKER_SUFFIX_1
assert luigi.contrib.s3 is s3 is sys.modules["luigi.contrib.s3"]
assert all(getattr(s3, name) is getattr(s3target.luigi, name) for name in s3target.luigi.__all__)
assert S3Target is s3target.S3Target
print(S3_DIRECTORY_MARKER_SUFFIX_0, S3_DIRECTORY_MARKER_SUFFIX_1, "boto3" in sys.modules and sys.modules["boto3"])
"""
    assert told(INSTALLED + script) == "_$folder$ / None"


def test_it_is_installed_once(told: Callable[[str], str]) -> None:
    """The second time nothing changes: classes stay the same objects."""
    script = """
import luigi.contrib.s3
before = luigi.contrib.s3
s3target.install()
s3target.install(force=True)
import luigi.contrib.s3
print(luigi.contrib.s3 is before)
"""
    assert told(INSTALLED + script) == "True"


def test_a_real_module_that_is_loaded_stays(told: Callable[[str], str]) -> None:
    """Somebody may hold its classes. The message says what to do; forced, it is replaced."""
    script = """
import luigi.contrib.s3 as real      # without boto3 it loads, and fails when it is used
try:
    s3target.install()
except s3target.ConfigError as error:
    print(error)
assert sys.modules["luigi.contrib.s3"] is real
s3target.install(force=True)
import luigi.contrib.s3
print(luigi.contrib.s3.S3Target is s3target.S3Target)
"""
    message, forced = told(WITHOUT_BOTO + script).splitlines()
    assert "loaded already" in message
    assert "s3target.install() before" in message
    assert "force=True" in message
    assert forced == "True"


def test_the_opener_reads_and_writes(told: Callable[[str], str], client: S3Client, base: str) -> None:
    """OpenerTarget of both schemes it knows, with a format."""
    script = """
from luigi.contrib.opener import OpenerTarget
import luigi.format
target = OpenerTarget(sys.argv[1] + "/dir/key")
assert isinstance(target, s3target.S3Target)
with target.open("w") as file:
    file.write("hello")
with OpenerTarget("s3n" + sys.argv[1][2:] + "/dir/key", format=luigi.format.Nop).open() as file:
    print(file.read())
"""
    assert told(INSTALLED + script) == "b'hello'"
    assert client.get_as_string(f"{base}/dir/key") == "hello"


def test_redshift_writes_its_manifest(told: Callable[[str], str], client: S3Client, base: str) -> None:
    """RedshiftManifestTask lists folders by client.list(); S3CopyToTable takes our targets."""
    client.put_string("", f"{base}/folder/part-0")
    client.put_string("", f"{base}/folder/part-1")
    script = """
import json, luigi
from luigi.contrib import redshift
from luigi.contrib.s3 import S3PathTask, S3Target
assert redshift.S3Target is s3target.S3Target and redshift.S3PathTask is s3target.S3PathTask
class Manifest(redshift.RedshiftManifestTask):
    path = luigi.Parameter()
    folder_paths = luigi.ListParameter()
task = Manifest(path=sys.argv[1] + "/manifest", folder_paths=(sys.argv[1] + "/folder",))
task.run()
with S3Target(task.path).open() as file:
    urls = [entry["url"] for entry in json.load(file)["entries"]]
print(task.complete(), *sorted(url[len(sys.argv[1]):] for url in urls))
"""
    assert told(INSTALLED + script) == "True /folder/part-0 /folder/part-1"


def test_deps_describes_our_targets(told: Callable[[str], str]) -> None:
    """luigi.tools.deps tests with isinstance for S3Target."""
    script = """
from luigi.tools import deps
from s3target import S3Target
print(deps.get_task_output_description(S3Target("s3://bucket/key")))
"""
    assert told(INSTALLED + script).endswith("s3://bucket/key")


@pytest.mark.skipif(not HAS_RUNNER, reason="this Luigi has no luigi.contrib.mrrunner, so its hadoop cannot be imported")
def test_hadoop_takes_our_targets(told: Callable[[str], str]) -> None:
    """Streaming jobs check that input is an S3Target and output an S3FlagTarget."""
    script = """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import luigi.contrib.hadoop as hadoop
import luigi
from luigi.contrib.s3 import S3FlagTarget, S3PathTask
class Count(hadoop.JobTask):
    def requires(self):
        return S3PathTask(path="s3n://bucket/in")
    def output(self):
        return S3FlagTarget("s3n://bucket/out/")
runner = hadoop.HadoopJobRunner("streaming.jar", end_job_with_atomic_move_dir=True)
try:
    runner.run_job(Count())
except TypeError as error:
    print(error)
"""
    assert "S3FlagTarget" in told(INSTALLED + script)
    assert "s3target" in told(INSTALLED + script)


@pytest.mark.skipif(HAS_RUNNER, reason="this Luigi has luigi.contrib.mrrunner")
def test_hadoop_is_incomplete_in_this_luigi(told: Callable[[str], str]) -> None:
    """Luigi's wheels from 3.7 on lack the file; with the real module in place it is the same."""
    script = """
try:
    import luigi.contrib.hadoop
except ImportError as error:
    print(error)
"""
    assert "mrrunner" in told(INSTALLED + script)


def test_unchanged_code_runs(told: Callable[[str], str], client: S3Client, base: str) -> None:
    """A pipeline written for luigi.contrib.s3."""
    script = """
import luigi
from luigi.contrib.s3 import S3Client, S3FlagTarget, S3PathTask, S3Target

class Upper(luigi.Task):
    base = luigi.Parameter()
    def requires(self):
        return S3PathTask(path=self.base + "/in")
    def output(self):
        return S3Target(self.base + "/out")
    def run(self):
        with self.input().open() as source, self.output().open("w") as result:
            result.write(source.read().upper())

S3Client().put_string("hello", sys.argv[1] + "/in")
print(luigi.build([Upper(base=sys.argv[1])], local_scheduler=True))
"""
    assert told(INSTALLED + script).splitlines()[-1] == "True"
    assert client.get_as_string(f"{base}/out") == "HELLO"


def test_it_goes_before_what_imports_the_module(told: Callable[[str], str]) -> None:
    """Without install() Luigi's own module is what is imported, which says so."""
    script = "import luigi.contrib.s3\nprint(luigi.contrib.s3.S3Target is s3target.S3Target)\n"
    assert told(WITHOUT_BOTO + script) == "False"

"""luigi, by this command: what imports luigi.contrib.s3 gets this package. (The demo has its tests beside Luigi's.)"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.store import Store

ROOT = Path(__file__).parents[2]
BLOCKED = "import sys; sys.modules.update(dict.fromkeys(('boto3', 'botocore')))\n"
MAIN = "from s3target.__main__ import main; sys.exit(main(sys.argv[1:]))"

PIPELINE = """
import luigi
from luigi.contrib.s3 import S3Target

class Hello(luigi.Task):
    path = luigi.Parameter()

    def output(self):
        return S3Target(self.path)

    def run(self):
        with self.output().open("w") as file:
            file.write(type(self.output()).__module__)
"""


def run(script: str, *argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    env.pop("LUIGI_CONFIG_PATH", None)
    return subprocess.run(
        [sys.executable, "-c", script, *argv],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("store", ["moto"], indirect=True)
def test_a_pipeline_for_luigi_contrib_s3_runs_unchanged(
    in_store: Store, base: str, get: Callable[[str], bytes | None], tmp_path: Path
) -> None:
    """All arguments go to Luigi; boto3 cannot even be imported."""
    (tmp_path / "hello.py").write_text(PIPELINE)
    argv = ("luigi", "--module", "hello", "Hello", "--path", f"{base}/hello", "--local-scheduler")
    done = run(BLOCKED + MAIN, *argv, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert get("hello") == b"s3target.luigi.target"


def test_a_pipeline_that_fails_has_a_status(tmp_path: Path) -> None:
    """Luigi's own."""
    done = run(BLOCKED + MAIN, "luigi", "--module", "nothing_there", "Task", "--local-scheduler", folder=tmp_path)
    assert done.returncode not in (0, 2)


def test_a_missing_luigi_is_told(tmp_path: Path) -> None:
    """With its remedy."""
    done = run("import sys; sys.modules['luigi'] = None\n" + MAIN, "luigi", "Task", folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("s3target: this command runs Luigi: pip install luigi")

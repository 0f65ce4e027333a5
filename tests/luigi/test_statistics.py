"""log_statistics(): a line at the end of a task. In an interpreter of its own, as Luigi keeps its event handlers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from s3target import S3Client

Run = Callable[..., "subprocess.Popen[str]"]
SCRIPT = """
import logging, sys
import luigi, s3target
from s3target import S3Client, S3Target

class Copy(luigi.Task):
    base = luigi.Parameter()
    fail = luigi.BoolParameter(default=False)
    def output(self):
        return S3Target(f"{self.base}/out{self.fail}")
    def run(self):
        with S3Target(f"{self.base}/in").open() as source, self.output().open("w") as result:
            result.write(source.read())
            if self.fail:
                raise ValueError("on purpose")

class Show(logging.Handler):
    def emit(self, record):
        print(record.levelname, record.getMessage(), flush=True)

logger = logging.getLogger("luigi-interface")
logger.addHandler(Show())
logger.setLevel(logging.DEBUG)  # Luigi configures no worker that was not forked
if "quiet" not in sys.argv:
    s3target.log_statistics()
    s3target.log_statistics()
if __name__ == "__main__":
    S3Client().put_string("x" * 2_000_000, f"{sys.argv[1]}/in")
    tasks = [Copy(sys.argv[1]), Copy(sys.argv[1], True)]
    luigi.build(tasks, local_scheduler=True, workers=int(sys.argv[2]))
"""


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_task_ends_with_a_line(start: Run, base: str, workers: str) -> None:
    """At INFO, once, whether it ends well or not, in worker processes too; what came before does not count."""
    process = start(SCRIPT, base, workers)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    # Two processes that print at once may shuffle their words, but not those within a message.
    counts = r"\(0 retries\), {}\.0 MB out, 2\.0 MB in, \d+\.\d\d s"
    assert len(re.findall(r"Copy\(\S* fail=False\): 2 requests " + counts.format(2), output)) == 1
    assert len(re.findall(r"Copy\(\S* fail=True\): 1 requests " + counts.format(0), output)) == 1


def test_unasked_nothing_is_logged(start: Run, base: str) -> None:
    """It is for those who call log_statistics()."""
    process = start(SCRIPT, base, "1", "quiet")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Copy" in output
    assert " requests " not in output


def test_a_client_counts(client: S3Client, base: str) -> None:
    """Requests and bytes of bodies, both ways, for all clients of one configuration."""
    before = client.statistics
    client.put_string("x" * 1000, f"{base}/key")
    client.get_as_bytes(f"{base}/key")
    client.exists(f"{base}/key")
    moved = client.statistics - before
    assert (moved.requests, moved.retries, moved.bytes_out, moved.bytes_in) == (3, 0, 1000, 1000)
    assert 0 < moved.seconds < 60

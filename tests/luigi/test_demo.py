"""The main job, as a user starts it: a Luigi pipeline on a server of its own or on the user's store, without boto3."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.signed import request
from servers.store import Store

ROOT = Path(__file__).parents[2]
Keys = Callable[[], list[str]]

BLOCKED = "import sys; sys.modules.update(dict.fromkeys(('boto3', 'botocore', 's3transfer', 'requests', 'urllib3')))\n"
MAIN = "from s3target.cli import main; sys.exit(main(sys.argv[1:]))"
RESULTS = [
    r"This progress looks :\) because there were no failed tasks",
    r"Scheduled 10 tasks",
    r"\n   6  the\n   4  and\n",
    r"6 outputs, written by \d+ worker processes; boto3 in them: absent\.",
]


def run(*argv: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python on argv, in another folder than this one, with these variables on top."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    env.pop("LUIGI_CONFIG_PATH", None)
    return subprocess.run(
        [sys.executable, *argv], cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False
    )


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def assert_went_well(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [wanted for wanted in RESULTS if not re.search(wanted, done.stdout)] == [], done.stdout


def test_the_demo_runs_on_a_server_of_its_own(tmp_path: Path) -> None:
    """`python -m s3target demo`: smiley, report, worker processes without boto3, and nothing left running."""
    done = run("-W", "error::ResourceWarning", "-m", "s3target", "demo", folder=tmp_path, TMPDIR=str(tmp_path))
    assert_went_well(done)
    server = re.search(r"It answers at http://127\.0\.0\.1:(\d+), process (\d+)\.", done.stdout)
    assert server
    assert has_ended(int(server[2]))
    assert "SeaweedFS is stopped" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_the_demo_runs_where_processes_are_not_forked(tmp_path: Path, method: str) -> None:
    """As on macOS, and on Linux from Python 3.14 on. Here boto3 and its kin cannot even be imported."""
    start = f"import multiprocessing; multiprocessing.set_start_method({method!r})\n"
    assert_went_well(run("-c", BLOCKED + start + MAIN, "demo", folder=tmp_path))


def test_the_demo_touches_no_store_of_the_user(tmp_path: Path) -> None:
    """Whatever keys, endpoints, profiles, proxies and luigi.cfg there are, it uses its own server."""
    nowhere = "http://127.0.0.1:9"
    (tmp_path / "luigi.cfg").write_text(
        f"[s3]\nendpoint_url = {nowhere}\naws_role_arn = arn:aws:iam::123456789012:role/x\nuse_dualstack_endpoint = 1\n"
    )
    (tmp_path / "config").write_text("[profile other]\nregion = nowhere-1\ns3 =\n  addressing_style = virtual\n")
    done = run(
        *("-m", "s3target", "demo"),
        folder=tmp_path,
        AWS_ENDPOINT_URL=nowhere,
        AWS_ENDPOINT_URL_S3=nowhere,
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true",
        AWS_PROFILE="other",
        AWS_CONFIG_FILE=str(tmp_path / "config"),
        AWS_DEFAULT_REGION="nowhere-2",
        AWS_SESSION_TOKEN="a token",
        AWS_CA_BUNDLE="/no/such/file.pem",
        AWS_ROLE_ARN="arn:aws:iam::123456789012:role/x",
        AWS_WEB_IDENTITY_TOKEN_FILE="/no/such/token",
        HTTP_PROXY=nowhere,
        http_proxy=nowhere,
        all_proxy=nowhere,
    )
    assert_went_well(done)


@pytest.fixture
def own_store(store: Store) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": store.access_key_id,
        "AWS_SECRET_ACCESS_KEY": store.secret_access_key,
        "AWS_REGION": store.region,
    }


seaweedfs = pytest.mark.parametrize("store", ["seaweedfs"], indirect=True)


@seaweedfs
def test_the_demo_runs_on_a_store_of_ones_own(
    store: Store, bucket: str, keys: Keys, own_store: dict[str, str], tmp_path: Path
) -> None:
    """With keys of the environment; what it wrote is removed, what was there before stays."""
    request(store, "PUT", f"/{bucket}/s3target-demo/mine", body=b"x")
    argv = ("-m", "s3target", "demo", "--endpoint-url", store.endpoint_url, "--bucket", bucket)
    done = run(*argv, folder=tmp_path, **own_store)
    assert_went_well(done)
    assert "SeaweedFS" not in done.stdout
    assert re.search(r"Removed the \d\d objects again\.", done.stdout)
    assert keys() == ["s3target-demo/mine"]


@seaweedfs
def test_the_demo_may_leave_what_it_wrote(
    store: Store, bucket: str, keys: Keys, own_store: dict[str, str], tmp_path: Path
) -> None:
    """--keep; each run has a folder of its own."""
    argv = ("-m", "s3target", "demo", "--bucket", bucket, "--keep")
    for _ in range(2):
        done = run(*argv, folder=tmp_path, AWS_ENDPOINT_URL_S3=store.endpoint_url, **own_store)
        assert_went_well(done)
        assert re.search(rf"Everything is left at s3://{bucket}/s3target-demo-[-0-9a-f]+/\.", done.stdout)
    reports = [key for key in keys() if key.endswith("/report.txt.gz")]
    assert len(reports) == 2
    assert request(store, "GET", f"/{bucket}/{reports[0]}").body.startswith(b"\x1f\x8b")
    assert sum(key.endswith("/by-letter/_SUCCESS") for key in keys()) == 2


@seaweedfs
def test_the_demo_makes_and_removes_its_bucket(store: Store, own_store: dict[str, str], tmp_path: Path) -> None:
    """Without --bucket it makes one, and leaves none."""
    done = run("-m", "s3target", "demo", "--endpoint-url", store.endpoint_url, folder=tmp_path, **own_store)
    assert_went_well(done)
    assert "Made the bucket s3target-demo." in done.stdout
    assert "Removed the bucket s3target-demo again." in done.stdout
    assert request(store, "HEAD", "/s3target-demo").status == 404


@seaweedfs
def test_the_demo_takes_the_store_of_luigi_cfg(store: Store, bucket: str, keys: Keys, tmp_path: Path) -> None:
    """Keys and endpoint of [s3]; the same endpoint on the command line is fine, another one is no good."""
    (tmp_path / "luigi.cfg").write_text(
        f"[s3]\nendpoint_url = {store.endpoint_url}\nregion_name = {store.region}\n"
        f"aws_access_key_id = {store.access_key_id}\naws_secret_access_key = {store.secret_access_key}\n"
    )
    argv = ("-m", "s3target", "demo", "--bucket", bucket)
    assert_went_well(run(*argv, "--endpoint-url", store.endpoint_url, folder=tmp_path))
    assert keys() == []
    done = run(*argv, "--endpoint-url", "http://127.0.0.1:9", folder=tmp_path)
    assert done.returncode == 1
    assert re.search(r"^s3target: endpoint_url = .* wins over --endpoint-url http://127\.0\.0\.1:9; leave", done.stderr)


@seaweedfs
@pytest.mark.parametrize(
    ("argv", "variables", "told"),
    [
        (["--keep"], {}, "--keep is for a store of yours; name it by --endpoint-url or --bucket"),
        (["--bucket", "b"], {"AWS_SECRET_ACCESS_KEY": "wrong"}, "403"),
        (["--bucket", "not/a/bucket"], {}, "bucket"),
        (["--bucket", "b"], {"AWS_ENDPOINT_URL_S3": "nonsense"}, "nonsense"),
        (["--bucket", "b"], {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, "127.0.0.1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_told_in_a_line(
    store: Store, own_store: dict[str, str], tmp_path: Path, argv: list[str], variables: dict[str, str], told: str
) -> None:
    """No traceback; exit status 1."""
    variables = {"AWS_ENDPOINT_URL_S3": store.endpoint_url, **own_store, **variables}
    done = run("-m", "s3target", "demo", *argv, folder=tmp_path, **variables)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("s3target: ")
    assert told in done.stderr
    assert store.secret_access_key not in done.stderr


def test_a_missing_luigi_is_told(tmp_path: Path) -> None:
    """With its remedy, before any server is started."""
    done = run("-c", "import sys; sys.modules['luigi'] = None\n" + MAIN, "demo", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("s3target: the demo is a Luigi pipeline: pip install luigi")
    assert done.stdout == ""


EVERYTHING = """
import importlib, pkgutil
import s3target
for info in pkgutil.walk_packages(s3target.__path__, "s3target."):
    importlib.import_module(info.name)
from s3target import S3Client, S3Target
base = sys.argv[1]
with S3Target(f"{base}/dir/key").open("w") as file:
    file.write("x")
client = S3Client()
assert client.copy(f"{base}/dir", f"{base}/to") == (1, 1) and list(client.list(base)) == ["dir/key", "to/key"]
assert S3Target(f"{base}/to/key").open().read() == "x" and client.remove(f"{base}/to")
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ("boto3", "botocore") and sys.modules[name]))
"""


@pytest.mark.usefixtures("in_environment")
def test_all_works_where_boto3_cannot_be_imported(base: str, tmp_path: Path) -> None:
    """Nor anything else of what comes with it: every module of ours loads, and the client does its work."""
    done = run("-c", BLOCKED + EVERYTHING, base, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")

"""The benchmark's own parts: a null server that lies would make every figure a lie."""

from __future__ import annotations

import http.client
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from bench.bars import BARS, Memory, Speed
from bench.bars import table as bar_table
from bench.clients import CLIENTS, Job, client_class
from bench.clients.s3target_core import S3TargetCore
from bench.clients.s3target_luigi import (
    S3TargetUnsigned,
    S3TargetWhileUnsigned,
    S3TargetWhileWriting,
    S3TargetWithLuigi,
)
from bench.figures import Run, figure, figures
from bench.null_server import null_server
from bench.processes import Failed, run
from bench.report import tables
from bench.runner import Bench, Plan
from bench.store import LINE, Store
from bench.worker import check
from bench.workloads import BYTES, LOOP, PROFILES, WORKLOADS, Workload, chosen

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="the null server needs a C compiler")


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with null_server() as store:
        yield store


def ask(store: Store, method: str, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    url = urlsplit(store.endpoint_url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)
    try:
        body = b"x" * 100_000 if method in ("PUT", "POST") else None
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/bench{target}", body, names)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def listed(store: Store, **query: object) -> str:
    status, _, body = ask(store, "GET", f"/?{urlencode(query)}")
    assert status == 200
    return body.decode()


@needs_compiler
@pytest.mark.parametrize(
    ("sent", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=7-99", 7, 99),
        ("bytes=12000000-", 12_000_000, 12_999_999),
        ("bytes=-5", 12_999_995, 12_999_999),
    ],
)
def test_a_range_is_the_slice_of_the_whole(server: Store, sent: str, first: int, last: int) -> None:
    """Content depends on the offset alone, whatever the range begins with, past the pattern's end too."""
    whole = ask(server, "GET", "/size-13000000/object")[2]
    status, headers, part = ask(server, "GET", "/size-13000000/object", Range=sent)
    assert (status, headers["content-range"]) == (206, f"bytes {first}-{last}/13000000")
    assert part == whole[first : last + 1]
    assert {len(line) for line in whole[: 1000 * LINE].splitlines(keepends=True)} == {LINE}


@needs_compiler
@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("HEAD", "/hit/object", 200),
        ("HEAD", "/miss/object", 404),
        ("GET", "/miss/object", 404),
        ("HEAD", "/list-10/a/key-0000009", 200),
        ("HEAD", "/list-10/a/key-0000010", 404),
        ("HEAD", "/list-10/a", 404),
        ("GET", "/list-10/a/", 404),
        ("GET", "/list-10/a_%24folder%24", 404),
        ("PUT", "/new/object", 200),
        ("POST", "/new/object?uploads", 200),
        ("DELETE", "/new/object", 204),
        ("HEAD", "", 200),
    ],
)
def test_what_is_there(server: Store, method: str, target: str, status: int) -> None:
    """hit/ and what lists contain is there, all else is not, and what is sent is taken."""
    assert ask(server, method, target)[0] == status


@needs_compiler
@pytest.mark.parametrize("version", [1, 2])
def test_a_listing_gives_every_key_once(server: Store, version: int) -> None:
    """Pages of 1000 in both versions of the call, up to the last key."""
    keys: list[str] = []
    query: dict[str, object] = {"prefix": "list-2500/a/", **({"list-type": 2} if version == 2 else {})}
    for _ in range(3):
        page = listed(server, **query)
        keys += re.findall("<Key>([^<]*)</Key>", page)
        token = re.search("<NextContinuationToken>(.*)</NextContinuationToken>", page)
        query.update({"continuation-token": token[1]} if token else {"marker": keys[-1]})
    assert keys == [f"list-2500/a/key-{number:07}" for number in range(2500)]
    assert "<IsTruncated>false" in page


@needs_compiler
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"prefix": "list-5/a", "delimiter": "/"}, (0, ["list-5/a/"])),
        ({"prefix": "list-5/a/", "delimiter": "/"}, (5, [])),
        ({"prefix": "list-5/a/", "max-keys": 2}, (2, [])),
        ({"prefix": "list-5/a/key-0000001", "delimiter": "/"}, (0, [])),
        ({"prefix": "elsewhere/"}, (0, [])),
    ],
)
def test_a_prefix_folds_and_misses_as_on_s3(
    server: Store, query: dict[str, object], found: tuple[int, list[str]]
) -> None:
    """A directory without its slash shows as a common prefix; what nobody made is empty."""
    page = listed(server, **{"list-type": 2, **query})
    folded = re.findall("<CommonPrefixes><Prefix>([^<]*)<", page)
    assert (page.count("<Contents>"), folded) == found


@needs_compiler
def test_the_wide_area_is_no_faster_than_it_says() -> None:
    """The first byte waits, and bytes come at the connection's pace both ways."""
    with null_server(first_byte_ms=30, bytes_per_second=1_000_000) as store:
        for method, target, least in (("HEAD", "/hit/a", 0.03), ("GET", "/size-100000/a", 0.13), ("PUT", "/a", 0.13)):
            start = time.perf_counter()
            ask(store, method, target)
            assert time.perf_counter() - start >= least


@needs_compiler
def test_a_round_gives_a_figure_for_each_client(server: Store, tmp_path: Path) -> None:
    """Fresh processes, one after the other, for a start, a loop of calls and a listing."""
    workloads = chosen("null", ["cold", "exists_miss", "list_names"], 0.001)
    seen: list[Run] = []
    plan = Plan(workloads, ["sockets"], rounds=1, loop_seconds=0.5, timeout=60)
    runs = list(Bench(plan, server, tmp_path, seen.append).runs())
    assert seen == runs
    assert [made.failure for made in runs if made.failure] == []
    medians = figures(runs)
    assert {(w.name, client) for w in workloads for client in plan.clients} == set(medians)
    assert all(median.rate > 0 and median.rss > 1_000_000 for median in medians.values())


@needs_compiler
@pytest.mark.parametrize(
    ("kind", "workload"),
    [
        (kind, workload)
        for kind in (
            *(S3TargetWithLuigi, S3TargetCore, S3TargetUnsigned),
            *(S3TargetWhileWriting, S3TargetWhileUnsigned),
        )
        for workload in WORKLOADS.values()
        if hasattr(kind, workload.called) and workload.name != "exists_many"
    ],
    ids=lambda value: getattr(value, "__name__", None) or value.name,
)
def test_our_clients_do_each_workload(
    server: Store, kind: type, workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They use the package's own names: where those change, so must the benchmark."""
    for name, value in server.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    call = getattr(kind(), workload.called)
    if workload.kind == LOOP:
        check(workload.called, call())
        return
    amount = 9 << 20 if workload.kind == BYTES else 2000
    count = 100 if workload.name == "list_prefixes" else amount
    (tmp_path / "source").write_bytes(b"x" * amount)
    key = f"size-{amount}/object" if workload.kind == BYTES else f"list-{count}/shared"
    assert call(Job(amount, key, "new/object", str(tmp_path / "source"), str(tmp_path / "destination"))) == amount


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import time; time.sleep(60)", "killed after 0.5 s"),
        ("raise ValueError('no such thing\\n  more of it')", "ValueError: no such thing"),
        ("raise SystemExit(3)", "exit code 3"),
    ],
)
def test_a_process_that_fails_says_why(tmp_path: Path, program: str, reason: str) -> None:
    """A run that takes too long is ended; the others tell their exception's first line."""
    with pytest.raises(Failed, match=f"^{reason}$"):
        run([sys.executable, "-c", program], {}, tmp_path, timeout=0.5 if "sleep" in program else 30)


def test_a_figure_is_the_median_of_the_runs_that_worked() -> None:
    """Rates, not times, and a failure beside good runs is kept."""
    walls = (1.0, 2.0, 4.0)
    made = figure([Run("put", "a", 0, failure="gone"), *(Run("put", "a", 1, 8, wall, 8, 5) for wall in walls)])
    assert (made.rate, made.cpu, made.rss, made.spread, made.runs, made.failure) == (4, 1, 5, 1.5, 3, "gone")


def test_the_table_has_ratios_and_failures() -> None:
    """To luigi.contrib.s3; a variant has a row of its own in its client's column."""
    clients = ["luigi", "s3target", "s3target-unsigned", "minio"]
    workload = WORKLOADS["put"]
    runs = [
        *(Run("put", client, 0, workload.amount, wall, 1, 1) for client, wall in zip(clients, (4, 2, 1), strict=False)),
        Run("put", "minio", 0, failure="killed after 9 s"),
    ]
    text = tables([workload], clients, figures(runs))
    assert "| put 1 GiB, MiB/s | 256 | 512 (2x) | failed |\n| ... payload unsigned |  | 1,024 (4x) |  |" in text
    assert "- put, minio-py: killed after 9 s" in text


def test_every_workload_is_in_a_profile() -> None:
    """And no profile names one that is not there."""
    assert {name for names in PROFILES.values() for name in names} == set(WORKLOADS)


def test_a_bar_is_told_from_what_was_measured() -> None:
    """Ratio or memory beside what was wanted; none of a client that was not run."""
    workload = WORKLOADS["put"]
    walls = {"luigi": 4.0, "s3target": 2.0, "s3target-unsigned": 1.0}
    runs = [Run("put", client, 0, workload.amount, wall, 1, 61_000_000) for client, wall in walls.items()]
    bars = (Speed("put", 2.0), Speed("put", 4.5, "s3target-unsigned"), Speed("put", 1, "minio"), Memory("put", 60))
    assert bar_table(bars, {"put": workload}, figures(runs)).splitlines()[2:] == [
        "| put 1 GiB, s3target: to luigi.contrib.s3 | 2x | 2x | met |",
        "| put 1 GiB, s3target, payload unsigned: to luigi.contrib.s3 | 4x | 4.5x | missed |",
        "| put 1 GiB, s3target: peak RSS | 61 MB | 60 MB | missed |",
    ]


@pytest.mark.parametrize(("profile", "bar"), [(profile, bar) for profile, bars in BARS.items() for bar in bars])
def test_every_bar_is_of_something_that_is_measured(profile: str, bar: Speed | Memory) -> None:
    """A misspelt name would leave it out of the table in silence."""
    assert bar.workload in PROFILES[profile]
    kinds = [client_class(bar.client), *([client_class(bar.against)] if isinstance(bar, Speed) else [])]
    called = WORKLOADS[bar.workload].called
    assert all(getattr(kind, "COLD", "") if called == "cold" else hasattr(kind, called) for kind in kinds)
    assert bar.client in CLIENTS

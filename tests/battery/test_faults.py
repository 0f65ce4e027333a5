"""Every way to use the package, every request of it, every fault: the result is right or the error is clear.

What must hold after each cell of the matrix, whatever came of it: only whole objects were ever at their keys, no
temporary file and no upload is left, all connections are closed, every request was signed and sealed as it should be,
no redirect was followed, and no pause was longer than the policy allows. `times`: once, or whenever it can.

What is to come of each cell is in tests/server/matrix.py, which makes the README's table of it.
"""

from __future__ import annotations

import gc
import gzip
import itertools
import shutil
import threading
import time
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from luigi.target import FileSystemException

from s3target.client import Client
from s3target.errors import S3Error
from s3target.luigi.client import S3Client
from s3target.protocol.endpoint import Endpoint
from s3target.protocol.messages import Credentials
from s3target.protocol.operations.objects import HeadObject
from s3target.retry import RetryPolicy
from s3target.transport import HttpTransport, TransportOptions
from server.faults import FAULTS
from server.matrix import expected, meets, table
from server.misbehaving import Fault, MisbehavingStore
from server.scenarios import NEW, OLD, SCENARIOS, TREE, Case, Scenario

ALWAYS = 1_000_000
POLICY = RetryPolicy(max_attempts=4, longest_delay=5.0)
WAITED_FOR = ("exists", "put", "get")
"""Scenarios that meet silence again and again; the others meet it once, as each time costs a read timeout."""
LASTING = ("reset inside the body", "answer lost: reset", "500 after it took effect", "200 with an error", "403")
"""Faults that megabytes meet again and again."""
LONGEST = 20.0
"""Seconds for one cell. Pauses are not slept."""


class Clients(NamedTuple):
    client: S3Client
    naps: list[float]


class Renewing:
    """A CredentialProvider: invalidate() fetches the keys that are good now."""

    def __init__(self, store: MisbehavingStore) -> None:
        self._store = store
        self._known = store.keys

    def get(self) -> Credentials:
        return Credentials(self._known.access_key_id, self._known.secret, self._known.token)

    def invalidate(self, credentials: Credentials, certain: bool) -> bool:
        self._known = self._store.keys
        return self.get() != credentials


def connect(store: MisbehavingStore, read_timeout: float, hash_bodies: bool) -> Clients:
    naps: list[float] = []
    core = Client(
        HttpTransport(TransportOptions(connect_timeout=2.0, read_timeout=read_timeout)),
        Endpoint(region="us-east-1", url=store.url),
        Renewing(store),
        POLICY,
        payload_signing=None if hash_bodies else False,
        sleep=naps.append,
    )
    client = S3Client()
    client.s3 = core
    return Clients(client, naps)


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[MisbehavingStore, MisbehavingStore]]:
    """The store, and the other host, to which its redirects lead."""
    with MisbehavingStore() as store, MisbehavingStore() as decoy:
        store.elsewhere = decoy.url
        yield store, decoy


def run(
    store: MisbehavingStore,
    scenario: Scenario,
    fault: Fault | None,
    target: tuple[str, int],
    times: int,
    tmp: Path,
) -> str:
    """One cell: "right", or the name of the error. target: the operation that the fault befalls, and which of them."""
    operation, nth = target
    store.reset()
    for key, content in scenario.before.items():
        crc32 = b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
        store.s3.put(key, content, {"x-amz-checksum-crc32": crc32})
    store.s3.history.clear()
    store.s3.page_size = scenario.page_size
    folder, scratch = tmp / "folder", tmp / "scratch"
    for place in (folder, scratch):
        place.mkdir(exist_ok=True)
    (folder / "got").write_bytes(OLD)
    silence = (1.0 if scenario.heavy else 0.4) if fault and fault.waits else 5.0
    client, naps = connect(store, silence, not scenario.heavy)
    if fault and fault.stale:
        assert client.s3.call(HeadObject("b", next(iter(scenario.before)))) if scenario.before else True
    store.log.clear()
    if fault:
        store.order(fault, operation, nth, times)
    begun = time.monotonic()
    try:
        outcome, result = "right", scenario.run(Case(store, client, folder, scratch))
    except (S3Error, FileSystemException) as error:
        outcome, result = type(error).__name__, str(error)
    except RuntimeError as error:  # what Luigi says of a program that did not get all of its input
        assert "gzip" in scenario.name
        outcome, result = "RuntimeError", str(error)
    finally:
        client.s3.close()
    assert time.monotonic() - begun < LONGEST
    assert result != ""
    assert outcome != "ConfigError" or (fault and fault.name == "501"), result
    assert sum(naps) < 80.0
    if not store.wait_idle(1.0):
        client.s3.close()  # a page that was fetched ahead came in after the first close
    held = check(store, scenario, fault, operation, outcome, result)
    got = (folder / "got").read_bytes()
    assert got in ({OLD, scenario.got} if outcome != "right" else {scenario.got or OLD})
    assert not list(scratch.iterdir())
    check_files(folder, scenario, held)
    if "gzip" in scenario.name:
        gc.collect()  # what Luigi's reader has to say of it a second time belongs to this test
    return outcome


def check_files(folder: Path, scenario: Scenario, held: dict[str, bytes]) -> None:
    """Of those that commands write, each is whole or not there; what is moved is here or there."""
    assert {path.name for path in folder.iterdir()} <= {"got", "source", "tree"}
    assert "`mv` up" not in scenario.name or (folder / "source").exists() or held
    if (folder / "tree").exists():
        for path in (folder / "tree").iterdir():
            assert path.read_bytes() == TREE[f"d/{path.name}"]
        shutil.rmtree(folder / "tree")


def check(
    store: MisbehavingStore, scenario: Scenario, fault: Fault | None, operation: str, outcome: str, result: object
) -> dict[str, bytes]:
    """What the store holds, scratch objects left out."""
    held = {key: stored.content for key, stored in store.s3.objects.items() if "s3target" not in key}
    assert store.wait_idle(), "a connection was left open"
    for thread in threading.enumerate():
        if thread.name.startswith("s3target"):
            thread.join(5.0)
            assert not thread.is_alive(), "a thread was left running"
    assert not store.complaints
    for key, content in store.s3.history:
        assert "s3target" in key or is_to_be(scenario, key, content), f"{key} held something else for a while"
    if outcome == "right":
        assert result == scenario.result
        assert set(held) == set(scenario.after)
        assert all(is_to_be(scenario, key, content) for key, content in held.items())
    if operation != "DeleteObject":
        assert set(store.s3.objects) == set(held), "a scratch object stays"
    for key in held:
        assert held[key] == scenario.before.get(key) or is_to_be(scenario, key, held[key])
    for content in scenario.before.values():
        assert content == OLD or content in held.values() or "remove" in scenario.name or "rm" in scenario.name, "lost"
    begun = scenario.name == "`uploads abort`" and outcome != "right"
    assert len(store.s3.uploads) <= orphans(store, fault, operation) + begun
    return held


def is_to_be(scenario: Scenario, key: str, content: bytes) -> bool:
    """Whether this is what the operation puts there. Of Luigi's temporary path no more than its content is known."""
    wanted = scenario.after.get("k" if "-luigi-tmp-" in key else key, b"?")
    return gunzipped(content) == NEW if wanted is None else content == wanted


def gunzipped(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error):
        return b""


def orphans(store: MisbehavingStore, fault: Fault | None, operation: str) -> int:
    """Uploads that nobody can know of, or that the store would not let anyone abort."""
    if operation == "AbortMultipartUpload":
        return 1
    return store.struck if fault and operation == "CreateMultipartUpload" and fault.acts else 0


def lasts(fault: Fault, scenario: Scenario) -> bool:
    """Whether this cell is also tried with the fault always there."""
    if fault.mode is not None or scenario.command or (fault.waits and scenario.name not in WAITED_FOR):
        return False
    return not scenario.heavy or fault.name in LASTING


class Requests:
    """Which requests each scenario makes when nothing goes wrong, and how many of a kind."""

    def __init__(self) -> None:
        self._known: dict[str, Counter[str]] = {}

    def of(self, store: MisbehavingStore, scenario: Scenario, tmp: Path) -> Counter[str]:
        if scenario.name not in self._known:
            assert run(store, scenario, None, ("", 1), 0, tmp) == "right"
            self._known[scenario.name] = Counter(line.split()[0] for line in store.log)
        return self._known[scenario.name]


@pytest.fixture(scope="module")
def requests() -> Requests:
    return Requests()


def all_requests(tmp: Path) -> dict[str, Counter[str]]:
    with MisbehavingStore() as store:
        return {scenario.name: Requests().of(store, scenario, tmp) for scenario in SCENARIOS}


def test_the_readme_has_the_table(tmp_path: Path) -> None:
    """Word for word; what it says of each cell is what the next test holds the cell to."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    shown = text.partition("<!-- matrix -->\n")[2].partition("<!-- end of matrix -->")[0]
    assert shown == table(all_requests(tmp_path))


def cells() -> Iterator[object]:
    """The whole product; a sixth of it is for every day, the rest is marked slow: all of it takes minutes."""
    for fault, scenario in itertools.product(FAULTS, SCENARIOS):
        name = f"{fault.name}-{scenario.name}"
        everyday = zlib.crc32(name.encode()) % 6 == 0
        marks = [] if everyday else [pytest.mark.slow]
        if "gzip" in scenario.name:
            marks.append(pytest.mark.filterwarnings("ignore:.*InputPipeProcessWrapper"))
        yield pytest.param(fault, scenario, id=name, marks=marks)


@pytest.mark.parametrize(("fault", "scenario"), list(cells()))
def test_operation_meets_fault(
    stores: tuple[MisbehavingStore, MisbehavingStore],
    requests: Requests,
    scenario: Scenario,
    fault: Fault,
    tmp_path: Path,
) -> None:
    """Once, at the first or at the last request of a kind (where a trial comes before the commit, the last is the one
    that matters): the call succeeds, unless no client can mend the fault. Always: it ends, and says so."""
    store, decoy = stores
    marks = set()
    known = requests.of(store, scenario, tmp_path)
    if not meets(fault, scenario, known):
        return
    for operation, count in known.items():
        if fault.concerns and operation not in fault.concerns:
            continue
        for nth in {1, count}:
            once = run(store, scenario, fault, (operation, nth), 1, tmp_path)
            assert once == "right" or not fault.survived, f"{operation} {nth}: {once}"
            marks |= {"right" if once == "right" else "error"} if store.struck else set()
        if store.struck and lasts(fault, scenario):
            run(store, scenario, fault, (operation, 1), ALWAYS, tmp_path)
    assert not decoy.log, "a redirect to another host was followed"
    if marks and not scenario.in_ranges and fault.survived is not None:
        assert max(marks, key=["right", "error"].index) == expected(fault, scenario, known)

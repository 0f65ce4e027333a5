"""Hours of work on a store that misbehaves at random, and then: is every byte where it belongs, and nothing else?

    python tests/bench soak --minutes 10

16 threads share one client. They put, get, copy, move, list and remove, and race for outputs that only one may write; 5
of 100 requests meet a fault of the matrix (tests/server/faults.py). The store runs in a process of its own. Every
object says by a digest in front whether it is whole, so the store sees a partial one at once; each thread knows what
its keys may hold. A refusal (403, 501), or bytes that arrived wrong, may end an operation with an error; what it was to
change is then as it was, or as it was to be.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from luigi.format import Nop
from luigi.target import FileAlreadyExists, FileSystemException

from s3target.__main__ import main as s3target
from s3target.composition import connect
from s3target.errors import NotFound, S3Error
from s3target.luigi import S3Client, S3Target
from server.asked import Asked
from server.faults import FAULTS
from server.misbehaving import KEYS, Fault, MisbehavingStore

DIGEST = 32
KEYS_EACH = 12
LARGE = 5 * (1 << 20) + 100_000
PART = 5 << 20
GONE = b""
"""In place of a digest: there is no object."""


def make(size: int, rng: random.Random) -> bytes:
    payload = rng.randbytes(size)
    return hashlib.sha256(payload).digest() + payload


def is_whole(content: bytes) -> bool:
    return hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]


# ----------------------------------------------------------------------------------------------------------- the store


class RandomFaults(MisbehavingStore):
    """A share `rate` of the requests meets a fault. partial: objects that were there and were not whole."""

    def __init__(self, rate: float, seed: int) -> None:
        super().__init__()
        self.rate = rate
        self._random = random.Random(seed)
        self.requests = self.partial = 0
        self.met: Counter[str] = Counter()
        self.heard: set[str] = set()
        # Nothing that grows with time: the store is to last as long as the client.
        self.log = deque(maxlen=0)  # type: ignore[assignment]
        self.s3.history = deque(maxlen=0)  # type: ignore[assignment]
        self._put, self.s3.put = self.s3.put, self._checked  # type: ignore[method-assign]

    def _checked(self, key: str, content: bytes, *rest: Any) -> Any:
        self.partial += not is_whole(content) and "s3target" not in key
        return self._put(key, content, *rest)

    def _fault_for(self, asked: Asked) -> Fault | None:
        with self._lock:
            self.requests += 1
            self.heard.add(asked.arguments.get("uploadId", ""))
            if self._random.random() >= self.rate:
                return None
            known = self.s3.objects.get(asked.key)
            has_checksum = known is not None and "x-amz-checksum-crc32" in known.headers
            fault = self._random.choice([fault for fault in FAULTS if _befalls(fault, asked, has_checksum)])
            self.met[fault.name] += 1
            return fault


def _befalls(fault: Fault, asked: Asked, has_checksum: bool) -> bool:
    if fault.mode is not None or (fault.concerns and asked.operation not in fault.concerns):
        return False
    # This store tells no checksum of an object made of parts: what is spoilt of it on its way, nobody can see.
    if fault.concerns == ("GetObject",) and not has_checksum:
        return False
    # Of a store that does not let anyone abort an upload, one has to be left.
    if asked.operation in ("AbortMultipartUpload", "DeleteObject") and fault.name in ("403", "501"):
        return False
    return fault.reads != "half" or asked.length >= 2


class Held(NamedTuple):
    """What the store knows at the end. leaked: uploads somebody was told of; unheard: those of lost answers."""

    objects: dict[str, bytes]
    leaked: int
    unheard: int
    partial: int
    complaints: list[str]
    requests: int
    met: Counter[str]


def serve(pipe: Any, rate: float, seed: int) -> None:
    with RandomFaults(rate, seed) as store:
        pipe.send(store.url)
        while (command := pipe.recv()) != "end":
            if command == "calm":
                store.rate = 0.0
            objects = {key: stored.content[:DIGEST] for key, stored in store.s3.objects.items()}
            leaked = sum(upload_id in store.heard for upload_id in store.s3.uploads)
            unheard = len(store.s3.uploads) - leaked
            pipe.send(Held(objects, leaked, unheard, store.partial, store.complaints, store.requests, store.met))


# ---------------------------------------------------------------------------------------------------------- the threads


class Tally:
    """What came of it, by all threads. errors: operations that ended in one. wrong: what should not be."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.lost: list[str] = []


class Race:
    """Outputs that only one may write. winners: by number; two of them at one number are wrong."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._lock = threading.Lock()
        self._next = 0
        self.winners: dict[int, set[bytes]] = {}
        self.doubtful: dict[int, set[bytes]] = {}

    def number(self) -> int:
        """Each is given to a few of the threads that come one after another."""
        with self._lock:
            self._next += 1
            return self._next // 3

    def note(self, where: dict[int, set[bytes]], number: int, digest: bytes) -> None:
        with self._lock:
            where.setdefault(number, set()).add(digest)
            if len(self.winners.get(number, ())) > 1:
                self._tally.wrong.append(f"race {number} has two winners")


class Worker(threading.Thread):
    """One thread, with keys of its own. may: what each of them may hold."""

    def __init__(self, number: int, client: S3Client, folder: Path, tally: Tally, race: Race, end: float) -> None:
        super().__init__(name=f"worker-{number}")
        self.base = f"s3://b/t{number}"
        self.client, self.tally, self.race, self.end = client, tally, race, end
        self.random = random.Random(number)
        self.file = folder / f"f{number}"
        self.folder = folder
        self.may: dict[str, set[bytes]] = {f"k{index}": {GONE} for index in range(KEYS_EACH)}

    def run(self) -> None:
        ways: list[tuple[Callable[[], None], int]] = [
            *((self.put, 30), (self.get, 30), (self.copy, 10), (self.move, 4), (self.list, 8), (self.remove, 8)),
            *((self.remove_all, 1), (self.give_up, 3), (self.once, 6)),
        ]
        chosen = [way for way, weight in ways for _ in range(weight)]
        while time.monotonic() < self.end:
            way = self.random.choice(chosen)
            try:
                way()
                self.tally.done[way.__name__] += 1
            except (S3Error, FileSystemException) as error:
                self.tally.errors[type(error).__name__] += 1
            except BaseException as error:
                self.tally.wrong.append(f"{way.__name__}: {error!r}")
                raise

    def target(self, key: str, **options: Any) -> S3Target:
        return S3Target(f"{self.base}/{key}", client=self.client, format=Nop, tmp_dir=str(self.folder), **options)

    def key(self) -> str:
        return self.random.choice(list(self.may))

    def content(self) -> bytes:
        return make(LARGE if self.random.random() < 0.02 else self.random.randrange(40_000), self.random)

    def changing(self, key: str, digest: bytes, act: Callable[[], object]) -> None:
        """Whatever comes of act, the key holds what it may have held, or that; if it comes to an end, only that."""
        self.may[key] = {*self.may[key], digest}
        act()
        self.may[key] = {digest}

    def put(self) -> None:
        key, content = self.key(), self.content()
        way = self.random.choice((self._string, self._file, self._at_close, self._while_writing))
        self.changing(key, content[:DIGEST], lambda: way(key, content))

    def _string(self, key: str, content: bytes) -> None:
        self.client.put_string(content, f"{self.base}/{key}")

    def _file(self, key: str, content: bytes) -> None:
        self.file.write_bytes(content)
        self.client.put_multipart(self.file, f"{self.base}/{key}", part_size=PART)

    def _at_close(self, key: str, content: bytes) -> None:
        with self.target(key, part_size=PART).open("w") as file:
            file.write(content)

    def _while_writing(self, key: str, content: bytes) -> None:
        with self.target(key, upload="while_writing", part_size=PART).open("w") as file:
            for start in range(0, len(content), 100_000):
                file.write(content[start : start + 100_000])

    def give_up(self) -> None:
        try:
            with self.target(self.key(), upload="while_writing", part_size=PART).open("w") as file:
                file.write(make(LARGE if self.random.random() < 0.2 else 1000, self.random))
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass

    def get(self) -> None:
        key = self.key()
        way = self.random.choice((self._bytes, self._to_file, self._read, self._read_ahead))
        try:
            content = way(key)
        except (NotFound, FileSystemException):
            self.check(key, GONE)
            return
        if not is_whole(content):
            self.tally.wrong.append(f"{self.base}/{key}: {way.__name__} gave bytes that are not whole")
        self.check(key, content[:DIGEST])

    def _bytes(self, key: str) -> bytes:
        return self.client.get_as_bytes(f"{self.base}/{key}")

    def _to_file(self, key: str) -> bytes:
        self.client.get(f"{self.base}/{key}", self.file)
        return self.file.read_bytes()

    def _read(self, key: str) -> bytes:
        with self.target(key).open("r") as file:
            return b"".join(file)

    def _read_ahead(self, key: str) -> bytes:
        with self.target(key, readahead=2).open("r") as file:
            return bytes(file.read())

    def check(self, key: str, digest: bytes) -> None:
        if digest not in self.may[key]:
            (self.tally.lost if digest == GONE else self.tally.wrong).append(f"{self.base}/{key} is not what it was")
        self.may[key] = {digest}

    def copy(self) -> None:
        source, destination = self.key(), self.key()
        # What it may hold is looked at, so that there is one answer.
        self.check(source, self._digest(source))
        (digest,) = self.may[source]
        if digest != GONE and source != destination:
            act = lambda: self.client.copy(f"{self.base}/{source}", f"{self.base}/{destination}")  # noqa: E731
            self.changing(destination, digest, act)

    def _digest(self, key: str) -> bytes:
        try:
            return self._bytes(key)[:DIGEST]
        except NotFound:
            return GONE

    def move(self) -> None:
        source, destination = self.key(), self.key()
        self.check(source, self._digest(source))
        (digest,) = self.may[source]
        if digest != GONE and source != destination:
            self.may[source] = {digest, GONE}
            act = lambda: self.client.move(f"{self.base}/{source}", f"{self.base}/{destination}")  # noqa: E731
            self.changing(destination, digest, act)
            self.may[source] = {GONE}

    def list(self) -> None:
        listed = {path.rpartition("/")[2] for path in self.client.listdir(self.base)}
        for key, may in self.may.items():
            if key in listed and may == {GONE}:
                self.tally.wrong.append(f"{self.base}/{key} is listed and was removed")
            elif key not in listed and GONE not in may:
                self.tally.lost.append(f"{self.base}/{key} is not listed")

    def remove(self) -> None:
        key = self.key()
        self.changing(key, GONE, lambda: self.client.remove(f"{self.base}/{key}"))

    def remove_all(self) -> None:
        self.may = {key: {*may, GONE} for key, may in self.may.items()}
        self.client.remove(self.base)
        self.may = {key: {GONE} for key in self.may}

    def once(self) -> None:
        number, content = self.race.number(), make(self.random.randrange(2000), self.random)
        target = S3Target(f"s3://b/once/{number}", client=self.client, format=Nop, overwrite=False)
        try:
            with target.open("w") as file:
                file.write(content)
        except FileAlreadyExists:
            return
        except S3Error:
            self.race.note(self.race.doubtful, number, content[:DIGEST])
            raise
        self.race.note(self.race.winners, number, content[:DIGEST])


# --------------------------------------------------------------------------------------------------------- the verdict


class Sample(NamedTuple):
    """rss: MiB. files: descriptors."""

    seconds: float
    rss: float
    files: int
    threads: int


def sample(begun: float) -> Sample:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(os.listdir("/proc/self/fd")) - 1
    return Sample(time.monotonic() - begun, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, files, threading.active_count())


class Figures(NamedTuple):
    """growth: of rss (MiB) and of descriptors, from the mean of the second quarter of the time to that of the last."""

    seconds: float
    operations: Counter[str]
    errors: Counter[str]
    wrong: list[str]
    lost: list[str]
    held: Held
    left: Held
    samples: list[Sample]
    races: int

    @property
    def growth(self) -> tuple[float, float]:
        quarter = max(1, len(self.samples) // 4)
        early, late = self.samples[quarter : 2 * quarter] or self.samples, self.samples[-quarter:]
        rss, files = ([sum(each[at] for each in of) / len(of) for of in (early, late)] for at in (1, 2))
        return rss[1] - rss[0], files[1] - files[0]

    @property
    def failures(self) -> list[str]:
        """What broke the promise; empty if nothing did."""
        counts = {
            "lost": len(self.lost),
            "wrong": len(self.wrong),
            "partial objects": self.held.partial,
            "leaked uploads": self.held.leaked,
            "uploads after `s3target uploads abort`": self.left.leaked + self.left.unheard,
            "unsigned or unsealed requests": len(self.held.complaints),
        }
        return [f"{count} {name}" for name, count in counts.items() if count]

    def __str__(self) -> str:
        rss, files = self.growth
        met = sum(self.held.met.values())
        last = self.samples[-1]
        return "\n".join(
            [
                f"{self.seconds:.0f} s, {sum(self.operations.values())} operations, {self.held.requests} requests, "
                f"{met} faults of {len(self.held.met)} kinds ({met / self.held.requests:.1%})",
                f"operations: {dict(self.operations.most_common())}",
                f"ended in a clear error: {dict(self.errors.most_common())}",
                f"races for an output: {self.races}, one winner each",
                f"lost {len(self.lost)}, wrong {len(self.wrong)}, partial {self.held.partial}, "
                f"leaked uploads {self.held.leaked} (and {self.held.unheard} whose id the store never got across; "
                f"{self.left.leaked + self.left.unheard} after `s3target uploads abort`)",
                f"RSS {last.rss:.1f} MiB ({rss:+.1f}), descriptors {last.files} ({files:+.1f}), threads {last.threads}",
                *(f"FAILED: {failure}" for failure in self.failures),
                *self.wrong[:10],
                *self.lost[:10],
            ]
        )


def soak(seconds: float, threads: int, rate: float, seed: int, say: Callable[[str], object] = str) -> Figures:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, rate, seed), daemon=True)
    server.start()
    try:
        return _soak(ours, seconds, threads, say)
    finally:
        ours.send("end")
        server.join(10)
        server.kill()


def _soak(pipe: Any, seconds: float, threads: int, say: Callable[[str], object]) -> Figures:
    url = pipe.recv()
    keys = {"aws_access_key_id": KEYS.access_key_id, "aws_secret_access_key": KEYS.secret}
    tally = Tally()
    race = Race(tally)
    with (
        tempfile.TemporaryDirectory(prefix="s3target-soak-") as folder,
        connect(endpoint_url=url, read_timeout=2.0, **keys) as connection,
    ):
        client = S3Client()
        client.s3 = connection
        begun = time.monotonic()
        workers = [Worker(n, client, Path(folder), tally, race, begun + seconds) for n in range(threads)]
        for worker in workers:
            worker.start()
        samples = [sample(begun)]
        step = min(5.0, seconds / 20)
        while any(worker.is_alive() for worker in workers):
            time.sleep(step)
            samples.append(sample(begun))
            if len(samples) % 12 == 0:
                say(f"{samples[-1]}, {sum(tally.done.values())} operations")
        spent = time.monotonic() - begun
        temporary = [path.name for path in Path(folder).iterdir() if path.name.startswith("s3target-")]
        tally.wrong += [f"temporary file left: {name}" for name in temporary]
        held = _settle(pipe, workers, race, tally)
        left = _abort_orphans(pipe, url, keys)
    return Figures(spent, tally.done, tally.errors, tally.wrong, tally.lost, held, left, samples, len(race.winners))


def _settle(pipe: Any, workers: list[Worker], race: Race, tally: Tally) -> Held:
    """With the faults over, every byte is read, and compared with what the store holds as well."""
    pipe.send("calm")
    held: Held = pipe.recv()
    expected = {}
    for worker in workers:
        for key in worker.may:
            worker.check(key, worker._digest(key))
            (digest,) = worker.may[key]
            expected[f"{worker.base.removeprefix('s3://b/')}/{key}"] = digest
    for number in race.winners.keys() | race.doubtful.keys():
        digest = workers[0].client.get_as_bytes(f"s3://b/once/{number}")[:DIGEST] if _there(held, number) else GONE
        winners = race.winners.get(number) or race.doubtful[number] | {GONE}
        if digest not in winners:
            tally.wrong.append(f"once/{number} is not its winner's")
        expected[f"once/{number}"] = digest
    there = {key: digest for key, digest in held.objects.items() if "s3target" not in key}
    if there != {key: digest for key, digest in expected.items() if digest != GONE}:
        tally.wrong.append("what the store holds is not what was read")
    return held


def _there(held: Held, number: int) -> bool:
    return f"once/{number}" in held.objects


def _abort_orphans(pipe: Any, url: str, keys: dict[str, str]) -> Held:
    settings = [word for name, value in keys.items() for word in ("--setting", f"{name}={value}")]
    assert s3target(["--endpoint-url", url, *settings, "uploads", "abort", "-q", "--older-than", "0s", "s3://b"]) == 0
    pipe.send("report")
    left: Held = pipe.recv()
    return left


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.05, help="of the requests that meet a fault (0.05)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    figures = soak(
        options.minutes * 60, options.threads, options.rate, options.seed, lambda text: print(text, flush=True)
    )
    print(figures)
    return 1 if figures.failures else 0


if __name__ == "__main__":
    sys.exit(main())

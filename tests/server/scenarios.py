"""What users do, each with the objects before it and after it: the rows of the matrix of faults.

An object of BEFORE stays as it was or is as it is AFTER, whatever happens; so does a file that is written.
"""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from luigi.format import Gzip, Nop

from s3target.__main__ import main
from s3target.errors import S3Error
from s3target.luigi.client import S3Client
from s3target.luigi.snapshot import prefetch
from s3target.luigi.target import S3Target
from s3target.protocol.operations.objects import CopySource
from s3target.transfer.copy import copy
from s3target.transfer.download import download
from s3target.transfer.plan import MIB, TransferOptions
from s3target.transfer.reader import Reader
from server.memory_s3 import Upload
from server.misbehaving import KEYS, MisbehavingStore

OLD = b"what was there before\n"
NEW = b"".join(b"line %d of what is new\n" % number for number in range(40))
LONG = random.Random(7).randbytes(300_000)
HUGE = random.Random(8).randbytes(5 * MIB + 1000)
TREE = {f"d/{number}": NEW + b"%d" % number for number in range(5)}
ONCE = {"IfNoneMatch": "*"}

Objects = dict[str, Any]
"""Key to content; None: any that is whole."""


class GivenUp(Exception):
    """The task failed while it wrote."""


class Said(S3Error):
    """What a command said as it failed."""


class Case(NamedTuple):
    """folder: for the user's files. scratch: where temporary files go."""

    store: MisbehavingStore
    client: S3Client
    folder: Path
    scratch: Path

    def file(self, content: bytes) -> str:
        path = self.folder / "source"
        path.write_bytes(content)
        return str(path)

    def target(self, **options: Any) -> S3Target:
        return S3Target("s3://b/k", client=self.client, format=Nop, tmp_dir=str(self.scratch), **options)


class Scenario(NamedTuple):
    """run: gives what is compared with result. got: what the file at folder/"got" is to hold then, OLD before.

    heavy: megabytes go over the wire. in_ranges: reads what has no checksum. command: a command line, with a client of
    its own, which sleeps its pauses and has no other keys.
    """

    name: str
    before: Objects
    run: Callable[[Case], Any]
    after: Objects
    result: Any = None
    got: bytes | None = None
    heavy: bool = False
    page_size: int = 1000
    command: bool = False
    in_ranges: bool = False


def _info(case: Case) -> Any:
    key = case.client.get_key("s3://b/k")
    return key and key.size


def _get(case: Case) -> None:
    case.client.get("s3://b/k", case.folder / "got")


def _get_in_parts(case: Case) -> None:
    options = TransferOptions(part_size=64 * 1024, threads=3)
    download(case.client.s3, "b", "k", str(case.folder / "got"), options)


def _read(**options: Any) -> Callable[[Case], bytes]:
    def run(case: Case) -> bytes:
        with case.target(**options).open("r") as reader:
            return b"".join(reader)

    return run


def _write(content: bytes, **options: Any) -> Callable[[Case], None]:
    def run(case: Case) -> None:
        with case.target(**options).open("w") as writer:
            for start in range(0, len(content), 1 << 20):
                writer.write(content[start : start + (1 << 20)])

    return run


def _give_up(content: bytes, **options: Any) -> Callable[[Case], str]:
    def run(case: Case) -> str:
        try:
            with case.target(**options).open("w") as writer:
                writer.write(content)
                raise GivenUp
        except GivenUp:
            return "given up"

    return run


def _copy_in_parts(case: Case) -> int:
    options = TransferOptions(part_size=5 * MIB, copy_threshold=0, threads=2)
    return copy(case.client.s3, CopySource("b", "k"), "b", "c", options)[1]


def _put(content: bytes, **options: Any) -> Callable[[Case], None]:
    return lambda case: case.client.put_multipart(case.file(content), "s3://b/k", **options)


def _seek(case: Case) -> bytes:
    with io.BufferedReader(Reader(case.client.s3, "b", "k")) as reader:
        reader.seek(200_000)
        tail = reader.read(10)
        reader.seek(100)
        return tail + reader.read(10)


def _temporary_path(case: Case) -> None:
    with case.target().temporary_path() as path:
        case.client.put_string(NEW, path)


def _through(format: Any, **options: Any) -> Callable[[Case], bytes]:
    """Written and read in a format, whose object is not the same bytes each time."""

    def run(case: Case) -> bytes:
        target = S3Target("s3://b/k", format, case.client, tmp_dir=str(case.scratch), **options)
        with target.open("w") as writer:
            writer.write(NEW)
        with target.open("r") as reader:
            content: bytes = reader.read()
        return content

    return run


def _prefetch(case: Case) -> list[bool]:
    with prefetch("s3://b/d/", client=case.client):
        return [case.client.exists(f"s3://b/d/{name}") for name in ("0", "9")]


def _s3target(*words: str) -> Callable[[Case], None]:
    def run(case: Case) -> None:
        source = case.file(NEW)
        places = {"SOURCE": source, "GOT": str(case.folder / "got"), "TREE": str(case.folder / "tree")}
        if "TREE" in words and words[-1] != "TREE":
            for key, content in TREE.items():
                path = case.folder / "tree" / key.removeprefix("d/")
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        silence = case.client.s3.transport.options.read_timeout  # type: ignore[attr-defined]
        keys = {"aws_access_key_id": KEYS.access_key_id, "aws_secret_access_key": KEYS.secret}
        settings = {**keys, "endpoint_url": case.store.url, "max_attempts": 4, "read_timeout": silence}
        given = [word for name, value in settings.items() for word in ("--setting", f"{name}={value}")]
        heard = io.StringIO()
        with contextlib.redirect_stderr(heard):
            status = main([*given, *(places.get(word, word) for word in words)])
        assert "Traceback" not in heard.getvalue()
        if status:
            raise Said(heard.getvalue())

    return run


def _orphan(case: Case) -> None:
    case.store.s3.uploads["orphan"] = Upload("k", {})
    _s3target("uploads", "abort", "-q", "--older-than", "0s", "s3://b")(case)


COPIED = {key.replace("d/", "e/"): content for key, content in TREE.items()}
WHILE: dict[str, Any] = {"upload": "while_writing", "part_size": 5 * MIB}

SCENARIOS = (
    Scenario("exists", {"k": NEW}, lambda case: case.client.exists("s3://b/k"), {"k": NEW}, True),
    Scenario("exists (no)", {}, lambda case: case.client.exists("s3://b/k"), {}, False),
    Scenario("isdir", TREE, lambda case: case.client.isdir("s3://b/d"), TREE, True),
    Scenario("get_key", {"k": NEW}, _info, {"k": NEW}, len(NEW)),
    Scenario("put", {"k": OLD}, _put(NEW), {"k": NEW}),
    Scenario("put_string", {"k": OLD}, lambda case: case.client.put_string(NEW, "s3://b/k"), {"k": NEW}),
    Scenario("put_string once", {}, lambda case: case.client.put_string(NEW, "s3://b/k", **ONCE), {"k": NEW}),
    Scenario("put in parts", {"k": OLD}, _put(HUGE, part_size=5 * MIB), {"k": HUGE}, heavy=True),
    Scenario("put in parts, once", {}, _put(HUGE, part_size=5 * MIB, **ONCE), {"k": HUGE}, heavy=True),
    Scenario(
        "copy",
        {"k": NEW, "c": OLD},
        lambda case: case.client.copy("s3://b/k", "s3://b/c"),
        {"k": NEW, "c": NEW},
        (1, len(NEW)),
    ),
    Scenario(
        "copy directory",
        TREE,
        lambda case: case.client.copy("s3://b/d", "s3://b/e", threads=3),
        {**TREE, **COPIED},
        (5, sum(map(len, TREE.values()))),
        page_size=2,
    ),
    Scenario("copy in parts", {"k": HUGE}, _copy_in_parts, {"k": HUGE, "c": HUGE}, len(HUGE), heavy=True),
    Scenario("move", {"k": NEW}, lambda case: case.client.move("s3://b/k", "s3://b/c"), {"c": NEW}),
    Scenario("remove", {"k": NEW}, lambda case: case.client.remove("s3://b/k"), {}, True),
    Scenario("remove directory", TREE, lambda case: case.client.remove("s3://b/d"), {}, True, page_size=2),
    Scenario("get", {"k": NEW}, _get, {"k": NEW}, got=NEW),
    Scenario("get in parts", {"k": LONG}, _get_in_parts, {"k": LONG}, got=LONG),
    Scenario("get_as_bytes", {"k": LONG}, lambda case: case.client.get_as_bytes("s3://b/k"), {"k": LONG}, LONG),
    Scenario("open r", {"k": LONG}, _read(), {"k": LONG}, LONG),
    Scenario("open r, ahead", {"k": LONG}, _read(readahead=2), {"k": LONG}, LONG),
    Scenario("open w", {"k": OLD}, _write(NEW), {"k": NEW}),
    Scenario("open w, once", {}, _write(NEW, overwrite=False), {"k": NEW}),
    Scenario("open w, given up", {"k": OLD}, _give_up(NEW), {"k": OLD}, "given up"),
    Scenario("while writing", {"k": OLD}, _write(NEW, **WHILE), {"k": NEW}),
    Scenario("while writing, parts", {"k": OLD}, _write(HUGE, **WHILE), {"k": HUGE}, heavy=True),
    Scenario("while writing, once", {}, _write(HUGE, overwrite=False, **WHILE), {"k": HUGE}, heavy=True),
    Scenario("while writing, given up", {"k": OLD}, _give_up(HUGE, **WHILE), {"k": OLD}, "given up", heavy=True),
    Scenario("listdir", TREE, lambda case: sorted(case.client.listdir("s3://b/d")), TREE,
             sorted(f"s3://b/{key}" for key in TREE), page_size=2),
    Scenario("mkdir", {}, lambda case: case.client.mkdir("s3://b/d"), {"d/": b""}),
    Scenario("move directory", TREE, lambda case: case.client.move("s3://b/d", "s3://b/e"), COPIED, page_size=2),
    Scenario("rename_dont_move", {"k": NEW}, lambda case: case.client.rename_dont_move("s3://b/k", "s3://b/c"),
             {"c": NEW}),
    Scenario("copy once", {"k": NEW}, lambda case: case.client.copy("s3://b/k", "s3://b/c", **ONCE),
             {"k": NEW, "c": NEW}, (1, len(NEW))),
    Scenario("exists_many", TREE, lambda case: case.client.exists_many(["s3://b/d/0", "s3://b/d/9", "s3://b/d"]), TREE,
             {"s3://b/d/0": True, "s3://b/d/9": False, "s3://b/d": True}, page_size=2),
    Scenario("glob", TREE, lambda case: sorted(case.client.glob("s3://b/*/[0-2]")), TREE,
             [f"s3://b/d/{number}" for number in range(3)], page_size=2),
    Scenario("exists, glob", TREE, lambda case: case.client.exists("s3://b/d/?"), TREE, True),
    Scenario("prefetch", TREE, _prefetch, TREE, [True, False], page_size=2),
    Scenario("read and seek", {"k": LONG}, _seek, {"k": LONG}, LONG[200_000:200_010] + LONG[100:110],
             in_ranges=True),
    Scenario("temporary_path", {}, _temporary_path, {"k": NEW}),
    Scenario("gzip", {"k": OLD}, _through(Gzip), {"k": None}, NEW),
    Scenario("gzip, while writing", {"k": OLD}, _through(Gzip, **WHILE), {"k": None}, NEW),
    Scenario("`cp` up", {"k": OLD}, _s3target("cp", "SOURCE", "s3://b/k"), {"k": NEW}, command=True),
    Scenario("`cp` down", {"k": NEW}, _s3target("cp", "s3://b/k", "GOT"), {"k": NEW}, got=NEW, command=True),
    Scenario("`cp -r` inside", TREE, _s3target("cp", "-r", "s3://b/d", "s3://b/e"), {**TREE, **COPIED}, command=True),
    Scenario("`mv` inside", {"k": NEW}, _s3target("mv", "s3://b/k", "s3://b/c"), {"c": NEW}, command=True),
    Scenario("`mv` up", {}, _s3target("mv", "SOURCE", "s3://b/k"), {"k": NEW}, command=True),
    Scenario("`sync` up", {}, _s3target("sync", "TREE", "s3://b/d"), TREE, command=True),
    Scenario("`sync` down", TREE, _s3target("sync", "s3://b/d", "TREE"), TREE, command=True),
    Scenario("`rm -r`", TREE, _s3target("rm", "-r", "s3://b/d"), {}, command=True),
    Scenario("`uploads abort`", {}, _orphan, {}, command=True),
)  # fmt: skip

"""What is measured: the table of workloads, and which of them a profile runs, at which size."""

from __future__ import annotations

from dataclasses import dataclass, replace

MIB = 1 << 20
GIB = 1 << 30
COLD, LOOP, BYTES, KEYS = "cold", "loop", "bytes", "keys"
PREFIXES = 20


@dataclass(frozen=True)
class Workload:
    """name: also that of the method of a client that does it.

    kind: COLD is timed from outside the process; LOOP is one small call, again and again, `amount` times at most;
    BYTES and KEYS are one call that moves `amount` of them. threads: how many make the calls of a LOOP.
    """

    name: str
    title: str
    kind: str
    amount: int = 1
    least: int = 1
    threads: int = 1
    method: str = ""

    @property
    def called(self) -> str:
        return self.method or self.name

    @property
    def unit(self) -> str:
        return {COLD: "ms", LOOP: "/s", BYTES: "MiB/s", KEYS: "/s"}[self.kind]

    def scaled(self, scale: float) -> Workload:
        return replace(self, amount=max(self.least, int(self.amount * scale)))


_TABLE = (
    Workload("cold", "cold: process start to first exists()", COLD),
    Workload("put_small", "put 1 KiB", LOOP, 20_000, 50),
    Workload("get_small", "get 1 KiB", LOOP, 20_000, 50),
    Workload("exists_hit", "exists, hit", LOOP, 20_000, 50),
    Workload("exists_miss", "exists, miss", LOOP, 20_000, 50),
    Workload("get_small_16", "get 1 KiB, 16 threads", LOOP, 40_000, 160, threads=16, method="get_small"),
    Workload("put", "put {size}", BYTES, GIB, 9 * MIB),
    Workload("get", "get {size} to a file", BYTES, GIB, 9 * MIB),
    Workload("read", "read {size} as a stream, 1 MiB pieces", BYTES, GIB, 9 * MIB),
    Workload("read_ahead", "the same, ours with readahead=16", BYTES, GIB, 9 * MIB),
    Workload("write", "write {size} as a stream, 1 MiB pieces", BYTES, GIB, 9 * MIB),
    Workload("lines", "lines of {size} of text", BYTES, 256 * MIB, MIB),
    Workload("list_names", "list {count} names", KEYS, 100_000, 1_000),
    Workload("list_objects", "list {count} objects with size and time", KEYS, 100_000, 1_000),
    Workload("list_prefixes", "list 20 prefixes, {count} keys in all", KEYS, PREFIXES * 5_000, PREFIXES * 50),
    Workload("remove", "remove a directory of {count} keys", KEYS, 10_000, 100),
    Workload("copy", "copy a directory of {count} keys", KEYS, 1_000, 20),
    Workload("exists_many", "exists of {count} paths, none there", KEYS, 500, 20),
)
WORKLOADS = {workload.name: workload for workload in _TABLE}

_WAN = (
    *("exists_miss", "exists_many", "put", "get", "read", "read_ahead", "copy", "remove"),
    "list_prefixes",
)
PROFILES = {
    "null": tuple(name for name in WORKLOADS if name not in ("read_ahead", "list_prefixes", "exists_many")),
    "wan": _WAN,
    "seaweedfs": tuple(name for name in WORKLOADS if name not in ("read_ahead", "list_prefixes", "exists_many")),
}
PROFILE_SCALE = {"null": 1.0, "wan": 1.0, "seaweedfs": 0.1}
"""A real store takes its time, and keeps what it is given."""


def chosen(profile: str, names: list[str], scale: float) -> list[Workload]:
    """The workloads of a profile, or those named, in the table's order and at their size."""
    wanted = names or PROFILES[profile]
    return [WORKLOADS[name].scaled(scale * PROFILE_SCALE[profile]) for name in WORKLOADS if name in wanted]


def title(workload: Workload) -> str:
    """For people: with the size it was run at."""
    size = f"{workload.amount / GIB:g} GiB" if workload.amount >= GIB else f"{workload.amount / MIB:.0f} MiB"
    return workload.title.format(size=size, count=f"{workload.amount:,}")

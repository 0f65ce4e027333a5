"""How an object is cut into parts, and how many threads move them. Pure.

Limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from ..errors import ConfigError
from ..protocol.options import ExtraArgs
from ..value import NamedTuple, dataclass, field

MIB = 1 << 20
GIB = 1 << 30
MIN_PART = 5 * MIB
"""The smallest part that is not the last one of its upload."""
MAX_PART = 5 * GIB
MAX_PARTS = 10_000
MAX_SINGLE = 5 * GIB
"""The largest object that one PutObject or CopyObject makes."""
MAX_OBJECT = MAX_PARTS * MAX_PART
"""48.8 TiB, as on AWS now; a store that takes less says so itself."""
DEFAULT_PART = 8 * MIB
COPY_THRESHOLD = 256 * MIB

Progress = Callable[[int, "int | None"], None]
"""Called with (bytes done, bytes in all or None) from the threads that move them, one at a time."""


class PartRange(NamedTuple):
    """Part `number` (from 1): `length` bytes from `offset` on."""

    number: int
    offset: int
    length: int


@dataclass(frozen=True)
class TransferOptions:
    """How to move an object. ConfigError if a number cannot be right.

    part_size: bytes; what is larger goes in parts. threads: how many move parts at once, None: chosen by size and
    cores. extra_args: by boto3's names, checked by the caller (protocol.options.check). copy_threshold: bytes up to
    which a copy inside the store is one request, whatever part_size.
    """

    part_size: int = DEFAULT_PART
    threads: int | None = None
    progress: Progress | None = None
    extra_args: ExtraArgs = field(default_factory=dict, repr=False)
    copy_threshold: int = COPY_THRESHOLD

    def __post_init__(self) -> None:
        if not 1 <= self.part_size <= MAX_PART:
            raise ConfigError(f"part_size must be from 1 byte to 5 GiB ({MAX_PART}), not {self.part_size!r}")
        if not 0 <= self.copy_threshold <= MAX_SINGLE:
            raise ConfigError(f"copy_threshold must be from 0 to 5 GiB ({MAX_SINGLE}), not {self.copy_threshold!r}")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads must be 1 or more, or None to have it chosen, not {self.threads!r}")


def part_size_for(size: int, wanted: int = DEFAULT_PART) -> int:
    """The part size in bytes for an upload or copy of `size` bytes: wanted, doubled until 10,000 parts suffice.

    ConfigError if no part size would do, or if wanted is under 5 MiB and more than one part is needed.
    """
    if size > MAX_OBJECT:
        raise ConfigError(f"{size} bytes are more than an object can hold: at most {MAX_PARTS} parts of 5 GiB")
    if size > wanted and wanted < MIN_PART:
        raise ConfigError(f"part_size={wanted} is too small: S3 refuses parts under 5 MiB ({MIN_PART}) but the last")
    part_size = wanted
    while part_count(size, part_size) > MAX_PARTS:
        part_size = min(part_size * 2, MAX_PART)
    return part_size


def part_count(size: int, part_size: int) -> int:
    return -(-size // part_size)


def part_ranges(size: int, part_size: int) -> Iterator[PartRange]:
    """The parts of `size` bytes in order: they cover each byte once, and all but the last have part_size bytes."""
    for number, offset in enumerate(range(0, size, part_size), 1):
        yield PartRange(number, offset, min(part_size, size - offset))


def threads_for(size: int, part_size: int, wanted: int | None = None) -> int:
    """How many threads move `size` bytes: no more than there are parts, and at least one.

    At most: workers.run_all() begins with fewer. One connection to S3 gives 50 to 90 MB/s, so not wanting any number
    means 32, or 16 with a single core, which cannot feed more.
    """
    most = wanted or min(32, 16 * (os.cpu_count() or 1))
    return max(1, min(part_count(size, part_size), most))

"""The plan of parts: every byte once, never more parts than S3 takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3target.errors import ConfigError
from s3target.transfer.plan import (
    DEFAULT_PART,
    GIB,
    MAX_OBJECT,
    MAX_PART,
    MAX_PARTS,
    MIB,
    MIN_PART,
    TransferOptions,
    part_count,
    part_ranges,
    part_size_for,
    threads_for,
)

TIB = 1 << 40


@pytest.mark.parametrize(
    ("size", "wanted", "expected"),
    [
        (0, DEFAULT_PART, DEFAULT_PART),
        (1, 1, 1),
        (100, 1000, 1000),
        (MAX_PARTS * 8 * MIB, DEFAULT_PART, 8 * MIB),
        (MAX_PARTS * 8 * MIB + 1, DEFAULT_PART, 16 * MIB),
        (6 * GIB, DEFAULT_PART, 8 * MIB),
        (5 * TIB, DEFAULT_PART, 1 * GIB),
        (5 * TIB, 5 * MIB, 640 * MIB),
        (MAX_OBJECT, DEFAULT_PART, MAX_PART),
        (MAX_OBJECT, 3 * GIB, MAX_PART),
    ],
)
def test_part_size(size: int, wanted: int, expected: int) -> None:
    """The wanted size is doubled until 10,000 parts suffice, and never over 5 GiB."""
    assert part_size_for(size, wanted) == expected


@pytest.mark.parametrize(("size", "wanted"), [(MAX_OBJECT + 1, DEFAULT_PART), (MIN_PART, MIN_PART - 1), (2, 1)])
def test_sizes_that_no_store_takes_are_refused(size: int, wanted: int) -> None:
    """More than 10,000 parts of 5 GiB, and parts under 5 MiB, are errors before anything is sent."""
    with pytest.raises(ConfigError, match=r"5 [GM]iB"):
        part_size_for(size, wanted)


@given(st.integers(0, 5 * TIB), st.integers(MIN_PART, MAX_PART))
def test_plans_up_to_5_tib_have_legal_parts(size: int, wanted: int) -> None:
    """At most 10,000 parts, each within the limits."""
    part_size = part_size_for(size, wanted)
    assert part_count(size, part_size) <= MAX_PARTS
    assert wanted <= part_size <= MAX_PART


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_ranges_cover_each_byte_once(size: int, part_size: int) -> None:
    """Parts are numbered from 1, follow on each other and end where the object does; only the last is shorter."""
    part_size = max(part_size, size // 500)
    position = 0
    parts = list(part_ranges(size, part_size)) if part_size else []
    for expected, part in enumerate(parts, 1):
        assert (part.number, part.offset) == (expected, position)
        assert 0 < part.length <= part_size
        position += part.length
    assert position == size
    assert all(part.length == part_size for part in parts[:-1])
    assert len(parts) == part_count(size, part_size)


@pytest.mark.parametrize(
    ("size", "wanted", "expected"),
    [(0, None, 1), (1, None, 1), (8 * MIB, 7, 1), (16 * MIB, None, 2), (17 * MIB, 99, 3), (TIB, 5, 5)],
)
def test_no_more_threads_than_parts(size: int, wanted: int | None, expected: int) -> None:
    """A thread without a part is of no use."""
    assert threads_for(size, 8 * MIB, wanted) == expected


def test_many_parts_have_threads_enough_for_a_wide_area() -> None:
    """One connection to S3 gives 50-90 MB/s, so a handful would not fill the line."""
    assert 16 <= threads_for(TIB, 8 * MIB) <= 32


@pytest.mark.parametrize(
    "wrong", [{"part_size": 0}, {"part_size": MAX_PART + 1}, {"threads": 0}, {"copy_threshold": -1}]
)
def test_options_that_cannot_be_right_are_refused(wrong: dict[str, int]) -> None:
    """The message names the option."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TransferOptions(**wrong)  # type: ignore[arg-type]

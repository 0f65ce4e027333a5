"""What was signed beside what the store signed."""

from __future__ import annotations

import pytest

from s3target.cli.doctor.store import compare, first_difference, ours_of
from s3target.protocol.messages import Credentials, Origin, Request
from s3target.protocol.sigv4 import sign

CREDENTIALS = Credentials("AKID", "very-secret", "very-secret-token")
REQUEST = Request(
    "GET",
    Origin("http", "store.test", 9000),
    "/bucket",
    (("prefix", "a b"),),
    {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"},
    region="us-east-1",
)
SIGNED = sign(REQUEST, CREDENTIALS, 0.0, {})
OURS = """GET
/bucket
prefix=a%20b
host:store.test:9000
x-amz-content-sha256:UNSIGNED-PAYLOAD
x-amz-date:19700101T000000Z
x-amz-security-token:***

host;x-amz-content-sha256;x-amz-date;x-amz-security-token
UNSIGNED-PAYLOAD"""


def test_the_canonical_request_without_secrets() -> None:
    """Neither token nor signature."""
    assert ours_of(SIGNED) == OURS


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (OURS, None),
        (OURS.replace("\n", "\r\n"), None),
        (OURS.replace("store.test:9000", "store.test"), (4, "host:store.test:9000", "host:store.test")),
        (OURS + "\nmore", (11, "", "more")),
    ],
)
def test_the_first_line_that_differs(theirs: str, expected: tuple[int, str, str] | None) -> None:
    """By number, ours and theirs."""
    assert first_difference(OURS, theirs) == expected


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ("", "the store does not tell its own, so it cannot be compared"),
        (OURS, "the store's is the same, so it is the secret key that differs"),
        (OURS.replace("a%20b", "a+b"), "line 3 differs: we signed 'prefix=a%20b', the store 'prefix=a+b'"),
    ],
)
def test_what_the_difference_means(theirs: str, told: str) -> None:
    """Who changed what, or that the secret is wrong."""
    assert compare(OURS, theirs).endswith(told)

"""GetObjectTagging: what is sent, and how its answers read."""

from __future__ import annotations

import pytest

from s3target.errors import BadResponse
from s3target.protocol.endpoint import Location
from s3target.protocol.messages import Origin, Response
from s3target.protocol.operations.base import Fixed
from s3target.protocol.operations.objects import GetObjectTagging

STORE = Fixed(Location(Origin("http", "store", 80), "/b", "r", "s3"))


@pytest.mark.parametrize(
    ("version", "query"), [(None, (("tagging", ""),)), ("v1", (("tagging", ""), ("versionId", "v1")))]
)
def test_request(version: str | None, query: tuple[tuple[str, str], ...]) -> None:
    """A GET of the key with ?tagging."""
    request = GetObjectTagging("b", "a b", version_id=version).request(STORE)
    assert (request.method, request.path, request.query) == ("GET", "/b/a%20b", query)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<Tagging><TagSet/></Tagging>", ()),
        (b"<Tagging/>", ()),
        (
            b'<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a</Key><Value>1</Value></Tag>'
            b"<Tag><Key>b&amp;</Key><Value></Value></Tag></TagSet></Tagging>",
            (("a", "1"), ("b&", "")),
        ),
    ],
)
def test_answer(body: bytes, expected: tuple[tuple[str, str], ...]) -> None:
    """Pairs in the store's order."""
    assert GetObjectTagging("b", "k").parse(Response(200, {}, body)) == expected


@pytest.mark.parametrize("body", [b"", b"the object itself", b"<ListBucketResult/>"])
def test_anything_else_is_refused(body: bytes) -> None:
    """rclone takes the question for a GetObject."""
    with pytest.raises(BadResponse):
        GetObjectTagging("b", "k").parse(Response(200, {}, body))

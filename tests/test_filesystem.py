"""What a removal leaves behind on stores that are file systems: by script, as JuiceFS was seen to answer."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from s3target.errors import ConfigError
from s3target.filesystem import FileSystem, S3Path, parse_path
from s3target.transfer.plan import TransferOptions
from scripted import Move, Scripted, client_for, reply

ETAG = "&quot;9dd4e461268c8034f5c8564e155c67a6&quot;"


def listing(*keys: str, more: bool = False, folder_size: int = 0) -> Move:
    """Those that end in "/" are folders: JuiceFS lists them as if they were objects, without an ETag."""
    entries = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-11-25T02:56:13.866Z</LastModified>"
        f"<ETag>{'' if key.endswith('/') else ETAG}</ETag>"
        f"<Size>{folder_size if key.endswith('/') else 1}</Size></Contents>"
        for key in keys
    )
    page = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{keys[-1]}</NextContinuationToken>" if more else ""
    return reply(200, f"<ListBucketResult>{entries}{page}</ListBucketResult>".encode())


REMOVED = reply(200, b"<DeleteResult/>")
GONE = reply(204)
ABSENT = reply(404)


@pytest.mark.parametrize(
    ("left", "then", "count"),
    [
        ([listing()], [], 2),
        ([listing("d/e/")], [listing("d/e/", "d/f/"), GONE, GONE], 2),
        ([listing("d_$folder$")], [GONE], 3),
        ([listing("d/new", "d0")], [], 2),  # by somebody else, meanwhile
        ([listing("d-1", more=True), listing("d/e/"), ABSENT], [listing("d/e/"), GONE], 2),
        ([listing("d-1", more=True), listing(), reply(200, content_length="0")], [GONE], 3),
    ],
    ids=["nothing", "folders", "marker", "an arrival", "a folder behind siblings", "a marker behind siblings"],
)
def test_what_a_batch_of_removals_leaves_is_removed(left: list[Move], then: list[Move], count: int) -> None:
    """Folders by themselves, as a batch does not take them; Hadoop's marker; nothing that others have made."""
    transport = Scripted(listing("d/a", "d/e/f"), REMOVED, *left, *then)
    assert FileSystem(client_for(transport)).remove_directory(S3Path("b", "d")) == count
    assert not transport.script
    removals = [line.split()[1] for line in transport.log if line.startswith("DELETE")]
    folders = ["/b/d/e/", "/b/d/f/"][: len(removals)]
    assert sorted(removals) == (["/b/d_%24folder%24"] if count == 3 else folders)


def test_a_moved_directory_leaves_no_folder() -> None:
    """Which would still be there to whoever asks for it."""
    copied = reply(200, f"<CopyObjectResult><ETag>{ETAG}</ETag></CopyObjectResult>".encode())
    transport = Scripted(listing("d/a"), copied, REMOVED, listing("d/"), listing("d/"), GONE)
    assert FileSystem(client_for(transport)).move_directory(S3Path("b", "d"), S3Path("b", "to"), TransferOptions()) == 1
    assert transport.log[-1] == "DELETE /b/d/ 204"


def test_a_marker_that_holds_bytes_stays_where_nothing_has_an_etag() -> None:
    """It was not copied, so it must not go with what was."""
    copied = reply(200, f"<CopyObjectResult><ETag>{ETAG}</ETag></CopyObjectResult>".encode())
    left = listing("d/", folder_size=5)
    transport = Scripted(listing("d/", "d/a", folder_size=5), copied, REMOVED, left)
    assert FileSystem(client_for(transport)).move_directory(S3Path("b", "d"), S3Path("b", "to"), TransferOptions()) == 1
    assert [line for line in transport.log if line.startswith("DELETE")] == ["DELETE /b/d/a 200"]


@pytest.mark.parametrize("options", [TransferOptions(), TransferOptions(extra_args={"StorageClass": "GLACIER"})])
def test_what_is_listed_elsewhere_is_not_moved(options: TransferOptions) -> None:
    """SeaweedFS lists d/a below d//; by the length of the prefix that would be nothing to copy, but to be removed."""
    transport = Scripted(listing("d/a"))
    with pytest.raises(ConfigError, match="'d/a' below s3://b/d//"):
        FileSystem(client_for(transport)).move_directory(S3Path("b", "d//"), S3Path("b", "to/"), options)
    assert len(transport.log) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"content_length": "2"},
        {"etag": '"other"'},
        {"last_modified": "Wed, 25 Nov 2026 02:56:14 GMT"},
        {},
    ],
    ids=lambda other: "".join(other) or "nothing",
)
def test_two_keys_are_one_object_if_nothing_differs(other: dict[str, str]) -> None:
    """Of what a HEAD tells; nothing is listed, as MinIO refuses to below such keys. Keys whose segments differ are two,
    unasked."""
    same = {"content_length": "1", "etag": '"same"', "last_modified": "Wed, 25 Nov 2026 02:56:13 GMT"}
    transport = Scripted(reply(200, **same), reply(200, **same), reply(200, **{**same, **other}))
    files = FileSystem(client_for(transport))
    with nullcontext() if other else pytest.raises(ConfigError, match="seem to be the same object"):
        files.check_apart(S3Path("b", "d//x"), S3Path("b", "d/x"))
    assert not transport.script
    files.check_apart(S3Path("b", "d/x"), S3Path("b", "d/y"))
    files.check_apart(S3Path("b", "d/x"), S3Path("c", "d/x"))


def test_the_longest_keys() -> None:
    """In bytes, not in characters."""
    for key in ("k" * 1024, "ü" * 512):
        assert parse_path(f"s3://bucket/{key}").key == key
        with pytest.raises(ConfigError, match="over 1024 bytes"):
            parse_path(f"s3://bucket/{key}k")


@pytest.mark.parametrize(
    ("inner", "outer", "lies"),
    [
        (S3Path("b", "d/x"), S3Path("b", "d"), True),
        (S3Path("b", "d"), S3Path("b", "d/"), True),
        (S3Path("b", "dx"), S3Path("b", "d"), False),
        (S3Path("b", "d"), S3Path("b", "d/x"), False),
        (S3Path("c", "d/x"), S3Path("b", "d"), False),
        (S3Path("b", "x"), S3Path("b", ""), True),
    ],
)
def test_what_lies_below(inner: S3Path, outer: S3Path, lies: bool) -> None:
    assert inner.is_below(outer) is lies

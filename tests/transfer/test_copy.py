"""Copies inside the store: at once or in parts, with metadata and tags either way."""

from __future__ import annotations

import hashlib
import time
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from s3target.errors import (
    AccessDenied,
    BadResponse,
    NoSuchKey,
    ObjectChanged,
    PreconditionFailed,
    ServerFault,
    ServiceError,
)
from s3target.protocol.operations.multipart import UploadPartCopy
from s3target.protocol.operations.objects import CopySource, ObjectInfo
from s3target.protocol.operations.traces import MARK
from s3target.transfer.copy import PARTS_AT_ONCE, copy
from s3target.transfer.plan import MIB, MIN_PART, TransferOptions
from s3target.value import replace
from transfer.memory_store import MemoryStore

SOURCE = CopySource("from", "a/b")
CONTENT = bytes(range(256)) * (MIB // 16)  # 16 MiB
HEADERS = {"content_type": "text/x", "cache_control": "no-cache", "x_amz_meta_a": "1", "etag": "not carried"}
PARTS = TransferOptions(part_size=MIN_PART, threads=3, copy_threshold=MIN_PART)


def ready(size: int = len(CONTENT)) -> MemoryStore:
    store = MemoryStore()
    store.put("from", "a/b", CONTENT[:size], **HEADERS).tags = (("t", "1"), ("u", "x y&z"))
    return store


@pytest.mark.parametrize("size", [0, 1, MIN_PART])
def test_a_small_object_takes_two_requests(size: int) -> None:
    """HEAD for the size, then one CopyObject."""
    store = ready(size)
    told: list[tuple[int, int | None]] = []
    options = TransferOptions(progress=lambda *count: told.append(count))
    written, copied = copy(store, SOURCE, "to", "k", options)
    assert store.names() == ["HeadObject", "CopyObject"]
    assert (store.content("to", "k"), copied) == (CONTENT[:size], size)
    assert written.e_tag
    assert told == [(size, size)]


def test_not_all_threads_copy_parts_of_one_object() -> None:
    """A hundred, which Luigi asks for by default, are for the objects of a directory; parts are too much work."""
    store = MemoryStore()
    store.put("from", "a/b", bytes((PARTS_AT_ONCE + 4) * MIN_PART))
    store.on_call = lambda operation: time.sleep(0.05 if isinstance(operation, UploadPartCopy) else 0)
    copy(store, SOURCE, "to", "k", TransferOptions(part_size=MIN_PART, threads=100, copy_threshold=MIN_PART))
    assert 1 < store.most_running <= PARTS_AT_ONCE


@pytest.mark.parametrize("size", [1, MIN_PART, len(CONTENT)])
@pytest.mark.parametrize("extra_args", [{}, {"IfNoneMatch": "*"}])
def test_what_a_listing_has_told_saves_the_head(size: int, extra_args: dict[str, str]) -> None:
    """But not where metadata has to be carried over, which no listing tells."""
    store = ready(size)
    listed = ObjectInfo("from", "a/b", size, store.objects["from", "a/b"].e_tag)
    assert copy(store, SOURCE, "to", "k", replace(PARTS, extra_args=extra_args), listed)[1] == size
    asked = bool(extra_args) or size > MIN_PART
    assert store.names().count("HeadObject") == asked
    writes = [call for call in store.calls if call.name in ("CopyObject", "CreateMultipartUpload")]
    assert writes[-1].headers.get("x-amz-meta-a") == ("1" if asked else None)


def test_a_part_size_above_the_threshold_raises_it() -> None:
    """One part is no reason for a multipart upload."""
    store = ready()
    copy(store, SOURCE, "to", "k", TransferOptions(part_size=16 * MIB, copy_threshold=MIN_PART))
    assert store.names() == ["HeadObject", "CopyObject"]


@pytest.mark.parametrize("size", [MIN_PART + 1, 2 * MIN_PART, len(CONTENT)])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_larger_object_goes_in_parts(size: int, threads: int) -> None:
    """Each bound to the ETag that the HEAD saw."""
    store = ready(size)
    told: list[tuple[int, int | None]] = []
    options = TransferOptions(MIN_PART, threads, lambda *count: told.append(count), copy_threshold=MIN_PART)
    written, copied = copy(store, SOURCE, "to", "k", options)
    parts = -(-size // MIN_PART)
    assert store.names()[2:] == ["CreateMultipartUpload", *["UploadPartCopy"] * parts, "CompleteMultipartUpload"]
    assert (store.content("to", "k"), copied) == (CONTENT[:size], size)
    assert written.e_tag == f"parts-{parts}"
    assert told[-1] == (size, size)
    e_tag = store.objects["from", "a/b"].e_tag
    guards = {call.headers["x-amz-copy-source-if-match"] for call in store.calls if call.name == "UploadPartCopy"}
    assert guards == {f'"{e_tag}"'}
    assert store.most_running <= threads


def test_parts_are_at_least_a_quarter_of_the_threshold() -> None:
    """Small parts would be requests without a gain."""
    store = ready()
    copy(store, SOURCE, "to", "k", TransferOptions(MIN_PART, copy_threshold=MIN_PART))
    assert store.names().count("UploadPartCopy") == 4
    store = MemoryStore()
    store.put("from", "a/b", bytes(33 * MIB))
    copy(store, SOURCE, "to", "k", TransferOptions(MIN_PART, copy_threshold=32 * MIB))
    assert store.names().count("UploadPartCopy") == 5


def test_metadata_and_tags_go_along_in_parts() -> None:
    """UploadPartCopy carries neither by itself. What a conditional write was known by is not the user's metadata."""
    store = ready()
    store.objects["from", "a/b"].headers[MARK] = "of another write"
    copy(store, SOURCE, "to", "k", PARTS)
    create = store.calls[2]
    assert create.headers == {
        "content-type": "text/x",
        "cache-control": "no-cache",
        "x-amz-meta-a": "1",
        "x-amz-tagging": "t=1&u=x%20y%26z",
    }


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}, {}),
        (
            {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}, "Tagging": "n=1"},
            {"x-amz-meta-b": "2", "x-amz-tagging": "n=1"},
        ),
        (
            {"ContentType": "text/y", "Metadata": {"b": "2"}, "Tagging": {"n": "1"}},
            {"content-type": "text/y", "cache-control": "no-cache", "x-amz-meta-b": "2", "x-amz-tagging": "n=1"},
        ),
        (
            {"StorageClass": "GLACIER", "TaggingDirective": "REPLACE"},
            {
                "content-type": "text/x",
                "cache-control": "no-cache",
                "x-amz-meta-a": "1",
                "x-amz-storage-class": "GLACIER",
            },
        ),
    ],
)
def test_what_is_given_replaces_what_is_carried(extra: dict[str, Any], expected: dict[str, str]) -> None:
    """Directives as with CopyObject; tags that are not wanted are not asked for."""
    store = ready()
    options = TransferOptions(MIN_PART, extra_args=extra, copy_threshold=MIN_PART)
    copy(store, SOURCE, "to", "k", options)
    create = next(call for call in store.calls if call.name == "CreateMultipartUpload")
    assert create.headers == expected
    assert "GetObjectTagging" not in store.names()


@pytest.mark.parametrize(
    "error", [ServiceError(status, "No") for status in (400, 404, 405, 501)] + [BadResponse("XML")]
)
def test_a_store_without_tags_has_none_to_carry(error: Exception) -> None:
    """Swift says 501, rclone takes the question for a GetObject."""
    store = ready()
    store.tagging_error = error
    copy(store, SOURCE, "to", "k", replace(PARTS, extra_args={"RequestPayer": "requester"}))
    assert store.content("to", "k") == CONTENT
    assert store.names().count("UploadPartCopy") == 4
    assert store.calls[1].headers == {"x-amz-request-payer": "requester"}
    assert "x-amz-tagging" not in store.calls[2].headers


def test_an_object_that_is_known_to_have_no_tags_is_not_asked_for_them() -> None:
    """The HEAD may have said it."""
    store = MemoryStore()
    store.put("from", "a/b", CONTENT, x_amz_tagging_count="0")
    copy(store, SOURCE, "to", "k", PARTS)
    assert "GetObjectTagging" not in store.names()


def test_tags_that_may_not_be_read_are_not_lost_in_silence() -> None:
    """The copy fails, before anything is begun."""
    store = ready()
    store.tagging_error = AccessDenied(403, "AccessDenied")
    with pytest.raises(AccessDenied):
        copy(store, SOURCE, "to", "k", PARTS)
    assert store.names() == ["HeadObject", "GetObjectTagging"]


@pytest.mark.parametrize("call", range(1, 9))
@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_anywhere_aborts_and_is_the_one_raised(call: int, threads: int) -> None:
    """HEAD, tags, Create, each part, Complete."""
    store = ready()
    store.failures[call] = error = ServerFault(500, "InternalError")
    with pytest.raises(ServerFault) as caught:
        copy(store, SOURCE, "to", "k", TransferOptions(MIN_PART, threads, copy_threshold=MIN_PART))
    assert caught.value is error
    assert store.uploads == {}
    assert ("to", "k") not in store.objects
    assert ("AbortMultipartUpload" in store.names()) == (call > 3)


def test_a_source_that_is_replaced_meanwhile_is_an_error() -> None:
    """A copy of two states is none."""
    store = ready()

    def on_call(operation: Any) -> None:
        if operation.name == "UploadPartCopy" and operation.number == 2:
            store.put("from", "a/b", CONTENT[::-1])

    store.on_call = on_call
    with pytest.raises(ObjectChanged, match="s3://from/a/b"):
        copy(store, SOURCE, "to", "k", PARTS)
    assert store.uploads == {}


@pytest.mark.parametrize("replaced", [False, True])
def test_a_source_without_an_etag_is_looked_at_again(replaced: bool) -> None:
    """There is nothing to bind the parts together: it must be the same before and after them."""
    store = ready()
    store.e_tags = False

    def on_call(operation: Any) -> None:
        if replaced and operation.name == "UploadPartCopy" and operation.number == 2:
            store.put("from", "a/b", CONTENT[::-1]).modified = "later"

    store.on_call = on_call
    with pytest.raises(ObjectChanged, match="s3://from/a/b") if replaced else nullcontext():
        copy(store, SOURCE, "to", "k", PARTS)
    assert (("to", "k") in store.objects) != replaced
    assert store.uploads == {}


def test_parts_stay_bound_to_one_object_whatever_else_is_wanted_of_the_source() -> None:
    """CopySourceIfMatch: * would let each part be of another one."""
    store = ready()
    copy(store, SOURCE, "to", "k", replace(PARTS, extra_args={"CopySourceIfMatch": "*"}))
    guards = {call.headers["x-amz-copy-source-if-match"] for call in store.calls if call.name == "UploadPartCopy"}
    assert guards == {f'"{store.objects["from", "a/b"].e_tag}"'}


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_cannot_compare_etags_has_the_source_looked_at_again(replaced: bool) -> None:
    """Swift refuses the right one of what went up in parts: then the source must be the same before and after."""
    store = ready()
    looks: list[Any] = []

    def on_call(operation: Any) -> None:
        looks.extend([operation] if operation.name == "HeadObject" else [])
        if operation.name == "UploadPartCopy":
            if "x-amz-copy-source-if-match" in operation.headers:
                raise PreconditionFailed(412, "PreconditionFailed")
            if replaced and operation.number == 2:
                store.put("from", "a/b", CONTENT[::-1])

    store.on_call = on_call
    if replaced:
        with pytest.raises(ObjectChanged, match="s3://from/a/b"):
            copy(store, SOURCE, "to", "k", PARTS)
        assert ("to", "k") not in store.objects
    else:
        assert copy(store, SOURCE, "to", "k", PARTS)[1] == len(CONTENT)
        assert store.objects["to", "k"].content == CONTENT
    assert len(looks) == 3
    assert store.uploads == {}


def test_a_condition_of_the_callers_is_not_a_change() -> None:
    """CopySourceIfMatch, of a source that is replaced meanwhile: PreconditionFailed, and the value on every part."""
    store = ready()
    e_tag = store.objects["from", "a/b"].e_tag
    store.on_call = lambda operation: store.put("from", "a/b", b"other") if operation.name == "UploadPartCopy" else None
    options = TransferOptions(MIN_PART, 1, extra_args={"CopySourceIfMatch": e_tag}, copy_threshold=MIN_PART)
    with pytest.raises(PreconditionFailed):
        copy(store, SOURCE, "to", "k", options)
    part = next(call for call in store.calls if call.name == "UploadPartCopy")
    assert part.headers["x-amz-copy-source-if-match"] == f'"{e_tag}"'


E_TAG = hashlib.md5(CONTENT[:10]).hexdigest()
NOON = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
BEFORE, AFTER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({"Match": E_TAG}, True),
        ({"Match": f'"{E_TAG}"'}, True),
        ({"Match": "*"}, True),
        ({"Match": "other"}, False),
        ({"NoneMatch": "other"}, True),
        ({"NoneMatch": E_TAG}, False),
        ({"NoneMatch": "*"}, False),
        ({"ModifiedSince": BEFORE}, True),
        ({"ModifiedSince": NOON}, False),
        ({"ModifiedSince": "2026-11-25"}, True),  # for the store to refuse
        ({"UnmodifiedSince": NOON}, True),
        ({"UnmodifiedSince": BEFORE}, False),
        ({"UnmodifiedSince": "Wed, 25 Nov 2026 11:59:59 GMT"}, False),
        ({"Match": E_TAG, "UnmodifiedSince": BEFORE}, True),
        ({"NoneMatch": E_TAG, "ModifiedSince": BEFORE}, False),
        ({"Match": E_TAG, "ModifiedSince": AFTER}, False),
        ({"Match": None}, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("looked_at", [False, True])
def test_a_condition_holds_where_the_store_ignores_it(
    conditions: dict[str, Any], holds: bool, looked_at: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the listing or a HEAD has told of the source: a move must not remove what it should not have copied."""
    store = ready(10)
    monkeypatch.setattr(store, "_source", lambda source, _: store.objects[source.bucket, source.key])
    seen = ObjectInfo("from", "a/b", 10, E_TAG, "2026-11-25T12:00:00.700Z")
    monkeypatch.setattr(store, "_HeadObject", lambda operation: seen)
    options = TransferOptions(extra_args={f"CopySourceIf{name}": value for name, value in conditions.items()})
    with nullcontext() if holds else pytest.raises(PreconditionFailed, match="from/a/b"):
        copy(store, SOURCE, "to", "k", options, None if looked_at else seen)
    assert (("to", "k") in store.objects) == holds


def test_the_destination_condition_is_kept() -> None:
    """IfNoneMatch goes with Complete."""
    store = ready()
    store.put("to", "k", b"theirs")
    options = TransferOptions(MIN_PART, 2, extra_args={"IfNoneMatch": "*"}, copy_threshold=MIN_PART)
    with pytest.raises(PreconditionFailed):
        copy(store, SOURCE, "to", "k", options)
    assert store.content("to", "k") == b"theirs"
    assert store.uploads == {}


def test_a_missing_source_is_told_by_the_head() -> None:
    """Nothing else is asked."""
    store = MemoryStore()
    with pytest.raises(NoSuchKey):
        copy(store, SOURCE, "to", "k")
    assert store.names() == ["HeadObject"]


def test_a_store_that_cannot_copy_parts_copies_at_once() -> None:
    """rclone's UploadPartCopy answers without a result: abort, and one CopyObject."""
    store = ready()
    store.copy_part_error = BadResponse("without an ETag; the part was not copied")
    written, size = copy(store, SOURCE, "to", "k", PARTS)
    assert store.content("to", "k") == CONTENT
    assert (size, store.uploads) == (len(CONTENT), {})
    assert store.names()[-2:] == ["AbortMultipartUpload", "CopyObject"]
    assert written.e_tag


@pytest.mark.parametrize("options", [TransferOptions(), PARTS])
def test_an_answer_without_an_etag_has_the_copy_looked_at(options: TransferOptions) -> None:
    """Ceph's Complete tells none: one HEAD of the copy, for ETag and size."""
    store = ready()
    store.silent_copies = True
    written, _ = copy(store, SOURCE, "to", "k", options)
    assert written.e_tag == store.objects["to", "k"].e_tag
    assert store.names()[-1] == "HeadObject"


def test_a_copy_of_another_size_is_an_error() -> None:
    """The HEAD of the copy shows it."""
    store = ready()
    store.silent_copies = True

    def on_call(operation: Any) -> None:
        if operation.name == "CopyObject":
            store.objects["from", "a/b"].content = b"short"

    store.on_call = on_call
    with pytest.raises(ObjectChanged, match="5 bytes"):
        copy(store, SOURCE, "to", "k")


def test_the_version_of_the_source_is_the_one_asked_for() -> None:
    """By HEAD, tags and parts alike; the source's own key decrypts it."""
    store = ready()
    extra = {"CopySourceSSECustomerKey": b"s" * 32, "SSECustomerKey": b"d" * 32}
    options = TransferOptions(MIN_PART, extra_args=extra, copy_threshold=MIN_PART)
    copy(store, SOURCE._replace(version_id="v3"), "to", "k", options)
    head, tagging = store.calls[:2]
    assert (head.version_id, tagging.version_id) == ("v3", "v3")
    assert "x-amz-server-side-encryption-customer-key" in head.headers
    part = next(call for call in store.calls if call.name == "UploadPartCopy")
    assert part.source.version_id == "v3"
    assert "x-amz-copy-source-server-side-encryption-customer-key" in part.headers
    assert "x-amz-server-side-encryption-customer-key" in part.headers

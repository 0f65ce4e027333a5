"""An object to another one, inside the store.

An object of up to copy_threshold, or one part, goes by one CopyObject: atomic, two requests with the HEAD that tells
its size, and metadata and tags go along by themselves. A larger one goes in parts side by side, since a store may be
silent for as long as a single call takes it; there metadata and tags are carried over here. All parts are bound to one
ETag. They are at least a quarter of the threshold: no data passes through here, so small parts are but more requests.
And at most PARTS_AT_ONCE are on their way, however many threads were asked for: each is much work for the store.
"""

from __future__ import annotations

from functools import partial

from ..client import Client
from ..errors import BadResponse, ObjectChanged, PreconditionFailed, ServiceError
from ..logs import getLogger
from ..protocol.encoding import parse_http_date, query_string
from ..protocol.messages import Headers
from ..protocol.operations.multipart import Part, UploadPartCopy
from ..protocol.operations.objects import (
    ByteRange,
    CopyObject,
    CopySource,
    GetObjectTagging,
    HeadObject,
    ObjectInfo,
    Tags,
    WrittenObject,
)
from ..protocol.operations.traces import MARK
from ..protocol.options import ExtraArgs, headers_for, source_headers
from ..value import dataclass
from .marks import is_conditional, mark
from .multipart import MultipartUpload, known
from .once import insist
from .plan import MAX_SINGLE, PartRange, TransferOptions, part_ranges, part_size_for, threads_for
from .workers import Meter, run_all

_CARRIED = (
    *("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"),
    "x-amz-website-redirect-location",
)
_META = "x-amz-meta-"
_DIRECTIVE = "x-amz-metadata-directive"
PARTS_AT_ONCE = 16
"""SeaweedFS on one disk, asked for 100 copies of 64 MiB at once, fails some and is silent past the read timeout."""
_NO_TAGGING = (400, 404, 405, 501)
_DEFAULT = TransferOptions()
_log = getLogger("s3target.transfer")


def copy(
    client: Client,
    source: CopySource,
    bucket: str,
    key: str,
    options: TransferOptions = _DEFAULT,
    listed: ObjectInfo | None = None,
) -> tuple[WrittenObject, int]:
    """Copy source to bucket/key: the store's answer, and the object's size in bytes.

    listed: what a listing has told of the source; a small object then costs one request.
    NotFound if there is no source; ObjectChanged if it is replaced while its parts are copied. MetadataDirective and
    TaggingDirective as with CopyObject; in parts, metadata that is given replaces its like without a directive too.
    """
    at_once = max(options.copy_threshold, options.part_size)
    # What must not overwrite is marked, and so needs to know the source's metadata.
    if listed is None or listed.size > at_once or is_conditional(options.extra_args):
        info = _look_at(client, source, options)
    else:
        info = listed
    _check_conditions(source, info, options.extra_args)
    if info.size <= at_once:
        return _at_once(client, source, bucket, key, info, options), info.size
    try:
        return _Copy(client, source, bucket, key, info, options).run(), info.size
    except ObjectChanged:
        if _state(_look_at(client, source, options)) != _state(info):
            raise
        # To Swift the ETag of an object that went up in parts is a wrong one here.
        return _Copy(client, source, bucket, key, info, options, by_etag=False).run(), info.size
    except BadResponse as error:
        if info.size > MAX_SINGLE:
            raise
        # rclone says 200 to UploadPartCopy, without a result and without copying anything.
        _log.info("copying s3://%s/%s in parts does not work here (%s); copying it at once", bucket, key, error)
        return _at_once(client, source, bucket, key, info, options), info.size


def _look_at(client: Client, source: CopySource, options: TransferOptions) -> ObjectInfo:
    headers = source_headers(options.extra_args)
    return client.call(HeadObject(source.bucket, source.key, headers, source.version_id))


def _check_conditions(source: CopySource, info: ObjectInfo, extra_args: ExtraArgs) -> None:
    """PreconditionFailed unless CopySourceIf... holds, which Ceph, rclone and moto do not look at.

    The order of https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html: ETags go before times.
    """
    conditions = {name: value for name, value in extra_args.items() if name.startswith("CopySourceIf")}
    wanted = headers_for("UploadPartCopy", conditions)
    if not wanted:
        return
    tags = [wanted.get(f"x-amz-copy-source-if-{name}") for name in ("match", "none-match")]
    same, other = (None if tag is None else tag == "*" or tag.strip('"') == info.e_tag for tag in tags)
    holds = same if same is not None else _is_after(info, wanted, "unmodified") is not True
    if not holds or (other if other is not None else _is_after(info, wanted, "modified") is False):
        raise PreconditionFailed(
            *(412, "PreconditionFailed", "the source is not as CopySourceIf... wants it"),
            operation="CopyObject",
            bucket=source.bucket,
            key=source.key,
        )


def _is_after(info: ObjectInfo, wanted: Headers, what: str) -> bool | None:
    """Whether it was modified after the time of this condition; None if there is none, or one that is no HTTP date."""
    try:
        since = parse_http_date(wanted.get(f"x-amz-copy-source-if-{what}-since", ""))
        return info.last_modified.replace(microsecond=0) > since
    except ValueError:
        return None


def _state(info: ObjectInfo) -> tuple[int, str, str]:
    return info.size, info.e_tag, info.modified


def _at_once(
    client: Client, source: CopySource, bucket: str, key: str, info: ObjectInfo, options: TransferOptions
) -> WrittenObject:
    insist(client, bucket, key, options.extra_args, "CopyObject")
    headers = headers_for("CopyObject", options.extra_args)
    if own := mark(options.extra_args):
        carried = _carried(info, headers, options.extra_args)
        headers = {**carried, **headers, **_same_source(info), **own, _DIRECTIVE: "REPLACE"}
    operation = CopyObject(source, bucket, key, headers)
    try:
        written = client.call(operation)
    except PreconditionFailed as error:  # by what is at the destination, or by the source
        if own and _state(_look_at(client, source, options)) != _state(info):
            raise _changed(source) from error
        raise
    Meter(options.progress, info.size).add(info.size)
    return known(client, operation, written, info.size, options.extra_args)


def _same_source(info: ObjectInfo) -> Headers:
    """The condition that the source is still what the HEAD saw."""
    return {"x-amz-copy-source-if-match": f'"{info.e_tag}"'} if info.e_tag else {}


def _changed(source: CopySource) -> ObjectChanged:
    return ObjectChanged(f"s3://{source.bucket}/{source.key} was replaced while it was being copied; try again")


def _carried(source: ObjectInfo, given: Headers, extra_args: ExtraArgs) -> Headers:
    """The source's metadata. Nothing of the user's own where the user gives some."""
    if extra_args.get("MetadataDirective") == "REPLACE":
        return {}
    own = not any(name.startswith(_META) for name in given)
    return {
        name: value
        for name, value in source.headers.items()
        if name in _CARRIED or (own and name.startswith(_META) and name != MARK)
    }


@dataclass(frozen=True)
class _Copy:
    """One copy in parts. by_etag: False where the store cannot compare ETags. Then, or where there is none, the source
    is looked at again."""

    client: Client
    source: CopySource
    bucket: str
    key: str
    info: ObjectInfo
    options: TransferOptions
    by_etag: bool = True

    def run(self) -> WrittenObject:
        size, extra_args = self.info.size, self.options.extra_args
        part_size = part_size_for(size, max(self.options.copy_threshold // 4, self.options.part_size))
        meter = Meter(self.options.progress, size)
        insist(self.client, self.bucket, self.key, extra_args, "CompleteMultipartUpload")
        with MultipartUpload(self.client, self.bucket, self.key, extra_args, self._create_headers()) as parted:
            guard = self._guard()
            jobs = (partial(self._part, parted, part, guard, meter) for part in part_ranges(size, part_size))
            try:
                wanted = min(self.options.threads or PARTS_AT_ONCE, PARTS_AT_ONCE)
                parts = run_all(jobs, threads_for(size, part_size, wanted))
            except PreconditionFailed as error:
                if any(name.startswith("CopySourceIf") for name in extra_args):
                    raise
                raise _changed(self.source) from error
            bound = self.by_etag and self.info.e_tag
            if not bound and _state(_look_at(self.client, self.source, self.options)) != _state(self.info):
                raise _changed(self.source)
            return parted.complete(parts)

    def _part(self, parted: MultipartUpload, part: PartRange, guard: Headers, meter: Meter) -> Part:
        byte_range = ByteRange(part.offset, part.offset + part.length - 1)
        copied = parted.part(
            UploadPartCopy(self.source, self.bucket, self.key, parted.upload_id, part.number, byte_range, guard)
        )
        meter.add(part.length)
        return copied

    def _guard(self) -> Headers:
        """The headers of each part: the source must be what the HEAD saw."""
        own = _same_source(self.info) if self.by_etag else {}
        return {**headers_for("UploadPartCopy", self.options.extra_args), **own}

    def _create_headers(self) -> Headers:
        extra_args = self.options.extra_args
        given = headers_for("CreateMultipartUpload", extra_args)
        headers = {**_carried(self.info, given, extra_args), **given}
        keeps_tags = not extra_args.get("Tagging") and extra_args.get("TaggingDirective") != "REPLACE"
        if keeps_tags and (tags := self._tags()):
            headers["x-amz-tagging"] = query_string(tags)
        return headers

    def _tags(self) -> Tags:
        """The source's tags; none where the store knows no tags. AccessDenied rather than losing some unseen."""
        if self.info.headers.get("x-amz-tagging-count") == "0":
            return ()
        source, payer = self.source, {"RequestPayer": self.options.extra_args.get("RequestPayer")}
        headers = headers_for("HeadObject", payer)
        try:
            return self.client.call(GetObjectTagging(source.bucket, source.key, headers, source.version_id))
        except BadResponse as error:  # rclone takes it for a GetObject
            _log.info("no tags are read of s3://%s/%s: %s", source.bucket, source.key, error)
        except ServiceError as error:
            if error.status not in _NO_TAGGING:
                raise
        return ()

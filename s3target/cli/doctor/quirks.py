"""Steps on what is peculiar to this store: checksums, addressing, unfinished uploads; and the lines for luigi.cfg."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ...client import Client
from ...errors import S3Error, ServiceError, TransportError
from ...filesystem import S3Path
from ...protocol.endpoint import Endpoint
from ...protocol.messages import BytesBody
from ...protocol.operations.buckets import HeadBucket
from ...protocol.operations.objects import HeadObject, PutObject
from ...value import replace
from ..units import human_time
from ..uploads import pending
from .finding import Finding, Patient
from .scratch import Scratch

_WRONG_CRC32 = "AAAAAA=="
"""Not that of what is sent."""
_DAY = 86400.0


def checksums(patient: Patient) -> Finding | None:
    """Whether the store compares the CRC32 of an upload with what it got, and whether it keeps it."""
    if patient.read_only:
        return None
    scratch = Scratch(patient)
    try:
        return _checksums(scratch)
    except (S3Error, OSError):
        return None  # the put step has told why
    finally:
        scratch.remove()


def _checksums(scratch: Scratch) -> Finding:
    wrong = PutObject(scratch.bucket, scratch.key, BytesBody(b"x"), {"x-amz-checksum-crc32": _WRONG_CRC32})
    try:
        scratch.write(scratch.once, wrong)
        compared = False
    except ServiceError as error:
        if error.status == 403:
            raise
        compared = True
    scratch.write(scratch.client, PutObject(scratch.bucket, scratch.key, BytesBody(b"x")))
    head = HeadObject(scratch.bucket, scratch.key, {"x-amz-checksum-mode": "ENABLED"})
    kept = "x-amz-checksum-crc32" in scratch.client.call(head).headers
    told = f"the store {'compares' if compared else 'does not compare'} the CRC32 of an upload with what it got, and "
    return Finding("ok" if compared else "note", "checksum", f"{told}{'keeps it' if kept else 'does not keep it'}")


def addressing(patient: Patient) -> Finding | None:
    """The style in use, and whether the other one works too."""
    endpoint = patient.client.endpoint
    if not isinstance(endpoint, Endpoint) or endpoint.url is None:
        return None
    in_path = patient.location.base_path.endswith(f"/{patient.path.bucket}")
    other = replace(endpoint, addressing_style="virtual" if in_path else "path")
    used, another = ("in the path", "in the host name") if in_path else ("in the host name", "in the path")
    if other.locate(patient.path.bucket) == patient.location:
        return Finding("ok", "addressing", f"the bucket goes {used}; for this host there is no other way")
    works = _works(patient, other)
    return Finding("ok", "addressing", f"the bucket goes {used}; {another} it {'would work' if works else 'fails'} too")


def _works(patient: Patient, endpoint: Endpoint) -> bool:
    client: Client = patient.once()
    client.endpoint = endpoint
    try:
        client.call(HeadBucket(patient.path.bucket))
    except TransportError:
        return False
    except ServiceError as error:
        return error.status == 403
    return True


def orphans(patient: Patient) -> Finding:
    """Uploads that were begun and never ended."""
    path = S3Path(patient.path.bucket, patient.path.below)
    try:
        found = list(pending(patient.client, path))
    except S3Error as error:
        return Finding("note", "uploads", f"cannot be listed: {error}")
    if not found:
        return Finding("ok", "uploads", "none is unfinished")
    oldest = max(time.time() - upload.initiated.timestamp() for upload in found)
    text = f"{len(found)} unfinished, the oldest for {human_time(max(0.0, oldest))}; their parts are stored and billed"
    remedy = f"s3target uploads abort --older-than 1d {path}" if oldest > _DAY else ""
    return Finding("note", "uploads", text, remedy)


_PASTED = ("endpoint_url", "region_name", "verify", "addressing_style", "profile_name")


def lines_to_paste(patient: Patient) -> Iterator[Finding]:
    """The settings that reach this store, corrected, for luigi.cfg; keys are left out."""
    settings = patient.settings
    own = {name: settings[name] for name in _PASTED if settings.sources[name] != "default"}
    lines = [f"{name} = {value}" for name, value in (own | patient.advice).items() if value is not None]
    if lines:
        yield Finding("note", "luigi.cfg", "\n".join(["for the Luigi classes:", "[s3]", *lines]))

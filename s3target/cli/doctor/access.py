"""The first signed step: one listing. Of its refusal it is known which of key, secret, bucket or region is wrong.

Not a HEAD, whose refusals have no code.
"""

from __future__ import annotations

from collections.abc import Generator

from ...errors import AccessDenied, S3Error, ServiceError
from ...protocol.operations.buckets import HeadBucket
from ...protocol.operations.listing import ListObjectsV2
from .finding import Finding, Patient
from .signature import compare

_REGION_CODES = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException")
_NAMED = {
    "SignatureDoesNotMatch": (
        "secret key",
        "the secret key is not that of this access key id, or a proxy changes requests",
    ),
    "InvalidAccessKeyId": ("access key", "the store does not know this access key id: is it another store's?"),
    "ExpiredToken": ("credentials", "the session is over: log in again, or get new keys"),
    "InvalidToken": ("credentials", "the session token does not belong to these keys: set all three anew"),
    "NoSuchBucket": ("bucket", "check the name; s3target ls shows the buckets there are, s3target mb makes one"),
    "RequestTimeTooSkewed": ("clock", "set the clock of this machine, by NTP: timedatectl set-ntp true"),
    "InvalidBucketName": ("bucket", "the store takes no bucket of this name"),
}


def access(patient: Patient) -> Generator[Finding, None, bool]:
    """Whether the following steps make sense."""
    bucket, prefix = patient.path.bucket, patient.path.below
    try:
        patient.client.call(ListObjectsV2(bucket, prefix, max_keys=1))
    except AccessDenied as error:
        if error.code not in _NAMED:
            yield _may_not_list(error)
            return True
        yield _named(patient, error)
    except ServiceError as error:
        yield _named(patient, error)
    except S3Error as error:
        yield Finding("failed", "list", str(error))
    else:
        yield Finding("ok", "keys", "the store takes them")
        yield Finding("ok", "list", f"s3://{bucket}/{prefix} can be listed")
        return True
    return False


def _may_not_list(error: ServiceError) -> Finding:
    remedy = (
        "these credentials lack s3:ListBucket; without it a missing key looks like a forbidden one\n"
        "some stores (Ceph) say the same of a wrong key: then the next steps fail too"
    )
    return Finding("failed", "list", str(error), remedy)


def _named(patient: Patient, error: ServiceError) -> Finding:
    if error.code in _REGION_CODES:
        remedy = "set region_name to what the store expects; stores other than AWS mostly take us-east-1"
        return Finding("failed", "region", str(error), remedy)
    step, remedy = _NAMED.get(error.code or "", ("list", ""))
    text = str(error)
    if error.code == "SignatureDoesNotMatch" and patient.recorder.last is not None:
        text = f"{text}\n{compare(patient.recorder.last, error.details)}"
    return Finding("failed", step, text, remedy)


def region(patient: Patient) -> Finding:
    """What the last request was signed for, after all redirects, and what the store says of the bucket."""
    configured = patient.location.region
    signed = patient.recorder.last.region if patient.recorder.last else configured
    try:
        told = patient.client.call(HeadBucket(patient.path.bucket))
    except S3Error:
        told = None
    real = told or signed
    if real == configured:
        return Finding("ok", "region", configured)
    patient.advice["region_name"] = real
    text = f"the bucket is in {real} and not in {configured}: each process is sent there first"
    return Finding("fixed", "region", text, f"set region_name = {real}")

"""Signed steps: whose the keys are, one listing, the region; what is peculiar to the store; lines for luigi.cfg.

Of the listing's refusal it is known which of key, secret, bucket or region is wrong; a HEAD's refusals have no code.
What was signed is shown beside what the store says it has signed, secrets out: a session token is masked, and neither
the signature nor the Authorization header is part of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import zip_longest

from ...client import Client
from ...errors import AccessDenied, S3Error, ServiceError, TransportError
from ...filesystem import S3Path
from ...protocol.endpoint import Endpoint, sts_endpoint
from ...protocol.messages import Request
from ...protocol.operations.base import Fixed
from ...protocol.operations.buckets import HeadBucket
from ...protocol.operations.identity import GetCallerIdentity
from ...protocol.operations.listing import ListObjectsV2
from ...protocol.sigv4 import canonical_request, payload_hash
from ...stores import STORES
from ...transport import HttpTransport
from ...value import replace
from ..output import human_time
from ..removing import pending
from .finding import NTP, Finding, Patient
from .network import is_of_store

_NAMED = {
    **dict.fromkeys(
        ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"),
        ("region", "set region_name to what the store expects; stores other than AWS mostly take us-east-1"),
    ),
    "SignatureDoesNotMatch": (
        "secret key",
        "the secret key is not that of this access key id, or a proxy changes requests",
    ),
    "InvalidAccessKeyId": ("access key", "the store does not know this access key id: is it another store's?"),
    "ExpiredToken": ("credentials", "the session is over: log in again, or get new keys"),
    "InvalidToken": ("credentials", "the session token does not belong to these keys: set all three anew"),
    "NoSuchBucket": ("bucket", "check the name; s3target ls shows the buckets there are, s3target mb makes one"),
    "RequestTimeTooSkewed": ("clock", NTP),
    "BadRequest": ("list", "if the store speaks https at this port, endpoint_url should say so"),
    "InvalidBucketName": ("bucket", "the store takes no bucket of this name"),
}


_MAY_NOT_LIST = (
    "these credentials lack s3:ListBucket; without it a missing key looks like a forbidden one\n"
    "some stores (Ceph) say the same of a wrong key: then the next steps fail too"
)


def access(patient: Patient) -> Generator[Finding, None, bool]:
    """Whether the following steps make sense."""
    bucket, prefix = patient.path.bucket, patient.path.below
    try:
        patient.client.call(ListObjectsV2(bucket, prefix, max_keys=1))
    except AccessDenied as error:
        if error.code not in _NAMED:
            yield Finding("failed", "list", str(error), _MAY_NOT_LIST)
            return True
        yield _named(patient, error)
    except ServiceError as error:
        yield _named(patient, error)
    except S3Error as error:
        yield Finding("failed", "list", str(error), _other_remedy(patient))
    else:
        yield Finding("ok", "keys", "the store takes them")
        yield Finding("ok", "list", f"s3://{bucket}/{prefix} can be listed")
        return True
    return False


def _named(patient: Patient, error: ServiceError) -> Finding:
    step, remedy = _NAMED.get(error.code or "", ("list", _other_remedy(patient)))
    text = str(error)
    if error.code == "SignatureDoesNotMatch" and patient.last is not None:
        ours, theirs = ours_of(patient.last), error.details.get("CanonicalRequest", "")
        if theirs and first_difference(ours, theirs):
            step, remedy = "signature", "a proxy or load balancer changes requests; have it pass this line on as it is"
        text = f"{text}\n{compare(ours, theirs)}"
    return Finding("failed", step, text, remedy)


def _other_remedy(patient: Patient) -> str:
    told = patient.answer is not None and is_of_store(patient.answer)
    return "" if told else "is it an S3 store that answers there? check host, port and path of endpoint_url"


def region(patient: Patient) -> Finding:
    """What the last request was signed for, after all redirects, and what the store says of the bucket."""
    configured = patient.location.region
    signed = patient.last.region if patient.last else configured
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


def identity(patient: Patient) -> Finding | None:
    """Who the keys belong to, where there is an STS to ask."""
    settings = patient.settings
    url = settings["sts_endpoint_url"]
    if patient.client.credentials.get() is None:
        return None
    if url is None and settings["endpoint_url"]:
        return Finding("note", "identity", "not asked: no sts_endpoint_url is set for this store")
    locator = Fixed(sts_endpoint(settings["region_name"], url))
    # Connections of its own, which are closed at once.
    client = Client(HttpTransport(patient.options), locator, patient.client.credentials, patient.client.policy)
    try:
        with client:
            caller = client.call(GetCallerIdentity())
    except S3Error as error:
        return Finding("note", "identity", f"the STS does not tell: {error}")
    return Finding("ok", "identity", f"{caller.arn} (account {caller.account})")


# ----------------------------------------------------------------------------------------------------------- signatures

_TOKEN = "x-amz-security-token"  # noqa: S105 - the name of a header


def compare(ours: str, theirs: str) -> str:
    """Canonical requests: as it went out, and of the store's SignatureDoesNotMatch, "" if it does not tell."""
    shown = "we signed this canonical request:\n" + "\n".join(f"  {line}" for line in ours.split("\n"))
    if not theirs:
        return f"{shown}\nthe store does not tell its own, so it cannot be compared"
    difference = first_difference(ours, theirs)
    if difference is None:
        return f"{shown}\nthe store's is the same, so it is the secret key that differs"
    number, our_line, their_line = difference
    return f"{shown}\nline {number} differs: we signed {our_line!r}, the store {their_line!r}"


def ours_of(request: Request) -> str:
    """The canonical request, token masked."""
    signed = {name: value for name, value in request.headers.items() if name != "authorization"}
    if _TOKEN in signed:
        signed[_TOKEN] = "***"
    return canonical_request(request._replace(headers=signed), payload_hash(request))[0]


def first_difference(ours: str, theirs: str) -> tuple[int, str, str] | None:
    """(line from 1, ours, theirs), None if there is none."""
    pairs = zip_longest(ours.split("\n"), theirs.split("\n"), fillvalue="")
    for number, (our_line, their_line) in enumerate(pairs, 1):
        if our_line.rstrip() != their_line.rstrip():
            return number, our_line, their_line
    return None


# ----------------------------------------------------------------------------------------------------------- this store


_DAY = 86400.0


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
    oldest = patient.clock() - min(upload.initiated.timestamp() for upload in found)
    text = f"{len(found)} unfinished, the oldest for {human_time(oldest)}; their parts are stored and billed"
    remedy = f"s3target uploads abort --older-than 1d {path}" if oldest > _DAY else ""
    return Finding("note", "uploads", text, remedy)


_PASTED = ("store", "endpoint_url", "region_name", "verify", "addressing_style", "profile_name")


def lines_to_paste(patient: Patient) -> Iterator[Finding]:
    """The settings that reach this store, corrected, for luigi.cfg; keys are left out."""
    settings = patient.settings
    server = patient.answer.headers.get("server", "").lower() if patient.answer else ""
    named = next((name for name in STORES if name in server), None)
    if named and settings["store"] is None:
        patient.advice["store"] = named
    own = {name: settings[name] for name in _PASTED if settings.sources[name] != "default"}
    lines = [f"{name} = {value}" for name, value in (own | patient.advice).items() if value is not None]
    if lines:
        yield Finding("note", "luigi.cfg", "\n".join(["for the Luigi classes:", "[s3]", *lines]))

"""Every error this package raises, on one page.

    S3Error
    ├── TransportError            no usable answer came
    │   ├── ConnectFailed         nothing was sent: name look-up, refusal, TLS handshake, proxy
    │   ├── TimedOut              connecting, or waiting for the other side
    │   ├── ConnectionDropped     the connection ended early; .reused tells a stale pooled one
    │   └── BadResponse           an answer that is no HTTP, or breaks a limit
    ├── ServiceError              the store (or STS) answered with an error
    │   ├── NotFound              NoSuchKey, NoSuchBucket, NoSuchUpload (HEAD cannot tell which: plain NotFound)
    │   ├── AccessDenied          403
    │   ├── PreconditionFailed    412, and 409 of a conditional write
    │   ├── Throttled             429, SlowDown and kin
    │   └── ServerFault           5xx
    ├── CredentialsError          NoCredentials, RefreshFailed
    ├── IntegrityError            ChecksumMismatch, Truncated, ObjectChanged
    ├── PartialFailure            some keys of a batch failed; .failures names them
    └── ConfigError               also a ValueError: an argument, variable or file that cannot be right

Classes are what callers catch; details are attributes. `status`, `code`, `message`, `request_id` exist on every
S3Error and are None where they mean nothing; `attempts` is how often the request was sent before giving up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class S3Error(Exception):
    """The root of all errors of this package."""

    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    attempts: int = 1

    @property
    def message(self) -> str | None:
        """What the store or the network said."""
        return str(self.args[0]) if self.args else None


class TransportError(S3Error):
    """No usable answer came. The request may or may not have taken effect, except as the subclass says."""


class ConnectFailed(TransportError):
    """No connection could be made; nothing was sent."""


class TimedOut(TransportError):
    """The other side was silent for longer than the connect or read timeout."""


class ConnectionDropped(TransportError):
    """The connection ended before the answer was whole.

    reused: it had served a request before and may simply have been stale; no byte of an answer had come.
    """

    def __init__(self, message: str, reused: bool = False) -> None:
        super().__init__(message, reused)
        self.reused = reused

    def __str__(self) -> str:
        return str(self.args[0])


class BadResponse(TransportError):
    """What came back is no HTTP answer, is cut off in its head, or breaks a limit of ours."""


class ServiceError(S3Error):
    """An error answer of the store. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html

    status: HTTP status; 200 where the error came inside a 200. code, message: of the answer's body, or made up from
    the status where there is no body. details: the other elements of the error body by name (Region, ServerTime, ...).
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str = "",
        *,
        operation: str = "",
        bucket: str | None = None,
        key: str | None = None,
        request_id: str | None = None,
        host_id: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.operation = operation
        self.bucket = bucket
        self.key = key
        self.request_id = request_id
        self.host_id = host_id
        self.details = dict(details or {})

    def __reduce__(self) -> tuple[object, ...]:
        return _remake, (type(self), self.__dict__.copy(), self.args)

    def __str__(self) -> str:
        place = f"s3://{self.bucket}/{self.key or ''}" if self.bucket else ""
        subject = " ".join(filter(None, (self.operation, place)))
        said = f": {self.message}" if self.message else ""
        ids = f" (request id {self.request_id})" if self.request_id else ""
        tries = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        return f"{subject}{subject and ': '}{self.status} {self.code}{said}{ids}{tries}{self._advice()}"

    def _advice(self) -> str:
        advice = _ADVICE.get(self.code or "") if self.bucket else None
        return f". {advice}" if advice else ""


def _remake(kind: type[ServiceError], state: dict[str, object], args: tuple[object, ...]) -> ServiceError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class NotFound(ServiceError):
    """404. A HEAD's 404 has no body, so it cannot tell a missing key from a missing bucket."""


class NoSuchKey(NotFound):
    """There is no object at the key."""


class NoSuchBucket(NotFound):
    """There is no such bucket."""


class NoSuchUpload(NotFound):
    """The multipart upload was completed or aborted, or never begun."""


class AccessDenied(ServiceError):
    """403. Without permission to list the bucket, a missing key is answered so as well."""


class PreconditionFailed(ServiceError):
    """412, or 409 ConditionalRequestConflict: somebody else's object is there."""


class Throttled(ServiceError):
    """The store asks to slow down."""


class ServerFault(ServiceError):
    """5xx."""


class CredentialsError(S3Error):
    """No credentials to sign with."""


class NoCredentials(CredentialsError):
    """No provider had credentials; the message names each one and why it passed."""


class RefreshFailed(CredentialsError):
    """Temporary credentials could not be renewed, and the old ones have run out or are about to."""


class IntegrityError(S3Error):
    """Bytes are not what they should be. Nothing of them was handed over as good."""


class ChecksumMismatch(IntegrityError):
    """What came is not what was sent."""


class Truncated(IntegrityError):
    """Fewer bytes than announced."""


class ObjectChanged(IntegrityError):
    """The object was replaced while it was being read or copied."""


class PartialFailure(S3Error):
    """Some members of a batch failed, the others succeeded. failures: (key, code, message) of each."""

    def __init__(self, message: str, failures: Sequence[tuple[str, str, str]] = ()) -> None:
        super().__init__(message, failures)
        self.failures = tuple(failures)

    def __str__(self) -> str:
        shown = "; ".join(f"{key!r}: {code} {text}".strip() for key, code, text in self.failures[:10])
        more = f"; and {len(self.failures) - 10} more" if len(self.failures) > 10 else ""
        return f"{self.args[0]}: {shown}{more}"


class ConfigError(S3Error, ValueError):
    """A setting, path or argument that cannot be right. The message says what to do."""


_ADVICE = {
    "SignatureDoesNotMatch": "Check the secret key, and that no proxy changes the request",
    "InvalidAccessKeyId": "The store does not know this access key id; check which credentials are in use",
    "RequestTimeTooSkewed": "This machine's clock is off; set it by NTP",
    "AuthorizationHeaderMalformed": "Check the region: region_name=..., AWS_REGION or the profile",
    "PermanentRedirect": "The bucket lives in another region; set region_name",
    "AccessDenied": "These credentials lack the permission; a missing key reads so too without s3:ListBucket",
    "HTTP407": "A proxy refuses: put user:password@ into its URL, or correct it",
    "InvalidObjectState": "The object is archived; restore it first",
}

_BY_CODE: dict[str, type[ServiceError]] = {
    "NoSuchKey": NoSuchKey,
    "NoSuchVersion": NoSuchKey,
    "NoSuchBucket": NoSuchBucket,
    "NoSuchUpload": NoSuchUpload,
    "PreconditionFailed": PreconditionFailed,
    "ConditionalRequestConflict": PreconditionFailed,
    "SlowDown": Throttled,
    "Throttling": Throttled,
    "ThrottlingException": Throttled,
    "ThrottledException": Throttled,
    "RequestThrottled": Throttled,
    "RequestThrottledException": Throttled,
    "TooManyRequests": Throttled,
    "TooManyRequestsException": Throttled,
    "RequestLimitExceeded": Throttled,
    "BandwidthLimitExceeded": Throttled,
    "LimitExceededException": Throttled,
    "InternalError": ServerFault,
}

_BY_STATUS: dict[int, type[ServiceError]] = {
    403: AccessDenied,
    404: NotFound,
    412: PreconditionFailed,
    429: Throttled,
}


def error_class(status: int, code: str) -> type[ServiceError]:
    """The class for an error answer: by its code where that says more than the status."""
    found = _BY_CODE.get(code) or _BY_STATUS.get(status)
    return found or (ServerFault if status >= 500 else ServiceError)

"""The error tree: who is caught as whom, what is printed, what survives a pickle."""

from __future__ import annotations

import copy
import pickle

import pytest

from s3target import errors
from s3target.errors import (
    ConfigError,
    ConnectionDropped,
    PartialFailure,
    S3Error,
    ServiceError,
    error_class,
)

MESSAGE = "it went wrong"


def every_class(root: type[S3Error] = S3Error) -> list[type[S3Error]]:
    """The classes of the module; other floors may have errors of their own."""
    own = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return [root, *(each for child in own for each in every_class(child))]


def an_error(kind: type[S3Error]) -> S3Error:
    if issubclass(kind, ServiceError):
        return kind(
            404,
            "NoSuchKey",
            MESSAGE,
            operation="GetObject",
            bucket="b",
            key="a key",
            request_id="R1",
            host_id="H1",
            details={"Resource": "/b/a key"},
        )
    if issubclass(kind, PartialFailure):
        return kind(MESSAGE, [("k1", "AccessDenied", "no"), ("k2", "InternalError", "")])
    return kind(MESSAGE, True) if issubclass(kind, ConnectionDropped) else kind(MESSAGE)


@pytest.mark.parametrize("kind", every_class())
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_error_survives_pickling_and_copying(kind, again):
    """Luigi's workers hand errors from process to process: class, text and every attribute come along."""
    error = an_error(kind)
    error.attempts = 3
    twin = again(error)
    assert type(twin) is kind
    assert twin.args == error.args
    assert twin.__dict__ == error.__dict__
    assert str(twin) == str(error)
    assert (twin.message, twin.status, twin.code, twin.request_id, twin.attempts) == (
        (MESSAGE, 404, "NoSuchKey", "R1", 3) if issubclass(kind, ServiceError) else (MESSAGE, None, None, None, 3)
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_service_error_pickles_by_every_protocol(protocol):
    """Keyword arguments are no obstacle to any of them."""
    twin = pickle.loads(pickle.dumps(an_error(errors.NoSuchKey), protocol))
    assert (twin.key, twin.details) == ("a key", {"Resource": "/b/a key"})


@pytest.mark.parametrize(
    ("parent", "children"),
    [
        ("S3Error", "TransportError ServiceError CredentialsError IntegrityError PartialFailure ConfigError"),
        ("TransportError", "ConnectFailed TimedOut ConnectionDropped BadResponse"),
        ("ServiceError", "NotFound AccessDenied PreconditionFailed Throttled ServerFault"),
        ("NotFound", "NoSuchKey NoSuchBucket NoSuchUpload"),
        ("CredentialsError", "NoCredentials RefreshFailed"),
        ("IntegrityError", "ChecksumMismatch Truncated ObjectChanged"),
    ],
)
def test_error_tree(parent, children):
    """Who catches a class catches these and no others, and the page at the top of the module names them all."""
    kind = getattr(errors, parent)
    assert {child.__name__ for child in every_class() if child.__bases__[0] is kind} == set(children.split())
    assert all(name in errors.__doc__ for name in children.split())


def test_config_error_is_a_value_error():
    """Callers who know ValueError only are served as well."""
    assert issubclass(ConfigError, ValueError)
    assert not any(issubclass(kind, ValueError) for kind in every_class() if not issubclass(kind, ConfigError))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (S3Error(), ""),
        (errors.TimedOut("no answer in 60 s"), "no answer in 60 s"),
        (ConnectionDropped("gone"), "gone"),
        (ConnectionDropped("gone", reused=True), "gone"),
        (ServiceError(418, "Teapot"), "418 Teapot"),
        (ServiceError(418, "Teapot", operation="AssumeRole"), "AssumeRole: 418 Teapot"),
        (
            ServiceError(400, "Odd", "said so", operation="HeadBucket", bucket="b"),
            "HeadBucket s3://b/: 400 Odd: said so",
        ),
        (an_error(errors.NoSuchKey), f"GetObject s3://b/a key: 404 NoSuchKey: {MESSAGE} (request id R1)"),
        (
            ServiceError(403, "RequestTimeTooSkewed", operation="PutObject", bucket="b", key="k"),
            "PutObject s3://b/k: 403 RequestTimeTooSkewed. This machine's clock is off; set it by NTP",
        ),
        (
            ServiceError(407, "HTTP407", operation="GetObject", bucket="b", key="k"),
            "GetObject s3://b/k: 407 HTTP407. A proxy refuses: put user:password@ into its URL, or correct it",
        ),
        (PartialFailure("1 key stays", [("k", "AccessDenied", "")]), "1 key stays: 'k': AccessDenied"),
        (
            PartialFailure("12 keys stay", [(f"k{i}", "C", "m") for i in range(12)]),
            "12 keys stay: " + "; ".join(f"'k{i}': C m" for i in range(10)) + "; and 2 more",
        ),
    ],
)
def test_what_an_error_prints(error, text):
    """Operation, place, status, code, message, request id and advice: what there is of them, in this order."""
    assert str(error) == text


def test_attempts_are_printed_once_there_were_several():
    """After retries the reader knows that it was not a passing fault."""
    error = ServiceError(503, "SlowDown", operation="PutObject", bucket="b", key="k", request_id="R")
    error.attempts = 6
    assert str(error) == "PutObject s3://b/k: 503 SlowDown (request id R) after 6 attempts"


def test_failures_of_a_batch_are_a_tuple():
    """Nobody can change them, whatever they were given as."""
    assert PartialFailure("x", [("k", "c", "m")]).failures == (("k", "c", "m"),)


def test_details_are_the_errors_own():
    """A later change of the mapping it was made from does not show."""
    details = {"Region": "eu-west-1"}
    error = ServiceError(301, "PermanentRedirect", details=details)
    details.clear()
    assert error.details == {"Region": "eu-west-1"}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", errors.NoSuchKey),
        (404, "NoSuchVersion", errors.NoSuchKey),
        (404, "NoSuchBucket", errors.NoSuchBucket),
        (404, "NoSuchUpload", errors.NoSuchUpload),
        (404, "NotFound", errors.NotFound),
        (404, "NoSuchEntity", errors.NotFound),
        (403, "SignatureDoesNotMatch", errors.AccessDenied),
        (403, "AccessDenied", errors.AccessDenied),
        (412, "PreconditionFailed", errors.PreconditionFailed),
        (412, "InvalidRequest", errors.PreconditionFailed),  # Swift, If-None-Match on Complete
        (409, "ConditionalRequestConflict", errors.PreconditionFailed),
        (409, "BucketNotEmpty", ServiceError),
        (503, "SlowDown", errors.Throttled),
        (200, "SlowDown", errors.Throttled),
        (429, "HTTP429", errors.Throttled),
        (400, "Throttling", errors.Throttled),
        (503, "ServiceUnavailable", errors.ServerFault),
        (501, "NotImplemented", errors.ServerFault),
        (200, "InternalError", errors.ServerFault),
        (400, "EntityTooSmall", ServiceError),
        (304, "NotModified", ServiceError),
    ],
)
def test_class_of_an_error_answer(status, code, kind):
    """The code decides where it is known, else the status."""
    assert error_class(status, code) is kind

"""The faults of the matrix. Those that survive() a call must succeed with, if they happen once."""

from __future__ import annotations

import time

from server.asked import Asked, Keys
from server.memory_s3 import Answer, refusal
from server.misbehaving import Fault, MisbehavingStore

RENEWED = Keys("AKIDRENEWED", "another-secret-key", "a-session-token")
WRITES_IN_200 = ("CompleteMultipartUpload", "CopyObject", "UploadPartCopy", "DeleteObjects")
BODIES = ("PutObject", "UploadPart", "CompleteMultipartUpload", "DeleteObjects")
DOCUMENTS = (*WRITES_IN_200, "ListObjectsV2", "CreateMultipartUpload", "GetObjectTagging")
_BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><ListBucketResult>&b;</ListBucketResult>'
_OK = b"HTTP/1.1 200 OK\r\n\r\n<a>"
_ENDLESS = tuple(name for name in DOCUMENTS if name not in ("ListObjectsV2", "DeleteObjects"))


def error(status: int, code: str, extra: str = "", **headers: str):
    return lambda asked, answer: refusal(status, code, extra, **headers)


def in_200(code: str):
    return lambda asked, answer: refusal(200, code)


def document(content: bytes):
    return lambda asked, answer: Answer(200, {"content-type": "application/xml"}, content)


def raw(content: bytes):
    return lambda asked, answer: content


def html(asked: Asked, answer: Answer) -> Answer:
    return Answer(502, {"content-type": "text/html"}, b"<html>bad gateway</html>")


def chunked(asked: Asked, answer: Answer) -> Answer | bytes:
    """The same, in chunks; HEAD has no body to cut up."""
    if asked.method == "HEAD" or not answer.body:
        return answer
    half = len(answer.body) // 2
    pieces = [piece for piece in (answer.body[:half], answer.body[half:]) if piece]
    body = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nx-trailer: 1\r\n\r\n"
    return answer._replace(headers={**answer.headers, "transfer-encoding": "chunked"}, body=body)


def flipped(asked: Asked, answer: Answer) -> Answer:
    middle = len(answer.body) // 2
    spoilt = bytes([answer.body[middle] ^ 1]) if answer.body else b""
    return answer._replace(body=answer.body[:middle] + spoilt + answer.body[middle + 1 :])


def shortened(asked: Asked, answer: Answer) -> Answer:
    return answer._replace(body=answer.body[: len(answer.body) // 2])


def elsewhere(status: int, code: str):
    """The bucket lives in another region, from now on."""

    def move(store: MisbehavingStore) -> None:
        store.region = "eu-west-1"
        to = {"location": f"{store.elsewhere}/b/k", "x-amz-bucket-region": "eu-west-1"}
        tell = refusal(status, code, "<Region>eu-west-1</Region>")
        store.refusals["AuthorizationHeaderMalformed"] = lambda asked: (
            tell._replace(headers={**tell.headers, **to}) if status != 400 or asked.method == "HEAD" else tell
        )

    return move


def skewed(store: MisbehavingStore) -> None:
    store.skew = 3600.0
    now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))
    store.refusals["RequestTimeTooSkewed"] = lambda asked: refusal(403, "RequestTimeTooSkewed", date=now)


def expired(store: MisbehavingStore) -> None:
    store.keys = RENEWED
    store.refusals["InvalidAccessKeyId"] = lambda asked: refusal(400, "ExpiredToken")


def nothing(head: int, whole: int) -> int:
    return 0


FAMILIES: dict[str, tuple[Fault, ...]] = {
    "reset or closed": (
        Fault("reset before the body", reads="head", sends=nothing, ends="reset"),
        Fault("reset inside the body", reads="half", sends=nothing, ends="reset"),
        Fault("reset after the request", acts=False, sends=nothing, ends="reset"),
        Fault("closed after the request", acts=False, sends=nothing, ends="close"),
        Fault("stale connection", reads="head", sends=nothing, ends="reset", stale=True),
        Fault("connection closed unannounced", ends="close"),
    ),
    "answer lost": (
        Fault("answer lost: reset", sends=nothing, ends="reset"),
        Fault("answer lost: closed", sends=nothing, ends="close"),
        Fault("answer lost: silence", sends=nothing, ends="hang", waits=True),
        Fault("500 after it took effect", says=error(500, "InternalError")),
        Fault("200 with an error, took effect", says=in_200("InternalError"), concerns=WRITES_IN_200),
    ),
    "silent or slow": (
        Fault("silence", acts=False, sends=nothing, ends="hang", waits=True),
        Fault("answer stops in its body", sends=lambda head, whole: (head + whole) // 2, ends="hang", waits=True),
        Fault("slow answer", slowly=0.02),
    ),
    "answer cut short": (
        Fault("answer cut in its head", sends=lambda head, whole: head // 2, ends="close"),
        Fault("answer cut at the end of its head", sends=lambda head, whole: head, ends="close"),
        Fault("answer cut in its body", sends=lambda head, whole: (head + whole) // 2, ends="reset"),
        Fault("200 with half a document", says=shortened, concerns=DOCUMENTS),
    ),
    "429, 5xx": (
        Fault("early 503, then closed", reads="head", says=error(503, "SlowDown", connection="close"), ends="close"),
        Fault("429", acts=False, says=error(429, "TooManyRequests")),
        Fault("500", acts=False, says=error(500, "InternalError")),
        Fault("502", acts=False, says=html),
        Fault("503", acts=False, says=error(503, "SlowDown")),
        Fault("503 with Retry-After", acts=False, says=error(503, "SlowDown", retry_after="2")),
        Fault("RequestTimeout", acts=False, says=error(400, "RequestTimeout"), concerns=BODIES),
    ),
    "error in a 200": (
        Fault("200 with an error", acts=False, says=in_200("InternalError"), concerns=WRITES_IN_200),
    ),
    "garbage, endless": (
        Fault("200 without a document", acts=False, says=document(b""), concerns=DOCUMENTS),
        Fault("200 with HTML", acts=False, says=document(b"<html>log in</html>"), concerns=DOCUMENTS),
        Fault("DOCTYPE", acts=False, says=document(_BOMB), concerns=DOCUMENTS),
        Fault("endless document", acts=False, says=raw(_OK), endless=b"<b>" * 9999, concerns=_ENDLESS),
        Fault("endless error", acts=False, says=raw(b"HTTP/1.1 500 No\r\n\r\n<Error>"), endless=b"<b>" * 9999),
        Fault("endless head", acts=False, says=raw(b"HTTP/1.1 200 OK\r\n"), endless=b"a: b\r\n" * 999),
        Fault("no HTTP", acts=False, says=raw(b"\x16\x03\x01\x02 garbage\r\n\r\n"), ends="close"),
    ),
    "in chunks": (
        Fault("chunked answer", says=chunked),
    ),
    "wrong bytes": (
        Fault("flipped bit", says=flipped, concerns=("GetObject",), survived=False),
        Fault("shortened object", says=shortened, concerns=("GetObject",), survived=None),
    ),
    "keys expired": (
        Fault("ExpiredToken", mode=expired),
    ),
    "clock off": (
        Fault("RequestTimeTooSkewed", mode=skewed),
    ),
    "other region": (
        Fault("AuthorizationHeaderMalformed", mode=elsewhere(400, "AuthorizationHeaderMalformed")),
        Fault("301 to another host", mode=elsewhere(301, "PermanentRedirect")),
        Fault("307 to another host", mode=elsewhere(307, "TemporaryRedirect")),
    ),
    "refused": (
        Fault("403", acts=False, says=error(403, "AccessDenied"), survived=False),
        Fault("501", acts=False, says=error(501, "NotImplemented"), survived=False),
    ),
}  # fmt: skip
"""By what they have in common: the columns of the README's table."""
FAULTS = tuple(fault for faults in FAMILIES.values() for fault in faults)

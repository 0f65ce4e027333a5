"""What was signed, beside what the store says it has signed: the first line that differs says who changed what. Pure.

Secrets are out: a session token is masked, and neither the signature nor the Authorization header is part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest

from ...protocol.messages import Request
from ...protocol.sigv4 import canonical_request, payload_hash

_TOKEN = "x-amz-security-token"  # noqa: S105 - the name of a header


def compare(request: Request, details: Mapping[str, str]) -> str:
    """request: as it went out. details: of the store's SignatureDoesNotMatch."""
    ours = ours_of(request)
    theirs = details.get("CanonicalRequest", "")
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
    pairs = zip_longest(ours.split("\n"), theirs.replace("\r\n", "\n").split("\n"), fillvalue="")
    for number, (our_line, their_line) in enumerate(pairs, 1):
        if our_line.rstrip() != their_line.rstrip():
            return number, our_line, their_line
    return None

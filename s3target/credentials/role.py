"""A role over other keys: AssumeRole, renewed before it ends.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import CredentialsError, RefreshFailed, ServiceError, TransportError
from ..protocol.identity import Credentials
from ..value import replace
from .provider import CannotRenew
from .refreshing import Refreshing
from .sources import Sources

if TYPE_CHECKING:
    from ..client import Client, CredentialProvider
    from ..protocol.operations.sts import AssumeRole

StsFactory = Callable[["CredentialProvider"], "Client"]


class RoleFetch:
    """Calls AssumeRole each time it is called itself, signed with what the base then gives.

    ask: how to ask for an MFA code; None asks on the terminal, but only the first time: a job that has been running for
    hours must not stop and wait for a person whom nobody expects to be there.
    """

    def __init__(
        self,
        sts: StsFactory,
        base: CredentialProvider,
        request: AssumeRole,
        ask: Callable[[str], str] | None = None,
    ) -> None:
        self._sts, self._base, self._request, self._ask = sts, base, request, ask
        self._asked = False

    def __call__(self) -> Credentials:
        request = self._with_code() if self._request.mfa_serial and not self._request.mfa_code else self._request
        try:
            with self._sts(self._base) as client:
                credentials = client.call(request)
        except (ServiceError, TransportError) as error:
            raise RefreshFailed(f"role {request.role_arn} was not given: {error}") from error
        return replace(credentials, source=f"assume-role: {request.role_arn}")

    def _with_code(self) -> AssumeRole:
        serial = self._request.mfa_serial
        if self._ask is None and self._asked:
            raise CannotRenew(
                f"the session of {self._request.role_arn} needs an MFA code of {serial} again, and nobody is asked for"
                " one in the middle of a job; give it a longer duration_seconds"
            )
        code = (self._ask or ask_on_terminal)(f"MFA code of {serial}: ").strip()
        self._asked = True
        return replace(self._request, mfa_code=code)


def assume_role(
    sources: Sources | StsFactory,
    base: CredentialProvider,
    request: AssumeRole,
    *,
    clock: Callable[[], float] = time.time,
) -> Refreshing:
    """The keys of a role that base's keys may assume. sources: or just the maker of STS clients, see Sources.sts."""
    if isinstance(sources, Sources):
        fetch = RoleFetch(sources.sts, base, request, sources.ask)
    else:
        fetch = RoleFetch(sources, base, request)
    return Refreshing(fetch, f"assume-role {request.role_arn}", clock=clock)


def ask_on_terminal(prompt: str) -> str:
    """The answer of the person at the terminal, not shown while typed. CredentialsError if nobody is there."""
    import getpass
    import sys

    try:
        with open("/dev/tty"):
            pass
    except OSError:
        if not (sys.stdin and sys.stdin.isatty()):
            raise CredentialsError(f"an MFA code is needed ({prompt.strip(' :')}) and there is no terminal") from None
    return getpass.getpass(prompt)

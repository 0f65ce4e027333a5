"""Chain: the first provider that has keys wins and stays. default_chain(): the order that boto3's users know.

https://docs.aws.amazon.com/boto3/latest/guide/credentials.html#configuring-credentials
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import NoCredentials
from ..protocol.messages import Credentials
from .provider import Passed, Provider
from .refreshing import Refreshing

if TYPE_CHECKING:
    from .provider import Sources


class Chain(Refreshing):
    """Asks each of `providers` until one has keys; that one alone is asked from then on.

    what: whose credentials these are, for messages. get() raises NoCredentials, which lists every provider and why it
    passed, or the error of a provider that failed.
    """

    def __init__(
        self, providers: Sequence[Provider], what: str = "credentials", *, clock: Callable[[], float] = time.time
    ) -> None:
        self._providers, self._what = tuple(providers), what
        self._winner: Provider | None = None
        super().__init__(self._first, what, clock=clock, changed=self._winner_changed)

    def _first(self) -> Credentials:
        passed = []
        for provider in self._providers if self._winner is None else (self._winner,):
            self._name = provider.name
            try:
                credentials = provider.fetch()
            except Passed as reason:
                if self._winner is not None:
                    raise
                passed.append(f"\n  {provider.name}: {reason}")
            else:
                self._winner = provider
                return credentials
        raise NoCredentials(f"no {self._what} found; tried in this order:{''.join(passed)}")

    def _winner_changed(self) -> bool:
        return self._winner is not None and self._winner.changed()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_winner": None}

    def __repr__(self) -> str:
        return f"Chain({', '.join(provider.name for provider in self._providers)})"


def default_chain(sources: Sources) -> Chain:
    """All providers in botocore's order. A profile that was named in code takes the environment's keys out."""
    from .metadata import Container, Instance
    from .roles import ProfileRole
    from .stored import BotoConfig, Ec2CredentialsFile, Environment

    profile, by_environment = sources.chosen, sources.profile_name is None
    return Chain(
        [
            *([Environment(sources)] if by_environment else []),
            ProfileRole(sources, profile),
            *profile_bound(sources, profile, by_environment),
            Ec2CredentialsFile(sources),
            BotoConfig(sources),
            Container(sources),
            Instance(sources),
        ],
        clock=sources.clock,
    )


def profile_bound(sources: Sources, profile: str, with_environment: bool = False) -> list[Provider]:
    """The providers that look at one profile only, as a source_profile is looked at too."""
    from .logins import Login, Sso
    from .roles import WebIdentity
    from .stored import ConfigFile, Process, SharedCredentials

    return [
        WebIdentity(sources, profile, with_environment),
        Sso(sources, profile),
        SharedCredentials(sources, profile),
        Login(sources, profile),
        Process(sources, profile),
        ConfigFile(sources, profile),
    ]

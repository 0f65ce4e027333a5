"""Refreshing, the one cache of credentials: it renews them before they end, and nobody waits who need not. Chain, one
over many providers.

Keys that do not expire are kept for good. Others have two windows before their end. In the advisory one a single
thread tries to renew them while all others go on with what they have, and a failure is only logged. In the mandatory
one everybody waits for the renewal, and its failure is everybody's. Of keys that live less than twice the advisory
window both shrink in proportion: a session of 15 minutes is renewed when 7.5 are left and must be when 5 are left. So
keys are never fetched for each call, however short-lived.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from ..errors import NoCredentials, RefreshFailed, S3Error
from ..logs import getLogger
from ..protocol.messages import Credentials
from ..transport.fork import renew_in_children
from ..value import Any
from .provider import CannotRenew, Passed, Provider, failure

_log = getLogger("s3target.credentials")

ADVISORY, MANDATORY = 900.0, 600.0
"""The windows: seconds before the end."""

LOOK_EVERY = 5.0
"""Seconds between two looks at whether the source of the keys, a file for instance, is another by now."""

SUSPICION_AFTER = 60.0
"""Seconds for which new keys are above suspicion, but half their life at most: a refusal that may have any reason costs
one fetch in that time."""

_FOREVER = float("inf")


class _Held:
    """Keys in the cache, replaced as a whole. look_at: when the next thread has something to look after."""

    __slots__ = ("advisory_at", "credentials", "fetched_at", "look_at", "mandatory_at", "pause", "trusted_for")

    def __init__(self, credentials: Credentials, now: float) -> None:
        self.credentials, self.fetched_at = credentials, now
        end = _FOREVER if credentials.expires_at is None else credentials.expires_at
        scale = min(1.0, (end - now) / (2 * ADVISORY))
        self.look_at = self.advisory_at = end - ADVISORY * scale
        self.mandatory_at = end - MANDATORY * scale
        self.pause = LOOK_EVERY if end == _FOREVER else ADVISORY * scale / 60
        self.trusted_for = min(SUSPICION_AFTER, (end - now) / 2)


class Refreshing:
    """A CredentialProvider over fetch(), which is called by one thread at a time and only when it has to be.

    name: for messages. clock: seconds since 1970. changed: see Provider.changed(); asked every few seconds, and when
    the store refuses the keys.
    A pickle holds neither keys nor lock, and can be made if fetch can.
    """

    def __init__(
        self,
        fetch: Callable[[], Credentials],
        name: str,
        *,
        clock: Callable[[], float] = time.time,
        changed: Callable[[], bool] | None = None,
    ) -> None:
        self._fetch, self._name, self._clock, self._changed = fetch, name, clock, changed
        self._start()

    def _start(self) -> None:
        self._held: _Held | None = None
        self._failures = 0
        self._failed: tuple[type[S3Error], str] | None = None
        self.renew()
        renew_in_children(self)

    def get(self) -> Credentials:
        """Keys that are good now. RefreshFailed, or the provider's own CredentialsError or ConfigError."""
        held, now = self._held, self._clock()
        if held is None or now >= held.mandatory_at:
            return self._wait()
        if now < held.look_at:
            return held.credentials
        return self._look(held, now)

    def invalidate(self, credentials: Credentials, certain: bool) -> bool:
        """See CredentialProvider. A mere 403 is put down to the keys only if they are of a session and not new."""
        held = self._held
        if held is None or not _same(held.credentials, credentials):
            return True
        if not certain:
            return self._suspicious(held) and self._replaced(held)
        with self._lock:
            if self._held is held:
                self._held = None
        return True

    def _suspicious(self, held: _Held) -> bool:
        if self._changed is not None and self._changed():
            return True
        # A negative age: the clock has been set back.
        return bool(held.credentials.session_token) and not 0 <= self._clock() - held.fetched_at <= held.trusted_for

    def _replaced(self, held: _Held) -> bool:
        """Whether a fetch gives other keys. If it fails, the suspects stay: they may well be good."""
        with self._lock:
            if self._held is not held:
                return True
            try:
                return not _same(self._renewed(), held.credentials)
            except S3Error as error:
                held.fetched_at = self._clock()
                _log.warning("%s: not renewed after a 403: %s", self._name, error)
                return False

    def _look(self, held: _Held, now: float) -> Credentials:
        """Renew early, if nobody else is at it and there is a reason."""
        lock = self._lock
        if not lock.acquire(blocking=False):
            return held.credentials
        try:
            if self._held is not held:
                return (self._held or held).credentials
            if now < held.advisory_at and not (self._changed and self._changed()):
                held.look_at = min(now + LOOK_EVERY, held.advisory_at)
                return held.credentials
            return self._renewed()
        except S3Error as error:
            held.look_at = self._next_look(held, error)
            _log.warning("%s: not renewed yet, the old keys stay in use: %s", self._name, error)
            return held.credentials
        finally:
            lock.release()

    def _next_look(self, held: _Held, error: Exception) -> float:
        if isinstance(error, CannotRenew):
            held.mandatory_at = held.credentials.expires_at or _FOREVER
            return held.mandatory_at
        return self._clock() + held.pause

    def _wait(self) -> Credentials:
        """Renew, or share what came of the renewal that was under way."""
        failures = self._failures
        with self._lock:
            held = self._held
            if held is not None and self._clock() < held.mandatory_at:
                return held.credentials
            if self._failures != failures and self._failed is not None:
                kind, message = self._failed
                raise kind(message)
            try:
                return self._renewed()
            except CannotRenew as error:
                if held is None or self._clock() >= (held.credentials.expires_at or 0.0):
                    raise
                self._next_look(held, error)
                return held.credentials

    def _renewed(self) -> Credentials:
        """New keys, published whole. The lock is held."""
        try:
            credentials = self._fetch()
            now, end = self._clock(), credentials.expires_at
            if end is not None and end <= now:
                raise RefreshFailed(f"{self._name} gave credentials that ended {now - end:.0f} s ago")
        except Exception as error:
            told = failure(self._name, error)
            self._failed, self._failures = (type(told), str(told)), self._failures + 1
            if told is error:
                raise
            raise told from error
        held = _Held(credentials, now)
        if self._changed is not None:
            held.look_at = min(now + LOOK_EVERY, held.advisory_at)
        self._held = held
        _log.debug("%s: new credentials, access key id %s", self._name, credentials.access_key_id)
        return credentials

    def renew(self) -> None:
        """For a forked child; see transport.fork."""
        # Reentrant: what the collector or a signal runs in mid-renewal may send something too, and would wait for ever.
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_held", "_failures", "_failed", "_lock")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __repr__(self) -> str:
        return f"Refreshing({self._name!r})"


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


def _same(one: Credentials, other: Credentials) -> bool:
    return one is other or (
        one.access_key_id == other.access_key_id
        and one.secret_access_key == other.secret_access_key
        and one.session_token == other.session_token
    )

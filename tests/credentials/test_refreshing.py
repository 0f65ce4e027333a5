"""Refreshing: when keys are fetched, by whom, and what a failure means."""

from __future__ import annotations

import logging
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from credentials.fakes import SECRET, START, TOKEN, Clock, keys
from s3target.credentials import Refreshing
from s3target.credentials.provider import CannotRenew
from s3target.errors import ConfigError, NoCredentials, RefreshFailed, TimedOut
from s3target.protocol.messages import Credentials


class Fetch:
    """Gives keys K1, K2, ... that live for `lifetime` seconds; raises `error` while there is one."""

    def __init__(self, clock=None, lifetime: float | None = 3600.0, token: str | None = TOKEN) -> None:
        self.clock, self.lifetime, self.token = clock or Clock(), lifetime, token
        self.count = 0
        self.error: Exception | None = None

    def __call__(self) -> Credentials:
        self.count += 1
        if self.error:
            raise self.error
        ends = None if self.lifetime is None else self.clock() + self.lifetime
        return keys(f"K{self.count}", ends=ends, token=self.token)


def made(fetch: Fetch, **options) -> Refreshing:
    return Refreshing(fetch, "test", clock=fetch.clock, **options)


def test_keys_without_end_are_fetched_once():
    """Keys without expires_at are kept for good."""
    fetch = Fetch(lifetime=None)
    provider = made(fetch)
    for _ in range(3):
        assert provider.get().access_key_id == "K1"
        fetch.clock.now += 1e9
    assert fetch.count == 1


@pytest.mark.parametrize(
    ("lifetime", "elapsed", "fetched"),
    [
        (3600, 2699, 1),
        (3600, 2701, 2),
        (43200, 43200 - 901, 1),
        (43200, 43200 - 899, 2),
        (1800, 899, 1),
        (1800, 901, 2),
        (900, 449, 1),
        (900, 451, 2),
        (2, 0.9, 1),
        (2, 1.1, 2),
    ],
)
def test_windows_shrink_with_short_lifetimes(lifetime, elapsed, fetched):
    """Advisory is 15 minutes, or half of a lifetime that is under 30 minutes."""
    fetch = Fetch(lifetime=lifetime)
    provider = made(fetch)
    provider.get()
    fetch.clock.now += elapsed
    provider.get()
    assert fetch.count == fetched


@pytest.mark.parametrize(("lifetime", "mandatory"), [(3600, 600), (900, 300), (2, 2 / 3)])
def test_failure_in_the_advisory_window_is_only_logged(lifetime, mandatory, caplog):
    """The old keys stay in use until the mandatory window begins; there the failure is raised."""
    fetch = Fetch(lifetime=lifetime)
    provider = made(fetch)
    provider.get()
    fetch.error = TimedOut("nobody there")
    fetch.clock.now = START + lifetime - mandatory - 0.01
    assert provider.get().access_key_id == "K1"
    assert "nobody there" in caplog.text
    fetch.clock.now += 0.02
    with pytest.raises(RefreshFailed, match="test gave no credentials: nobody there") as raised:
        provider.get()
    assert isinstance(raised.value.__cause__, TimedOut)


def test_failed_advisory_try_is_not_repeated_at_once():
    """After a failed early try there is a pause of 15 seconds."""
    fetch = Fetch()
    provider = made(fetch)
    provider.get()
    fetch.error = TimedOut("")
    fetch.clock.now = START + 2701
    for _ in range(10):
        provider.get()
    fetch.clock.now += 14.9
    provider.get()
    assert fetch.count == 2
    fetch.clock.now += 0.2
    provider.get()
    assert fetch.count == 3
    fetch.error = None
    fetch.clock.now += 15.1
    assert provider.get().access_key_id == "K4"


@pytest.mark.parametrize("error", [NoCredentials("none"), ConfigError("bad file")])
def test_errors_that_say_what_to_do_pass_unchanged(error):
    """CredentialsError and ConfigError reach the caller as they are."""
    fetch = Fetch()
    fetch.error = error
    with pytest.raises(type(error), match=str(error)):
        made(fetch).get()


def test_keys_that_have_ended_already_are_refused():
    """A fetch that gives ended keys has failed."""
    with pytest.raises(RefreshFailed, match="ended 5 s ago"):
        made(Fetch(lifetime=-5)).get()


def test_renewal_that_needs_a_person_uses_the_keys_up():
    """CannotRenew: the old keys serve until their very end, without a try at each call."""
    fetch = Fetch()
    provider = made(fetch)
    provider.get()
    fetch.error = CannotRenew("MFA")
    for left in (800, 500, 1):
        fetch.clock.now = START + 3600 - left
        assert provider.get().access_key_id == "K1"
    assert fetch.count == 2
    fetch.clock.now = START + 3600
    with pytest.raises(CannotRenew):
        provider.get()


def test_two_second_sessions_are_fetched_once_a_second():
    """One minute with a call each hundredth of a second: about 60 fetches, and never keys that have ended."""
    fetch = Fetch(lifetime=2)
    provider = made(fetch)
    for step in range(6000):
        fetch.clock.now = START + step / 100
        assert provider.get().expires_at > fetch.clock.now
    assert fetch.count in (59, 60, 61)


# invalidate


@pytest.mark.parametrize(
    ("token", "age", "certain", "again", "fetched"),
    [
        (TOKEN, 0, True, True, 2),
        (None, 0, True, True, 2),
        (TOKEN, 59, False, False, 1),
        (TOKEN, 61, False, True, 2),
        (TOKEN, -3600, False, True, 2),
        (None, 61, False, False, 1),
    ],
)
def test_refused_keys(token, age, certain, again, fetched):
    """Certainly ended keys are dropped; a bare 403 counts against keys of a session that are over a minute old.

    So it does if the clock was set back, for then nobody knows how old they are.
    """
    fetch = Fetch(token=token)
    provider = made(fetch)
    refused = provider.get()
    fetch.clock.now += age
    assert provider.invalidate(refused, certain) is again
    provider.get()
    assert fetch.count == fetched


def test_real_access_denied_costs_one_fetch_a_minute():
    """A bare 403 at each of 600 calls within ten minutes makes ten fetches."""
    fetch = Fetch()
    provider = made(fetch)
    for _ in range(600):
        fetch.clock.now += 1
        provider.invalidate(provider.get(), False)
    assert fetch.count in (10, 11)


def test_refused_keys_that_were_renewed_meanwhile():
    """Another thread has renewed them already: try again, without a fetch."""
    fetch = Fetch()
    provider = made(fetch)
    old = provider.get()
    assert provider.invalidate(old, True)
    assert provider.get().access_key_id == "K2"
    assert provider.invalidate(old, True)
    assert provider.invalidate(old, False)
    assert provider.get().access_key_id == "K2"
    assert fetch.count == 2


def test_short_lived_keys_are_suspect_sooner():
    """A bare 403 in the second half of a session of seconds: its end by the store's clock may have been before ours."""
    fetch = Fetch(lifetime=2.0)
    provider = made(fetch)
    held = provider.get()
    fetch.clock.now += 0.9
    assert provider.invalidate(held, False) is False
    fetch.clock.now += 0.2
    assert provider.invalidate(held, False)
    assert provider.get().access_key_id == "K2"
    assert fetch.count == 2


def test_suspicion_does_not_cost_good_keys():
    """If the fetch after a bare 403 fails, the keys stay."""
    fetch = Fetch()
    provider = made(fetch)
    held = provider.get()
    fetch.clock.now += 61
    fetch.error = TimedOut("")
    assert provider.invalidate(held, False) is False
    assert provider.get() is held
    assert provider.invalidate(held, False) is False
    assert fetch.count == 2


def test_suspicion_that_brings_the_same_keys_is_no_reason_to_try_again():
    """False if a fetch after a bare 403 gives the very same keys."""
    clock = Clock()
    provider = Refreshing(lambda: keys(token=TOKEN), "test", clock=clock)
    held = provider.get()
    clock.now += 61
    assert provider.invalidate(held, False) is False


# a source that changes


def test_changed_source_is_read_within_seconds():
    """changed() is asked at most every five seconds, and then fetched anew."""
    fetch, looks, answer = Fetch(lifetime=None), [], [False]
    provider = made(fetch, changed=lambda: looks.append(1) or answer[0])
    provider.get()
    for _ in range(100):
        fetch.clock.now += 0.1
        provider.get()
    assert len(looks) in (1, 2)
    answer[0] = True
    fetch.clock.now += 5.1
    assert provider.get().access_key_id == "K2"


def test_half_written_source_leaves_the_old_keys():
    """A change that cannot be read yet is logged and read again some seconds later."""
    fetch = Fetch(lifetime=None)
    provider = made(fetch, changed=lambda: True)
    provider.get()
    fetch.error = ConfigError("half a file")
    fetch.clock.now += 6
    assert provider.get().access_key_id == "K1"
    assert provider.get().access_key_id == "K1"
    assert fetch.count == 2
    fetch.error = None
    fetch.clock.now += 6
    assert provider.get().access_key_id == "K3"


def test_refused_static_keys_whose_source_changed():
    """A bare 403 makes keys without a session be read again if their file is another."""
    fetch = Fetch(lifetime=None, token=None)
    provider = made(fetch, changed=lambda: True)
    assert provider.invalidate(provider.get(), False)
    assert provider.get().access_key_id == "K2"


# threads

THREADS = 16


class SlowFetch(Fetch):
    """Waits for `go` in each fetch but the first, and counts how many are in it at once."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.go, self.inside = threading.Event(), threading.Event()
        self.at_once = self.most = 0

    def __call__(self) -> Credentials:
        if self.count:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.inside.set()
            assert self.go.wait(30)
            self.at_once -= 1
        return super().__call__()


def test_in_the_advisory_window_one_thread_tries_and_the_others_go_on():
    """15 threads return with the old keys while the first one is still fetching."""
    fetch = SlowFetch()
    provider = made(fetch)
    provider.get()
    fetch.clock.now = START + 2800
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.submit(provider.get)
        assert fetch.inside.wait(30)
        others = [pool.submit(provider.get) for _ in range(THREADS - 1)]
        assert {other.result(30).access_key_id for other in others} == {"K1"}
        fetch.go.set()
        assert first.result(30).access_key_id == "K2"
    assert fetch.count == 2
    assert provider.get().access_key_id == "K2"


@pytest.mark.parametrize("fails", [False, True])
def test_in_the_mandatory_window_all_wait_for_one_fetch(fails):
    """One fetch, whose outcome, good or bad, is that of all who waited for it."""
    fetch = SlowFetch()
    provider = made(fetch)
    provider.get()
    fetch.clock.now = START + 3100
    fetch.error = TimedOut("nobody there") if fails else None
    barrier = threading.Barrier(THREADS)

    def get() -> str:
        barrier.wait(30)
        try:
            return provider.get().access_key_id
        except RefreshFailed as error:
            return str(error)

    with ThreadPoolExecutor(THREADS) as pool:
        results = [pool.submit(get) for _ in range(THREADS)]
        assert fetch.inside.wait(30)
        while waiting(provider) < THREADS - 1:
            time.sleep(0.001)
        fetch.go.set()
        got = {result.result(30) for result in results}
    assert got == ({"test gave no credentials: nobody there"} if fails else {"K2"})
    assert fetch.most == 1
    assert fetch.count == 2


def waiting(provider: Refreshing) -> int:
    """How many threads stand before the lock."""
    import sys

    frames = sys._current_frames().values()
    return sum(frame.f_code.co_name == "_wait" and frame.f_locals.get("self") is provider for frame in frames)


def test_short_sessions_under_real_threads():
    """16 threads, the real clock, sessions of 0.2 seconds: never keys that had ended, never two fetches at once."""
    lock, ended = threading.Lock(), []

    def fetch() -> Credentials:
        assert lock.acquire(blocking=False), "two fetches at once"
        with_end = keys("K", ends=time.time() + 0.2, token=TOKEN)
        lock.release()
        calls.append(1)
        return with_end

    calls: list[int] = []
    provider = Refreshing(fetch, "test")
    stop = time.time() + 1.0

    def work() -> None:
        while (now := time.time()) < stop:
            if provider.get().expires_at <= now:
                ended.append(now)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == []
    assert 2 <= len(calls) <= 1.0 / 0.1 + 2


# processes, pickles, secrets


def test_renewal_within_a_renewal():
    """The collector, or a signal, may run code in mid-renewal, such as the abort of an upload that was dropped."""
    fetch, inner = Fetch(), []

    def interrupted() -> Credentials:
        if not inner:
            inner.append(None)
            inner[0] = provider.get().access_key_id
        return fetch()

    provider = Refreshing(interrupted, "test", clock=fetch.clock)
    thread = threading.Thread(target=provider.get, daemon=True)
    thread.start()
    thread.join(5)
    assert inner == ["K1"]
    assert provider.get().access_key_id == "K2"


def test_forked_child_has_a_lock_of_its_own():
    """A child that is forked in the middle of a fetch can get keys by itself."""
    pids = []

    def fetch() -> Credentials:
        if not pids:
            pids.append(os.fork())
            if pids[0] == 0:
                got = provider.get()  # would hang on the parent's lock
                os._exit(0 if got.access_key_id == "AKIDSTATIC" else 1)
        return keys()

    provider = Refreshing(fetch, "test")
    provider.get()
    _, status = os.waitpid(pids[0], 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_pickle_holds_no_keys():
    """A pickle has neither keys nor lock; the copy fetches for itself."""
    provider = Refreshing(module_level_fetch, "test", clock=time.time)
    provider.get()
    pickled = pickle.dumps(provider)
    assert SECRET.encode() not in pickled
    assert TOKEN.encode() not in pickled
    copy = pickle.loads(pickled)
    assert copy.get() == provider.get()


def module_level_fetch() -> Credentials:
    return keys(token=TOKEN)


def test_no_secret_is_shown(caplog):
    """repr and every log line are free of secrets."""
    caplog.set_level(logging.DEBUG)
    fetch = Fetch()
    provider = made(fetch)
    held = provider.get()
    fetch.error = TimedOut("")
    fetch.clock.now += 2800
    provider.get()
    shown = repr(provider) + repr(held) + caplog.text
    assert "K1" in shown
    assert SECRET not in shown
    assert TOKEN not in shown

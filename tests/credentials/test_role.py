"""assume_role(): a role over keys that were given, renewed; MFA on a terminal."""

from __future__ import annotations

import os
import pickle
import pty
import sys

import pytest

from credentials.fakes import TOKEN, Clock, FakeSts, keys
from s3target.credentials import Static, assume_role
from s3target.credentials.roles import RoleFetch
from s3target.errors import CredentialsError
from s3target.protocol.operations.identity import AssumeRole

REQUEST = AssumeRole("arn:role/a", "luigi", duration=900, external_id="x")


def test_role_over_given_keys():
    """The given keys sign; the session is renewed before it ends."""
    clock = Clock()
    sts = FakeSts(clock, lifetime=900)
    provider = assume_role(sts, Static(keys("AKIA")), REQUEST, clock=clock)
    assert provider.get().access_key_id == "ASIA1"
    clock.now += 440
    assert provider.get().access_key_id == "ASIA1"
    clock.now += 20
    assert provider.get().access_key_id == "ASIA2"
    assert [call["signer"] for call in sts.calls] == ["AKIA", "AKIA"]
    assert sts.calls[0]["DurationSeconds"] == "900"
    assert sts.open == 0


def test_roles_on_roles():
    """A role's provider can be the base of another one."""
    clock = Clock()
    sts = FakeSts(clock)
    first = assume_role(sts, Static(keys("AKIA")), REQUEST, clock=clock)
    second = assume_role(sts, first, AssumeRole("arn:role/b", "luigi"), clock=clock)
    assert second.get().access_key_id == "ASIA2"
    assert [call["signer"] for call in sts.calls] == ["AKIA", "ASIA1"]


def test_refused_session_is_renewed():
    """ExpiredToken makes the next get() assume the role again."""
    sts = FakeSts(Clock())
    provider = assume_role(sts, Static(keys()), REQUEST, clock=sts.clock)
    assert provider.invalidate(provider.get(), certain=True)
    assert provider.get().access_key_id == "ASIA2"


def make_client(provider):
    return FakeSts(CLOCK)(provider)


CLOCK = Clock()


def test_pickle_without_session():
    """What was given is in the pickle, what STS gave is not."""
    provider = assume_role(make_client, Static(keys()), REQUEST, clock=CLOCK)
    provider.get()
    pickled = pickle.dumps(provider)
    assert TOKEN.encode() not in pickled
    assert pickle.loads(pickled).get().access_key_id == "ASIA1"


def terminal(act) -> str:
    """What act() returns in a child process whose terminal answers 123456 to any prompt."""
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.write(1, f"<{act()}>".encode())
        finally:
            os._exit(0)
    shown = b""
    try:
        while b"MFA code" not in shown:
            shown += os.read(master, 1000)
        os.write(master, b"123456\n")
        while b">" not in shown:
            shown += os.read(master, 1000)
    finally:
        os.waitpid(pid, 0)
        os.close(master)
    return shown.decode()


@pytest.mark.skipif(sys.version_info >= (3, 12) and len(sys._current_frames()) > 1, reason="fork with threads")
def test_mfa_on_the_terminal():
    """Asked for on the terminal without echo the first time; never in the middle of a job."""
    sts = FakeSts(Clock())
    fetch = RoleFetch(sts, Static(keys()), AssumeRole("arn:role/a", "luigi", mfa_serial="arn:mfa/me"))

    def act() -> str:
        fetch()
        try:
            fetch()
        except CredentialsError as error:
            return f"{sts.calls[0]['TokenCode']}, then: {error}"
        return "asked again"

    shown = terminal(act)
    assert shown.startswith("MFA code of arn:mfa/me: ")
    assert "<123456, then: the session of arn:role/a needs an MFA code of arn:mfa/me again" in shown


def test_mfa_without_a_terminal():
    """An error that says so, and no hanging."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        fetch = RoleFetch(FakeSts(Clock()), Static(keys()), AssumeRole("arn:role/a", "x", mfa_serial="arn:mfa/me"))
        try:
            fetch()
        except CredentialsError as error:
            os._exit(
                0 if "an MFA code is needed (MFA code of arn:mfa/me) and there is no terminal" in str(error) else 2
            )
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0

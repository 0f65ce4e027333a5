"""Chain: the order, the winner, and what is said when nobody has anything."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from credentials.fakes import SECRET, TOKEN, Clock, FakeSts, keys, sources_of, write_home
from s3target.client import Client
from s3target.credentials import Anonymous, Chain, Passed, Profiles, Provider, Sources, Static, default_chain
from s3target.errors import ConfigError, NoCredentials, RefreshFailed, TimedOut


class Fake(Provider):
    """Gives what it holds: keys, or an error that it raises."""

    def __init__(self, name: str, gives) -> None:
        self.name, self.gives, self.count = name, gives, 0

    def fetch(self):
        self.count += 1
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


def test_first_that_has_keys_wins_and_stays():
    """Later members are not asked, earlier ones not again."""
    clock = Clock()
    first, second, third = Fake("a", Passed("no")), Fake("b", keys("B", ends=clock() + 60)), Fake("c", keys("C"))
    chain = Chain([first, second, third], clock=clock)
    assert chain.get().access_key_id == "B"
    first.gives, second.gives = keys("A"), keys("B2")
    clock.now += 59
    assert chain.get().access_key_id == "B2"
    assert (first.count, second.count, third.count) == (1, 2, 0)


def test_nobody_has_keys():
    """NoCredentials names each provider in order, and why it passed."""
    chain = Chain([Fake("a", Passed("A is not set")), Fake("b", Passed("no file"))])
    with pytest.raises(
        NoCredentials, match="no credentials found; tried in this order:\n  a: A is not set\n  b: no file"
    ):
        chain.get()


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (ConfigError("half a pair"), ConfigError, "half a pair"),
        (RefreshFailed("gone"), RefreshFailed, "gone"),
        (TimedOut("silent"), RefreshFailed, "a gave no credentials: silent"),
        (OSError("disk"), RefreshFailed, "a gave no credentials: disk"),
    ],
)
def test_failing_member_ends_the_search(error, raised, said):
    """One that is configured and fails is an error: other keys than the meant ones must not be used."""
    behind = Fake("b", keys())
    with pytest.raises(raised, match=said):
        Chain([Fake("a", error), behind]).get()
    assert behind.count == 0


def test_winner_that_has_nothing_any_more():
    """It is not replaced by another provider in the middle of a job."""
    clock = Clock()
    first, second = Fake("a", keys(ends=clock() + 60)), Fake("b", keys("B"))
    chain = Chain([first, second], clock=clock)
    chain.get()
    first.gives = Passed("A is not set")
    clock.now += 60
    with pytest.raises(RefreshFailed, match="no credentials any more: A is not set"):
        chain.get()
    assert second.count == 0


def test_static_and_anonymous():
    """Given keys never change; anonymous has none."""
    given = keys()
    assert Static(given).get() is given
    assert Static(given).invalidate(given, True) is False
    assert Anonymous().get() is None
    assert Anonymous().invalidate(given, True) is False
    assert SECRET not in repr(Static(given))


ALL = [
    "env",
    "assume-role",
    "assume-role-with-web-identity",
    "sso",
    "shared-credentials-file",
    "login",
    "custom-process",
    "config-file",
    "ec2-credentials-file",
    "boto-config",
    "container-role",
    "iam-role",
]


@pytest.mark.parametrize(("profile", "names"), [(None, ALL), ("p", ALL[1:])])
def test_default_order(tmp_path, profile, names):
    """botocore's order; a profile that was named in code takes the environment out."""
    environ = write_home(tmp_path, "[profile p]\nregion = x\n", AWS_EC2_METADATA_DISABLED="true")
    chain = default_chain(sources_of(environ, profile=profile))
    with pytest.raises(NoCredentials) as raised:
        chain.get()
    assert [line.split(":")[0].strip() for line in str(raised.value).splitlines()[1:]] == names


def test_missing_profile_is_named(tmp_path):
    """A profile from AWS_PROFILE that does not exist is an error."""
    with pytest.raises(ConfigError, match="no profile 'typo'"):
        default_chain(sources_of(write_home(tmp_path, AWS_PROFILE="typo"))).get()


def refuse(*_: object) -> Client:
    raise AssertionError("not needed here")


def test_pickle_of_the_default_chain(tmp_path, monkeypatch):
    """Over os.environ: no secrets in the pickle; its copy reads the environment of its own process."""
    import os

    home = write_home(tmp_path, credentials=f"[default]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\n")
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("OTHER_SECRET", TOKEN)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    chain = default_chain(Sources(os.environ, Profiles.load(os.environ), None, refuse, refuse))
    assert chain.get().access_key_id == "AKIA"
    pickled = pickle.dumps(chain)
    assert SECRET.encode() not in pickled
    assert TOKEN.encode() not in pickled
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIB")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert pickle.loads(pickled).get().access_key_id == "AKIB"


def test_no_secret_in_repr_of_sources():
    """The environment is left out."""
    assert SECRET not in repr(sources_of({"AWS_SECRET_ACCESS_KEY": SECRET}, sts=FakeSts(Clock())))


def test_import_is_light():
    """Importing the package loads nothing that only some providers need."""
    heavy = "json configparser subprocess urllib http ssl socket getpass shlex xml email"
    code = f"import sys, s3target.credentials; print([m for m in {heavy!r}.split() if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"

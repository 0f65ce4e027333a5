"""Keys in the credentials file and in the configuration file."""

from __future__ import annotations

import os

import pytest

from credentials.fakes import SECRET, Clock, sources_of, write_home
from s3target.credentials import Passed, default_chain
from s3target.credentials.stored import ConfigFile, SharedCredentials
from s3target.errors import ConfigError


def section(key_id: str, name: str = "default", extra: str = "") -> str:
    return f"[{name}]\naws_access_key_id = {key_id}\naws_secret_access_key = {SECRET}\n{extra}"


@pytest.mark.parametrize(
    ("extra", "token"),
    [
        ("", None),
        ("aws_session_token = s\n", "s"),
        ("aws_security_token = old\naws_session_token = s\n", "old"),
        ("aws_session_token =\n", None),
    ],
)
@pytest.mark.parametrize("provider", [SharedCredentials, ConfigFile])
def test_keys(tmp_path, provider, extra, token):
    """Both files know the same keys; the token has an old name, which comes first."""
    environ = write_home(tmp_path, section("AKIA", extra=extra), section("AKIA", extra=extra))
    found = provider(sources_of(environ), "default").fetch()
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("AKIA", SECRET, token)
    file = "credentials" if provider is SharedCredentials else "config"
    assert found.source == f"{provider.name}: {tmp_path}/.aws/{file} [default]"


def test_each_file_by_itself(tmp_path):
    """An id in one file and a secret in the other are no pair, though profiles are merged."""
    environ = write_home(
        tmp_path, f"[default]\naws_secret_access_key = {SECRET}\n", "[default]\naws_access_key_id = AKIA\n"
    )
    with pytest.raises(ConfigError, match=r"credentials \[default\] has aws_access_key_id without"):
        SharedCredentials(sources_of(environ), "default").fetch()
    with pytest.raises(Passed, match=r"no aws_access_key_id for profile 'default' in .*config"):
        ConfigFile(sources_of(environ), "default").fetch()


def test_rotated_file_is_noticed(tmp_path):
    """A file that is replaced while the job runs is read again within five seconds."""
    clock = Clock()
    chain = default_chain(sources_of(write_home(tmp_path, credentials=section("AKIA")), clock=clock))
    assert chain.get().access_key_id == "AKIA"
    rotate(tmp_path, section("AKIB"))
    assert chain.get().access_key_id == "AKIA"
    clock.now += 5.1
    assert chain.get().access_key_id == "AKIB"


def test_other_directory_is_no_rotation(tmp_path, monkeypatch):
    """A relative path means the directory where the client was made, though a task may go to another one."""
    (tmp_path / "mine").write_text(section("AKIA"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine").write_text(section("OTHER"))
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    environ = write_home(tmp_path, AWS_SHARED_CREDENTIALS_FILE="mine")
    chain = default_chain(sources_of(environ, clock=clock))
    before = chain.get()
    monkeypatch.chdir("other")
    clock.now += 10
    assert chain.get() == before


def test_rotated_file_is_noticed_when_the_keys_are_refused(tmp_path):
    """A 403 is answered by a look at the file; the same file is no reason to try again."""
    chain = default_chain(sources_of(write_home(tmp_path, credentials=section("AKIA"))))
    held = chain.get()
    assert chain.invalidate(held, certain=False) is False
    rotate(tmp_path, section("AKIB"))
    assert chain.invalidate(held, certain=False) is True
    assert chain.get().access_key_id == "AKIB"


def test_file_that_is_being_written(tmp_path, caplog):
    """Half a file, or none for a moment, leaves the old keys in use."""
    clock = Clock()
    chain = default_chain(sources_of(write_home(tmp_path, credentials=section("AKIA")), clock=clock))
    chain.get()
    for half in ("[default]\naws_access_key_id = AKIB\n", "[defau", ""):
        rotate(tmp_path, half)
        clock.now += 5.1
        assert chain.get().access_key_id == "AKIA"
    assert "the old keys stay in use" in caplog.text
    rotate(tmp_path, section("AKIB"))
    clock.now += 5.1
    assert chain.get().access_key_id == "AKIB"


def rotate(home, text: str) -> None:
    fresh = home / "fresh"
    fresh.write_text(text)
    os.replace(fresh, home / ".aws" / "credentials")

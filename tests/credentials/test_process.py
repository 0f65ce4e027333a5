"""Keys that a program prints: real programs, run as a user's would be."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from credentials.fakes import SECRET, START, TOKEN, Clock, iso, sources_of, write_home
from s3target.credentials import Passed, default_chain
from s3target.credentials.stored import Process
from s3target.errors import ConfigError, RefreshFailed

GOOD = {"Version": 1, "AccessKeyId": "AKIAP", "SecretAccessKey": SECRET}


def printing(content: object) -> str:
    """A command that prints this."""
    text = content if isinstance(content, str) else json.dumps(content)
    return shlex.join(["printf", "%s", text])


def provider(home, command: str, *, timeout: float = 60.0, **environ: str) -> Process:
    config = f"[default]\ncredential_process = {command}\n"
    process = Process(sources_of(write_home(home, config, **environ)), "default")
    process.timeout = timeout
    return process


@pytest.mark.parametrize(
    ("extra", "token", "expires_at"),
    [
        ({}, None, None),
        ({"SessionToken": TOKEN, "Expiration": iso(START)}, TOKEN, START),
        ({"SessionToken": None, "Expiration": None, "AccountId": "1"}, None, None),
    ],
)
def test_keys(tmp_path, extra, token, expires_at):
    """SessionToken and Expiration may be missing."""
    found = provider(tmp_path, printing(GOOD | extra)).fetch()
    assert (found.access_key_id, found.secret_access_key) == ("AKIAP", SECRET)
    assert (found.session_token, found.expires_at) == (token, expires_at)
    assert found.source == f"custom-process: {tmp_path}/.aws/config [default]"


def test_no_shell(tmp_path):
    """The string is split by the rules of a shell, but no shell sees it. The environment is the given one."""
    script = tmp_path / "give keys"
    script.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "keys = {'AccessKeyId': '|'.join(sys.argv[1:]), 'SecretAccessKey': os.environ['MINE']}\n"
        "print(json.dumps({'Version': 1, **keys}))\n"
    )
    script.chmod(0o755)
    found = provider(tmp_path, f"'{script}' $HOME 'a b' ; c", MINE="of-mine").fetch()
    assert (found.access_key_id, found.secret_access_key) == ("$HOME|a b|;|c", "of-mine")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no JSON"),
        (f"key {SECRET}", "no JSON"),
        ([GOOD], "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        (GOOD | {"Version": 2}, '"Version" is not 1'),
        (GOOD | {"Version": "1"}, '"Version" is not 1'),
        (GOOD | {"Version": True}, '"Version" is not 1'),
        ({"Version": 1, "SecretAccessKey": SECRET}, "no AccessKeyId"),
        ({"Version": 1, "AccessKeyId": "AKIAP", "secretAccessKey": SECRET}, "no SecretAccessKey"),
        (GOOD | {"Expiration": "tomorrow"}, "Expiration that is no time"),
        (GOOD | {"Expiration": 1800000000}, "Expiration that is no time"),
    ],
)
def test_output_that_is_no_credentials(tmp_path, content, said):
    """RefreshFailed says what is wrong, and shows nothing of the output."""
    with pytest.raises(RefreshFailed, match=said) as raised:
        provider(tmp_path, printing(content)).fetch()
    assert SECRET not in str(raised.value)


def test_program_that_fails(tmp_path):
    """Status and the beginning of stderr are shown; stdout never is."""
    command = shlex.join(["sh", "-c", f"echo {SECRET}; echo please log in >&2; yes more | head -c 5000 >&2; exit 3"])
    with pytest.raises(
        RefreshFailed, match=r"profile 'default' \(sh\) ended with status 3: please log in more"
    ) as raised:
        provider(tmp_path, command).fetch()
    assert SECRET not in str(raised.value)
    assert len(str(raised.value)) < 450


def test_program_that_hangs(tmp_path):
    """It is killed after the timeout."""
    with pytest.raises(RefreshFailed, match="gave no answer in 0 s"):
        provider(tmp_path, "sleep 60", timeout=0.05).fetch()


@pytest.mark.parametrize(
    ("command", "said"),
    [("/nonexistent/program", "cannot be run"), ("'unclosed", "cannot be split"), ("''", "cannot be run")],
)
def test_program_that_is_none(tmp_path, command, said):
    """ConfigError names the profile."""
    with pytest.raises(ConfigError, match=f"profile 'default'.*{said}"):
        provider(tmp_path, command).fetch()


def test_passes(tmp_path):
    """Without the key in the profile; no variable can set it."""
    with pytest.raises(Passed, match="no credential_process"):
        Process(sources_of(write_home(tmp_path)), "default").fetch()


def test_runs_again_before_the_keys_end(tmp_path):
    """With an Expiration it is run again; without one, never."""
    clock = Clock()
    counter = tmp_path / "count"
    output = json.dumps(GOOD | {"Expiration": iso(START + 3600)})
    command = shlex.join(["sh", "-c", f"echo >> {counter}; printf %s '{output}'"])
    config = f"[default]\ncredential_process = {command}\n"
    chain = default_chain(sources_of(write_home(tmp_path, config), clock=clock))
    chain.get()
    clock.now += 2000
    chain.get()
    assert counter.read_text() == "\n"
    clock.now += 1000
    chain.get()
    assert counter.read_text() == "\n\n"

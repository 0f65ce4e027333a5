"""Keys in environment variables."""

from __future__ import annotations

import pytest

from credentials.fakes import SECRET, START, iso, sources_of
from s3target.credentials import Passed
from s3target.credentials.stored import Environment
from s3target.errors import ConfigError

PAIR = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": SECRET}


@pytest.mark.parametrize(
    ("extra", "token", "expires_at"),
    [
        ({}, None, None),
        ({"AWS_SESSION_TOKEN": "s"}, "s", None),
        ({"AWS_SECURITY_TOKEN": "old", "AWS_SESSION_TOKEN": "s"}, "old", None),
        ({"AWS_SECURITY_TOKEN": "", "AWS_SESSION_TOKEN": "s"}, "s", None),
        ({"AWS_CREDENTIAL_EXPIRATION": iso(START)}, None, START),
        ({"AWS_CREDENTIAL_EXPIRATION": "2027-01-15T09:00:00+01:00"}, None, START),
    ],
)
def test_keys(extra, token, expires_at):
    """AWS_SECURITY_TOKEN comes before AWS_SESSION_TOKEN; an expiration is ISO 8601."""
    found = Environment(sources_of({**PAIR, **extra})).fetch()
    assert (found.access_key_id, found.secret_access_key) == ("AKIA", SECRET)
    assert (found.session_token, found.expires_at, found.source) == (token, expires_at, "env")


def test_line_break_that_a_secret_store_has_left():
    """`echo key | base64` is how it gets into a variable; it is cut off, as it is of arguments and files."""
    found = Environment(sources_of({name: f"{value}\n" for name, value in PAIR.items()})).fetch()
    assert (found.access_key_id, found.secret_access_key) == ("AKIA", SECRET)


@pytest.mark.parametrize(
    "environ", [{}, {"AWS_ACCESS_KEY_ID": ""}, {"AWS_ACCESS_KEY_ID": " "}, {"AWS_SECRET_ACCESS_KEY": SECRET}]
)
def test_passes(environ):
    """Without an access key id, or with an empty one."""
    with pytest.raises(Passed, match="AWS_ACCESS_KEY_ID is not set"):
        Environment(sources_of(environ)).fetch()


@pytest.mark.parametrize("secret", [{}, {"AWS_SECRET_ACCESS_KEY": ""}])
def test_half_a_pair(secret):
    """An id without its secret is an error, not a reason to look elsewhere."""
    with pytest.raises(ConfigError, match="set both or neither"):
        Environment(sources_of({"AWS_ACCESS_KEY_ID": "AKIA", **secret})).fetch()


def test_bad_expiration():
    """A time that is none is an error with an example."""
    with pytest.raises(ConfigError, match="write it like 2026-11-22T20:15:00Z"):
        Environment(sources_of({**PAIR, "AWS_CREDENTIAL_EXPIRATION": "soon"})).fetch()


def test_environment_is_read_again():
    """At a renewal the variables are read anew, and the expiration must still be there."""
    environ = {**PAIR, "AWS_CREDENTIAL_EXPIRATION": iso(START)}
    provider = Environment(sources_of(environ))
    provider.fetch()
    environ.update(AWS_ACCESS_KEY_ID="AKIB", AWS_CREDENTIAL_EXPIRATION=iso(START + 60))
    again = provider.fetch()
    assert (again.access_key_id, again.expires_at) == ("AKIB", START + 60)
    del environ["AWS_CREDENTIAL_EXPIRATION"]
    with pytest.raises(ConfigError, match="AWS_CREDENTIAL_EXPIRATION was set and is gone"):
        provider.fetch()

"""A role by the token in a file."""

from __future__ import annotations

import pytest

from credentials.fakes import TOKEN, Clock, FakeSts, sources_of, sts_error, write_home
from s3target.credentials import Passed, default_chain
from s3target.credentials.roles import WebIdentity
from s3target.errors import ConfigError, RefreshFailed

CONFIG = "[default]\nrole_arn = arn:profile\nweb_identity_token_file = {0}/token\nrole_session_name = of-profile\n"


@pytest.mark.parametrize(
    ("environ", "arn", "session"),
    [
        ({}, "arn:profile", "of-profile"),
        ({"AWS_ROLE_ARN": "arn:env"}, "arn:env", "of-profile"),
        ({"AWS_ROLE_SESSION_NAME": "of-env"}, "arn:profile", "of-env"),
        ({"AWS_ROLE_ARN": "arn:env\n", "AWS_ROLE_SESSION_NAME": " "}, "arn:env", "of-profile"),
    ],
)
def test_each_setting_by_itself(tmp_path, environ, arn, session):
    """A variable beats the profile's key of the same meaning. The call is not signed."""
    (tmp_path / "token").write_text("jwt-1\n")
    sts = FakeSts(Clock())
    sources = sources_of(write_home(tmp_path, CONFIG.format(tmp_path), **environ), sts=sts)
    found = default_chain(sources).get()
    [call] = sts.calls
    assert call["Action"] == "AssumeRoleWithWebIdentity"
    assert (call["RoleArn"], call["RoleSessionName"], call["WebIdentityToken"]) == (arn, session, "jwt-1")
    assert call["signer"] == ""
    assert found.source == f"assume-role-with-web-identity: {arn}"
    assert sts.open == 0


def test_environment_alone(tmp_path):
    """As on EKS: no files, three variables."""
    (tmp_path / "token").write_text("jwt")
    environ = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_ARN": "arn:env"}
    sts = FakeSts(Clock())
    assert default_chain(sources_of(write_home(tmp_path, **environ), sts=sts)).get().access_key_id == "ASIA1"


def test_profile_named_in_code_ignores_the_environment(tmp_path):
    """AWS_ROLE_ARN and its kin do not count then."""
    (tmp_path / "token").write_text("jwt")
    home = write_home(tmp_path, CONFIG.format(tmp_path), AWS_ROLE_ARN="arn:env")
    sts = FakeSts(Clock())
    default_chain(sources_of(home, profile="default", sts=sts)).get()
    assert sts.calls[0]["RoleArn"] == "arn:profile"


def test_token_file_is_read_again(tmp_path):
    """Kubernetes replaces the token; each renewal sends the new one."""
    token = tmp_path / "token"
    token.write_text("jwt-1")
    sts = FakeSts(Clock())
    chain = default_chain(sources_of(write_home(tmp_path, CONFIG.format(tmp_path)), sts=sts, clock=sts.clock))
    chain.get()
    token.write_text("jwt-2")
    sts.clock.now += 3000
    assert chain.get().access_key_id == "ASIA2"
    assert [call["WebIdentityToken"] for call in sts.calls] == ["jwt-1", "jwt-2"]


@pytest.mark.parametrize(
    ("environ", "error", "said"),
    [
        ({}, Passed, "no AWS_WEB_IDENTITY_TOKEN_FILE"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": ""}, Passed, "no AWS_WEB_IDENTITY_TOKEN_FILE"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/t"}, ConfigError, "set AWS_ROLE_ARN or role_arn"),
        (
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/t", "AWS_ROLE_ARN": "a"},
            ConfigError,
            "/nonexistent/t cannot be read: No such file",
        ),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null", "AWS_ROLE_ARN": "a"}, ConfigError, "/dev/null is empty"),
    ],
)
def test_settings_that_do_not_suffice(tmp_path, environ, error, said):
    """No token file: passed. A file without a role, or one that cannot be read: ConfigError."""
    with pytest.raises(error, match=said):
        WebIdentity(sources_of(write_home(tmp_path, **environ)), "default", True).fetch()


def test_refused_token_is_not_shown(tmp_path):
    """The error of STS is told; the token is not."""
    (tmp_path / "token").write_text(TOKEN)
    sts = FakeSts(Clock())
    sts.fail = lambda form: sts_error(400, "InvalidIdentityToken")
    chain = default_chain(sources_of(write_home(tmp_path, CONFIG.format(tmp_path)), sts=sts))
    with pytest.raises(RefreshFailed, match=r"assume-role-with-web-identity .*InvalidIdentityToken") as raised:
        chain.get()
    assert TOKEN not in str(raised.value) + repr(raised.value.__cause__)

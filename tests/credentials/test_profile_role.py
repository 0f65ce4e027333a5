"""Profiles with role_arn: whose keys sign, what is asked for, and which profiles cannot be right."""

from __future__ import annotations

import logging
import pickle

import pytest

from credentials.fakes import SECRET, START, TOKEN, Clock, FakeSts, sources_of, sts_error, write_home
from s3target.credentials import default_chain, roles
from s3target.credentials.provider import CannotRenew
from s3target.errors import AccessDenied, ConfigError, NoCredentials, RefreshFailed

BASE = f"[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {SECRET}\n"
ROLE = "[profile role]\nrole_arn = arn:role/a\n"
PAIR = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": SECRET}


class Case:
    """A default chain over these files with profile `role` in use, and the STS that it asks."""

    def __init__(self, home, config: str, credentials: str = BASE, **environ: str) -> None:
        self.clock = Clock()
        self.sts = FakeSts(self.clock)
        environ = {"AWS_PROFILE": "role", "AWS_EC2_METADATA_DISABLED": "true", **environ}
        self.sources = sources_of(write_home(home, config, credentials, **environ), sts=self.sts, clock=self.clock)
        self.chain = default_chain(self.sources)


def test_source_profile_with_static_keys(tmp_path):
    """The source profile's keys sign; the answer's keys are used until they are to end."""
    case = Case(tmp_path, ROLE + "source_profile = base\n")
    found = case.chain.get()
    assert (found.access_key_id, found.session_token) == ("ASIA1", f"{TOKEN}1")
    assert found.source == "assume-role: arn:role/a"
    [call] = case.sts.calls
    assert (call["Action"], call["RoleArn"], call["signer"]) == ("AssumeRole", "arn:role/a", "AKIABASE")
    assert call["RoleSessionName"] == f"s3target-{START:.0f}"
    assert not {"DurationSeconds", "ExternalId", "SerialNumber"} & set(call)
    assert case.sts.open == 0


def test_all_settings_are_sent(tmp_path):
    """external_id, duration_seconds and role_session_name reach STS."""
    extra = "source_profile = base\nexternal_id = x1\nduration_seconds = 1800\nrole_session_name = me\n"
    case = Case(tmp_path, ROLE + extra)
    case.chain.get()
    [call] = case.sts.calls
    assert (call["ExternalId"], call["DurationSeconds"], call["RoleSessionName"]) == ("x1", "1800", "me")


def test_duration_that_is_no_number(tmp_path, caplog):
    """Left out, as botocore does, but not in silence."""
    case = Case(tmp_path, ROLE + "source_profile = base\nduration_seconds = an hour\n")
    case.chain.get()
    assert "DurationSeconds" not in case.sts.calls[0]
    assert "duration_seconds is 'an hour'" in caplog.text


def test_renewal(tmp_path):
    """The role is assumed again before its session ends."""
    case = Case(tmp_path, ROLE + "source_profile = base\n")
    assert case.chain.get().access_key_id == "ASIA1"
    case.clock.now += 2000
    assert case.chain.get().access_key_id == "ASIA1"
    case.clock.now += 1000
    assert case.chain.get().access_key_id == "ASIA2"


def test_chain_of_three_roles(tmp_path):
    """Each role's session signs for the next one; each is renewed by itself."""
    config = ROLE + (
        "source_profile = middle\n[profile middle]\nrole_arn = arn:role/b\nsource_profile = last\n"
        "[profile last]\nrole_arn = arn:role/c\nsource_profile = base\n"
    )
    case = Case(tmp_path, config)
    assert case.chain.get().access_key_id == "ASIA3"
    seen = [(call["RoleArn"], call["signer"], call["signer_token"]) for call in case.sts.calls]
    assert seen == [
        ("arn:role/c", "AKIABASE", ""),
        ("arn:role/b", "ASIA1", f"{TOKEN}1"),
        ("arn:role/a", "ASIA2", f"{TOKEN}2"),
    ]
    case.clock.now += 3000
    assert case.chain.get().access_key_id == "ASIA6"


def test_session_of_the_middle_role_is_refused(tmp_path):
    """STS says that the base session has ended: that one is renewed, and the call made again."""
    config = ROLE + "source_profile = middle\n[profile middle]\nrole_arn = arn:role/b\nsource_profile = base\n"
    case = Case(tmp_path, config)
    case.chain.get()
    case.sts.fail = lambda form: sts_error(403, "ExpiredTokenException") if form["signer"] == "ASIA1" else None
    case.clock.now += 2690
    case.chain.invalidate(case.chain.get(), certain=True)
    case.chain.get()
    assert [call["signer"] for call in case.sts.calls[2:]] == ["ASIA1", "AKIABASE", "ASIA4"]


def test_profile_that_is_its_own_source(tmp_path):
    """Role and keys in one profile: the role wins over the keys, and is assumed with them."""
    config = ROLE + f"source_profile = role\naws_access_key_id = AKIASELF\naws_secret_access_key = {SECRET}\n"
    case = Case(tmp_path, config)
    assert case.chain.get().access_key_id == "ASIA1"
    assert case.sts.calls[0]["signer"] == "AKIASELF"


def test_source_profile_with_role_and_keys_uses_the_keys(tmp_path):
    """In a source profile keys come before its own role."""
    source = f"[profile s]\nrole_arn = arn:x\naws_access_key_id = AKIAS\naws_secret_access_key = {SECRET}\n"
    case = Case(tmp_path, ROLE + "source_profile = s\n" + source)
    case.chain.get()
    assert [call["signer"] for call in case.sts.calls] == ["AKIAS"]


def test_source_profile_with_a_process(tmp_path):
    """A source profile may have its keys from any provider that looks at one profile."""
    output = f'{{"Version": 1, "AccessKeyId": "AKIAP", "SecretAccessKey": "{SECRET}"}}'
    case = Case(tmp_path, ROLE + f"source_profile = s\n[profile s]\ncredential_process = printf %s '{output}'\n")
    case.chain.get()
    assert case.sts.calls[0]["signer"] == "AKIAP"


def test_source_profile_with_web_identity(tmp_path):
    """The environment's web identity does not count for a source profile, but the profile's own does."""
    (tmp_path / "token").write_text("jwt")
    source = f"[profile s]\nrole_arn = arn:web\nweb_identity_token_file = {tmp_path}/token\n"
    environ = {"AWS_ROLE_ARN": "arn:env"}
    case = Case(tmp_path, ROLE + "source_profile = s\n" + source, **environ)
    case.chain.get()
    assert [(call["Action"], call["RoleArn"], call["signer"]) for call in case.sts.calls] == [
        ("AssumeRoleWithWebIdentity", "arn:web", ""),
        ("AssumeRole", "arn:role/a", "ASIA1"),
    ]


def test_credential_source_environment(tmp_path):
    """The environment's keys sign, also if the profile was named in code."""
    home = write_home(tmp_path, ROLE + "credential_source = Environment\n", **PAIR)
    sts = FakeSts(Clock())
    found = default_chain(sources_of(home, profile="role", sts=sts)).get()
    assert (found.access_key_id, sts.calls[0]["signer"]) == ("ASIA1", "AKIAENV")


def test_credential_source_without_keys(tmp_path):
    """NoCredentials says which source of which profile was empty."""
    case = Case(tmp_path, ROLE + "credential_source = Ec2InstanceMetadata\n")
    with pytest.raises(NoCredentials, match="Ec2InstanceMetadata, credential_source of profile 'role'"):
        case.chain.get()


def test_source_profile_without_keys(tmp_path):
    """NoCredentials names the source profile."""
    case = Case(tmp_path, ROLE + "source_profile = s\n[profile s]\nregion = x\n")
    with pytest.raises(NoCredentials, match="no credentials of source_profile 's' found"):
        case.chain.get()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("source_profile = base\ncredential_source = Environment\n", "both source_profile and credential_source"),
        ("", "neither source_profile nor credential_source"),
        ("source_profile = gone\n", "source_profile 'gone', which does not exist"),
        ("credential_source = Moon\n", "'Moon'; it must be Environment, EcsContainer or Ec2InstanceMetadata"),
        ("source_profile = role\n", "circle: role -> role"),
        (
            "source_profile = b\n[profile b]\nrole_arn = b\nsource_profile = c\n"
            "[profile c]\nrole_arn = c\nsource_profile = role\n",
            "circle: role -> b -> c -> role",
        ),
        (
            "source_profile = b\n[profile b]\nrole_arn = b\nsource_profile = b\n",
            "circle: role -> b -> b",
        ),
    ],
)
def test_profile_that_cannot_be_right(tmp_path, config, said):
    """ConfigError that names the profile; a loop is spelled out."""
    case = Case(tmp_path, ROLE + config)
    with pytest.raises(ConfigError, match=said):
        case.chain.get()
    assert case.sts.calls == []


def test_refusal_of_sts(tmp_path):
    """RefreshFailed names the role and the reason of STS; the service's error is its cause."""
    case = Case(tmp_path, ROLE + "source_profile = base\n")
    case.sts.fail = lambda form: sts_error(403, "AccessDenied")
    with pytest.raises(RefreshFailed, match=r"role arn:role/a was not given: .* 403 AccessDenied: no") as raised:
        case.chain.get()
    assert isinstance(raised.value.__cause__, AccessDenied)


def test_rotated_base_keys(tmp_path):
    """At its next renewal the role is assumed with the keys that the file then has."""
    case = Case(tmp_path, ROLE + "source_profile = base\n")
    case.chain.get()
    (tmp_path / ".aws" / "credentials").write_text(BASE.replace("AKIABASE", "AKIAROTATED"))
    case.clock.now += 3000
    case.chain.get()
    assert [call["signer"] for call in case.sts.calls] == ["AKIABASE", "AKIAROTATED"]


def test_mfa_code(tmp_path, monkeypatch):
    """The code is asked for with the device's name, and sent; at a renewal nobody is asked, and the keys are kept."""
    asked = []
    monkeypatch.setattr(roles, "ask_on_terminal", lambda prompt: asked.append(prompt) or " 123456\n")
    case = Case(tmp_path, ROLE + "source_profile = base\nmfa_serial = arn:mfa/me\n")
    case.chain.get()
    assert (case.sts.calls[0]["SerialNumber"], case.sts.calls[0]["TokenCode"]) == ("arn:mfa/me", "123456")
    case.clock.now += 3000
    assert case.chain.get().access_key_id == "ASIA1"
    case.clock.now += 600
    with pytest.raises(CannotRenew, match="needs an MFA code of arn:mfa/me again"):
        case.chain.get()
    assert asked == ["MFA code of arn:mfa/me: "]


def test_mistyped_mfa_code(tmp_path, monkeypatch):
    """Whoever mistyped it is asked again at the next try."""
    codes = ["654321", "123456"]
    monkeypatch.setattr(roles, "ask_on_terminal", lambda prompt: codes.pop(0))
    case = Case(tmp_path, ROLE + "source_profile = base\nmfa_serial = arn:mfa/me\n")
    case.sts.fail = lambda form: None if form["TokenCode"] == "123456" else sts_error(403, "AccessDenied")
    with pytest.raises(RefreshFailed, match="was not given: AssumeRole: 403 AccessDenied"):
        case.chain.get()
    assert case.chain.get().access_key_id.startswith("ASIA")
    assert codes == []


def test_no_secret_in_log_or_pickle(tmp_path, caplog):
    """DEBUG logs show access key ids only; so does a pickled provider."""
    caplog.set_level(logging.DEBUG)
    case = Case(tmp_path, ROLE + "source_profile = base\n")
    case.chain.get()
    assert "ASIA1" in caplog.text
    assert SECRET not in caplog.text
    assert TOKEN not in caplog.text
    pickled = pickle.dumps(case.chain)
    assert SECRET.encode() not in pickled
    assert TOKEN.encode() not in pickled
    assert pickle.loads(pickled).get().access_key_id == "ASIA1"

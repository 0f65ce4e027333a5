"""The grammar of the two files, how they are merged, and what is said of a bad one."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from credentials.fakes import SECRET, sources_of, write_home
from s3target.credentials import Profiles
from s3target.errors import ConfigError

CONFIG = """\
# a comment
[default]
region = us-east-1 # not a comment
percent = 100%(x)s
colon: works
s3 =
    addressing_style = path
    max_concurrent_requests=20

    endpoint_url = http://a=b
[profile plain]
REGION = eu-west-1
services = dev
[profile "a b"]
region = ap-south-1
[profile unclosed "]
region = x
[bare]
region = nowhere
[profilesque x]
region = nowhere
[services dev]
s3 =
  endpoint_url = http://127.0.0.1:1
sts =
  endpoint_url = http://127.0.0.1:2
[sso-session corp]
sso_region = eu-central-1
"""

CREDENTIALS = f"""\
[plain]
region = eu-west-2
aws_access_key_id = AKIA
aws_secret_access_key = {SECRET}
[only there]
aws_access_key_id = AKIB
"""


@pytest.fixture
def profiles(tmp_path) -> Profiles:
    return Profiles.load(write_home(tmp_path, CONFIG, CREDENTIALS))


@pytest.mark.parametrize(
    ("profile", "key", "value"),
    [
        ("default", "region", "us-east-1 # not a comment"),
        ("default", "percent", "100%(x)s"),
        ("default", "colon", "works"),
        (
            "default",
            "s3",
            {"addressing_style": "path", "max_concurrent_requests": "20", "endpoint_url": "http://a=b"},
        ),
        ("a b", "region", "ap-south-1"),
        ("plain", "region", "eu-west-2"),
        ("plain", "services", "dev"),
        ("only there", "aws_access_key_id", "AKIB"),
    ],
)
def test_values(profiles, profile, key, value):
    """Grammar of RawConfigParser, one level of nesting, credentials over configuration key by key."""
    assert profiles.get(profile)[key] == value


def test_names(profiles):
    """Only [default], [profile x] and the credentials file's sections are profiles."""
    assert set(profiles.names) == {"default", "plain", "a b", "only there"}


def test_source_of_each_key(profiles, tmp_path):
    """Every key knows its file and section."""
    plain = profiles.get("plain")
    assert plain.source("region") == f"{tmp_path}/.aws/credentials [plain]"
    assert plain.source("services") == f"{tmp_path}/.aws/config [profile plain]"
    assert plain.source("nothing") == ""


def test_referred_sections(profiles, tmp_path):
    """[services x] and [sso-session x] are found by kind and name."""
    assert profiles.section("services", "dev").block("sts") == {"endpoint_url": "http://127.0.0.1:2"}
    assert profiles.section("sso-session", "corp").text("sso_region") == "eu-central-1"
    assert profiles.section("services", "dev").source("s3") == f"{tmp_path}/.aws/config [services dev]"
    with pytest.raises(ConfigError, match=r"no section \[services other\]"):
        profiles.section("services", "other")


def test_default_may_have_two_spellings(tmp_path):
    """[default] and [profile default] are the same profile; the later one counts."""
    both = "[default]\nregion = a\n[profile default]\nregion = b\n"
    assert Profiles.load(write_home(tmp_path, both)).get("default")["region"] == "b"


def test_missing_profile(profiles, tmp_path):
    """Named with the files that were looked at and the profiles that there are; "default" may be missing."""
    with pytest.raises(ConfigError, match="no profile 'typo'") as raised:
        profiles.get("typo")
    assert f"{tmp_path}/.aws/config" in str(raised.value)
    assert f"{tmp_path}/.aws/credentials" in str(raised.value)
    assert "only there" in str(raised.value)
    assert dict(Profiles.load(write_home(tmp_path / "empty")).get("default")) == {}


@pytest.mark.parametrize(
    ("environ", "explicit", "chosen"),
    [
        ({}, None, "default"),
        ({"AWS_PROFILE": "p"}, None, "p"),
        ({"AWS_PROFILE": "p", "AWS_DEFAULT_PROFILE": "d"}, None, "d"),
        ({"AWS_PROFILE": "p", "AWS_DEFAULT_PROFILE": "d"}, "e", "e"),
        ({"AWS_PROFILE": ""}, None, "default"),
        ({"AWS_PROFILE": "p\n", "AWS_DEFAULT_PROFILE": " "}, None, "p"),
    ],
)
def test_chosen_profile(environ, explicit, chosen):
    """Code, then AWS_DEFAULT_PROFILE, then AWS_PROFILE, then default."""
    assert sources_of(environ, profile=explicit).chosen == chosen


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("~/c", "/home/u/c"),
        ("$FOLDER/c", "/etc/x/c"),
        ("${FOLDER}/c", "/etc/x/c"),
        ("$NOTHING/c", f"{os.getcwd()}/$NOTHING/c"),
        ("/plain", "/plain"),
    ],
)
def test_paths_are_expanded(value, path):
    """$VAR and ~ are those of the environment that was given."""
    environ = {"HOME": "/home/u", "FOLDER": "/etc/x", "AWS_CONFIG_FILE": value, "AWS_SHARED_CREDENTIALS_FILE": value}
    profiles = Profiles.load(environ)
    assert profiles.config_path == profiles.credentials_path == path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"region = x\n", "line 1: a \\[section\\] must come before"),
        (b"[default]\nregion = x\njust words\n", "line 3: neither a \\[section\\] nor key = value"),
        (b"[a]\nregion = x\nregion = y\n", "line 3: region comes twice in \\[a\\]"),
        (b"[a]\nx = y\n[a]\n", "line 3: section \\[a\\] comes twice"),
        (b"[a]\ns3 =\n  words\n", "s3 in \\[a\\]: each line of a nested block"),
        (b"\xff\xfe\x00binary", "not a text file"),
        (b"\x00\x01\x02", "line 1"),
    ],
)
def test_bad_file(tmp_path, content, said):
    """The error names the path and the line."""
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as raised:
        Profiles.load({"AWS_CONFIG_FILE": str(path), "HOME": str(tmp_path)}).get("default")
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("line", [f"aws_secret_access_key {SECRET}", f"s3 =\n  {SECRET}", f"x = 1\nx = {SECRET}"])
def test_bad_file_is_not_quoted(tmp_path, line):
    """An error never shows the text of a file that may hold secrets, nor does its chain of causes."""
    environ = write_home(tmp_path, credentials=f"[default]\nregion = x\n{line}\n")
    with pytest.raises(ConfigError) as raised:
        Profiles.load(environ).get("default")
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_directory_in_place_of_a_file(tmp_path):
    """ConfigError naming it."""
    with pytest.raises(ConfigError, match=f"{tmp_path} cannot be read: Is a directory"):
        Profiles.load({"AWS_CONFIG_FILE": str(tmp_path), "HOME": "/nonexistent"}).get("default")


@pytest.fixture
def readable_home() -> Iterator[Path]:
    """A directory that anybody may enter, while this process has no more rights than anybody."""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    yield home
    shutil.rmtree(home)


def test_unreadable_file(readable_home):
    """A file without permission to read is an error; a directory that cannot be entered counts as no file."""
    environ = write_home(readable_home, CONFIG)
    (readable_home / ".aws" / "config").chmod(0)
    with without_rights(), pytest.raises(ConfigError, match="config cannot be read: Permission denied"):
        Profiles.load(environ).get("default")
    (readable_home / ".aws").chmod(0)
    try:
        with without_rights():
            assert dict(Profiles.load(environ).get("default")) == {}
    finally:
        (readable_home / ".aws").chmod(0o700)


@contextmanager
def without_rights() -> Iterator[None]:
    """Root may read everything, so be somebody else for a while."""
    uid = os.geteuid()
    os.seteuid(65534 if uid == 0 else uid)
    try:
        yield
    finally:
        os.seteuid(uid)


def test_no_file_at_all():
    """Missing files, and /dev/null, are fine."""
    environ = {"HOME": "/nonexistent", "AWS_CONFIG_FILE": "/dev/null"}
    assert Profiles.load(environ).names == ()


@pytest.mark.parametrize(("key", "method"), [("s3", "text"), ("region", "block")])
def test_value_of_the_wrong_kind(profiles, key, method):
    """A block where a value belongs, or the other way round, is an error that names the place."""
    with pytest.raises(ConfigError, match=r"config \[default\]: "):
        getattr(profiles.get("default"), method)(key)


def test_refresh_reads_a_changed_file_only(profiles, tmp_path):
    """What was read stays until refresh() finds another file."""
    assert profiles.get("default")["colon"] == "works"
    before = profiles.get("default")
    profiles.refresh()
    assert profiles.get("default") is before
    (tmp_path / ".aws" / "config").write_text("[default]\ncolon = other\n")
    assert profiles.get("default") is before
    profiles.refresh()
    assert profiles.get("default")["colon"] == "other"


def test_no_secret_in_repr_or_pickle(profiles):
    """repr shows keys without values; a pickle holds paths alone and reads the files anew."""
    assert SECRET not in repr(profiles.get("plain")) + repr(profiles)
    pickled = pickle.dumps(profiles)
    assert SECRET.encode() not in pickled
    assert pickle.loads(pickled).get("plain")["aws_secret_access_key"] == SECRET

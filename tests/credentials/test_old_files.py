"""The files of AWS's oldest tools and of boto 2."""

from __future__ import annotations

import pytest

from credentials.fakes import SECRET, sources_of, write_home
from s3target.credentials import Passed
from s3target.credentials.stored import BotoConfig, Ec2CredentialsFile
from s3target.errors import ConfigError

BOTO = (
    f"[Credentials]\naws_access_key_id = AKIAB\naws_secret_access_key = {SECRET}\n"
    "aws_session_token = ignored\naws_security_token = ignored\n"
)


def test_ec2_file(tmp_path):
    """Lines name = value; others are passed over. ~ is expanded."""
    (tmp_path / "old").write_text(f"# comment\nAWSAccessKeyId = AKIAO\nAWSSecretKey={SECRET}\n")
    found = Ec2CredentialsFile(sources_of({"AWS_CREDENTIAL_FILE": "~/old", "HOME": str(tmp_path)})).fetch()
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("AKIAO", SECRET, None)
    assert found.source == f"ec2-credentials-file: {tmp_path}/old"


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (None, ConfigError, "cannot be read"),
        ("AWSSecretKey=x\n", Passed, "no AWSAccessKeyId in"),
        ("AWSAccessKeyId=x\n", ConfigError, "AWSAccessKeyId without AWSSecretKey"),
    ],
)
def test_ec2_file_without_keys(tmp_path, content, error, said):
    """Half a pair, or a file that is not there, is an error; a file about something else is not."""
    if content is not None:
        (tmp_path / "old").write_text(content)
    with pytest.raises(error, match=said):
        Ec2CredentialsFile(sources_of({"AWS_CREDENTIAL_FILE": str(tmp_path / "old")})).fetch()


def test_ec2_file_not_named():
    """Passed."""
    with pytest.raises(Passed, match="AWS_CREDENTIAL_FILE is not set"):
        Ec2CredentialsFile(sources_of({})).fetch()


@pytest.mark.parametrize("named", [True, False])
def test_boto_config(tmp_path, named):
    """BOTO_CONFIG, else ~/.boto. It has no session token."""
    (tmp_path / ".boto").write_text(BOTO)
    environ = {"HOME": str(tmp_path)}
    if named:
        (tmp_path / "named").write_text(BOTO.replace("AKIAB", "AKIAN"))
        environ["BOTO_CONFIG"] = "~/named"
    found = BotoConfig(sources_of(environ)).fetch()
    assert (found.access_key_id, found.session_token) == ("AKIAN" if named else "AKIAB", None)
    assert found.source == f"boto-config: {tmp_path}/{'named' if named else '.boto'} [Credentials]"


@pytest.mark.parametrize(
    ("content", "error"),
    [("", Passed), ("[Boto]\nx = 1\n", Passed), ("[Credentials]\naws_access_key_id = A\n", ConfigError)],
)
def test_boto_config_without_keys(tmp_path, content, error):
    """Half a pair is an error."""
    if content:
        (tmp_path / "no.boto").write_text(content)
    with pytest.raises(error, match="aws_access_key_id"):
        BotoConfig(sources_of(write_home(tmp_path))).fetch()

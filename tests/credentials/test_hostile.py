"""Metadata services that lead elsewhere, and files that hold anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.fakes import Answer, real_http, serving, sources_of, write_home
from s3target.credentials.metadata import Container, Instance
from s3target.credentials.profiles import Profiles, read_sections
from s3target.credentials.provider import Passed
from s3target.errors import ConfigError, S3Error

SECRET = "a-token-of-the-pod"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("provider", ["container", "instance"])
def test_redirects_of_metadata_services_are_not_followed(tmp_path: Path, provider: str, status: int) -> None:
    """Nobody else hears the token, and nobody else's keys are taken."""
    with (
        serving(lambda *_: Answer(200, '{"AccessKeyId": "theirs", "SecretAccessKey": "theirs"}')) as decoy,
        serving(lambda *_: Answer(status, location=f"{decoy.url}/keys")) as server,
    ):
        environ = write_home(
            tmp_path,
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{server.url}/keys",
            AWS_CONTAINER_AUTHORIZATION_TOKEN=SECRET,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url,
        )
        sources = sources_of(environ, http=real_http)
        asked = Container(sources).fetch if provider == "container" else Instance(sources).fetch
        with pytest.raises((S3Error, Passed)) as caught:
            asked()
        assert SECRET not in str(caught.value)
        assert server.log
        assert decoy.log == []


LINES = st.lists(
    st.sampled_from(
        ["[default]", "[profile x]", "[", "]", "a = b", "a=", "=b", "  b = c", "a:b", "#", ";", "\0", "%(a)s"]
    )
    | st.text(max_size=12),
    max_size=12,
)


@settings(max_examples=150)
@given(LINES.map("\n".join).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=80))
def test_any_file_is_sections_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """ConfigError, naming the file; whatever it holds, a profile can be asked for afterwards, or cannot, no more."""
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content)
    told = ""
    try:
        for values in read_sections(str(path)).values():
            assert all(isinstance(value, str | dict) for value in values.values())
    except ConfigError as error:
        told = str(error)
    assert told == "" or str(path) in told
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        try:
            profile = Profiles.load({variable: str(path), "HOME": "/nonexistent"}).get("default")
            assert dict(profile) is not None
        except ConfigError:
            pass

"""Keys of an `aws login` session: only what is in the cache."""

from __future__ import annotations

import hashlib
import json

import pytest

from credentials.fakes import SECRET, START, TOKEN, Clock, iso, sources_of, write_home
from s3target.credentials import Passed, default_chain
from s3target.credentials.logins import Login
from s3target.errors import CredentialsError

SESSION = "arn:aws:iam::1:user/me"
CONFIG = f"[default]\nlogin_session = {SESSION}\n"


def cache(folder, ends: float = START + 900, key_id: str = "ASIAL") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    keys = {"accessKeyId": key_id, "secretAccessKey": SECRET, "sessionToken": TOKEN, "expiresAt": iso(ends)}
    path = folder / f"{hashlib.sha256(SESSION.encode()).hexdigest()}.json"
    path.write_text(json.dumps({"accessToken": keys, "refreshToken": "r", "dpopKey": "k"}))


@pytest.mark.parametrize("named", [True, False])
def test_cached_keys(tmp_path, named):
    """In AWS_LOGIN_CACHE_DIRECTORY or ~/.aws/login/cache."""
    folder = tmp_path / "named" if named else tmp_path / ".aws" / "login" / "cache"
    cache(folder)
    environ = {"AWS_LOGIN_CACHE_DIRECTORY": "~/named"} if named else {}
    found = default_chain(sources_of(write_home(tmp_path, CONFIG, **environ))).get()
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("ASIAL", SECRET, TOKEN)
    assert found.expires_at == START + 900
    assert found.source.startswith(f"login: {folder}")


def test_keys_that_the_aws_cli_renewed(tmp_path):
    """The cache is read again before the keys end."""
    clock = Clock()
    folder = tmp_path / ".aws" / "login" / "cache"
    cache(folder)
    chain = default_chain(sources_of(write_home(tmp_path, CONFIG), clock=clock))
    chain.get()
    cache(folder, START + 1800, "ASIAM")
    clock.now += 500
    assert chain.get().access_key_id == "ASIAM"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: None, "there is no"),
        (lambda folder: cache(folder, START - 1), "only the AWS CLI can renew it; run any command of it"),
        (lambda folder: (cache(folder), next(folder.iterdir()).write_text("{}")), "is no login"),
        (lambda folder: (cache(folder), next(folder.iterdir()).write_text('{"accessToken": "x"}')), "is no login"),
        (lambda folder: (cache(folder), next(folder.iterdir()).write_text("x")), "no JSON"),
    ],
)
def test_no_good_keys(tmp_path, spoil, said):
    """The error says what to do."""
    spoil(tmp_path / ".aws" / "login" / "cache")
    with pytest.raises(CredentialsError, match=f"{said}.*log in by: aws login --profile default"):
        Login(sources_of(write_home(tmp_path, CONFIG)), "default").fetch()


def test_passes(tmp_path):
    """Without login_session."""
    with pytest.raises(Passed, match="no login_session"):
        Login(sources_of(write_home(tmp_path)), "default").fetch()

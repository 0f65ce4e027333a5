"""The same variables and files give the same keys, by the same provider, as botocore does.

Configurations are drawn by a fixed seed from what each source may look like; the metadata services of both are one
server on loopback. Roles are not assumed: there the role, its settings and the keys below it are compared.
"""

from __future__ import annotations

import collections
import hashlib
import json
import os
import random
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from credentials.fakes import Answer, FakeSts, Server, iso, serving, sources_of
from s3target.credentials import default_chain
from s3target.errors import ConfigError, CredentialsError, NoCredentials

botocore = pytest.importorskip("botocore")

from botocore.exceptions import BotoCoreError  # noqa: E402
from botocore.session import Session  # noqa: E402

NOW = 4_000_000_000.0
"""In the year 2096, so that nothing that botocore sees ends soon."""

CONFIGURATIONS = 400

METHODS = (
    "env assume-role assume-role-with-web-identity sso shared-credentials-file custom-process config-file"
    " ec2-credentials-file boto-config container-role iam-role"
)


def pair(name: str, token: str = "") -> str:
    return f"aws_access_key_id = AKIA{name}\naws_secret_access_key = secret-{name}\n{token}"


def process(home: Path) -> str:
    keys = {"Version": 1, "AccessKeyId": "AKIAPROC", "SecretAccessKey": "s", "SessionToken": "t"}
    return f"credential_process = {shlex.join(['printf', '%s', json.dumps(keys)])}\n"


ENVIRONMENT: list[dict[str, str]] = [
    {},
    {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"},
    {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"},
    {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SECURITY_TOKEN": "o", "AWS_SESSION_TOKEN": "t"},
    {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_CREDENTIAL_EXPIRATION": iso(NOW + 9999)},
    {"AWS_ACCESS_KEY_ID": "AKIAENV"},
    {"AWS_SECRET_ACCESS_KEY": "s"},
]
CHOICE: list[dict[str, str]] = [
    {},
    {"AWS_PROFILE": "p"},
    {"AWS_DEFAULT_PROFILE": "p"},
    {"AWS_DEFAULT_PROFILE": "p", "AWS_PROFILE": "default"},
    {"AWS_PROFILE": "missing"},
    {"explicit": "p"},
    {"explicit": "default"},
]
KEYS = ["", "pair", "token", "old token", "id only", "secret only"]
ROLE = [
    "",
    "role_arn = arn:1\nsource_profile = base\nexternal_id = x\nduration_seconds = 1800\nrole_session_name = n\n",
    "role_arn = arn:1\nsource_profile = middle\nmfa_serial = m\n",
    "role_arn = arn:1\nsource_profile = {name}\n",
    "role_arn = arn:1\nsource_profile = gone\n",
    "role_arn = arn:1\nsource_profile = loop\n",
    "role_arn = arn:1\nsource_profile = processed\nduration_seconds = long\n",
    "role_arn = arn:1\nsource_profile = empty\n",
    "role_arn = arn:1\n",
    "role_arn = arn:1\nsource_profile = base\ncredential_source = Environment\n",
    "role_arn = arn:1\ncredential_source = Environment\n",
    "role_arn = arn:1\ncredential_source = EcsContainer\n",
    "role_arn = arn:1\ncredential_source = Ec2InstanceMetadata\n",
    "role_arn = arn:1\ncredential_source = Nothing\n",
    "web_identity_token_file = {home}/token\nrole_arn = arn:web\nrole_session_name = w\n",
    "web_identity_token_file = {home}/token\n",
]
SINGLE_SIGN_ON = [
    "",
    "sso_account_id = 1\nsso_role_name = r\nsso_session = corp\n",
    "sso_account_id = 1\nsso_role_name = r\nsso_start_url = https://start\nsso_region = eu-west-1\n",
    "sso_account_id = 1\nsso_role_name = r\nsso_session = corp\nsso_region = eu-west-2\n",
    "sso_account_id = 1\n",
    "sso_session = corp\n",
]
WEB: list[dict[str, str]] = [
    {},
    {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token", "AWS_ROLE_ARN": "arn:env"},
    {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token"},
    {"AWS_ROLE_ARN": "arn:env", "AWS_ROLE_SESSION_NAME": "e"},
]
LATE: list[dict[str, str]] = [
    {},
    {"AWS_CREDENTIAL_FILE": "{home}/old"},
    {"BOTO_CONFIG": "{home}/boto.cfg"},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{server}/container"},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/container"},
    {"AWS_EC2_METADATA_DISABLED": "true"},
]
OTHERS = (
    "[profile base]\nregion = x\n"
    "[profile middle]\nrole_arn = arn:2\nsource_profile = base\n"
    "[profile loop]\nrole_arn = arn:3\nsource_profile = {name}\n"
    "[profile empty]\nregion = x\n"
    "[profile processed]\n{process}"
    "[sso-session corp]\nsso_start_url = https://start\nsso_region = eu-west-1\n"
    "[services x]\ns3 =\n  endpoint_url = http://x\n"
)


class Drawn:
    """One configuration: files in a home directory, variables, the profile that code names."""

    def __init__(self, home: Path, server: Server, seed: int) -> None:
        dice = random.Random(seed)

        def draw(choices: list[Any]) -> Any:
            # The first one, which is nothing, is likely, so that what comes late in the chain has its chance.
            return choices[0] if dice.random() < 0.65 else dice.choice(choices)

        variables = {**draw(ENVIRONMENT), **draw(CHOICE), **draw(WEB), **draw(LATE)}
        self.explicit = variables.pop("explicit", None)
        name = self.explicit or variables.get("AWS_DEFAULT_PROFILE") or variables.get("AWS_PROFILE") or "default"
        name = "p" if name == "missing" else name
        header = dice.choice(
            [f"profile {name}", f'profile "{name}"', "default" if name == "default" else f"profile {name}"]
        )
        body = self.keys(draw(KEYS), "CONFIG") + draw(ROLE) + draw(SINGLE_SIGN_ON) + draw(["", "{process}"])
        mine = self.keys(draw(KEYS), "SHARED")
        fill = {"{home}": str(home), "{server}": server.url, "{name}": name, "{process}": process(home)}
        # To botocore a profile named "default" may be missing if nobody named it; to us always.
        named = f"[{header}]\nregion = r\n{body}" if body or self.explicit or name in variables.values() else ""
        write(home / ".aws/config", fill, named, OTHERS)
        write(home / ".aws/credentials", fill, f"[{name}]\n{mine}" if mine else "", f"[base]\n{pair('BASE')}")
        self.environ = {
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "BOTO_CONFIG": str(home / "no.boto"),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
            **{key: filled(value, fill) for key, value in variables.items()},
        }

    @staticmethod
    def keys(kind: str, name: str) -> str:
        tokens = {"token": "aws_session_token = t\n", "old token": "aws_security_token = o\naws_session_token = t\n"}
        alone = {"": "", "id only": "aws_access_key_id = A\n", "secret only": "aws_secret_access_key = s\n"}
        return alone[kind] if kind in alone else pair(name, tokens.get(kind, ""))


def filled(text: str, fill: dict[str, str]) -> str:
    for place, value in fill.items():
        text = text.replace(place, value)
    return text


def write(path: Path, fill: dict[str, str], *parts: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(filled("".join(parts), fill))


def metadata(method: str, path: str, headers: Any, body: bytes) -> Answer:
    ends = iso(NOW + 99999)
    if path == "/container":
        name = "ASIACONTAINER"
    elif path.startswith("/federation"):
        keys = {"accessKeyId": "ASIASSO", "secretAccessKey": "s", "sessionToken": "t", "expiration": (NOW + 999) * 1000}
        return Answer(200, json.dumps({"roleCredentials": keys}))
    elif path.endswith("/token"):
        return Answer(200, "token")
    elif path.endswith("/security-credentials/"):
        return Answer(200, "role")
    else:
        name = "ASIAINSTANCE"
    return Answer(200, json.dumps({"AccessKeyId": name, "SecretAccessKey": "s", "Token": "t", "Expiration": ends}))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(metadata) as running:
        yield running


Found = tuple[Any, ...]


def by_botocore(drawn: Drawn) -> Found:
    try:
        credentials = Session(profile=drawn.explicit).get_credentials()
    except (BotoCoreError, ValueError) as error:
        return ("error", type(error).__name__)
    return ("none",) if credentials is None else botocore_facts(credentials)


def botocore_facts(credentials: Any) -> Found:
    method = credentials.method
    refresh = getattr(credentials, "_refresh_using", None)
    if method == "assume-role":
        # With an MFA device the refresh is wrapped once more.
        fetcher = getattr(refresh, "_refresh", refresh).__self__
        role = fetcher._assume_kwargs
        base = botocore_facts(fetcher._source_credentials)
        wanted = ("RoleArn", "ExternalId", "DurationSeconds", "SerialNumber")
        return method, tuple(str(role.get(name, "")) for name in wanted), base
    if method == "assume-role-with-web-identity":
        role = refresh.__self__._assume_kwargs
        return method, role["RoleArn"]
    if method == "sso":
        return method, "ASIASSO"
    frozen = credentials.get_frozen_credentials()
    return method, frozen.access_key, frozen.secret_key, frozen.token or None


def by_us(drawn: Drawn, server: Server) -> Found:
    sts = FakeSts(lambda: NOW)
    sources = sources_of(drawn.environ, profile=drawn.explicit, sts=sts, http=server.http, clock=lambda: NOW)
    try:
        sources.profiles.get(sources.chosen)  # whoever reads the region does so first
        with patch("s3target.credentials.roles.ask_on_terminal", return_value="1"):
            credentials = default_chain(sources).get()
    except NoCredentials as error:
        return ("none",) if str(error).startswith("no credentials found") else ("error", str(error))
    except (ConfigError, CredentialsError) as error:
        return ("error", str(error))
    method = credentials.source.partition(":")[0]
    if method == "assume-role-with-web-identity":
        return method, sts.calls[-1]["RoleArn"]
    if method == "sso":
        return method, credentials.access_key_id
    if method == "assume-role":
        return our_role(sts.calls)
    return method, credentials.access_key_id, credentials.secret_access_key, credentials.session_token


def our_role(calls: list[dict[str, str]]) -> Found:
    """The last call, and what lies below it: another role, a web identity's role, or just the key id that signed."""
    *before, call = calls
    wanted = ("RoleArn", "ExternalId", "DurationSeconds", "SerialNumber")
    role = tuple(call.get(name, "") for name in wanted)
    if not before:
        return "assume-role", role, call["signer"]
    below = before[-1]
    return "assume-role", role, our_role(before) if below["Action"] == "AssumeRole" else below["RoleArn"]


def without_base_method(found: Found) -> Found:
    """Of what is at the bottom of a chain of roles only the key id or the web identity's role can be compared."""
    if found[0] != "assume-role":
        return found
    method, role, base = found
    return method, role, without_base_method(base) if base[0] == "assume-role" else base[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path / "token", {}, "jwt")
    write(tmp_path / "old", {}, "AWSAccessKeyId=AKIAOLD\nAWSSecretKey=s\n")
    write(tmp_path / "boto.cfg", {}, f"[Credentials]\n{pair('BOTO')}")
    for name in ("corp", "https://start"):
        login = json.dumps({"accessToken": "a", "expiresAt": iso(NOW + 9999)})
        write(tmp_path / f".aws/sso/cache/{hashlib.sha1(name.encode()).hexdigest()}.json", {}, login)
    return tmp_path


def test_same_keys_as_botocore(home, server, monkeypatch):
    """Method, key id, secret and token; for roles their settings and the key id at the bottom; or both refuse."""
    for variable in [name for name in os.environ if name.startswith(("AWS_", "BOTO"))]:
        monkeypatch.delenv(variable)
    seen: collections.Counter[str] = collections.Counter()
    for seed in range(CONFIGURATIONS):
        drawn = Drawn(home, server, seed)
        with monkeypatch.context() as patch:
            for name, value in drawn.environ.items():
                patch.setenv(name, value)
            theirs = by_botocore(drawn)
        ours = by_us(drawn, server)
        told = f"seed {seed}: {drawn.environ}, {drawn.explicit}\n{(home / '.aws/config').read_text()}\n{theirs}\n{ours}"
        if "error" in (theirs[0], ours[0]):
            assert theirs[0] == ours[0], told
        else:
            assert without_base_method(theirs) == ours, told
        seen[theirs[0]] += 1
    # Each outcome must have come up, or the comparison proves too little.
    assert set(seen) >= {*METHODS.split(), "none", "error"}
    assert seen["error"] < CONFIGURATIONS / 2

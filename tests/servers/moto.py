"""moto's server, in its own process: close to AWS in what it answers; has STS.

As it comes it takes any key and any signature; with its IAM checks on it verifies both, so it is the checking server
for the keys that SeaweedFS, being a file system, cannot hold.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode
from xml.etree import ElementTree

from servers.announced import announced
from servers.signed import request
from servers.store import Store
from servers.tls import Authority

_ARGV = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
_ANNOUNCEMENT = r"Running on (https?://127\.0\.0\.1:\d+)"


@contextlib.contextmanager
def moto_store(authority: Authority | None = None) -> Iterator[Store]:
    tls = ["--ssl-cert", authority.certificate, "--ssl-key", authority.key] if authority else []
    with announced([*_ARGV, *tls], _ANNOUNCEMENT) as url:
        yield Store(
            name="moto-tls" if authority else "moto",
            endpoint_url=url,
            access_key_id="MOTOACCESSKEY0000001",
            secret_access_key="moto+secret/key=0001",
            region="us-east-1",
            ca_file=authority.ca_file if authority else None,
            checks_signatures=False,
            sts_endpoint_url=url,
            role_arn="arn:aws:iam::123456789012:role/S3TargetRole",
        )


@contextlib.contextmanager
def moto_auth_store() -> Iterator[Store]:
    """moto with its IAM checks on: signatures and policies of the keys that its own IAM made."""
    everything = _policy(Action="*", Resource="*")
    # The first calls are let through unchecked: they make the user, its policy and its key, and the role.
    argv = ["env", "INITIAL_NO_AUTH_ACTION_COUNT=5", *_ARGV]
    with announced(argv, _ANNOUNCEMENT) as url:
        nobody = Store("moto-auth", url, "NOBODY", "none", "us-east-1", None, True, url, None)
        _iam(nobody, "CreateUser", UserName="tester")
        _iam(nobody, "PutUserPolicy", UserName="tester", PolicyName="all", PolicyDocument=everything)
        key = _iam(nobody, "CreateAccessKey", UserName="tester")
        trust = _policy(Principal={"AWS": "*"}, Action="sts:AssumeRole")
        role = _iam(nobody, "CreateRole", RoleName="S3TargetRole", AssumeRolePolicyDocument=trust)
        _iam(nobody, "PutRolePolicy", RoleName="S3TargetRole", PolicyName="all", PolicyDocument=everything)
        yield replace(
            nobody,
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
            role_arn=role["Arn"],
        )


def _iam(store: Store, action: str, **fields: str) -> dict[str, str]:
    """The elements of the answer by name."""
    form = urlencode({"Action": action, "Version": "2010-05-08", **fields}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = request(store, "POST", "/", body=form, headers=headers, service="iam")
    assert answer.status == 200, answer
    return {node.tag.rpartition("}")[2]: node.text or "" for node in ElementTree.fromstring(answer.body).iter()}


def _policy(**statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})

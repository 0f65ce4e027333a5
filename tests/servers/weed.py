"""SeaweedFS: a distributed store that checks signatures and has STS. Started by the package's own demo code."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
from collections.abc import Iterator
from typing import NamedTuple

from s3target.cli.seaweedfs import seaweedfs
from servers.store import Store
from servers.tls import Authority

VIRTUAL_HOST_DOMAIN = "s3.localhost"  # BUCKET.s3.localhost in the Host header names the bucket too
ROLE_ARN = "arn:aws:iam::role/S3TargetRole"


class OidcIssuer(NamedTuple):
    """Whose web tokens are good for the role. keys_url: of the issuer's JSON Web Key set. client_id: their audience."""

    url: str
    keys_url: str
    client_id: str


@contextlib.contextmanager
def seaweedfs_store(authority: Authority | None = None, oidc: OidcIssuer | None = None) -> Iterator[Store]:
    flags = {
        "s3.domainName": VIRTUAL_HOST_DOMAIN,
        "s3.allowDeleteBucketNotEmpty": "false",  # as S3 has it; by default DeleteBucket takes the objects along
        "s3.iam.config": "iam.json",
    }
    if authority:
        flags |= {"s3.cert.file": authority.certificate, "s3.key.file": authority.key}
    with seaweedfs(flags=flags, files={"iam.json": json.dumps(_iam(oidc))}) as server:
        yield Store(
            name="seaweedfs-tls" if authority else "seaweedfs",
            endpoint_url=server.endpoint_url,
            access_key_id=server.access_key_id,
            secret_access_key=server.secret_access_key,
            region=server.region,
            ca_file=authority.ca_file if authority else None,
            checks_signatures=True,
            sts_endpoint_url=server.endpoint_url,
            role_arn=ROLE_ARN,
        )


def _iam(oidc: OidcIssuer | None) -> dict[str, object]:
    """The role of STS, and whose web tokens are good for it."""
    role = {
        "roleName": ROLE_ARN.rpartition("/")[2],
        "roleArn": ROLE_ARN,
        "attachedPolicies": ["Everything"],
        "trustPolicy": _policy(
            {"Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]},
            {"Principal": {"Federated": "*"}, "Action": ["sts:AssumeRoleWithWebIdentity"]},
        ),
    }
    return {
        "sts": {
            "tokenDuration": "15m",
            "maxSessionLength": "12h",
            "issuer": "s3target",
            "signingKey": base64.b64encode(secrets.token_bytes(32)).decode(),
            "providers": [_provider(oidc)] if oidc else [],
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [{"name": "Everything", "document": _policy({"Action": ["s3:*", "sts:*"], "Resource": ["*"]})}],
        "roles": [role],
    }


def _policy(*statements: dict[str, object]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}


def _provider(oidc: OidcIssuer) -> dict[str, object]:
    settings = {"issuer": oidc.url, "clientId": oidc.client_id, "jwksUri": oidc.keys_url}
    mapping = {"rules": [], "defaultRole": ROLE_ARN}
    return {"name": "oidc", "type": "oidc", "enabled": True, "config": {**settings, "roleMapping": mapping}}

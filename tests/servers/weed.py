"""SeaweedFS: a distributed store that checks signatures and has STS. Started by the package's own demo code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from s3target.cli.seaweedfs import OidcIssuer, TlsFiles, seaweedfs
from servers.store import Store
from servers.tls import Authority


@contextlib.contextmanager
def seaweedfs_store(authority: Authority | None = None, oidc: OidcIssuer | None = None) -> Iterator[Store]:
    tls = TlsFiles(authority.certificate, authority.key) if authority else None
    with seaweedfs(tls=tls, oidc=oidc) as server:
        yield Store(
            name="seaweedfs-tls" if authority else "seaweedfs",
            endpoint_url=server.endpoint_url,
            access_key_id=server.access_key_id,
            secret_access_key=server.secret_access_key,
            region=server.region,
            ca_file=authority.ca_file if authority else None,
            checks_signatures=True,
            sts_endpoint_url=server.sts_endpoint_url,
            role_arn=server.role_arn,
        )

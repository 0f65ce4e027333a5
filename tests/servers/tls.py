"""A certificate authority of our own, and a server certificate that it signed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import trustme

DOMAIN = "s3.localhost"
"""Under which stores that can have buckets as host names."""
NAMES = ("localhost", "127.0.0.1", DOMAIN, f"*.{DOMAIN}")


class Authority(NamedTuple):
    """Paths of PEM files. certificate: the server's with its chain, for NAMES."""

    ca_file: str
    certificate: str
    key: str


def make_authority(folder: Path) -> Authority:
    """Write the three files into folder."""
    made = Authority(*(str(folder / name) for name in ("ca.pem", "server.pem", "server.key")))
    authority = trustme.CA()
    server = authority.issue_cert(*NAMES)
    authority.cert_pem.write_to_path(made.ca_file)
    for blob in server.cert_chain_pems:
        blob.write_to_path(made.certificate, append=True)
    server.private_key_pem.write_to_path(made.key)
    return made

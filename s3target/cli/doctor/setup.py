"""Steps before the network: where each setting came from, which keys there are, and, with an STS, whose they are."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ...client import Client
from ...errors import ConfigError, CredentialsError, S3Error
from ...protocol.endpoint import sts_endpoint
from ...protocol.operations.base import Fixed
from ...protocol.operations.sts import GetCallerIdentity
from ...transport import HttpTransport
from ..arguments import LUIGI_CFG
from ..units import human_time
from .finding import Finding, Patient

_SHOWN_ALWAYS = ("region_name", "endpoint_url", "verify", "addressing_style")


def settings_in_use(patient: Patient) -> Iterator[Finding]:
    """One line for each setting that is not the default, and for those that matter anyway."""
    settings = patient.settings
    told = {name: (value, source) for name, value, source in settings.describe()}
    for name in _SHOWN_ALWAYS:
        if name not in told:
            told[name] = ("AWS" if name == "endpoint_url" else "none", settings.sources[name])
    for name, (value, source) in told.items():
        if source != "default" or name in _SHOWN_ALWAYS:
            yield Finding("ok", "setting", f"{name} = {value} ({source})")


def luigi_cfg(patient: Patient) -> Iterator[Finding]:
    """Whether there is a luigi.cfg with settings that this run does not use."""
    if LUIGI_CFG in patient.settings.sources.values():
        return
    for path in (os.environ.get("LUIGI_CONFIG_PATH"), "luigi.cfg"):
        if path and _has_section(path):
            yield Finding("note", "luigi.cfg", f"{path} has settings in [s3] that this run did not use", _use(path))
            return


def _use(path: str) -> str:
    return f"the Luigi classes do: s3target doctor --luigi-cfg {path} ..."


def _has_section(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(line.strip() == "[s3]" for line in file)
    except OSError:
        return False


def keys(patient: Patient) -> Finding:
    """Which provider has keys, and how long they live."""
    try:
        credentials = patient.client.credentials.get()
    except (CredentialsError, ConfigError) as error:
        return Finding("failed", "credentials", str(error), "give keys by one of these ways, or --profile")
    except S3Error as error:
        return Finding("failed", "credentials", f"the provider of the keys cannot be asked: {error}")
    if credentials is None:
        return Finding("ok", "credentials", "none: requests go unsigned, as was asked for")
    left = "they do not expire"
    if credentials.expires_at is not None:
        left = f"good for {human_time(max(0.0, credentials.expires_at - patient.clock()))}"
    text = f"access key id {credentials.access_key_id} by {credentials.source or 'a provider'}; {left}"
    return Finding("ok", "credentials", text)


def identity(patient: Patient) -> Finding | None:
    """Who the keys belong to, where there is an STS to ask."""
    settings = patient.settings
    url = settings["sts_endpoint_url"]
    if patient.client.credentials.get() is None:
        return None
    if url is None and settings["endpoint_url"]:
        return Finding("note", "identity", "not asked: no sts_endpoint_url is set for this store")
    locator = Fixed(sts_endpoint(settings["region_name"], url))
    # Connections of its own, which are closed at once.
    client = Client(HttpTransport(patient.options), locator, patient.client.credentials, patient.client.policy)
    try:
        with client:
            caller = client.call(GetCallerIdentity())
    except S3Error as error:
        return Finding("note", "identity", f"the STS does not tell: {error}")
    return Finding("ok", "identity", f"{caller.arn} (account {caller.account})")

"""connect(): settings -> Client. The only place where the floors below are put together.

One client per configuration: shared() hands the same client to all who ask with the same settings, so thousands of
targets share one pool of connections and one set of credentials, and metadata services are asked once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from .client import Client, CredentialProvider
from .credentials import Anonymous, Profiles, Sources, Static, assume_role, default_chain
from .errors import ConfigError
from .protocol.endpoint import Endpoint, sts_endpoint
from .protocol.messages import Credentials
from .protocol.operations.base import Fixed, Locator
from .retry import RetryPolicy
from .settings import Settings, resolve
from .stores import STORES, UNKNOWN
from .transport import HttpTransport, TransportOptions, environment_proxies
from .value import replace

_OTHER_VARIABLES = ("HOME", "REQUESTS_CA_BUNDLE", "REQUEST_METHOD")
_shared: dict[object, Client] = {}
_shared_lock = threading.Lock()


def connect(**arguments: Any) -> Client:
    """A client for one store.

    Arguments are the names of settings.SETTINGS, most of them boto3's: region_name, endpoint_url, verify, use_ssl,
    aws_access_key_id, aws_secret_access_key, aws_session_token, profile_name, aws_role_arn, addressing_style,
    max_attempts, connect_timeout (seconds), ... What is not given comes from the environment, the profile, or a
    default. Nothing is sent yet. ConfigError for a name or value that cannot be right.

    >>> connect(regoin_name="eu-west-1")
    Traceback (most recent call last):
    s3target.errors.ConfigError: this package knows no setting 'regoin_name'; did you mean region_name?
    """
    profiles = Profiles.load(os.environ)
    return compose(resolve(arguments, os.environ, profiles), os.environ, profiles)


def resolved(arguments: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> Settings:
    """What connect() would go by, and where each of it comes from. origin: see settings.resolve()."""
    return resolve(arguments, os.environ, Profiles.load(os.environ), origin)


def shared(arguments: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> Client:
    """connect(), but the same client for the same configuration, as long as the process lives.

    That is: the same arguments and the same variables. Settings in the AWS files are read once for each such client;
    keys in them are looked after for as long as it is used, see credentials.Refreshing.
    """
    slot = _configuration(arguments)
    with _shared_lock:
        client = _shared.get(slot)
    if client is None:
        profiles = Profiles.load(os.environ)
        made = compose(resolve(arguments, os.environ, profiles, origin), os.environ, profiles)
        with _shared_lock:
            client = _shared.setdefault(slot, made)
    return client


def _configuration(arguments: Mapping[str, Any]) -> object:
    """All that decides what resolve() gives: the arguments, and the variables that hold settings."""
    given = tuple(sorted((name, repr(value)) for name, value in arguments.items() if value is not None))
    held = tuple(
        sorted(
            (name, value)
            for name, value in os.environ.items()
            if name.startswith(("AWS_", "BOTO")) or name.lower().endswith("_proxy") or name in _OTHER_VARIABLES
        )
    )
    return given, held


def _new_lock_in_child() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock_in_child)


def compose(settings: Settings, environ: Mapping[str, str], profiles: Profiles) -> Client:
    """The client for resolved settings."""
    policy = RetryPolicy(
        max_attempts=settings["max_attempts"],
        deadline=settings["deadline"],
        adaptive=settings["retry_mode"] == "adaptive",
    )
    return Client(
        HttpTransport(_transport_options(settings, environ)),
        _endpoint(settings),
        _credentials(settings, environ, profiles),
        policy,
        payload_signing=settings["payload_signing_enabled"],
        checksums=settings["request_checksum_calculation"] == "when_supported",
        validation=settings["response_checksum_validation"] == "when_supported",
        store=STORES[settings["store"]] if settings["store"] else UNKNOWN,
    )


def _transport_options(settings: Settings, environ: Mapping[str, str]) -> TransportOptions:
    proxies, longest = settings["proxies"], settings["deadline"] or float("inf")
    if proxies is None:
        proxies = _environment_proxies() if environ is os.environ else environment_proxies(environ)
    return TransportOptions(
        connect_timeout=min(settings["connect_timeout"], longest),
        read_timeout=min(settings["read_timeout"], longest),
        verify=settings["verify"],
        client_certificate=settings["client_certificate"],
        proxies=proxies,
        max_idle=settings["max_pool_connections"],
        tcp_keepalive=settings["tcp_keepalive"],
    )


class _EnvironmentProxies(dict[str, str]):
    """Their URLs may hold passwords, so a pickle has none of them: where it is loaded they are read anew."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _environment_proxies, ()

    def __repr__(self) -> str:
        return f"<proxies of the environment for {', '.join(self) or 'nothing'}>"


def _environment_proxies() -> _EnvironmentProxies:
    return _EnvironmentProxies(environment_proxies(os.environ))


def _wanted_on(settings: Settings, name: str, url: str | None) -> bool:
    """FIPS, dual-stack and accelerate choose among AWS's hosts: asked for by a variable or a profile, they do not
    concern a custom endpoint. Asked for beside it, they are an error of whoever asked."""
    return bool(settings[name]) and (url is None or name in settings.given)


def _wants_dualstack(settings: Settings, url: str | None) -> bool:
    """For S3, whose block in the profile can turn it on over everything but an argument."""
    name = "use_dualstack_endpoint"
    return _wanted_on(settings, name, url) or (
        name not in settings.given and _wanted_on(settings, "s3_use_dualstack_endpoint", url)
    )


def _endpoint(settings: Settings) -> Endpoint:
    url = settings["endpoint_url"]
    return Endpoint(
        region=settings["region_name"],
        url=url,
        addressing_style=settings["addressing_style"],
        dualstack=_wants_dualstack(settings, url),
        fips=_wanted_on(settings, "use_fips_endpoint", url),
        accelerate=_wanted_on(settings, "use_accelerate_endpoint", url),
        use_arn_region=settings["use_arn_region"],
        us_east_1_regional=settings["us_east_1_regional_endpoint"] == "regional",
        use_ssl=settings["use_ssl"],
    )


def _sts_locator(settings: Settings) -> Locator:
    url = settings["sts_endpoint_url"]
    return Fixed(
        sts_endpoint(
            settings["region_name"],
            url,
            fips=_wanted_on(settings, "use_fips_endpoint", url),
            dualstack=_wanted_on(settings, "use_dualstack_endpoint", url),
            legacy_global=settings["sts_regional_endpoints"] == "legacy",
        )
    )


def _credentials(settings: Settings, environ: Mapping[str, str], profiles: Profiles) -> CredentialProvider:
    """Given keys, or nothing if anonymous, or the default chain; and the given role on top of them."""
    if settings["anonymous"] and not _keys_are_nearer(settings):
        return Anonymous()
    options = _transport_options(settings, environ)
    sts = partial(_sts_client, settings, options)
    base = _given_keys(settings) or default_chain(
        Sources(
            environ,
            profiles,
            settings["profile_name"] if "profile_name" in settings.given else None,
            sts,
            _unsigned_client,
            outside=partial(_outside_client, options),
        )
    )
    if not settings["aws_role_arn"]:
        return base
    from .protocol.operations.identity import AssumeRole

    role = AssumeRole(
        settings["aws_role_arn"],
        settings["aws_role_session_name"] or "s3target",
        settings["aws_role_duration"],
        settings["aws_role_external_id"],
    )
    return assume_role(sts, base, role)


def _keys_are_nearer(settings: Settings) -> bool:
    """Keys by argument beat anonymous = true in luigi.cfg."""
    return settings.sources["aws_access_key_id"] == "argument" != settings.sources["anonymous"]


def _sts_client(settings: Settings, options: TransportOptions, base: CredentialProvider) -> Client:
    """With connections of its own: who asks STS closes them at once, as an hour may pass until it is asked again."""
    policy = RetryPolicy(max_attempts=settings["max_attempts"])
    return Client(HttpTransport(options), _sts_locator(settings), base, policy)


def _given_keys(settings: Settings) -> CredentialProvider | None:
    key_id, secret = settings["aws_access_key_id"], settings["aws_secret_access_key"]
    token = settings["aws_session_token"]
    if (key_id or secret or token) and not (key_id and secret):
        missing = "aws_secret_access_key" if key_id else "aws_access_key_id"
        raise ConfigError(f"only half of a key is given: {missing} is missing")
    if not key_id:
        return None
    return Static(Credentials(key_id, secret, token, source=settings.sources["aws_access_key_id"]))


def _unsigned_client(locator: Locator, timeout: float) -> Client:
    """For metadata services: no proxy, short patience, and the providers' own rules for trying again."""
    transport = HttpTransport(TransportOptions(connect_timeout=timeout, read_timeout=timeout))
    return Client(transport, locator, Anonymous(), RetryPolicy(max_attempts=1))


def _outside_client(options: TransportOptions, locator: Locator, timeout: float) -> Client:
    """For a service on the internet: by the proxies and certificates that S3 is reached by."""
    transport = HttpTransport(replace(options, connect_timeout=timeout, read_timeout=timeout))
    return Client(transport, locator, Anonymous(), RetryPolicy(max_attempts=1))

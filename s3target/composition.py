"""connect(): settings -> Client. The only place where the floors below are put together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

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
from .value import Any, replace

_OTHER_VARIABLES = ("HOME", "REQUESTS_CA_BUNDLE", "REQUEST_METHOD")
_shared: dict[object, Client] = {}


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
    return _composed(arguments)


def resolved(arguments: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> Settings:
    """What connect() would go by, and where each of it comes from. origin: see settings.resolve()."""
    return resolve(arguments, os.environ, Profiles.load(os.environ), origin)


def shared(arguments: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> Client:
    """connect(), but the same client for the same arguments and variables, as long as the process lives.

    So thousands of targets share one pool of connections and one set of credentials. Settings in the AWS files are read
    once for each such client; keys in them are looked after for as long as it is used, see credentials.Refreshing.
    """
    slot = _configuration(arguments)
    # setdefault is atomic: threads that come first together all get the same one, without a lock that a fork may catch.
    return _shared.get(slot) or _shared.setdefault(slot, _composed(arguments, origin))


def _configuration(arguments: Mapping[str, Any]) -> object:
    """All that decides what resolve() gives: the arguments, and the variables that hold settings."""
    given = ((name, repr(value)) for name, value in arguments.items() if value is not None)
    held = (
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(("AWS_", "BOTO")) or name.lower().endswith("_proxy") or name in _OTHER_VARIABLES
    )
    return frozenset(given), frozenset(held)


def _composed(arguments: Mapping[str, Any], origin: Mapping[str, str] | None = None) -> Client:
    profiles = Profiles.load(os.environ)
    settings = resolve(arguments, os.environ, profiles, origin)
    options = _transport_options(settings)
    return Client(
        HttpTransport(options),
        _endpoint(settings),
        _credentials(settings, profiles, options),
        RetryPolicy(
            max_attempts=settings["max_attempts"],
            deadline=settings["deadline"],
            adaptive=settings["retry_mode"] == "adaptive",
        ),
        payload_signing=settings["payload_signing_enabled"],
        checksums=settings["request_checksum_calculation"] == "when_supported",
        validation=settings["response_checksum_validation"] == "when_supported",
        store=STORES[settings["store"]] if settings["store"] else UNKNOWN,
    )


def _transport_options(settings: Settings) -> TransportOptions:
    proxies, longest = settings["proxies"], settings["deadline"] or float("inf")
    return TransportOptions(
        connect_timeout=min(settings["connect_timeout"], longest),
        read_timeout=min(settings["read_timeout"], longest),
        verify=settings["verify"],
        client_certificate=settings["client_certificate"],
        proxies=_environment_proxies() if proxies is None else proxies,
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


def _endpoint(settings: Settings) -> Endpoint:
    url = settings["endpoint_url"]
    dualstack = _wanted_on(settings, "use_dualstack_endpoint", url)
    if "use_dualstack_endpoint" not in settings.given:  # the profile's block for S3 can turn it on over all else
        dualstack = dualstack or _wanted_on(settings, "s3_use_dualstack_endpoint", url)
    return Endpoint(
        region=settings["region_name"],
        url=url,
        addressing_style=settings["addressing_style"],
        dualstack=dualstack,
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


def _credentials(settings: Settings, profiles: Profiles, options: TransportOptions) -> CredentialProvider:
    """Given keys, or nothing if anonymous, or the default chain; and the given role on top of them."""
    given = settings.sources["aws_access_key_id"]
    if settings["anonymous"] and not (given == "argument" != settings.sources["anonymous"]):  # the argument is nearer
        return Anonymous()
    sts = partial(_sts_client, settings, options)
    profile = settings["profile_name"] if "profile_name" in settings.given else None
    base = _given_keys(settings) or default_chain(
        Sources(
            os.environ,
            profiles,
            profile,
            sts,
            partial(_keyless_client, TransportOptions()),  # of this machine: no proxy stands between
            outside=partial(_keyless_client, options),
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


def _given_keys(settings: Settings) -> CredentialProvider | None:
    key_id, secret = settings["aws_access_key_id"], settings["aws_secret_access_key"]
    token = settings["aws_session_token"]
    if (key_id or secret or token) and not (key_id and secret):
        missing = "aws_secret_access_key" if key_id else "aws_access_key_id"
        raise ConfigError(f"only half of a key is given: {missing} is missing")
    if not key_id:
        return None
    return Static(Credentials(key_id, secret, token, source=settings.sources["aws_access_key_id"]))


def _sts_client(settings: Settings, options: TransportOptions, base: CredentialProvider) -> Client:
    """With connections of its own: who asks STS closes them at once, as an hour may pass until it is asked again."""
    policy = RetryPolicy(max_attempts=settings["max_attempts"], deadline=settings["deadline"])
    return Client(HttpTransport(options), _sts_locator(settings), base, policy)


def _keyless_client(options: TransportOptions, locator: Locator, timeout: float) -> Client:
    """For services that give keys: with little patience. How often to try again, the providers say."""
    transport = HttpTransport(replace(options, connect_timeout=timeout, read_timeout=timeout))
    return Client(transport, locator, Anonymous())

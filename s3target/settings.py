"""Every setting of a client: its names, its type, where its value came from.

Order of precedence, the same for all: argument, luigi.cfg (which counts as arguments that the caller did not give),
environment variable, profile in the AWS files, built-in default. The table below is the only list of names; what is
not in it is refused, naming the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .credentials import Profiles
from .errors import ConfigError


class Setting(NamedTuple):
    """One row: how to read it, which variables and profile keys hold it, and the default.

    profile: keys of the profile; "s3.addressing_style" is one of its nested s3 block.
    """

    read: Callable[[str, Any], Any]
    variables: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    default: Any = None


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} is text, not {type(value).__name__}")
    return value.strip()


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0", ""):
        return False
    raise ConfigError(f"{name} is true or false, not {value!r}")


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 < number < float("inf"):
        raise ConfigError(f"{name} is a positive number, not {value!r}")
    return number


def _count(name: str, value: Any) -> int:
    number = _number(name, value)
    if number != int(number):
        raise ConfigError(f"{name} is a whole number, not {value!r}")
    return int(number)


def _choice(*allowed: str) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        word = str(value).strip().lower()
        if word not in allowed:
            raise ConfigError(f"{name} is one of {', '.join(allowed)}, not {value!r}")
        return word

    return read


def _verify(name: str, value: Any) -> bool | str:
    """True, False, or the path of a CA file; luigi.cfg has only text for all three."""
    if isinstance(value, bool):
        return value
    text = _text(name, str(value))
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)


def _proxies(name: str, value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(url, str) for url in value.values()):
        raise ConfigError(f'{name} maps "http", "https" and "no" to text, not {value!r}')
    return dict(value)


_CHECKSUMS = _choice("when_supported", "when_required")

SETTINGS: dict[str, Setting] = {
    "aws_access_key_id": Setting(_text),
    "aws_secret_access_key": Setting(_text),
    "aws_session_token": Setting(_text),
    "aws_role_arn": Setting(_text),
    "aws_role_session_name": Setting(_text),
    "aws_role_external_id": Setting(_text),
    "aws_role_duration": Setting(_count),
    "profile_name": Setting(_text),
    "anonymous": Setting(_boolean, default=False),
    # AWS_REGION is what every SDK but botocore reads; botocore's own variable stays first.
    "region_name": Setting(_text, ("AWS_DEFAULT_REGION", "AWS_REGION"), ("region",)),
    "endpoint_url": Setting(_text, ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), ("services.s3", "endpoint_url")),
    "sts_endpoint_url": Setting(_text, ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"), ("services.sts", "endpoint_url")),
    "ignore_configured_endpoint_urls": Setting(
        _boolean, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",), ("ignore_configured_endpoint_urls",), False
    ),
    "use_ssl": Setting(_boolean, default=True),
    "verify": Setting(_verify, ("AWS_CA_BUNDLE",), ("ca_bundle",), True),
    "client_certificate": Setting(_text),
    "proxies": Setting(_proxies),
    "addressing_style": Setting(_choice("auto", "virtual", "path"), (), ("s3.addressing_style",), "auto"),
    "use_accelerate_endpoint": Setting(_boolean, (), ("s3.use_accelerate_endpoint",), False),
    "use_dualstack_endpoint": Setting(
        _boolean, ("AWS_USE_DUALSTACK_ENDPOINT",), ("s3.use_dualstack_endpoint", "use_dualstack_endpoint"), False
    ),
    "use_fips_endpoint": Setting(_boolean, ("AWS_USE_FIPS_ENDPOINT",), ("use_fips_endpoint",), False),
    "use_arn_region": Setting(_boolean, ("AWS_S3_USE_ARN_REGION",), ("s3.use_arn_region",), True),
    "us_east_1_regional_endpoint": Setting(
        _choice("legacy", "regional"),
        ("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",),
        ("s3.us_east_1_regional_endpoint",),
        "legacy",
    ),
    "sts_regional_endpoints": Setting(
        _choice("legacy", "regional"), ("AWS_STS_REGIONAL_ENDPOINTS",), ("sts_regional_endpoints",), "regional"
    ),
    "payload_signing_enabled": Setting(_boolean, (), ("s3.payload_signing_enabled",)),
    "request_checksum_calculation": Setting(
        _CHECKSUMS, ("AWS_REQUEST_CHECKSUM_CALCULATION",), ("request_checksum_calculation",), "when_supported"
    ),
    "response_checksum_validation": Setting(
        _CHECKSUMS, ("AWS_RESPONSE_CHECKSUM_VALIDATION",), ("response_checksum_validation",), "when_supported"
    ),
    "retry_mode": Setting(_choice("standard", "legacy", "adaptive"), ("AWS_RETRY_MODE",), ("retry_mode",), "standard"),
    "max_attempts": Setting(_count, ("AWS_MAX_ATTEMPTS",), ("max_attempts",), 6),
    "deadline": Setting(_number),
    "connect_timeout": Setting(_number, default=10.0),
    "read_timeout": Setting(_number, default=60.0),
    "max_pool_connections": Setting(_count, default=64),
    "tcp_keepalive": Setting(_boolean, ("BOTOCORE_TCP_KEEPALIVE",), ("tcp_keepalive",), False),
}

_ADVICE = {
    "config": "give the settings of botocore's Config one by one: "
    + "addressing_style=, max_attempts=, read_timeout= ...",
    "api_version": "leave it out; there is one version of the S3 API",
    "botocore_session": "this package has no botocore; give profile_name= or keys",
}
_SECRET = {"aws_secret_access_key", "aws_session_token", "aws_access_key_id", "proxies"}


@dataclass(frozen=True)
class Settings:
    """Resolved values by name, and for each the place it came from. Secrets are not shown."""

    values: Mapping[str, Any] = field(repr=False)
    sources: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def describe(self) -> list[tuple[str, str, str]]:
        """(name, value as text, source) of every setting that is set, secrets masked."""
        return [
            (name, "***" if name in _SECRET else str(value), self.sources[name])
            for name, value in self.values.items()
            if value is not None
        ]


def check_names(names: object, what: str = "this package") -> None:
    """ConfigError naming the first unknown setting and the nearest known one."""
    for name in names:  # type: ignore[attr-defined]
        if name not in SETTINGS:
            raise ConfigError(f"{what} knows no setting {name!r}; {_ADVICE.get(name) or _nearest(name)}")


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are: {', '.join(SETTINGS)}"


def resolve(
    arguments: Mapping[str, Any],
    environ: Mapping[str, str],
    profiles: Profiles,
    origin: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of one client.

    arguments: by the names of the table; None counts as not given. origin: where an argument came from, by name, if it
    was not the caller ("luigi.cfg [s3]"). ConfigError for unknown names and values that cannot be read.
    """
    check_names(arguments)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    profile = _Profile(profiles, arguments.get("profile_name"))
    for name, setting in SETTINGS.items():
        raw, source = _raw(name, setting, arguments, environ, profile)
        if source == "argument":
            source = (origin or {}).get(name, source)
        if raw is not None:
            raw = setting.read(f"{name} ({source})" if source != "argument" else name, raw)
        values[name], sources[name] = raw, source
    if values["ignore_configured_endpoint_urls"]:
        for name in ("endpoint_url", "sts_endpoint_url"):
            if sources[name] != "argument" and name not in (origin or {}):
                values[name], sources[name] = None, "default"
    return Settings(values, sources)


def _raw(
    name: str, setting: Setting, arguments: Mapping[str, Any], environ: Mapping[str, str], profile: _Profile
) -> tuple[Any, str]:
    if arguments.get(name) is not None:
        return arguments[name], "argument"
    for variable in setting.variables:
        if environ.get(variable):
            return environ[variable], variable
    for key in setting.profile:
        found = profile.get(key)
        if found is not None:
            return found
    return setting.default, "default"


class _Profile:
    """The chosen profile, read only when a setting needs it."""

    def __init__(self, profiles: Profiles, name: str | None) -> None:
        self._profile = profiles.get(name or profiles.chosen)
        self._profiles = profiles

    def get(self, key: str) -> tuple[str, str] | None:
        """The value of a key such as "region", "s3.addressing_style" or "services.s3", and its source."""
        block, _, inner = key.rpartition(".")
        if block == "services":
            return self._service(inner)
        value: Any = self._profile.get(block or inner)
        if block:
            value = value.get(inner) if isinstance(value, Mapping) else None
        return (value, self._profile.source(block or inner)) if isinstance(value, str) and value else None

    def _service(self, service: str) -> tuple[str, str] | None:
        chosen = self._profile.get("services")
        if not isinstance(chosen, str):
            return None
        section = self._profiles.section("services", chosen)
        block = section.get(service) if section else None
        url = block.get("endpoint_url") if isinstance(block, Mapping) else None
        return (url, f"[services {chosen}]") if isinstance(url, str) and url else None

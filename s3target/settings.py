"""Every setting of a client: its names, its type, where its value came from.

Order of precedence, the same for all: argument, luigi.cfg, environment variable, profile in the AWS files, built-in
default. An empty value counts as none, wherever it stands. What the AWS variables and files hold is read as botocore
reads it; arguments and luigi.cfg are read more kindly.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from .credentials import Profiles
from .errors import ConfigError
from .logs import getLogger
from .stores import STORES, guessed
from .value import Any, NamedTuple, dataclass, field

_log = getLogger("s3target.settings")


class Setting(NamedTuple):
    """One row: how to read it, where it may stand besides arguments, the nearest first, and the default.

    places: variables are in capitals, the others keys of the profile: "s3.addressing_style" is one of its nested s3
    block, "services.s3" the endpoint_url of that service.
    """

    read: Callable[[str, Any], Any]
    places: tuple[str, ...] = ()
    default: Any = None


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} is text, not {type(value).__name__}; in luigi.toml text stands in quotes")
    return value


_WORDS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


def _boolean(name: str, value: Any) -> bool:
    known = _WORDS.get(str(value).lower())
    if known is None:
        raise ConfigError(f"{name} is true or false, not {value!r}")
    return known


def _only_true(name: str, value: str) -> bool:
    """A boolean as botocore reads it: what is not "true" is false."""
    word = value.lower()
    if word != "true" and _WORDS.get(word) is not False:
        _log.warning("%s is %r, which means false there; write true", name, value)
    return word == "true"


def _number(name: str, value: Any) -> float:
    try:
        number = -1.0 if isinstance(value, bool) else float(value)
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
        word = str(value).lower()
        if word not in allowed:
            raise ConfigError(f"{name} is one of {', '.join(allowed)}, not {value!r}")
        return word

    return read


def _path(name: str, value: Any) -> str:
    return _text(name, os.fspath(value) if isinstance(value, os.PathLike) else value)


def _verify(name: str, value: Any) -> bool | str:
    """True, False, or the path of a CA file; luigi.cfg has only text for all three."""
    known = _WORDS.get(str(value).lower()) if isinstance(value, bool | str) else None
    return _path(name, value) if known is None else known


def _proxies(name: str, value: Any) -> Mapping[str, str]:
    """By scheme, or one for both. The value may hold a password, so no error shows it."""
    if isinstance(value, str):
        return {"http": value, "https": value}
    known = isinstance(value, Mapping) and set(value) <= {"http", "https", "no"}
    if not known or not all(isinstance(url, str) for url in value.values()):
        raise ConfigError(f'{name} is the URL of one proxy, or maps "http", "https" and "no" to text')
    return dict(value)


_AS_AWS_READS: dict[Callable[[str, Any], Any], Callable[[str, Any], Any]] = {_boolean: _only_true, _verify: _path}
_CHECKSUMS = _choice("when_supported", "when_required")
_REGIONAL = _choice("legacy", "regional")
_MODE_TIMEOUTS = {"standard": 3.1, "in-region": 1.1, "cross-region": 3.1, "mobile": 30.0, "auto": 3.1}

SETTINGS: dict[str, Setting] = {
    "aws_access_key_id": Setting(_text),
    "aws_secret_access_key": Setting(_text),
    "aws_session_token": Setting(_text),
    "aws_role_arn": Setting(_text),
    "aws_role_session_name": Setting(_text),
    "aws_role_external_id": Setting(_text),
    "aws_role_duration": Setting(_count),
    # botocore's own variable comes first here and for the region; the others are what all other SDKs read.
    "profile_name": Setting(_text, ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"), "default"),
    "anonymous": Setting(_boolean, (), False),
    "region_name": Setting(_text, ("AWS_DEFAULT_REGION", "AWS_REGION", "region"), "us-east-1"),
    # In front of the two that it concerns.
    "ignore_configured_endpoint_urls": Setting(
        _boolean, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"), False
    ),
    "endpoint_url": Setting(_text, ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "services.s3", "endpoint_url")),
    "sts_endpoint_url": Setting(_text, ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "services.sts", "endpoint_url")),
    "store": Setting(_choice(*STORES)),
    "use_ssl": Setting(_boolean, (), True),
    "verify": Setting(_verify, ("AWS_CA_BUNDLE", "ca_bundle", "REQUESTS_CA_BUNDLE"), True),
    "client_certificate": Setting(_path),
    "proxies": Setting(_proxies),
    "addressing_style": Setting(_choice("auto", "virtual", "path"), ("s3.addressing_style",), "auto"),
    "use_accelerate_endpoint": Setting(_boolean, ("s3.use_accelerate_endpoint",), False),
    "use_dualstack_endpoint": Setting(_boolean, ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"), False),
    # For S3 alone, not for STS, and only ever to turn it on.
    "s3_use_dualstack_endpoint": Setting(_boolean, ("s3.use_dualstack_endpoint",), False),
    "use_fips_endpoint": Setting(_boolean, ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"), False),
    "use_arn_region": Setting(_boolean, ("AWS_S3_USE_ARN_REGION", "s3_use_arn_region", "s3.use_arn_region"), True),
    "us_east_1_regional_endpoint": Setting(
        _REGIONAL,
        (
            "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
            "s3_us_east_1_regional_endpoint",
            "s3.us_east_1_regional_endpoint",
        ),
        "legacy",
    ),
    "sts_regional_endpoints": Setting(_REGIONAL, ("AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints"), "regional"),
    "payload_signing_enabled": Setting(_boolean, ("s3.payload_signing_enabled",)),
    "request_checksum_calculation": Setting(
        _CHECKSUMS, ("AWS_REQUEST_CHECKSUM_CALCULATION", "request_checksum_calculation"), "when_supported"
    ),
    "response_checksum_validation": Setting(
        _CHECKSUMS, ("AWS_RESPONSE_CHECKSUM_VALIDATION", "response_checksum_validation"), "when_supported"
    ),
    "defaults_mode": Setting(_choice("legacy", *_MODE_TIMEOUTS), ("AWS_DEFAULTS_MODE", "defaults_mode"), "legacy"),
    "retry_mode": Setting(_choice("standard", "legacy", "adaptive"), ("AWS_RETRY_MODE", "retry_mode"), "standard"),
    "max_attempts": Setting(_count, ("AWS_MAX_ATTEMPTS", "max_attempts"), 6),
    "deadline": Setting(_number),
    "connect_timeout": Setting(_number, (), 10.0),
    "read_timeout": Setting(_number, (), 60.0),
    "max_pool_connections": Setting(_count, (), 64),
    "tcp_keepalive": Setting(_boolean, ("BOTOCORE_TCP_KEEPALIVE", "tcp_keepalive"), False),
}

_ADVICE = {
    "config": "give the settings of botocore's Config one by one: addressing_style=, max_attempts=, read_timeout= ...",
    "s3": "give what it holds one by one: addressing_style=, payload_signing_enabled= ...",
    "retries": "give max_attempts=, which counts the first attempt too",
    "signature_version": "leave it out: requests are signed by SigV4; for unsigned ones give anonymous=True",
    "client_cert": "give client_certificate=, the path of a PEM file with certificate and key",
    "api_version": "leave it out; there is one version of the S3 API",
    "botocore_session": "this package has no botocore; give profile_name= or keys",
    "is_secure": "give use_ssl=, or the scheme in endpoint_url=",
    "host": "name the region by region_name=, or the store by endpoint_url=",
    "port": "give it in endpoint_url=",
    "encrypt_key": "give ServerSideEncryption='AES256' to what writes: S3Target, put(), copy()",
    **dict.fromkeys(
        (
            *("aws_account_id", "proxies_config", "parameter_validation", "user_agent", "user_agent_extra"),
            *("user_agent_appid", "inject_host_prefix", "disable_request_compression", "client_context_params"),
            *("request_min_compression_size_bytes", "sigv4a_signing_region_set", "account_id_endpoint_mode"),
        ),
        "leave it out: it is botocore's, and there is nothing like it here",
    ),
}
_SECRET = {"aws_secret_access_key", "aws_session_token", "proxies"}


@dataclass(frozen=True)
class Settings:
    """Values by name, and the sources they came from: "argument", what `origin` said, a variable's name, a file with
    its section, or "default". given: the names of those that came from an argument or luigi.cfg.
    """

    values: Mapping[str, Any] = field(repr=False)
    sources: Mapping[str, str]
    given: frozenset[str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def describe(self) -> list[tuple[str, str, str]]:
        """(name, value as text, source) of every setting that is set, secrets masked."""
        return [
            (
                name,
                "***" if name in _SECRET or (name.endswith("url") and "@" in value) else str(value),
                self.sources[name],
            )
            for name, value in self.values.items()
            if value is not None
        ]


def check_names(names: Iterable[str], what: str = "this package") -> None:
    """ConfigError naming the first unknown setting and the nearest known one."""
    for name in names:
        if name not in SETTINGS:
            raise ConfigError(f"{what} knows no setting {name!r}; {_ADVICE.get(name) or _nearest(name)}")


def _nearest(name: str) -> str:
    import difflib

    begun = [known for known in SETTINGS if known.startswith(name)]
    near = begun if len(begun) == 1 else difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are: {', '.join(SETTINGS)}"


def resolve(
    arguments: Mapping[str, Any],
    environ: Mapping[str, str],
    profiles: Profiles,
    origin: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of one client.

    arguments: by the names of the table; None counts as not given. origin: where an argument came from, by name, if it
    was not the caller ("luigi.cfg [s3]"). ConfigError for unknown names, values that cannot be read, and a profile
    that does not exist.
    """
    check_names(arguments)
    places = _Places(arguments, environ, profiles, origin or {})
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name in SETTINGS:
        arguments_only = name.endswith("endpoint_url") and values["ignore_configured_endpoint_urls"]
        values[name], sources[name] = places.find(name, arguments_only)
    mode = values["defaults_mode"]
    if mode != "legacy":
        for name, value in (("us_east_1_regional_endpoint", "regional"), ("connect_timeout", _MODE_TIMEOUTS[mode])):
            if sources[name] == "default":
                values[name], sources[name] = value, f"defaults_mode {mode} ({sources['defaults_mode']})"
    _apply_store(values, sources)
    return Settings(values, sources, frozenset(name for name in SETTINGS if sources[name] == places.origin(name)))


def _apply_store(values: dict[str, Any], sources: dict[str, str]) -> None:
    url = values["endpoint_url"]
    if values["store"] is None and (guess := guessed(url)):
        values["store"], sources["store"] = guess, "guessed by the host" if url else "default"
    name = values["store"]
    if name not in (None, "aws") and url is None:
        raise ConfigError(f"store = {name} needs an endpoint_url; without one, requests go to AWS")
    for setting, value in STORES[name].settings.items() if name else ():
        if sources[setting] == "default":
            values[setting], sources[setting] = value, f"store {name} ({sources['store']})"


class _Places:
    """Where a setting may stand."""

    def __init__(
        self, arguments: Mapping[str, Any], environ: Mapping[str, str], profiles: Profiles, origin: Mapping[str, str]
    ) -> None:
        self._arguments, self._environ, self._profiles, self._origin = arguments, environ, profiles, origin
        self._profile = profiles.get(self.find("profile_name")[0])

    def origin(self, name: str) -> str:
        return self._origin.get(name, "argument")

    def find(self, name: str, arguments_only: bool = False) -> tuple[Any, str]:
        """The value of the nearest place that has one, and that place."""
        for value, source, read in self._candidates(name, SETTINGS[name], arguments_only):
            given = value.strip() if isinstance(value, str) else value
            if given is not None and given != "":
                return read(name if source == "argument" else f"{name} ({source})", given), source
        return SETTINGS[name].default, "default"

    def _candidates(
        self, name: str, setting: Setting, arguments_only: bool
    ) -> Iterator[tuple[Any, str, Callable[[str, Any], Any]]]:
        yield self._arguments.get(name), self.origin(name), setting.read
        if arguments_only:
            return
        read = _AS_AWS_READS.get(setting.read, setting.read)
        for place in setting.places:
            if place.isupper():
                yield self._environ.get(place), place, read
            else:
                yield *self._in_profile(place), read

    def _in_profile(self, key: str) -> tuple[str | None, str]:
        block, _, inner = key.rpartition(".")
        profile = self._profile
        if block == "services":
            chosen = profile.text("services")
            if not chosen:
                return None, ""
            section = self._profiles.section("services", chosen)
            return section.block(inner).get("endpoint_url"), section.source(inner)
        if block:
            return profile.block(block).get(inner), f"{profile.source(block)}, {block} block"
        return profile.text(inner), profile.source(inner)

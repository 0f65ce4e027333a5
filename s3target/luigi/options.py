"""What S3Client and S3Target are told: keyword arguments, checked before anything is sent, and [s3] of luigi.cfg."""

from __future__ import annotations

import os
from collections.abc import Mapping
from configparser import Error, RawConfigParser
from typing import Any

from luigi import configuration

from ..errors import ConfigError
from ..protocol.options import DOWNLOAD, UPLOAD, ExtraArgs, check, headers_for
from ..settings import SETTINGS, check_names

ORIGIN = "luigi.cfg [s3]"
WRITE_OPTIONS = UPLOAD | {"part_size", "progress"}
DEPRECATED = {
    "encrypt_key": "say how to encrypt: ServerSideEncryption='AES256' (or 'aws:kms' with SSEKMSKeyId=)",
    "host": "name the region, region_name='us-west-1', or the store, endpoint_url='https://...'",
}
_FOR_READING = DOWNLOAD & UPLOAD - {"IfMatch", "IfNoneMatch"}


class DeprecatedBotoClientException(ConfigError):
    """An argument from the days of boto 2, or one that nothing here knows."""


def check_deprecated(kwargs: ExtraArgs) -> None:
    """DeprecatedBotoClientException for an argument of boto 2."""
    for name, advice in DEPRECATED.items():
        if name in kwargs:
            raise DeprecatedBotoClientException(f"{name} is an argument of boto 2; {advice}")


def check_write_options(what: str, kwargs: ExtraArgs, accepted: frozenset[str] = WRITE_OPTIONS) -> None:
    """DeprecatedBotoClientException, or ConfigError for an unknown name or a value that has no header form."""
    check_deprecated(kwargs)
    check(kwargs, accepted, what)
    headers_for("PutObject", kwargs)


def check_read_options(what: str, kwargs: ExtraArgs) -> ExtraArgs:
    """kwargs, boto3's ExtraArgs of a download. ConfigError as for check_write_options()."""
    check(kwargs, DOWNLOAD, what)
    headers_for("GetObject", kwargs)
    return kwargs


def for_reading(kwargs: ExtraArgs) -> dict[str, Any]:
    """Of what was given for writing an object, that without which it cannot be read or asked for: its SSE-C key, who
    pays, whose bucket it must be."""
    return {name: value for name, value in kwargs.items() if name in _FOR_READING}


def check_settings(kwargs: ExtraArgs) -> None:
    """DeprecatedBotoClientException for the first name that is no setting."""
    try:
        check_names(kwargs, "S3Client")
    except ConfigError as error:
        raise DeprecatedBotoClientException(str(error)) from None


def section() -> dict[str, Any]:
    """The settings in [s3] of luigi.cfg or luigi.toml, without what [DEFAULT] lends to all sections.

    Those of luigi.cfg are text. ConfigError names an unknown setting and the nearest known one. The variable
    S3TARGET_SECTION names another section: the demo's server is no business of [s3].
    """
    config = configuration.get_config()
    name = os.environ.get("S3TARGET_SECTION") or "s3"
    # A TOML parser is a ConfigParser too, but keeps what it read in `data`.
    data = getattr(config, "data", None)
    if isinstance(data, Mapping):
        found = dict(data.get(name, {}))
        check_names(found, ORIGIN)
        return found
    own = _own_options(config, name)
    check_names(own, ORIGIN)
    return {option: _filled_in(config, name, option) for option in own}


def _filled_in(config: Any, section: str, option: str) -> str:
    try:
        return str(config.get(section, option))
    except Error:  # not the context of what is raised below, for it quotes the value
        pass
    raise ConfigError(
        f"{ORIGIN}: {option} cannot be filled in: write %% for %, and set the variable that ${{...}} names"
    )


def _own_options(config: Any, section: str) -> list[str]:
    # As they were written: once interpolated, a value that [DEFAULT] lends no longer looks like its own.
    lent = config.defaults()
    written = config.items(section, raw=True) if config.has_section(section) else []
    if any(option in SETTINGS and lent.get(option) == value for option, value in written):
        return _literal_options(config, section)
    return [option for option, value in written if lent.get(option) != value]


def _literal_options(config: Any, section: str) -> list[str]:
    """What stands in the section itself, be it the same as in [DEFAULT]."""
    import io

    text = io.StringIO()
    config.write(text)
    parser = RawConfigParser(default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text.getvalue())
    return parser.options(section)

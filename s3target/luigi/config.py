"""The [s3] section of luigi.cfg or luigi.toml, as arguments of connect()."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from luigi import configuration

from ..settings import SETTINGS, check_names

SECTION = "s3"
ORIGIN = "luigi.cfg [s3]"
SECTION_VARIABLE = "S3TARGET_SECTION"
"""Names another section to read. For the demo's server, which is no business of [s3]; worker processes inherit it."""


def section() -> dict[str, Any]:
    """The section's settings, without what [DEFAULT] lends to all sections. {} if there is none.

    Values of luigi.cfg are text and are read by type in settings.py; those of luigi.toml come typed.
    ConfigError names an unknown setting and the nearest known one.
    """
    config = configuration.get_config()
    # A TOML parser is a ConfigParser too, but keeps what it read in `data`.
    data = getattr(config, "data", None)
    name = os.environ.get(SECTION_VARIABLE) or SECTION
    if isinstance(data, Mapping):
        found = dict(data.get(name, {}))
        check_names(found, ORIGIN)
        return found
    own = _own_options(config, name)
    check_names(own, ORIGIN)
    return {option: config.get(name, option) for option in own}


def _own_options(config: Any, section: str) -> list[str]:
    # As they were written: once interpolated, a value that [DEFAULT] lends no longer looks like its own.
    lent = config.defaults()
    written = config.items(section, raw=True) if config.has_section(section) else []
    own = [option for option, value in written if lent.get(option) != value]
    doubtful = {option for option, value in written if lent.get(option) == value} & set(SETTINGS)
    return own + [option for option in _literal_options(config, section) if option in doubtful] if doubtful else own


def _literal_options(config: Any, section: str) -> list[str]:
    """What stands in the section itself, be it the same as in [DEFAULT]: a parser that knows no [DEFAULT] sees it."""
    import io
    from configparser import RawConfigParser

    text = io.StringIO()
    config.write(text)
    parser = RawConfigParser(default_section="", strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text.getvalue())
    return parser.options(section)

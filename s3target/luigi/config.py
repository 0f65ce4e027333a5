"""The [s3] section of luigi.cfg or luigi.toml, as arguments of connect()."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luigi import configuration

from ..settings import check_names

SECTION = "s3"
ORIGIN = "luigi.cfg [s3]"


def section() -> dict[str, Any]:
    """The section's settings, without what [DEFAULT] lends to all sections. {} if there is none.

    Values of luigi.cfg are text and are read by type in settings.py; those of luigi.toml come typed.
    ConfigError names an unknown setting and the nearest known one.
    """
    config = configuration.get_config()
    # A TOML parser is a ConfigParser too, but keeps what it read in `data`.
    data = getattr(config, "data", None)
    found = dict(data.get(SECTION, {})) if isinstance(data, Mapping) else _cfg_section(config)
    check_names(found, ORIGIN)
    return found


def _cfg_section(config: Any) -> dict[str, Any]:
    if not config.has_section(SECTION):
        return {}
    lent = config.defaults()
    return {name: value for name, value in config.items(SECTION) if name not in lent or value != lent[name]}

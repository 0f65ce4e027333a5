"""The grammar of AWS's files, as botocore reads it: RawConfigParser's, with blocks nested one level deep.

Errors name the file and the line but never quote it: it may hold a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    import configparser

Value = str | Mapping[str, str]
Sections = dict[str, dict[str, Value]]


def read_sections(path: str) -> Sections:
    """Section to key to value. Keys are lower-case. ConfigError for a file that is not there or not understood."""
    import configparser

    text = read_text(path)
    parser = configparser.RawConfigParser()
    fault = ""
    try:
        parser.read_string(text, source=path)
    except configparser.Error as error:
        fault = _place(error)
    if fault:  # raised here, so that it does not have the other one, which quotes the line, as its context
        raise ConfigError(f"{path}{fault}; correct the file")
    return {
        section: {key: _nested(value, f"{path}: {key} in [{section}]") for key, value in parser.items(section)}
        for section in parser.sections()
    }


def read_text(path: str) -> str:
    """The file's text. ConfigError names a path that cannot be read."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file in UTF-8") from None


def _place(error: configparser.Error) -> str:
    """What is wrong and where, without the text of the line."""
    import configparser

    if isinstance(error, configparser.DuplicateOptionError):
        return f", line {error.lineno}: {error.option} comes twice in [{error.section}]"
    if isinstance(error, configparser.DuplicateSectionError):
        return f", line {error.lineno}: section [{error.section}] comes twice"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f", line {error.lineno}: a [section] must come before this line"
    if isinstance(error, configparser.ParsingError) and error.errors:
        return f", line {error.errors[0][0]}: neither a [section] nor key = value"
    return " is not in the format of an AWS configuration file"


def _nested(value: str, place: str) -> Value:
    if not value.startswith("\n"):
        return value
    block = {}
    for line in filter(None, map(str.strip, value.splitlines())):
        name, equals, text = line.partition("=")
        if not equals:
            raise ConfigError(f"{place}: each line of a nested block must be name = value; correct the file")
        block[name.strip()] = text.strip()
    return block

"""The AWS configuration and credentials files: profiles, and the sections that profiles refer to.

The grammar is that of botocore: RawConfigParser's, with blocks nested one level deep. Errors name file and line but
never quote it: it may hold a secret. A file is read when it is first asked for, and again if refresh() finds that it is
another by now. A profile of the credentials file lies over the one of the configuration file, key by key.
https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from ..errors import ConfigError
from ..value import TYPE_CHECKING, Any, NamedTuple

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
        fault = fault_of(error)
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
        fault = f"cannot be read: {error.strerror or type(error).__name__}"
    except UnicodeDecodeError:
        fault = "is not a text file in UTF-8"
    raise ConfigError(f"{path} {fault}")  # here, so that it does not have the other one, with the text, as its context


def fault_of(error: configparser.Error) -> str:
    """What follows the file's name in a message, without the text of the line, which may be a secret."""
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


Stamp = tuple[tuple[int, int, int] | None, ...]
"""What tells one version of the files from another: inode, size, time of change in nanoseconds; None for no file."""


class Profile(dict[str, Value]):
    """The keys of one profile or section; source(key) says where each came from. Its repr shows no values."""

    def __init__(self, name: str, values: Mapping[str, Value], origins: Mapping[str, str]) -> None:
        super().__init__(values)
        self.name, self._origins = name, origins

    def source(self, key: str) -> str:
        """File and section of the key, such as "/home/a/.aws/config [profile b]"; "" for one that is not there."""
        return self._origins.get(key, "")

    def text(self, key: str) -> str | None:
        """The value; None if there is none or it is empty. ConfigError for a nested block."""
        value = self.get(key)
        if isinstance(value, Mapping):
            raise ConfigError(f"{self.source(key)}: {key} is a block of lines where one value belongs")
        return value or None

    def block(self, key: str) -> Mapping[str, str]:
        """The nested block, empty if there is none. ConfigError for a plain value."""
        value = self.get(key) or {}
        if isinstance(value, str):
            raise ConfigError(f"{self.source(key)}: {key} must be a block of indented lines name = value")
        return value

    def over(self, lower: Profile) -> Profile:
        return Profile(self.name, {**lower, **self}, {**lower._origins, **self._origins})

    def __repr__(self) -> str:
        return f"<Profile {self.name!r}: {', '.join(self)}>"


_Found = dict[tuple[str, str], Profile]


class _Parsed(NamedTuple):
    """By kind ("profile", "services", "sso-session") and name."""

    stamp: Stamp
    config: _Found
    credentials: _Found
    merged: _Found


class Profiles:
    """Both files. Use load(). A pickle holds the paths and none of the values."""

    def __init__(self, config_path: str, credentials_path: str) -> None:
        self.config_path, self.credentials_path = config_path, credentials_path
        self._parsed: _Parsed | None = None

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Profiles:
        """The files that environ names; they stay the same if the process goes to another directory."""
        config = environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
        credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
        return cls(*(os.path.abspath(expanded(path, environ)) for path in (config, credentials)))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._read().merged)

    def get(self, name: str) -> Profile:
        """ConfigError for a profile in neither file; "default" is then an empty one."""
        found = self._read().merged.get(("profile", name))
        if found is None and name != "default":
            raise ConfigError(
                f"there is no profile {name!r} in {self.config_path} or {self.credentials_path}; add it, or choose"
                f" another by AWS_PROFILE (there are: {', '.join(self.names) or 'none'})"
            )
        return found or Profile(name, {}, {})

    def section(self, kind: str, name: str) -> Profile:
        """[kind name] of the configuration file, such as [services x]. ConfigError without it."""
        found = self._read().config.get((kind, name))
        if found is None:
            raise ConfigError(f"there is no section [{kind} {name}] in {self.config_path}; add it")
        return found

    def alone(self, name: str, in_config: bool) -> Profile:
        """What one file says of the profile: the configuration file, or the credentials file."""
        parsed = self._read()
        return (parsed.config if in_config else parsed.credentials).get(("profile", name)) or Profile(name, {}, {})

    def stamp(self) -> Stamp:
        """Of the files as they are now."""
        return stamp_of(self.config_path), stamp_of(self.credentials_path)

    def refresh(self) -> Stamp:
        """Have the files read again if they are others by now; the stamp of what will be read."""
        stamp = self.stamp()
        if self._parsed is not None and self._parsed.stamp != stamp:
            self._parsed = None
        return stamp

    def _read(self) -> _Parsed:
        parsed = self._parsed
        if parsed is None:
            stamp = self.stamp()
            config = _sections_of(self.config_path, stamp[0], _parse_header)
            credentials = _sections_of(self.credentials_path, stamp[1], lambda name: ("profile", name))
            merged = {key: found for key, found in config.items() if key[0] == "profile"}
            for key, found in credentials.items():
                merged[key] = found.over(merged[key]) if key in merged else found
            parsed = self._parsed = _Parsed(stamp, config, credentials, merged)
        return parsed

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_parsed": None}

    def __repr__(self) -> str:
        return f"Profiles({self.config_path!r}, {self.credentials_path!r})"


def expanded(path: str, environ: Mapping[str, str]) -> str:
    """path with $VAR, ${VAR} and a leading ~ filled in."""
    path = re.sub(r"\$(\w+|\{[^}]*\})", lambda found: environ.get(found[1].strip("{}"), found[0]), path)
    home = environ.get("HOME")
    if home and (path == "~" or path.startswith("~/")):
        return home.rstrip("/") + path[1:]
    return os.path.expanduser(path)


def boolean(text: str | None) -> bool:
    """Only "true", in any case, is true: botocore's rule for these files and their variables."""
    return text is not None and text.strip().lower() == "true"


def stamp_of(path: str) -> tuple[int, int, int] | None:
    """Of one file; None if it is not there."""
    # What cannot even be looked at counts as missing: the home of another user, in a container for instance.
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


def _parse_header(header: str) -> tuple[str, str] | None:
    """Kind and name of a section of the configuration file; None for one that means nothing to us."""
    if header == "default":
        return "profile", header
    if not header.startswith(("profile", "sso-session", "services")):
        return None
    import shlex

    try:
        kind, name = shlex.split(header)
    except ValueError:  # no pair, or a quote that is not closed
        return None
    return (kind, name) if kind in ("profile", "sso-session", "services") else None


def _sections_of(path: str, stamp: object, key_of: Callable[[str], tuple[str, str] | None]) -> _Found:
    """The file's sections that have a key. A device such as /dev/null is a usual way to say "no file"."""
    sections = read_sections(path) if stamp and path != os.devnull else {}
    keys = ((key_of(header), header, values) for header, values in sections.items())
    return {key: section_profile(key[1], path, header, values) for key, header, values in keys if key}


def section_profile(name: str, path: str, header: str, values: Mapping[str, Value]) -> Profile:
    return Profile(name, values, dict.fromkeys(values, f"{path} [{header}]"))

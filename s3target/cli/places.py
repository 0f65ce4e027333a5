"""Where things lie: s3://bucket/key, a local path, or stdin and stdout; and which objects a pattern names.

Keys are flat, so "*" and "?" match "/" too, as in s5cmd; "[...]" is a set of characters. Only the part of a key after
its longest literal beginning is matched; what comes before is the prefix that the store is asked to list.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator

from ..client import Client
from ..errors import ConfigError, NoSuchKey
from ..filesystem import FileSystem, S3Path, parse_path
from ..globs import is_glob, literal_prefix
from ..protocol.operations.objects import ObjectInfo
from ..value import NamedTuple


class LocalPath(NamedTuple):
    """A file or folder of this machine."""

    path: str

    def __str__(self) -> str:
        return self.path


class Stdio(NamedTuple):
    """stdin as a source, stdout as a destination."""

    def __str__(self) -> str:
        return "-"


Place = S3Path | LocalPath | Stdio


def place(text: str) -> Place:
    """s3://..., "-", or a local path; a type for argparse."""
    if text == "-":
        return Stdio()
    if "://" in text:
        return s3_path(text)
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no path")
    return LocalPath(text)


def s3_path(text: str) -> S3Path:
    """s3://bucket/key; a type for argparse."""
    try:
        return parse_path(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def bucket_path(text: str) -> S3Path:
    """s3://bucket, with nothing after it; a type for argparse."""
    path = s3_path(text)
    if not path.is_root:
        raise argparse.ArgumentTypeError(f"{text!r} is more than a bucket; write s3://{path.bucket}")
    return path


def is_pattern(path: Place, raw: bool = False) -> bool:
    """Whether its key has wildcards. raw: they are characters like any other."""
    return not raw and isinstance(path, S3Path) and is_glob(path)


def folder_of(key: str) -> str:
    """key up to and with its last slash, "" if it has none."""
    return key[: key.rfind("/") + 1]


def matching(client: Client, pattern: S3Path) -> Iterator[ObjectInfo]:
    """The objects that a path with wildcards names."""
    fits = re.compile(fnmatch.translate(pattern.key)).match
    for page in FileSystem(client).pages(pattern.bucket, literal_prefix(pattern.key)):
        names = page.objects.keys
        yield from (page.objects[number] for number, name in enumerate(names) if fits(name))


def select(client: Client, path: S3Path, raw: bool = False) -> Iterator[ObjectInfo]:
    """The objects that an argument names: those of a pattern, or the one of this very key and all below it.

    raw: wildcards are characters like any other.
    """
    if is_pattern(path, raw):
        yield from matching(client, path)
        return
    single = None if path.is_root or path.key.endswith("/") else FileSystem(client).info(path)
    if single is not None:
        yield single
    yield from FileSystem(client).list(path)


def excluded(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a name is to be left out: it fits one of the patterns, which are those of keys."""
    fits = [re.compile(fnmatch.translate(pattern)).match for pattern in patterns]
    return lambda name: any(fit(name) for fit in fits)


def nothing(path: S3Path) -> NoSuchKey:
    return NoSuchKey(404, "NoSuchKey", "there is nothing", bucket=path.bucket, key=path.key)


# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_NOT_ON_WINDOWS = re.compile(
    r"""(?i)[\x01-\x1f"*:<>?\\|]|[. ](/|$)|(^|/)(con|prn|aux|nul|con(in|out)\$|(com|lpt)[0-9\xb9\xb2\xb3]) *([./]|$)"""
)


class UnsafeName(ConfigError):
    """A key that would leave the folder it is to be written to, or has no like among files."""


def file_name(relative: str) -> str:
    """A key below a folder as the path of a file below a folder. UnsafeName if it is none, or leads elsewhere."""
    segments = relative.split("/")
    faults = {
        "has a NUL, which no file name can have": "\0" in relative,
        "is an absolute path, which would lead out of the destination": (
            relative.startswith("/") or re.match(r"[A-Za-z]:([\\/]|$)", relative)
        ),
        "has '..' in it, which would lead out of the destination": ".." in segments,
        "has an empty or '.' segment; as a file it would be another name": "" in segments or "." in segments,
        "is no file name on Windows: a character, an end or a name in it is reserved": (
            os.sep != "/" and _NOT_ON_WINDOWS.search(relative)
        ),
    }
    for fault, found in faults.items():
        if found:
            raise UnsafeName(f"the key {relative!r} {fault}")
    try:
        os.fsencode(relative)
    except UnicodeEncodeError:
        raise UnsafeName(f"the key {relative!r} has characters that file names here cannot have") from None
    return os.path.join(*segments)


def folded(path: str) -> str:
    """The same for all paths that are one file where letter case and the form of accents do not count."""
    if path.isascii():
        return path.lower()
    from unicodedata import normalize

    return normalize("NFD", normalize("NFD", path).casefold())


class Taken:
    """The files that a run writes, so that no two objects go to one: the later would replace the other, which mv has
    removed. Kept only where the file system takes "A" and "a" for one name, as those of macOS and Windows do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._needed: bool | None = None
        self._taken: set[int] = set()

    def take(self, path: str) -> None:
        """ConfigError if another path has taken that file."""
        with self._lock:
            if self._needed is None:
                self._needed = _ignores_case(os.path.dirname(os.path.abspath(path)))
            if self._needed and (name := hash(folded(path))) in self._taken:
                raise same_file(path)
            if self._needed:
                self._taken.add(name)


def same_file(path: str) -> ConfigError:
    return ConfigError(f"another key goes to {path} too, as the file system here takes both names for one")


def _ignores_case(folder: str) -> bool:
    """Whether the file system does, at this folder or where it is to be made."""
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    name = f".s3target-{os.urandom(6).hex()}"
    try:
        os.mkdir(os.path.join(folder, name))
    except OSError:  # nor can a file be made
        return False
    try:
        return os.path.isdir(os.path.join(folder, name.upper()))
    finally:
        os.rmdir(os.path.join(folder, name))

"""Many paths by few requests: glob patterns, and the existence of whole lists of paths.

Both are answered by listing what the paths have in common. "*", "?" and "[...]" match within one level, as in a shell,
and a key that is written like the pattern itself is always a match. The order of a listing is never relied on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain

from .filesystem import FOLDER_MARKER, FileSystem, S3Path
from .protocol.operations.listing import ListObjectsV2, ListPage
from .protocol.operations.objects import ObjectInfo
from .transfer.workers import run_all
from .value import NamedTuple, replace

_BARREN_PAGES = 3
"""Pages without anything new, beyond those that had some, after which a flat listing gives way to one by levels."""
_WORTH_LISTING = 4
"""Paths that begin alike from which on a page of a listing is cheaper than asking for each."""
_THREADS = 32
_REMEMBERED = 100_000
"""Keys that are kept in memory, lest one is told again after a change of the way to list."""
_SPECIAL = "*?["
_Matcher = Callable[[str], "re.Match[str] | None"]


def is_glob(path: S3Path) -> bool:
    return _is_special(path.key)


def _is_special(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern or "[" in pattern  # the characters of _SPECIAL


def literal_prefix(pattern: str) -> str:
    """What all that matches begins with."""
    return next((pattern[:at] for at, char in enumerate(pattern) if char in _SPECIAL), pattern)


def literal_directory(pattern: str) -> str:
    """The last directory in front of the first wildcard, with its slash; "" for the root of the bucket."""
    return "".join(literal_prefix(pattern).rpartition("/")[:2])


def translate(pattern: str) -> str:
    """pattern as a regular expression, by the rules of fnmatch except that nothing matches "/"."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        end = pattern.find("]", at + 2 + pattern.startswith("!", at + 1)) if char == "[" else -1
        if char in "*?":
            parts.append("[^/]*" if char == "*" else "[^/]")
        elif end > 0:
            parts.append(_char_class(pattern[at + 1 : end]))
            at = end
        else:
            parts.append(re.escape(char))
        at += 1
    return "".join(parts)


def _char_class(inner: str) -> str:
    negated = inner.startswith("!")
    chars, ranges, at = inner[negated:], "", 0
    while at < len(chars):
        last = at + 2 if chars[at + 1 : at + 2] == "-" and at + 2 < len(chars) else at
        if chars[at] <= chars[last]:  # a range from high to low holds nothing
            ranges += f"{re.escape(chars[at])}-{re.escape(chars[last])}"
        at = last + 1
    if not ranges:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{ranges}]"


def matcher(pattern: str) -> _Matcher:
    """Matches the keys that pattern matches or equals, the markers of such directories, and the keys below them.

    Group "match" is what the pattern itself matches, "marker" and "below" are what follows it.
    """
    own = f"{translate(pattern)}|{re.escape(pattern)}"
    follows = rf"(?P<marker>{re.escape(FOLDER_MARKER)})|(?P<below>/.*)"
    return re.compile(f"(?P<match>{own})(?:{follows})?", re.DOTALL).fullmatch


class Match(NamedTuple):
    """An object that was found. listed: makes what the listing tells of it. directory: what the pattern matches, if
    the object is below that or the marker of it, without its slash; None if the object itself is what matches.
    """

    key: str
    listed: Callable[[], ObjectInfo]
    directory: str | None
    is_marker: bool

    @property
    def name(self) -> str:
        """What the pattern itself matches."""
        return self.key if self.directory is None else f"{self.directory}/"


def _matches(page: ListPage, wanted: _Matcher) -> Iterator[Match]:
    for index, key in enumerate(page.objects.keys):
        found = wanted(key)
        if found:
            is_marker = found["marker"] is not None
            directory = found["match"] if is_marker or found["below"] is not None else None
            yield Match(key, partial(page.objects.__getitem__, index), directory, is_marker)


class _Search:
    """One pattern. below: what is below a directory that matches is wanted too, else but one object for each match."""

    def __init__(self, files: FileSystem, path: S3Path, below: bool) -> None:
        self._files = files
        self._bucket = path.bucket
        self._pattern = path.key.removesuffix("/")
        self._wanted = matcher(self._pattern)
        self._below = below
        self._seen: set[str] = set()

    def run(self) -> Iterator[Match]:
        """By one flat listing; where that goes on and on without anything new, by one of each directory that matches
        so far."""
        patience = _BARREN_PAGES
        for page in self._files.pages(self._bucket, literal_prefix(self._pattern)):
            found = list(self._new(_matches(page, self._wanted)))
            yield from found
            patience += 1 if found else -1
            if patience <= 0 and page.next_token is not None and len(self._seen) < _REMEMBERED:
                yield from self._new(self._by_levels())
                return

    def _new(self, found: Iterable[Match]) -> Iterator[Match]:
        for match in found:
            name = match.key if self._below else match.name
            if name not in self._seen:
                if not self._below or len(self._seen) < _REMEMBERED:
                    self._seen.add(name)
                yield match

    def _by_levels(self) -> Iterator[Match]:
        beginning = literal_directory(self._pattern)
        *levels, last = self._pattern[len(beginning) :].split("/")
        parents = [beginning]
        for level in levels:
            jobs = (partial(self._subdirectories, parent, level) for parent in parents)
            parents = list(chain.from_iterable(run_all(jobs, threads=_THREADS)))
        for parent in parents:
            for page in self._files.pages(self._bucket, parent + literal_prefix(last), delimiter="/"):
                yield from _matches(page, self._wanted)
                for prefix in filter(self._wanted, page.prefixes):
                    yield from self._in_directory(prefix)

    def _subdirectories(self, parent: str, level: str) -> list[str]:
        if not _is_special(level):
            return [f"{parent}{level}/"]
        wanted = re.compile(f"{re.escape(parent)}(?:{translate(level)}|{re.escape(level)})/", re.DOTALL).fullmatch
        pages = self._files.pages(self._bucket, parent + literal_prefix(level), delimiter="/")
        return [prefix for page in pages for prefix in filter(wanted, page.prefixes)]

    def _in_directory(self, prefix: str) -> Iterator[Match]:
        if self._below:
            for page in self._files.pages(self._bucket, prefix):
                yield from _matches(page, self._wanted)
        else:  # SeaweedFS goes on listing a directory for a while when all that was in it is removed
            yield from _matches(self._files.client.call(ListObjectsV2(self._bucket, prefix, max_keys=1)), self._wanted)


def objects(files: FileSystem, path: S3Path) -> Iterator[Match]:
    """Every object that the pattern matches, and every one below a directory that it matches, each once.

    A directory that is written like the pattern is what is meant, if there is one: then all that is found is below it.
    """
    literal, wanted = False, matcher(path.key.removesuffix("/"))
    for page in files.pages(path.bucket, path.below):
        for match in _matches(page, wanted):
            literal = True
            yield match
    if not literal:
        yield from (match for match in _Search(files, path, below=True).run() if not match.is_marker)


def with_directories(files: FileSystem, path: S3Path, flag: str) -> Iterator[str]:
    """The keys of objects(), and the directories that match, as "key/"; with a flag only those that hold this object.

    The marker of a directory, which has the same name, does not count as an object.
    """
    told: set[str] = set()
    for match in objects(files, path):
        directory = "" if match.directory is None else match.name
        if directory and directory not in told and (not flag or match.key == directory + flag):
            told.add(directory)
            yield directory
        if match.key != directory:
            yield match.key


def matches(files: FileSystem, path: S3Path) -> Generator[str, None, None]:
    """What the pattern itself matches, each once: keys, and directories as "key/"; only these if it ends in "/".

    A directory is one that FileSystem.isdir() knows: something lies below it, or a marker stands for it.
    """
    for match in _Search(files, path, below=False).run():
        if match.directory is not None or not path.key.endswith("/"):
            yield match.name


def exists(files: FileSystem, path: S3Path) -> bool:
    """Whether anything matches; one request if the path is an object's very key."""
    if not path.key.endswith("/") and files.info(path) is not None:
        return True
    with closing(matches(files, path)) as found:
        return next(found, None) is not None


class Known:
    """Keys of one bucket, and the directories they are in."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys: set[str] = set()
        self._directories: set[str] = set()
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        self._keys.add(key)
        directory = key.removesuffix(FOLDER_MARKER) if key.endswith(FOLDER_MARKER) else key.rpartition("/")[0]
        while directory and directory not in self._directories:
            self._directories.add(directory)
            directory = directory.rpartition("/")[0]

    def __contains__(self, key: object) -> bool:
        """Whether FileSystem.exists() would find an object or a directory by this key."""
        return key in self._keys or (isinstance(key, str) and key.removesuffix("/") in self._directories)

    def names(self) -> Iterator[str]:
        """Every key by which something is found."""
        yield from self._keys
        for directory in self._directories:
            yield directory
            yield f"{directory}/"


def is_listed_as_written(key: str) -> bool:
    """False for keys that stores which are file systems, such as SeaweedFS, find but list under another name."""
    return "//" not in f"/{key}" and "\\" not in key


def exists_many(files: FileSystem, paths: Iterable[S3Path]) -> dict[S3Path, bool]:
    """FileSystem.exists() of each path; what a pattern would match does not count.

    Paths that begin alike are looked up in a listing, which goes on as long as its pages tell of several of them. Those
    that are left are then looked for by their own, longer beginnings, and few ones singly.
    """
    answers = {path: path.is_root for path in paths}
    groups = _by(lambda path: path.bucket, (path for path, known in answers.items() if not known))
    while groups:
        found = run_all((partial(_look_up, files, group) for group in groups), threads=_THREADS)
        for known in found:
            answers.update(known)
        groups = [
            part
            for group, known in zip(groups, found, strict=True)
            for part in _split([path for path in group if path not in known])
        ]
    return answers


def _name(path: S3Path) -> str:
    return path.key.removesuffix("/")


def _by(label: Callable[[S3Path], str], paths: Iterable[S3Path]) -> list[list[S3Path]]:
    groups: dict[str, list[S3Path]] = {}
    for path in paths:
        groups.setdefault(label(path), []).append(path)
    return list(groups.values())


def _beginning(paths: Iterable[S3Path]) -> str:
    """The characters that all begin with: the first and the last in order differ the most."""
    names = [_name(path) for path in paths]
    first, last = min(names), max(names)
    return next((first[:at] for at, char in enumerate(first) if last[at : at + 1] != char), first)


def _split(paths: list[S3Path]) -> list[list[S3Path]]:
    """By the first character in which they differ."""
    if len(paths) < 2:
        return [paths] if paths else []
    at = len(_beginning(paths))
    return _by(lambda path: _name(path)[at : at + 1], paths)


def _look_up(files: FileSystem, group: list[S3Path]) -> dict[S3Path, bool]:
    """What is known of a group in one bucket after some pages, or, if it is small, a request for each path."""
    if len(group) < _WORTH_LISTING:
        return {path: files.exists(path) for path in group}
    left = {path.key: path for path in group}
    known: dict[S3Path, bool] = {}
    listing = ListObjectsV2(group[0].bucket, _beginning(group))
    while left:
        page = files.client.call(listing)
        found = [left.pop(name) for name in Known(page.objects.keys).names() if name in left]
        known.update(dict.fromkeys(found, True))
        if page.next_token is None:
            known.update((path, False) for path in left.values() if is_listed_as_written(path.key))
        if page.next_token is None or len(found) < _WORTH_LISTING:
            break
        listing = replace(listing, token=page.next_token)
    return known

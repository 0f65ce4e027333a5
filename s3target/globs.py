"""Many paths by few requests: glob patterns, and the existence of whole lists of paths.

Luigi's Range tasks ask for `s3://bucket/data/202[3-6]/[0-9][0-9]/*`, and a scheduler for thousands of outputs one by
one. Both are answered by listing what the paths have in common. "*", "?" and "[...]" match within one level, as in a
shell. The order of a listing is never relied on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from .filesystem import FOLDER_MARKER, FileSystem, S3Path
from .protocol.operations.listing import ListObjectsV2
from .transfer.workers import run_all

_BARREN_PAGES = 3
"""Pages without a single match after which a flat listing gives way to one level by level."""
_WORTH_LISTING = 4
"""Paths in one directory from which on a listing is tried before they are asked for one by one."""
_PATHS_PER_PAGE = 64
_THREADS = 32
_SPECIAL = re.compile(r"[*?\[]")


def is_glob(path: S3Path) -> bool:
    return _SPECIAL.search(path.key) is not None


def literal_prefix(pattern: str) -> str:
    """What all that matches begins with."""
    found = _SPECIAL.search(pattern)
    return pattern[: found.start()] if found else pattern


def expression(pattern: str) -> re.Pattern[str]:
    """Matches the keys that pattern matches, and those below; and pattern itself, taken literally, and those below."""
    return re.compile(f"(?:{translate(pattern)}|{re.escape(pattern)})(?:/.*)?", re.DOTALL)


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
    chars = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner[negated:])
    try:
        return re.compile(f"(?!/)[{'^' if negated else ''}{chars}]").pattern
    except re.error:  # a range from high to low, which matches nothing
        return "[^/]" if negated else "(?!)"


def keys(files: FileSystem, path: S3Path) -> Iterator[str]:
    """Every key that the pattern matches, and every key below a directory that it matches."""
    pattern = path.key.removesuffix("/")
    wanted = expression(pattern).fullmatch
    barren = 0
    for page in files.pages(path.bucket, literal_prefix(pattern)):
        found = [key for key in page.objects.keys if wanted(key)]
        yield from found
        barren = -1 if found or barren < 0 else barren + 1
        if barren >= _BARREN_PAGES:
            yield from _by_levels(files, path.bucket, "", pattern)
            return


def _by_levels(files: FileSystem, bucket: str, parent: str, pattern: str) -> Iterator[str]:
    """The same, by one listing for each directory that matches so far: for few matches among very many keys."""
    level, slash, rest = pattern.partition("/")
    wanted = re.compile(f"{re.escape(parent)}(?:{translate(level)}|{re.escape(level)})/?", re.DOTALL).fullmatch
    for page in files.pages(bucket, parent + literal_prefix(level), delimiter="/"):
        if not slash:
            yield from filter(wanted, page.objects.keys)
        for prefix in filter(wanted, page.prefixes):
            yield from _by_levels(files, bucket, prefix, rest) if slash else files.keys(S3Path(bucket, prefix))


def exists(files: FileSystem, path: S3Path) -> bool:
    """Whether anything matches; one request if the path is an object's very key."""
    return files.info(path) is not None or next(keys(files, path), None) is not None


class Known:
    """Keys of one bucket, and the directories they are in."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._directories: set[str] = set()

    def add(self, key: str) -> None:
        self._keys.add(key)
        directory = key.removesuffix(FOLDER_MARKER) if key.endswith(FOLDER_MARKER) else key.rpartition("/")[0]
        while directory and directory not in self._directories:
            self._directories.add(directory)
            directory = directory.rpartition("/")[0]

    def __contains__(self, key: object) -> bool:
        return key in self._keys or (isinstance(key, str) and key.removesuffix("/") in self._directories)


def exists_many(files: FileSystem, paths: Sequence[S3Path]) -> list[bool]:
    """FileSystem.exists() of each path. Neighbours are looked up in a listing where that takes fewer requests."""
    known: list[bool | None] = [path.is_root or None for path in paths]
    places: dict[tuple[str, str], list[int]] = {}
    for index, path in enumerate(paths):
        if known[index] is None:
            places.setdefault((path.bucket, path.key.removesuffix("/").rpartition("/")[0]), []).append(index)
    groups = [(bucket, indexes) for (bucket, _), indexes in places.items()]
    for (_, indexes), answers in zip(groups, _looked_up(files, paths, groups), strict=True):
        for index, answer in zip(indexes, answers, strict=True):
            known[index] = answer
    rest = [index for index, answer in enumerate(known) if answer is None]
    singly = run_all((partial(files.exists, paths[index]) for index in rest), threads=min(_THREADS, max(2, len(rest))))
    for index, answer in zip(rest, singly, strict=True):
        known[index] = answer
    return [bool(answer) for answer in known]


def _looked_up(
    files: FileSystem, paths: Sequence[S3Path], groups: Iterable[tuple[str, list[int]]]
) -> list[list[bool | None]]:
    jobs = (partial(_group, files, bucket, [paths[index].key for index in indexes]) for bucket, indexes in groups)
    return run_all(jobs, threads=_THREADS)


def _common_prefix(keys: list[str]) -> str:
    """The characters that all begin with; the first and the last in order differ the most."""
    first, last = min(keys), max(keys)
    return next((first[:at] for at, char in enumerate(first) if last[at : at + 1] != char), first)


def _group(files: FileSystem, bucket: str, wanted: list[str]) -> list[bool | None]:
    """What a few pages of listing tell of these keys; None for those still unknown."""
    if len(wanted) < _WORTH_LISTING:
        return [None] * len(wanted)
    known, whole = Known(), False
    token: str | None = None
    for _ in range(1 + len(wanted) // _PATHS_PER_PAGE):
        prefix = _common_prefix([key.removesuffix("/") for key in wanted])
        page = files.client.call(ListObjectsV2(bucket, prefix, token=token))
        for key in page.objects.keys:
            known.add(key)
        token = page.next_token
        whole = token is None
        if whole:
            break
    return [True if key in known else False if whole else None for key in wanted]

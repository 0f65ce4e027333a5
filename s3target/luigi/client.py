"""S3Client: the names, arguments and exceptions of luigi.contrib.s3 over filesystem.FileSystem.

Beyond that module, exists() and listdir() understand globs, exists_many() and glob() ask for many at once, and what
may take long takes progress=. What it writes and removes is told to the snapshots of prefetch().
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from luigi.target import FileAlreadyExists, FileSystem, FileSystemException, MissingParentDirectory

from .. import filesystem, globs
from ..client import Client
from ..composition import shared
from ..errors import ConfigError, NoSuchBucket, NotFound
from ..filesystem import S3Path, Window, parse_path, path_text
from ..globs import is_glob
from ..protocol.operations.objects import ObjectInfo
from ..protocol.options import COPY, UPLOAD, check, headers_for
from ..statistics import Statistics
from ..transfer.download import download
from ..transfer.plan import TransferOptions
from ..transfer.reader import ReaderOptions, open_reader
from ..transfer.upload import upload
from .key import FileNotFoundException, S3Key
from .options import ORIGIN, check_deprecated, check_read_options, check_settings, check_write_options, section
from .screens import note_client, progress_of
from .snapshot import changing, known, writing

_NOTHING: Mapping[int, Mapping[str, str]] = {}
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class InvalidDeleteException(FileSystemException):
    """What was to be removed must not be: the root of a bucket, or a directory without recursive=True."""


class S3Client(FileSystem):
    """S3 as a Luigi file system.

    >>> client = S3Client()
    >>> client.put_string("region,sales", "s3://bucket/reports/north.csv")
    >>> list(client.listdir("s3://bucket/reports"))
    ['s3://bucket/reports/north.csv']

    Arguments are the settings of connect(), most of them boto3's; what is not given comes from the [s3] section of
    luigi.cfg, then from environment and profile. Clients of one configuration share their connections and credentials.
    An unknown argument raises DeprecatedBotoClientException (a ValueError) at once.
    """

    DEFAULT_PART_SIZE = 8388608
    DEFAULT_THREADS = 100

    _directories: str
    if not TYPE_CHECKING:  # mypy takes Luigi's classes for some without a __dict__
        __slots__ = ("_directories",)  # a view shares the rest

    def __init__(
        self,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._check_deprecated_argument(**kwargs)
        check_settings(kwargs)
        keys = zip(_KEYS, (aws_access_key_id, aws_secret_access_key, aws_session_token), strict=True)
        self._arguments = {name: value for name, value in [*kwargs.items(), *keys] if value not in (None, "")}
        self._s3: Client | None = None
        self._set: Client | None = None

    @property
    def s3(self) -> Client:
        """The client without Luigi, connected at first use."""
        if self._s3 is None:
            given = set(self._arguments)
            if not given.isdisjoint(_KEYS):
                given.update(_KEYS)  # they belong together: half of one key with half of another is none
            configured = {name: value for name, value in section().items() if name not in given}
            self._s3 = shared({**configured, **self._arguments}, dict.fromkeys(configured, ORIGIN))
            note_client(self._s3)
        return self._s3

    @s3.setter
    def s3(self, client: Client) -> None:
        self._s3 = self._set = client
        note_client(client)

    @property
    def _files(self) -> filesystem.FileSystem:
        return filesystem.FileSystem(self.s3)

    def __getstate__(self) -> Any:
        # A client that was set goes along. Otherwise it connects anew where it unpickles, from the configuration there.
        state = {**self.__dict__, "_s3": self._set}
        return (state, {"_directories": self._directories}) if hasattr(self, "_directories") else state

    @property
    def statistics(self) -> Statistics:
        """What all clients of this configuration in this process have sent and received so far."""
        return self.s3.statistics

    def listing_directories(self, flag: str = "") -> S3Client:
        """This client, but that listdir() of a glob gives the directories that match too, as "path/".

        flag: only those that hold an object of this name. It is what Luigi's Range tasks need for targets that are
        directories, so the `fs` of such targets is this. What is set on either of the two is set on both.
        """
        view = object.__new__(type(self))
        view.__dict__ = self.__dict__
        view._directories = flag
        return view

    def exists(self, path: Any, **kwargs: Any) -> bool:
        """Whether there is an object or a directory at path, or, if it is a glob, anything that it matches.

        A bucket's root counts as there. kwargs: boto3's ExtraArgs of a download, such as an SSECustomerKey.
        """
        place, extra_args = parse_path(path), check_read_options("exists", kwargs)
        answer = known(self.s3, place)
        if is_glob(place):
            return answer or globs.exists(self._files, place)
        return self._files.exists(place, extra_args) if answer is None else answer

    def exists_many(self, paths: Iterable[Any]) -> dict[Any, bool]:
        """Whether there is an object or a directory at each path, by path: many at once by listing what they share.

        Paths are taken literally: for their wildcards there is exists().
        """
        places = {path: parse_path(path) for path in paths}
        answers = {place: known(self.s3, place) for place in places.values()}
        unknown = [place for place, answer in answers.items() if answer is None]
        found = globs.exists_many(self._files, unknown) if unknown else {}
        return {path: bool(found.get(place, answers[place])) for path, place in places.items()}

    def glob(self, pattern: Any) -> Iterator[str]:
        """Full paths of all that matches: objects, and directories as "path/"; only these if the pattern ends in "/".

        "*", "?" and "[...]" match within one level. A path written like the pattern itself matches too.
        """
        base = _base(pattern)
        yield from (base + name for name in globs.matches(self._files, parse_path(pattern)))

    def remove(self, path: Any, recursive: bool = True, *, progress: Any = None) -> bool:
        """Remove an object, or a directory with all that is below; False if there was neither.

        Wildcards in path mean themselves: what is removed is named. A path that ends in "/" is a directory, even if
        its marker is there as an object. InvalidDeleteException for a bucket's root, and for a directory without
        recursive. PartialFailure names the keys that the store would not remove. progress: of a directory, called with
        (keys done, None).
        """
        place, told = parse_path(path), progress_of(progress, str(path))
        if place.is_root:
            raise InvalidDeleteException(f"Cannot delete root of bucket at path {path}")
        with changing(self.s3, place):
            if not (recursive and place.key.endswith("/")) and self._files.info(place):
                self._files.remove(place)
                return True
            if not self._files.isdir(place):
                return False
            if not recursive:
                raise InvalidDeleteException(f"Path {path} is a directory. Must use recursive delete")
            return self._files.remove_directory(place, told) > 0

    def move(self, source_path: Any, destination_path: Any, **kwargs: Any) -> None:
        """Copy, then remove what was copied; all of it stays if anything of the copy failed. Arguments as for copy().

        A copy() or remove() of a subclass is called for it. Otherwise what arrives in a directory while it is moved
        stays there. InvalidDeleteException if the copy would go with the source: a directory moved into itself, a path
        to itself.
        """
        for name in ("start_time", "end_time"):
            if kwargs.pop(name, None) is not None:
                raise ConfigError(f"move() takes all of a directory, so it takes no {name}; copy(), then remove()")
        source, destination = parse_path(source_path), parse_path(destination_path)
        if source.is_root:
            raise InvalidDeleteException(f"Cannot delete root of bucket at path {source_path}")
        if source == destination or (
            destination.is_below(source) and (source.key.endswith("/") or not self._files.info(source))
        ):
            raise InvalidDeleteException(f"Cannot move {source_path} into itself: {destination_path}")
        options = _copy_options(source, **kwargs)
        self._files.check_apart(source, destination)
        if type(self).copy is not S3Client.copy or type(self).remove is not S3Client.remove:
            self.copy(source_path, destination_path, **kwargs)  # a subclass may have a say in both
            self.remove(source_path)
            return
        with changing(self.s3, source):
            if self._copy_file(source, destination, options) is not None:
                self._files.remove(source)
                return
            with changing(self.s3, destination):
                if not self._files.move_directory(source, destination, options):
                    raise FileNotFoundException(f"Could not find anything to move at {source_path}")

    def rename_dont_move(self, path: Any, dest: Any) -> None:
        """move(), but FileAlreadyExists if something is at dest already."""
        if self.exists_many([dest])[dest]:  # not exists(): what a wildcard in dest matches is not in the way
            raise FileAlreadyExists(f"{dest} is there already")
        self.move(path, dest)

    def get_key(self, path: Any, **kwargs: Any) -> S3Key | None:
        """The object at this very key, None if there is none. kwargs: boto3's ExtraArgs of a download."""
        place, options = parse_path(path), _reader_options("get_key", kwargs)
        info = self._files.info(place, kwargs, options.version_id)
        return S3Key(self, place, options, info) if info else None

    def put(self, local_path: Any, destination_s3_path: Any, **kwargs: Any) -> None:
        """Put a local file to a path. kwargs: boto3's ExtraArgs, progress as for put_multipart()."""
        self.put_multipart(local_path, destination_s3_path, **kwargs)

    def put_string(self, content: str | bytes | IO[Any], destination_s3_path: Any, **kwargs: Any) -> None:
        """Put text (as UTF-8) or bytes, or what a file still holds of them, to a path. kwargs: boto3's ExtraArgs."""
        check_write_options("put_string", kwargs, UPLOAD)
        if hasattr(content, "read"):
            content = content.read()
        body = content.encode() if isinstance(content, str) else content
        if not isinstance(body, bytes | bytearray | memoryview):
            raise ConfigError(f"put_string takes text or bytes, not {type(content).__name__}; put() takes a path")
        place = parse_path(destination_s3_path)
        with writing(self.s3, place):
            self._files.write(place, body, kwargs)

    def put_multipart(
        self,
        local_path: Any,
        destination_s3_path: Any,
        part_size: int = DEFAULT_PART_SIZE,
        *,
        progress: Any = None,
        hashed: Mapping[int, Mapping[str, str]] = _NOTHING,
        **kwargs: Any,
    ) -> None:
        """Put a local file to a path, in parts of part_size bytes if it is larger than one. kwargs: boto3's ExtraArgs.

        progress: called with (bytes done, bytes in all), or a luigi.Task, which then shows it on the scheduler's page.
        hashed: see transfer.ahead.
        """
        check_write_options("put", kwargs)
        place, told = parse_path(destination_s3_path), progress_of(progress, str(destination_s3_path))
        options = TransferOptions(part_size=part_size, progress=told, extra_args=kwargs)
        with writing(self.s3, place):
            upload(self.s3, os.fspath(local_path), place.bucket, place.key, options, hashed)

    def copy(
        self,
        source_path: Any,
        destination_path: Any,
        threads: int = DEFAULT_THREADS,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        part_size: int = DEFAULT_PART_SIZE,
        **kwargs: Any,
    ) -> tuple[int, int]:
        """Copy an object, or a directory, on the server: (number of objects, bytes in all).

        start_time, end_time: of a directory only what was modified between; times without a zone count as UTC.
        kwargs: boto3's ExtraArgs, and progress as for put_multipart(), but of a directory the bytes in all are not
        known before its end. FileNotFoundException if there is neither object nor directory.
        """
        source, destination = parse_path(source_path), parse_path(destination_path)
        options = _copy_options(source, threads=threads, part_size=part_size, **kwargs)
        size = self._copy_file(source, destination, options)
        if size is not None:
            return 1, size
        with changing(self.s3, destination):
            count, size = self._files.copy_directory(source, destination, options, Window(start_time, end_time))
        if not count and not self._files.isdir(source):
            raise FileNotFoundException(f"Could not find anything to copy at {source_path}")
        return count, size

    def _copy_file(self, source: S3Path, destination: S3Path, options: TransferOptions) -> int | None:
        """The object's size; None if there is none."""
        if source.key.endswith("/") or source.is_root:
            return None
        try:
            with writing(self.s3, destination):
                return self._files.copy(source, destination, options)
        except NoSuchBucket:
            raise
        except NotFound:
            return None

    def get(self, s3_path: Any, destination_local_path: Any, *, progress: Any = None, **kwargs: Any) -> None:
        """Write an object to a local file, which appears when it is whole.

        progress: as for put_multipart(). kwargs: boto3's ExtraArgs of a download (SSECustomerKey, VersionId, ...).
        """
        place, told = parse_path(s3_path), progress_of(progress, str(s3_path))
        options = TransferOptions(progress=told, extra_args=check_read_options("get", kwargs))
        download(self.s3, place.bucket, place.key, os.fspath(destination_local_path), options)

    def get_as_bytes(self, s3_path: Any, **kwargs: Any) -> bytes:
        """An object's content. kwargs: boto3's ExtraArgs of a download."""
        place = parse_path(s3_path)
        with open_reader(self.s3, place.bucket, place.key, _reader_options("get_as_bytes", kwargs)) as reader:
            return bytes(reader.readall())

    def get_as_string(self, s3_path: Any, encoding: str = "utf-8", **kwargs: Any) -> str:
        """An object's content as text. kwargs: boto3's ExtraArgs of a download."""
        return self.get_as_bytes(s3_path, **kwargs).decode(encoding)

    def isdir(self, path: Any) -> bool:
        """Whether path is a directory: something lies below it, or a marker stands for it."""
        return self._files.isdir(parse_path(path))

    is_dir = isdir

    def mkdir(self, path: Any, parents: bool = True, raise_if_exists: bool = False) -> None:
        """Put the marker of a directory. FileAlreadyExists, MissingParentDirectory as Luigi documents them."""
        place = parse_path(path)
        if raise_if_exists and self.isdir(path):
            raise FileAlreadyExists(f"{path} is there already")
        if place.is_root:
            return
        parent = S3Path(place.bucket, place.key.removesuffix("/").rpartition("/")[0])
        if not parents and not self._files.isdir(parent):
            raise MissingParentDirectory(f"{parent} is not there")
        self.put_string("", S3Path(place.bucket, place.below))

    def listdir(
        self, path: Any, start_time: datetime | None = None, end_time: datetime | None = None, return_key: bool = False
    ) -> Iterator[Any]:
        """Full paths of all objects below path; S3Key objects if return_key.

        Of a glob: all objects that it matches, and all below directories that it matches; a directory that is written
        like the glob itself is taken for what is meant. start_time, end_time: only what was modified between; times
        without a zone count as UTC.
        """
        place, base = parse_path(path), _base(path)
        window = Window(start_time, end_time) if start_time or end_time else None
        if window is None and not return_key:
            for name in self._names(place):
                yield base + name
            return
        for entry in self._entries(place):
            if window is None or entry.last_modified in window:
                listed = S3Path(entry.bucket, entry.key)
                yield S3Key(self, listed, ReaderOptions(), entry) if return_key else base + entry.key

    def _names(self, place: S3Path) -> Iterator[str]:
        if not is_glob(place):
            return self._files.keys(place)  # faster than by entries
        if (flag := getattr(self, "_directories", None)) is not None:
            return globs.with_directories(self._files, place, flag)
        return (match.key for match in globs.objects(self._files, place))

    def _entries(self, place: S3Path) -> Iterator[ObjectInfo]:
        if not is_glob(place):
            return self._files.list(place)
        return (match.listed() for match in globs.objects(self._files, place))

    def list(
        self, path: Any, start_time: datetime | None = None, end_time: datetime | None = None, return_key: bool = False
    ) -> Iterator[Any]:
        """As listdir(), but the paths are relative to path; what a glob matches to the last directory before its
        wildcards."""
        place, base = parse_path(path), _base(path)
        own, other = base + place.below, base + globs.literal_directory(place.key)
        for item in self.listdir(path, start_time, end_time, return_key):
            yield item if return_key else item[len(own if item.startswith(own) else other) :]

    @staticmethod
    def _path_to_bucket_and_key(path: Any) -> tuple[str, str]:
        place = parse_path(path)
        return place.bucket, place.key

    @staticmethod
    def _check_deprecated_argument(**kwargs: Any) -> None:
        check_deprecated(kwargs)


def _base(path: Any) -> str:
    """Scheme and bucket as they were written."""
    text = path_text(path)
    scheme, _, rest = text.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/"


def _reader_options(what: str, kwargs: dict[str, Any]) -> ReaderOptions:
    return ReaderOptions(kwargs.get("VersionId"), check_read_options(what, kwargs))


def _copy_options(
    source: S3Path,
    threads: int = S3Client.DEFAULT_THREADS,
    part_size: int = S3Client.DEFAULT_PART_SIZE,
    progress: Any = None,
    **kwargs: Any,
) -> TransferOptions:
    check_deprecated(kwargs)
    check(kwargs, COPY, "copy")
    headers_for("CopyObject", kwargs)
    told = progress_of(progress, str(source))
    return TransferOptions(part_size=part_size, threads=max(3, threads), progress=told, extra_args=kwargs)

"""S3Client: the names, arguments and exceptions of luigi.contrib.s3 over filesystem.FileSystem, and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from luigi.target import FileAlreadyExists, FileSystem, FileSystemException, MissingParentDirectory

from .. import filesystem
from ..client import Client
from ..connect import shared
from ..errors import ConfigError, NoSuchBucket, NotFound
from ..filesystem import S3Path, Window, parse_path
from ..protocol.operations.objects import ObjectInfo
from ..protocol.options import COPY, UPLOAD, check, headers_for
from ..settings import SETTINGS, check_names
from ..transfer.download import download
from ..transfer.plan import TransferOptions
from ..transfer.reader import Reader, ReaderOptions, open_reader
from ..transfer.upload import upload
from .config import ORIGIN, section

logger = logging.getLogger("s3target.luigi")
_WRITE_OPTIONS = UPLOAD | {"part_size", "progress"}
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_DEPRECATED = {
    "encrypt_key": "say how to encrypt: ServerSideEncryption='AES256' (or 'aws:kms' with SSEKMSKeyId=)",
    "host": "name the region, region_name='us-west-1', or the store, endpoint_url='https://...'",
}


class InvalidDeleteException(FileSystemException):
    """What was to be removed must not be: the root of a bucket, or a directory without recursive=True."""


class FileNotFoundException(FileSystemException):
    """There is no such object."""


class DeprecatedBotoClientException(ConfigError):
    """An argument from the days of boto 2, or one that nothing here knows."""


class S3Key:
    """An object by its address. What the store knows of it is asked for at the first look.

    bucket_name, key, size (bytes), last_modified (aware, UTC), e_tag (in quotes), storage_class.
    """

    def __init__(self, client: S3Client, path: S3Path, options: ReaderOptions, info: ObjectInfo | None = None) -> None:
        self._client = client
        self._options = options
        self._info = info
        self.bucket_name = path.bucket
        self.key = path.key

    def _loaded(self) -> ObjectInfo:
        if self._info is None:
            self._info = self._client._files.info(S3Path(self.bucket_name, self.key))
        if self._info is None:
            raise FileNotFoundException(f"Could not find file at {self}")
        return self._info

    @property
    def size(self) -> int:
        return self._loaded().size

    @property
    def last_modified(self) -> datetime:
        return self._loaded().last_modified

    @property
    def e_tag(self) -> str:
        return f'"{self._loaded().e_tag}"'

    @property
    def storage_class(self) -> str:
        return self._loaded().storage_class

    def exists(self) -> bool:
        """Whether the object is there now."""
        return self._client._files.info(S3Path(self.bucket_name, self.key)) is not None

    def get(self) -> dict[str, Reader]:
        """{"Body": a raw stream of the object's bytes}. FileNotFoundException if it is not there."""
        try:
            return {"Body": open_reader(self._client.s3, self.bucket_name, self.key, self._options)}
        except NoSuchBucket:
            raise
        except NotFound as error:
            raise FileNotFoundException(f"Could not find file at {self}") from error

    def __str__(self) -> str:
        return f"s3://{self.bucket_name}/{self.key}"

    def __repr__(self) -> str:
        return f"S3Key({str(self)!r})"


class S3Client(FileSystem):
    """S3 as a Luigi file system.

    Arguments are the settings of connect(), most of them boto3's; what is not given comes from the [s3] section of
    luigi.cfg, then from environment and profile. Clients of one configuration share their connections and credentials.
    An unknown argument raises DeprecatedBotoClientException (a ValueError) at once.
    """

    DEFAULT_PART_SIZE = 8388608
    DEFAULT_THREADS = 100

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
        given = {name: value for name, value in kwargs.items() if value is not None}
        self._arguments = {**given, **{name: value for name, value in keys if value}}
        self._s3: Client | None = None
        self._set: Client | None = None

    @property
    def s3(self) -> Client:
        """The client without Luigi, connected at first use."""
        if self._s3 is None:
            configured = {name: value for name, value in section().items() if not self._overrules(name)}
            self._s3 = shared({**configured, **self._arguments}, dict.fromkeys(configured, ORIGIN))
        return self._s3

    @s3.setter
    def s3(self, client: Client) -> None:
        self._s3 = self._set = client

    def _overrules(self, name: str) -> bool:
        # The three of a key belong together: half of one with half of another is none.
        return name in self._arguments or (name in _KEYS and any(key in self._arguments for key in _KEYS))

    @property
    def _files(self) -> filesystem.FileSystem:
        return filesystem.FileSystem(self.s3)

    def __getstate__(self) -> dict[str, Any]:
        # A client that was set goes along. Otherwise it connects anew where it unpickles, from the configuration there.
        return {**self.__dict__, "_s3": self._set}

    def exists(self, path: Any) -> bool:
        """Whether there is an object or a directory at path. A bucket's root counts as there."""
        return self._files.exists(parse_path(path))

    def remove(self, path: Any, recursive: bool = True) -> bool:
        """Remove an object, or a directory with all that is below; False if there was neither.

        A path that ends in "/" is a directory, even if its marker is there as an object. InvalidDeleteException for a
        bucket's root, and for a directory without recursive. PartialFailure names the keys of a directory that the
        store would not remove.
        """
        place = parse_path(path)
        if place.is_root:
            raise InvalidDeleteException(f"Cannot delete root of bucket at path {path}")
        if not (recursive and place.key.endswith("/")) and self._files.info(place):
            self._files.remove(place)
            logger.debug("removed %s", place)
            return True
        if not self._files.isdir(place):
            return False
        if not recursive:
            raise InvalidDeleteException(f"Path {path} is a directory. Must use recursive delete")
        return self._files.remove_directory(place) > 0

    def move(self, source_path: Any, destination_path: Any, **kwargs: Any) -> None:
        """Copy, then remove the source; it stays if anything of the copy failed. Arguments as for copy().

        InvalidDeleteException if the copy would go with the source: a directory moved into itself, a path to itself.
        """
        for name in ("start_time", "end_time"):
            if kwargs.get(name) is not None:
                raise ConfigError(f"move() takes all of a directory, so it takes no {name}; copy(), then remove()")
        source, destination = parse_path(source_path), parse_path(destination_path)
        if source == destination or (destination.is_below(source) and not self._is_file(source)):
            raise InvalidDeleteException(f"Cannot move {source_path} into itself: {destination_path}")
        self.copy(source_path, destination_path, **kwargs)
        self.remove(source_path)

    def _is_file(self, place: S3Path) -> bool:
        return not place.key.endswith("/") and self._files.info(place) is not None

    def rename_dont_move(self, path: Any, dest: Any) -> None:
        """move(), but FileAlreadyExists if something is at dest already."""
        if self.exists(dest):
            raise FileAlreadyExists(f"{dest} is there already")
        self.move(path, dest)

    def get_key(self, path: Any) -> S3Key | None:
        """The object at this very key, None if there is none."""
        place = parse_path(path)
        info = self._files.info(place)
        return S3Key(self, place, ReaderOptions(), info) if info else None

    def _key(
        self, path: Any, version_id: str | None, readahead: int, progress: Callable[[int, int | None], None] | None
    ) -> S3Key:
        options = ReaderOptions(version_id=version_id, readahead=readahead, progress=progress)
        return S3Key(self, parse_path(path), options)

    def put(self, local_path: Any, destination_s3_path: Any, **kwargs: Any) -> None:
        """Put a local file to a path. kwargs: boto3's ExtraArgs."""
        self.put_multipart(local_path, destination_s3_path, **kwargs)

    def put_string(self, content: str | bytes, destination_s3_path: Any, **kwargs: Any) -> None:
        """Put text (as UTF-8) or bytes to a path. kwargs: boto3's ExtraArgs."""
        check_write_options("put_string", kwargs, UPLOAD)
        body = content.encode() if isinstance(content, str) else content
        if not isinstance(body, bytes | bytearray | memoryview):
            raise ConfigError(f"put_string takes text or bytes, not {type(content).__name__}; put() takes a path")
        self._files.write(parse_path(destination_s3_path), body, kwargs)

    def put_multipart(
        self,
        local_path: Any,
        destination_s3_path: Any,
        part_size: int = DEFAULT_PART_SIZE,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        **kwargs: Any,
    ) -> None:
        """Put a local file to a path, in parts of part_size bytes if it is larger than one. kwargs: boto3's ExtraArgs.

        progress: called with (bytes done, bytes in all).
        """
        check_write_options("put", kwargs)
        place = parse_path(destination_s3_path)
        options = TransferOptions(part_size=part_size, progress=progress, extra_args=kwargs)
        upload(self.s3, os.fspath(local_path), place.bucket, place.key, options)

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
        kwargs: boto3's ExtraArgs. FileNotFoundException if there is neither object nor directory.
        """
        self._check_deprecated_argument(**kwargs)
        check(kwargs, COPY, "copy")
        headers_for("CopyObject", kwargs)
        source, destination = parse_path(source_path), parse_path(destination_path)
        options = TransferOptions(part_size=part_size, threads=max(3, threads), extra_args=kwargs)
        if not source.key.endswith("/") and not source.is_root:
            try:
                return 1, self._files.copy(source, destination, options)
            except NotFound as error:
                if isinstance(error, NoSuchBucket):
                    raise
        count, size = self._files.copy_directory(source, destination, options, Window(start_time, end_time))
        if not count and not self._files.isdir(source):
            raise FileNotFoundException(f"Could not find anything to copy at {source_path}")
        return count, size

    def get(self, s3_path: Any, destination_local_path: Any) -> None:
        """Write an object to a local file, which appears when it is whole."""
        place = parse_path(s3_path)
        download(self.s3, place.bucket, place.key, os.fspath(destination_local_path), TransferOptions())

    def get_as_bytes(self, s3_path: Any) -> bytes:
        """An object's content."""
        place = parse_path(s3_path)
        with open_reader(self.s3, place.bucket, place.key, ReaderOptions()) as reader:
            content: bytes = reader.readall()
            return content

    def get_as_string(self, s3_path: Any, encoding: str = "utf-8") -> str:
        """An object's content as text."""
        return self.get_as_bytes(s3_path).decode(encoding)

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
        self._files.write(S3Path(place.bucket, place.below), b"")

    def listdir(
        self, path: Any, start_time: datetime | None = None, end_time: datetime | None = None, return_key: bool = False
    ) -> Iterator[Any]:
        """Full paths of all objects below path; S3Key objects if return_key.

        start_time, end_time: only what was modified between; times without a zone count as UTC.
        """
        place = parse_path(path)
        base = str(path) if str(path).endswith("/") else f"{path}/"
        skip = len(place.below)
        window = Window(start_time, end_time) if start_time or end_time else None
        if window is None and not return_key:
            for key in self._files.keys(place):
                yield base + key[skip:]
            return
        for entry in self._files.list(place, window):
            if return_key:
                yield S3Key(self, S3Path(entry.bucket, entry.key), ReaderOptions(), entry)
            else:
                yield base + entry.key[skip:]

    def list(
        self, path: Any, start_time: datetime | None = None, end_time: datetime | None = None, return_key: bool = False
    ) -> Iterator[Any]:
        """As listdir(), but the paths are relative to path."""
        skip = len(str(path).removesuffix("/")) + 1
        for item in self.listdir(path, start_time, end_time, return_key):
            yield item if return_key else item[skip:]

    @staticmethod
    def _path_to_bucket_and_key(path: Any) -> tuple[str, str]:
        place = parse_path(path)
        return place.bucket, place.key

    @staticmethod
    def _check_deprecated_argument(**kwargs: Any) -> None:
        for name, advice in _DEPRECATED.items():
            if name in kwargs:
                raise DeprecatedBotoClientException(f"{name} is an argument of boto 2; {advice}")


def check_write_options(what: str, kwargs: dict[str, Any], accepted: frozenset[str] = _WRITE_OPTIONS) -> None:
    """Before anything is written: DeprecatedBotoClientException, or ConfigError for an unknown name or a value that
    has no header form."""
    S3Client._check_deprecated_argument(**kwargs)
    check(kwargs, accepted, what)
    headers_for("PutObject", kwargs)


def check_settings(kwargs: dict[str, Any]) -> None:
    """DeprecatedBotoClientException for the first name that is no setting."""
    if any(name not in SETTINGS for name in kwargs):
        try:
            check_names(kwargs, "S3Client")
        except ConfigError as error:
            raise DeprecatedBotoClientException(str(error)) from None

"""S3Key: what S3Client.get_key() and listdir(return_key=True) give; and that there is none."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from luigi.target import FileSystemException

from ..errors import NoSuchBucket, NotFound
from ..filesystem import S3Path
from ..protocol.operations.objects import ObjectInfo
from ..transfer.reader import Reader, ReaderOptions, open_reader

if TYPE_CHECKING:
    from .client import S3Client


class FileNotFoundException(FileSystemException):
    """There is no such object."""


class S3Key:
    """An object by its address: bucket_name and key. What the store knows of it is asked for at the first look."""

    def __init__(self, client: S3Client, path: S3Path, options: ReaderOptions, info: ObjectInfo | None = None) -> None:
        self._client = client
        self._options = options
        self._info = info
        self.bucket_name = path.bucket
        self.key = path.key

    def _ask(self) -> ObjectInfo | None:
        path, options = S3Path(self.bucket_name, self.key), self._options
        return self._client._files.info(path, options.extra_args, options.version_id)

    def _loaded(self) -> ObjectInfo:
        if self._info is None:
            self._info = self._ask()
        if self._info is None:
            raise FileNotFoundException(f"Could not find file at {self}")
        return self._info

    @property
    def size(self) -> int:
        """Bytes."""
        return self._loaded().size

    @property
    def last_modified(self) -> datetime:
        """In UTC, with its time zone."""
        return self._loaded().last_modified

    @property
    def e_tag(self) -> str:
        """In quotes."""
        return f'"{self._loaded().e_tag}"'

    @property
    def storage_class(self) -> str:
        """STANDARD if the store says none."""
        return self._loaded().storage_class

    def exists(self) -> bool:
        """Whether the object is there now."""
        return self._ask() is not None

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

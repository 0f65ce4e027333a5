"""Luigi targets on S3. What they promise about writing is in files.py."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

from luigi.format import TextFormat, get_default_format
from luigi.target import FileSystemTarget

from ..errors import ConfigError
from ..protocol.options import UPLOAD
from .client import FileNotFoundException, S3Client, check_write_options
from .files import AtomicS3File, ReadableS3File, StreamedS3File

_FLAG = "_SUCCESS"
_TEXT_CHUNK = 64 * 1024
"""Bytes decoded at a time; io's own 8 KiB are slower."""
_OPTIONS = UPLOAD | {"part_size"}


class S3Target(FileSystemTarget):
    """An object on S3 as a task's output or input.

    path: s3://bucket/key; s3a:// and s3n:// mean the same. format: of luigi.format, text by default.
    client: an S3Client; one of the default configuration if None. overwrite: False commits only if nothing is at the
    path yet, else luigi.target.FileAlreadyExists. upload: "at_close", from a temporary file, or "while_writing", in
    parts from bounded memory with no disk. tmp_dir: where output waits for its commit. readahead: ranges
    fetched in parallel ahead of the reader, 0 for one plain stream. progress: called with (bytes done, bytes in all).
    version_id: which version to read. Further arguments are for what is written: part_size (bytes), and boto3's
    ExtraArgs (ServerSideEncryption, ACL, Metadata, ContentType, ...); one that cannot be right is a ConfigError.
    """

    def __init__(
        self,
        path: Any,
        format: Any = None,
        client: S3Client | None = None,
        *,
        overwrite: bool = True,
        upload: str = "at_close",
        tmp_dir: str | None = None,
        readahead: int = 0,
        progress: Callable[[int, int | None], None] | None = None,
        version_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(path)
        if kwargs:
            check_write_options("S3Target", kwargs, _OPTIONS)
        if upload not in ("at_close", "while_writing"):
            raise ConfigError(f'upload is "at_close" or "while_writing", not {upload!r}')
        self.format = get_default_format() if format is None else format
        self._fs = client
        self.overwrite, self.upload, self.tmp_dir, self.readahead = overwrite, upload, tmp_dir, readahead
        self.progress, self.version_id = progress, version_id
        self.s3_options = kwargs

    @property
    def fs(self) -> S3Client:
        if self._fs is None:
            self._fs = S3Client()
        return self._fs

    @fs.setter
    def fs(self, client: S3Client) -> None:
        self._fs = client

    def open(self, mode: str = "r") -> Any:
        """A file object in the target's format, mode "r" or "w". FileNotFoundException if there is nothing to read."""
        if mode == "w":
            return self.format.pipe_writer(self._writer())
        if mode == "r":
            file = self._reader()
            return self._text(file) if type(self.format) is TextFormat else self.format.pipe_reader(file)
        raise ValueError(f"mode {mode!r} is not supported; use 'r' or 'w' (bytes need format=luigi.format.Nop)")

    def _text(self, file: ReadableS3File) -> io.TextIOWrapper:
        """What TextFormat gives, as a plain io.TextIOWrapper: of a class derived from it lines come half as fast."""
        text = io.TextIOWrapper(file, *self.format.args, **self.format.kwargs)
        text._CHUNK_SIZE = _TEXT_CHUNK  # type: ignore[attr-defined]
        return text

    def _reader(self) -> ReadableS3File:
        key = self.fs._key(self.path, self.version_id, self.readahead, self.progress)
        try:
            return ReadableS3File(key)
        except FileNotFoundException:
            raise FileNotFoundException(f"Could not find file at {self.path}") from None

    def _writer(self) -> AtomicS3File | StreamedS3File:
        options = dict(self.s3_options)
        if self.progress is not None:
            options["progress"] = self.progress
        if not self.overwrite:
            options["IfNoneMatch"] = "*"
        if self.upload == "while_writing":
            return StreamedS3File(self.path, self.fs, **options)
        return AtomicS3File(self.path, self.fs, tmp_dir=self.tmp_dir, **options)


class S3FlagTarget(S3Target):
    """A directory that is complete when a flag file (`_SUCCESS`) is in it, as Hadoop and Spark leave theirs.

    path must end with "/": ValueError otherwise.
    """

    def __init__(self, path: Any, format: Any = None, client: S3Client | None = None, flag: str | None = _FLAG) -> None:
        if not str(path).endswith("/"):
            raise ValueError("S3FlagTarget requires the path to be to a directory.  It must end with a slash ( / ).")
        super().__init__(path, format, client)
        self.flag = _FLAG if flag is None else flag

    def exists(self) -> bool:
        return self.fs.exists(self.path + self.flag)


class S3EmrTarget(S3FlagTarget):
    """Deprecated: S3FlagTarget under the name it had for Amazon EMR."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn("S3EmrTarget is deprecated. Please use S3FlagTarget", stacklevel=2)
        super().__init__(*args, **kwargs)

"""Luigi targets on S3, whose promises about writing are in files.py, and tasks that wait for them or ask for many."""

from __future__ import annotations

import codecs
import io
import warnings
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from luigi.format import Bzip2Format, ChainFormat, GzipFormat, TextFormat, get_default_format
from luigi.parameter import OptionalParameter, Parameter
from luigi.target import FileSystemTarget
from luigi.task import ExternalTask, Task, flatten

from ..errors import ConfigError
from ..filesystem import parse_path, path_text
from ..globs import is_glob
from ..protocol.operations.objects import GetObject, PutObject
from ..transfer.reader import ReaderOptions
from .client import S3Client
from .files import AtomicS3File, ReadableS3File, StreamedS3File, check_vacant
from .key import FileNotFoundException, S3Key
from .options import DEPRECATED, WRITE_OPTIONS, check_write_options, for_reading
from .screens import progress_of

_FLAG = "_SUCCESS"
_TEXT_CHUNK = 128 * 1024
"""Bytes decoded at a time; io's own 8 KiB are slower."""

_OPTIONS = WRITE_OPTIONS | {"overwrite", "upload", "tmp_dir", "readahead", "version_id"}
"""For the nearest name of one that is misspelt: what S3Target itself takes is never among its kwargs."""


class S3Target(FileSystemTarget):
    """An object on S3 as a task's output or input. It appears at its key whole, when the file is closed, or not at all.

    >>> with S3Target("s3://bucket/report.csv", ContentType="text/csv").open("w") as file:
    ...     _ = file.write("region,sales")
    >>> S3Target("s3://bucket/report.csv").exists()
    True

    path: s3://bucket/key, text or a pathlib path; s3a:// and s3n:// mean the same. Wildcards in it mean themselves.
    format: of luigi.format, text by default.
    client: an S3Client; one of the default configuration if None. overwrite: False commits only if nothing is at the
    path yet, else luigi.target.FileAlreadyExists, from open("w") if it is known by then. upload: "at_close", from a
    temporary file, or "while_writing", in parts from bounded memory with no disk. tmp_dir: where output waits for its
    commit. readahead: ranges fetched in parallel ahead of the reader, 0 for one plain stream.
    progress: called with (bytes done, bytes in all), or a luigi.Task, which then shows it on the scheduler's page.
    version_id: which version to read. Further arguments are for what is written: part_size (bytes), and boto3's
    ExtraArgs (ServerSideEncryption, ACL, Metadata, ContentType, ...); one that cannot be right is a ConfigError. An
    SSECustomerKey among them reads, too.
    """

    flag = ""
    """The object in a directory that makes it complete; "": any."""

    _view: S3Client | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("fs", ...) is None:
            del cls.fs  # as in the classes of luigi.contrib.s3, and those made after them, which set it later

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
        progress: Any = None,
        version_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(path_text(path))
        if kwargs:
            # As with Luigi's own targets, those of boto 2 are in the way only of open("w").
            known = {name: value for name, value in kwargs.items() if name not in DEPRECATED}
            check_write_options("S3Target", known, _OPTIONS)
        if upload not in ("at_close", "while_writing"):
            raise ConfigError(f'upload is "at_close" or "while_writing", not {upload!r}')
        self.format = get_default_format() if format is None else format
        self._fs = client
        self.overwrite, self.upload, self.tmp_dir, self.readahead = overwrite, upload, tmp_dir, readahead
        progress_of(progress, self.path)  # ConfigError
        self.progress, self.version_id = progress, version_id
        self.s3_options = kwargs

    @property
    def fs(self) -> S3Client:
        """The client. Of a target that is a directory, its listdir() of globs gives directories: see RangeDaily."""
        if self._fs is None:
            self._fs = S3Client()
        if not (str(self.path).endswith("/") and _is_own(self._fs, "listing_directories")):
            return self._fs
        view = self._view
        if view is None or view.__dict__ is not self._fs.__dict__ or view._directories != self.flag:
            view = self._view = self._fs.listing_directories(self.flag)
        return view

    @fs.setter
    def fs(self, client: S3Client) -> None:
        self._fs = client

    @property
    def _decisive_path(self) -> str:
        """What is there if and only if this target is."""
        return f"{self.path}{self.flag}"

    @property
    def _is_told_by_listings(self) -> bool:
        own_way = type(self).exists is not S3Target.exists or for_reading(self.s3_options)
        return not own_way and _is_own(self.fs, "exists")

    def exists(self) -> bool:
        """Whether there is an object or a directory at the very path."""
        client, path = self.fs, self._decisive_path
        if options := for_reading(self.s3_options):
            return client.exists(path, **options)
        literally = _is_own(client, "exists_many") and is_glob(parse_path(path))
        return client.exists_many([path])[path] if literally else client.exists(path)

    @property
    def size(self) -> int:
        """Bytes of the object, asked for anew each time, as are etag and last_modified."""
        return self._key().size

    @property
    def etag(self) -> str:
        """The object's ETag, without quotes."""
        return self._key().e_tag.strip('"')

    @property
    def last_modified(self) -> datetime:
        """In UTC, with its time zone."""
        return self._key().last_modified

    def presign(self, expires: int = 3600) -> str:
        """A URL by which anyone can read the object for `expires` seconds, or as long as the keys that sign it last.

        Nothing is asked of the store. NoCredentials if the client is anonymous; ConfigError if expires is not from 1 to
        604,800, or the object takes an SSECustomerKey, which must not stand in a URL.
        """
        if for_reading(self.s3_options).keys() & {"SSECustomerKey"}:
            raise ConfigError("a URL cannot carry the SSECustomerKey without which this object cannot be read")
        place = parse_path(self.path)
        return self.fs.s3.presign(GetObject(place.bucket, place.key, version_id=self.version_id), expires)

    def _key(self) -> S3Key:
        """The object. FileNotFoundException, when it is asked for anything, if there is none."""
        told = progress_of(self.progress, self.path)
        options = ReaderOptions(self.version_id, for_reading(self.s3_options), self.readahead, progress=told)
        return S3Key(self.fs, parse_path(self.path), options)

    def _found(self) -> Any:
        """The object to read, by the client's get_key() where that is not S3Client's own: of a subclass, or a mock."""
        own = self._key()
        if _is_own(self.fs, "get_key"):
            return own
        key = self.fs.get_key(self.path)
        if not key:
            raise FileNotFoundException(f"Could not find file at {self.path}")
        is_own = type(key) is S3Key and key._client is self.fs and str(key) == str(own)
        return own if is_own else key  # own, as the options of this target are in it

    def open(self, mode: str = "r") -> Any:
        """A file object in the target's format, mode "r" or "w". FileNotFoundException if there is nothing to read."""
        if mode == "w":
            output = self._writer()
            return _marked(self.format.pipe_writer(output), output)
        if mode == "r":
            file = ReadableS3File(self._found(), for_program=_runs_program(self.format))
            return self._text(file) if type(self.format) is TextFormat else self.format.pipe_reader(file)
        raise ValueError(f"mode {mode!r} is not supported; use 'r' or 'w' (bytes need format=luigi.format.Nop)")

    def _text(self, file: ReadableS3File) -> io.TextIOWrapper:
        """What TextFormat gives, as a plain io.TextIOWrapper: of a class derived from it lines come half as fast."""
        text = io.TextIOWrapper(file, *self.format.args, **self.format.kwargs)
        text._CHUNK_SIZE = _TEXT_CHUNK  # type: ignore[attr-defined]
        return text

    def _writer(self) -> AtomicS3File | StreamedS3File:
        if _is_own(self.fs, "put_multipart"):  # that nothing can be written there is told before the work is done
            PutObject(*parse_path(self.path)).request(self.fs.s3.endpoint)
        options = dict(self.s3_options)
        if self.progress is not None:
            options["progress"] = self.progress
        if not self.overwrite:
            options["IfNoneMatch"] = "*"
            check_vacant(self.path, self.fs, options)
        if self.upload == "while_writing":
            return StreamedS3File(self.path, self.fs, **options)
        return AtomicS3File(self.path, self.fs, tmp_dir=self.tmp_dir, **options)


def _marked(text: Any, file: AtomicS3File | StreamedS3File) -> Any:
    """text, with the byte order mark that CPython's io.TextIOWrapper leaves out where it cannot seek."""
    if getattr(text, "buffer", None) is file and not file.seekable():
        encoding = codecs.lookup(text.encoding).name
        if encoding in ("utf-16", "utf-32"):
            file.write("".encode(encoding))
    return text


def _is_own(client: Any, name: str) -> bool:
    """Whether this is S3Client's method: of a subclass, or of a mock in a test, it may do something else."""
    method = getattr(client, name, None)
    return getattr(method, "__func__", None) is getattr(S3Client, name)


def _runs_program(format: Any) -> bool:
    """Whether the format hands the file to a program."""
    while isinstance(format, ChainFormat):
        format = format.args[-1]
    return isinstance(format, (GzipFormat, Bzip2Format))


class S3FlagTarget(S3Target):
    """A directory that is complete when a flag file (`_SUCCESS`) is in it, as Hadoop and Spark leave theirs.

    path must end with "/": ValueError otherwise.
    """

    def __init__(self, path: Any, format: Any = None, client: S3Client | None = None, flag: str | None = _FLAG) -> None:
        if not str(path).endswith("/"):
            raise ValueError("S3FlagTarget requires the path to be to a directory.  It must end with a slash ( / ).")
        super().__init__(path, format, client)
        self.flag = _FLAG if flag is None else flag


class S3EmrTarget(S3FlagTarget):
    """Deprecated: S3FlagTarget under the name it had for Amazon EMR."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn("S3EmrTarget is deprecated. Please use S3FlagTarget", stacklevel=2)
        super().__init__(*args, **kwargs)


class S3PathTask(ExternalTask):
    """Requires an object (or directory) at `path`."""

    path = Parameter()

    def output(self) -> S3Target:
        return S3Target(self.path)


class S3EmrTask(ExternalTask):
    """Requires the output directory of an EMR job at `path`."""

    path = Parameter()

    def output(self) -> S3EmrTarget:
        return S3EmrTarget(self.path)


class S3FlagTask(ExternalTask):
    """Requires a directory at `path` that holds the flag file; `_SUCCESS` if no other is named."""

    path = Parameter()
    flag = OptionalParameter(default=None)

    def output(self) -> S3FlagTarget:
        return S3FlagTarget(self.path, flag=self.flag)


class BulkComplete:
    """A mixin for tasks with outputs on S3, in front of luigi.Task:

        class Report(s3target.BulkComplete, luigi.Task):

    Its bulk_complete() takes about one request for 1,000 outputs that begin alike, and the Range tasks use it. A task
    that decides by itself what complete means, and a target that is not on S3, are asked one by one.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if getattr(cls.bulk_complete, "__func__", None) is Task.bulk_complete.__func__:
            raise ConfigError(f"{cls.__name__} has BulkComplete behind luigi.Task, where it does nothing; put it first")

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """Those of parameter_tuples for which the task is complete: tuples, dicts, or values of a single parameter."""
        # Luigi's Range tasks call this with a functools.partial in place of the class.
        tasks = [(given, _task(cls, given)) for given in parameter_tuples]
        outputs = {id(task): flatten(task.output()) for _, task in tasks if type(task).complete is Task.complete}
        there = _exist([target for targets in outputs.values() for target in targets])

        def is_complete(task: Any) -> bool:
            if id(task) not in outputs:
                return bool(task.complete())
            targets = outputs[id(task)]
            return bool(targets) and all(there[id(target)] for target in targets)

        return [given for given, task in tasks if is_complete(task)]


def _task(cls: Any, given: Any) -> Any:
    if isinstance(given, dict):
        return cls(**given)
    return cls(*given) if isinstance(given, list | tuple) else cls(given)


def _exist(targets: list[Any]) -> dict[int, bool]:
    """exists() of each, by its id."""
    clients: dict[int, list[S3Target]] = {}
    there: dict[int, bool] = {}
    for target in targets:
        if isinstance(target, S3Target) and target._is_told_by_listings:
            clients.setdefault(id(target.fs.s3), []).append(target)
        else:
            there[id(target)] = bool(target.exists())
    for of_one in clients.values():
        found = of_one[0].fs.exists_many({target._decisive_path for target in of_one})
        there.update((id(target), found[target._decisive_path]) for target in of_one)
    return there

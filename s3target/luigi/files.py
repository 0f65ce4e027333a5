"""The file objects of a target: AtomicS3File, which commits at close(), and ReadableS3File.

Invariant of writing: nothing is at the final key until close() has returned, and nothing ever is after an exception in
the `with` block, a dropped reference, a failed flush or a death of the process. close() twice uploads once.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from typing import TYPE_CHECKING, Any

from luigi.target import AtomicLocalFile

from .client import check_write_options

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from .client import S3Client, S3Key

_BUFFER_SIZE = 256 * 1024
"""Bytes between the caller and the file or the store: lines are cut out of it at C speed."""


class AtomicS3File(AtomicLocalFile):
    """Writes to a temporary file, and puts it to S3 when closed.

    tmp_dir: where the temporary file goes; the system's place for such if None. Other options are those of
    S3Client.put_multipart(); one that cannot be right is a ConfigError at once.
    """

    def __init__(self, path: str, s3_client: S3Client, *, tmp_dir: str | None = None, **kwargs: Any) -> None:
        check_write_options("AtomicS3File", kwargs)
        self.path = path
        self.s3_client = s3_client
        self.s3_options = kwargs
        self._tmp_dir = tmp_dir
        self._temporary = _TemporaryFile(self.generate_tmp_path(path))
        # Not Luigi's own constructor, which would open a plain file.
        io.BufferedWriter.__init__(self, self._temporary, _BUFFER_SIZE)

    @property
    def tmp_path(self) -> str:
        return str(self._temporary.name)

    def generate_tmp_path(self, path: str) -> str:
        """A new empty file that only this user may read, under a name nobody can guess."""
        handle, tmp_path = tempfile.mkstemp(prefix="s3target-", dir=self._tmp_dir)
        os.close(handle)
        return tmp_path

    def move_to_final_destination(self) -> None:
        self.s3_client.put_multipart(self.tmp_path, self.path, **self.s3_options)

    def close(self) -> None:
        """Commit. What goes wrong is raised, and nothing is committed then."""
        if self.closed:
            self._temporary.check()
            return
        try:
            io.BufferedWriter.close(self)
            self.move_to_final_destination()
        finally:
            self.abort()

    def abort(self) -> None:
        """Commit nothing; the temporary file goes."""
        # The file behind this one: what is still buffered has nowhere to go.
        self._temporary.discard()
        self._temporary.failure = None

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        if exc_type is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if "_temporary" in self.__dict__:
            self.abort()


class _TemporaryFile(io.FileIO):
    """A file that goes as soon as a write to it fails. What wraps it then sees a closed file and tries no more.

    failure: errno and message of that write.
    """

    def __init__(self, path: str) -> None:
        self._owner = os.getpid()
        self.failure: tuple[int | None, str] | None = None
        try:
            super().__init__(path, "w")
        except OSError:
            os.remove(path)
            raise

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error.errno, str(error.strerror)
            self.discard()
            raise

    def check(self) -> None:
        """OSError if a write failed: whoever swallowed that must not take the output for committed."""
        if self.failure is not None:
            number, message = self.failure
            raise OSError(number, f"{message}; a write to the temporary file failed, so nothing is committed")

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self.close()
        # A forked child holds copies of its parent's files; they are not its own to remove.
        if self._owner == os.getpid():
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.name)


class ReadableS3File(io.BufferedReader):
    """Reads an object as one stream, which goes on where it stopped if the connection breaks.

    s3_key: what S3Client.get_key() gives.
    """

    def __init__(self, s3_key: S3Key) -> None:
        self.s3_key = s3_key
        super().__init__(s3_key.get()["Body"], _BUFFER_SIZE)

    def seekable(self) -> bool:
        """False: Luigi's formats take a file for what it is, and this one is a stream."""
        return False

"""The file objects of a target: AtomicS3File and StreamedS3File, which commit at close(), and ReadableS3File.

Invariant of writing: nothing is at the final key until close() has returned, and nothing ever is after an exception in
the `with` block, a dropped reference, a failed flush or a death of the process. close() twice uploads once.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from luigi.target import AtomicLocalFile, FileAlreadyExists

from ..errors import AccessDenied, PreconditionFailed, S3Error
from ..filesystem import parse_path
from ..transfer.ahead import HashAhead
from ..transfer.once import insist
from ..transfer.plan import DEFAULT_PART, TransferOptions
from ..transfer.writer import KEPT_FROM, Writer, WriterOptions
from .options import check_write_options, for_reading
from .pipes import Pipe, drain, fill
from .screens import progress_of
from .snapshot import writing

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from .client import S3Client
    from .key import S3Key

_LARGE = 64 << 20
"""Bytes of a file whose removal is not waited for."""
_BUFFER_SIZE = 256 * 1024
"""Bytes between the caller and the file or the store: lines are cut out of it at C speed."""


def check_vacant(path: str, client: S3Client, extra_args: dict[str, Any]) -> None:
    """Before hours of work: FileAlreadyExists if there is an object at path, ConfigError if the store would overwrite
    it. Only the commit can tell for certain."""
    place = parse_path(path)
    insist(client.s3, place.bucket, place.key, extra_args)
    # Who may write need not be allowed to read: without ListBucket, AWS says 403 of what is not there.
    with contextlib.suppress(AccessDenied):
        if client.get_key(path, **for_reading(extra_args)) is not None:
            raise FileAlreadyExists(f"{path} is there already")


@contextlib.contextmanager
def _first_come(path: str) -> Iterator[None]:
    """The store's refusal to overwrite, in Luigi's words."""
    try:
        yield
    except PreconditionFailed as error:
        raise FileAlreadyExists(f"{path} is there already; nothing was written") from error


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
        place = parse_path(path)
        options = TransferOptions(kwargs.get("part_size", DEFAULT_PART), extra_args=kwargs)
        ahead = HashAhead(s3_client.s3, place.bucket, place.key, options)
        self._temporary = _TemporaryFile(self.generate_tmp_path(path), ahead)
        # Not Luigi's own constructor, which would open a plain file.
        io.BufferedWriter.__init__(self, self._temporary, _BUFFER_SIZE)

    @property
    def tmp_path(self) -> str:
        """Where the content waits for its commit."""
        return str(self._temporary.name)

    def generate_tmp_path(self, path: str) -> str:
        """A new empty file that only this user may read, under a name nobody can guess."""
        handle, tmp_path = tempfile.mkstemp(prefix="s3target-", dir=self._tmp_dir)
        os.close(handle)
        return tmp_path

    def move_to_final_destination(self) -> None:
        """The commit: upload what was written."""
        with _first_come(self.path):
            hashed = self._temporary.ahead.parts()
            known: dict[str, Any] = {"hashed": hashed} if hashed else {}
            self.s3_client.put_multipart(self.tmp_path, self.path, **known, **self.s3_options)

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
        if "_temporary" in self.__dict__ and not self._temporary.closed:
            self.abort()


class _TemporaryFile(io.FileIO):
    """A file that goes as soon as a write to it fails. What wraps it then sees a closed file and tries no more.

    failure: errno and message of that write. ahead: hashes its parts meanwhile.
    """

    def __init__(self, path: str, ahead: HashAhead) -> None:
        self._owner = os.getpid()
        self.ahead = ahead
        self._length = 0
        self.failure: tuple[int | None, str] | None = None
        try:
            super().__init__(path, "w")
        except OSError:
            os.remove(path)
            raise
        # At the end of the interpreter, while there still are modules to do it with.
        weakref.finalize(self, _discard, weakref.ref(self))

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            count = super().write(data)
        except OSError as error:
            self.failure = error.errno, str(error.strerror)
            self.discard()
            raise
        self._length += count
        self.ahead.reached(self._length, self.name)
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self.ahead.forget()
        return super().seek(offset, whence)

    def truncate(self, size: int | None = None, /) -> int:
        self.ahead.forget()
        return super().truncate(size)

    def check(self) -> None:
        """OSError if a write failed: whoever swallowed that must not take the output for committed."""
        if self.failure is not None:
            number, message = self.failure
            raise OSError(number, f"{message}; a write to the temporary file failed, so nothing is committed")

    def discard(self) -> None:
        self.ahead.forget()
        with contextlib.suppress(OSError):
            self.close()
        # A forked child holds copies of its parent's files; they are not its own to remove.
        if self._owner == os.getpid():
            with contextlib.suppress(FileNotFoundError):
                _remove(str(self.name))


def _discard(file: weakref.ref[_TemporaryFile]) -> None:
    temporary = file()
    if temporary is not None:
        temporary.discard()


def _remove(path: str) -> None:
    """Remove a file. Its name goes at once; the space of a large one, which takes a while, behind the caller's back."""
    held = None
    if os.name == "posix" and os.path.getsize(path) >= _LARGE:
        with contextlib.suppress(OSError):
            held = os.open(path, os.O_RDONLY)
    try:
        os.remove(path)
    finally:
        if held is not None:
            _close_elsewhere(held)


def _close_elsewhere(descriptor: int) -> None:
    try:
        threading.Thread(target=os.close, args=(descriptor,), daemon=True).start()
    except RuntimeError:  # no more threads, or the interpreter ends
        os.close(descriptor)


class _PipedWriter(Writer):
    """A Writer that, once a program was given a pipe, has what is written go through it too: nothing overtakes."""

    pipe: Pipe | None = None
    given: tuple[int, object] | None = None
    """By which thread StreamedS3File was given something, and whose memory it is, while the buffer has it."""

    def write(self, piece: ReadableBuffer, /) -> int:
        if self.pipe is None:
            return super().write(self._as_given(piece))
        self._check_usable()
        return os.write(self.pipe.descriptor, piece)

    def _as_given(self, piece: ReadableBuffer) -> ReadableBuffer:
        """The very `bytes`, if piece is what the buffer makes of all of those: a view of memory, without a name."""
        thread, given = self.given or (0, b"")
        if type(given) is bytes and len(given) == memoryview(piece).nbytes and thread == threading.get_ident():
            return given
        return piece

    def tell(self) -> int:
        if self.pipe is not None:
            raise io.UnsupportedOperation(f"how much a program has written to {self.name} is not known")
        return super().tell()

    def fileno(self) -> int:
        if self.pipe is None:
            self.pipe = Pipe(False, partial(drain, super().write))
        return self.pipe.descriptor

    def end_pipe(self) -> None:
        """Wait for what comes through it. Raises what went wrong behind it."""
        pipe, self.pipe = self.pipe, None
        if pipe is not None:
            pipe.finish()

    def _end(self, error: BaseException) -> None:
        pipe, self.pipe = self.pipe, None
        if pipe is not None:
            with contextlib.suppress(Exception):
                pipe.stop()
        super()._end(error)


class StreamedS3File(io.RawIOBase):
    """Sends what is written as it is written, in parts from bounded memory; nothing goes to the disk.

    Options are those of S3Client.put_multipart(); one that cannot be right is a ConfigError at once. It is buffered,
    and no io.BufferedWriter all the same: numpy asks one that has a descriptor for a position, which a pipe has not.
    """

    # io.TextIOWrapper asks at each line; see ReadableS3File.
    __slots__ = ("closed",)
    closed: bool

    def __init__(self, path: str, s3_client: S3Client, **kwargs: Any) -> None:
        self.closed = True  # until there is something to close
        check_write_options("StreamedS3File", kwargs)
        place = parse_path(path)
        told = progress_of(kwargs.get("progress"), path)
        options = WriterOptions(kwargs.get("part_size", DEFAULT_PART), extra_args=kwargs, progress=told)
        self.path = self.name = path
        self._committing = partial(writing, s3_client.s3, place)
        self._writer = _PipedWriter(s3_client.s3, place.bucket, place.key, options)
        self._buffer = io.BufferedWriter(self._writer, KEPT_FROM - 1)
        self._gather = self._buffer.write
        # As they are: Python in between would cost more than what they do.
        self.flush = self._buffer.flush  # type: ignore[method-assign]
        self.tell = self._buffer.tell  # type: ignore[method-assign]
        self.closed = False

    def writable(self) -> bool:
        return True

    def write(self, piece: ReadableBuffer, /) -> int:
        """Take all of piece; its length in bytes. Large `bytes` are not copied."""
        if type(piece) is bytes and len(piece) < KEPT_FROM:
            return self._gather(piece)
        # Through the buffer all the same: its lock keeps threads, and signal handlers, from writing into one another.
        try:
            self._writer.given = threading.get_ident(), memoryview(piece).obj
            return self._gather(piece)
        finally:
            self._writer.given = None

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        raise io.UnsupportedOperation(f'{self.path} goes up as it is written; to seek in it, use upload="at_close"')

    def fileno(self) -> int:
        """A descriptor for a program to write to, behind what was written so far. close() waits for what comes
        through it."""
        self.flush()
        return self._writer.fileno()

    def close(self) -> None:
        """Commit. What goes wrong is raised, and nothing is committed then."""
        if self.closed:
            return
        try:
            self.flush()
            self._writer.end_pipe()
            with _first_come(self.path), self._committing():
                self._buffer.close()
            self.closed = True
        except BaseException as error:
            self._drop(error)
            raise

    def abort(self) -> None:
        """Commit nothing: wait for the parts on their way, then drop them."""
        self._drop(S3Error(f"the upload of {self.path} was aborted"))

    def _drop(self, error: BaseException) -> None:
        self.closed = True
        # The writer behind the buffer: what is still in that has nowhere to go.
        self._writer.__exit__(type(error), error, None)

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        if exc_type is None:
            self.close()
        else:
            self._drop(exc)

    def __del__(self) -> None:
        if "_writer" in self.__dict__:
            self._drop(GeneratorExit())  # as by an interrupt; see Writer


class ReadableS3File(io.BufferedReader):
    """Reads an object as one stream, which goes on where it stopped if the connection breaks.

    s3_key: what S3Client.get_key() gives. for_program: fileno() gives a pipe. Else there is no descriptor: who asks for
    one without using it, as io.TextIOWrapper of Python 3.10 does, must not set a pipe going that takes the bytes.
    """

    # io.TextIOWrapper asks before each line, and io's own is slow to answer, as is what stands in a dictionary.
    __slots__ = ("closed",)
    closed: bool

    def __init__(self, s3_key: S3Key, *, for_program: bool = False) -> None:
        self.closed = True  # until there is something to close
        self.s3_key = s3_key
        self._for_program = for_program
        self._pipe: Pipe | None = None
        super().__init__(s3_key.get()["Body"], _BUFFER_SIZE)
        self.closed = False

    def fileno(self) -> int:
        """A descriptor for a program to read from, instead of read(). close() raises what went wrong behind it."""
        if not self._for_program:
            raise io.UnsupportedOperation("an object has no file descriptor")
        if self._pipe is None:
            self._pipe = Pipe(True, partial(fill, self.readinto1))
        return self._pipe.descriptor

    def close(self) -> None:
        pipe, self._pipe = self._pipe, None
        try:
            if pipe is not None:
                pipe.stop()
        finally:
            try:
                super().close()
            finally:
                self.closed = True

    def seekable(self) -> bool:
        """False: Luigi's formats take a file for what it is, and this one is a stream."""
        return False

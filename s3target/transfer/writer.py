"""An object as a raw binary file opened for writing: bounded memory, no disk, all or nothing.

Invariant: the object appears whole, at close(), or not at all; whatever was begun is aborted on every other way out: an
exception in the `with` block, abort(), a failed write, a dropped reference, the end of the interpreter. Only a process
that is killed leaves parts behind. What is shorter than one part is one PutObject. One thread at a time.

Parts and memory: without knowing how long the object will be, 10,000 parts of 8 MiB end at 78 GiB. So parts 1 to 1,000
have part_size, and from there on they grow by 8 MiB every 60 parts. In memory are at most (threads + 1) parts, and
KEPT_TO more at either end of each, where pieces are cut:

    written so far        7.8 GiB    78 GiB    500 GiB    1 TiB    5 TiB
    size of the part        8 MiB   136 MiB    368 MiB  528 MiB  1.2 GiB
    memory, 4 threads      40 MiB   680 MiB    1.8 GiB  2.6 GiB  5.8 GiB

equal_parts is for stores that want all parts alike (Cloudflare R2): part_size x 10,000 is then the end.
"""

from __future__ import annotations

import io
import os
import weakref
from collections import deque
from contextlib import ExitStack, suppress
from functools import partial
from types import TracebackType

from ..client import Client
from ..errors import ConfigError
from ..logs import getLogger
from ..protocol.messages import BytesBody
from ..protocol.operations.multipart import Part, UploadPart
from ..protocol.operations.objects import PutObject, WrittenObject
from ..protocol.options import ExtraArgs, headers_for
from ..value import TYPE_CHECKING, dataclass, field, replace
from .marks import mark
from .multipart import MultipartUpload, declared_checksum
from .once import insist
from .plan import DEFAULT_PART, MAX_PART, MAX_PARTS, MIN_PART, Progress
from .workers import Meter, Stopped, Ticket, Workers

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_log = getLogger("s3target.transfer")
_STEADY_PARTS = 1000
_PARTS_PER_STEP = 60
KEPT_FROM, KEPT_TO = 64 << 10, 1 << 20
"""Bytes of what is sent as it was given: below, there would be many to send; above, a part's end may hold much more."""
_CHECKSUM_SETTINGS = ("ChecksumAlgorithm", "ChecksumType")


@dataclass(frozen=True)
class WriterOptions:
    """How to write. ConfigError if a number cannot be right.

    part_size: bytes, of the first parts. threads: how many parts go up at once. extra_args: by boto3's names, checked
    by the caller (protocol.options.check). progress hears of each part once it is up, from the thread that sent it.
    """

    part_size: int = DEFAULT_PART
    threads: int = 4
    extra_args: ExtraArgs = field(default_factory=dict, repr=False)
    progress: Progress | None = None
    equal_parts: bool = False

    def __post_init__(self) -> None:
        if not MIN_PART <= self.part_size <= MAX_PART:
            raise ConfigError(
                f"part_size={self.part_size!r}: S3 takes parts from 5 MiB ({MIN_PART}) to 5 GiB ({MAX_PART}) only"
            )
        if self.threads < 1:
            raise ConfigError(f"threads must be 1 or more, not {self.threads!r}")
        for name in self.extra_args:
            if name == "ContentMD5" or (name.startswith("Checksum") and name not in _CHECKSUM_SETTINGS):
                raise ConfigError(f"{name} cannot be known of an object that is still to be written; leave it out")


def part_size_at(number: int, options: WriterOptions) -> int:
    """The size in bytes of part `number` (from 1). ConfigError past the last one."""
    if number > MAX_PARTS:
        remedy = f"give a part_size above {options.part_size}" if options.equal_parts else "write it to several objects"
        raise ConfigError(f"the object is longer than {MAX_PARTS} parts can hold; {remedy}")
    if options.equal_parts:
        return options.part_size
    steps = max(0, number - _STEADY_PARTS) // _PARTS_PER_STEP
    return min(options.part_size + steps * DEFAULT_PART, MAX_PART)


class PartBuffer:
    """The content of one part after another: pieces that are kept as they were given, copies of all else.

    Memory for copies grows while it is filled first, so that a short object takes little.
    """

    __slots__ = ("_copied", "_own", "_pieces", "length", "size")

    def __init__(self, size: int) -> None:
        self._own = bytearray()
        self._begin(size)

    def _begin(self, size: int) -> None:
        self._pieces: list[memoryview | slice] = []
        self._copied = self.length = 0
        self.size = size

    def add(self, piece: memoryview, keep: bool) -> int:
        """Take what there is room for; how many bytes that was. keep: do not copy it, it never changes."""
        piece = piece[: self.size - self.length]
        if keep:
            self._pieces.append(piece)
        else:
            self._copy(piece)
        self.length += len(piece)
        return len(piece)

    def _copy(self, piece: memoryview) -> None:
        start, self._copied = self._copied, self._copied + len(piece)
        if start == len(self._own):
            self._own += piece
        else:
            memoryview(self._own)[start : self._copied] = piece
        if self._pieces and isinstance(last := self._pieces[-1], slice):
            start = last.start
            self._pieces.pop()
        self._pieces.append(slice(start, self._copied))

    def body(self) -> BytesBody:
        own = memoryview(self._own)
        return BytesBody(*(own[piece] if isinstance(piece, slice) else piece for piece in self._pieces))

    def reuse(self, size: int) -> None:
        """For another part."""
        if size != len(self._own):  # to grow it, nobody may look at what it held before
            self._own = bytearray()
        self._begin(size)


class _Parts:
    """The parts of an upload on their way. Knows nothing of the Writer, so as not to outlive it."""

    def __init__(self, client: Client, bucket: str, key: str, options: WriterOptions, meter: Meter) -> None:
        extra_args = options.extra_args
        headers = {**headers_for("CreateMultipartUpload", extra_args), **declared_checksum(client, extra_args)}
        self._options = options
        self._headers = headers_for("UploadPart", extra_args)
        self._meter = meter
        self._process = os.getpid()
        self._idle: deque[PartBuffer] = deque()
        self._tickets: list[Ticket[Part]] = []
        self._exit = ExitStack()
        self._upload = MultipartUpload(client, bucket, key, extra_args, headers)
        self._workers = Workers(options.threads)

    def begin(self) -> None:
        self._exit.enter_context(self._upload)
        self._exit.enter_context(self._workers)

    def next_buffer(self) -> PartBuffer:
        """To fill for the next part. ConfigError if there cannot be one more."""
        size = part_size_at(len(self._tickets) + 1, self._options)
        buffer = self._idle.popleft() if self._idle else PartBuffer(size)
        buffer.reuse(size)
        return buffer

    def send(self, buffer: PartBuffer) -> None:
        """Have it go up as the next part. Waits while all threads have one; raises the error of any earlier part."""
        upload, number = self._upload, len(self._tickets) + 1
        operation = UploadPart(upload.bucket, upload.key, upload.upload_id, number, buffer.body(), self._headers)
        job = partial(_send, upload, operation, buffer, self._idle, self._meter)
        self._tickets.append(self._workers.submit(job))

    def complete(self) -> WrittenObject:
        written = self._upload.complete([ticket.result() for ticket in self._tickets])
        self._exit.close()
        return written

    def abort(self, error: BaseException) -> None:
        """Wait for the parts on their way (after an interrupt not for long), then abort. Nothing if it is over."""
        if os.getpid() == self._process:
            self._exit.__exit__(type(error), error, None)


def _send(
    upload: MultipartUpload, operation: UploadPart, buffer: PartBuffer, idle: deque[PartBuffer], meter: Meter
) -> Part:
    part = upload.part(operation)
    idle.append(buffer)
    meter.add(part.size)
    return part


class Writer(io.RawIOBase):
    """The object as a file opened for writing; close() makes it appear. written: what the store answered to that.

    It collects parts by itself, so small writes need no buffer around it. io.TextIOWrapper and io.BufferedWriter may be
    put around it; dropping them without close() aborts (on CPython). But a wrapper's own `with` block closes, that is
    commits, also when it is left by an exception: use the Writer's, and close the wrapper as the last thing in it.
    In a forked child it can neither commit nor abort what its parent has begun.
    """

    def __init__(self, client: Client, bucket: str, key: str, options: WriterOptions | None = None) -> None:
        super().__init__()
        self._client, self._bucket, self._key = client, bucket, key
        options = options or WriterOptions()
        self._options = replace(options, equal_parts=True) if client.store.equal_parts else options
        self._process = os.getpid()
        self._meter = Meter(self._options.progress)
        self._buffer: PartBuffer | None = PartBuffer(self._options.part_size)
        self._parts: _Parts | None = None
        self._last_resort: weakref.finalize[..., Writer] | None = None
        self._failure: BaseException | None = None
        self._abandoned = False
        self._count = 0
        self.written: WrittenObject | None = None

    @property
    def name(self) -> str:
        return f"s3://{self._bucket}/{self._key}"

    def write(self, piece: ReadableBuffer, /) -> int:
        """Take all of piece; its length in bytes. Raises S3Error, also of a part before; nothing is stored then."""
        if self.closed:
            raise ValueError("this writer is closed")
        view = memoryview(piece).cast("B")
        length = len(view)
        keep = type(piece) is bytes and KEPT_FROM <= length <= KEPT_TO
        if self._abandoned:
            return length
        self._check_usable()
        try:
            while view:
                view = view[self._collect(view, keep) :]
            self._count += length
            return length
        except BaseException as error:
            self._failure = error
            self._discard(error)
            raise

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        """How many bytes were written."""
        return self._count

    def close(self) -> None:
        """Store the object. The error of a write that failed is raised again, and nothing is stored then."""
        if not self.closed:
            try:
                if not self._abandoned:
                    self._commit()
            finally:
                super().close()

    def abort(self) -> None:
        """Store nothing: wait for the parts on their way, then drop them. Does nothing once closed."""
        self._end(Stopped(f"the upload of {self.name} was aborted"))

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self._end(error)

    def __del__(self) -> None:
        if not self.closed:
            with suppress(Exception):
                self._forsake()
                super().close()

    def _dealloc_warn(self, source: object) -> None:
        # CPython's wrappers say by this that they are being dropped, just before they flush and close what they wrap.
        with suppress(Exception):
            self._forsake()

    def _forsake(self) -> None:
        self._abandoned = True
        if os.getpid() == self._process:
            _log.warning("%s was dropped without close(): nothing is stored", self.name)
        # As by an interrupt: the collector may run this where the parts' threads wait for the one that it runs in.
        self._discard(GeneratorExit(f"the writer of {self.name} was dropped"))

    def _end(self, error: BaseException) -> None:
        if not self.closed:
            try:
                self._discard(error)
            finally:
                self._failure = None
                super().close()

    def _check_usable(self) -> None:
        if os.getpid() != self._process:
            raise ConfigError(f"{self.name} is being written by another process; a forked child opens its own")
        if self._failure is not None:
            raise self._failure

    def _collect(self, view: memoryview, keep: bool) -> int:
        """Take as much of view as the part has room for; how many bytes that was."""
        if self._buffer is None:
            assert self._parts is not None
            self._buffer = self._parts.next_buffer()
        count = self._buffer.add(view, keep)
        if self._buffer.length == self._buffer.size:
            self._send()
        return count

    def _send(self) -> None:
        assert self._buffer is not None
        if self._parts is None:
            insist(self._client, self._bucket, self._key, self._options.extra_args, "CompleteMultipartUpload")
            self._parts = _Parts(self._client, self._bucket, self._key, self._options, self._meter)
            # Also when the interpreter ends: once it clears the modules, threads cannot be waited for any more.
            error = Stopped(f"the upload of {self.name} was not closed")
            self._last_resort = weakref.finalize(self, self._parts.abort, error)
            self._parts.begin()
        self._parts.send(self._buffer)
        self._buffer = None

    def _commit(self) -> None:
        try:
            self._check_usable()
            self._meter.total = self._count
            self.written = self._put() if self._parts is None else self._complete()
        except BaseException as error:
            self._discard(error)
            raise
        finally:
            self._failure = self._buffer = None

    def _put(self) -> WrittenObject:
        assert self._buffer is not None
        insist(self._client, self._bucket, self._key, self._options.extra_args)
        headers = {**headers_for("PutObject", self._options.extra_args), **mark(self._options.extra_args)}
        written = self._client.call(PutObject(self._bucket, self._key, self._buffer.body(), headers))
        self._meter.add(self._count)
        return written

    def _complete(self) -> WrittenObject:
        assert self._parts is not None
        if self._buffer is not None:
            self._send()
        written = self._parts.complete()
        self._forget_parts()
        return written

    def _discard(self, error: BaseException) -> None:
        self._buffer = None
        if self._parts is not None:
            try:
                self._parts.abort(error)
            finally:
                self._forget_parts()

    def _forget_parts(self) -> None:
        self._parts = None
        if self._last_resort is not None:
            self._last_resort.detach()  # it would keep a failed part's error, and by its traceback this object

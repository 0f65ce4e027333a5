"""A descriptor for what has none: Luigi's Gzip and Bzip2 formats run a program and hand it a descriptor to use.

A thread moves bytes between a pipe and a stream of the store, so nothing lies on the disk in between. What goes wrong
in the thread is raised by finish(): the program at the other end of the pipe cannot be told.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable

PIECE = 256 * 1024
_PATIENCE = 5.0
"""Seconds to wait for the thread when what it moves is of no use any more."""
_SET_PIPE_SIZE = 1031
"""fcntl's F_SETPIPE_SZ, which Python names from 3.10 on, and only Linux has."""


class Pipe:
    """One end for the program, the other for the thread. pump(descriptor, stopped) moves the bytes."""

    def __init__(self, program_reads: bool, pump: Callable[[int, Callable[[], bool]], None]) -> None:
        read_end, write_end = os.pipe()
        _widen(write_end)
        self.descriptor = read_end if program_reads else write_end
        self._own = write_end if program_reads else read_end
        self._pump = pump
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="s3target-pipe", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._pump(self._own, self._stopped.is_set)
        except BaseException as error:
            self._error = error
        finally:
            os.close(self._own)

    def finish(self) -> None:
        """Wait until all has been moved; raises what went wrong."""
        self._close()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """What is still to be moved is of no use. Raises what went wrong before."""
        self._stopped.set()
        self._close()
        if not sys.is_finalizing():  # else no other thread runs any more
            self._thread.join(_PATIENCE)
        if self._error is not None:
            raise self._error

    def _close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _widen(descriptor: int) -> None:
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(descriptor, _SET_PIPE_SIZE, PIECE)


def fill(read: Callable[[memoryview], int | None], descriptor: int, stopped: Callable[[], bool]) -> None:
    """From a stream into the pipe, until its end or until nobody reads from the pipe any more."""
    buffer = memoryview(bytearray(PIECE))
    while not stopped() and (count := read(buffer)):
        piece = buffer[:count]
        while piece:
            try:
                piece = piece[os.write(descriptor, piece) :]
            except BrokenPipeError:
                return


def drain(write: Callable[[bytes], object], descriptor: int, stopped: Callable[[], bool]) -> None:
    """From the pipe into a stream. After an error of the stream the rest is dropped: the program shall not hang."""
    error: BaseException | None = None
    while piece := os.read(descriptor, PIECE):
        if error is None and not stopped():
            try:
                write(piece)
            except BaseException as caught:
                error = caught
    if error is not None:
        raise error

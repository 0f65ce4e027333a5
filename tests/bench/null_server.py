"""Programs in C for the length of a block: the null server, and what keeps processors awake. Compiled on the spot."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .store import Store

_HERE = Path(__file__).parent
WAN_FIRST_BYTE_MS = 30
WAN_BYTES_PER_SECOND = 80_000_000


@contextlib.contextmanager
def null_server(first_byte_ms: float = 0, bytes_per_second: int = 0) -> Iterator[Store]:
    """A null server for the length of the block.

    first_byte_ms: the wait before each answer. bytes_per_second: of each connection; 0 is unbounded.
    RuntimeError if there is no C compiler, or it is not Linux.
    """
    with _running("nullserver", str(first_byte_ms), str(bytes_per_second)) as port:
        yield Store(f"http://127.0.0.1:{port}", "AKIDNULLSERVER000000", "secret", checks=False)


@contextlib.contextmanager
def processors_awake() -> Iterator[None]:
    """No processor sleeps for the length of the block; awake.c says why. RuntimeError as for null_server()."""
    with _running("awake"):
        yield


@contextlib.contextmanager
def _running(name: str, *arguments: str) -> Iterator[str]:
    """The first line that the program says, once it has."""
    with tempfile.TemporaryDirectory(prefix="s3target-bench-") as folder:
        argv = [str(_compiled(_HERE / f"{name}.c", Path(folder))), *arguments]
        # It ends when its standard input does: with the block, or with this process, whatever ends it.
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            if not line:
                raise RuntimeError(f"{name} did not start; what it said is above")
            yield line
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=10)


def _compiled(source: Path, folder: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError(f"{source.name} needs a C compiler: apt install gcc libc6-dev, or use --profile seaweedfs")
    program = folder / source.stem
    argv = [compiler, "-O2", "-pthread", "-o", str(program), str(source)]
    built = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    if built.returncode:
        raise RuntimeError(f"{compiler} cannot build {source.name} (it is for Linux):\n{built.stderr}")
    return program

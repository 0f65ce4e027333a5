"""The shape of the package: who may import whom, what is loaded when, how big things get.

The floors are those of the README's architecture section; each rule here is one sentence of it.
"""

from __future__ import annotations

import ast
import io
import os
import shutil
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "s3target"
FLOORS = {
    "errors": 0,
    "logs": 0,
    "stores": 0,
    "value": 0,
    "protocol": 0,
    "retry": 1,
    "statistics": 1,
    "transport": 1,
    "client": 2,
    "credentials": 3,
    "transfer": 3,
    "composition": 4,
    "filesystem": 4,
    "globs": 4,
    "settings": 4,
    "cli": 5,
    "luigi": 5,
    "__init__": 6,
    "__main__": 6,
}
STRANGERS = {1, 3, 5}  # floors whose units do not know each other
SLOW_TO_LOAD = {"concurrent.futures", "configparser", "email", "http.client", "luigi", "ssl", "urllib.request", "xml"}


class Import(NamedTuple):
    """One imported module of one file. unit: the part of our package it is in, None for other modules."""

    path: str
    line: int
    here: str
    unit: str | None
    module: str
    lazy: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.here} imports {self.unit or self.module}"


FILES = sorted(PACKAGE.rglob("*.py"))


def unit_of(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


def imports_of(path: Path, text: str) -> Iterator[Import]:
    """Every import of a file, those within functions too (lazy)."""
    parts = path.relative_to(PACKAGE).parts
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    within = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.stmt)):
        for unit, module in _targets(node, parts[:-1]):
            yield Import(str(path.relative_to(ROOT)), node.lineno, unit_of(parts), unit, module, id(node) in within)


def _targets(node: ast.stmt, folder: tuple[str, ...]) -> Iterator[tuple[str | None, str]]:
    """(unit, module) of each module that an import statement names."""
    if isinstance(node, ast.Import):
        yield from ((None, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield None, node.module or ""
    elif isinstance(node, ast.ImportFrom):
        base = folder[: len(folder) - (node.level - 1)]
        target = (*base, *(node.module or "").split(".")) if node.module else base
        for name in [target[0]] if target else [alias.name for alias in node.names]:
            yield (name if name in FLOORS else "__init__"), ""


def breach(found: Import) -> bool:
    """Whether an import within the package goes up, or across a floor of strangers."""
    assert found.unit is not None
    if found.here == found.unit:
        return False
    if (found.here, found.unit) == ("cli", "luigi"):  # the demo is a Luigi pipeline
        return not found.lazy
    low, high = FLOORS.get(found.here, -1), FLOORS[found.unit]
    return high > low or (high == low and low in STRANGERS)


ALL_IMPORTS = [found for path in FILES for found in imports_of(path, path.read_text(encoding="utf-8"))]


def test_every_part_of_the_package_has_a_floor() -> None:
    """A new module needs a place in the table, and every place in it is taken."""
    assert {unit_of(path.relative_to(PACKAGE).parts) for path in FILES} == set(FLOORS)


def test_modules_import_only_from_floors_below() -> None:
    """Lower floors never import higher ones; credentials and transfer, for one, do not know each other."""
    assert [str(found) for found in ALL_IMPORTS if found.unit and breach(found)] == []


def test_imports_within_the_package_are_relative() -> None:
    """So that the folder works under any name."""
    assert [str(found) for found in ALL_IMPORTS if found.module.split(".")[0] == PACKAGE.name] == []


def test_only_the_standard_library_is_imported() -> None:
    """And Luigi, by its own floor; the command line may ask for it at run time."""
    allowed = sys.stdlib_module_names | {"_typeshed"}  # which only type checkers load: at run time it fails
    others = [found for found in ALL_IMPORTS if found.unit is None and found.module.split(".")[0] not in allowed]
    foreign = [found for found in others if found.module.split(".")[0] != "luigi"]
    too_low = [
        found for found in others if found.here not in ("luigi", "cli") or (found.here == "cli" and not found.lazy)
    ]
    assert [str(found) for found in foreign + too_low] == []


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("protocol/xml.py", "from ..errors import S3Error", "errors"),
        ("protocol/xml.py", "from ..client import Client", "client UP"),
        ("protocol/xml.py", "from .. import client", "client UP"),
        ("protocol/xml.py", "from .. import __version__", "__init__ UP"),
        ("protocol/xml.py", "from .encoding import quote", "protocol"),
        ("protocol/operations/identity.py", "from ...client import Client", "client UP"),
        ("protocol/operations/__init__.py", "from ..xml import parse", "protocol"),
        ("protocol/__init__.py", "from . import xml", "protocol"),
        ("retry.py", "from .transport.pool import Pool", "transport UP"),
        ("retry.py", "def f():\n    from .transport.pool import Pool", "transport UP"),
        ("transfer/copy.py", "from ..credentials import chain", "credentials UP"),
        ("composition.py", "from .filesystem import isdir", "filesystem"),
        ("cli/demo.py", "from ..luigi import target", "luigi UP"),
        ("cli/demo.py", "def f():\n    from ..luigi import target", "luigi"),
        ("luigi/target.py", "from ..cli import demo", "cli UP"),
        ("__main__.py", "from .cli import main", "cli"),
    ],
)
def test_the_reader_of_imports_sees_them_as_python_does(path: str, line: str, expected: str) -> None:
    """The rules above stand on it: the unit it finds, and whether that is a breach (UP)."""
    (found,) = imports_of(PACKAGE / path, line)
    assert f"{found.unit}{' UP' if breach(found) else ''}" == expected


# ---------------------------------------------------------------------------------------------- what is loaded when


def run_python(script: str, *options: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with folder as its first place to import from."""
    argv = [sys.executable, *options, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{script}"]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


IMPORT_EVERYTHING = """
import importlib, pkgutil
def everything(package, without=()):
    seen = []
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if info.name in without:
            continue
        module = importlib.import_module(info.name)
        seen.append(info.name)
        if info.ispkg:
            seen += everything(module)
    return seen
"""


def modules(*, luigi: bool) -> set[str]:
    """The dotted names, below the package, of all files (of those outside s3target/luigi)."""
    paths = [path.relative_to(PACKAGE).with_suffix("") for path in FILES]
    kept = [path.parts for path in paths if luigi or path.parts[0] != "luigi"]
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in kept} - {""}


def test_importing_the_package_is_light() -> None:
    """Neither Luigi nor the slow parts of the standard library; not even third-party packages need be there (-S)."""
    done = run_python("import s3target", "-S", "-X", "importtime")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "s3target" in loaded
    assert loaded & SLOW_TO_LOAD == set()


def test_without_luigi_everything_else_works() -> None:
    """Each module outside s3target/luigi can be imported where Luigi is not installed."""
    script = "sys.modules['luigi'] = None\nimport s3target\nprint(*everything(s3target, ['s3target.luigi']))"
    done = run_python(IMPORT_EVERYTHING + script)
    assert {name.partition(".")[2] for name in done.stdout.split()} == modules(luigi=False)


def test_a_copy_under_another_name_works(tmp_path: Path) -> None:
    """Vendored as acme._vendor.s3x: all modules load, a request is signed, the Luigi target is there."""
    vendor = tmp_path / "acme" / "_vendor"
    shutil.copytree(PACKAGE, vendor / "s3x", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (vendor, vendor.parent):
        (folder / "__init__.py").touch()
    script = """
sys.modules["s3target"] = None
import acme._vendor.s3x as s3x
print(*everything(s3x))
from acme._vendor.s3x import S3Target
from acme._vendor.s3x.protocol.messages import Credentials
from acme._vendor.s3x.protocol.messages import Origin, Request
from acme._vendor.s3x.protocol.sigv4 import sign
request = Request("GET", Origin("https", "s3.example.com", 443), "/bucket/key", region="us-east-1")
print(sign(request, Credentials("AK", "secret"), 0.0, {}).headers["authorization"])
print(S3Target.__module__)
"""
    names, authorization, module = run_python(IMPORT_EVERYTHING + script, folder=tmp_path).stdout.splitlines()
    assert {name.removeprefix("acme._vendor.s3x.") for name in names.split()} == modules(luigi=True)
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AK/19700101/us-east-1/s3/aws4_request,")
    assert module.startswith("acme._vendor.s3x.luigi.")


# -------------------------------------------------------------------------------------------------- how big things get

NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def function_sizes(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """(code lines, where) of each function: its lines without blanks, comments and docstring."""
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield len(held & set(_lines(node)) - set(_docstring_lines(node))), f"{path}:{node.lineno} {node.name}"


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    return range(0) if ast.get_docstring(node, clean=False) is None else _lines(node.body[0])


def test_functions_stay_small() -> None:
    """Code lines: median at most 8, nine in ten at most 25, none over 50."""
    sizes = sorted(size for path in FILES for size in function_sizes(path, path.read_text(encoding="utf-8")))
    counts = [count for count, _ in sizes]
    assert [where for where in sizes if where[0] > 50] == []
    assert statistics.median(counts) <= 8
    assert statistics.quantiles(counts, n=10)[-1] <= 25


def test_files_stay_small() -> None:
    """None over 400 lines."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_code_lines_are_counted_without_blanks_comments_and_docstring() -> None:
    """The budgets above stand on it."""
    text = 'def f():\n    """Doc\n    string."""\n\n    # why\n    return """a\nb"""\n'
    assert list(function_sizes(Path("x.py"), text)) == [(3, "x.py:1 f")]

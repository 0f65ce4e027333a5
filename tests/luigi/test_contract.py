"""The names of luigi.contrib.s3: all of them are here, with the same parameters, in the same families."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator
from inspect import Parameter
from types import FunctionType
from typing import Any

import luigi
import luigi.contrib.s3
import luigi.target
import pytest

import s3target
import s3target.luigi

THEIRS = {
    name: kind
    for name, kind in vars(luigi.contrib.s3).items()
    if inspect.isclass(kind) and kind.__module__ == "luigi.contrib.s3"
}
C_CODED = {"ReadableS3File"}
"""Its methods are those of io.BufferedReader, whose parameters have no names to call them by."""


def methods() -> Iterator[tuple[str, str]]:
    """(class, method) of each public method that luigi.contrib.s3 writes itself, and of each constructor."""
    for class_name, kind in THEIRS.items():
        for name, member in vars(kind).items():
            public = not name.startswith("_") or name in ("__init__", "_path_to_bucket_and_key")
            if public and isinstance(member, staticmethod | FunctionType):
                yield class_name, name


METHODS = list(methods())


def parameters(kind: type, name: str) -> list[Parameter]:
    function = inspect.unwrap(getattr(kind, name))
    return [p.replace(annotation=Parameter.empty) for p in inspect.signature(function).parameters.values()]


def test_all_classes_are_known() -> None:
    """What this file compares is really there."""
    assert len(THEIRS) == 12
    assert len(METHODS) > 25


@pytest.mark.parametrize("name", THEIRS)
def test_every_name_is_here(name: str) -> None:
    """In s3target and in s3target.luigi, the same object."""
    assert getattr(s3target, name) is getattr(s3target.luigi, name)
    assert name in s3target.luigi.__all__
    assert name in dir(s3target)


@pytest.mark.parametrize(("class_name", "name"), METHODS, ids=[".".join(pair) for pair in METHODS])
def test_a_method_takes_what_theirs_takes(class_name: str, name: str) -> None:
    """Same names, order, kinds and defaults; what is new can only be given by its name."""
    ours_class, theirs_class = getattr(s3target, class_name), THEIRS[class_name]
    if class_name in C_CODED and name != "__init__":
        assert callable(getattr(ours_class, name))
        return
    ours, theirs = parameters(ours_class, name), parameters(theirs_class, name)
    known = {parameter.name for parameter in theirs}
    new = [parameter for parameter in ours if parameter.name not in known]
    assert [str(parameter) for parameter in ours if parameter.name in known] == [str(p) for p in theirs]
    assert {p.kind for p in new} <= {Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD}
    assert all(p.default is not Parameter.empty for p in new if p.kind is Parameter.KEYWORD_ONLY)


@pytest.mark.parametrize("name", THEIRS)
def test_a_class_has_the_families_of_theirs(name: str) -> None:
    """Code that asks isinstance() or catches a base class of Luigi's goes on working."""
    ours = {base.__name__ for base in inspect.getmro(getattr(s3target, name))}
    assert {base.__name__ for base in inspect.getmro(THEIRS[name])} <= ours


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (s3target.S3Client, luigi.target.FileSystem),
        (s3target.S3Target, luigi.target.FileSystemTarget),
        (s3target.S3FlagTarget, s3target.S3Target),
        (s3target.S3EmrTarget, s3target.S3FlagTarget),
        (s3target.S3PathTask, luigi.ExternalTask),
        (s3target.S3EmrTask, luigi.ExternalTask),
        (s3target.S3FlagTask, luigi.ExternalTask),
        (s3target.AtomicS3File, luigi.target.AtomicLocalFile),
        (s3target.ReadableS3File, io.BufferedReader),
        (s3target.InvalidDeleteException, luigi.target.FileSystemException),
        (s3target.FileNotFoundException, luigi.target.FileSystemException),
        (s3target.DeprecatedBotoClientException, ValueError),
        (s3target.DeprecatedBotoClientException, s3target.ConfigError),
    ],
    ids=lambda kind: kind.__name__,
)
def test_a_class_is_a_kind_of(kind: type, base: type) -> None:
    """Luigi's own classes, not look-alikes."""
    assert issubclass(kind, base)


@pytest.mark.parametrize("name", ["DEFAULT_PART_SIZE", "DEFAULT_THREADS"])
def test_a_constant_is_theirs(name: str) -> None:
    """8 MiB, 100 threads."""
    assert getattr(s3target.S3Client, name) == getattr(luigi.contrib.s3.S3Client, name)


def test_is_dir_is_isdir() -> None:
    """The alias that old code uses."""
    assert s3target.S3Client.is_dir is s3target.S3Client.isdir


@pytest.mark.parametrize("name", ["S3PathTask", "S3EmrTask", "S3FlagTask"])
def test_a_task_has_the_parameters_of_theirs(name: str) -> None:
    """Names, order, types and defaults, so that the same command line and the same task id mean the same."""

    def shown(task: Any) -> list[tuple[str, str, object]]:
        return [(name, type(p).__name__, getattr(p, "_default", None)) for name, p in task.get_params()]

    def without_objects(rows: list[tuple[str, str, object]]) -> list[tuple[str, str, object]]:
        return [(name, kind, value if value is None else type(value).__name__) for name, kind, value in rows]

    ours, theirs = getattr(s3target, name), THEIRS[name]
    assert without_objects(shown(ours)) == without_objects(shown(theirs))
    arguments = {"path": "s3://bucket/dir/"}
    assert ours(**arguments).to_str_params() == theirs(**arguments).to_str_params()
    assert ours(**arguments).task_id == theirs(**arguments).task_id


@pytest.mark.parametrize("name", ["s3", "fs"])
def test_the_client_can_be_set(name: str) -> None:
    """`client.s3 = ...` and `target.fs = ...`, as tests and subclasses do."""
    holder: Any = {"s3": s3target.S3Client(), "fs": s3target.S3Target("s3://bucket/key")}[name]
    given = object()
    setattr(holder, name, given)
    assert getattr(holder, name) is given

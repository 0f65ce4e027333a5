"""BulkComplete: which tasks of a family are complete, by listing what their outputs have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from luigi.task import Task, flatten

from ..errors import ConfigError
from .target import S3Target


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
        tuples = list(parameter_tuples)
        # Luigi's Range tasks call this with a functools.partial in place of the class.
        done = complete([_task(cls, given) for given in tuples])
        return [given for given, is_done in zip(tuples, done, strict=True) if is_done]


def _task(cls: Any, given: Any) -> Any:
    if isinstance(given, dict):
        return cls(**given)
    return cls(*given) if isinstance(given, list | tuple) else cls(given)


def complete(tasks: list[Any]) -> list[bool]:
    """Task.complete() of each, in order."""
    outputs = {index: flatten(task.output()) for index, task in enumerate(tasks) if _goes_by_outputs(task)}
    there = _exist([target for targets in outputs.values() for target in targets])
    return [
        bool(outputs[index]) and all(there[id(target)] for target in outputs[index])
        if index in outputs
        else bool(task.complete())
        for index, task in enumerate(tasks)
    ]


def _goes_by_outputs(task: Any) -> bool:
    return type(task).complete is Task.complete


def _exist(targets: list[Any]) -> dict[int, bool]:
    """exists() of each, by its id."""
    clients: dict[int, list[S3Target]] = {}
    there: dict[int, bool] = {}
    for target in targets:
        if isinstance(target, S3Target) and target.is_told_by_listings:
            clients.setdefault(id(target.fs.s3), []).append(target)
        else:
            there[id(target)] = bool(target.exists())
    for of_one in clients.values():
        found = of_one[0].fs.exists_many({target.decisive_path for target in of_one})
        there.update((id(target), found[target.decisive_path]) for target in of_one)
    return there

"""Tasks: what others put on S3 and a pipeline waits for, and BulkComplete, for whole families of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from luigi.parameter import OptionalParameter, Parameter
from luigi.task import ExternalTask, Task, flatten

from ..errors import ConfigError
from .target import S3EmrTarget, S3FlagTarget, S3Target


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
        if isinstance(target, S3Target) and target.is_told_by_listings:
            clients.setdefault(id(target.fs.s3), []).append(target)
        else:
            there[id(target)] = bool(target.exists())
    for of_one in clients.values():
        found = of_one[0].fs.exists_many({target.decisive_path for target in of_one})
        there.update((id(target), found[target.decisive_path]) for target in of_one)
    return there

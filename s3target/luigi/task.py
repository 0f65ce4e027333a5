"""External tasks: what others put on S3 and a pipeline waits for."""

from __future__ import annotations

from luigi.parameter import OptionalParameter, Parameter
from luigi.task import ExternalTask

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

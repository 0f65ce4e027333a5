"""The exceptions of luigi.contrib.s3. All others are those of the package, s3target.S3Error."""

from __future__ import annotations

from luigi.target import FileSystemException

from ..errors import ConfigError


class InvalidDeleteException(FileSystemException):
    """What was to be removed must not be: the root of a bucket, or a directory without recursive=True."""


class FileNotFoundException(FileSystemException):
    """There is no such object."""


class DeprecatedBotoClientException(ConfigError):
    """An argument from the days of boto 2, or one that nothing here knows."""

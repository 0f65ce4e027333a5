"""Luigi on S3: every public name of luigi.contrib.s3, with the same meaning. The only floor that imports Luigi."""

from __future__ import annotations

from .client import S3Client
from .errors import DeprecatedBotoClientException, FileNotFoundException, InvalidDeleteException
from .files import AtomicS3File, ReadableS3File
from .key import S3Key
from .target import S3EmrTarget, S3FlagTarget, S3Target
from .task import S3EmrTask, S3FlagTask, S3PathTask

__all__ = [
    "AtomicS3File",
    "DeprecatedBotoClientException",
    "FileNotFoundException",
    "InvalidDeleteException",
    "ReadableS3File",
    "S3Client",
    "S3EmrTarget",
    "S3EmrTask",
    "S3FlagTarget",
    "S3FlagTask",
    "S3Key",
    "S3PathTask",
    "S3Target",
]

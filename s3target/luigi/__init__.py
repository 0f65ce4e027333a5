"""Luigi on S3: every public name of luigi.contrib.s3, with the same meaning. The only floor that imports Luigi.

install() puts it in that module's place: luigi.contrib.redshift, opener, hadoop and luigi.tools.deps import the module
by name and test with isinstance against its classes, which are ours then, with no boto3.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from ..errors import ConfigError
from ..filesystem import FOLDER_MARKER
from .client import InvalidDeleteException, S3Client
from .files import AtomicS3File, ReadableS3File
from .key import FileNotFoundException, S3Key
from .options import DeprecatedBotoClientException
from .target import S3EmrTarget, S3EmrTask, S3FlagTarget, S3FlagTask, S3PathTask, S3Target

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
_NAME = "luigi.contrib.s3"


def install(force: bool = False) -> None:
    """Make `import luigi.contrib.s3` give this package. Doing it twice does no harm.

    ConfigError if the real module is loaded already: others may hold its classes. force: replace it all the same; what
    was imported from it before stays what it was.
    """
    present = sys.modules.get(_NAME)
    if getattr(present, "__standin__", False):
        return
    if present is not None and not force:
        raise ConfigError(
            f"{_NAME} is loaded already, with boto3 behind it: call s3target.install() before anything imports it, "
            "or install(force=True) if nothing has kept its classes"
        )
    module = ModuleType(_NAME, __doc__)
    module.__dict__.update(
        {name: globals()[name] for name in __all__},
        __standin__=True,
        __all__=list(__all__),
        S3_DIRECTORY_MARKER_SUFFIX_0=FOLDER_MARKER,
        S3_DIRECTORY_MARKER_SUFFIX_1="/",
    )
    sys.modules[_NAME] = module
    # `import luigi.contrib.s3` finds the module, but only an attribute makes luigi.contrib.s3 an expression.
    importlib.import_module("luigi.contrib").s3 = module  # type: ignore[attr-defined]

"""install(): this package answers as luigi.contrib.s3, so that what imports that module needs no boto3.

luigi.contrib.redshift, opener, hadoop and luigi.tools.deps import luigi.contrib.s3 by name and test with isinstance
against its classes; with the stand-in in its place those classes are ours, and so is what users' code imports there.

luigi.contrib.hadoop cannot be imported from Luigi's wheels of 3.7 and 3.8, whatever is installed beside them: they lack
the file luigi/contrib/mrrunner.py that it imports. With 3.6, or with that file put back from Luigi's repository, it
works on the stand-in.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from ..errors import ConfigError
from ..filesystem import FOLDER_MARKER

_NAME = "luigi.contrib.s3"


def install(force: bool = False) -> None:
    """Make `import luigi.contrib.s3` give this package. Doing it twice does no harm.

    ConfigError if the real module is loaded already: others may hold its classes. force: replace it all the same; what
    was imported from it before stays what it was.
    """
    present = sys.modules.get(_NAME)
    if present is not None and getattr(present, "__standin__", False):
        return
    if present is not None and not force:
        raise ConfigError(
            f"{_NAME} is loaded already, with boto3 behind it: call s3target.install() before anything imports it, "
            "or install(force=True) if nothing has kept its classes"
        )
    module = _standin()
    sys.modules[_NAME] = module
    # `import luigi.contrib.s3` finds the module, but only an attribute makes luigi.contrib.s3 an expression.
    importlib.import_module("luigi.contrib").s3 = module  # type: ignore[attr-defined]


def _standin() -> ModuleType:
    own = sys.modules[__package__]
    module = ModuleType(_NAME, own.__doc__)
    module.__dict__.update({name: getattr(own, name) for name in own.__all__})
    module.__dict__.update(
        __standin__=True,
        __all__=list(own.__all__),
        S3_DIRECTORY_MARKER_SUFFIX_0=FOLDER_MARKER,
        S3_DIRECTORY_MARKER_SUFFIX_1="/",
    )
    return module

"""s3target: S3 for Luigi without boto3.

    from s3target import S3Target, S3Client      # was: from luigi.contrib.s3 import ...

Every public name is loaded when it is first used, so that importing this package costs next to nothing and works with
Luigi absent: then all but the Luigi classes is there.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .client import Client as Client
    from .composition import connect as connect
    from .errors import *  # noqa: F403
    from .filesystem import FileSystem as FileSystem
    from .luigi import *  # noqa: F403
    from .luigi import install as install
    from .luigi.screens import log_statistics as log_statistics
    from .luigi.snapshot import prefetch as prefetch
    from .luigi.target import BulkComplete as BulkComplete

__version__ = "0.1.0"

_NAMES = {
    ".client": "Client",
    ".composition": "connect",
    ".errors": """
        AccessDenied BadResponse ChecksumMismatch ConfigError ConnectFailed ConnectionDropped CredentialsError
        IntegrityError NoCredentials NoSuchBucket NoSuchKey NoSuchUpload NotFound ObjectChanged PartialFailure
        PreconditionFailed RefreshFailed S3Error ServerFault ServiceError Throttled TimedOut TransportError Truncated
    """,
    ".filesystem": "FileSystem",
    ".luigi": """
        AtomicS3File DeprecatedBotoClientException FileNotFoundException InvalidDeleteException ReadableS3File S3Client
        S3EmrTarget S3EmrTask S3FlagTarget S3FlagTask S3Key S3PathTask S3Target install
    """,
    ".luigi.screens": "log_statistics",
    ".luigi.snapshot": "prefetch",
    ".luigi.target": "BulkComplete",
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

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
    from .luigi import AtomicS3File as AtomicS3File
    from .luigi import DeprecatedBotoClientException as DeprecatedBotoClientException
    from .luigi import FileNotFoundException as FileNotFoundException
    from .luigi import InvalidDeleteException as InvalidDeleteException
    from .luigi import ReadableS3File as ReadableS3File
    from .luigi import S3Client as S3Client
    from .luigi import S3EmrTarget as S3EmrTarget
    from .luigi import S3EmrTask as S3EmrTask
    from .luigi import S3FlagTarget as S3FlagTarget
    from .luigi import S3FlagTask as S3FlagTask
    from .luigi import S3PathTask as S3PathTask
    from .luigi import S3Target as S3Target
    from .luigi.bulk import BulkComplete as BulkComplete
    from .luigi.snapshot import prefetch as prefetch
    from .luigi.standin import install as install
    from .luigi.statistics import log_statistics as log_statistics

__version__ = "0.1.0"

_HOMES = {
    "BulkComplete": ".luigi.bulk",
    "Client": ".client",
    "FileSystem": ".filesystem",
    "connect": ".composition",
    "install": ".luigi.standin",
    "log_statistics": ".luigi.statistics",
    "prefetch": ".luigi.snapshot",
    **dict.fromkeys(
        (
            *("AccessDenied", "BadResponse", "ChecksumMismatch", "ConfigError", "ConnectFailed", "ConnectionDropped"),
            *("CredentialsError", "IntegrityError", "NoCredentials", "NoSuchBucket", "NoSuchKey", "NoSuchUpload"),
            *("NotFound", "ObjectChanged", "PartialFailure", "PreconditionFailed", "RefreshFailed", "S3Error"),
            *("ServerFault", "ServiceError", "Throttled", "TimedOut", "TransportError", "Truncated"),
        ),
        ".errors",
    ),
    **dict.fromkeys(
        (
            *("AtomicS3File", "DeprecatedBotoClientException", "FileNotFoundException", "InvalidDeleteException"),
            *("ReadableS3File", "S3Client", "S3EmrTarget", "S3EmrTask", "S3FlagTarget", "S3FlagTask"),
            *("S3PathTask", "S3Target"),
        ),
        ".luigi",
    ),
}
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

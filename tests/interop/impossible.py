"""What a server cannot do whoever asks, with the reason: such checks are not made there."""

from __future__ import annotations

_FILE_SYSTEM = "it is a file system, in which this is no name"
_NO_STS = "it has no STS"

IMPOSSIBLE: dict[tuple[str, str], str] = {
    ("seaweedfs", "two slashes"): _FILE_SYSTEM,
    ("seaweedfs", "dots"): _FILE_SYSTEM,
    ("seaweedfs", "backslash"): "it stores such keys and does not list them",
    ("rclone", "two slashes"): _FILE_SYSTEM,
    ("rclone", "dots"): _FILE_SYSTEM,
    ("rclone", "mkdir"): "an empty folder is not listed",
    ("rclone", "put, list, read under a role"): _NO_STS,
    ("juicefs", "two slashes"): _FILE_SYSTEM,
    ("juicefs", "dots"): _FILE_SYSTEM,
    ("swift", "put, list, read under a role"): _NO_STS,
    ("moto", "a wrong secret is told as such"): "it checks no signatures",
}
"""By the kind of the store and the name of the check."""

"""The JSON files in which the AWS CLI keeps what a login gave it. They hold secrets: errors never quote them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..errors import BadResponse, CredentialsError
from ..protocol.encoding import parse_timestamp
from ..protocol.operations.metadata import json_object
from .ini import read_text
from .profiles import stamp_of


def read_token(path: str, advice: str) -> dict[str, Any]:
    """The content of the file. CredentialsError, ending in the advice, if it is not there or not understood."""
    if stamp_of(path) is None:
        raise CredentialsError(f"there is no {path}; {advice}")
    try:
        return dict(json_object(read_text(path)))
    except BadResponse as error:
        raise CredentialsError(f"{path}: {error}; {advice}") from None


def write_token(path: str, content: Mapping[str, Any]) -> None:
    """Replace the file at once, readable by its owner only. OSError if that cannot be done."""
    import json

    fresh = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(dict(content), file)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise


def moment(content: Mapping[str, Any], name: str) -> float:
    """A time in the file, as seconds since 1970. ValueError if it is none."""
    value = content.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing")
    return parse_timestamp(value.replace("UTC", "Z")).timestamp()

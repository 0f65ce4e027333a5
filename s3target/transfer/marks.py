"""By what a conditional write is known again: a number in the object's metadata, drawn anew for each write.

An answer may be lost after the write took effect, and the next attempt is refused because of it. That the object has
the right bytes does not settle whose it is: two writers may have written the same, an empty one for a lock.
"""

from __future__ import annotations

import os

from ..protocol.messages import Headers
from ..protocol.operations.traces import MARK
from ..protocol.options import ExtraArgs


def is_conditional(extra_args: ExtraArgs) -> bool:
    """Whether what is written must not overwrite anything, or only what was seen."""
    return str(extra_args.get("IfNoneMatch")) == "*" or bool(extra_args.get("IfMatch"))


def mark(extra_args: ExtraArgs) -> Headers:
    """The header that marks the object of a conditional write; none for any other."""
    return {MARK: os.urandom(8).hex()} if is_conditional(extra_args) else {}

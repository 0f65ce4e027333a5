"""getLogger() of logging, which is loaded when there is something to tell or somebody listens.

Loading it (with traceback, tokenize, string and textwrap behind it) would take the command line a tenth of its start,
and it tells nothing most times. While nobody has loaded logging, nobody can have asked for more than warnings.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import DEBUG as DEBUG
    from logging import getLogger as getLogger
else:
    DEBUG = 10

    class getLogger:
        """A logger of logging's, found at its first use."""

        def __init__(self, name):
            self._name = name

        def __getattr__(self, method):
            if method in ("debug", "info", "isEnabledFor") and "logging" not in sys.modules:
                return _nothing
            import logging

            found = getattr(logging.getLogger(self._name), method)
            self.__dict__[method] = found
            return found

    def _nothing(*_arguments):
        return False

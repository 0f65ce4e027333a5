"""Loggers that load logging late lose nothing that somebody would have heard."""

from __future__ import annotations

import subprocess
import sys

import pytest


def said(program: str) -> str:
    script = f"import sys\nfrom s3target.logs import getLogger\nlog = getLogger('s3target.x')\n{program}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize("quiet", ["log.debug('a %d', 1)", "log.info('a')", "assert not log.isEnabledFor(10)"])
def test_what_nobody_hears_loads_nothing(quiet: str) -> None:
    assert said(f"{quiet}\nprint('logging' in sys.modules)") == "False\n"


def test_a_warning_is_heard() -> None:
    assert said("log.warning('it is %d s off', 9)") == "it is 9 s off\n"


def test_whoever_listens_hears_all_from_then_on() -> None:
    listen = "import logging\nlogging.basicConfig(level=10, format='%(name)s %(funcName)s %(message)s')"
    program = f"log.debug('a')\n{listen}\ndef speak():\n    log.debug('b %s', 1)\n    log.info('c')\nspeak()\nspeak()"
    assert said(program).splitlines() == ["s3target.x speak b 1", "s3target.x speak c"] * 2

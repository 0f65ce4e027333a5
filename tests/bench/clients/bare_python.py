"""The floor of the cold start: the interpreter alone, and with Luigi."""

from __future__ import annotations


class BarePython:
    COLD = "pass"


class ImportLuigi:
    COLD = "import luigi"

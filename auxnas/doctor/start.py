"""Start of ``auxnas``: its command line, or the examination alone where that cannot be read."""

from __future__ import annotations

import sys
from importlib import import_module

from auxnas.doctor.text import tell


def main() -> None:
    """Runs the command; where a library of command lines is broken, that is a line of it."""
    try:
        command = import_module("auxnas.doctor.cli").main
    except (Exception, SystemExit):
        sys.exit(tell("--json" in sys.argv))
    command()

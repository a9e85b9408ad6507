"""Start of the console scripts: one line even where another module is called ``auxnas``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from os import path
from typing import Any, NoReturn


def auxnas() -> NoReturn:
    """The installation."""
    _find("auxnas")()


def nasspace() -> NoReturn:
    """The search space."""
    _find("nasspace")()


def nascompile() -> NoReturn:
    """The compiler."""
    _find("nascompile")()


def nasrun() -> NoReturn:
    """The use of artefacts."""
    _find("nasrun")()


def nassearch() -> NoReturn:
    """The search."""
    _find("nassearch")()


def _find(command: str) -> Callable[[], NoReturn]:
    """The command's function in ``auxnas.scripts``, which another ``auxnas`` does not have."""
    try:
        found: Callable[[], NoReturn] = getattr(import_module("auxnas.scripts"), command)
    except (Exception, SystemExit) as error:
        _hiding().end_start(error)
        raise
    return found


def _hiding() -> Any:
    """Our ``auxnas.hiding``, by its place: its name may not lead there."""
    place = path.join(path.dirname(path.abspath(__file__)), "auxnas", "hiding.py")
    spec = spec_from_file_location("auxnas_hiding", place)
    if spec is None or spec.loader is None:
        sys.exit(f"error: {place}: no such module, expected a whole installation")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Entry points of the console scripts: a command is imported once its interruption is one line."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

from auxnas.hiding import end_start

_format = warnings.formatwarning
INTERRUPTED, TERMINATED = 130, 143
"""Exit statuses after SIGINT and SIGTERM, as shells count: 128 and the signal's number."""


def auxnas() -> NoReturn:
    """The installation."""
    _run("auxnas", "auxnas.doctor.start")


def nasspace() -> NoReturn:
    """The search space."""
    _run("nasspace", "auxnas.nasspace.cli")


def nascompile() -> NoReturn:
    """The compiler."""
    signal.signal(signal.SIGTERM, _terminate)
    _run("nascompile", "auxnas.nascompile.cli")


def nasrun() -> NoReturn:
    """The use of artefacts."""
    signal.signal(signal.SIGTERM, _terminate)
    _run("nasrun", "auxnas.nasrun.cli")


def nassearch() -> NoReturn:
    """The search; it goes on from its journal, however it was ended."""
    _run("nassearch", "auxnas.nassearch.cli")


def _run(program: str, module: str) -> NoReturn:
    warnings.formatwarning = _warning_text
    try:
        if f"_{program.upper()}_COMPLETE" in os.environ:
            sys.exit(_imported("auxnas.completion.answer").answer(program))
        _imported(module).main()
    except KeyboardInterrupt:
        _say("error: interrupted")
        sys.exit(INTERRUPTED)
    sys.exit()


def _imported(module: str) -> Any:
    """The module of a command; a module of the user's own that hides one of its is one line."""
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:
        end_start(error)
        raise


def _warning_text(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> str:
    """One line of a warning of ours; of another's as it was, with its place in the code."""
    if category.__module__.startswith("auxnas"):
        return f"warning: {message}\n"
    return _format(message, category, *place, **line)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Ends as an exception does, so that what is half written is removed."""
    _say("error: terminated")
    sys.exit(TERMINATED)


def _say(line: str) -> None:
    """Writes on stderr, past a buffer that may be in use."""
    os.write(2, f"{line}\n".encode())

"""One writer a run: a lock that ends with the process that holds it, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import IO

from search.errors import RunLockedError

NAME = "lock"
_TRIES, _PAUSE = 5, 0.02


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Holds the lock of the run in ``folder``.

    Raises:
        RunLockedError: naming the process and the machine that hold it.
        OSError: when the folder cannot be written.
    """
    with (folder / NAME).open("a+") as file:
        if not _taken(file):
            expected = "one writer at a time: wait for it, or choose another --out"
            raise RunLockedError(str(folder), f"in use by {_holder(folder)}", expected)
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _taken(file: IO[str]) -> bool:
    """Whether the lock could be had; ``holder`` may have it for an instant."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            sleep(_PAUSE)
    return False


def _holder(folder: Path) -> str:
    """Who wrote the lock file last."""
    try:
        found = json.loads((folder / NAME).read_text())
        return f"process {found['pid']} on {found['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def holder(folder: Path) -> str | None:
    """The process that writes to the run in ``folder``; None when there is none."""
    try:
        with (folder / NAME).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(folder)
    except OSError:
        return None
    return None

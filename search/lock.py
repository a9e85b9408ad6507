"""One writer a run: a lock that ends with the process that holds it, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.errors import RunLockedError

NAME = "lock"


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Holds the lock of the run in ``folder``.

    Raises:
        RunLockedError: naming the process and the machine that hold it.
        OSError: when the folder cannot be written.
    """
    with (folder / NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(folder)
            expected = "one writer at a time: wait for it, or choose another --out"
            raise RunLockedError(str(folder), f"in use by {holder}", expected) from None
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


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

"""One writer at a time: locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import IO

from auxnas.search.errors import RunLockedError
from auxnas.search.storage import lock_file

NAME = "lock"
_TRIES, _PAUSE, _POLL = 5, 0.02, 1.0


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Holds the lock of the run in ``folder``.

    Raises:
        RunLockedError: naming the process and the machine that hold it.
        OSError: when the folder cannot be written.
    """
    with (folder / NAME).open("a+") as file:
        if not _taken(file):
            expected = "one writer at a time: wait for it, or choose another folder"
            found = f"in use by {_holder(folder / NAME)}"
            raise RunLockedError(str(folder), found, expected + _advice(folder / NAME))
        _sign(file)
        try:
            yield
        finally:
            file.truncate(0)
            lock_file.release(_marker(file.name))


@contextmanager
def exclusive_lock(target: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Exclusive lock on ``target``; blocks until acquired.

    Args:
        target: what is to be made. The lock is a file beside it, removed afterwards.
        say: is told whom we wait for.

    Raises:
        OSError: when the folder cannot be written.
    """
    path = target.with_name(f".{target.name}.lock")

    def waiting() -> None:
        say(f"waiting for {_holder(path)}, which makes {target}{_advice(path)}")

    with _locked(path, waiting) as file:
        _sign(file)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            lock_file.release(_marker(file.name))


def _locked(path: Path, waiting: Callable[[], None]) -> IO[str]:
    """The file, opened and locked; a new one when the last holder has removed it meanwhile."""
    while True:
        file = path.open("a+")
        try:
            if not _taken(file):
                waiting()
                _wait(file)
            if os.path.samefile(path, file.fileno()):
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        lock_file.release(_marker(file.name))
        file.close()


def _sign(file: IO[str]) -> None:
    """Signs a lock file with this process and machine."""
    file.truncate(0)
    json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
    file.flush()


def _taken(file: IO[str]) -> bool:
    """Whether the lock could be had; ``holder`` may have it for an instant.

    Where the file system has no ``flock``, a file beside it, made exclusively, is the lock.
    """
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            sleep(_PAUSE)
        except OSError as error:
            if error.errno not in lock_file.UNSUPPORTED:
                raise OSError(error.errno, error.strerror, file.name) from error
            return lock_file.acquire(_marker(file.name))
    return False


def _wait(file: IO[str]) -> None:
    """Blocks until the lock is acquired."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in lock_file.UNSUPPORTED:
            raise OSError(error.errno, error.strerror, file.name) from error
        while not lock_file.acquire(_marker(file.name)):
            sleep(_POLL)


def _marker(path: str | Path) -> Path:
    """The lock where there is no ``flock``."""
    return Path(f"{path}.held")


def _advice(path: Path) -> str:
    """Words on what to delete where a lock cannot be judged; "" where the system does that."""
    marker = _marker(path)
    return f", or delete {marker} where that process is gone" if marker.exists() else ""


def _holder(path: Path) -> str:
    """Process and machine that last signed the lock file."""
    try:
        found = json.loads(path.read_text())
        return f"process {found['pid']} on {found['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def holder(folder: Path) -> str | None:
    """The process that writes to the run in ``folder``; None when there is none."""
    try:
        with (folder / NAME).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(folder / NAME)
    except OSError as error:
        if error.errno in lock_file.UNSUPPORTED and lock_file.held(folder / f"{NAME}.held"):
            return _holder(folder / NAME)
    return None

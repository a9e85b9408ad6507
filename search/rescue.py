"""Journals that are damaged, missing, or where nothing can be written.

Beside ``journal.sqlite`` lies a copy of it that has all trials that ended. A run goes on
from the copy when the journal itself is damaged, to the same results as without damage,
since everything follows from seeds; and reading falls back on it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from auxnas.search.errors import JournalError

NAME = "journal.sqlite"
BACKUP = "journal.backup.sqlite"
DAMAGED = "journal.damaged.sqlite"
_SIDES = ("-wal", "-shm")


def mend(folder: Path) -> str | None:
    """Puts the backup in the place of a damaged journal; what there is to say of it.

    What is left of the damaged one is kept under another name. The run's lock must be held.

    Raises:
        JournalError: when the journal is damaged and there is no sound backup.
    """
    path, backup = folder / NAME, folder / BACKUP
    fault = _fault(path)
    if fault is None or (fault in ("missing", "empty") and not backup.exists()):
        return None
    if _fault(backup) is not None:
        raise _hopeless(path, fault)
    for side in _SIDES:
        path.with_name(NAME + side).unlink(missing_ok=True)
    if path.exists():
        os.replace(path, folder / DAMAGED)
    shutil.copyfile(backup, folder / f"{NAME}.part")
    os.replace(folder / f"{NAME}.part", path)
    return f"{path}: {fault}; going on from its backup, what that lacks is done again"


def open_readable(folder: Path) -> tuple[sqlite3.Connection, str]:
    """The run's journal, or its backup where it is damaged, opened for reading.

    Returns:
        The connection, and why it is not the journal itself; empty when it is.

    Raises:
        JournalError: when there is no run, or neither can be read.
    """
    path, backup = folder / NAME, folder / BACKUP
    fault = _fault(path)
    if fault is None:
        return _connect(path), ""
    if _fault(backup) is None:
        return _connect(backup), f"{path}: {fault}; this is from its backup"
    if fault in ("missing", "empty"):
        raise JournalError(str(folder), "no run here", "a folder that nassearch run made")
    raise _hopeless(path, fault)


def _hopeless(path: Path, fault: str) -> JournalError:
    expected = f"a journal, or a sound backup as {BACKUP}"
    return JournalError(str(path), f"unreadable ({fault})", expected)


def _fault(path: Path) -> str | None:
    """Why the database in ``path`` cannot be used; None when it can."""
    if not path.is_file():
        return "missing"
    try:
        with closing(_connect(path)) as database:
            (result,) = database.execute("PRAGMA quick_check(1)").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            (page,) = database.execute("PRAGMA page_size").fetchone()
    except sqlite3.DatabaseError as error:
        return f"damaged: {error}"
    if result != "ok":
        return f"damaged: {result.splitlines()[-1]}"
    if path.stat().st_size % page:
        return "damaged: it ends within a page"  # which SQLite reads as zeros
    return None if tables else "empty"


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that does not write; a copy in memory where not even a lock can be made."""
    try:
        return _connect_in_place(path)
    except sqlite3.OperationalError:
        with TemporaryDirectory() as folder:
            for name in (path.name, f"{path.name}-wal"):
                if path.with_name(name).exists():
                    shutil.copyfile(path.with_name(name), Path(folder) / name)
            return _in_memory(Path(folder) / path.name)


def _connect_in_place(path: Path) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    database = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _in_memory(path: Path) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with closing(sqlite3.connect(path)) as database:
            database.backup(memory)
    except BaseException:
        memory.close()
        raise
    return memory

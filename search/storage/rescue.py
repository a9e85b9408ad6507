"""Journals that are damaged, missing, or where nothing can be written.

Beside ``journal.sqlite`` lies a second database to which every transaction is written as well,
once the first has it. A run goes on from it when the journal itself is damaged, to the same
results as without damage, since everything follows from seeds; and reading falls back on it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from auxnas.compiler.files import put_aside
from auxnas.search.errors import JournalError
from auxnas.search.storage import old_journal
from auxnas.search.storage.database import (
    SIDES,
    connect_to_read,
    connect_to_replace,
    copy_database,
    fault_words,
    remove_sides,
)
from auxnas.search.storage.reading import RowError
from auxnas.search.storage.schema import VERSION
from auxnas.search.storage.sealing import Declared, journal_tables, seal_fault, seal_of, tables_of
from auxnas.search.trials.records import PENDING

NAME = "journal.sqlite"
BACKUP = "journal.backup.sqlite"
DAMAGED = "journal.damaged.sqlite"
_MOST_STEPS = 1_000_000
"""Steps of SQLite's that counting the trials of a run may take: enough for 100,000."""
_UNREADABLE = (sqlite3.Error, UnicodeError, RowError)


def restore_from_backup(folder: Path) -> str | None:
    """Replaces a damaged journal by its backup; a message where that was needed.

    What is left of the damaged one, its log too, is kept under another name. The run's lock must
    be held.

    Raises:
        JournalError: when the journal is damaged and there is no sound backup.
    """
    path, backup = folder / NAME, folder / BACKUP
    fault = _fault_beside(path, backup)
    if fault is None or (fault in ("missing", "empty") and not backup.exists()):
        lost = fault_of(backup)
        if lost in (None, "missing"):
            return None
        if not backup.is_file():
            raise JournalError(str(backup), lost, "a file, or nothing: move it away")
        remove_sides(backup)
        backup.unlink()
        return f"{backup}: {lost}; made again from the journal"
    if fault_of(backup) is not None:
        raise unreadable_journal(path, fault)
    lack = _lack(path, backup)
    kept = f", now {put_aside(path, DAMAGED, SIDES)}" if os.path.lexists(path) else ""
    try:
        with closing(connect_to_read(backup)) as database:
            copy_database(database, path)
    except sqlite3.Error as error:
        raise JournalError(str(path), f"cannot be written ({error})", "room to write") from None
    return f"{path}{kept}: {fault}; going on from its backup, {lack}, what that lacks is done again"


def open_readable(folder: Path) -> tuple[sqlite3.Connection, str]:
    """The run's journal, or its backup where it is damaged, opened for reading.

    Returns:
        The connection, and why it is not the journal itself; empty when it is.

    Raises:
        JournalError: when there is no run, or neither can be read.
    """
    path, backup = folder / NAME, folder / BACKUP
    fault = _fault_beside(path, backup)
    if fault is None:
        return open_converted(path), ""
    if fault_of(backup) is None:
        return open_converted(
            backup
        ), f"{path}: {fault}; this is from its backup, {_lack(path, backup)}"
    if fault in ("missing", "empty"):
        raise JournalError(str(folder), "no run here", "a folder that nassearch run made")
    raise unreadable_journal(path, fault)


def unreadable_journal(path: Path, fault: str) -> JournalError:
    """The error of a journal that cannot be read, nor its backup."""
    expected = f"a journal, or a sound backup as {BACKUP}"
    return JournalError(str(path), f"unreadable ({fault})", expected)


def _fault_beside(path: Path, backup: Path) -> str | None:
    """Reason not to use the journal: damaged, or behind its backup; None when it is sound.

    The journal has every transaction first, so that it lost some if the backup has more: for
    example where the end of its log is damaged, which SQLite leaves out.
    """
    kept, _ = _extent(backup) or (0, 0)
    fault = fault_of(path)
    there, _ = _extent(path) or (0, 0)
    if fault is None and kept > there and fault_of(backup) is None:
        return f"damaged: it lacks the last {kept - there} of {kept} transactions"
    return fault


def _extent(path: Path) -> tuple[int, int] | None:
    """Numbers of transactions that a database records and of its ended trials.

    None where they cannot be read, not soon (it may be an endless view), or in an older version.
    """
    if not path.is_file():
        return None
    select = "SELECT count(*) FROM trials WHERE state != ?"
    try:
        with closing(connect_to_read(path)) as database:
            database.set_progress_handler(lambda: True, _MOST_STEPS)
            (ended,) = database.execute(select, (PENDING,)).fetchone()
            return seal_of(database).transactions, ended
    except _UNREADABLE:
        return None


def _lack(path: Path, backup: Path) -> str:
    """In words, what a sound backup lacks of the journal, as far as that can be counted."""
    kept, there = _extent(backup), _extent(path)
    if kept is None or there is None:
        return f"which has {'some' if kept is None else kept[1]} ended trials and may lack some"
    lacks = (f"{max(n - k, 0)} of {n}" for n, k in zip(there, kept, strict=True))
    return "which lacks {} transactions and {} ended trials".format(*lacks)


def fault_of(path: Path) -> str | None:
    """Reason that the database in ``path`` cannot be used; None when it can."""
    if not path.is_file():
        return "no file" if path.exists() else "missing"
    try:
        with closing(connect_to_read(path)) as database:
            return _fault(database, path.stat().st_size)
    except _UNREADABLE as error:
        return f"damaged: {fault_words(error)}"


def _fault(database: sqlite3.Connection, size: int) -> str | None:
    database.execute("BEGIN")  # one moment, while another process may write
    found = tables_of(database)
    if not found:
        return "empty"
    (version,) = database.execute("PRAGMA user_version").fetchone()
    expected = old_journal.old_tables() if version == old_journal.VERSION else journal_tables()
    if version not in (VERSION, old_journal.VERSION) and "trials" in found:
        age = "a newer" if version > VERSION else "an older"
        return f"journal version {version}, expected {VERSION}: {age} auxnas wrote it, or damaged"
    if found != expected:
        return _foreign(found, expected)
    (result,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        return "damaged: its contents do not fit together"
    (page,) = database.execute("PRAGMA page_size").fetchone()
    if size % page:
        return "damaged: it ends within a page"  # which SQLite reads as zeros
    if version == old_journal.VERSION:
        old_journal.convert_journal(database).close()
        return None
    broken = seal_fault(database)
    return None if broken is None else f"damaged: {broken}"


def _foreign(found: Declared, expected: Declared) -> str:
    """The first thing in which a database differs from a journal."""
    for name in [*found, *expected]:
        if found.get(name) != expected.get(name):
            kind = found.get(name, ("no table", ""))[0]
            return f"no journal, or damaged: {kind} {name!r:.60} is not as in a journal"
    return "no journal"


def open_converted(path: Path) -> sqlite3.Connection:
    """A connection for reading, to a journal of this version: an older one is converted in memory.

    Raises:
        RowError: naming a row of an older one that is none.
        sqlite3.Error: when it cannot be opened.
    """
    database = connect_to_read(path)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != old_journal.VERSION:
        return database
    with closing(database):
        return old_journal.convert_journal(database)


def update_journal(path: Path) -> None:
    """Turns a journal of version 2 into one of this version.

    Raises:
        JournalError: when another process has it open, whose writing would be lost.
        RowError, sqlite3.Error, OSError: when it is damaged, or cannot be written.
    """
    with (
        closing(connect_to_replace(path)) as old,
        closing(old_journal.convert_journal(old)) as converted,
    ):
        copy_database(converted, path)

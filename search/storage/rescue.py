"""Journals that are damaged, missing, or where nothing can be written.

Beside ``journal.sqlite`` lies a second database to which every transaction is written as well,
once the first has it. A run goes on from it when the journal itself is damaged, to the same
results as without damage, since everything follows from seeds; and reading falls back on it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from auxnas.compiler.temporaries import temporary_name
from auxnas.search.errors import JournalError
from auxnas.search.storage import old_journal
from auxnas.search.storage.reading import RowError
from auxnas.search.storage.schema import VERSION
from auxnas.search.storage.sealing import Declared, journal_tables, seal_fault, seal_of, tables_of

NAME = "journal.sqlite"
BACKUP = "journal.backup.sqlite"
DAMAGED = "journal.damaged.sqlite"
SIDES = ("-wal", "-shm")
_UNREADABLE = (sqlite3.Error, UnicodeError, RowError)


def restore_from_backup(folder: Path) -> str | None:
    """Replaces a damaged journal by its backup; a message where that was needed.

    What is left of the damaged one is kept under another name. The run's lock must be held.

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
    remove_sides(path)
    if path.exists():
        os.replace(path, folder / DAMAGED)
    try:
        with closing(_connect(backup)) as database:
            copy_database(database, path)
    except sqlite3.Error as error:
        raise JournalError(str(path), f"cannot be written ({error})", "room to write") from None
    return f"{path}: {fault}; going on from its backup, what that lacks is done again"


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
        return connect_readable(path), ""
    if fault_of(backup) is None:
        return connect_readable(backup), f"{path}: {fault}; this is from its backup"
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
    kept = _transactions(backup)
    fault = fault_of(path)
    there = _transactions(path)
    if fault is None and kept > there and fault_of(backup) is None:
        return f"damaged: it lacks the last {kept - there} of {kept} transactions"
    return fault


def _transactions(path: Path) -> int:
    """Number of transactions that a database records; 0 for none, or an older version."""
    if not path.is_file():
        return 0
    try:
        with closing(_connect(path)) as database:
            return seal_of(database).transactions
    except _UNREADABLE:
        return 0


def fault_of(path: Path) -> str | None:
    """Reason that the database in ``path`` cannot be used; None when it can."""
    if not path.is_file():
        return "no file" if path.exists() else "missing"
    try:
        with closing(_connect(path)) as database:
            return _fault(database, path.stat().st_size)
    except _UNREADABLE as error:
        return f"damaged: {error}"


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
        return f"damaged: {result.splitlines()[-1]}"
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


def connect_readable(path: Path) -> sqlite3.Connection:
    """A connection for reading, to a journal of this version: an older one is converted in memory.

    Raises:
        RowError: naming a row of an older one that is none.
        sqlite3.Error: when it cannot be opened.
    """
    database = _connect(path)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != old_journal.VERSION:
        return database
    with closing(database):
        return old_journal.convert_journal(database)


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
        database.execute("PRAGMA trusted_schema = OFF")
        database.text_factory = _text
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _text(data: bytes) -> str:
    """Text that need not be UTF-8: a check of rows then names the one where it is not."""
    return data.decode("utf-8", "surrogateescape")


def _in_memory(path: Path) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", isolation_level=None)
    memory.text_factory = _text
    try:
        with closing(sqlite3.connect(path)) as database:
            database.backup(memory)
    except BaseException:
        memory.close()
        raise
    return memory


def copy_database(database: sqlite3.Connection, path: Path) -> None:
    """Writes a database to ``path``, which changes from what it was to the whole copy.

    Raises:
        sqlite3.Error, OSError: when it cannot be written; then all is as it was.
    """
    part = path.with_name(temporary_name(path.name))
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as made:
            database.backup(made)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        remove_sides(path)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def remove_sides(path: Path) -> None:
    """Removes what SQLite keeps beside a database while it is open."""
    for side in SIDES:
        path.with_name(path.name + side).unlink(missing_ok=True)

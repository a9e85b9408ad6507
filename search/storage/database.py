"""Databases of SQLite as files: opened without writing, copied whole; their faults."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from auxnas.compiler.temporaries import temporary_name
from auxnas.search.errors import JournalError

SIDES = ("-wal", "-shm")
"""Suffixes of the files that SQLite keeps beside an open database."""
_WORDS = {
    sqlite3.SQLITE_NOTADB: "its first page is not one of a database",
    sqlite3.SQLITE_CORRUPT: "its pages do not fit together",
    sqlite3.SQLITE_BUSY: "another process has it open",
}
_NO_SPACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def fault_words(error: Exception) -> str:
    """Reason that a database cannot be read, in our words rather than SQLite's."""
    if isinstance(error, UnicodeError):
        return "text that is not UTF-8"
    if not isinstance(error, sqlite3.Error):
        return str(error)
    return _WORDS.get(_code(error), "it cannot be read")


def is_of_disk(error: sqlite3.Error) -> bool:
    """Whether the disk is at fault, full most likely, rather than the file."""
    return _code(error) in _NO_SPACE


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 where the error is not of a database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that does not write; a copy in memory where not even a lock can be made.

    Raises:
        JournalError: when another process has it locked.
        sqlite3.Error: when it cannot be opened.
    """
    try:
        return _connect_in_place(path)
    except sqlite3.OperationalError as error:
        if _code(error) in _LOCKED:
            raise locked_error(path) from None
        with TemporaryDirectory() as folder:
            for name in (path.name, f"{path.name}-wal"):
                if path.with_name(name).exists():
                    shutil.copyfile(path.with_name(name), Path(folder) / name)
            return _in_memory(Path(folder) / path.name)


def connect_to_replace(path: Path) -> sqlite3.Connection:
    """A connection to a database that nobody else has open, nor can open before it is closed.

    Raises:
        JournalError: when another process has it open.
    """
    database = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        database.text_factory = _text
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA journal_mode = DELETE")  # fails while there is another
        database.execute("BEGIN EXCLUSIVE")
    except BaseException as error:
        database.close()
        if isinstance(error, sqlite3.Error) and _code(error) in _LOCKED:
            raise locked_error(path) from None
        raise
    return database


def locked_error(path: Path) -> JournalError:
    """The error of a database that another process has open."""
    return JournalError(str(path), "open in another process", "no other: close it there")


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

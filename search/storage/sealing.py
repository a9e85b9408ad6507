"""Digests by which a journal tells what was written to it from anything else.

Each row carries a digest of its table and values. The one row of the table ``seal`` counts the
transactions, and holds for each table how many rows there are and the sum of their digests
(modulo 2^128): a row that is lost, doubled or from another file is missed by the sum, as it
would be by a chain, but a row that is replaced costs one subtraction instead of a new chain.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from math import isfinite
from typing import Any

from auxnas.search.storage.reading import RowError
from auxnas.search.storage.schema import PAGE, SCHEMA, VERSION, JournalRow, dump

Statement = tuple[str, Sequence[Any]]
"""SQL with the values of its question marks."""

Declared = dict[str, tuple[str, str]]
"""Tables and indices of a database: kind and SQL by name."""

_PLAIN = {"INTEGER": int, "REAL": float}
_STORED = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}
"""Python types by a column's declared type: conversions on writing, and all types on reading."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Stand-ins for bytes that are not UTF-8, in text from SQLite."""
_MODULUS = 1 << 128


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, its digest apart.

    Attributes:
        name: quoted for SQL.
        kind: its declared type.
        required: whether it may not be NULL.
        key: whether it is part of the primary key.
    """

    name: str
    kind: str
    required: bool
    key: bool


@dataclass(frozen=True)
class Seal:
    """Seal of a journal: row counts and sums of digests.

    Attributes:
        transactions: how many have been written.
        heads: by table: how many rows, and the sum of their digests.
    """

    transactions: int
    heads: dict[str, tuple[int, int]]

    def row(self) -> JournalRow:
        """The seal as a row of its table."""
        heads = {name: [count, f"{total:032x}"] for name, (count, total) in self.heads.items()}
        return JournalRow("seal", (0, self.transactions, dump(heads)), replaces=True)


EMPTY = Seal(0, {})


def create_tables(database: sqlite3.Connection) -> None:
    """Makes the tables in an empty database."""
    database.execute(f"PRAGMA page_size = {PAGE}")
    statements = [text.strip() for text in SCHEMA.split(";") if text.strip()]
    database.execute("BEGIN IMMEDIATE")
    for statement in [*statements, f"PRAGMA user_version = {VERSION}"]:
        database.execute(statement)
    database.execute(*_statement(EMPTY.row()))
    database.execute("COMMIT")


def tables_of(database: sqlite3.Connection) -> Declared:
    """Declarations of a database: kind and SQL by name, without SQLite's own indices."""
    rows = database.execute("SELECT name, type, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {str(name): (str(kind), str(sql)) for name, kind, sql in rows}


def declared(schema: str) -> Declared:
    """Declarations of a database with the tables of ``schema``."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(schema)
        return tables_of(database)


@cache
def journal_tables() -> Declared:
    """Declarations of a journal."""
    return declared(SCHEMA)


@cache
def columns() -> dict[str, tuple[Column, ...]]:
    """The columns of each table, in order."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(SCHEMA)
        return {name: columns_of(database, name) for name in tables_of(database)}


def columns_of(database: sqlite3.Connection, table: str) -> tuple[Column, ...]:
    """The columns of a table, in order."""
    rows = database.execute(f"PRAGMA table_info({table})").fetchall()
    return tuple(
        Column(f'"{name}"', kind, bool(required or key), bool(key))
        for _, name, kind, required, _, key in rows
        if name != "digest"
    )


def seal_of(database: sqlite3.Connection) -> Seal:
    """The seal in a database; without a word on whether the rows agree with it.

    Raises:
        RowError: when it is damaged.
    """
    row = database.execute("SELECT * FROM seal").fetchone()
    if row is None or row_digest("seal", row[:-1]) != row[-1]:
        raise RowError("table seal, row 0: its digest is of other values")
    try:
        found = json.loads(row[2]).items()
        heads = {name: (count, int(total, 16)) for name, (count, total) in found}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RowError(f"table seal, row 0: heads: {error}") from None
    return Seal(row[1], heads)


def row_digest(table: str, values: Sequence[Any]) -> str:
    """The digest of a row."""
    text = _encode([table, *values])
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _of_bytes(value: Any) -> str:
    return blake2b(value, digest_size=16).hexdigest()


_encode = json.JSONEncoder(default=_of_bytes).encode


def write_sealed(database: sqlite3.Connection, seal: Seal, rows: Iterable[JournalRow]) -> Seal:
    """Writes rows; the seal that follows. A transaction must be under way.

    Raises:
        sqlite3.Error: when they cannot be written.
        OverflowError: for an integer beyond 64 bits.
    """
    heads = dict(seal.heads)
    for row in rows:
        count, total = heads.get(row.table, (0, 0))
        before = _digest_before(database, row) if row.replaces else None
        if before is None:
            count += 1
        else:
            total -= int(before, 16)
        statement, values = _statement(row)
        database.execute(statement, values)
        heads[row.table] = count, (total + int(values[-1], 16)) % _MODULUS
    after = Seal(seal.transactions + 1, heads)
    database.execute(*_statement(after.row()))
    return after


def _digest_before(database: sqlite3.Connection, row: JournalRow) -> str | None:
    found = [(c, v) for c, v in zip(columns()[row.table], row.values, strict=True) if c.key]
    where = " AND ".join(f"{column.name} = ?" for column, _ in found)
    select = f"SELECT digest FROM {row.table} WHERE {where}"
    before = database.execute(select, [value for _, value in found]).fetchone()
    return None if before is None else str(before[0])


def _statement(row: JournalRow) -> Statement:
    """SQL statement that writes a row with its digest."""
    known = columns()[row.table]
    values = [_as_stored(c, v) for c, v in zip(known, row.values, strict=True)]
    insert = f"INSERT INTO {row.table} VALUES ({', '.join('?' * (len(values) + 1))})"
    if row.replaces:
        keys = ", ".join(column.name for column in known if column.key)
        names = [*(column.name for column in known if not column.key), "digest"]
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        insert += f" ON CONFLICT ({keys}) DO UPDATE SET {changes}"
    return insert, [*values, row_digest(row.table, values)]


def _as_stored(column: Column, value: Any) -> Any:
    """A value as SQLite gives it back: no NaN, no -0.0, no half a surrogate pair; no infinity."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return None
    if column.kind == "TEXT":
        return str(value).encode("utf-8", "backslashreplace").decode()
    plain = _PLAIN.get(column.kind, bytes)(value)
    return plain + 0.0 if isinstance(plain, float) else plain  # -0.0 is stored as 0


def seal_fault(database: sqlite3.Connection) -> str | None:
    """The first row that is not as it was written, or what is wrong otherwise; None if nothing."""
    try:
        seal = seal_of(database)
    except RowError as error:
        return str(error)
    for table in columns():
        if table != "seal":
            fault = _broken_table(database, table, seal.heads.get(table, (0, 0)))
            if fault is not None:
                return f"table {table}{fault}"
    return None


def _broken_table(database: sqlite3.Connection, table: str, head: tuple[int, int]) -> str | None:
    count = total = 0
    sound = set[tuple[type, ...]]()
    for row in database.execute(f"SELECT * FROM {table}"):
        types, fault = tuple(map(type, row)), None
        if types not in sound or not all(map(_is_plain, row)):
            fault = type_fault(columns()[table], row)
            sound |= {types} if fault is None else set()
        if fault is None and row_digest(table, row[:-1]) != row[-1]:
            fault = "its digest is of other values"
        if fault is not None:
            return f", row {key_of(columns()[table], row)}: {fault}"
        count, total = count + 1, total + int(row[-1], 16)
    total %= _MODULUS
    if count != head[0]:
        return f": {count} rows, expected {head[0]}"
    return None if total == head[1] else ": not the rows that were written last"


def _is_plain(value: Any) -> bool:
    """Whether a value is one of its type that columns can have without a further look."""
    kind = type(value)
    return value.isascii() if kind is str else kind is not float or isfinite(value)


def type_fault(known: Sequence[Column], row: Sequence[Any]) -> str | None:
    """The first value of a row that its column cannot have."""
    for column, value in zip(known, row, strict=False):
        if value is None and not column.required:
            continue
        if type(value) is not _STORED[column.kind]:
            return f"{column.name.strip(chr(34))} is {type(value).__name__}"
        if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
            return f"{column.name.strip(chr(34))} is not UTF-8"
        if isinstance(value, float) and not isfinite(value):
            return f"{column.name.strip(chr(34))} is {value}"
    return None


def key_of(known: Sequence[Column], row: Sequence[Any]) -> str:
    """The primary key of a row, for messages."""
    return ", ".join(f"{v!s:.40}" for c, v in zip(known, row, strict=False) if c.key)

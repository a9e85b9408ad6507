"""Journals of version 2, which had no digests: turned into this version's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Any

from auxnas.search.storage import schema
from auxnas.search.storage.reading import RowError, load_cell, read_all
from auxnas.search.storage.schema import JournalRow, Snapshot, dump
from auxnas.search.storage.sealing import (
    EMPTY,
    Declared,
    columns_of,
    create_tables,
    declared,
    key_of,
    type_fault,
    write_sealed,
)
from auxnas.search.trials.records import PENDING

VERSION = 2

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE searcher (id INTEGER PRIMARY KEY CHECK (id = 0), state TEXT NOT NULL);
CREATE TABLE trials (
    number INTEGER PRIMARY KEY, batch INTEGER NOT NULL, genotype TEXT NOT NULL,
    key TEXT NOT NULL, seed INTEGER NOT NULL, state TEXT NOT NULL, reward REAL,
    source INTEGER REFERENCES trials, failure TEXT, detail TEXT,
    parameters INTEGER, multiply_adds INTEGER
);
CREATE TABLE stages (
    trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, reward REAL NOT NULL,
    metrics TEXT NOT NULL, batch_size INTEGER, PRIMARY KEY (trial, stage)
);
CREATE TABLE rejections (
    number INTEGER PRIMARY KEY, genotype TEXT NOT NULL, "limit" TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE TABLE timings (
    trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (trial, stage)
);
CREATE TABLE latencies (
    trial INTEGER PRIMARY KEY REFERENCES trials, milliseconds REAL NOT NULL
);
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY, environment TEXT NOT NULL, seconds REAL NOT NULL
);
"""

COPIED = ("meta", "trials", "stages", "rejections", "timings", "latencies", "sessions")
"""Tables whose rows stay as they are."""


@cache
def old_tables() -> Declared:
    """Tables of a version 2 journal."""
    return declared(SCHEMA)


def convert_journal(old: sqlite3.Connection) -> sqlite3.Connection:
    """The same journal in memory, in the present version.

    Raises:
        RowError: naming the first row that is none.
        sqlite3.Error: when it is damaged.
    """
    new = sqlite3.connect(":memory:", isolation_level=None)
    try:
        create_tables(new)
        new.execute("BEGIN")
        write_sealed(new, EMPTY, [*_rows(old), *_searcher(old)])
        new.execute("COMMIT")
        read_all(new)
    except BaseException:
        new.close()
        raise
    return new


def _rows(old: sqlite3.Connection) -> Iterator[JournalRow]:
    """The rows that have stayed as they were."""
    for table in COPIED:
        known = columns_of(old, table)
        for row in old.execute(f"SELECT * FROM {table} ORDER BY 1"):
            fault = type_fault(known, row)
            if fault is not None:
                raise RowError(f"table {table}, row {key_of(known, row)}: {fault}")
            yield JournalRow(table, row)


def _searcher(old: sqlite3.Connection) -> Iterator[JournalRow]:
    """The searcher as it is after the last batch was proposed, or over; and its updates."""
    row = old.execute("SELECT state FROM searcher").fetchone()
    if row is None:
        return
    state: dict[str, Any] = load_cell("table searcher, row 0: state", row[0])
    updates = state.pop("updates", [])
    if not isinstance(updates, list):
        raise RowError("table searcher, row 0: updates are no list")
    counts = "SELECT count(*), coalesce(max(batch) + 1, 0), count(nullif(state, ?)) FROM trials"
    trials, asked, ended = old.execute(counts, (PENDING,)).fetchone()
    told = asked if ended == trials else asked - 1
    yield schema.snapshot_row(Snapshot(asked, told, trials, state))
    for number, figures in enumerate(updates, 1):
        yield JournalRow("updates", (number, dump(figures)))

"""What two runs are compared by."""

import sqlite3
from contextlib import closing

from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import NAME

COMPARED = ("meta", "searcher", "batches", "updates", "trials", "stages", "rejections")
"""The tables that are the same whenever seed and settings are."""


def contents(folder):
    """All that a run's journal says, apart from timings: rows by table, their digests apart."""
    with Journal(folder), closing(sqlite3.connect(folder / NAME)) as database:
        return {
            table: sorted(
                (row[:-1] for row in database.execute(f"SELECT * FROM {table}")), key=repr
            )
            for table in COMPARED
        }

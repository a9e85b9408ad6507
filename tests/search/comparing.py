"""What two runs are compared by."""

import sqlite3
from contextlib import closing

from auxnas.search.journal import Journal
from auxnas.search.rescue import NAME

COMPARED = ("meta", "searcher", "batches", "updates", "trials", "stages", "rejections")
"""The tables that are the same whenever seed and settings are."""


def contents(folder):
    """All that a run's journal says, apart from timings: rows by table."""
    with Journal(folder), closing(sqlite3.connect(folder / NAME)) as database:
        return {
            table: sorted(database.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in COMPARED
        }

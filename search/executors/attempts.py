"""Attempts at trials, and the table of them in a run's folder, which is never compared."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

NAME = "attempts.csv"
"""In the run's folder."""


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt that is over.

    Attributes:
        trial: number of the trial as people read it, from 1.
        attempt: number of the attempt at it in its session, from 1.
        host: the machine.
        fingerprint: of that machine's arithmetic.
        how: ``complete``, ``stopped``, ``failed``, ``timeout``, ``dropped`` (another attempt came
            first) or ``lost`` with the reason.
    """

    trial: int
    attempt: int
    host: str
    fingerprint: str
    how: str


class AttemptTable:
    """The table in a run's folder. A run goes on without room for it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def add(self, row: AttemptRow) -> None:
        """Appends a row."""
        with suppress(OSError), self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if not file.tell():
                writer.writerow(field.name for field in fields(AttemptRow))
            writer.writerow(astuple(row))

    def rows(self) -> Iterator[AttemptRow]:
        """Rows in the order of their ends; lines that are cut off are left out."""
        with suppress(OSError), self._path.open(newline="", encoding="utf-8") as file:
            for line in csv.reader(file):
                if len(line) == len(fields(AttemptRow)) and line[0].isdigit() and line[1].isdigit():
                    yield AttemptRow(int(line[0]), int(line[1]), *line[2:])

"""Values that are looked for when a shell asks: networks of timm's, trials of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

BEST = "best"
_NAMED = re.compile(r"@register_model\s+def (\w+)\(")
_SHOWN = 20
"""Trials that are offered, the best ones."""
_TRIALS = "SELECT number + 1 FROM trials WHERE reward IS NOT NULL ORDER BY reward DESC, number"


def timm_names() -> Iterator[str]:
    """Names of timm's networks, by its sources, which takes a hundredth of importing them.

    None where there is no timm.
    """
    spec = find_spec("timm")
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder, "models").glob("*.py")):
            yield from _NAMED.findall(path.read_text("utf-8"))


def trial_names(run: str, journal: str) -> Iterator[str]:
    """``RUN:best`` and ``RUN:TRIAL`` of the best trials; nothing of what is no run.

    Args:
        run: its folder, as it was typed.
        journal: name of the file in it.
    """
    import sqlite3
    from contextlib import closing

    path = Path(run, journal)
    if not path.is_file():
        return
    still = not path.with_name(f"{journal}-wal").exists()  # nobody writes: no files beside it
    address = f"{path.absolute().as_uri()}?mode=ro&immutable={int(still)}"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            numbers = [str(row[0]) for row in database.execute(_TRIALS).fetchmany(_SHOWN)]
    except sqlite3.Error:
        return
    yield from (f"{run}:{each}" for each in [BEST] * bool(numbers) + numbers)

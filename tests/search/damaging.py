"""What tests of damaged journals share: a run with something in every table, and all it says."""

import sqlite3
from contextlib import closing
from unittest.mock import patch

from auxnas.genotype import SearchSpace
from auxnas.search.loop.bounds import Until
from auxnas.search.loop.driver import Rules
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.search import LimitSettings, SearchSettings
from auxnas.search.storage import old_journal
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import BACKUP, NAME
from auxnas.search.storage.schema import dump
from auxnas.search.storage.sealing import columns
from auxnas.search.trials.records import Figures
from tests.search.conftest import make_driver

SPACE = SearchSpace.cvpr2019()
TABLES = [name for name in columns() if name != "seal"]


def all_of(folder):
    """Everything that a run's journal says, times included; and why it is not the file itself."""
    with Journal(folder) as journal:
        trials = journal.trials()
        said = {
            "meta": journal.meta(),
            "trials": trials,
            "times": [(t.latency, [s.seconds for s in t.stages]) for t in trials],
            "searcher": journal.searcher(),
            "asks": journal.asks(),
            "updates": journal.updates(),
            "rejections": journal.rejections(),
            "sessions": journal.sessions(),
        }
        return said, journal.salvaged


def go_on(folder, trials, name="ppo", framework="null", share=10**9, **changes):
    """Goes on with the run in ``folder``, or begins it; ``share``: bytes of snapshots a trial."""
    folder.mkdir(exist_ok=True)
    often = patch("auxnas.search.loop.replay.BYTES_A_TRIAL", share)
    with often, Journal(folder, write=True) as journal:
        if not journal.trials():
            journal.set_meta({"settings": {"seed": 3}, "data": "00ff"})
        driver_for(journal, name, framework, **changes).run(Until(trials))
    return folder


def driver_for(journal, name="ppo", framework="null", **changes):
    settings = SearchSettings(searcher=name, controller={"rate": 0.05, "hidden": 8})
    searcher = make_searcher(settings, SPACE, 0, framework)
    limits = LimitSettings(params=2)
    rules = Rules(0, 3, proceed=0.9, half_life=5, limits=limits)
    parts = {"searcher": searcher, "rules": rules, "measure": measured, **changes}
    return make_driver(journal, **parts)


def measured(genotype):
    return Figures(genotype.tokens[6] % 4 + 1, 2 * genotype.tokens[1], 1.5)


def aged(folder):
    """Turns a run's journal into one of version 2, which had the searcher after every batch.

    The run must just have ended, with its searcher stored behind the last batch.
    """
    with Journal(folder) as journal:
        kept, updates, trials = journal.searcher(), journal.updates(), journal.trials()
        assert (kept.told, kept.trials) == (trials[-1].batch + 1, len(trials))
    new, old = folder / "new.sqlite", folder / NAME
    old.rename(new)
    (folder / BACKUP).unlink(missing_ok=True)
    with closing(sqlite3.connect(old)) as database, database:
        database.executescript(old_journal.SCHEMA)
        database.execute(f"PRAGMA user_version = {old_journal.VERSION}")
        database.execute("ATTACH ? AS new", (str(new),))
        for table in old_journal.COPIED:
            names = ", ".join(column.name for column in columns()[table])
            database.execute(f"INSERT INTO main.{table} SELECT {names} FROM new.{table}")
        state = dump({**kept.state, "updates": updates})
        database.execute("INSERT INTO main.searcher VALUES (0, ?)", (state,))
    new.unlink()

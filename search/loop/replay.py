"""Restoring a searcher: its last snapshot, then the calls of ask and tell since.

A searcher is deterministic, so its state follows from the batches that the journal has. Storing
it after each batch would write more than all else together: the paper's controller with the
moments of its optimiser takes 2 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from auxnas.genotype import Genotype
from auxnas.search.errors import JournalError
from auxnas.search.searchers import Searcher
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.schema import Snapshot
from auxnas.search.trials.records import FAILED, PENDING, Trial

BYTES_A_TRIAL = 1_000
"""Of snapshots, on average; each is written four times, to both files and their logs."""


@dataclass
class AskRecorder:
    """Wrapper of a searcher that records the size of each ``ask``."""

    searcher: Searcher
    counts: list[int] = field(default_factory=list)

    def ask(self, count: int) -> list[Genotype]:
        """The searcher's proposals."""
        self.counts.append(count)
        return self.searcher.ask(count)


def restore_searcher(
    searcher: Searcher, journal: Journal, trials: Sequence[Trial], say: Callable[[str], None]
) -> None:
    """Brings a searcher to where the journal's left off; stores it where the journal has none.

    Args:
        searcher: of the same settings.
        journal: of the run, open for writing.
        trials: those in it.
        say: is told where the searcher proposes otherwise than it did.

    Raises:
        JournalError: when what was stored is no state of such a searcher.
    """
    kept = journal.searcher()
    if kept is None:
        kept = Snapshot(0, 0, 0, searcher.state())
        journal.remember(kept)
    else:
        _restore(searcher, kept, journal.path)
    asks, same = journal.asks(kept.asked), True
    batches = groupby(trials, key=lambda trial: trial.batch)
    for batch, members in ((b, list(found)) for b, found in batches if b >= kept.told):
        if batch >= kept.asked:
            drawn = [each for count in asks.get(batch, ()) for each in searcher.ask(count)]
            same = same and all(trial.genotype in drawn for trial in members)
        if is_over(members):
            tell_searcher(searcher, members)
    if not same:
        say("the searcher proposes otherwise than it did: another machine, or other versions?")


def _restore(searcher: Searcher, kept: Snapshot, path: Path) -> None:
    try:
        searcher.restore(kept.state)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        found = f"table searcher, row 0: no state of this searcher ({error!r:.100})"
        raise JournalError(str(path), found, "the settings that the run began with") from None


def is_over(members: Sequence[Trial]) -> bool:
    """Whether all of a batch have ended."""
    return all(trial.state != PENDING for trial in members)


def tell_searcher(searcher: Searcher, members: Sequence[Trial]) -> dict[str, float] | None:
    """Tells a searcher of a batch; the diagnostics of its update, if it made one.

    Failed trials are not told: a failure says nothing of how good a genotype is.
    """
    update = searcher.tell([trial for trial in members if trial.state != FAILED])
    return None if update is None else dict(update)


def due_snapshot(journal: Journal, searcher: Searcher, batch: int, trials: int) -> Snapshot | None:
    """The searcher behind ``batch``, when it is to be stored: seldom where it is large.

    Args:
        journal: of the run.
        searcher: as it is.
        batch: the last that it was told of.
        trials: how many there are.
    """
    behind, size = journal.stored_searcher()
    if (trials - behind) * BYTES_A_TRIAL < size:
        return None
    return Snapshot(batch + 1, batch + 1, trials, searcher.state())

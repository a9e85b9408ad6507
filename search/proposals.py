"""Batches of proposals within the limits."""

from __future__ import annotations

from collections.abc import Callable

from genotype import Genotype
from search.config import LimitSettings
from search.errors import SearchError
from search.limits import excess
from search.searchers import Searcher
from search.trials import Figures, Rejection

Measure = Callable[[Genotype], Figures | None]
"""What a genotype's network costs; None where it cannot be built."""

HOPELESS = 500
"""Proposals over a limit for each one of a batch, after which a run gives up."""


def draw(
    searcher: Searcher, count: int, measure: Measure, limits: LimitSettings
) -> tuple[list[tuple[Genotype, Figures | None]], list[Rejection]]:
    """The next ``count`` proposals that are within the limits, and those before that were not.

    The searcher is asked again for as many as are missing, so that it learns from batches
    of one size; of what was rejected it is told nothing.

    Raises:
        SearchError: when hardly any is within them.
    """
    drawn: list[tuple[Genotype, Figures | None]] = []
    rejected: list[Rejection] = []
    while len(drawn) < count:
        for genotype in searcher.ask(count - len(drawn)):
            figures = measure(genotype)
            over = excess(limits, figures) if figures else None
            if over is None:
                drawn.append((genotype, figures))
            else:
                rejected.append(Rejection(genotype, *over))
        if len(rejected) >= HOPELESS * count:
            found = f"{len(drawn)} of {len(drawn) + len(rejected)} proposals are within them"
            expected = f"looser ones (the last proposal: {rejected[-1].detail})"
            raise SearchError("limits", found, expected)
    return drawn, rejected

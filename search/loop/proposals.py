"""Batches of proposals within the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from auxnas.backends.progress import Display, Silent
from auxnas.genotype import Genotype
from auxnas.genotype.errors import short_repr
from auxnas.search.errors import RequestError, SearchError
from auxnas.search.settings.search import LimitSettings
from auxnas.search.trials.limits import first_excess, least_seen
from auxnas.search.trials.records import Figures, Rejection


class Proposer(Protocol):
    """Source of genotypes: a searcher, or one that stands in for it."""

    def ask(self, count: int) -> list[Genotype]:
        """The next ``count`` genotypes to try."""


Measure = Callable[[Genotype], Figures | None]
"""Function from a genotype to its network's costs; None where it cannot be built."""

HOPELESS, HOPELESS_TIMED = 500, 50
"""Proposals over a limit for each one of a batch, after which a run gives up; and how many of
them that had to be compiled and timed to know it."""
LOOKED_AT, LOOKED_AT_TIMED = 200, 20
"""The same of the random genotypes that are looked at before a run begins."""
_UNHEARD = Silent().say
_SAID_FIRST = 20
"""Rejections of a batch that are first told of; then twice as many, and so on."""


def draw_proposals(
    searcher: Proposer,
    count: int,
    measure: Measure,
    limits: LimitSettings,
    say: Callable[[str], None] = _UNHEARD,
) -> tuple[list[tuple[Genotype, Figures | None]], list[Rejection]]:
    """The next ``count`` proposals that are within the limits, and those before that were not.

    The searcher is asked again for as many as are missing, so that it learns from batches
    of one size; of what was rejected it is told nothing.

    Args:
        searcher: source of the proposals.
        count: how many to draw.
        measure: gives the costs of a genotype's network.
        limits: on these costs.
        say: is told now and then how many were rejected.

    Returns:
        both; fewer than ``count`` where the searcher has no more.

    Raises:
        SearchError: when hardly any is within them, or the searcher proposes too many.
    """
    drawn: list[tuple[Genotype, Figures | None]] = []
    rejected: list[Rejection] = []
    told = _SAID_FIRST
    while len(drawn) < count:
        asked = _asked(searcher, count - len(drawn))
        if not asked:
            break
        for genotype in asked:
            figures = measure(genotype)
            over = first_excess(limits, figures) if figures else None
            if over is None:
                drawn.append((genotype, figures))
                continue
            rejected.append(Rejection(genotype, *over))
            if len(rejected) == told:
                say(f"limits: {told} proposals rejected so far, the last: {over[1]}")
                told *= 2
        if len(drawn) < count:
            _check_hit_rate(rejected, len(drawn), count)
    return drawn, rejected


def _asked(searcher: Proposer, count: int) -> list[Genotype]:
    found = list(searcher.ask(count))
    if len(found) > count:
        raise SearchError("search.searcher", f"proposed {len(found)} genotypes", f"{count} at most")
    for each in found:
        if not isinstance(each, Genotype):
            raise SearchError("search.searcher", f"proposed {short_repr(each)}", "genotypes")
    return found


def _check_hit_rate(rejected: list[Rejection], drawn: int, count: int) -> None:
    timed = sum(each.limit == "latency_ms" for each in rejected)
    if len(rejected) >= HOPELESS * count or timed >= HOPELESS_TIMED * count:
        found = f"{drawn} of {drawn + len(rejected)} proposals are within them"
        expected = f"looser ones (the last proposal: {rejected[-1].detail})"
        raise RequestError("limits", found, expected)


def look_ahead(
    genotypes: Iterable[Genotype], measure: Measure, limits: LimitSettings, display: Display
) -> None:
    """Finds limits that none of the first ``genotypes`` is within, before other work is done.

    One that is within them is enough.

    Args:
        genotypes: some, as many as are asked for.
        measure: gives the costs of a genotype's network.
        limits: on these costs.
        display: destination of progress.

    Raises:
        SearchError: naming the least that was seen of what is limited.
    """
    seen: list[Figures] = []
    timed = 0
    with display.task("limits: looking for a network within them", LOOKED_AT_TIMED) as advance:
        for genotype in genotypes:
            figures = measure(genotype)
            if figures is None or first_excess(limits, figures) is None:
                return
            seen.append(figures)
            timed += figures.latency is not None
            advance(max(timed, len(seen) * LOOKED_AT_TIMED // LOOKED_AT), "")
            if timed == LOOKED_AT_TIMED or len(seen) == LOOKED_AT:
                break
    found = f"none of {len(seen)} random networks is within them ({least_seen(limits, seen)})"
    raise RequestError("limits", found, "looser ones")

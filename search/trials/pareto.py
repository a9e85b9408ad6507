"""Pareto front of trials by reward and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from auxnas.search.trials.records import SCORED, Trial

CostOf = Callable[[Trial], float | None]

COSTS: dict[str, CostOf] = {
    "latency": lambda trial: trial.latency,
    "madds": lambda trial: trial.multiply_adds,
    "params": lambda trial: trial.parameters,
}
"""Costs that a front can be drawn against, by name; lower is better, None is unknown."""


def front(trials: Iterable[Trial], cost: CostOf) -> list[Trial]:
    """The Pareto front of reward against ``cost``, the cheapest first.

    One trial beats another with at least its reward at no more than its cost, unless both
    are equal. The reward is the task's own, of the last stage, not weighted by latency.
    Only trials that were trained themselves, and whose cost is known, take part.
    """
    known = [
        (paid, -trial.stages[-1].reward, trial.number, trial)
        for trial in trials
        if trial.state in SCORED and (paid := cost(trial)) is not None
    ]
    kept: list[tuple[float, float, int, Trial]] = []
    for point in sorted(known, key=lambda point: point[:3]):
        if not kept or point[1] < kept[-1][1] or point[:2] == kept[-1][:2]:
            kept.append(point)
    return [trial for *_, trial in kept]

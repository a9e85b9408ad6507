"""The charts of rewards against what networks cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from auxnas.html.charts import COLOURS, POINT, Chart, Runs, hover_text, legend, thinning_note
from auxnas.html.runs import Run
from auxnas.html.series import thinned
from auxnas.html.svg import INK, chart
from auxnas.search.trials.pareto import COSTS, front
from auxnas.search.trials.records import Trial

_COSTS = {"madds": ("multiply-adds, millions", 1e-6), "latency": ("latency, ms", 1.0)}
"""By cost: the axis label, and the factor to the label's unit."""

_ROOM = (24.0, 10.0)
"""Width and height that a number takes, in points."""


def pareto_charts(runs: Runs) -> list[Chart]:
    """Reward against each cost that is known."""
    return [pareto_chart(runs, cost) for cost in _COSTS if any(_known(run, cost) for run in runs)]


def _known(run: Run, cost: str) -> list[Trial]:
    return [trial for trial in run.scored if COSTS[cost](trial) is not None]


def pareto_chart(runs: Runs, cost: str) -> Chart:
    """Reward against a cost, with the trials that no other one beats."""
    label, unit = _COSTS[cost]

    def at(trials: Iterable[Trial]) -> list[tuple[float, float]]:
        return [(unit * (COSTS[cost](t) or 0.0), t.stages[-1].reward) for t in trials]

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        tips = {}
        for run, colour in zip(runs, COLOURS, strict=False):
            known, name = _known(run, cost), f"points{colour[1:]}"
            if known:
                some = thinned(known)
                _all_points(axes, at(some), colour, name)
                _front(axes, at(front(known, COSTS[cost])), colour, run.label)
                tips[name] = [hover_text(run, trial) for trial in some]
        _numbers(axes, ours, at(ours))
        axes.set_xlabel(label)
        axes.set_ylabel("reward of the last stage")
        legend(axes, runs)
        return tips

    ours = front(_known(runs[0], cost), COSTS[cost])
    said = ", ".join(
        f"trial {trial.number + 1} {reward:.3f} at {paid:.1f}"
        for trial, (paid, reward) in zip(ours, at(ours), strict=True)
    )
    alt = f"Reward against {label}. Pareto front: {said or 'none'}."
    note = (
        "Large points: no other trial has a better reward at no more cost. "
        "Numbers are trials, where there is room."
    )
    note += thinning_note(runs)
    return Chart(f"Reward and {label.partition(',')[0]}", chart(plot, alt), note)


def _all_points(axes: Any, places: list[tuple[float, float]], colour: str, name: str) -> None:
    xs, ys = zip(*places, strict=True)
    axes.scatter(xs, ys, s=POINT, color=colour, alpha=0.4, linewidths=0).set_gid(name)


def _front(axes: Any, places: list[tuple[float, float]], colour: str, label: str) -> None:
    xs, ys = zip(*places, strict=True)
    axes.step(xs, ys, where="post", color=colour, lw=1.2)
    axes.scatter(xs, ys, s=26, color=colour, label=label, zorder=3)


def _numbers(axes: Any, trials: Sequence[Trial], places: list[tuple[float, float]]) -> None:
    """Each trial's number beside its point where there is room, the best reward's first."""
    look = {"textcoords": "offset points", "ha": "right", "fontsize": 7.5, "color": INK}
    points = axes.transData.transform(places) * 72 / axes.figure.dpi if places else []
    taken: list[tuple[float, float]] = []
    for trial, place, (x, y) in reversed(list(zip(trials, places, points, strict=True))):
        if all(abs(x - a) > _ROOM[0] or abs(y - b) > _ROOM[1] for a, b in taken):
            axes.annotate(str(trial.number + 1), place, (0, 4), **look)
            taken.append((x, y))

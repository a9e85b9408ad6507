"""Charts of a run's times and of its controller's diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from auxnas.html.charts import POINT, Chart, label_trials, name_axes, thinning_note
from auxnas.html.runs import Run
from auxnas.html.series import thinned
from auxnas.html.svg import FIRST, SECOND, chart


def stage_time_chart(run: Run) -> Chart:
    """Seconds that each stage of each trial took."""

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        for stage, colour, marker in ((1, FIRST, "o"), (2, SECOND, "^")):
            through = thinned([t for t in run.scored if len(t.stages) >= stage])
            spent = [(t.number + 1, t.stages[stage - 1].seconds) for t in through]
            if spent:
                xs, ys = zip(*spent, strict=True)
                look = {"s": POINT, "color": colour, "marker": marker, "alpha": 0.7}
                axes.scatter(xs, ys, linewidths=0, label=f"stage {stage}", **look)
        label_trials(axes, "seconds")
        axes.set_ylim(bottom=0)
        name_axes(axes)
        return {}

    alt = "Seconds of each stage against trial; the table says the same in numbers."
    note = "Training and validation, as measured." + thinning_note([run])
    return Chart("Seconds a stage", chart(plot, alt), note)


_DIAGNOSTICS = {
    "entropy": ("Entropy", "of a whole sequence of choices, in nats: how undecided it still is"),
    "approx_kl": ("Approximate KL", "how far an update went from the policy that had chosen"),
    "clipfrac": ("Clipped share", "choices whose probability ratio was outside PPO's bounds"),
    "baseline": ("Reward baseline", "moving average of the rewards that it was told"),
}


def controller_charts(run: Run) -> list[Chart]:
    """A line for each figure of the controller's updates."""
    found = run.updates
    names = [name for name in _DIAGNOSTICS if any(name in update for update in found)]
    return [_diagnostic(run, name) for name in names]


def _diagnostic(run: Run, name: str) -> Chart:
    title, what = _DIAGNOSTICS[name]
    values = [(update["told"], update[name]) for update in run.updates if name in update]
    xs, ys = [x for x, _ in values], [y for _, y in values]

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        axes.plot(
            thinned(xs), thinned(ys), color=FIRST, lw=1.4, marker="o" if len(xs) < 30 else "", ms=3
        )
        axes.set_xlabel("trials it was told of")
        axes.set_ylabel(title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _widen(axes, ys)
        return {}

    alt = f"{title} against trials: {ys[0]:.4g} at first, {ys[-1]:.4g} after {len(ys)} updates."
    return Chart(title, chart(plot, alt), f"{what[0].upper()}{what[1:]}.")


def _widen(axes: Any, values: Sequence[float]) -> None:
    """Shows at least a hundredth of the largest value, or 1e-4: less is as good as flat."""
    (low, high), least = axes.get_ylim(), max(1e-4, 0.01 * max(map(abs, values)))
    if high - low < least:
        axes.set_ylim((low + high - least) / 2, (low + high + least) / 2)

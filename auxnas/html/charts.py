"""Charts of rewards against trials, each with its caption in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from matplotlib.ticker import MaxNLocator

from auxnas.html import series
from auxnas.html.runs import Run
from auxnas.html.svg import FIRST, GROUND, MUTED, SECOND, chart
from auxnas.html.words import costs, score, trials_word
from auxnas.search.evaluation.two_stages import proceed_probability
from auxnas.search.trials.records import COMPLETE, STOPPED, Trial

COLOURS = (FIRST, SECOND)
"""The runs' own."""
POINT = 15
"""Area of a point, in square points."""

Runs = Sequence[Run]
"""The run, and the one that it is compared with if there is one."""


@dataclass(frozen=True)
class Chart:
    """Chart with its caption.

    Attributes:
        title: heading.
        svg: the picture.
        note: how to read it.
    """

    title: str
    svg: str
    note: str


def search_charts(runs: Runs) -> list[Chart]:
    """Charts of rewards against trials, of the runs that have a scored trial."""
    shown = [run for run in runs if run.scored]
    if not shown:
        return []
    return [reward_chart(shown), best_chart(shown), stage_chart(shown), stopped_chart(shown)]


def legend(axes: Any, runs: Runs) -> None:
    """Adds a legend of the runs' colours, where there are two runs."""
    if len(runs) > 1:
        name_axes(axes)


def name_axes(axes: Any) -> None:
    """Adds the legend above the data."""
    axes.figure.legend(loc="outside upper left", ncols=2)


def thinning_note(runs: Runs) -> str:
    """Words on points that are left out, where some are."""
    many = any(len(run.scored) > series.MOST for run in runs)
    return f" Of many trials, {series.MOST:,} evenly apart are drawn." if many else ""


def label_trials(axes: Any, ylabel: str) -> None:
    """Labels the axes of a chart against trials."""
    axes.set_xlabel("trial")
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


# Rewards -----------------------------------------------------------------------------


def reward_chart(runs: Runs) -> Chart:
    """Each trial's reward, with mean and quartiles of the last ones."""

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        tips: dict[str, Sequence[str]] = {}
        for run, colour in zip(runs, COLOURS, strict=False):
            tips |= _dots(axes, run, colour)
            found = series.reward_points(run.scored)
            band = series.band(found, series.window(len(found)))
            axes.fill_between(band.places, band.low, band.high, color=colour, alpha=0.18, lw=0)
            axes.plot(band.places, band.mean, color=colour, lw=1.8, label=run.label)
        label_trials(axes, "reward")
        legend(axes, runs)
        return tips

    alt = f"Reward against trial. {' '.join(map(_course, runs))}"
    sizes = {series.window(len(run.scored)) for run in runs}
    last = " or ".join(map(str, sorted(sizes)))
    note = f"Hollow: stopped after stage 1. Line and band: mean and quartiles of the last {last}."
    note += thinning_note(runs)
    return Chart("Rewards in time", chart(plot, alt), note)


def _dots(axes: Any, run: Run, colour: str) -> dict[str, list[str]]:
    """A point a trial, hollow where it was stopped; texts to hover, as plots return them."""
    tips = {}
    for state, fill in ((COMPLETE, colour), (STOPPED, GROUND)):
        some = series.thinned([t for t in run.scored if t.state == state])
        name = f"{state}{colour[1:]}"
        if some:
            xs, ys = zip(*series.reward_points(some), strict=True)
            look = {"facecolor": fill, "edgecolor": colour, "alpha": 0.5, "linewidths": 0.9}
            axes.scatter(xs, ys, s=POINT, **look).set_gid(name)
            tips[name] = [hover_text(run, trial) for trial in some]
    return tips


def _course(run: Run) -> str:
    """Course of a run's rewards in words."""
    values = [value for _, value in series.reward_points(run.scored)]
    size = series.window(len(values))
    return (
        f"{run.label}: {trials_word(len(values))}, from {min(values):.3f} to {max(values):.3f}, "
        f"mean {mean(values[:size]):.3f} of the first and {mean(values[-size:]):.3f} "
        f"of the last {min(size, len(values))}."
    )


def hover_text(run: Run, trial: Trial) -> str:
    """Text shown while the pointer is on a trial's point."""
    known = f"{run.label}, trial {trial.number + 1}: reward {score(trial.reward)}"
    return ", ".join(part for part in (known, costs(trial)) if part)


def best_chart(runs: Runs) -> Chart:
    """The best reward so far."""

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        for run, colour in zip(runs, COLOURS, strict=False):
            found = series.best_so_far(series.reward_points(run.scored))
            end = max(found[-1][0], len(run.ended))
            xs, ys = [*(x for x, _ in found), end], [*(y for _, y in found), found[-1][1]]
            axes.step(xs, ys, where="post", color=colour, lw=1.8, label=run.label)
            top = run.best[0]
            axes.scatter([top.number + 1], [top.reward], s=28, color=colour, zorder=3)
        label_trials(axes, "best reward so far")
        legend(axes, runs)
        return {}

    said = [f"{r.label}: {r.best[0].reward:.4f}, since trial {r.best[0].number + 1}." for r in runs]
    note = "The dot is the trial that it comes from."
    return Chart("Best so far", chart(plot, f"Best reward so far. {' '.join(said)}"), note)


def stage_chart(runs: Runs) -> Chart:
    """The distribution of rewards after each stage."""
    groups = [
        (f"stage {stage}\n{run.label}", series.stage_rewards(run.scored, stage), colour)
        for stage in (1, 2)
        for run, colour in zip(runs, COLOURS, strict=False)
    ]
    groups = [group for group in groups if group[1]]

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        for place, (_, values, colour) in enumerate(groups, 1):
            line = {"color": colour, "linewidth": 1.2}
            parts = dict.fromkeys(("boxprops", "whiskerprops", "capprops"), line)
            thick = line | {"linewidth": 2.2}
            place_of = {"positions": [place], "widths": 0.5, "showfliers": False}
            axes.boxplot([values], **place_of, **parts, medianprops=thick)
            some = series.thinned(values)
            spread = [place + 0.36 * ((0.618 * n) % 1 - 0.5) for n in range(len(some))]
            axes.scatter(spread, some, s=9, color=colour, alpha=0.45, linewidths=0)
        axes.set_xticks(range(1, len(groups) + 1), [name for name, _, _ in groups])
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("reward")
        return {}

    said = "; ".join(
        f"{name.replace(chr(10), ', ')}: median {median(values):.3f} of {len(values)}"
        for name, values, _ in groups
    )
    note = "Box: quartiles and median. Every trial that went through a stage is a point."
    note += thinning_note(runs)
    return Chart("Rewards by stage", chart(plot, f"Rewards by stage. {said}."), note)


def stopped_chart(runs: Runs) -> Chart:
    """Share of trials stopped after stage 1, with the probability p of going on."""

    def plot(axes: Any) -> Mapping[str, Sequence[str]]:
        for run, colour in zip(runs, COLOURS, strict=False):
            share = series.stopped_share(run.scored, series.window(len(run.scored)))
            xs, ys = [x for x, _ in share], [y for _, y in share]
            axes.plot(xs, ys, color=colour, lw=1.8, label=f"{run.label}: stopped")
        for name, colour, run in annealed:
            numbers = series.thinned(range(max(len(run.trials) for run in runs)))
            ps = [_proceed(run, number) for number in numbers]
            axes.plot([n + 1 for n in numbers], ps, color=colour, lw=1.2, ls="--", label=name)
        label_trials(axes, "share of the last trials")
        axes.set_ylim(-0.03, 1.03)
        name_axes(axes)
        return {}

    annealed = [("p", MUTED, runs[0])]
    if len({(_proceed(run, 0), _proceed(run, 1)) for run in runs}) > 1:
        pairs = zip(runs, COLOURS, strict=False)
        annealed = [(f"{run.label}: p", colour, run) for run, colour in pairs]
    said = " ".join(
        f"{run.label}: {sum(t.state == STOPPED for t in run.scored)} of {len(run.scored)} trained."
        for run in runs
    )
    alt = f"Share of trials stopped after stage 1. {said} p is {_proceed(runs[0], 0):.2f} at first."
    note = (
        "p is the probability that a trial at or below the mean stage-1 reward of earlier "
        "batches goes on all the same; it is annealed over the run."
    )
    return Chart("Stopped after stage 1", chart(plot, alt), note)


def _proceed(run: Run, number: int) -> float:
    search = run.settings["search"]
    return proceed_probability(search["proceed"], search["proceed_half_life"], number)

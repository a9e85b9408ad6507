"""Plots by matplotlib (the extra ``report``), which is imported only when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.compiler.files import atomic_write
from auxnas.search.studies.ablation import (
    COMPONENTS,
    KINDS,
    EvaluationRow,
    setup_metrics,
    setup_rewards,
)
from auxnas.search.studies.correlation import titles

_PANEL = (4.2, 3.8)
"""Inches of a panel."""


def require_matplotlib() -> None:
    """Fails before the work that a plot is drawn of.

    Raises:
        BackendUnavailable: naming the extra to install.
    """
    if find_spec("matplotlib") is None:
        raise BackendUnavailable("plots", "matplotlib", "report")


def new_figure(widths: Sequence[float]) -> tuple[Any, list[Any]]:
    """A figure with panels side by side, of these widths in units of a usual one."""
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(sum(widths) * _PANEL[0], _PANEL[1]), layout="constrained")
    panels = figure.subplots(1, len(widths), squeeze=False, width_ratios=list(widths))[0]
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", alpha=0.3)
    return figure, list(panels)


def save_figure(figure: Any, path: Path) -> None:
    """Writes a figure; the suffix decides the format."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=150)


def boxes(panel: Any, groups: Sequence[tuple[str, Sequence[float]]], ylabel: str) -> None:
    """A box a group, with its values as points beside each other."""
    from matplotlib.ticker import MaxNLocator

    places = range(1, len(groups) + 1)
    heights = [list(values) for _, values in groups]
    median = {"color": "C1", "linewidth": 2}
    panel.boxplot(heights, positions=list(places), showfliers=False, medianprops=median)
    for place, (_, values) in zip(places, groups, strict=True):
        steps = [place + 0.22 * (n % 5 - 2) / 2 for n in range(len(values))]
        panel.scatter(steps, values, s=12, color="C0", alpha=0.6, linewidths=0, zorder=3)
    panel.set_xticks(list(places), [name for name, _ in groups], rotation=35, ha="right")
    panel.yaxis.set_major_locator(MaxNLocator(6))
    panel.set_ylabel(ylabel)


def scatter(panel: Any, x: Sequence[float], y: Sequence[float], labels: tuple[str, str]) -> None:
    """Points, the axes named by ``labels``."""
    panel.scatter(x, y, s=18, alpha=0.7, linewidths=0)
    panel.set_xlabel(labels[0])
    panel.set_ylabel(labels[1])


def plot_components(found: Mapping[str, Any], path: Path) -> None:
    """Rewards by setup, a panel a stage (paper, Figure 3)."""
    figure, panels = new_figure([1.3, 1.3])
    rows = _sound(found)
    for stage, panel in enumerate(panels, 1):
        groups = [(setup.name, setup_rewards(rows, setup, stage)) for setup in COMPONENTS]
        boxes(panel, groups, f"reward after stage {stage}")
        panel.set_title(f"{found['genotypes']} random architectures", fontsize=10)
    save_figure(figure, path)


def plot_kinds(found: Mapping[str, Any], path: Path) -> None:
    """Headline metric by kind of auxiliary head: of each architecture, and all (Figure 4)."""
    figure, (each, together) = new_figure([2, 1])
    rows = _sound(found)
    name, title = found["metric"]["name"], found["metric"]["title"]
    values = {setup.auxiliary: setup_metrics(rows, setup, name) for setup in KINDS}
    sign = -1 if found["metric"]["higher"] else 1
    order = sorted(range(found["genotypes"]), key=lambda n: sign * values["cell"][n])
    for (kind, scores), mark in zip(values.items(), ("o", "s", "^"), strict=True):
        heights = [scores[n] for n in order]
        each.scatter(range(1, len(order) + 1), heights, s=22, marker=mark, label=kind, alpha=0.8)
    each.xaxis.get_major_locator().set_params(integer=True)
    each.set_xlabel(f"architecture, by its {title} with cells")
    each.set_ylabel(f"{title} after stage 2")
    each.legend(title="auxiliary", fontsize=8)
    boxes(together, list(values.items()), f"{title} after stage 2")
    save_figure(figure, path)


def _sound(found: Mapping[str, Any]) -> list[EvaluationRow]:
    failed = {row["number"] for row in found["evaluations"] if row["failure"] is not None}
    return [row for row in found["evaluations"] if row["number"] not in failed]


def plot_correlation(found: Mapping[str, Any], path: Path) -> None:
    """The scatter plots of all pairs, their correlations above (paper, Figure 5)."""
    figure, panels = new_figure([1] * len(found["correlations"]))
    named = titles(found["metric"])
    for panel, known in zip(panels, found["correlations"], strict=True):
        pair = (known["first"], known["second"])
        rows = [r for r in found["architectures"] if all(r[name] is not None for name in pair)]
        axes = [[row[name] for row in rows] for name in pair]
        scatter(panel, axes[0], axes[1], (named[pair[0]], named[pair[1]]))
        panel.set_title(f"{_coefficient(known['spearman'])}, n = {known['count']}", fontsize=10)
    save_figure(figure, path)


def _coefficient(value: float | None) -> str:
    """A correlation for people."""
    return "no correlation defined" if value is None else f"Spearman's rho = {value:.2f}"

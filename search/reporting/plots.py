"""Plots by matplotlib (the extra ``report``), which is imported only when one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.compiler.files import atomic_write

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

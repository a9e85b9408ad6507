"""Limits on a network's cost, and the weight of latency in a reward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auxnas.search.settings.search import LatencySettings, LimitSettings
from auxnas.search.trials.records import Figures

LIMITED = ("params", "madds", "latency_ms")
"""Limits of figures, by the setting's name."""


def first_excess(limits: LimitSettings, figures: Figures) -> tuple[str, str] | None:
    """The first limit that ``figures`` are over, and a line on it; None when there is none."""
    return next(excesses(limits, figures), None)


def excesses(limits: LimitSettings, figures: Figures) -> Iterator[tuple[str, str]]:
    """All limits that ``figures`` are over, with a line on each."""
    if limits.constant and figures.constant:
        yield "constant", "its output does not depend on the image"
    for name, value in _limited(figures).items():
        most = getattr(limits, name)
        if most is not None and value is not None and value > most:
            yield name, f"{name} {_text(value)}, at most {_text(most)}"


def least_seen(limits: LimitSettings, seen: Sequence[Figures]) -> str:
    """Least value seen of each limited figure, with its limit, in words."""
    if limits.constant and all(figures.constant for figures in seen):
        return "no output depends on the image"
    parts = []
    for name in LIMITED:
        most = getattr(limits, name)
        values = [value for each in seen if (value := _limited(each)[name]) is not None]
        if values and most is not None:
            parts.append(f"the least {name} {_text(min(values))}, at most {_text(most)}")
    return "; ".join(parts)


def _limited(figures: Figures) -> dict[str, float | None]:
    """The figures that can be limited, by the setting's name."""
    values = figures.parameters, figures.multiply_adds, figures.latency
    return dict(zip(LIMITED, values, strict=True))


def _text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def weighted_reward(reward: float, latency: float | None, settings: LatencySettings) -> float:
    """``reward x (latency / target) ^ exponent`` (MnasNet, Tan et al., CVPR 2019, section 3).

    The one exponent, -0.07, on both sides of the target makes of it a soft aim: twice the
    latency has to bring 5 % more reward. Without a target the reward stays what it is.

    Args:
        reward: of the last stage.
        latency: milliseconds.
        settings: target and exponent.
    """
    if settings.target_ms is None or latency is None:
        return reward
    return reward * float((latency / settings.target_ms) ** settings.exponent)

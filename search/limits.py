"""Which networks are too expensive to be tried, and what latency makes of a reward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auxnas.search.config import LatencySettings, LimitSettings
from auxnas.search.trials import Figures


def excess(limits: LimitSettings, figures: Figures) -> tuple[str, str] | None:
    """The first limit that ``figures`` are over, and a line on it; None when there is none."""
    return next(excesses(limits, figures), None)


def excesses(limits: LimitSettings, figures: Figures) -> Iterator[tuple[str, str]]:
    """All limits that ``figures`` are over, with a line on each."""
    for name, value in _limited(figures).items():
        most = getattr(limits, name)
        if most is not None and value is not None and value > most:
            yield name, f"{name} {_text(value)}, at most {_text(most)}"


def least(limits: LimitSettings, seen: Sequence[Figures]) -> str:
    """In words, the least that was seen of each figure that is limited, and its limit."""
    parts = []
    for name, most in limits.model_dump(exclude_none=True).items():
        values = [value for each in seen if (value := _limited(each)[name]) is not None]
        if values:
            parts.append(f"the least {name} {_text(min(values))}, at most {_text(most)}")
    return "; ".join(parts)


def _limited(figures: Figures) -> dict[str, float | None]:
    """What of the figures can be limited, by the setting's name."""
    return {
        "params": figures.parameters,
        "madds": figures.multiply_adds,
        "latency_ms": figures.latency,
    }


def _text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def weighted(reward: float, latency: float | None, settings: LatencySettings) -> float:
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

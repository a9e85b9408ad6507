"""Course of a pre-training: progress, forecast of the time left, and losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from time import monotonic
from typing import Any

from auxnas.backends.base import TrainingStep
from auxnas.backends.progress import Advance, Forecast

PARTS = 1000
"""Units of progress of a training."""
_BETWEEN_FORECASTS = 10.0
"""Seconds of training, the first step apart, after which is told how long it will take; and after
each part."""


@dataclass
class Course:
    """The course of a training, over all processes that went on with it.

    Attributes:
        seconds: spent.
        losses: (epoch from 1, mean loss), of those that are known.
    """

    seconds: float = 0.0
    losses: list[tuple[int, float]] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """As plain data."""
        return {"seconds": self.seconds, "losses": self.losses}


class CourseProgress:
    """Shows how far a pre-training is, and tells how long it will still take.

    The pace is that of this process.

    Args:
        epochs: of the whole training.
        forecast: is told how many seconds are left, and how many at the fastest pace so far.
        advance: shows.
    """

    def __init__(
        self, epochs: int, forecast: Callable[[float, float], None], advance: Advance
    ) -> None:
        self._epochs, self._tell, self._advance = epochs, forecast, advance
        self._forecast = Forecast()
        self._foretold: float | None = None
        self._losses: dict[int, list[float]] = {}

    def __call__(self, step: TrainingStep) -> None:
        """Records a training step."""
        epoch = -(-step.step * self._epochs // step.steps)
        text = f"epoch {epoch}/{self._epochs}, loss {step.loss:.3f}"
        self._advance(PARTS * step.step // step.steps, text)
        self._losses.setdefault(epoch, []).append(step.loss)
        now = monotonic()
        self._forecast.note(step.step / step.steps, now)
        self._foretold = now if self._foretold is None else self._foretold
        if now - self._foretold >= _BETWEEN_FORECASTS:
            self.foretell(step.step / step.steps)

    def take_losses(self) -> list[tuple[int, float]]:
        """(epoch, mean of its steps' losses) since the last call."""
        found = [(epoch, fmean(losses)) for epoch, losses in self._losses.items()]
        self._losses.clear()
        return found

    def foretell(self, share: float) -> None:
        """Tells how long the rest takes when ``share`` is done."""
        left, least = self._forecast.left(1 - share), self._forecast.least(1 - share)
        if left is not None and least is not None:
            self._foretold = monotonic()
            self._tell(left, least)

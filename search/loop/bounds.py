"""Time that a run has been going on, and its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


@dataclass(frozen=True)
class Until:
    """End of a run, at the first of these bounds; None is no bound.

    Attributes:
        trials: how many, the first ones by number.
        seconds: how long it has been going on, all sessions together. Trials under way
            then are finished, so that what such a run found is the start of a longer one.
    """

    trials: int | None = None
    seconds: float | None = None

    def begins(self, number: int, seconds: float) -> bool:
        """Whether the trial of this number, from 0, is begun after so much time."""
        within = self.trials is None or number < self.trials
        return within and (self.seconds is None or seconds < self.seconds)


@dataclass(frozen=True)
class RunClock:
    """Time that a run has been going on.

    Attributes:
        before: seconds of its earlier sessions.
        now: tells the time in seconds.
        start: when this session began.
    """

    before: float = 0.0
    now: Callable[[], float] = monotonic
    start: float = field(default_factory=monotonic)

    @property
    def session(self) -> float:
        """Seconds of this session."""
        return self.now() - self.start

    @property
    def total(self) -> float:
        """Seconds of all sessions."""
        return self.before + self.session

"""Progress of a run for people, trial by trial."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from auxnas.backends.base import TrainingStep
from auxnas.backends.progress import Display, format_duration
from auxnas.search.evaluation.two_stages import StageProgress
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.trials.records import PENDING, SCORED, STOPPED, Stage, Trial
from auxnas.search.trials.rows import ending_text

_STAGES = 2
_PARTS = 1000


@dataclass(frozen=True)
class Pace:
    """Speed of a session.

    Attributes:
        trials: how many have ended in it.
        seconds: since the first of them was begun.
    """

    trials: int
    seconds: float

    def __str__(self) -> str:
        hourly = 3600 * self.trials / max(self.seconds, 1e-9)
        return f"{hourly:.0f} trials/h" if hourly >= 10 else f"{hourly:.1f} trials/h"

    def left(self, ended: int, spent: float, until: Until) -> float | None:
        """Seconds until the run's first bound, if it goes on like this.

        Args:
            ended: trials that have ended, in all sessions.
            spent: seconds of all sessions.
            until: the bounds.
        """
        bounds = [] if until.seconds is None else [until.seconds - spent]
        if until.trials is not None:
            bounds.append((until.trials - ended) * self.seconds / self.trials)
        return max(0.0, min(bounds)) if bounds else None


@dataclass
class Tally:
    """Counts of the trials that have ended.

    Attributes:
        ended: how many.
        stopped: those stopped after stage 1.
        best: largest reward of those that were scored; None before the first.
    """

    ended: int = 0
    stopped: int = 0
    best: float | None = None

    def add(self, trial: Trial) -> None:
        """Counts a trial that has ended."""
        self.ended += 1
        self.stopped += trial.state == STOPPED
        if trial.state in SCORED and trial.reward is not None:
            self.best = trial.reward if self.best is None else max(self.best, trial.reward)


class Watch:
    """Shows each trial's progress, and a line when it has ended. Use it in ``with``.

    Args:
        display: destination of progress.
        until: bounds of the run.
        clock: the run's.
    """

    def __init__(self, display: Display, until: Until, clock: RunClock) -> None:
        self._display, self._until, self._clock = display, until, clock
        self._bars: dict[int, ExitStack] = {}
        self._began: float | None = None
        self._ended = 0
        self._tally: Tally | None = None
        self._standing = ""

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for bar in self._bars.values():
            bar.__exit__(kind, error, trace)

    def started(self, trial: Trial) -> StageProgress:
        """Opens the trial's bar."""
        self._note_start()
        self._bars.pop(trial.number, ExitStack()).close()  # of a trial that is begun again
        bar = self._bars[trial.number] = ExitStack()
        advance = bar.enter_context(self._display.task(self._title(trial), _STAGES * _PARTS))

        def progress(stage: int, step: TrainingStep, before: Stage | None = None) -> None:
            done = (stage - 1) * _PARTS + _PARTS * step.step // step.steps
            after = "" if before is None else f" after {before.reward:.3f}"
            advance(done, f"stage {stage}{after}, loss {step.loss:.3f}{self._standing}")

        return progress

    def finished(self, trial: Trial, trials: list[Trial]) -> None:
        """Closes the bar and says how the trial ended."""
        self._note_start()
        self._bars.pop(trial.number, ExitStack()).close()
        self._ended += 1
        self._standing = self._summary(self._counted(trial, trials))
        self._display.say(f"{self._title(trial)}: {ending_text(trial)}{self._standing}")

    def _note_start(self) -> None:
        if self._began is None:
            self._began = self._clock.session

    def _title(self, trial: Trial) -> str:
        total = "" if self._until.trials is None else f"/{self._until.trials}"
        return f"trial {trial.number + 1}{total}"

    def _counted(self, ended: Trial, trials: list[Trial]) -> Tally:
        """The tally with one more trial; of all of them the first time."""
        fresh = [ended]
        if self._tally is None:
            self._tally, fresh = Tally(), [t for t in trials if t.state != PENDING]
        for trial in fresh:
            self._tally.add(trial)
        return self._tally

    def _summary(self, tally: Tally) -> str:
        """State of the run, to be put behind other words."""
        pace = Pace(self._ended, self._clock.session - (self._began or 0.0))
        left = pace.left(tally.ended, self._clock.total, self._until)
        parts = [
            "" if tally.best is None else f"best {tally.best:.3f}",
            str(pace),
            f"{tally.stopped} stopped after stage 1" if tally.stopped else "",
            f"whole run {format_duration(left)} left" if left else "",
        ]
        return "".join(f", {part}" for part in parts if part)

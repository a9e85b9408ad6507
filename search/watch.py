"""Tells a person how a run goes, trial by trial."""

from __future__ import annotations

from contextlib import ExitStack
from time import monotonic

from backends.base import Step
from search.evaluator import StageProgress
from search.progress import Display, clock
from search.trials import COMPLETE, FAILED, PENDING, REUSED, Trial, best_of

_STAGES = 2
_PARTS = 1000


class Watch:
    """Shows each trial's progress, and a line when it has ended. Use it in ``with``."""

    def __init__(self, display: Display, total: int) -> None:
        self._display, self._total = display, total
        self._bar = ExitStack()
        self._best = ""
        self._started, self._ended = monotonic(), 0

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def started(self, trial: Trial) -> StageProgress:
        """Opens the trial's bar."""
        title = f"trial {trial.number + 1}/{self._total}"
        advance = self._bar.enter_context(self._display.task(title, _STAGES * _PARTS))

        def progress(stage: int, step: Step) -> None:
            done = (stage - 1) * _PARTS + _PARTS * step.step // step.steps
            advance(done, f"stage {stage}, loss {step.loss:.3f}{self._best}")

        return progress

    def finished(self, trial: Trial, trials: list[Trial]) -> None:
        """Closes the bar and says how the trial ended."""
        self._bar.close()
        self._ended += 1
        best = best_of(trials)
        self._best = f", best {best[0].reward:.3f}" if best else ""
        title = f"trial {trial.number + 1}/{self._total}"
        self._display.say(f"{title}: {ending(trial)}{self._best}{self._left(trials)}")

    def _left(self, trials: list[Trial]) -> str:
        missing = self._total - sum(trial.state != PENDING for trial in trials)
        pace = (monotonic() - self._started) / self._ended
        return f", about {clock(pace * missing)} left" if missing > 0 else ""


def ending(trial: Trial) -> str:
    """How a trial ended, in a few words."""
    if trial.failure is not None:
        return f"failed ({trial.failure.kind}: {trial.failure.detail})"
    if trial.state == REUSED and trial.source is not None:
        return f"reward {trial.reward:.3f}, the same architecture as trial {trial.source + 1}"
    if trial.state in (PENDING, FAILED):
        return trial.state
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in trial.metrics.items())
    how = "two stages" if trial.state == COMPLETE else "stopped after stage 1"
    return f"reward {trial.reward:.3f} ({metrics}), {how}, {clock(trial.seconds)}"

"""Whether pre-training fits into a run's budget."""

from __future__ import annotations

from dataclasses import dataclass, field

from auxnas.backends.progress import format_duration as text_of
from auxnas.search.errors import SettingsError
from auxnas.search.loop.bounds import RunClock
from auxnas.search.loop.context import RunContext
from auxnas.search.settings.durations import duration_text
from auxnas.search.storage.journal import Journal

_SHARE = 0.5
"""Share of the budget from which a long pre-training is warned of."""
_PATIENCE, _LONGEST = 0.1, 60.0
"""Share of the budget, and seconds at most, before which no run is ended for a forecast."""


@dataclass
class Allowance:
    """Check, during pre-training, that the budget leaves time for a trial; journals time spent.

    A run whose budget would be over before its first trial ends as soon as that is known,
    rather than with nothing when it is over. It is known when that holds for the fastest pace that
    was seen, a while after the beginning: a machine that is busy for some steps ends no run.
    """

    context: RunContext
    journal: Journal
    clock: RunClock
    _said: bool = field(default=False, init=False)

    def __call__(self, left: float, least: float) -> None:
        """``left`` seconds of pre-training are left, ``least`` at the fastest pace so far.

        Raises:
            SettingsError: when the budget ends before.
        """
        self.journal.spend(self.clock.session)
        budget = self.context.settings.budget
        if budget is None:
            return
        end, spent = self.clock.total + left, self.clock.total
        if spent + least >= budget and spent >= min(_PATIENCE * budget, _LONGEST):
            found = f"{duration_text(budget)}, but pre-training ends after about {text_of(end)}"
            raise SettingsError("budget", found, self._advice(end, budget))
        if not self._said:
            self._said = True
            share = "warning: " if end > _SHARE * budget else ""
            words = f"pre-training ends after about {text_of(end)} of the budget of"
            self.context.display.say(f"{share}{words} {duration_text(budget)}")

    def _advice(self, end: float, budget: float) -> str:
        """Settings to change so that pre-training takes half of the budget at most."""
        epochs = int(self.context.settings.pretrain.epochs * _SHARE * budget / end)
        fewer = [f"--set pretrain.epochs={epochs}"] if epochs else []
        more = f"a --budget of {duration_text(60 * -(-end / _SHARE // 60))} or more"
        other = ", ".join([*fewer, "a smaller --size or --encoder-weights FILE"])
        return f"{more}, or nassearch run into another --out with {other}"

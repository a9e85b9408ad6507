"""Rank correlation of a search's rewards with full training (paper, section 4.3).

A sample of a run's architectures is trained for long; Spearman's rank correlation then
compares what both stages said of them with what became of them (paper, Figure 5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auxnas.backends.base import TrialFailure
from auxnas.compiler.tasks import Metric
from auxnas.search.errors import RequestError
from auxnas.search.studies.ranks import p_value, spearman
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.run import train_network
from auxnas.search.trials.records import COMPLETE, SCORED, Trial

STAGES = ("stage1", "stage2", "full")
"""The three rewards of an architecture."""
PAIRS = (("stage1", "stage2"), ("stage1", "full"), ("stage2", "full"))
LEAST = 3
"""Architectures that a correlation takes at least."""


def titles(metric: Mapping[str, Any]) -> dict[str, str]:
    """Titles of the numbers of an architecture, by name.

    Args:
        metric: name and title of the task's most telling one, as in the report.
    """
    return {
        "stage1": "reward after stage 1",
        "stage2": "reward after stage 2",
        "full": "reward after full training",
        metric["name"]: f"{metric['title']} after full training",
    }


@dataclass(frozen=True)
class Sampled:
    """An architecture of the run, and the result of its full training.

    Attributes:
        trial: as the run has it.
        result: of its full training; None where that failed.
        failure: reason for that.
    """

    trial: Trial
    result: Mapping[str, Any] | None
    failure: str | None = None

    def row(self, metric: str) -> dict[str, Any]:
        """As plain data, with that metric of its full training."""
        rewards = [stage.reward for stage in self.trial.stages]
        found = self.result or {}
        return {
            "trial": self.trial.number + 1,
            "stage1": rewards[0],
            "stage2": rewards[1] if len(rewards) > 1 else None,
            "full": found.get("reward"),
            metric: found.get(metric),
            "parameters": self.trial.parameters,
            "multiply_adds": self.trial.multiply_adds,
            "failure": self.failure,
            "genotype": str(self.trial.genotype),
        }


def choose_trials(trials: Sequence[Trial], count: int) -> list[Trial]:
    """At most ``count`` trials, spread evenly over the ranks of their last stages' rewards.

    The best and the worst are among them (paper: 10 poor, 10 medium and 10 good ones), and so
    are some that were stopped after stage 1.

    Raises:
        RequestError: when there are too few.
    """
    scored = [trial for trial in trials if trial.state in SCORED]
    ranked = sorted(scored, key=lambda trial: (trial.stages[-1].reward, trial.number))
    if len(ranked) < LEAST:
        found = f"{len(ranked)} trials with a reward of their own"
        raise RequestError("correlate", found, f"at least {LEAST}")
    if len(ranked) <= count:
        return ranked
    return [ranked[round(n * (len(ranked) - 1) / (count - 1))] for n in range(count)]


def train_all(
    trials: Sequence[Trial],
    context_of: Callable[[Trial], TrainingContext],
    say: Callable[[str], None],
) -> list[Sampled]:
    """All of them trained for long, each in a folder of its own; finished ones are kept.

    Args:
        trials: to be trained.
        context_of: the context of one's training.
        say: is told which one is next, and of failures, which end no other training.
    """
    found = []
    for number, trial in enumerate(trials, 1):
        rewards = ", ".join(f"{stage.reward:.3f}" for stage in trial.stages)
        say(f"architecture {number}/{len(trials)}: trial {trial.number + 1}, rewards {rewards}")
        try:
            found.append(Sampled(trial, train_network(context_of(trial))))
        except TrialFailure as failure:
            say(f"trial {trial.number + 1}: failed ({failure})")
            found.append(Sampled(trial, None, str(failure)))
    return found


def correlations(
    rows: Sequence[Mapping[str, Any]], headline: tuple[str, Metric]
) -> list[dict[str, Any]]:
    """Spearman's rank correlation of pairs, over the rows that have both.

    Those of ``PAIRS``, and the second stage's reward with the headline metric after full training,
    negated where lower is better: all correlations are of merits.
    """
    result, (name, metric) = [], headline
    for first, second in (*PAIRS, ("stage2", name)):
        both = [row for row in rows if row[first] is not None and row[second] is not None]
        sign = 1 if second != name or metric.higher else -1
        one, other = [row[first] for row in both], [sign * row[second] for row in both]
        known = {"first": first, "second": second, "count": len(both)}
        result.append({**known, "spearman": spearman(one, other), "chance": p_value(one, other)})
    return result


def correlation_report(
    trials: Sequence[Trial], sampled: Sequence[Sampled], headline: tuple[str, Metric]
) -> dict[str, Any]:
    """Results as plain data.

    ``stages`` compares the two stages over all trials that went through both.
    """
    name, metric = headline
    rows = [one.row(name) for one in sampled]
    both = [trial for trial in trials if trial.state == COMPLETE]
    first, second = ([trial.stages[n].reward for trial in both] for n in range(2))
    return {
        "architectures": rows,
        "metric": {"name": name, "title": metric.title, "higher": metric.higher},
        "correlations": correlations(rows, headline),
        "stages": {
            "count": len(both),
            "spearman": spearman(first, second),
            "chance": p_value(first, second),
        },
    }

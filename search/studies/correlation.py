"""Rank correlation of a search's rewards with full training (paper, section 4.3).

A sample of a run's architectures is trained for long; Spearman's rank correlation then
compares what both stages said of them with what became of them (paper, Figure 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auxnas.compiler.tasks import Metric
from auxnas.search.errors import RequestError
from auxnas.search.studies.ranks import p_value, spearman
from auxnas.search.studies.trainings import Sampled
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

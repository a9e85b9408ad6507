"""Ablation of Polyak averaging, auxiliary cells and distillation (paper, Figures 3 and 4).

The same random genotypes, with the same seeds, are evaluated in both stages with each of
the three switched on and off, and once with an auxiliary classifier in the cell's place.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import compress, product
from pathlib import Path
from typing import Any

from auxnas.backends.base import Learner
from auxnas.compiler.tasks import Metric
from auxnas.genotype import Genotype, SearchSpace
from auxnas.search.errors import RequestError, SettingsError
from auxnas.search.evaluation.two_stages import StageProgress, TwoStages
from auxnas.search.executors.base import Executor
from auxnas.search.settings.search import Settings
from auxnas.search.settings.stages import StageSettings
from auxnas.search.studies.ranks import box_summary
from auxnas.search.trials.records import LOST, Job, Outcome, trial_seed

RESULTS = "ablation.jsonl"
"""A line an evaluation, in the ablation's folder."""


@dataclass(frozen=True)
class Setup:
    """Setup of an evaluation: the paper's components that are on.

    Attributes:
        polyak: whether the parameters' running average is validated.
        auxiliary: ``none``, ``classifier`` or ``cell``.
        distillation: whether stage 1 learns from the teacher too.
    """

    polyak: bool = False
    auxiliary: str = "none"
    distillation: bool = False

    @property
    def name(self) -> str:
        """As in the paper's figures."""
        heads = {"none": "", "classifier": "classifier", "cell": "AUX"}
        parts = ("Polyak" * self.polyak, heads[self.auxiliary], "KD" * self.distillation)
        return "+".join(filter(None, parts)) or "baseline"

    def of(self, whole: TwoStages) -> TwoStages:
        """The evaluator with what is off taken out."""
        stages = (self._stage(whole.stage1), self._stage(whole.stage2))
        spec = replace(whole.spec, auxiliary=self.auxiliary)
        return replace(whole, spec=spec, stage1=stages[0], stage2=stages[1])

    def _stage(self, settings: StageSettings) -> StageSettings:
        off = {"polyak": self.polyak, "distillation": self.distillation}
        return settings.model_copy(update={name: 0.0 for name, on in off.items() if not on})


COMPONENTS = tuple(
    Setup(polyak, auxiliary, distillation)
    for polyak, auxiliary, distillation in sorted(
        product((False, True), ("none", "cell"), (False, True)),
        key=lambda on: on[0] + (on[1] == "cell") + on[2],
    )
)
"""Figure 3: every combination, from none of the three to all of them."""
KINDS = (Setup(), Setup(auxiliary="classifier"), Setup(auxiliary="cell"))
"""Figure 4, where the paper leaves out Polyak averaging and distillation."""
SETUPS = tuple(dict.fromkeys((*COMPONENTS, *KINDS)))
"""All of them, each once."""


def genotypes(space: SearchSpace, count: int, seed: int) -> list[Genotype]:
    """The first ``count`` of an endless series, uniform over isomorphism classes."""
    rng = random.Random(f"ablation {seed}")
    return [space.sample(rng, "isomorphism") for _ in range(count)]


EvaluationRow = dict[str, Any]


def evaluation_row(
    number: int, genotype: Genotype, setup: Setup, outcome: Outcome
) -> EvaluationRow:
    """An evaluation as plain data."""
    failure = outcome.failure
    return {
        "number": number,
        "genotype": str(genotype),
        "setup": setup.name,
        "stages": [
            {"reward": stage.reward, "metrics": dict(stage.metrics), "seconds": stage.seconds}
            for stage in outcome.stages
        ],
        "failure": None if failure is None else f"{failure.kind}: {failure.detail}",
    }


def read_rows(folder: Path) -> list[EvaluationRow]:
    """The evaluations so far; what a killed process left of a line is cut off."""
    path = folder / RESULTS
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        with path.open("r+b") as file:
            file.truncate(len(whole.encode()))
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise RequestError(str(path), f"a line that is not JSON ({error})", "one a line") from None


def append_row(folder: Path, row: EvaluationRow) -> None:
    """Adds an evaluation, on the disk when this returns."""
    with (folder / RESULTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True)
class InSetups:
    """Evaluates jobs whose number says both a genotype's and, within it, the setup's."""

    whole: TwoStages

    @property
    def learner(self) -> Learner:
        """Trains."""
        return self.whole.learner

    def __call__(self, job: Job, progress: StageProgress) -> Outcome:
        """Evaluates the genotype in the setup."""
        number, setup = divmod(job.number, len(SETUPS))
        return SETUPS[setup].of(self.whole)(replace(job, number=number), progress)


def evaluate_all(
    executor: Executor,
    chosen: Sequence[Genotype],
    seed: int,
    folder: Path,
    started: Callable[[int, Setup], StageProgress],
    finished: Callable[[EvaluationRow], None],
    retries: int = 2,
) -> list[EvaluationRow]:
    """Every genotype in every setup, genotype by genotype; those in the folder are kept.

    Args:
        executor: evaluates them, with ``InSetups``.
        chosen: the genotypes.
        seed: of the evaluations' seeds: the same in every setup.
        folder: of the evaluations.
        started: is told what is next; returns its progress callback.
        finished: is told what came out.
        retries: how often one whose machine is lost is begun again before it has failed.
    """
    rows = {(row["number"], row["setup"]): row for row in read_rows(folder)}
    every = [(number, setup) for number in range(len(chosen)) for setup in SETUPS]
    missing = [(number, setup.name) not in rows for number, setup in every]
    waiting = deque(compress(range(len(every)), missing))
    under_way, losses = set[int](), Counter[int]()
    while waiting or under_way:
        while waiting and len(under_way) < executor.places:
            place = waiting.popleft()
            number, setup = every[place]
            job = Job(place, chosen[number], trial_seed(seed, number))
            executor.submit(job, started(number, setup))
            under_way.add(place)
        place, outcome = executor.next()
        under_way.remove(place)
        losses[place] += outcome.state == LOST
        if outcome.state == LOST and losses[place] <= retries:
            waiting.appendleft(place)
            continue
        number, setup = every[place]
        row = evaluation_row(number, chosen[number], setup, outcome)
        append_row(folder, row)
        rows[number, setup.name] = row
        finished(row)
    return [rows[number, setup.name] for number, setup in every]


def ablation_report(rows: Sequence[EvaluationRow], headline: tuple[str, Metric]) -> dict[str, Any]:
    """Results as plain data, over the genotypes that failed in no setup.

    ``components``: of each setup of Figure 3 and each stage the rewards' summary, the mean
    gain over the baseline and how many genotypes gained. ``kinds``: of each kind of
    auxiliary head the headline metric after stage 2, and for how many genotypes it was the best.

    Args:
        rows: the evaluations.
        headline: name and meaning of the task's most telling metric.
    """
    name, metric = headline
    failed = {row["number"] for row in rows if row["failure"] is not None}
    sound = [row for row in rows if row["number"] not in failed]
    return {
        "genotypes": len({row["number"] for row in sound}),
        "failed": len(failed),
        "metric": {"name": name, "title": metric.title, "higher": metric.higher},
        "components": [
            {"setup": setup.name, "stage": stage, **_gain(sound, setup, stage)}
            for stage in (1, 2)
            for setup in COMPONENTS
        ],
        "kinds": _kinds(sound, name, max if metric.higher else min),
        "evaluations": list(rows),
    }


def setup_rewards(rows: Sequence[EvaluationRow], setup: Setup, stage: int) -> list[float]:
    """The rewards after a stage, in the order of the genotypes."""
    return [row["stages"][stage - 1]["reward"] for row in rows if row["setup"] == setup.name]


def setup_metrics(rows: Sequence[EvaluationRow], setup: Setup, metric: str) -> list[float]:
    """A metric after stage 2, in the order of the genotypes."""
    return [row["stages"][1]["metrics"][metric] for row in rows if row["setup"] == setup.name]


def _gain(rows: Sequence[EvaluationRow], setup: Setup, stage: int) -> dict[str, Any]:
    found, base = setup_rewards(rows, setup, stage), setup_rewards(rows, COMPONENTS[0], stage)
    gains = [one - other for one, other in zip(found, base, strict=True)]
    gain = sum(gains) / len(gains) if gains else None
    return {**box_summary(found), "gain": gain, "gained": sum(gain > 0 for gain in gains)}


def _kinds(
    rows: Sequence[EvaluationRow], metric: str, best: Callable[[Sequence[float]], float]
) -> list[dict[str, Any]]:
    found = {setup.auxiliary: setup_metrics(rows, setup, metric) for setup in KINDS}
    most = [best(values) for values in zip(*found.values(), strict=True)]
    return [
        {
            "auxiliary": kind,
            **box_summary(values),
            "best": sum(value == top for value, top in zip(values, most, strict=True)),
        }
        for kind, values in found.items()
    ]


def check_components(settings: Settings) -> None:
    """Checks that each component is on in the settings, so that its absence makes a difference.

    Raises:
        SettingsError: naming the first.
    """
    first, second = settings.stage1, settings.stage2
    if settings.encoder_weights is not None and settings.teacher is None:
        expected = "a teacher with it, for distillation"
        raise SettingsError("encoder_weights", settings.encoder_weights, expected)
    needed = {
        "stage1.distillation": first.distillation,
        "stage1.polyak": first.polyak,
        "stage2.polyak": second.polyak,
        "stage1.auxiliary": first.auxiliary,
        "stage2.auxiliary": second.auxiliary,
    }
    for name, value in needed.items():
        if not value:
            raise SettingsError(name, repr(value), "more than 0, to compare with 0")

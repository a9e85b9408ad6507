"""What do a wide batch and a lag cost PPO, and what does being told in parts give back?

    OMP_NUM_THREADS=1 python bench/widths.py --output widths.json

PPO at a rate of 1e-3 on the paper's space, rewards in closed form (``bench/controllers.py``), told
as a run tells it: before each batch of all trials but the last ``lag``, ``update_every`` at a time.
Mean reward of the last tenth of the proposals by the 400th and by the last one, over seeds, with
the deviation over seeds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from controllers import formula

from auxnas.compiler.files import atomic_write
from auxnas.genotype import SearchSpace
from auxnas.search.loop.replay import tell_searcher
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.search import SearchSettings
from auxnas.search.storage.environment import package_versions
from auxnas.search.trials.records import COMPLETE, Trial

FIRST = 400
"""Proposals after which rewards are compared first."""


@dataclass(frozen=True)
class Width:
    """What is compared.

    Attributes:
        batch: of the search.
        lag: of the search.
        update_every: trials told of at a time; None for all there are.
    """

    batch: int
    lag: int = 0
    update_every: int | None = 4


WIDTHS = (
    Width(2),
    Width(64, update_every=None),
    Width(64),
    Width(2, 64),
    Width(2, 192),
    Width(256, update_every=None),
    Width(256),
)


def rewards_of(width: Width, seed: int, evaluations: int) -> list[float]:
    """Rewards of the proposals, in order."""
    space = SearchSpace.cvpr2019()
    settings = SearchSettings.model_validate({"searcher": "ppo", "controller": {"rate": 1e-3}})
    searcher = make_searcher(settings, space, seed)
    trials: list[Trial] = []
    told = 0
    while len(trials) < evaluations:
        due = max(told, len(trials) - width.lag)
        if due > told:
            tell_searcher(searcher, trials[told:due], width.update_every)
            told = due
        for genotype in searcher.ask(width.batch):
            reward = formula(genotype)
            trials.append(Trial(len(trials), 0, genotype, "", 0, COMPLETE, (), reward))
    return [trial.reward or 0.0 for trial in trials[:evaluations]]


@click.command(help="Compares PPO by batch, lag and parts.")
@click.option("--seeds", default=20, show_default=True)
@click.option("--evaluations", default=1600, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(seeds: int, evaluations: int, output: Path) -> None:
    rows: list[dict[str, Any]] = []
    for width in WIDTHS:
        found = np.array([rewards_of(width, seed, evaluations) for seed in range(seeds)])
        row: dict[str, Any] = asdict(width)
        for end in sorted({min(FIRST, evaluations), evaluations}):
            each = found[:, end - end // 10 : end].mean(axis=1)
            row[f"at_{end}"] = [round(float(each.mean()), 4), round(float(each.std()), 4)]
        rows.append(row)
        click.echo(json.dumps(row), err=True)
    result = {
        "seeds": seeds,
        "evaluations": evaluations,
        "rows": rows,
        "versions": package_versions(),
    }
    with atomic_write(output) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What do a wide batch and a lag cost PPO, and what does being told in parts give back?

    OMP_NUM_THREADS=1 python bench/search/widths.py --output widths.json

PPO at a rate of 1e-3 on the paper's space, rewards in closed form (``controllers.py``), told
as a run tells it: before each batch of all trials but the last ``lag``, ``update_every`` at a time.
Mean reward of the last tenth of the proposals by the 400th and by the last one, over seeds, with
the deviation over seeds. Searches that the output has are not made again.
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


Reward = dict[str, Any]
"""Of a search: its seed, its width, its mean rewards."""


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


def summary(rows: list[Reward], ends: list[int]) -> list[dict[str, Any]]:
    """Mean and deviation over seeds, of each width."""
    found = []
    for width in WIDTHS:
        of = [row["rewards"] for row in rows if row["width"] == asdict(width)]
        if not of:
            continue
        means, deviations = np.mean(of, axis=0), np.std(of, axis=0)
        figures = {
            f"at_{end}": [round(float(mean), 4), round(float(deviation), 4)]
            for end, mean, deviation in zip(ends, means, deviations, strict=True)
        }
        found.append({**asdict(width), "seeds": len(of), **figures})
    return found


@click.command(help="Compares PPO by batch, lag and parts, seed after seed.")
@click.option("--seeds", default=20, show_default=True)
@click.option("--evaluations", default=1600, show_default=True)
@click.option("--most", default=10_000, help="Searches made now; others when called again.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(seeds: int, evaluations: int, most: int, output: Path) -> None:
    value = json.loads(output.read_text()) if output.exists() else {}
    if value and value["evaluations"] != evaluations:
        raise click.ClickException(f"{output}: is of {value['evaluations']} evaluations")
    made: list[Reward] = value.get("each", [])
    done = [(row["seed"], row["width"]) for row in made]
    due = [(n, w) for n in range(seeds) for w in WIDTHS if (n, asdict(w)) not in done]
    ends = sorted({min(FIRST, evaluations), evaluations})
    for seed, width in due[:most]:
        rewards = np.array(rewards_of(width, seed, evaluations))
        means = [round(float(rewards[end - end // 10 : end].mean()), 6) for end in ends]
        made.append({"seed": seed, "width": asdict(width), "rewards": means})
        click.echo(json.dumps(made[-1]), err=True)
        value = {
            "evaluations": evaluations,
            "rows": summary(made, ends),
            "each": made,
            "versions": package_versions(),
        }
        with atomic_write(output) as temporary:
            temporary.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""How much of the front of reward and cost do searchers find, with and without a second goal?

    OMP_NUM_THREADS=1 python bench/search/hypervolume.py table --output hypervolume-table.json
    OMP_NUM_THREADS=1 python bench/search/hypervolume.py formula --output hypervolume-formula.json

Landscapes and rewards are those of ``controllers.py``; the cost is the multiply-adds of the
network around MobileNet-v2 at 256x256, counted. The hypervolume of what was proposed so far is the
area that it dominates, of rewards from 0 to the best there is, and costs from the smallest to the
largest of 1,000 random architectures; 1 would be the best reward at the smallest. ``soft weight``:
the searcher is told the reward times (cost / target) ^ -0.07, the target being the median cost of
those (MnasNet). A game that is in the output is not played again: a call that was cut off goes on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
from controllers import BATCH, LANDSCAPES, Landscape

from auxnas.compiler import ModelSpec
from auxnas.compiler.counting import NetworkCounter
from auxnas.compiler.files import atomic_write
from auxnas.genotype import Genotype
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.search import LatencySettings, SearchSettings
from auxnas.search.storage.environment import package_versions
from auxnas.search.trials.limits import weighted_reward
from auxnas.search.trials.records import COMPLETE, Trial

Points = Sequence[tuple[float, float]]
SIZE, SAMPLE = (256, 256), 1_000
AT = (100, 400)
"""Evaluations that the hypervolume is given at."""

RATE = {"searcher": "ppo", "controller": {"rate": 3e-3}}
CONTENDERS: dict[str, tuple[dict[str, Any], bool, int]] = {
    "random": ({"searcher": "random"}, False, 400),
    "nsga2": ({"searcher": "nsga2"}, False, 400),
    "optuna:nsgaii": ({"searcher": "optuna:nsgaii,population_size=20,cost=madds"}, False, 400),
    "predictor, soft weight": ({"searcher": "predictor"}, True, 400),
    "ppo, rate 3e-3, soft weight": (RATE, True, 400),
}
"""Settings of the search, whether the reward is weighted, and evaluations."""


def area(points: Points, best: float, costs: tuple[float, float]) -> float:
    """Share that points dominate of rewards up to the best, and costs between the two."""
    smallest, least = costs
    total = 0.0
    for reward, spent in sorted(points, key=lambda point: (-point[0], point[1])):
        total += max(0.0, least - max(spent, smallest)) * reward
        least = min(least, max(spent, smallest))
    return total / (best * (costs[1] - smallest))


def play(
    settings: SearchSettings,
    place: Landscape,
    seed: int,
    cost: Callable[[Genotype], int],
    target: float | None,
    evaluations: int,
) -> Points:
    """Rewards and costs of all proposals in order."""
    searcher = make_searcher(settings, place.space, seed)
    weight = LatencySettings(target_ms=target)
    points: list[tuple[float, float]] = []
    while len(points) < evaluations:
        genotypes = searcher.ask(BATCH)
        found = [(place.reward(genotype), float(cost(genotype))) for genotype in genotypes]
        rows = enumerate(zip(genotypes, found, strict=True), len(points))
        searcher.tell(
            [
                Trial(
                    number, 0, genotype, "", 0, COMPLETE, (),
                    weighted_reward(reward, spent, weight), multiply_adds=int(spent),
                )
                for number, (genotype, (reward, spent)) in rows
            ]
        )  # fmt: skip
        points += found
    return points


def draw(games: Mapping[str, Sequence[Sequence[float]]], path: Path) -> None:
    """The picture beside the JSON: a row a contender, a panel for each of ``AT``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(AT), figsize=(11, 3.2), sharey=True)
    for place, (panel, count) in enumerate(zip(panels, AT, strict=True)):
        for row, rows in enumerate(games.values()):
            found = [each[place] for each in rows if len(each) > place]
            panel.plot(found, [row] * len(found), "o", alpha=0.35, markeredgewidth=0)
            if found:
                panel.plot([np.median(found)], [row], "k|", markersize=16)
        panel.set(title=f"after {count} evaluations", xlabel="hypervolume")
    panels[0].set_yticks(range(len(games)), [f"{name} ({len(games[name])})" for name in games])
    panels[0].invert_yaxis()
    figure.tight_layout()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    pyplot.close(figure)


@click.command(help="Compares the searchers by the front that they find.")
@click.argument("landscape", type=click.Choice(list(LANDSCAPES)))
@click.option("--seeds", default=20, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(CONTENDERS)), help="Contenders.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(landscape: str, seeds: int, only: tuple[str, ...], output: Path) -> None:
    place = LANDSCAPES[landscape]()
    counter = NetworkCounter(ModelSpec(), SIZE, place.space.encoder_outputs)

    @cache
    def cost(genotype: Genotype) -> int:
        return counter.count(genotype).multiply_adds

    rng = random.Random(0)
    costs = [cost(place.space.sample(rng, "isomorphism")) for _ in range(SAMPLE)]
    ends, median = (float(min(costs)), float(max(costs))), float(np.median(costs))
    games: dict[str, Any] = json.loads(output.read_text())["games"] if output.exists() else {}
    about: dict[str, Any] = {
        "landscape": landscape,
        "best": place.best,
        "costs": ends,
        "target": median,
        "at": AT,
        "settings": {name: settings for name, (settings, *_) in CONTENDERS.items()},
        "versions": package_versions(),
    }
    for name in only or CONTENDERS:
        settings, weighted, evaluations = CONTENDERS[name]
        firsts = [count for count in AT if count <= evaluations]
        known = games.setdefault(name, [])
        if any(len(row) != len(firsts) for row in known):
            raise click.UsageError(f"--output {output}: {name} after other counts than {firsts}")
        for seed in range(len(known), seeds):
            points = play(
                SearchSettings.model_validate(settings), place, seed, cost,
                median if weighted else None, evaluations,
            )  # fmt: skip
            known.append([round(area(points[:n], place.best, ends), 5) for n in firsts])
            about["median"] = {
                each: np.median(rows, axis=0).round(4).tolist()
                for each, rows in games.items()
                if rows
            }
            with atomic_write(output) as temporary:
                temporary.write_text(json.dumps(about | {"games": games}) + "\n")
        click.echo(f"{landscape:8} {name:28} {np.median(known, axis=0)}", err=True)
    draw(games, output.with_suffix(".png"))


if __name__ == "__main__":
    main()

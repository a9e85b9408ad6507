"""Do the searchers that learn find better architectures than random search?

    OMP_NUM_THREADS=1 python bench/search/controllers.py table --output searchers-table.json
    OMP_NUM_THREADS=1 python bench/search/controllers.py formula --output searchers-formula.json

with the predictor, which is slower and needs fewer, added to each:

    ... --only predictor --evaluations 100 --output searchers-table.json

Each searcher proposes architectures two at a time and is told their rewards, from many
seeds, on one of two landscapes:

* ``table``: the tabular benchmark, whose rewards were measured by training (see
  ``bench/search/tabular.py``);
* ``formula``: the paper's whole space with a reward in closed form (``formula`` below).

Every proposal counts as an evaluation, even of an architecture that was seen before,
which a real run would not train again. Beside the JSON a picture is drawn, after the
paper's Figure 2: mean reward of what is proposed, best reward so far, and the
distribution of the rewards in the last quarter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from auxnas.compiler.files import atomic_write
from auxnas.genotype import Genotype, SearchSpace
from auxnas.search.searchers import Searcher, make_searcher
from auxnas.search.settings.search import SearchSettings
from auxnas.search.storage.environment import package_versions
from auxnas.search.tabular import load_table
from auxnas.search.trials.records import COMPLETE, Trial

Array = np.ndarray[Any, Any]
BATCH = 2
"""Proposals at a time, as in a run by default."""
WINDOW = 20
"""Proposals that a mean reward is of."""
BINS = 50
"""Of the histograms, between 0 and the best reward there is."""

SMALL_POPULATION = {"population": 20, "sample": 5}
CONTENDERS: dict[str, dict[str, Any]] = {
    "random": {"searcher": "random"},
    "ppo, rate 1e-4 (paper)": {"searcher": "ppo"},
    "ppo, rate 1e-3": {"searcher": "ppo", "controller": {"rate": 1e-3}},
    "ppo, rate 3e-3": {"searcher": "ppo", "controller": {"rate": 3e-3}},
    "reinforce, rate 3e-3": {"searcher": "reinforce", "controller": {"rate": 3e-3}},
    "evolution, 5 of 20": {"searcher": "evolution", "evolution": SMALL_POPULATION},
    "predictor": {"searcher": "predictor"},
}

QUALITY = (0.5, 0.7, 0.6, 0.8, 0.3, 0.75, 0.4, 0.7, 0.9, 0.2, 0.0)
"""What the formula takes each of the paper's operations to be worth."""


@dataclass(frozen=True)
class Landscape:
    """A space in which every reward is known.

    Attributes:
        space: the space.
        reward: of a genotype.
        best: the largest there is.
    """

    space: SearchSpace
    reward: Callable[[Genotype], float]
    best: float


def formula(genotype: Genotype) -> float:
    """Geometric mean of three qualities: encoder outputs used, operations, depth of the cell.

    (1 + outputs used) / 5; the mean of ``QUALITY`` over the seven operations; and
    (1 + operations on the longest path) / 5.
    """
    used = {index for pair in genotype.connections for index in pair if index < 4}
    cell = genotype.cell
    operations = [cell.first, *(row for branch in cell.branches for row in branch[2:])]
    quality = sum(QUALITY[row] for row in operations) / len(operations)
    depths = [0, 1]
    for left, right, _, _ in cell.branches:
        pair = depths[left] + 1, depths[right] + 1
        depths += [*pair, max(pair)]
    return float(((1 + len(used)) / 5 * quality * (1 + max(depths)) / 5) ** (1 / 3))


def of_table() -> Landscape:
    table = load_table()
    return Landscape(table.space, table.reward, table.best)


def of_formula() -> Landscape:
    return Landscape(SearchSpace.cvpr2019(), formula, max(QUALITY) ** (1 / 3))


LANDSCAPES = {"table": of_table, "formula": of_formula}


def play(searcher: Searcher, landscape: Landscape, evaluations: int) -> tuple[Array, int]:
    """The rewards of all proposals in order, and how many architectures they are."""
    rewards: list[float] = []
    seen: set[str] = set()
    while len(rewards) < evaluations:
        genotypes = searcher.ask(BATCH)
        found = [landscape.reward(genotype) for genotype in genotypes]
        seen.update(genotype.key() for genotype in genotypes)
        pairs = enumerate(zip(genotypes, found, strict=True), len(rewards))
        searcher.tell([Trial(n, 0, g, "", 0, COMPLETE, (), r) for n, (g, r) in pairs])
        rewards += found
    return np.array(rewards[:evaluations]), len(seen)


def contest(landscape: Landscape, name: str, seeds: int, evaluations: int) -> dict[str, Any]:
    """What a contender comes to on a landscape, over seeds."""
    settings = SearchSettings.model_validate(CONTENDERS[name])
    return summed(
        [
            play(make_searcher(settings, landscape.space, seed), landscape, evaluations)
            for seed in range(seeds)
        ],
        landscape,
    )


def summed(games: Sequence[tuple[Array, int]], landscape: Landscape) -> dict[str, Any]:
    """What games of as many evaluations come to: rewards, and how many architectures they are."""
    rewards = np.array([found for found, _ in games])
    best = np.maximum.accumulate(rewards, axis=1)
    seeds, evaluations = rewards.shape
    tail = rewards[:, -(evaluations // 4) :]
    return {
        "evaluations": evaluations,
        "mean": rewards.reshape(seeds, -1, WINDOW).mean(axis=2).mean(axis=0).round(5).tolist(),
        "best": np.quantile(best, (0.25, 0.5, 0.75), axis=0)[:, WINDOW - 1 :: WINDOW]
        .round(5)
        .tolist(),
        "tail": (np.histogram(tail, _edges(landscape.best))[0] / tail.size).round(5).tolist(),
        "mean_of_all": round(float(rewards.mean()), 5),
        "median_best": round(float(np.median(best[:, -1])), 5),
        "distinct": round(float(np.mean([count for _, count in games])), 1),
        "seeds_best": best[:, -1].round(5).tolist(),
    }


def _edges(best: float) -> Array:
    return np.linspace(0, best + 1e-9, BINS + 1)


def draw(found: Mapping[str, Any], path: Path) -> None:
    """The picture beside the JSON."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (means, bests, tails) = pyplot.subplots(1, 3, figsize=(13, 4))
    edges = _edges(found["best"])
    for label, result in found["contenders"].items():
        style = {"label": label, "linestyle": "--" if label == "random" else "-"}
        places = WINDOW * np.arange(1, len(result["mean"]) + 1)
        means.plot(places, result["mean"], **style)
        low, median, high = result["best"]
        (line,) = bests.plot(places, median, **style)
        bests.fill_between(places, low, high, color=line.get_color(), alpha=0.12)
        tails.plot((edges[1:] + edges[:-1]) / 2, result["tail"], **style)
    bests.axhline(found["best"], color="grey", linewidth=0.8)
    means.set(title=f"mean reward of {WINDOW} proposals", xlabel="evaluations")
    bests.set(title="best so far: median, quartiles", xlabel="evaluations")
    common = np.flatnonzero(sum(np.array(r["tail"]) for r in found["contenders"].values()))
    tails.set_xlim(edges[common[0]], edges[-1])
    tails.set(title="rewards in the last quarter", xlabel="reward", ylabel="share")
    means.legend(fontsize=8)
    figure.tight_layout()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)


@click.command(help="Compares the searchers where every reward is known.")
@click.argument("landscape", type=click.Choice(list(LANDSCAPES)))
@click.option("--seeds", default=20, show_default=True)
@click.option("--evaluations", default=400, show_default=True, help=f"A multiple of {WINDOW}.")
@click.option("--only", type=click.Choice(list(CONTENDERS)), help="Adds it to the output.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(landscape: str, seeds: int, evaluations: int, only: str | None, output: Path) -> None:
    place = LANDSCAPES[landscape]()
    known: dict[str, Any] = json.loads(output.read_text()) if only else {}
    results: dict[str, Any] = known.get("contenders", {})
    for name in [only] if only else CONTENDERS:
        results[name] = contest(place, name, seeds, evaluations)
        mean, best = results[name]["mean_of_all"], results[name]["median_best"]
        click.echo(f"{landscape:8} {name:24} mean {mean:.4f} best {best:.4f}", err=True)
    found = {
        "landscape": landscape,
        "best": place.best,
        "seeds": seeds,
        "evaluations": known.get("evaluations", evaluations),
        "settings": CONTENDERS,
        "contenders": results,
        "versions": package_versions(),
    }
    with atomic_write(output) as temporary:
        temporary.write_text(json.dumps(found) + "\n")
    draw(found, output.with_suffix(".png"))


if __name__ == "__main__":
    main()

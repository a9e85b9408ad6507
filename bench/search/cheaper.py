"""Is a first stage worth as much for less? Early ends, relatives' weights, and shorter steps.

    OMP_NUM_THREADS=1 python bench/search/cheaper.py --work runs/cheaper --output cheaper.json

Architectures of the tabular benchmark's space, trained as ``tabular.py`` does, but at 64x96, for
four epochs, and with auxiliary outputs. ``pool``: random ones; ``child``: mutations of its better
half. Then 24 of these again:

* ``again``: from other weights, which tells how well a first stage agrees with itself;
* ``relative`` (children): for half of the epochs from the weights of the most similar architecture
  of the pool (by the predictor's kernel), those of the same name and shape in canonical form;
* ``alternate`` (pool): with the auxiliary outputs' losses in every other step only;
* ``no auxiliary`` (pool): without them;
* ``crop`` (pool): on a window of 32x64 of the stored encoder outputs, at random.

All are scored after every epoch on meta-val. Times are processor seconds of training. Interrupted,
it goes on where it was: trainings are lines of ``WORK/trainings.jsonl``. Needs the extra torch.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from tabular import SETTINGS as TABULAR
from torch import fx

from auxnas.backends.base import Batch, Examples, ignore_step
from auxnas.backends.torch.batches import steps_an_epoch, training_draws
from auxnas.backends.torch.module import build_module
from auxnas.backends.torch.states import TAKEN, weights_of
from auxnas.backends.torch.training import Training
from auxnas.compiler import MAIN, Program, encoder_outputs, lower, split_graph
from auxnas.compiler.files import atomic_write
from auxnas.compiler.weights import initial_params, load_weights, save_weights
from auxnas.genotype import Genotype, SearchSpace
from auxnas.progress import display_on_stderr
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.evaluation.two_stages import TwoStages, stage_recipe
from auxnas.search.loop.context import RunContext
from auxnas.search.searchers.kernel import Embedding, similarities
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage.environment import package_versions
from auxnas.search.studies.ranks import spearman
from auxnas.search.tabular import tabular_space
from auxnas.search.trials.records import trial_seed

EPOCHS, HALF = 4, 2
SETTINGS = {
    **TABULAR,
    "data.size": [64, 96],
    "stage1.epochs": EPOCHS,
    "stage1.auxiliary": 0.15,
}
POOL, CHILDREN, WINDOW = 60, 24, (32, 64)
SHARES = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
"""Of the baseline, that an early end is tried with."""


class Alternating(Training):
    """A training that looks at auxiliary outputs in every other step only."""

    def __init__(self, program: Program, *rest: Any) -> None:
        super().__init__(program, *rest)
        main = build_module(replace(program, graph=program.graph.select([MAIN])))
        self.short = fx.GraphModule(self.module, main.graph)

    def step(self, batch: Batch) -> float:
        """One update; of every two the second is without them."""
        self.network = self.short if self.taken % 2 else self.module
        return super().step(batch)


@dataclass(frozen=True)
class Windows:
    """Stored encoder outputs of which each batch has a window, at a multiple of the last stride."""

    examples: Examples

    def __len__(self) -> int:
        return len(self.examples)

    def batch(self, indices: Sequence[int], rng: np.random.Generator | None) -> Batch:
        """Some of them, in a window where they are trained on."""
        whole = self.examples.batch(indices, rng)
        if rng is None:
            return whole
        size = whole.labels.shape[1:3]
        start = [
            32 * int(rng.integers((a - b) // 32 + 1)) for a, b in zip(size, WINDOW, strict=True)
        ]

        def cut(height: int) -> tuple[slice, slice]:
            stride = size[0] // height
            pairs = zip(start, WINDOW, strict=True)
            rows, columns = (slice(a // stride, (a + b) // stride) for a, b in pairs)
            return rows, columns

        maps = {n: m[:, :, *cut(m.shape[2])] for n, m in whole.inputs.items()}
        return Batch(maps, whole.labels[:, *cut(size[0])])


@dataclass(frozen=True)
class Bench:
    """Trainings, each made once.

    Attributes:
        evaluate: the search's own evaluator.
        work: folder of what was trained.
        known: lines of trainings by kind and number.
    """

    evaluate: TwoStages
    work: Path
    known: dict[tuple[str, int], dict[str, Any]]

    def trained(
        self,
        kind: str,
        number: int,
        genotype: Genotype,
        seed: int,
        epochs: int = EPOCHS,
        how: Callable[..., Training] = Training,
        alone: bool = False,
        **changed: Any,
    ) -> dict[str, Any]:
        """Reward after every epoch, and processor seconds of training.

        ``alone``: without auxiliary outputs.
        """
        if (kind, number) not in self.known:
            graph = lower(genotype.canonical(), self.evaluate.spec)
            if alone:
                graph = graph.select([MAIN])
            decoder = split_graph(graph, encoder_outputs(graph))[1]
            params = initial_params(decoder, seed)
            row: dict[str, Any] = {"kind": kind, "number": number, "genotype": str(genotype)}
            if kind == "relative":
                row |= self.inherit(params, changed.pop("source"))
            row |= self.fitted(Program(decoder, params, kind), number, seed, epochs, how, **changed)
            with (self.work / "trainings.jsonl").open("a") as lines:
                lines.write(json.dumps(row) + "\n")
            self.known[kind, number] = row
            click.echo(f"{kind} {number} {row['rewards']} {row['seconds']:.1f} s", err=True)
        return self.known[kind, number]

    def inherit(self, params: dict[str, Any], source: int) -> dict[str, Any]:
        """Replaces what the architecture ``source`` of the pool has too; the share that it is."""
        theirs, _ = load_weights(self.work / f"pool-{source}.safetensors")
        shared = {n: v for n, v in theirs.items() if n in params and params[n].shape == v.shape}
        share = sum(v.size for v in shared.values()) / sum(v.size for v in params.values())
        params.update(shared)
        return {"source": source, "share": share}

    def fitted(
        self,
        program: Program,
        number: int,
        seed: int,
        epochs: int,
        how: Callable[..., Training],
        examples: Examples | None = None,
    ) -> dict[str, Any]:
        """A training, scored after every epoch."""
        work, settings = self.evaluate, self.evaluate.stage1
        examples, recipe = examples or work.first.train, stage_recipe(settings, work.task)
        each = steps_an_epoch(len(examples), settings.batch_size)
        state: Mapping[str, Any] = {TAKEN: np.array(0)}
        rewards, seconds = [], 0.0
        for epoch in range(epochs):
            params = {**program.params, **weights_of(state)}
            training = how(replace(program, params=params), recipe, each * EPOCHS, CPU)
            training.restore(state)
            draws = training_draws(len(examples), [epoch], settings.batch_size, seed + 1)
            start = time.process_time()
            training.run(examples, draws, ignore_step)
            seconds += time.process_time() - start
            state, trained = training.state(), training.finish()
            main = replace(program, graph=program.graph.select([MAIN]), params=trained)
            sums = work.learner.measure(main, work.first.val, work.task, settings.batch_size)
            rewards.append(round(work.task.score(sums).reward, 5))
        if program.name == "pool":
            save_weights(self.work / f"pool-{number}.safetensors", trained, {})
        return {"rewards": rewards, "seconds": round(seconds, 2)}


CPU = torch.device("cpu")


def open_bench(work: Path, settings: Mapping[str, Any]) -> Bench:
    """A folder's trainings, and the evaluator of a search with ``settings``."""
    torch.set_num_threads(1)
    work.mkdir(parents=True, exist_ok=True)
    context = RunContext(resolve(nest(settings)), work, work / "cache", display_on_stderr())
    path = work / "trainings.jsonl"
    rows = map(json.loads, path.read_text().splitlines() if path.exists() else [])
    known = {(row["kind"], row["number"]): row for row in rows}
    return Bench(evaluator_of(context.model), work, known)


def play(bench: Bench, space: SearchSpace) -> None:
    """All trainings."""
    rng, windows = random.Random(0), Windows(bench.evaluate.first.train)
    pool = [space.sample(rng, "isomorphism") for _ in range(POOL)]
    rewards = [
        bench.trained("pool", n, each, trial_seed(0, n))["rewards"][-1]
        for n, each in enumerate(pool)
    ]
    order = np.argsort(rewards)[::-1][: POOL // 2]
    children = [space.mutate(pool[rng.choice(order)], rng) for _ in range(CHILDREN)]
    embedding = Embedding(pool)
    nearest = similarities(embedding.rows(children), embedding.rows(pool)).argmax(1)
    for n, child in enumerate(children):
        bench.trained("child", n, child, trial_seed(1, n))
        source = int(nearest[n])
        bench.trained("relative", n, child, trial_seed(1, n), HALF, source=source)
        bench.trained("again, child", n, child, trial_seed(3, n))
    for n, each in enumerate(pool[:CHILDREN]):
        one = partial(bench.trained, number=n, genotype=each, seed=trial_seed(0, n))
        one("alternate", how=Alternating)
        one("no auxiliary", alone=True)
        one("crop", examples=windows)
        bench.trained("again, pool", n, each, trial_seed(2, n))


def compared(
    bench: Bench, whole: str, kinds: Sequence[str], count: int = CHILDREN
) -> dict[str, Any]:
    """Rank correlation with full trainings, and processor time as a share of theirs."""

    def rows(kind: str) -> list[dict[str, Any]]:
        return [bench.known[kind, n] for n in range(count)]

    def column(kind: str, epochs: int) -> list[float]:
        return [row["rewards"][epochs - 1] for row in rows(kind)]

    def spent(kind: str) -> float:
        return sum(row["seconds"] / len(row["rewards"]) for row in rows(kind))

    full, found = column(whole, EPOCHS), {}
    for kind in (whole, *kinds):
        for epochs in range(1, 1 + len(bench.known[kind, 0]["rewards"])):
            rewards = column(kind, epochs)
            found[f"{kind}, {epochs} of {EPOCHS} epochs"] = {
                "spearman": round(spearman(full, rewards) or 0.0, 3),
                "time": round(epochs / EPOCHS * spent(kind) / spent(whole), 3),
                "mean": round(float(np.mean(rewards)), 4),
            }
    return found


def early(bench: Bench, epoch: int, share: float, orders: int = 500) -> dict[str, float]:
    """A rule that ends a first stage: a reward after ``epoch`` below a share of the baseline.

    Over random orders of all fresh trainings, after the first ten; the baseline is the mean reward
    of the earlier first stages, ended ones as far as they came. ``false``: the share that was
    ended of those that would have gone on to the second stage had none been ended; ``best``: of
    the best tenth of all; ``saved``: of the first stage's epochs.
    """
    rows = [row for (kind, _), row in bench.known.items() if kind in ("pool", "child")]
    curves = np.array([row["rewards"] for row in rows])
    best = curves[:, -1] >= np.quantile(curves[:, -1], 0.9)
    rng, counts = np.random.default_rng(0), np.zeros(6)
    for _ in range(orders):
        told: list[float] = []
        order = rng.permutation(len(curves))
        for place, trial in enumerate(order):
            first, full = curves[trial, epoch - 1], curves[trial, -1]
            ends = place >= 10 and first < share * np.mean(told)
            told.append(first if ends else full)
            if place >= 10:
                goes_on = full > curves[order[:place], -1].mean()
                counts += (1, ends, goes_on, goes_on and ends, best[trial], best[trial] and ends)
    trials, ended, going, wrong, top, lost = counts
    return {
        "epoch": epoch,
        "share": share,
        "ended": round(float(ended / trials), 3),
        "false": round(float(wrong / going), 4),
        "best": round(float(lost / top), 4),
        "saved": round(float(ended / trials * (1 - epoch / EPOCHS)), 3),
    }


@click.command(help="Measures ways to make a first stage cheaper.")
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(work: Path, output: Path) -> None:
    bench = open_bench(work, SETTINGS)
    play(bench, tabular_space())
    shares = [bench.known["relative", n]["share"] for n in range(CHILDREN)]
    found = {
        "settings": SETTINGS,
        "pool": POOL,
        "children": CHILDREN,
        "children compared": compared(bench, "child", ["again, child", "relative"]),
        "pool compared": compared(
            bench, "pool", ["again, pool", "alternate", "no auxiliary", "crop"]
        ),
        "share of weights from the relative": round(float(np.mean(shares)), 3),
        "early": [early(bench, e, s) for e in range(1, EPOCHS) for s in SHARES],
        "trainings": list(bench.known.values()),
        "versions": package_versions(),
    }
    with atomic_write(output) as temporary:
        temporary.write_text(json.dumps(found) + "\n")
    for kind, row in [*found["children compared"].items(), *found["pool compared"].items()]:
        click.echo(f"{kind:34} {row}")
    for row in found["early"]:
        click.echo(str(row))


if __name__ == "__main__":
    main()

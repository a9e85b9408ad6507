"""What tests of long training share: tiny settings, and a learner whose weights tell its story."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.null.learner import NullLearner
from auxnas.backends.progress import Silent
from auxnas.backends.registry import TABLE
from auxnas.compiler import Program
from auxnas.compiler.architecture import Architecture
from auxnas.compiler.decoders import HandMade
from auxnas.genotype import zoo
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.settings.training import TrainingSettings
from auxnas.search.training.context import TrainingContext

TINY: dict[str, Any] = {
    "learner": "null",
    "data.source": "synthetic:12",
    "data.size": [32, 32],
    "model.width": 0.1,
    "model.agg_size": 8,
    "pretrain.channels": 8,
    "pretrain.epochs": 1,
    "train.epochs": 8,
    "train.batch_size": 4,
    "train.channels": 8,
}

ARCH0 = zoo.load_published("arch0").genotype
LWRF = HandMade("lwrf")


def tiny(**changes: Any) -> TrainingSettings:
    dotted = {name.replace("__", "."): value for name, value in changes.items()}
    return resolve(nest({**TINY, **dotted}), kind=TrainingSettings)


def training(
    folder: Path, cache: Path, architecture: Architecture = ARCH0, **changes: Any
) -> TrainingContext:
    return TrainingContext(tiny(**changes), architecture, folder, cache, Silent())


class Storyteller(NullLearner):
    """Adds to every parameter a number for each epoch, made of all that an epoch depends on.

    So two trainings end equally only if they went through the same epochs with the same
    recipes, each once and in order.
    """

    def fit_part(self, program, examples, recipe, seed, part, state=None, progress=lambda s: None):
        story = np.array(0.0) if state is None else state["story"]
        _, after = super().fit_part(program, examples, recipe, seed, part, state, progress)
        for epoch in part:
            rates = [optimiser.rate for optimiser in recipe.optimisers]
            known = (seed, epoch, recipe.auxiliary, recipe.frozen, recipe.poly, *rates)
            story = np.array((3 * story + hash(known) % 1009) % 10007, dtype=np.float64)
        params = {name: value + np.float32(story) for name, value in program.params.items()}
        return replace(program, params=params), {**after, "story": story}


def tell(monkeypatch) -> None:
    """Lets every null learner be a storyteller."""
    monkeypatch.setitem(TABLE, ("learner", "null"), (f"{__name__}:Storyteller", "numpy", "torch"))


def came_to(folder: Path) -> dict[str, Any]:
    """What the trainings in a study's folder came to, times and places apart."""
    found = {}
    for own in sorted(folder.glob("trial-*")):
        result = json.loads((own / "result.json").read_text())
        history = [json.loads(line) for line in (own / "metrics.jsonl").read_text().splitlines()]
        for each in (result, *history):
            each.pop("seconds")
        result["files"] = sorted(result["files"])
        files = [(own / name).read_bytes() for name in ("model.safetensors", "genotype.json")]
        found[own.name] = result, history, files, sorted(path.name for path in own.glob("*.*"))
    return found


def params(program: Program) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in sorted(program.params.items())}

"""A learner that learns nothing, in microseconds, so that a search can be tested alone.

Scores are a deterministic function of the program's name, which in a search is the
genotype's key: better and worse architectures exist and stay what they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from auxnas.backends.base import (
    Array,
    Examples,
    OnOutput,
    Progress,
    Recipe,
    TrainingState,
    TrainingStep,
    ignore_output,
    ignore_step,
)
from auxnas.compiler import Program, infer_shapes
from auxnas.compiler.tasks import Sums, Task

_PIXELS = 20_000
"""Of the most frequent class in made-up answers."""
_LOOKED_AT = 4
"""Examples whose targets a made-up answer is near to."""
STEPS = 4
"""Progress calls of a training."""


class NullLearner:
    """Implements ``backends.base.Learner`` without a framework, on any number of threads."""

    where = "no device (the null learner does not train)"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads

    def fit(
        self,
        program: Program,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        progress: Progress = ignore_step,
    ) -> Program:
        """``program`` as it is, after a few progress calls."""
        for step in range(1, STEPS + 1):
            progress(TrainingStep(step, STEPS, 1 / step))
        return program

    def fit_part(
        self,
        program: Program,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        part: range,
        state: TrainingState | None = None,
        progress: Progress = ignore_step,
    ) -> tuple[Program, TrainingState]:
        """``program`` as it is; the state is how many epochs are behind it.

        Raises:
            ValueError: for a part that does not follow ``state``.
        """
        behind = 0 if state is None else int(state["epoch"])
        if part.start != behind:
            raise ValueError(f"state: after {behind} epochs, expected {part.start}")
        for epoch in part:
            progress(TrainingStep(epoch + 1, recipe.epochs, 1 / (epoch + 1)))
        return program, {"epoch": np.array(part.stop)}

    def measure(
        self,
        program: Program,
        examples: Examples,
        task: Task,
        batch_size: int,
        on_output: OnOutput = ignore_output,
    ) -> Sums:
        """Made-up statistics of a network whose quality the program's name decides.

        A program that starts from images does slightly better than one that starts from
        an encoder's outputs, as a second stage of training would.
        """
        rng = _generator(program.name)
        quality = rng.beta(4, 3)
        if len(program.graph.inputs) == 1:
            quality += 0.1 * (1 - quality)
        return pretended(task, examples, quality, rng, batch_size, on_output)

    def infer(self, program: Program, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Zeros in the right shapes."""
        nodes = [node for node in program.graph.inputs if node.name in inputs]
        finest = min(nodes, key=lambda node: node["stride"])
        count, _, height, width = inputs[finest.name].shape
        stride = finest["stride"]
        shapes = infer_shapes(program.graph, (height * stride, width * stride))
        return {
            name: np.zeros((count, *shapes[node]), dtype=np.float32)
            for name, node in program.graph.outputs
        }


def pretended(
    task: Task,
    examples: Examples,
    quality: float,
    rng: np.random.Generator,
    most: int = _LOOKED_AT,
    on_output: OnOutput = ignore_output,
) -> Sums:
    """Made-up statistics of a network as good as ``quality``, 0 to 1, of ``most`` examples."""
    if task.target.classes:
        return _told(task, *_classified(len(task.classes), quality, rng), on_output)
    targets = examples.batch(range(min(len(examples), _LOOKED_AT, most)), None).labels
    known = np.where(task.target.known(targets), targets, 0).astype(np.float32)
    wrong = (1 - quality) * rng.uniform(0.9, 1, known.shape).astype(np.float32)
    output = known + wrong * (1 + known)
    output = output[:, None] if task.target.channels == 1 else np.moveaxis(output, -1, 1)
    if task.outputs < task.target.channels:  # a target has more to it than what networks find
        right = rng.random((len(output), task.outputs, 1, 1)) < quality
        output = output[:, : task.outputs] * right
    return _told(task, task.heads[task.measured].of(output), targets, on_output)


def _told(task: Task, output: Array, targets: Array, on_output: OnOutput) -> Sums:
    on_output(output)
    return task.measure(output, targets)


def _classified(classes: int, quality: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Labels and truth of a classifier that finds up to ``quality`` of each class, in one line."""
    pixels = _PIXELS / np.arange(1, classes + 1)
    hits = quality * rng.uniform(0.6, 1, classes)
    guesses = rng.dirichlet(np.ones(classes), classes) * (1 - hits)[:, None]
    counts = np.rint(pixels[:, None] * (np.diag(hits) + guesses)).astype(np.int64)
    truth, guess = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    return guess.astype(np.uint8)[None, None, None], truth.astype(np.uint8)[None, None]


def _generator(name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))

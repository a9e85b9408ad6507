"""Numerical comparison of an artefact with the float64 reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from auxnas.backends.base import Runner
from auxnas.backends.target import main_output
from auxnas.compiler import MAIN, Program, Size
from auxnas.compiler.tasks import Disagreement, Head, Segmentation, Task

Array = np.ndarray[Any, Any]

SEGMENTATION = Segmentation()
TOLERANCES = {"fp32": 1e-4, "fp16": 2e-2, "bf16": 1e-1, "int8": 1e-4}
"""Largest error allowed by default, relative to the output's scale: what the type can hold;
for int8, of the float network that it is made from."""
LABELS = {"fp32": 1e-3, "fp16": 1e-2, "bf16": 5e-2, "int8": 1e-3}
"""Largest share of changed labels allowed by default, where labels are all there is to compare."""
_APART = "{:.3f} pixels apart"
OTHER_SIZES: tuple[Size, ...] = ((97, 131), (64, 48), (72, 45))
"""Sizes that are checked besides the requested one: the first two that are others."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Distance of outputs from the expected ones.

    Attributes:
        max_absolute: largest absolute error; of choices the largest distance, None of those
            that have none, as labels.
        mean_absolute: mean absolute error; likewise.
        max_relative: largest absolute error over the largest expected magnitude; None of
            choices.
        disagreement: of the task: for segmentation the share of pixels whose label is another.
        disagrees: name and wording of ``disagreement``.
    """

    max_absolute: float | None
    mean_absolute: float | None
    max_relative: float | None
    disagreement: float
    disagrees: Disagreement = Segmentation.disagrees

    @property
    def error(self) -> float:
        """The number that a tolerance is for."""
        return self.disagreement if self.max_relative is None else self.max_relative

    def within(self, tolerance: float) -> bool:
        """Whether the relative error is at most ``tolerance``; never for NaN.

        Choices have no error to compare: at most that share of them may change.
        """
        return self.error <= tolerance

    def limit(self, tolerance: float) -> str:
        """Words for the difference that ``within`` allows."""
        if self.max_relative is None:
            return f"{100 * tolerance:g}% {self.disagrees.unit}"
        return f"an error of {tolerance:g}"

    def to_dict(self) -> dict[str, float | None]:
        """The numbers as plain data."""
        return {
            "max_absolute": self.max_absolute,
            "mean_absolute": self.mean_absolute,
            "max_relative": self.max_relative,
            self.disagrees.name: self.disagreement,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Difference:
        """The numbers of plain data, which is what ``to_dict`` gives.

        Raises:
            TypeError: for anything else.
        """
        *errors, last = values
        known = Segmentation.disagrees
        other = Disagreement(last, f"{last} {{:.1e}}", "", _APART)
        disagrees = known if last == known.name else other
        known_errors = {name: values[name] for name in errors}
        return cls(**known_errors, disagreement=values[last], disagrees=disagrees)

    def __str__(self) -> str:
        labels = self.disagrees.text.format(self.disagreement)
        if self.max_relative is None:
            far = self.mean_absolute
            return labels if far is None else f"{labels}, {self.disagrees.distance.format(far)}"
        return f"largest error {self.max_relative:.1e} of the output's scale, {labels}"


def default_tolerance(precision: str, end: Head) -> float:
    """Default tolerance of an output in ``precision``, for ``Difference.within``."""
    return (LABELS if end.decides else TOLERANCES)[precision]


def output_difference(found: Array, expected: Array, task: Task = SEGMENTATION) -> Difference:
    """Compares outputs of floats, labels (N, 1, H, W) of bytes, or other choices.

    Raises:
        ValueError: when the shapes or kinds differ.
    """
    if found.shape != expected.shape:
        raise ValueError(f"outputs of shape {found.shape}, expected {expected.shape}")
    if (found.dtype == np.uint8) != (expected.dtype == np.uint8):
        raise ValueError(f"outputs of type {found.dtype}, expected {expected.dtype}")
    disagreement, disagrees = task.disagreement(found, expected), task.disagrees
    if found.dtype == np.uint8:
        return Difference(None, None, None, disagreement, disagrees)
    apart = task.distance(found, expected)
    if apart is not None:
        far = float(apart.max()), float(apart.mean())
        return Difference(*far, None, disagreement, disagrees)
    error = np.abs(np.asarray(found, np.float64) - expected)
    scale, largest = float(np.abs(expected).max()), float(error.max())
    return Difference(
        max_absolute=largest,
        mean_absolute=float(error.mean()),
        max_relative=largest / scale if scale > 0 else (0.0 if largest == 0 else np.inf),
        disagreement=disagreement,
        disagrees=disagrees,
    )


def worst_difference(differences: list[Difference]) -> Difference:
    """The largest of every number (the mean of the means)."""

    def largest(name: str) -> float | None:
        values = [getattr(each, name) for each in differences]
        return None if None in values else float(np.max(values))

    means = [each.mean_absolute for each in differences]
    mean = None if None in means else float(np.mean([m for m in means if m is not None]))
    last = max(each.disagreement for each in differences)
    errors = largest("max_absolute"), mean, largest("max_relative")
    return Difference(*errors, last, differences[0].disagrees)


def pooled_difference(differences: list[Difference]) -> Difference:
    """Difference over batches as large as each other: the worst, of choices the share of all.

    An image may have few choices, as the joints of a person, of which one is a large share.
    """
    worst = worst_difference(differences)
    if worst.max_relative is not None:
        return worst
    return replace(worst, disagreement=float(np.mean([each.disagreement for each in differences])))


def noise_inputs(program: Program, size: Size, seed: int, batch: int = 1) -> dict[str, Array]:
    """Random inputs of a program for ``batch`` images of ``size``: normal numbers, or bytes."""
    rng, inputs = np.random.default_rng(seed), {}
    for node in program.graph.inputs:
        height, width = (-(-side // node["stride"]) for side in size)
        if node["bytes"]:
            shape = (batch, height, width, node["channels"])
            inputs[node.name] = rng.integers(0, 256, shape, dtype=np.uint8)
        else:
            values = rng.normal(size=(batch, node["channels"], height, width))
            inputs[node.name] = values.astype(np.float32)
    return inputs


def run_one_by_one(runner: Runner) -> Runner:
    """``runner`` on every image of a batch by itself, so that none can touch another."""

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        count = len(next(iter(inputs.values())))
        found = [runner({name: x[n : n + 1] for name, x in inputs.items()}) for n in range(count)]
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    return run


def compare_runners(
    runner: Runner, reference: Runner, inputs: Mapping[str, Array], task: Task = SEGMENTATION
) -> Difference:
    """The main outputs of both on the same inputs."""
    return output_difference(main_output(runner(inputs)), reference(inputs)[MAIN], task)


def first_break(changes: int, breaks: Callable[[int], bool]) -> int | None:
    """The number of the first change after which ``breaks`` holds, by bisection.

    Args:
        changes: how many changes there are; ``breaks(changes)`` is known to hold.
        breaks: whether the program after so many changes errs.

    Returns:
        1 .. changes, or None where the unchanged program errs already.
    """
    if breaks(0):
        return None
    good, bad = 0, changes
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if breaks(middle) else (middle, bad)
    return bad

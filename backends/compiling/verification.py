"""Does an artefact compute what the network says? Numbers first, verdict second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from auxnas.backends.base import Runner
from auxnas.compiler import MAIN, Program, Size

Array = np.ndarray[Any, Any]

TOLERANCES = {"fp32": 1e-4, "fp16": 2e-2, "int8": 1e-4}
"""Largest error allowed by default, relative to the output's scale: what the type can hold;
for int8, of the float network that it is made from."""
LABELS = {"fp32": 1e-3, "fp16": 1e-2, "int8": 1e-3}
"""Largest share of changed labels allowed by default, where labels are all there is to compare."""
OTHER_SIZES: tuple[Size, ...] = ((97, 131), (64, 48), (72, 45))
"""What is checked besides the requested size: the first two that are others."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far outputs are from the expected ones.

    Attributes:
        max_absolute: largest absolute error; None where labels are compared.
        mean_absolute: mean absolute error; None likewise.
        max_relative: largest absolute error over the largest expected magnitude; None
            likewise.
        labels_changed: share of pixels whose largest channel is another one.
    """

    max_absolute: float | None
    mean_absolute: float | None
    max_relative: float | None
    labels_changed: float

    def within(self, tolerance: float) -> bool:
        """Whether the relative error is at most ``tolerance``; never for NaN.

        Labels have no error to compare: at most that share of them may change.
        """
        found = self.labels_changed if self.max_relative is None else self.max_relative
        return found <= tolerance

    def limit(self, tolerance: float) -> str:
        """What ``within`` allows, in words."""
        if self.max_relative is None:
            return f"{100 * tolerance:g}% of pixels"
        return f"an error of {tolerance:g}"

    def to_dict(self) -> dict[str, float | None]:
        """The numbers as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        labels = f"{self.labels_changed:.3%} of pixels change label"
        if self.max_relative is None:
            return labels
        return f"largest error {self.max_relative:.1e} of the output's scale, {labels}"


def tolerance(precision: str, head: str) -> float:
    """What is allowed by default of an output in ``precision``, for ``Difference.within``."""
    return (LABELS if head == "labels" else TOLERANCES)[precision]


def difference(found: Array, expected: Array) -> Difference:
    """Compares logits or probabilities (N, C, H, W) of floats, or labels (N, 1, H, W) of bytes.

    Raises:
        ValueError: when the shapes or kinds differ.
    """
    if found.shape != expected.shape:
        raise ValueError(f"outputs of shape {found.shape}, expected {expected.shape}")
    if (found.dtype == np.uint8) != (expected.dtype == np.uint8):
        raise ValueError(f"outputs of type {found.dtype}, expected {expected.dtype}")
    if found.dtype == np.uint8:
        return Difference(None, None, None, float((found != expected).mean()))
    error = np.abs(np.asarray(found, np.float64) - expected)
    scale, largest = float(np.abs(expected).max()), float(error.max())
    return Difference(
        max_absolute=largest,
        mean_absolute=float(error.mean()),
        max_relative=largest / scale if scale > 0 else (0.0 if largest == 0 else np.inf),
        labels_changed=float((found.argmax(1) != expected.argmax(1)).mean()),
    )


def worst(differences: list[Difference]) -> Difference:
    """The largest of every number (the mean of the means)."""

    def largest(name: str) -> float | None:
        values = [getattr(each, name) for each in differences]
        return None if None in values else float(np.max(values))

    means = [each.mean_absolute for each in differences]
    mean = None if None in means else float(np.mean([m for m in means if m is not None]))
    labels = max(each.labels_changed for each in differences)
    return Difference(largest("max_absolute"), mean, largest("max_relative"), labels)


def noise(program: Program, size: Size, seed: int, batch: int = 1) -> dict[str, Array]:
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


def one_by_one(runner: Runner) -> Runner:
    """``runner`` on every image of a batch by itself, so that none can touch another."""

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        count = len(next(iter(inputs.values())))
        found = [runner({name: x[n : n + 1] for name, x in inputs.items()}) for n in range(count)]
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    return run


def compare(runner: Runner, reference: Runner, inputs: Mapping[str, Array]) -> Difference:
    """The main outputs of both on the same inputs."""
    return difference(runner(inputs)[MAIN], reference(inputs)[MAIN])


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

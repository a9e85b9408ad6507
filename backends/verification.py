"""Does an artefact compute what the network says? Numbers first, verdict second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backends.base import Runner
from compiler import MAIN, Size

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-4
"""Largest error allowed, relative to the output's own scale: what float32 can hold."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far outputs are from the expected ones.

    Attributes:
        max_absolute: largest absolute error.
        mean_absolute: mean absolute error.
        max_relative: largest absolute error over the largest expected magnitude.
        labels_changed: share of pixels whose largest channel is another one.
    """

    max_absolute: float
    mean_absolute: float
    max_relative: float
    labels_changed: float

    def within(self, tolerance: float) -> bool:
        """Whether the relative error is at most ``tolerance``; never for NaN."""
        return self.max_relative <= tolerance

    def to_dict(self) -> dict[str, float]:
        """The numbers as plain data."""
        return asdict(self)


def difference(found: Array, expected: Array) -> Difference:
    """Compares logits (N, C, H, W).

    Raises:
        ValueError: when the shapes differ.
    """
    if found.shape != expected.shape:
        raise ValueError(f"outputs of shape {found.shape}, expected {expected.shape}")
    error = np.abs(np.asarray(found, np.float64) - expected)
    scale = float(np.abs(expected).max())
    largest = float(error.max())
    return Difference(
        max_absolute=largest,
        mean_absolute=float(error.mean()),
        max_relative=largest / scale if scale > 0 else (0.0 if largest == 0 else np.inf),
        labels_changed=float((found.argmax(1) != expected.argmax(1)).mean()),
    )


def noise(size: Size, seed: int) -> dict[str, Array]:
    """One normalised image's worth of standard normal noise."""
    image = np.random.default_rng(seed).normal(size=(1, 3, *size))
    return {"image": image.astype(np.float32)}


def compare(runner: Runner, reference: Runner, inputs: Mapping[str, Array]) -> Difference:
    """The main outputs of both on the same inputs."""
    return difference(runner(inputs)[MAIN], reference(inputs)[MAIN])

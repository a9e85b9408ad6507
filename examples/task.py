"""A task of your own: one number a pixel, here the distance from the image's centre.

    nassearch run --data synthetic --preset demo --task task:Regression --out distance
    nascompile distance/best.json --weights distance/best.safetensors --task task:Regression \
        --head positive

from this folder, or with it on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from auxnas.compiler.tasks import (
    Disagreement,
    Head,
    Metric,
    Score,
    Segmentation,
    Sums,
    TargetFormat,
    Task,
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Regression(Task):
    """Distance of a pixel from the image's centre, 0 there and 1 in the corners.

    Pixels without a label have none here either.
    """

    name: ClassVar[str] = "distance"
    target: ClassVar[TargetFormat] = TargetFormat("float32", np.nan, linear=True)
    heads: ClassVar[Mapping[str, Head]] = {"logits": Head(), "positive": Head(("relu",), True)}
    metrics: ClassVar[Mapping[str, Metric]] = {"error": Metric("mean error", higher=False)}
    disagrees: ClassVar[Disagreement] = Disagreement("mean_shift", "{:.1e} mean shift", "of range")
    losses: ClassVar[str] = "task:Losses"

    @property
    def labels(self) -> TargetFormat:
        """Classes, of which only matters where there are some: the targets are made here."""
        return Segmentation.target

    def target_of(self, label: Array, image: Callable[[], Array]) -> Array:
        """The distances, of labelled pixels."""
        y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in label.shape)
        y, x = (y - y[::-1]) / 2, (x - x[::-1]) / 2  # to the last bit the same mirrored
        distance = np.sqrt((y[:, None] ** 2 + x**2) / 2)
        return np.where(label == self.labels.unlabelled, np.float32(np.nan), distance)

    def measure(self, output: Array, target: Array) -> Sums:
        """The sum of absolute errors, and how many pixels it is of."""
        known = self.target.known(target)
        errors = np.abs(output[:, 0][known].astype(np.float64) - target[known])
        return {"errors": errors.sum(), "pixels": np.array(known.sum())}

    def score(self, sums: Sums) -> Score:
        """The reward is 1 / (1 + mean absolute error)."""
        if not sums["pixels"]:
            raise ValueError("distance: no labelled pixel")
        error = float(sums["errors"] / sums["pixels"])
        return Score(1 / (1 + error), {"error": error})

    def picture(self, target: Array, palette: Array) -> Array:
        """Grey, black for 0 and what is not labelled."""
        grey = np.clip(np.nan_to_num(target), 0, 1) * 255
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)

    def disagreement(self, one: Array, other: Array) -> float:
        """The mean distance of two outputs, whose range is about 1."""
        return float(np.abs(one.astype(np.float64) - other).mean())


class Losses:
    """Mean absolute error over labelled pixels; torch is imported where a network is trained."""

    def at(self, targets: Any, size: tuple[int, int]) -> Any:
        """The number at each pixel's centre."""
        from auxnas.backends.torch.losses import shrink_labels

        return shrink_labels(targets, size)

    def __call__(self, output: Any, targets: Any) -> Any:
        """The loss, a scalar."""
        known = ~targets.isnan()
        errors = (output[:, 0] - targets.nan_to_num()).abs() * known
        return errors.sum() / known.sum().clamp(min=1)

"""Loss of segmentation, as plain data: weights of classes, hard pixels, overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auxnas.compiler.errors import check_number


@dataclass(frozen=True)
class PixelLoss:
    """Loss that segmentation minimises; see ``backends.torch.pixels`` for the formulas.

    Attributes:
        weights: of the classes, in the cross entropy; none: all pixels count alike.
        hard: pixels whose class has this probability or more do not count in the cross
            entropy; 1: all do.
        kept: share of the labelled pixels that counts all the same, those of the largest losses.
        dice: weight of the Dice loss, which is added.
        lovasz: weight of the Lovasz loss, which is added.

    Raises:
        CompilerError: naming the number that is out of range.
    """

    weights: tuple[float, ...] = ()
    hard: float = 1.0
    kept: float = 0.1
    dice: float = 0.0
    lovasz: float = 0.0

    def __post_init__(self) -> None:
        for weight in self.weights:
            check_number("loss.weights", weight)
        check_number("loss.hard", self.hard, 1e-6, 1)
        check_number("loss.kept", self.kept, 0, 1)
        for name in ("dice", "lovasz"):
            check_number(f"loss.{name}", getattr(self, name))


def effective_weights(counts: Sequence[float], balance: float) -> tuple[float, ...]:
    """Weights of classes by their effective number of samples (Cui et al. 2019).

    With n samples of a class, 1 / E(n) where E(n) = (1 - balance^n) / (1 - balance): n for rare
    classes, and never more than 1 / (1 - balance). Their mean over the classes that have samples
    is 1; the others have weight 1.

    Args:
        counts: samples of each class; need not be whole.
        balance: 0 (all alike) to 1, which it has to be less than.
    """
    check_number("loss.balance", balance, 0, 1, below=True)
    known = np.asarray(counts, np.float64)
    present = known > 0
    found = np.ones_like(known)
    if balance and present.any():
        inverse = (1 - balance) / -np.expm1(known[present] * np.log(balance))
        found[present] = inverse / inverse.mean()
    return tuple(found.tolist())

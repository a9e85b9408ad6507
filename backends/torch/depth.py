"""Losses of depth: the inverse Huber loss (Laina et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from auxnas.backends.torch.losses import Size, shrink_labels
from auxnas.compiler.tasks.depth import MISSING

_SHARE = 0.2
"""Of a batch's largest error: below it the loss is linear."""
_TINY = 1e-9
"""Metres: keeps the threshold from 0, where there is no error at all."""


class InverseHuber:
    """Mean inverse Huber loss of valid pixels; 0 where none is.

    An error e up to c counts e, a larger one (e^2 + c^2) / 2c, where c is a fifth of the
    batch's largest error and no gradient flows through it. Output below 0 counts as 0.
    """

    def at(self, targets: Tensor, size: Size) -> Tensor:
        """The depth at each pixel's centre."""
        return shrink_labels(targets, size)

    def count(self, targets: Tensor) -> Tensor:
        """Valid pixels of a batch."""
        return (targets > MISSING).sum()

    def __call__(self, output: Tensor, targets: Tensor) -> Tensor:
        """The loss, a scalar; ``targets`` (N, H, W) metres, 0 where missing."""
        errors, valid = _errors(output, targets)
        losses = _inverse_huber(errors, (_SHARE * errors.max()).detach())
        return losses.sum() / valid.sum().clamp(min=1)


class AuthorsInverseHuber(InverseHuber):
    """The same as the authors have it: over all pixels, with the gradient of the threshold too.

    The share of missing pixels weakens it, and the largest error's gradient is damped.
    """

    def count(self, targets: Tensor) -> Tensor:
        """All pixels of a batch."""
        return torch.ones_like(targets).sum()

    def __call__(self, output: Tensor, targets: Tensor) -> Tensor:
        """The loss, a scalar."""
        errors, _ = _errors(output, targets)
        return _inverse_huber(errors, _SHARE * errors.max()).mean()


def _errors(output: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Absolute errors, 0 where depth is missing, and the mask of where it is not."""
    valid = targets > MISSING
    return (F.relu(output[:, 0]) - targets).abs() * valid, valid


def _inverse_huber(errors: Tensor, threshold: Tensor) -> Tensor:
    bound = threshold.clamp(min=_TINY)
    return torch.where(errors <= bound, errors, (errors * errors + bound * bound) / (2 * bound))

"""Losses of pose: the mean squared error of the joints' maps (Xiao et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from auxnas.backends.torch.functions import grow
from auxnas.backends.torch.losses import Size


class MapLosses:
    """Half the mean squared error of maps, joints that do not count in the denominator.

    Outputs of a larger stride than the targets' are grown to theirs before.
    """

    def at(self, targets: Tensor, size: Size) -> Tensor:
        """The targets as they are: outputs grow to them, so that no peak is lost."""
        return targets

    def __call__(self, output: Tensor, targets: Tensor) -> Tensor:
        """The loss, a scalar; ``targets`` (N, h, w, K + 1) as the task packs them."""
        maps = grow(output, (targets.shape[1], targets.shape[2]))
        wanted = targets[..., :-1].permute(0, 3, 1, 2)
        errors = torch.where(wanted.isnan(), 0.0, maps - wanted.nan_to_num())
        return errors.square().mean() / 2

"""Losses: of each task, and what a training minimises of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from auxnas.backends.base import Recipe
from auxnas.backends.torch.functions import grow
from auxnas.backends.torch.pixels import (
    cross_entropy,
    dice_loss,
    lovasz_loss,
    weighted_cross_entropy,
)
from auxnas.backends.torch.team import Team
from auxnas.compiler.tasks import IGNORE
from auxnas.compiler.tasks.pixel_loss import PixelLoss
from auxnas.genotype.plugins import check_members, find_maker

Size = tuple[int, int]


class Losses(Protocol):
    """The losses of a task; a class that the task names, made with the task's ``loss_options``."""

    def at(self, targets: Tensor, size: Size) -> Tensor:
        """The targets of a batch, (N, H, W) or (N, H, W, channels), at (h, w) pixels."""

    def __call__(self, output: Tensor, targets: Tensor) -> Tensor:
        """The loss of one output, a scalar.

        It has to be the same for a recorded graph: nothing in it waits for the device.

        Args:
            output: (N, channels, H, W).
            targets: what ``at`` made of them for (H, W).
        """


class SegmentationLosses:
    """Cross entropy over labelled pixels, and what ``PixelLoss`` asks for beside it."""

    def __init__(self, loss: PixelLoss | None = None) -> None:
        self._how = PixelLoss() if loss is None else loss
        self._plain = not self._how.weights and self._how.hard == 1
        self._weights = torch.tensor(self._how.weights)

    def at(self, targets: Tensor, size: Size) -> Tensor:
        """The label at each pixel's centre, as int64."""
        return shrink_labels(targets, size).long()

    def __call__(self, output: Tensor, targets: Tensor) -> Tensor:
        """The loss, a scalar."""
        how = self._how
        loss = cross_entropy(output, targets) if self._plain else self._chosen(output, targets)
        if how.dice:
            loss = loss + how.dice * dice_loss(output, targets)
        if how.lovasz:
            loss = loss + how.lovasz * lovasz_loss(output, targets)
        return loss

    def count(self, targets: Tensor) -> Tensor:
        """Labelled pixels of a batch; the sum of their weights where classes have some."""
        known = targets != IGNORE
        if not len(self._weights):
            return known.sum()
        weights = self._weights.to(targets.device).double()
        return (weights[targets.long().clamp(max=len(weights) - 1)] * known).sum()

    def _chosen(self, output: Tensor, targets: Tensor) -> Tensor:
        """Weighted cross entropy of hard pixels; weights stay on the device of the first step."""
        weights = output.new_ones(output.shape[1])
        if len(self._weights):
            self._weights = weights = self._weights.to(output)
        return weighted_cross_entropy(output, targets, weights, self._how.hard, self._how.kept)


def shrink_labels(labels: Tensor, size: Size) -> Tensor:
    """(N, H, W, ...) labels at (h, w): each pixel takes the label at its centre.

    Centres, because scoring grows logits with half-pixel centres too. Where ``size`` is
    larger, labels are repeated.
    """
    if labels.shape[1:3] == size:
        return labels
    rows, columns = (
        _centres(n, m, labels.device) for n, m in zip(size, labels.shape[1:3], strict=True)
    )
    return labels[:, rows[:, None], columns]


def _centres(count: int, length: int, device: torch.device) -> Tensor:
    return (2 * torch.arange(count, device=device) + 1) * length // (2 * count)


def distillation(logits: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error against a teacher's logits (paper, section 3.2.2), resized to ours."""
    return F.mse_loss(logits, grow(teacher, _size(logits)))


@dataclass(frozen=True)
class BatchShare:
    """A part of a batch: its shares in the means of the whole.

    Attributes:
        targets: of what the task's loss is a mean over, a scalar.
        examples: of the examples, likewise.
    """

    targets: Tensor
    examples: Tensor


class Objective:
    """A recipe's loss of one batch.

    The task's loss of the main output, plus ``auxiliary`` times that of every other
    output (paper, section 3.2.3), plus ``distillation`` times the distance of the main
    output from the teacher's, where the batch has a teacher.
    """

    def __init__(self, recipe: Recipe, main: str) -> None:
        self.recipe, self.main = recipe, main
        options = recipe.task.loss_options
        make = find_maker("losses", recipe.task.losses, {}, tuple(options))
        self.losses: Losses = make(*options.values())
        check_members("losses", recipe.task.losses, self.losses, ("at", "__call__"))

    def __call__(
        self,
        outputs: Mapping[str, Tensor],
        labels: Tensor,
        teacher: Tensor | None,
        part: BatchShare | None = None,
    ) -> Tensor:
        """The loss, a scalar tensor; ``labels`` the targets of a batch, outputs at any size.

        Of a ``part`` of a batch it is what the part adds to the loss of the whole.
        """
        targets = _Targets(labels, self.losses)
        loss = self._loss(outputs[self.main], targets)
        for name, logits in outputs.items():
            if name != self.main:
                loss = loss + self.recipe.auxiliary * self._loss(logits, targets)
        if part is not None:
            loss = part.targets * loss
        if teacher is not None and self.recipe.distillation:
            distance = self.recipe.distillation * distillation(outputs[self.main], teacher)
            loss = loss + (distance if part is None else part.examples * distance)
        return loss

    def parts(self, targets: Sequence[Tensor], team: Team | None = None) -> list[BatchShare]:
        """The shares of parts of a batch, given the targets of each.

        In a team the batch is that of all members; as gradients become the mean of theirs, shares
        are multiplied with their number.
        """
        counts = torch.stack([self.count(each) for each in targets])
        sizes = counts.new_full((), sum(map(len, targets)))
        whole = torch.stack([counts.sum(), sizes])
        if team is not None:
            whole = team.sum(whole) / team.count
        shares = counts / whole[0].clamp(min=1e-9)
        return [
            BatchShare(share, len(each) / whole[1])
            for share, each in zip(shares, targets, strict=True)
        ]

    def count(self, targets: Tensor) -> Tensor:
        """The number that the task's loss of a batch is a mean over, float64.

        Where its losses do not say, with a method ``count``, it is the number of examples.
        """
        count = getattr(self.losses, "count", None)
        if count is None:
            return targets.new_full((), len(targets), dtype=torch.float64)
        found: Tensor = count(targets)
        return found.double()

    def _loss(self, logits: Tensor, targets: _Targets) -> Tensor:
        if self.recipe.full_size:
            logits = grow(logits, targets.size)
        loss: Tensor = self.losses(logits, targets.at(_size(logits)))
        return loss


class _Targets:
    """A batch's targets, brought to each size that is asked for once."""

    def __init__(self, labels: Tensor, losses: Losses) -> None:
        self.labels, self.losses = labels, losses
        self.size: Size = (labels.shape[1], labels.shape[2])
        self._made: dict[Size, Tensor] = {}

    def at(self, size: Size) -> Tensor:
        if size not in self._made:
            self._made[size] = self.losses.at(self.labels, size)
        return self._made[size]


def _size(maps: Tensor) -> Size:
    return maps.shape[2], maps.shape[3]

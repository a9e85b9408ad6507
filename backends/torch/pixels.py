"""Losses of segmentation: cross entropy with weights or of hard pixels, Dice and Lovasz.

Logits are (N, classes, H, W), labels (N, H, W) int64, 255 where not labelled. Nothing here
waits for the device. Where no pixel is labelled every loss is 0, and so is its gradient.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from auxnas.compiler.tasks import IGNORE


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over labelled pixels of -log softmax(logits)[label]; 0 where none is labelled."""
    total = F.cross_entropy(*_rows(logits, labels), ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)


def weighted_cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor, hard: float = 1.0, kept: float = 0.0
) -> Tensor:
    """Weighted mean of the cross entropy over the hard pixels.

    Hard is a pixel whose own class has a probability below ``hard``; and, however sure the
    network is, the share ``kept`` of the labelled pixels that has the largest losses (online hard
    example mining, Shrivastava et al. 2016). With w the weight of a pixel's class the loss is
    sum(w l) / sum(w), both over hard pixels.

    Args:
        logits: (N, classes, H, W).
        labels: (N, H, W).
        weights: (classes,), of the logits' type.
        hard: probability, more than 0; 1 for all pixels.
        kept: share, 0 to 1.
    """
    rows, truth = _rows(logits, labels)
    losses = F.cross_entropy(rows, truth, ignore_index=IGNORE, reduction="none")
    chosen = truth != IGNORE
    if hard < 1:
        found = losses.detach()
        worst = found.masked_fill(~chosen, -1).sort(descending=True).values
        least = (kept * chosen.sum()).ceil().long()
        bound = worst.gather(0, (least - 1).clamp(min=0)[None])
        chosen = chosen & ((found > -log(hard)) | ((found >= bound) & (least > 0)))
    shares = weights[truth.clamp(max=len(weights) - 1)] * chosen
    return (shares * losses).sum() / shares.sum().clamp(min=torch.finfo(losses.dtype).tiny)


def dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - 2 sum(p y) / (sum(p) + sum(y)), the mean over the classes that the batch has.

    p are a class's probabilities and y is 1 where it is, over the labelled pixels of the batch
    (Milletari et al. 2016, with sums in place of sums of squares).
    """
    guess, truth = _one_hot(logits, labels)
    sizes = truth.sum(1)
    overlap = 2 * (guess * truth).sum(1) / (guess.sum(1) + sizes).clamp(min=1e-7)
    return _mean_of_present(1 - overlap, sizes)


def lovasz_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The Lovasz extension of 1 - IoU, the mean over the classes that the batch has.

    With a class's errors m = |y - p| in falling order, J(k) is 1 - IoU when the first k pixels
    are wrong and the others right; the loss is sum(m_k (J(k) - J(k - 1))) (Berman et al. 2018).
    """
    guess, truth = _one_hot(logits, labels)
    errors, order = (truth - guess).abs().sort(1, descending=True)
    there = truth.long().gather(1, order)  # whole numbers add up exactly, in any order
    sizes = there.sum(1, keepdim=True)
    left, joined = sizes - there.cumsum(1), sizes + (1 - there).cumsum(1)
    wrong = 1 - left.to(errors.dtype) / joined
    steps = torch.diff(wrong, dim=1, prepend=torch.zeros_like(wrong[:, :1]))
    return _mean_of_present((errors * steps).sum(1), sizes[:, 0])


def _rows(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(pixels, classes) and (pixels,)."""
    return logits.permute(0, 2, 3, 1).flatten(0, 2), labels.flatten()


def _one_hot(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and truth, both (classes, pixels), 0 where not labelled."""
    rows, truth = _rows(logits, labels)
    known = truth != IGNORE
    classes = torch.arange(rows.shape[1], device=rows.device)
    guess = rows.softmax(1).T * known
    return guess, (truth == classes[:, None]).to(guess.dtype)


def _mean_of_present(losses: Tensor, sizes: Tensor) -> Tensor:
    """Mean of the classes' losses, (classes,), over those with a pixel."""
    present = sizes > 0
    return (losses * present).sum() / present.sum().clamp(min=1)

"""Losses of segmentation against plain numpy, and their gradients in every corner."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from auxnas.backends.base import Recipe
from auxnas.backends.torch.losses import Objective, SegmentationLosses
from auxnas.backends.torch.pixels import (
    cross_entropy,
    dice_loss,
    lovasz_loss,
    weighted_cross_entropy,
)
from auxnas.compiler import CompilerError
from auxnas.compiler.tasks import Segmentation, find_task
from auxnas.compiler.tasks.pixel_loss import PixelLoss, effective_weights
from auxnas.genotype.plugins import PluginError

CLASSES = 4
NAMES = ("sky", "road", "tree", "car")
UNLABELLED = 255


def example(seed, classes=range(CLASSES), unlabelled=0.3, scale=2.0):
    """Logits (2, 4, 5, 6) in float64 and labels of some classes, some of them missing."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=scale, size=(2, CLASSES, 5, 6))
    labels = rng.choice(list(classes), (2, 5, 6))
    labels[rng.random(labels.shape) < unlabelled] = UNLABELLED
    return torch.from_numpy(logits).requires_grad_(), torch.from_numpy(labels)


def plain(logits, labels):
    """Probabilities (pixels, classes) and labels (pixels,) of the labelled pixels."""
    rows = logits.detach().numpy().transpose(0, 2, 3, 1).reshape(-1, CLASSES)
    raised = np.exp(rows - rows.max(1, keepdims=True))
    truth = labels.numpy().ravel()
    known = truth != UNLABELLED
    return (raised / raised.sum(1, keepdims=True))[known], truth[known]


def entropies(logits, labels):
    guess, truth = plain(logits, labels)
    return -np.log(guess[np.arange(len(truth)), truth]), truth


WEIGHTS = (0.5, 2.0, 1.0, 0.25)
seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.sampled_from([1.0, 0.9, 0.5, 0.05]), st.sampled_from([0.0, 0.1, 0.4, 1.0]))
def test_weighted_mean_of_the_hard_pixels(seed, hard, kept):
    logits, labels = example(seed)
    losses, truth = entropies(logits, labels)
    weights = np.array(WEIGHTS)[truth]
    chosen = np.exp(-losses) < hard if hard < 1 else np.ones(len(losses), bool)
    chosen[np.argsort(-losses)[: int(np.ceil(kept * len(losses)))]] = True
    expected = (weights * losses)[chosen].sum() / max(weights[chosen].sum(), 1e-300)
    given_weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    found = weighted_cross_entropy(logits, labels, given_weights, hard, kept)
    assert found.item() == pytest.approx(expected, rel=1e-9)


@given(seeds)
def test_weights_of_one_and_all_pixels_are_the_plain_cross_entropy(seed):
    logits, labels = example(seed)
    ones = torch.ones(CLASSES, dtype=torch.float64)
    found = weighted_cross_entropy(logits, labels, ones)
    assert found.item() == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-12)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    theirs = torch.nn.CrossEntropyLoss(weights, ignore_index=UNLABELLED)(logits, labels)
    assert weighted_cross_entropy(logits, labels, weights).item() == pytest.approx(theirs.item())


@given(seeds)
def test_dice_is_one_minus_twice_the_overlap_over_the_sizes(seed):
    logits, labels = example(seed, classes=(0, 2, 3))
    guess, truth = plain(logits, labels)
    overlaps = []
    for name in np.unique(truth):
        y, p = truth == name, guess[:, name]
        overlaps.append(2 * p[y].sum() / (p.sum() + y.sum()))
    assert dice_loss(logits, labels).item() == pytest.approx(1 - np.mean(overlaps))


def one_minus_iou(wrong, truth):
    """Of a class whose mask is ``truth``, when the pixels ``wrong`` are taken for the opposite."""
    guess = truth ^ wrong
    return 1 - (guess & truth).sum() / (guess | truth).sum()


@given(seeds)
def test_lovasz_is_the_extension_of_one_minus_iou(seed):
    """The definition itself: pixels become wrong one by one, those of the largest error first."""
    logits, labels = example(seed, classes=(0, 1, 3))
    guess, truth = plain(logits, labels)
    losses = []
    for name in np.unique(truth):
        y = truth == name
        errors = np.abs(y - guess[:, name])
        order = np.argsort(-errors)
        worse = [np.isin(np.arange(len(y)), order[:count]) for count in range(len(y) + 1)]
        losses.append(
            sum(
                errors[order[k]] * (one_minus_iou(after, y) - one_minus_iou(before, y))
                for k, (before, after) in enumerate(pairwise(worse))
            )
        )
    assert lovasz_loss(logits, labels).item() == pytest.approx(np.mean(losses))


def test_lovasz_of_answers_without_doubt_is_one_minus_the_mean_iou():
    logits, labels = example(0, scale=1e4)
    guess, truth = plain(logits, labels)
    answer = guess.argmax(1)
    ious = [
        ((answer == n) & (truth == n)).sum() / ((answer == n) | (truth == n)).sum()
        for n in range(CLASSES)
    ]
    assert lovasz_loss(logits, labels).item() == pytest.approx(1 - np.mean(ious))


EVERYTHING = PixelLoss(WEIGHTS, hard=0.7, kept=0.2, dice=0.5, lovasz=1.5)
CORNERS = {
    "usual": {},
    "nothing is labelled": {"unlabelled": 1.1},
    "one class": {"classes": [2], "unlabelled": 0},
    "sure of everything": {"scale": 1e5},
    "all alike": {"scale": 0},
}
KINDS = {
    "plain": PixelLoss(),
    "weights": PixelLoss(WEIGHTS),
    "weights of 0": PixelLoss((0.0,) * CLASSES),
    "hard": PixelLoss(hard=0.5, kept=0),
    "dice": PixelLoss(dice=1),
    "lovasz": PixelLoss(lovasz=1),
    "everything": EVERYTHING,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradient_are_finite_in_every_corner(kind, corner, dtype):
    logits, labels = example(1, **CORNERS[corner])
    logits = logits.detach().to(dtype).requires_grad_()
    loss = SegmentationLosses(KINDS[kind])(logits, labels)
    loss.backward()
    assert loss.dtype == dtype
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    if corner == "nothing is labelled":
        assert loss.item() == 0
        assert not logits.grad.any()


@pytest.mark.parametrize("kind", KINDS)
def test_unlabelled_pixels_have_no_part(kind):
    logits, labels = example(2)
    losses = SegmentationLosses(KINDS[kind])
    there = (labels == UNLABELLED)[:, None].expand_as(logits)
    loss = losses(logits, labels)
    loss.backward()
    assert not logits.grad[there].any()
    other = torch.where(there, 3.0, logits.detach())
    assert losses(other, labels).item() == pytest.approx(loss.item(), rel=1e-12)


def test_all_parts_are_added_by_their_weights():
    logits, labels = example(3)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    parts = weighted_cross_entropy(logits, labels, weights, 0.7, 0.2)
    parts = parts + 0.5 * dice_loss(logits, labels) + 1.5 * lovasz_loss(logits, labels)
    assert SegmentationLosses(EVERYTHING)(logits, labels).item() == pytest.approx(parts.item())


def test_effective_numbers_of_samples():
    counts = [1, 2, 4, 1000]
    numbers = [1, 1.9, (1 - 0.9**4) / 0.1, 10]
    found = np.array(effective_weights(counts, 0.9))
    assert found * numbers == pytest.approx(found[0])
    assert found.mean() == pytest.approx(1)
    assert effective_weights(counts, 0) == (1, 1, 1, 1)
    assert effective_weights([0, 5], 0.9) == (1, 1), "a class without samples weighs 1"
    assert effective_weights([0, 0], 0.9) == (1, 1)
    with pytest.raises(CompilerError, match=r"^loss\.balance: 1, expected .* less than 1"):
        effective_weights(counts, 1)


@given(st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=6), st.floats(0.01, 0.9999))
def test_rarer_classes_weigh_no_less(counts, balance):
    weights = effective_weights(sorted(counts), balance)
    assert all(one >= other * (1 - 1e-9) > 0 for one, other in pairwise(weights))


def test_the_task_weighs_its_classes_by_the_samples_of_the_data_where_it_is_asked_to():
    task, asked = Segmentation(NAMES), []

    def samples():
        asked.append(True)
        return [1.0, 2, 4, 8]

    options = {"balance": 0.0, "hard": 0.7, "kept": 0.2, "dice": 0.0, "lovasz": 1.0}
    found = task.with_loss(options, samples)
    assert found.loss == PixelLoss((), 0.7, 0.2, 0.0, 1.0)
    assert not asked
    found = task.with_loss({**options, "balance": 0.9}, samples)
    assert found.loss.weights == effective_weights([1, 2, 4, 8], 0.9)
    depth = find_task("depth")
    assert depth.with_loss(options, samples) is depth


def test_the_objective_is_the_tasks():
    logits, labels = example(4)
    task = replace(Segmentation(NAMES), loss=EVERYTHING)
    recipe = Recipe(epochs=1, batch_size=2, optimisers=(), full_size=True, task=task)
    found = Objective(recipe, "main")({"main": logits}, labels, None)
    expected = SegmentationLosses(EVERYTHING)(logits, labels).item()
    assert found.item() == pytest.approx(expected)
    own = type("Own", (Segmentation,), {"losses": "builtins:repr"})
    with pytest.raises(PluginError, match="makes a str without at, __call__"):
        Objective(replace(recipe, task=own(NAMES, loss=EVERYTHING)), "main")


@pytest.mark.parametrize(
    ("name", "value"), [("hard", 0), ("kept", 1.1), ("dice", -1), ("lovasz", float("nan"))]
)
def test_a_number_out_of_range_is_named(name, value):
    with pytest.raises(CompilerError, match=rf"^loss\.{name}: {value}"):
        PixelLoss(**{name: value})

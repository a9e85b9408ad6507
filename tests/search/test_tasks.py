"""The reward, against torchmetrics and against counting pixels one by one."""

import warnings

import numpy as np
import pytest

from auxnas.search.evaluation.tasks import Segmentation

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
    from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex


def random_pair(seed, classes=7, pixels=400):
    """Truth and guess of some pixels; some classes occur in one only, or in neither."""
    rng = np.random.default_rng(seed)
    in_truth = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    in_guess = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    truth, guess = rng.choice(in_truth, pixels), rng.choice(in_guess, pixels)
    lucky = rng.random(pixels) < rng.random()
    return truth, np.where(lucky, truth, guess)


def confusion(truth, guess, classes=7):
    return np.bincount(truth * classes + guess, minlength=classes**2).reshape(classes, classes)


def names(count=7):
    return tuple(f"c{index}" for index in range(count))


def by_counting(truth, guess, ignored=()):
    """(miou, fwiou, accuracy) from their definitions, class by class."""
    ious, weights, accuracies = [], [], []
    for c in range(7):
        both, either = ((truth == c) & (guess == c)).sum(), ((truth == c) | (guess == c)).sum()
        if c in ignored or either == 0:
            continue
        ious.append(both / either)
        weights.append((truth == c).sum())
        if (truth == c).any():
            accuracies.append(both / (truth == c).sum())
    fwiou = np.dot(ious, weights) / np.sum(weights)
    return np.mean(ious), fwiou, np.mean(accuracies)


@pytest.mark.parametrize("seed", range(25))
def test_agrees_with_torchmetrics(seed):
    truth, guess = random_pair(seed)
    score = Segmentation(names()).score(confusion(truth, guess))
    guesses, truths = torch.from_numpy(guess), torch.from_numpy(truth)
    miou = MulticlassJaccardIndex(7, average="macro")(guesses, truths).item()
    fwiou = MulticlassJaccardIndex(7, average="weighted")(guesses, truths).item()
    recalls = MulticlassAccuracy(7, average="none")(guesses, truths).numpy()
    accuracy = recalls[np.unique(truth)].mean()
    assert score.metrics["miou"] == pytest.approx(miou, abs=1e-6)
    assert score.metrics["fwiou"] == pytest.approx(fwiou, abs=1e-6)
    assert score.metrics["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert score.reward == pytest.approx((miou * fwiou * accuracy) ** (1 / 3), abs=1e-6)


@pytest.mark.parametrize("seed", range(25))
def test_classes_left_out(seed):
    truth, guess = random_pair(seed)
    ignored = [c for c in (0, 3) if set(np.unique(truth)) - {0, 3}]
    task = Segmentation(names(), tuple(f"c{c}" for c in ignored))
    found = task.score(confusion(truth, guess)).metrics
    assert tuple(found.values()) == pytest.approx(by_counting(truth, guess, ignored))


def test_absent_classes():
    """c1 is absent but predicted, c2 neither: c1 spoils the mIoU, c2 nothing."""
    found = Segmentation(names(3)).score(np.array([[6, 2, 0], [0, 0, 0], [0, 0, 0]])).metrics
    assert found == {"miou": 0.75 / 2, "fwiou": 0.75, "accuracy": 0.75}


@pytest.mark.parametrize(
    "mutant",
    [
        lambda m: m[:3],  # forgets to grow
        lambda m: m.T,
    ],
    ids=["cut", "transposed"],
)
def test_the_oracle_sees_a_wrong_matrix(mutant):
    differs = 0
    for seed in range(10):
        truth, guess = random_pair(seed)
        matrix = mutant(confusion(truth, guess))
        if matrix.shape[0] != matrix.shape[1]:
            padded = np.zeros((7, 7), dtype=int)
            padded[: matrix.shape[0]] = matrix
            matrix = padded
        if not matrix.sum():
            continue
        found = tuple(Segmentation(names()).score(matrix).metrics.values())
        differs += found != pytest.approx(by_counting(truth, guess))
    assert differs >= 5


def test_perfect_and_large():
    matrix = np.diag([10**15, 1, 3]).astype(np.int64)
    assert Segmentation(names(3)).score(matrix).reward == pytest.approx(1)


def test_refusals():
    with pytest.raises(ValueError, match=r"task.ignore: no class 'sky', expected some of c0, c1"):
        Segmentation(names(2), ("sky",))
    with pytest.raises(ValueError, match="no pixel of a class that counts"):
        Segmentation(names(2), ("c0",)).score(np.array([[4, 1], [0, 0]]))

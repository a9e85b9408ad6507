"""Tasks: a contract for each, and the reward of segmentation against torchmetrics and counting."""

import json
import pickle
import warnings

import numpy as np
import pytest

from auxnas.backends.base import Batch
from auxnas.backends.null.learner import pretended
from auxnas.compiler.primitives import PRIMITIVES
from auxnas.compiler.tasks import TASKS, Head, Segmentation, find_task
from auxnas.genotype.plugins import PluginError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
    from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex


CLASSES = ("road", "sky", "car", "pole")
SIZE = (9, 12)


def target_of(task, image, label):
    return task.target_of(label, lambda: image)


@pytest.mark.parametrize("op", PRIMITIVES)
def test_a_head_gives_what_its_last_primitive_gives(op):
    head = Head(("relu", op))
    assert (head.result, head.bytes) == (PRIMITIVES[op].result, PRIMITIVES[op].result == "uint8")
    assert Head().result == "float32"


class Drawn:
    """Examples whose targets are known."""

    def __init__(self, targets):
        self.targets = targets

    def __len__(self):
        return len(self.targets)

    def batch(self, indices, rng):
        return Batch({}, self.targets[list(indices)])


class TaskContract:
    """Laws of every task: subclasses say its name."""

    name: str

    @pytest.fixture
    def task(self):
        return find_task(self.name, CLASSES)

    @pytest.fixture
    def rng(self):
        return np.random.default_rng(0)

    def label(self, rng, share=0.2):
        """Labels, some of them none."""
        label = rng.integers(0, len(CLASSES), SIZE, dtype=np.uint8)
        label[rng.random(SIZE) < share] = 255
        return label

    def image(self, rng):
        return rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)

    def batch(self, task, rng, count=3):
        """Targets, and outputs as the measured head gives them."""
        targets = [target_of(task, self.image(rng), self.label(rng)) for _ in range(count)]
        output = rng.normal(size=(count, task.outputs, *SIZE)).astype(np.float32)
        return task.heads[task.measured].of(output), np.stack(targets)

    def test_it_describes_itself(self, task):
        assert task.outputs >= 1
        assert task.heads["logits"].ops == ()
        assert task.measured in task.heads
        for head in task.heads.values():
            assert {op for op, _ in head.steps} <= PRIMITIVES.keys()
        assert task.metrics
        module, _, attribute = task.losses.partition(":")
        assert module
        assert attribute
        assert task.disagrees.text.format(0.5)

    def test_it_can_be_pickled(self, task):
        assert pickle.loads(pickle.dumps(task)) == task

    def test_targets_are_of_its_type(self, task, rng):
        image, label = self.image(rng), self.label(rng)
        target = target_of(task, image, label)
        assert target.dtype == task.target.dtype
        channels = () if task.target.channels == 1 else (task.target.channels,)
        assert target.shape == (*SIZE, *channels)
        assert task.fault(target[None], task.outputs) is None
        np.testing.assert_array_equal(target_of(task, image, label), target)

    def test_a_mirrored_image_has_the_mirrored_target(self, task, rng):
        image, label = self.image(rng), self.label(rng)
        target = target_of(task, image, label)
        mirrored = target_of(task, image[:, ::-1], label[:, ::-1])
        np.testing.assert_array_equal(mirrored, target[:, ::-1])
        rows, columns = (np.arange(n, dtype=np.float32) for n in SIZE)
        np.testing.assert_array_equal(task.target.sample(target, rows, columns), target)
        moved = task.target.sample(target, rows, columns[::-1])
        np.testing.assert_array_equal(moved, target[:, ::-1])

    def test_outside_a_target_nothing_is_labelled(self, task, rng):
        target = target_of(task, self.image(rng), self.label(rng, share=0))
        rows, columns = (np.arange(-2, n + 2, dtype=np.float32) for n in SIZE)
        known = task.target.known(task.target.sample(target, rows, columns))
        assert known[2:-2, 2:-2].all()
        outside = known.copy()
        outside[2:-2, 2:-2] = False
        assert not outside.any()

    def test_statistics_add_up(self, task, rng):
        output, target = self.batch(task, rng)
        whole, *parts = (
            task.measure(output[chosen], target[chosen])
            for chosen in (slice(None), slice(0, 1), slice(1, None))
        )
        for name, value in whole.items():
            total = sum(part[name] for part in parts)
            np.testing.assert_allclose(total, value, rtol=1e-6)

    def test_unlabelled_pixels_do_not_count(self, task, rng):
        output, target = self.batch(task, rng)
        other, _ = self.batch(task, rng)
        hidden = ~task.target.known(target)
        hidden = hidden if hidden.ndim == 3 else hidden.any(-1)
        assert hidden.any()
        changed = np.where(hidden[:, None], other, output)
        first, second = task.measure(output, target), task.measure(changed, target)
        for name in first:
            np.testing.assert_allclose(first[name], second[name], rtol=1e-6)

    def test_scores(self, task, rng):
        score = task.score(task.measure(*self.batch(task, rng)))
        assert 0 <= score.reward <= 1
        assert list(score.metrics) == list(task.metrics)
        assert np.isfinite(list(score.metrics.values())).all()
        json.dumps(task.details(task.measure(*self.batch(task, rng))))

    def test_nothing_labelled_has_no_score(self, task, rng):
        output, target = self.batch(task, rng)
        with pytest.raises(ValueError):
            task.score(task.measure(output, np.full_like(target, task.target.unlabelled)))

    def test_a_better_network_scores_better(self, task, rng):
        examples = Drawn(self.batch(task, rng)[1])
        found = [
            task.score(pretended(task, examples, quality, np.random.default_rng(1)))
            for quality in (0.05, 0.5, 0.95)
        ]
        rewards = [score.reward for score in found]
        assert rewards == sorted(set(rewards))
        for name, metric in task.metrics.items():
            values = [score.metrics[name] for score in found]
            assert (values[-1] > values[0]) == metric.higher

    def test_disagreement(self, task, rng):
        outputs = rng.normal(size=(3, 2, task.outputs, *SIZE)).astype(np.float32)
        for one in outputs:
            assert task.disagreement(one, one) == 0
            assert all(task.disagreement(one, other) >= 0 for other in outputs)
        assert task.disagreement(outputs[0], outputs[1]) > 0

    def test_an_answer_is_like_a_target_and_has_a_picture(self, task, rng):
        output, target = self.batch(task, rng)
        answer = task.answer(output)
        assert answer.shape == target.shape
        palette = rng.integers(0, 256, (len(CLASSES), 3), dtype=np.uint8)
        for values in (answer[0], target[0]):
            picture = task.picture(values, palette)
            assert (picture.shape, picture.dtype) == ((*SIZE, 3), np.uint8)

    def test_a_table_has_a_cell_a_column(self, task, rng):
        table = task.table(task.measure(*self.batch(task, rng)))
        for row in (*table.rows, *filter(None, [table.total])):
            assert len(row) == len(table.columns)


class TestSegmentation(TaskContract):
    name = "segmentation"


def test_every_task_of_ours_is_found():
    for name in TASKS:
        assert find_task(name, CLASSES).name == name
    with pytest.raises(PluginError, match="task: no 'segmentaton', expected perhaps segmentation"):
        find_task("segmentaton")


class Forgetful(Segmentation):
    """Counts pixels without a label too."""

    def measure(self, output, target):
        return super().measure(output, np.where(target == 255, 0, target))


class Mean(Segmentation):
    """Statistics that do not add up."""

    def measure(self, output, target):
        return {"confusion": super().measure(output, target)["confusion"] / len(output)}


@pytest.mark.parametrize(
    ("task", "law"),
    [
        (Forgetful(CLASSES), "test_unlabelled_pixels_do_not_count"),
        (Mean(CLASSES), "test_statistics_add_up"),
    ],
)
def test_the_contract_sees(task, law):
    with pytest.raises(AssertionError):
        getattr(TestSegmentation(), law)(task, np.random.default_rng(0))


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
    score = Segmentation(names()).score({"confusion": confusion(truth, guess)})
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
    found = task.score({"confusion": confusion(truth, guess)}).metrics
    assert tuple(found.values()) == pytest.approx(by_counting(truth, guess, ignored))


def test_absent_classes():
    """c1 is absent but predicted, c2 neither: c1 spoils the mIoU, c2 nothing."""
    found = (
        Segmentation(names(3))
        .score({"confusion": np.array([[6, 2, 0], [0, 0, 0], [0, 0, 0]])})
        .metrics
    )
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
        found = tuple(Segmentation(names()).score({"confusion": matrix}).metrics.values())
        differs += found != pytest.approx(by_counting(truth, guess))
    assert differs >= 5


def test_perfect_and_large():
    matrix = np.diag([10**15, 1, 3]).astype(np.int64)
    assert Segmentation(names(3)).score({"confusion": matrix}).reward == pytest.approx(1)


def test_refusals():
    with pytest.raises(ValueError, match=r"task.ignore: no class 'sky', expected some of c0, c1"):
        Segmentation(names(2), ("sky",))
    with pytest.raises(ValueError, match="no pixel of a class that counts"):
        Segmentation(names(2), ("c0",)).score({"confusion": np.array([[4, 1], [0, 0]])})

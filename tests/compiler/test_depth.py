"""Depth against hand-computed vectors, the published networks' outputs, and laws."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from auxnas.compiler import ModelSpec, cost, lower
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.tasks import find_task
from auxnas.compiler.tasks.depth import CROPS, Depth
from auxnas.compiler.tasks.depth.colours import colour_scale, depth_colours
from auxnas.compiler.tasks.depth.errors import error_figures, error_sums
from auxnas.genotype.zoo import load_published
from tests.compiler.test_tasks import SIZE, TaskContract

SHARED = Path(os.environ.get("AUXNAS_DATA", Path(__file__).parents[3] / "shared" / "data"))
PUBLISHED = SHARED / "depth" / "published" / "arch_depth_predictions.npz"
NAMES = ("rmse", "rmse_log", "log10", "abs_rel", "sq_rel", "silog", "delta1", "delta2", "delta3")

TRUTH = np.array([[[1.0, 2, 4], [0, 5, 10]]]), np.array([[[2.0, 2], [8, 0]]])
GUESS = np.array([[[1.2, 1.9, 5], [3, 7, 10]]]), np.array([[[2.5, 1.6], [6, 9]]])
TINY = (
    (1.12361, 0.222979, 0.086124, 0.225, 0.27375, 14.109524, 0.5, 1, 1),
    (1.212436, 0.246541, 0.106253, 0.233333, 0.235, 22.712704, 0, 1, 1),
)
MEANS = (1.168023, 0.23476, 0.096188, 0.229167, 0.254375, 18.411114, 0.25, 1, 1)
POOLED = (1.16251, 0.233368, 0.094751, 0.228571, 0.257143, 22.6157, 0.285714, 1, 1)


class TestDepth(TaskContract):
    name = "depth"

    def label(self, rng, share=0.2):
        """Metres, some of them missing."""
        metres = rng.uniform(0.5, 9, SIZE).astype(np.float32)
        metres[rng.random(SIZE) < share] = 0
        return metres


class Everywhere(Depth):
    """Scores missing pixels too."""

    def measure(self, output, target):
        return super().measure(output, np.where(target > 0, target, np.float32(1)))


def test_the_contract_sees_missing_pixels_that_count():
    law = TestDepth().test_unlabelled_pixels_do_not_count
    law(Depth(), np.random.default_rng(0))
    with pytest.raises(AssertionError):
        law(Everywhere(), np.random.default_rng(0))


def measured(task, *pairs):
    found = [task.measure(guess[:, None], truth) for guess, truth in pairs]
    return {name: sum(each[name] for each in found) for name in found[0]}


def close(found, expected):
    assert [found[name] for name in NAMES] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_tiny_vectors_of_each_image_and_both_ways_of_pooling():
    task, pairs = Depth(), list(zip(GUESS, TRUTH, strict=True))
    for pair, expected in zip(pairs, TINY, strict=True):
        close(task.score(measured(task, pair)).metrics, expected)
    both = measured(task, *pairs)
    close(task.score(both).metrics, MEANS)
    close(task.details(both)["pooled_over_pixels"], POOLED)
    other = Depth(pooling="pixels")
    close(other.score(both).metrics, POOLED)
    close(other.details(both)["pooled_over_images"], MEANS)
    assert task.details(both)["valid_pixels"] == 7  # 10 is not below the largest depth


def test_a_ratio_of_exactly_the_threshold_is_wrong():
    row = error_figures(error_sums(np.float32([5]), np.float32([4])))
    close(row, (1, 0.223144, 0.09691, 0.25, 0.25, 0, 0, 1, 1))


def test_predictions_are_clamped_before_they_are_scored():
    task = Depth()
    found = measured(task, (np.float32([[[-1, 40]]]), np.float32([[[2, 3]]])))
    expected = (5.147621, 5.441657, 1.911954, 1.666417, 9.165667, 440.243763, 0, 0, 0)
    close(task.score(found).metrics, expected)
    wild = np.float32([[[np.inf, np.nan, -np.inf]]])
    np.testing.assert_array_equal(task.answer(wild[:, None])[0, 0], np.float32([10, 1e-3, 1e-3]))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_torchmetrics(seed):
    """Over all pixels, and as the mean of images, where it has the figure."""
    torchmetrics = pytest.importorskip("torchmetrics")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.2, 12, (4, 6, 8)) * (rng.random((4, 6, 8)) < 0.7)
    guess = rng.uniform(0.2, 9, truth.shape)
    oracles = {
        "rmse": (torchmetrics.MeanSquaredError(squared=False), lambda depth: depth),
        "rmse_log": (torchmetrics.MeanSquaredError(squared=False), torch.log),
        "abs_rel": (torchmetrics.MeanAbsolutePercentageError(), lambda depth: depth),
        "log10": (torchmetrics.MeanAbsoluteError(), torch.log10),
    }
    valid = (truth > 1e-3) & (truth < 10)
    found = Depth().pooled(measured(Depth(), (guess[:2], truth[:2]), (guess[2:], truth[2:])))
    for name, (oracle, of) in oracles.items():
        images = []
        for each in range(len(truth)):  # of which the oracle adds up its own statistics
            pair = (torch.from_numpy(depth[each][valid[each]]) for depth in (guess, truth))
            images.append(float(oracle(*map(of, pair))))
        assert found["pixels"][name] == pytest.approx(float(oracle.compute()), rel=1e-5), name
        assert found["images"][name] == pytest.approx(np.mean(images), rel=1e-5), name


def test_the_two_silogs_are_told_apart():
    rng = np.random.default_rng(0)
    truth, guess = rng.uniform(1, 9, (2, 50))
    d = np.log(guess) - np.log(truth)
    found = error_figures(error_sums(guess, truth))
    assert found["silog"] == pytest.approx(100 * d.std())
    assert found["silog_half"] == pytest.approx(np.sqrt((d**2).mean() - 0.5 * d.mean() ** 2))


def grown(output, size):
    import torch

    from auxnas.backends.torch.functions import grow

    return grow(torch.from_numpy(output[None, None]), size).numpy()


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="no ../shared/data/depth/published")
def test_the_published_networks_outputs():
    """Of the paper's arch0 and arch1 on four official test images; see Table 3."""
    task = Depth()
    golden = {
        "arch0": (
            0.37831,
            0.173654,
            0.13949,
            0.077894,
            0.824404,
            0.978221,
            0.992316,
            0.055752,
            13.777094,
            0.391077,
        ),
        "arch1": (
            0.280586,
            0.132727,
            0.103078,
            0.038554,
            0.908885,
            0.989009,
            0.999513,
            0.042657,
            11.426055,
            0.284137,
        ),
    }
    with np.load(PUBLISHED) as data:
        for arch, expected in golden.items():
            pairs = []
            for image in ("565", "618", "1051", "1052"):
                truth = data[f"truth_mm_{image}"].astype(np.float32)[None] / 1000
                pairs.append((grown(data[f"{arch}_{image}"], truth.shape[1:])[0], truth))
            both = measured(task, *pairs)
            found = task.score(both).metrics
            names = ("rmse", "rmse_log", "abs_rel", "sq_rel", "delta1", "delta2", "delta3")
            names += ("log10", "silog")
            values = [found[name] for name in names]
            values.append(task.details(both)["pooled_over_pixels"]["rmse"])
            assert values == pytest.approx(expected, abs=2e-6)


def test_outputs_grow_with_half_pixel_centres():
    expected = [
        [1, 1.25, 1.75, 2],
        [1.5, 1.75, 2.25, 2.5],
        [2.5, 2.75, 3.25, 3.5],
        [3, 3.25, 3.75, 4],
    ]
    np.testing.assert_allclose(grown(np.float32([[1, 2], [3, 4]]), (4, 4))[0, 0], expected)


@pytest.mark.parametrize(
    ("name", "size", "rows", "columns"),
    [
        ("none", (7, 9), (0, 7), (0, 9)),
        ("authors", (480, 640), (40, 440), (40, 600)),
        ("nyu", (480, 640), (45, 471), (41, 601)),
        ("eigen", (480, 640), (21, 460), (25, 616)),
        ("garg", (375, 1242), (153, 371), (44, 1197)),
        ("eigen-kitti", (352, 1216), (117, 321), (43, 1172)),
        ("nyu", (240, 320), (22, 235), (20, 300)),
    ],
)
def test_crops(name, size, rows, columns):
    assert CROPS[name].of(size) == (slice(*rows), slice(*columns))


def test_only_the_crop_is_scored():
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 9, (1, 48, 64)).astype(np.float32)
    rows, columns = CROPS["nyu"].of((48, 64))
    guess = np.full_like(truth, 9)
    guess[:, rows, columns] = truth[:, rows, columns]
    task = Depth(crop="nyu")
    assert task.score(task.measure(guess[:, None], truth)).reward == 1
    assert Depth().score(Depth().measure(guess[:, None], truth)).reward < 1


def test_depth_is_divided_by_the_magnification_or_kept():
    target = np.float32([[4, 0], [4, 4]])
    places = np.float32([-0.25, 0.25, 0.75, 1.25])
    found = Depth().labels.moved(target, places, places, 2.0)
    assert set(found.ravel()) == {0, 2}
    kept = Depth(scaling="keep").labels.moved(target, places, places, 2.0)
    assert set(kept.ravel()) == {0, 4}


def test_targets_have_nothing_but_depth():
    label = np.array([[1, np.nan, np.inf, -1, 0]], np.float64)
    target = Depth().target_of(label, lambda: None)
    np.testing.assert_array_equal(target, np.float32([[1, 0, 0, 0, 0]]))
    assert Depth().fault(np.float32([[[-1]]]), 1) == (
        "depth: -1.0 metres, expected 0 (missing) or more"
    )
    assert "2 output channels" in Depth().fault(target[None], 2)


def test_options_stand_behind_the_name():
    found = find_task("depth,max=80,crop=garg,pooling=pixels,scaling=keep,mean=all")
    assert found == Depth(max=80.0, crop="garg", pooling="pixels", scaling="keep", mean="all")
    assert found.losses.endswith(":AuthorsInverseHuber")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("depth,max=near", "task.max: 'near', expected metres"),
        ("depth,max=-1", "task.max: -1.0, expected a number from 0.002 to 10000"),
        ("depth,crop=gerg", "task.crop: 'gerg', expected one of none, authors, nyu"),
        ("depth,most=3", "task depth: no option 'most', expected max, crop"),
        ("depth,max", "option: depth,max, expected name=value"),
        ("depth,max=3,max=4", "each once"),
        ("segmentation,max=3", "task segmentation,max=3: got an unexpected keyword argument 'max'"),
    ],
)
def test_wrong_options_are_named(name, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        find_task(name)


def test_the_head_gives_metres_within_the_limits():
    output = np.array([[-2, 0.5, 3, 99]]).reshape(1, 1, 1, 4)
    head = Depth(max=80).heads["depth"]
    np.testing.assert_allclose(head.of(output).ravel(), [1e-3, 0.5, 3, 80])
    assert head.resize


def test_nearer_is_lighter_and_ticks_are_round():
    metres = np.geomspace(0.05, 12, 50)
    light = depth_colours(metres, (0.4, 10.0)).astype(int).sum(-1)
    assert (np.diff(light) <= 0).all()
    assert light[0] - light[-1] > 400
    texts = [text for _, text in colour_scale((0.4, 10.0)).marks]
    assert texts == ["0.4 m", "0.7 m", "1 m", "1.5 m", "2 m", "3 m", "4 m", "7 m", "10 m"]
    assert [text for _, text in colour_scale((1.78, 3.63)).marks] == [
        "1.78 m",
        "2 m",
        "3 m",
        "3.63 m",
    ]
    missing = Depth().picture(np.float32([[0, 1]]), None)
    assert missing[0, 0].tolist() != missing[0, 1].tolist()


def test_a_picture_of_its_own_range_is_not_ruled_by_a_few_pixels():
    metres = np.random.default_rng(0).uniform(2, 3, (20, 30)).astype(np.float32)
    metres[0, :5] = 1e-3
    found = Depth().predicted(metres, None, None, 0.5)
    first, last = (float(found.pictures["colours"].scale.marks[n][1].split()[0]) for n in (0, -1))
    assert 1.9 < first < 2.2 < 2.8 < last < 3.2
    assert found.facts["nearest"] == pytest.approx(1e-3)
    stored = found.pictures["depth"].pixels
    assert stored.dtype == np.uint16
    np.testing.assert_allclose(stored / found.facts["units_per_metre"], metres, atol=1e-3)
    far = Depth(max=200.0)
    assert far.predicted(metres + 190, None, None, 0.5).pictures["depth"].pixels.max() < 1 << 16


def test_a_better_guess_is_nearer_to_the_truth():
    rng = np.random.default_rng(0)
    one = rng.uniform(1, 9, (1, 1, 4, 5)).astype(np.float32)
    assert Depth().disagreement(1.1 * one, one) == pytest.approx(0.1, abs=1e-2)
    assert Depth().disagreement(-one, -one) == 0


def test_a_table_names_the_pooling_and_the_crop():
    task = Depth(crop="nyu", pooling="pixels")
    sums = measured(task, *zip(GUESS, TRUTH, strict=True))
    table = task.table(sums)
    assert table.columns[1] == "over all pixels (the score)"
    assert "crop nyu" in table.notes[0]
    json.dumps(task.details(sums))


def test_the_limit_is_no_depth():
    with pytest.raises(CompilerError):
        Depth(max=float("nan"))


@pytest.mark.parametrize(
    ("name", "base"), [("arch0", 2617792), ("arch1", 2798016), ("arch2", 2841024)]
)
def test_parameters_of_the_papers_networks_with_one_output(name, base):
    """As described: 3x3 on 64 channels and a bias an output. Table 3 prints 2.6, 2.8, 2.9 M."""
    for outputs in (1, 16, 17):
        graph = lower(load_published(name).genotype, ModelSpec(classes=outputs))
        assert cost(graph, (64, 64)).parameters == base + 577 * outputs

"""Contracts of pose: skeletons, labels, targets, decoding, scores."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.compiler import ModelSpec, cost, lower
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.tasks import find_task
from auxnas.compiler.tasks.pose import (
    COCO17,
    MPII16,
    Joints,
    named_skeleton,
    person_label,
    skeleton_of,
)
from auxnas.compiler.tasks.pose.drawing import COLOURS, draw_skeleton
from auxnas.compiler.tasks.pose.heatmaps import gaussian_maps
from auxnas.compiler.tasks.pose.scores import object_similarity
from auxnas.compiler.tasks.target import TargetFormat
from auxnas.genotype.zoo import load_published
from tests.compiler.test_tasks import TaskContract

PARTS = ("hand", "foot", "shoulder", "knee")


@pytest.mark.parametrize("skeleton", [COCO17, MPII16])
def test_known_skeletons(skeleton):
    assert skeleton_of(list(skeleton.joints)) is skeleton
    assert named_skeleton(skeleton.text) is skeleton
    assert all(
        skeleton.joints[a].replace("left", "right") == skeleton.joints[b] for a, b in skeleton.pairs
    )
    assert {len(COCO17.pairs), len(MPII16.pairs)} == {8, 6}


@given(st.permutations([*(f"left_{p}" for p in PARTS), *(f"r {p}" for p in PARTS), "nose"]))
def test_sides_pair_up(joints):
    skeleton = skeleton_of(joints)
    for place, other in enumerate(skeleton.mirrored):
        assert skeleton.mirrored[other] == place
        assert (place == other) == (joints[place] == "nose")
        assert joints[place][-4:] == joints[other][-4:]
    assert len(skeleton.sigmas) == len(joints)
    assert named_skeleton(skeleton.text) == skeleton


WAYS = ("left_{}", "l_{}", "{}_left", "left {}", "{}.left", "left{}", "l{}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", [str, str.title, lambda name: re.sub("_(.)", _capital, name)])
def test_sides_are_known_however_they_are_written(way, case):
    """By words apart, by a capital, or by a first letter that has its other one."""
    written = [way.format(part) for part in ("eye", "sho")]
    others = [
        name.replace("left", "right") if "left" in name else f"r{name[1:]}" for name in written
    ]
    skeleton = skeleton_of([case(name) for name in (*written, *others, "nose", "pelvis")])
    assert skeleton.pairs == ((0, 2), (1, 3))
    assert skeleton.parts[:4] == ("eye", "sho") * 2
    assert skeleton.sides == ("left", "left", "right", "right", "", "")


def _capital(found: re.Match[str]) -> str:
    return found[1].upper()


def test_names_that_only_begin_with_a_letter_of_a_side_are_of_none():
    assert skeleton_of(["lip", "rump", "nose"]).pairs == ()


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        ((), "names, each once"),
        (("nose", "nose"), "each once"),
        (("left_eye", "nose"), "'left_eye' alone, expected right_eye"),
        (("eye_l", "left_eye", "right_eye"), "each once"),
    ],
)
def test_skeletons_that_are_none(joints, words):
    with pytest.raises(CompilerError, match=words):
        skeleton_of(joints)


def test_labels_of_persons():
    label = person_label([(3, 4), (5, 6)], (2, 0), area=100, head=7)
    assert label.tolist() == [[3, 4, 2], [0, 0, 0], [10, 7, 1]]
    numbers = Joints(skeleton=skeleton_of(["nose", "chin"]))
    assert numbers.fault(label, (9, 9)) is None
    assert numbers.cut(label, 2).tolist() == [[1, 2, 2], [0, 0, 0], [10, 7, 1]]
    assert numbers.counted(label).tolist() == [0, 255, 255]
    assert numbers.same_numbers(Joints())
    assert not numbers.same_numbers(Joints(skeleton=COCO17))
    assert not numbers.same_numbers(TargetFormat("float32", 0))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (np.zeros((3, 3)), "float64"),
        (np.zeros((3, 3), np.float32)[None], "shape"),
        (np.zeros((4, 3), np.float32), "2 joints"),
        (np.full((3, 3), np.nan, np.float32), "not finite"),
        (np.full((3, 3), 3, np.float32), "flag 3"),
    ],
)
def test_labels_that_are_none(label, words):
    assert words in (Joints(skeleton=skeleton_of(["nose", "chin"])).fault(label, (9, 9)) or "")


# Targets and decoding: vectors that independent code gave -------------------------------------

PLACES = [
    (100.3, 57.9), (1, 1), (-5, 30), (-30, 40), (-28, 40),
    (279, 40), (280, 40), (255, 255), (128, 128), (130, 130),
]  # fmt: skip
ROW = (0.011109, 0.043937, 0.135335, 0.324652, 0.606531, 0.882497, 1)


def test_targets_are_the_published_ones():
    joints = np.array([(*place, 2) for place in PLACES], np.float32)
    joints[-1, 2] = 0
    maps, weights = gaussian_maps(joints, (64, 64))
    sums = (25.081289, 9.024384, 15.044706, 0, 0.055635, 0, 0, 4.016262, 25.081291, 0)
    np.testing.assert_allclose(maps.sum((1, 2)), sums, atol=3e-6)
    np.testing.assert_allclose(
        maps.max((1, 2)), (1, 1, 1, 0, 0.011109, 0, 0, 0.778801, 1, 0), atol=1e-6
    )
    assert weights.tolist() == [1, 1, 1, 1, 1, 0, 0, 1, 1, 0]
    np.testing.assert_allclose(maps[0, 14, 19:32], (*ROW, *ROW[-2::-1]), atol=1e-6)
    peaks = {0: (25, 14), 1: (0, 0), 2: (0, 8), 4: (0, 10), 7: (63, 63), 8: (32, 32)}
    for joint, (x, y) in peaks.items():
        assert np.unravel_index(maps[joint].argmax(), (64, 64)) == (y, x)


def decoding_maps():
    maps = np.zeros((1, 5, 6, 8), np.float32)
    maps[0, 0, 1, 3], maps[0, 0, 2, 2:5], maps[0, 0, 3, 3] = 0.7, (0.6, 0.9, 0.5), 0.2
    maps[0, 1, 2, 1:3] = 0.9, 0.5
    maps[0, 2] = -0.1
    maps[0, 3, 5, 7] = 0.4
    maps[0, 4, 3, 3:6], maps[0, 4, 4, 4] = (0.3, 0.9, 0.3), 0.1
    return maps


def test_decoding_is_the_published_one():
    (found,) = find_task("pose").heads["keypoints"].of(decoding_maps())
    places = [(2.75, 1.75), (1, 2), (0, 0), (7, 5), (4, 3.25)]
    np.testing.assert_allclose(found[:, :2] / 4, places)
    np.testing.assert_allclose(found[:, 2], (0.9, 0.9, -0.1, 0.4, 0.9))


# Scores ---------------------------------------------------------------------------------------


def persons(count, seed=0, task="pose"):
    """Labels of some persons in a crop of 96x96, some joints absent."""
    rng, joints = np.random.default_rng(seed), len(find_task(task).joints)
    return np.stack(
        [
            person_label(
                rng.uniform(8, 88, (joints, 2)), rng.integers(0, 3, joints), area=3000, head=10
            )
            for _ in range(count)
        ]
    )


def scored(labels, found, task="pose"):
    task = find_task(task)
    targets = np.stack(
        [task.target_of(label, lambda: np.zeros((96, 96, 3), np.uint8)) for label in labels]
    )
    return task.score(task.measure(found.astype(np.float32), targets)).metrics


def test_oks_is_that_of_coco():
    every, some = np.ones((1, 17), bool), np.arange(17)[None] % 3 > 0
    cases = [(3, every, 0.943385), (5, every, 0.859203), (3, some, 0.943792), (5, some, 0.860745)]
    cases += [(13, every, 0.510946), (13, some, 0.520012)]
    for shift, labelled, expected in cases:
        apart = np.full((1, 17), float(shift))
        (similarity,) = object_similarity(apart, labelled, np.array([9000.0]), COCO17)
        assert similarity == pytest.approx(expected, abs=1e-6)
    labels = persons(1)
    assert scored(labels, labels[:, :-1])["oks"] == 1


def test_thresholds_of_heads_are_at_most():
    labels = np.stack([person_label([(0, 0)] * 16, [1] * 16, head=100)])
    found = np.zeros((1, 16, 3))
    found[0, :5, 0] = 10, 11, 50, 50.01, 12
    metrics = scored(labels, found, "pose,skeleton=mpii,reward=pckh_50")
    hits = {"pckh_50": 13, "pckh_10": 10, "pckh_11": 11}
    for name, count in hits.items():
        assert metrics[name] == pytest.approx(count / 14), name
    assert list(metrics) == ["pckh_50", "pckh_10", "pckh_11"]


@pytest.mark.parametrize("area", [0, 100])
def test_a_score_needs_its_persons(area):
    labels = np.stack([person_label([(9, 9)] * 16, [1] * 16, area=area)])
    with pytest.raises(ValueError, match="no person has the size of a head"):
        scored(labels, labels[:, :-1], "pose,skeleton=mpii,reward=pckh_50")


@given(st.integers(0, 99))
def test_a_larger_image_has_the_same_score(seed):
    labels = persons(2, seed)
    found = labels[:, :-1] + np.random.default_rng(seed).normal(size=(2, 17, 3)) * 3
    double = labels.copy()
    double[:, :-1, :2] *= 0.5
    double[:, -1, :2] *= 0.5
    first, second = scored(labels, found), scored(double, found * 0.5)
    assert first == pytest.approx(second)


def test_pictures_have_sides():
    canvas = np.zeros((40, 40, 3), np.uint8)
    joints = np.zeros((17, 3), np.float32)
    joints[[5, 7]] = (10, 10, 2), (10, 30, 2)
    joints[[6, 8]] = (30, 10, 2), (30, 30, 2)
    drawn = draw_skeleton(canvas, joints, COCO17)
    assert drawn[20, 10].tolist() == list(COLOURS["left"])
    assert drawn[20, 30].tolist() == list(COLOURS["right"])
    assert not drawn[35:, 18:22].any()
    outside = draw_skeleton(canvas, joints * 10, COCO17)
    assert outside.shape == canvas.shape


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pose,skeleton=dog", "coco, mpii"),
        ("pose,reward=ap", "oks, pckh_50, pck_20"),
        ("pose,sigma=x", "a number"),
        ("pose,scaling=2", "from 0 to 0.9"),
        ("pose,max=2", "no option 'max'"),
    ],
)
def test_options_that_are_wrong(text, words):
    with pytest.raises(CompilerError, match=words):
        find_task(text)


def test_images_too_small_for_a_label():
    with pytest.raises(CompilerError, match="image of 16x16"):
        find_task("pose").target_of(persons(1)[0], lambda: np.zeros((16, 16, 3), np.uint8))


@pytest.mark.parametrize(
    "options", ["pose", "pose,skeleton=mpii", "pose,skeleton=a+left_b+right_b"]
)
def test_outputs_follow_the_skeleton(options):
    task = find_task(options)
    joints = len(task.joints)
    assert (task.outputs, task.target.channels) == (joints, joints + 1)
    assert task.fault(np.zeros((1, 4, 4, joints + 1)), joints) is None
    assert "expected" in (task.fault(np.zeros((1, 4, 4, joints)), joints) or "")


COUNTS = {
    "arch0": (2_627_024, 1.0403, 64, 2_627_601, 0.7820, (64, 48)),
    "arch1": (2_807_248, 0.7107, 32, 2_807_825, 0.5334, (32, 24)),
    "arch2": (2_850_256, 0.8403, 32, 2_850_833, 0.6306, (32, 24)),
}
"""Of 16 outputs at 256x256 and 17 at 256x192: parameters, 1e9 multiply-adds, size of the maps."""


@pytest.mark.parametrize("name", COUNTS)
def test_networks_of_pose_have_the_published_counts(name):
    mpii, mpii_adds, side, coco, coco_adds, size = COUNTS[name]
    genotype = load_published(name).genotype
    wanted = {
        ("mpii", (256, 256)): (mpii, mpii_adds, (side, side)),
        ("coco", (256, 192)): (coco, coco_adds, size),
    }
    for (skeleton, image), expected in wanted.items():
        spec = ModelSpec(find_task(f"pose,skeleton={skeleton}").outputs, 64, 2, task="pose")
        found = cost(lower(genotype, spec), image)
        adds = round(found.multiply_adds / 1e9, 4)
        assert (found.parameters, adds, found.output_size) == expected


class TestPose(TaskContract):
    """The contract of tasks, but for its laws of labels that are maps."""

    name = "pose"
    test_targets_are_of_its_type = None
    test_a_mirrored_image_has_the_mirrored_target = None
    test_outside_a_target_nothing_is_labelled = None
    test_unlabelled_pixels_do_not_count = None
    test_an_answer_is_like_a_target_and_has_a_picture = None

    def label(self, rng, share=0.2):
        """Somebody with a torso, without some other joints."""
        found = persons(1, int(rng.integers(99)))[0]
        found[[5, 12]] = (30, 20, 2), (60, 70, 2)
        return found

    def image(self, rng):
        return rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)

    def batch(self, task, rng, count=3):
        targets = [task.target_of(self.label(rng), lambda: self.image(rng)) for _ in range(count)]
        output = rng.normal(size=(count, task.outputs, 24, 24)).astype(np.float32)
        return task.heads[task.measured].of(output), np.stack(targets)

    def test_absent_joints_do_not_count(self, task, rng):
        output, target = self.batch(task, rng)
        absent = np.isnan(target[:, 0, 0, :-1])
        assert absent.any()
        changed = np.where(absent[..., None], output + 7, output)
        first, second = task.measure(output, target), task.measure(changed, target)
        for name in first:
            np.testing.assert_allclose(first[name], second[name])

    def test_answers_and_targets_have_pictures(self, task, rng):
        output, target = self.batch(task, rng)
        image = self.image(rng)
        for part in (task.answer(output)[0], target[0]):
            drawn = task.panel(image, part, None)
            assert (drawn.shape, drawn.dtype) == (image.shape, image.dtype)
            assert (drawn != image).any()
        assert task.picture(target[0], None).shape == image.shape

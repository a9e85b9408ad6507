"""Contracts of pose: skeletons, labels, targets, decoding, scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.tasks.pose import (
    COCO17,
    MPII16,
    Joints,
    named_skeleton,
    person_label,
    skeleton_of,
)
from auxnas.compiler.tasks.target import TargetFormat

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
    assert numbers.counted(label).tolist() == [0, 255]
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

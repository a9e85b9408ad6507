"""Official metrics of pose: PCKh tables, OKS, suppression, rescoring, COCO's average precision."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auxnas.compiler.tasks.pose import COCO17, person_label, skeleton_of
from auxnas.compiler.tasks.pose.detections import distinct_persons, person_score
from auxnas.compiler.tasks.pose.published import part_shares, published_table
from auxnas.compiler.tasks.pose.scores import object_similarity, pose_sums
from auxnas.search.data import DataError
from auxnas.search.data.pose.annotations import read_annotations
from auxnas.search.data.pose.coco import open_coco_keypoints
from auxnas.search.data.pose.judged import CocoPersons, read_boxes
from auxnas.search.data.pose.precision import PRECISIONS, average_precision
from auxnas.search.data.pose.predictions import predictions_table
from tests.search.pose_files import coco

REAL = Path(os.environ.get("AUXNAS_DATA", Path(__file__).parents[3] / "shared" / "data")) / "pose"
real = pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/data/pose: set AUXNAS_DATA")


# Vectors of independent code -----------------------------------------------------------------


def shifted_persons() -> np.ndarray:
    base = np.array([(50 + 7 * (k % 4), 40 + 9 * (k // 2)) for k in range(17)], float)
    return np.stack([base + shift for shift in (0, 1.5, 4, 30)])


def test_persons_found_twice_are_left_out() -> None:
    scores, areas = np.array([0.9, 0.8, 0.7, 0.6]), np.array([9000.0, 9000, 10000, 9000])
    found = shifted_persons()
    assert distinct_persons(found, scores, areas, COCO17) == [0, 2, 3]
    assert distinct_persons(found, scores, areas, COCO17, most=0.5) == [0, 3]
    assert distinct_persons(found, scores[::-1], areas, COCO17) == [3, 2, 0]
    assert distinct_persons(found[:1], scores[:1], areas[:1], COCO17) == [0]


def test_persons_are_as_alike_as_independent_code_says() -> None:
    places, areas = shifted_persons(), np.array([9000.0, 9000, 10000, 9000])
    expected = {
        (0, 1): 0.970746, (0, 2): 0.835079, (0, 3): 0.025853, (1, 2): 0.927008, (1, 3): 0.034195,
        (2, 3): 0.0603,
    }  # fmt: skip
    for (one, other), alike in expected.items():
        apart = np.linalg.norm(places[one] - places[other], axis=-1)[None]
        area = (areas[[one]] + areas[[other]]) / 2
        (found,) = object_similarity(apart, np.ones((1, 17), bool), area, COCO17)
        assert found == pytest.approx(alike, abs=1e-6)


def test_hits_are_of_joints_within_half_a_head() -> None:
    """Errors of 5/6, 1 and 1/6 heads; a joint that is not labelled is 47 heads away."""
    skeleton = skeleton_of(("top", "tail"))
    truth = [
        person_label([[10, 10], [20, 20]], [2, 2], head=6),
        person_label([[0, 0], [50, 50]], [0, 2], head=3),
    ]
    found = np.array([[[13, 14, 1], [20, 26, 1]], [[99, 99, 1], [50, 50.5, 1]]], float)
    shares = part_shares(pose_sums(found, np.stack(truth), skeleton), skeleton)
    assert shares == {"top": 0, "tail": 0.5}
    for label in truth:
        label[-1, 1] *= 2  # half of it is the head that it was
    shares = part_shares(pose_sums(found, np.stack(truth), skeleton), skeleton)
    assert shares == {"top": 1, "tail": 1}


def test_scores_of_persons_are_the_boxes_times_the_certain_joints() -> None:
    joints = np.array([0.9, 0.1, 0.3, 0.2, *[0.5] * 13])
    assert person_score(0.6, joints) == pytest.approx(0.308)
    assert person_score(0.6, np.full(17, 0.2)) == 0


def test_published_tables_are_means_of_both_sides() -> None:
    skeleton = skeleton_of(("left_knee", "right_knee", "top"))
    truth = np.stack(
        [
            person_label([[0, 0], [50, 0], [20, 20]], [2, 2, 2], head=10),
            person_label([[0, 0], [50, 0], [20, 20]], [2, 0, 2], head=10),
        ]
    )
    found = truth[:, :-1].copy()
    found[0, 0, 0], found[1, 2, 1] = 6, 24
    sums = pose_sums(found, truth, skeleton)
    assert part_shares(sums, skeleton) == {"knee": (0.5 + 1) / 2, "top": 1}
    assert part_shares(sums, skeleton, "pckh_10") == {"knee": 0.75, "top": 0.5}
    assert published_table(sums, skeleton)["pckh_50"] == pytest.approx(80)


@real
@pytest.mark.parametrize(
    ("name", "parts", "means"),
    [
        (
            "hourglass_valid",
            (95.941, 94.684, 88.529, 83.382, 87.485, 83.094, 79.050),
            (88.035, 28.647, 32.805),
        ),
        (
            "hourglass_example_valid",
            (93.690, 92.238, 84.490, 77.916, 83.002, 78.018, 72.863),
            (83.927, 18.350, 21.741),
        ),
    ],
)
def test_published_predictions_have_their_published_scores(
    name: str, parts: tuple[float, ...], means: tuple[float, ...]
) -> None:
    pytest.importorskip("scipy.io")
    folder = REAL / "mpii"
    path = folder / "predictions" / f"{name}.mat"
    found = predictions_table(path, folder / "annot" / "gt_valid.mat")
    columns = ("head_top", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    assert [found[part] for part in columns] == pytest.approx(parts, abs=6e-4)
    thresholds = ("pckh_50", "pckh_10", "pckh_11")
    assert [found[part] for part in thresholds] == pytest.approx(means, abs=6e-4)


def test_predictions_of_other_persons_are_refused(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    truth = {
        "dataset_joints": np.array(["x"] * 16, dtype=object),
        "jnt_missing": np.zeros((16, 2)),
        "pos_gt_src": np.ones((16, 2, 2)),
        "headboxes_src": np.array([[[0.0, 0], [0, 0]], [[30.0, 30], [40, 40]]]),
    }
    scipy_io.savemat(tmp_path / "gt_valid.mat", truth)
    scipy_io.savemat(tmp_path / "preds.mat", {"preds": np.ones((2, 16, 2))})
    found = predictions_table(tmp_path / "preds.mat", tmp_path / "gt_valid.mat")
    assert found["pckh_50"] == 100
    scipy_io.savemat(tmp_path / "preds.mat", {"preds": np.ones((3, 16, 2))})
    with pytest.raises(DataError, match=r"preds.mat: predictions of shape \(3, 16, 2\)"):
        predictions_table(tmp_path / "preds.mat", tmp_path / "gt_valid.mat")
    scipy_io.savemat(tmp_path / "gt_valid.mat", {**truth, "jnt_missing": np.zeros((15, 2))})
    with pytest.raises(DataError, match=r"gt_valid.mat: arrays of shapes \(15, 2\)"):
        predictions_table(tmp_path / "preds.mat", tmp_path / "gt_valid.mat")


# Average precision ---------------------------------------------------------------------------


def perfect(data: CocoPersons, away: float = 0.0) -> list[np.ndarray]:
    found = []
    for index in range(len(data)):
        joints = data.label(index)[:-1].copy()
        joints[:, :2] -= data.margin - away
        joints[:, 2] = 0.5
        found.append(joints)
    return found


@pytest.mark.parametrize("joints", [list(COCO17.joints), ["left_hand", "right_hand", "top"]])
def test_perfect_answers_have_a_precision_of_one(tmp_path: Path, joints: list[str]) -> None:
    pytest.importorskip("pycocotools")
    coco(tmp_path, joints=joints)
    data = open_coco_keypoints(str(tmp_path), None, "train").rendered((64, 48), 0)
    whole, first = data.official(range(2)), data.official([0])
    results = whole.results(perfect(data))
    assert [row["image_id"] for row in results] == [7, 9]
    assert results[0]["score"] == pytest.approx(0.5)
    assert results[0]["keypoints"][:2] == pytest.approx([10, 12], abs=1e-3)
    found = whole.figures(results)
    assert found.pop("boxes") == "truth"
    assert (found["AP"], found["AR"], found["APl"]) == pytest.approx((1, 1, -1))
    assert first.figures(results[:1])["AP"] == pytest.approx(1)
    assert whole.figures(results[:1])["AR"] == pytest.approx(0.5)
    far = whole.figures(whole.results(perfect(data, 20)))
    assert far["AP"] == 0
    assert average_precision(data.annotations, []) == dict.fromkeys(PRECISIONS, 0.0)
    with pytest.raises(DataError, match="result 0: image 3, expected an image of"):
        average_precision(data.annotations, [{**results[0], "image_id": 3}])
    with pytest.raises(DataError, match="result 0: keypoints, expected"):
        average_precision(data.annotations, [{**results[0], "keypoints": [1, 2, 3, 4]}])


@real
def test_published_annotations_have_the_known_precision() -> None:
    pytest.importorskip("pycocotools")
    folder = REAL / "coco"
    known = read_annotations(folder / "annotations" / "person_keypoints_val2017.json")
    (path,) = (folder / "results").glob("*.json")
    found = average_precision(known, json.loads(path.read_text()))
    expected = (0.756306, 0.880863, 0.855356, 0.758656, 0.764357)
    expected += (0.788235, 0.882353, 0.867647, 0.770588, 0.805882)
    assert list(found.values()) == pytest.approx(expected, abs=1e-6)


@real
def test_real_boxes_of_a_detector() -> None:
    folder = REAL / "coco_mmpose"
    (path,) = (folder / "person_detection_results").glob("*.json")
    data = open_coco_keypoints(str(folder), None, "val").in_boxes(path)
    assert (len(data), data.boxes) == (118, "detector")
    assert sum(person.joints.any() for person in data.people) == 52
    assert data.people[0].region.centre[0] == pytest.approx(277.118 + 225.091 / 2, abs=1e-3)
    whole = data.people[0].score
    assert data.label(0)[-1, 2] == pytest.approx(whole)


# Boxes of a detector -------------------------------------------------------------------------


def box(**changes: Any) -> dict[str, Any]:
    return {"image_id": 7, "category_id": 1, "bbox": [8, 6, 30, 33], "score": 0.9, **changes}


def test_boxes_of_a_detector_replace_the_true_ones(tmp_path: Path) -> None:
    coco(tmp_path)
    path = tmp_path / "boxes.json"
    rows = [
        box(),
        box(category_id=2),
        box(image_id=1),
        box(image_id=9, bbox=[50, 30, 8, 8], score=0.3),
        box(bbox=[9, 6, 30, 33], score=0.5),
    ]
    path.write_text(json.dumps(rows))
    data = open_coco_keypoints(str(tmp_path), None, "train").in_boxes(path).rendered((64, 48), 0)
    assert [(person.image_id, person.score) for person in data.people] == [
        (7, 0.9),
        (9, 0.3),
        (7, 0.5),
    ]
    assert [bool(person.joints.any()) for person in data.people] == [True, False, True]
    assert data.people[0].region.width == 30
    assert "box 3" in data.place(1)
    answers = [np.tile(np.float32([24, 32, 0.8]), (17, 1))] * 3
    results = data.official(range(3)).results(answers)
    assert [(row["image_id"], row["score"]) for row in results] == [
        (7, pytest.approx(0.72)),
        (9, pytest.approx(0.24)),
    ]
    assert data.fingerprint() != replace(data, people=data.people[:2]).fingerprint()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([box(bbox=[1, 2, 3])], r"boxes.json box 0 bbox: .*expected a list of 4 numbers"),
        ([box(), box(bbox=[1, 2, 0, 5])], "box 1 bbox: 0x5 pixels"),
        ([box(score="high")], "box 0 score: 'high', expected a number of at most"),
        ([{"image_id": 7}], "box 0: no 'category_id'"),
        ({"boxes": []}, "expected a list of boxes"),
        ([box(image_id=8)], "no box of these images"),
    ],
)
def test_faults_of_boxes_are_named(tmp_path: Path, rows: Any, words: str) -> None:
    coco(tmp_path)
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(DataError, match=words):
        open_coco_keypoints(str(tmp_path), None, "train").in_boxes(path)
    with pytest.raises(DataError, match="no such file"):
        read_boxes(tmp_path / "nowhere.json")


# nassearch eval ------------------------------------------------------------------------------


def test_eval_prints_average_precision_and_writes_results(tmp_path: Path, run: Any) -> None:
    pytest.importorskip("pycocotools")
    file = coco(tmp_path, "images")
    (file.parent / "person_keypoints_val2017.json").write_bytes(file.read_bytes())
    data = f"coco-keypoints:{tmp_path}"
    short = ("--size", "64x48", "--epochs", 4, "--learner", "null", "--out", tmp_path / "t")
    trained = run("train", "--genotype", "arch0", "--task", "pose", "--data", data, *short)
    assert trained.exit_code == 0, trained.stderr
    (tmp_path / "boxes.json").write_text(json.dumps([box(score=0.5)]))
    options = ("--results", tmp_path / "found.json", "--learner", "null")
    scored = run("eval", tmp_path / "t", "--data", data, *options, "--json")
    found = json.loads(scored.stdout)
    assert found["official"]["boxes"] == "truth"
    assert found["official"].keys() == {"boxes", *PRECISIONS}
    assert found["reward"] == found["oks"]
    assert {row["image_id"] for row in json.loads((tmp_path / "found.json").read_text())} <= {7, 9}
    boxed = run(
        "eval", tmp_path / "t", "--data", data, *options, "--boxes", tmp_path / "boxes.json"
    )
    assert boxed.exit_code == 0, boxed.stderr
    assert "(boxes: detector)" in boxed.stdout
    assert "mean OKS" not in boxed.stdout
    nowhere = ("--results", tmp_path / "none" / "found.json", "--learner", "null")
    lost = run("eval", tmp_path / "t", "--data", data, *nowhere)
    assert (lost.exit_code, "scoring" in lost.stderr) == (2, False)
    assert "its directory does not exist" in lost.stderr
    other = run("eval", tmp_path / "t", "--data", "synthetic:4", *options)
    assert (other.exit_code, "has no results of its own" in other.stderr) == (2, True)

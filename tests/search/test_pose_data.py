"""Readers of persons: COCO's JSON, MPII's JSON and release, each as uneven as it is."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from auxnas.compiler.tasks import find_task
from auxnas.compiler.tasks.depth import METRES
from auxnas.compiler.tasks.pose import COCO17, MPII16, Joints
from auxnas.search.data import DataError, check, open_dataset, split_dataset
from auxnas.search.data.pose.annotations import clean_box
from auxnas.search.data.pose.coco import COCO_KEYPOINTS
from auxnas.search.data.pose.crops import Region
from auxnas.search.data.pose.mpii import MPII
from auxnas.search.data.pose.persons import PersonFiles
from auxnas.search.data.pose.release import release_persons
from auxnas.search.data.statistics import Statistics
from tests.search.contract_dataset import DatasetContract
from tests.search.pose_files import HEIGHT, WIDTH, annotations, coco, photograph

REAL = Path(os.environ.get("AUXNAS_DATA", Path(__file__).parents[3] / "shared" / "data")) / "pose"
real = pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/data/pose: set AUXNAS_DATA")
OWN = ["left_hand", "right_hand", "top"]
Change = Callable[[dict[str, Any]], object]


def opened(where: Path, size: tuple[int, int] = (32, 24), part: str = "train") -> PersonFiles:
    found = COCO_KEYPOINTS.open(str(where), None, part)
    assert isinstance(found, PersonFiles)
    return found.rendered(size, 0)


@pytest.mark.parametrize("images", ["images/train2017", "train2017", "images", "."])
def test_persons_of_coco_in_every_usual_layout(tmp_path: Path, images: str) -> None:
    file = coco(tmp_path, images)
    data = opened(tmp_path)
    assert len(data) == 2 == len(opened(file))
    assert data.skeleton == COCO17
    assert "passed over 2 crowds" in data.remark
    assert check(data).pixels == (34,)
    assert data.image(0).shape == (32 + 16, 24 + 16, 3)
    label, mapped = data.label(0), data.crop_map(0)
    first = mapped.back(label[:-1, :2])
    assert first == pytest.approx(np.array([(10 + n, 12) for n in range(17)]), abs=1e-4)
    assert label[:-1, 2].tolist() == [2 - n % 2 for n in range(17)]
    assert label[-1] == pytest.approx((mapped.scale * 500**0.5, 0, 1))
    assert "annotation 4" in data.place(1)


def test_the_published_crop_to_the_pixel() -> None:
    region = Region.of_box((100, 50, 60, 180))
    assert region.centre == (130, 140)
    assert region.fitted(0.75).scale == pytest.approx((0.84375, 1.125))
    found = region.fitted(0.75).onto((256, 192))
    assert (found.scale, *found.shift) == pytest.approx(
        (1.137778, -51.911111, -31.288889), abs=1e-6
    )
    assert found.forward(np.array([100.0, 50.0])) == pytest.approx((61.8667, 25.6), abs=1e-4)
    quarter = region.fitted(0.75).onto((64, 48))
    decoded = np.array([(2.75, 1.75), (1, 2), (0, 0), (7, 5), (4, 3.25)])
    places = [(55.293, 33.6523), (49.1406, 34.5312), (45.625, 27.5), (70.2344, 45.0781)]
    np.testing.assert_allclose(quarter.back(decoded), [*places, (59.6875, 38.9258)], atol=1e-4)
    assert Region.of_box((10, 20, 300, 100)).fitted(0.75).scale == pytest.approx((1.875, 2.5))
    assert Region.of_box((10, 20, 75, 100)).fitted(0.75).scale == pytest.approx((0.46875, 0.625))
    boxes = {(100, 50, 60, 180): (100, 50, 59, 179), (-5, 10, 50, 40): (0, 10, 49, 39)}
    boxes |= {(600, 400, 100, 100): (600, 400, 39, 79)}
    for box, cleaned in boxes.items():
        assert clean_box(box, (480, 640)) == cleaned
    assert clean_box((5, 5, 1, 40), (480, 640)) is None


def test_a_first_pixel_that_cannot_be_known_is_said(tmp_path: Path) -> None:
    file = coco(tmp_path)
    assert "first pixel" not in opened(tmp_path).remark
    known = json.loads(file.read_text())
    known["annotations"][3]["bbox"] = [2, 3, 40, 40]
    file.write_text(json.dumps(known))
    assert "cannot be told: they are taken to count from 0" in opened(tmp_path).remark
    mpii(tmp_path / "mpii")
    assert "taken to count from 1, as MPII's" in mpii_opened(tmp_path / "mpii").remark
    rows = mpii_rows()
    rows[0]["joints"][0] = [1, 9]
    mpii(tmp_path / "others", rows)
    assert "first pixel" not in mpii_opened(tmp_path / "others").remark


def test_crops_are_bilinear_and_black_outside() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    found = Region((10.3, 8.7), 13.0, 17.0).onto((16, 12), margin=6)
    crop = found.crop(image, (16, 12))
    padded = np.pad(image.astype(float), ((40, 40), (40, 40), (0, 0)))
    for row, column in ((0, 0), (5, 9), (27, 23), (14, 11), (20, 3)):
        x, y = found.back(np.array([column, row], float)) + 40
        left, top = int(x), int(y)
        near = padded[top : top + 2, left : left + 2]
        along = near[:, 0] * (1 - x % 1) + near[:, 1] * (x % 1)
        expected = along[0] * (1 - y % 1) + along[1] * (y % 1)
        assert crop[row, column] == pytest.approx(expected, abs=0.51)
    assert (crop == 0).all(2).any()


def test_own_joints_pair_up_by_their_names(tmp_path: Path) -> None:
    coco(tmp_path, joints=OWN)
    data = opened(tmp_path)
    assert data.classes == tuple(OWN)
    assert data.skeleton.pairs == ((0, 1),)
    assert COCO_KEYPOINTS.options(str(tmp_path))["pose"]["skeleton"] == "+".join(OWN)
    assert "no joint has a side" not in data.remark
    coco(tmp_path / "unpaired", joints=["nose", "chin"])
    assert "no joint has a side in its name" in opened(tmp_path / "unpaired").remark
    coco(tmp_path / "other")
    assert COCO_KEYPOINTS.options(str(tmp_path / "other"))["pose"]["skeleton"] == "coco"


def test_pixels_as_stored_whatever_exif_says(tmp_path: Path) -> None:
    coco(tmp_path)
    path = tmp_path / "images/train2017/a.png"
    before = opened(tmp_path).image(0)
    exif = Image.Exif()
    exif[274] = 6
    photograph(path, exif=exif)
    assert np.array_equal(opened(tmp_path).image(0), before)
    with Image.open(path) as image:
        image.convert("L").save(path)
    assert opened(tmp_path).image(0).shape == before.shape


def set_joint(place: list[float]) -> Change:
    return lambda known: known["annotations"][0].update(
        keypoints=[*place, 2, *known["annotations"][0]["keypoints"][3:]]
    )


def from_one(known: dict[str, Any]) -> None:
    for row in known["annotations"]:
        x, y, *size = row["bbox"]
        row["bbox"] = [x + 1, y + 1, *size]
        row["keypoints"] = [v + (n % 3 < 2) for n, v in enumerate(row["keypoints"])]


def cut_off_at_one(known: dict[str, Any]) -> None:
    """Nothing reaches over a border, but boxes begin where a first pixel that is 1 would be."""
    for row in known["annotations"]:
        row["bbox"] = [1, 6, 30, 33]


FAULTS: list[tuple[Change, str]] = [
    (
        cut_off_at_one,
        "annotation 1: begins at 1, as 4 boxes do, .*: subtract 1 from all",
    ),
    (set_joint([900, 5]), r"a.png .*annotation 1\): nose at x 900, y 5, outside the image"),
    (set_joint([-9, 5]), "nose at x -9"),
    (set_joint([float("nan"), 5]), "annotation 1 keypoints: nan, expected a number of at most"),
    (from_one, "annotation 4: reaches a pixel over the border.*subtract 1 from all"),
    (lambda known: known["annotations"].clear(), "no person among 0 annotations"),
    (lambda known: known.pop("images"), "no 'images', only"),
    (lambda known: known["images"].clear(), "image 7, expected the number of one in images"),
    (lambda known: known["images"][0].update(width=65), "an image of 48x64, expected 48x65"),
    (lambda known: known["images"][0].update(height="x"), "image 7: 'x', expected a whole number"),
    (lambda known: known["images"][0].update(file_name="c.png"), r"c.png .*: no such file"),
    (lambda known: known["categories"][0]["keypoints"].remove("left_eye"), "'right_eye' alone"),
    (lambda known: known["categories"][0]["keypoints"].append("a,b"), "names without , = or +"),
    (lambda known: known["annotations"][0]["keypoints"].pop(), "of 50, expected a list of 51"),
    (lambda known: known["annotations"][0].pop("bbox"), "annotation 1: no 'bbox'"),
    (lambda known: known["categories"].clear(), "0 categories with keypoints"),
]


@pytest.mark.parametrize(("change", "words"), FAULTS)
def test_faults_of_coco_are_named_before_training(
    tmp_path: Path, change: Change, words: str
) -> None:
    file = coco(tmp_path)
    known = annotations(list(COCO17.joints))
    change(known)
    file.write_text(json.dumps(known))
    with pytest.raises(DataError, match=words) as caught:
        check(opened(tmp_path))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_of_annotations_is_named(tmp_path: Path) -> None:
    file = coco(tmp_path)
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    with pytest.raises(DataError, match=r"2017.json: no whole JSON .*cut off"):
        opened(tmp_path)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text file"):
        opened(tmp_path)
    with pytest.raises(DataError, match="no val part"):
        opened(tmp_path, part="val")
    (file.parent / "keypoints_train.json").write_text(text)
    with pytest.raises(DataError, match=r"keypoints_train.json and .* for train"):
        opened(tmp_path)
    for where in (tmp_path / "nowhere", tmp_path / "images"):
        with pytest.raises(DataError, match=r"no such file or folder|no annotations of joints"):
            opened(where)


def test_people_of_one_photograph_are_not_split(tmp_path: Path) -> None:
    coco(tmp_path)
    data = opened(tmp_path)
    several = replace(data, people=data.people * 3)
    groups = tuple(map(several.group, range(6)))
    content = np.arange(6 * 32, dtype=np.uint8).reshape(6, 32)
    found = Statistics((), groups, np.zeros((6, 256), np.int64), content, groups)
    assert found.firsts == (0, 1, 2, 3, 4, 5)
    assert found.together == (0, 1, 0, 1, 0, 1)
    assert found.of((3, 5, 0)).together == (0, 0, 2)
    for part in split_dataset(several, 0.5, firsts=found.together):
        assert len({part.group(n) for n in range(len(part))}) == 1


def test_fingerprints_tell_persons_and_pixels(tmp_path: Path) -> None:
    coco(tmp_path)
    data = opened(tmp_path)
    assert data.fingerprint() == opened(tmp_path).fingerprint()
    assert data.fingerprint() != opened(tmp_path, (32, 32)).fingerprint()
    assert data.fingerprint() != replace(data, people=data.people[:1]).fingerprint()
    moved = replace(data.people[0], joints=data.people[0].joints + np.float32(1))
    assert data.fingerprint() != replace(data, people=(moved, data.people[1])).fingerprint()
    before = data.fingerprint()
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images/train2017/b.png")
    assert opened(tmp_path).fingerprint() != before


def test_sources_of_one_skeleton_are_joined(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
        coco(folder)
    whole = "+".join(f"coco-keypoints:{folder}" for folder in folders)
    data = open_dataset(whole, task=find_task("pose"), size=(32, 24))
    parts = [opened(folder) for folder in folders]
    assert (len(data), data.margin, data.classes) == (4, 8, COCO17.joints)
    assert [data.group(n) for n in range(4)] == [part.group(n) for part in parts for n in range(2)]
    assert np.array_equal(data.label(3), parts[1].label(1))
    assert np.array_equal(data.image(2), parts[1].image(0))
    assert data.place(3) == parts[1].place(1)
    assert check(data).pixels == (68,)
    coco(tmp_path / "third", joints=OWN)
    with pytest.raises(DataError, match=r"third: labels of joints .*expected joints .*COCO-17"):
        open_dataset(f"{whole}+coco-keypoints:{tmp_path / 'third'}", task=find_task("pose"))


def test_joints_are_no_depth(tmp_path: Path) -> None:
    joints = Joints(skeleton=COCO17)
    assert not METRES.same_numbers(joints)
    assert not joints.same_numbers(METRES)
    coco(tmp_path)
    with pytest.raises(DataError, match=r"labels of joints of a person .*--task pose"):
        open_dataset(f"coco-keypoints:{tmp_path}", task=find_task("depth"))


# MPII ----------------------------------------------------------------------------------------


def mpii_rows() -> list[dict[str, Any]]:
    joints = [[11.0 + n, 21.5] for n in range(16)]
    joints[3] = [-1.0, -1.0]
    row = {
        "image": "a.jpg",
        "center": [30.0, 25.0],
        "scale": 0.2,
        "joints": joints,
        "joints_vis": [int(n != 3) for n in range(16)],
    }
    return [row, {**row, "center": [31.0, 25.0]}]


def mpii(folder: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    photograph(folder / "images" / "a.jpg")
    file = folder / "annot" / "valid.json"
    file.parent.mkdir()
    file.write_text(json.dumps(mpii_rows() if rows is None else rows))
    return file


def mpii_opened(where: Path, part: str = "val") -> PersonFiles:
    found = MPII.open(str(where), None, part)
    assert isinstance(found, PersonFiles)
    return found.rendered((32, 32), 0)


def test_mpii_counts_from_one(tmp_path: Path) -> None:
    file = mpii(tmp_path)
    data = mpii_opened(tmp_path)
    assert len(data) == 2 == len(mpii_opened(file, "train"))
    assert "the heads of 2 persons are not known" in data.remark
    person = data.people[0]
    assert person.joints[4].tolist() == [14, 20.5, 2]
    assert person.joints[3].tolist() == [0, 0, 0]
    assert person.region.centre == pytest.approx((29, 25 + 15 * 0.2 - 1))
    assert person.region.fitted(1.0).scale == pytest.approx((0.25, 0.25))
    assert person.region.fitted(0.75).scale[0] == pytest.approx(0.25)
    assert check(data).pixels == (30,)
    assert data.skeleton == MPII16


def test_heads_of_the_published_truth(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    file = mpii(tmp_path)
    joints = np.array([row["joints"] for row in mpii_rows()]).transpose(1, 2, 0)
    boxes = np.array([[[1.0, 2.0], [1.0, 2.0]], [[31.0, 12.0], [41.0, 2.0]]])
    truth = {
        "dataset_joints": np.array(["rank"] * 16, dtype=object),
        "jnt_missing": np.zeros((16, 2)),
        "pos_gt_src": joints,
        "headboxes_src": boxes,
    }
    scipy_io.savemat(file.parent / "gt_valid.mat", truth)
    heads = [person.head for person in mpii_opened(tmp_path).people]
    assert heads == pytest.approx([0.6 * 50, 0.6 * 10])
    rows = mpii_rows()
    file.write_text(json.dumps([{**rows[0], "joints": [[x + 90, y] for x, y in joints[..., 0]]}]))
    assert mpii_opened(tmp_path).people[0].head == 0
    file.write_text(json.dumps(rows[:1]))
    assert mpii_opened(tmp_path).people[0].head == pytest.approx(30)
    damaged = (file.parent / "gt_valid.mat").read_bytes()
    (file.parent / "gt_valid.mat").write_bytes(damaged[:300])
    with pytest.raises(DataError, match=r"gt_valid.mat: cannot be read .*cut off"):
        mpii_opened(tmp_path)


def from_zero(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["joints"] = [[x - 11, y] for x, y in row["joints"]]


MPII_FAULTS: list[tuple[Callable[[list[dict[str, Any]]], object], str]] = [
    (from_zero, "valid.json person 0: 2 places are 0.*add 1 to all"),
    (lambda rows: rows.clear(), "no person"),
    (lambda rows: rows[1].update(scale=-1), "person 1 scale: -1"),
    (lambda rows: rows[1].pop("joints"), "person 1: no 'joints'"),
    (lambda rows: rows[0].update(joints=[[1, 2]]), "expected 16 of MPII"),
    (lambda rows: rows[0].update(center=[1, None]), "person 0 center: None"),
    (lambda rows: rows[0]["joints"].__setitem__(0, [500, 5]), "right_ankle at x 499, y 4, outside"),
    (lambda rows: rows[1].update(image="b.jpg"), r"b.jpg \(valid.json person 1\): no such file"),
]


@pytest.mark.parametrize(("change", "words"), MPII_FAULTS)
def test_faults_of_mpii_are_named_before_training(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], object], words: str
) -> None:
    rows = mpii_rows()
    change(rows)
    mpii(tmp_path, rows)
    with pytest.raises(DataError, match=words):
        check(mpii_opened(tmp_path))


def structure(**fields: Any) -> np.ndarray:
    found = np.zeros((1, 1), dtype=[(name, object) for name in fields])
    for name, value in fields.items():
        found[name][0, 0] = value
    return found


def release(folder: Path) -> Path:
    """A release with each of the quirks: see the reader."""
    scipy_io = pytest.importorskip("scipy.io")
    empty = np.zeros((0, 0))
    marks: list[Any] = [1, "0", "1", empty, 0]
    points = [structure(x=10.0 + n, y=20.0, id=15 - n, is_visible=m) for n, m in enumerate(marks)]
    points.append(structure(x=1.0, y=1.0, id=empty, is_visible=1))
    annotated = structure(point=np.concatenate(points, axis=1))
    bare = structure(point=structure(x=30.0, y=22.0, id=0))
    head = {"x1": 1, "y1": 1, "x2": 31, "y2": 41}
    place = structure(x=30.0, y=25.0)
    full = structure(**head, annopoints=annotated, scale=0.2, objpos=place)
    lacking = structure(**head, annopoints=empty, scale=0.2, objpos=place)
    single = structure(annopoints=bare, scale=0.2, objpos=place)
    several = np.concatenate([full, lacking], axis=1)
    test = structure(scale=0.2, objpos=place)
    rectangles = [several, single, empty, structure(annopoints=annotated), test]
    entries = [
        structure(image=structure(name=f"{n}.jpg"), annorect=r) for n, r in enumerate(rectangles)
    ]
    annolist = np.concatenate(entries, axis=1)
    known = structure(annolist=annolist, img_train=np.array([[1, 1, 1, 1, 0]]))
    folder.mkdir(exist_ok=True)
    path = folder / "mpii_human_pose_v1_u12_1.mat"
    scipy_io.savemat(path, {"RELEASE": known})
    for number in range(5):
        photograph(folder / "images" / f"{number}.jpg")
    return path


def test_the_release_with_all_its_quirks(tmp_path: Path) -> None:
    path = release(tmp_path / "mpii")
    data = mpii_opened(path, "train")
    assert [person.line.split(" ", 1)[1] for person in data.people] == [
        "entry 1 person 1",
        "entry 2 person 1",
    ]
    first, second = data.people
    assert first.joints[[15, 14, 13, 12, 11], 2].tolist() == [2, 1, 2, 2, 1]
    assert first.joints[15].tolist() == [9, 19, 2]
    assert first.joints[:, 2].sum() == 8
    assert first.head == pytest.approx(0.6 * 50)
    assert second.joints[0].tolist() == [29, 21, 2]
    assert second.head == 0
    assert len(mpii_opened(tmp_path / "mpii", "train")) == 2
    assert check(data).pixels == (6,)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match=r"12_1.mat: cannot be read .*cut off"):
        mpii_opened(path, "train")
    pytest.importorskip("scipy.io").savemat(path, {"other": 1})
    with pytest.raises(DataError, match="no variable RELEASE in it"):
        mpii_opened(path, "train")


class TestCocoKeypoints(DatasetContract):
    task = find_task("pose")

    @pytest.fixture
    def spec(self, tmp_path: Path) -> str:
        coco(tmp_path)
        return f"coco-keypoints:{tmp_path}"


class TestMpii(DatasetContract):
    task = find_task("pose,skeleton=mpii")

    @pytest.fixture
    def spec(self, tmp_path: Path) -> str:
        return f"mpii:{mpii(tmp_path)}"


class TestRenderedPersons(DatasetContract):
    task = find_task("pose,skeleton=mpii")

    @pytest.fixture
    def spec(self) -> str:
        return "synthetic:3"


def test_damaged_releases_end_in_a_line_or_in_persons(tmp_path: Path) -> None:
    path = release(tmp_path / "mpii")
    whole = path.read_bytes()
    messages = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        damaged = bytearray(whole)
        for place in rng.integers(128, len(whole), 2):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            people = list(release_persons(path, tmp_path))
        except DataError as error:
            messages.append(str(error))
        else:
            assert all(np.isfinite(person.joints).all() for person in people)
    assert 5 < len(messages) < 100
    assert not any("\n" in message for message in messages)


# Real data -----------------------------------------------------------------------------------


@real
@pytest.mark.parametrize(
    ("where", "part", "people", "joints"),
    [
        ("coco", "train", 86, 800),
        ("coco", "val", 68, 652),
        ("coco_mmpose", "val", 12, 181),
        ("lspet", "val", 70, 980),
    ],
)
def test_real_persons_of_coco(where: str, part: str, people: int, joints: int) -> None:
    data = opened(REAL / where, part=part)
    assert len(data) == people
    assert sum(int(data.labels.known(data.label(n)).sum()) for n in range(people)) == joints
    some = replace(data, people=data.people[:6])
    assert check(some).images == 6


@real
def test_real_persons_of_mpii() -> None:
    folder = REAL / "mpii"
    whole = mpii_opened(folder)
    assert len(whole) == 2958
    counts = np.sum([person.joints[:, 2] > 0 for person in whole.people], axis=0).tolist()
    assert counts[:4] + counts[-2:] == [2115, 2485, 2889, 2888, 2932, 2909]
    inside = 0
    for index, person in enumerate(whole.people):
        places = whole.label(index)[:-1][person.joints[:, 2] > 0, :2] - whole.margin
        inside += ((places >= 0) & (places < 32)).all(1).sum()
    assert inside / sum(counts) == pytest.approx(0.996, abs=0.0005)
    five = mpii_opened(folder / "annot" / "valid_5_with_images.json", "train")
    released = mpii_opened(folder / "mpii_human_pose_v1_u12_1_mini.mat", "train")
    assert check(five).images == check(released).images == 5
    for one, other in zip(five.people, released.people, strict=True):
        assert one.image == other.image
        assert one.joints[:, :2] == pytest.approx(other.joints[:, :2], abs=1e-4)
        assert one.head == pytest.approx(other.head, abs=1e-4)
        assert one.region.width == pytest.approx(other.region.width, abs=1e-3)

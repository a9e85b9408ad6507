"""``nasrun predict``: label maps, overlays, names of files, and bad images."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auxnas.backends.artefacts import open_artefact
from auxnas.backends.artefacts.predict import Predictor
from auxnas.backends.colours import distinct_colours
from auxnas.backends.images import read_photograph
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.compiler.encoders import IMAGENET
from auxnas.compiler.interface import Interface
from auxnas.compiler.tasks import Segmentation, growing
from auxnas.compiler.tasks.growing import classify, resize_nearest
from auxnas.compiler.tasks.pictures import contours, overlaid
from auxnas.nasrun.files import PicturePredictor
from auxnas.nasrun.naming import expand_sources, prediction_files, unique_names
from auxnas.nasrun.pictures import write_legend
from tests.auxnas.nasrun.artefacts import COLOURS, NAMES, artefact, fails, photograph, run

PICTURES = Segmentation.pictures
KINDS = {
    "logits": (Interface(), {}),
    "dynamic": (Interface(), {"size": None, "batch": None}),
    "probabilities": (Interface(head="probabilities", resize=True), {}),
    "labels": (Interface(head="labels", format="nhwc-uint8"), {}),
    "dynamic labels": (Interface(head="labels", format="nhwc-uint8"), {"size": None}),
    "batch": (Interface(format="nhwc-uint8"), {"batch": 3}),
    "dynamic in batches": (Interface(format="nhwc-uint8"), {"size": None, "batch": 3}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("predict")
    return {
        kind: artefact(folder / f"{kind}.onnx", interface, **options)
        for kind, (interface, options) in KINDS.items()
    }


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def indices(path: str | Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.mode == "P"
        return np.asarray(picture)


def scores(path: Path, image: np.ndarray) -> np.ndarray:
    """Logits (5, h, w) of an nchw-float artefact, normalised by hand."""
    planes = [(image[..., c] / 255 - IMAGENET.mean[c]) / IMAGENET.deviation[c] for c in range(3)]
    return OrtRunner(path)({"image": np.stack(planes)[None].astype(np.float32)})["main"][0]


def grown(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear enlargement by pillow, which samples at half-pixel centres too."""
    size, how = (width, height), Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(each).resize(size, how)) for each in maps])


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Equal but for ties that rounding decides."""
    return found.shape == expected.shape and (found != expected).mean() < 2e-3


@pytest.mark.parametrize("size", [(48, 80), (64, 64), (130, 97)])
def test_a_fixed_artefact_labels_images_of_any_size(size, made):
    path = photograph(Path("a.png"), *size)
    assert run("predict", made["logits"], path, "--output", "out").exit_code == 0
    with Image.open(path) as picture:
        small = np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR))
    expected = grown(scores(made["logits"], small), *size).argmax(0)
    assert len(np.unique(expected)) > 1
    assert same(indices("out/a_labels.png"), expected)


@pytest.mark.parametrize("size", [(48, 80), (33, 97)])
def test_a_dynamic_artefact_sees_the_image_as_it_is(size, made):
    path = photograph(Path("a.png"), *size)
    assert run("predict", made["dynamic"], path, "--output", "out").exit_code == 0
    expected = grown(scores(made["dynamic"], np.asarray(Image.open(path))), *size).argmax(0)
    assert same(indices("out/a_labels.png"), expected)


def test_all_heads_and_formats_agree_at_the_artefacts_size(made):
    photograph(Path("a.png"), 64, 64)
    found = {}
    for kind in KINDS:
        assert run("predict", made[kind], "a.png", "--output", kind).exit_code == 0
        found[kind] = indices(f"{kind}/a_labels.png")
    for kind, labels in found.items():
        assert same(labels, found["logits"]), kind


def test_labels_of_another_size_are_those_of_the_nearest_pixel(made):
    path = photograph(Path("a.png"), 128, 192)
    run("predict", made["labels"], path, "--output", "out")
    with Image.open(path) as picture:
        small = np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR))
    labels = OrtRunner(made["labels"])({"image": small[None]})["main"][0, 0]
    assert (indices("out/a_labels.png") == labels.repeat(2, 0).repeat(3, 1)).all()


@pytest.mark.parametrize(("many", "one"), [("batch", "logits"), ("dynamic in batches", "dynamic")])
def test_images_in_batches_are_those_one_by_one(many, one, made):
    for index in range(4):
        photograph(Path(f"in/{index}.png"), 40 + 9 * index, 70, seed=index)
    Path("in/2b.png").write_text("no image")
    result = run("predict", made[many], "in", "--output", "many", "--json")
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["images"]) == 4
    for index in range(4):
        run("predict", made[one], f"in/{index}.png", "--output", "one")
        assert same(indices(f"many/{index}_labels.png"), indices(f"one/{index}_labels.png"))


def test_label_maps_have_the_palette_and_overlays_the_images_size(made):
    image = read_photograph(photograph(Path("a.png"), 50, 70))
    run("predict", made["logits"], "a.png", "--output", "out", "--overlay-alpha", "0.25")
    with Image.open("out/a_labels.png") as picture:
        palette = np.array(picture.getpalette()).reshape(-1, 3)
    assert palette[:5].tolist() == COLOURS
    labels, overlay = indices("out/a_labels.png"), read_photograph("out/a_overlay.png")
    assert overlay.shape == (50, 70, 3)
    inside = ~contours(labels)
    expected = 0.75 * image + 0.25 * np.array(COLOURS)[labels]
    assert np.abs(overlay - expected)[inside].max() <= 0.51
    assert (overlay[~inside] == np.array(COLOURS)[labels][~inside]).all()
    legend = read_photograph("out/legend.png")
    for colour in COLOURS:
        assert (legend == colour).all(-1).sum() > 100


def test_without_names_and_colours_there_are_made_up_ones(made):
    import onnx

    model = onnx.load(made["logits"])
    kept = [each for each in model.metadata_props if each.key not in ("classes", "palette")]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, "plain.onnx")
    opened = open_artefact("plain.onnx")
    classes = Predictor(opened, opened.runner()).classes
    assert classes.names == ("class 0", "class 1", "class 2", "class 3", "class 4")
    assert (classes.palette == distinct_colours(256)).all()
    assert len({tuple(colour) for colour in distinct_colours(256).tolist()}) == 256
    named = open_artefact(made["labels"])
    assert Predictor(named, named.runner()).classes.names == tuple(NAMES)


def test_a_bad_image_is_named_and_the_others_are_done(made):
    photograph(Path("a.png"))
    Path("bad.jpg").write_bytes(photograph(Path("b.png")).read_bytes()[:200])
    args = ("a.png", "bad.jpg", "missing.png", "b.png")
    result = run("predict", made["logits"], *args, "--output", "out")
    assert result.exit_code == 1
    errors = result.stderr.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("error: bad.jpg: cannot be read")
    assert errors[1].startswith("error: missing.png: no such file")
    assert [line.split(" -> ")[0] for line in result.stdout.splitlines()] == ["a.png", "b.png"]
    made_files = {path.name for path in Path("out").iterdir()}
    assert made_files == {
        "a_labels.png", "a_overlay.png", "b_labels.png", "b_overlay.png", "legend.png",
    }  # fmt: skip


def test_where_there_is_no_image_at_all_nothing_is_begun(made):
    result = run("predict", made["logits"], "nosuch", "missing.png", "--output", "nothing")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: nosuch: no such file, expected a photograph")
    assert not Path("nothing").exists()


def test_json_is_one_document(made):
    photograph(Path("a.png"), 30, 40)
    Path("bad.png").write_text("no image")
    result = run("predict", made["logits"], "a.png", "bad.png", "--output", "out", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    (image,) = found["images"]
    assert image["size"] == [30, 40]
    assert image["labels"] == str(Path("out/a_labels.png"))
    assert sum(each["share"] for each in image["shares"]) == pytest.approx(1)
    labels = indices(image["labels"])
    for each in image["shares"]:
        assert each["share"] == pytest.approx((labels == each["label"]).mean())
        assert NAMES[each["label"]] == each["class"]
    (failed,) = found["failed"]
    assert failed["image"] == "bad.png"
    assert "bad.png" in result.stderr


class Fragile:
    """A session without memory for tall images."""

    def __init__(self, session) -> None:
        self.session, self.get_outputs = session, session.get_outputs

    def run(self, names, feed):
        if feed["image"].shape[2] == 200:
            raise RuntimeError("no memory left\nand more")
        return self.session.run(names, feed)


def test_an_image_that_the_network_cannot_run_on_does_not_end_the_rest(made):
    images = [photograph(Path("tall.png"), 200, 50), photograph(Path("a.png"))]
    opened = open_artefact(made["dynamic"])
    runner = opened.runner()
    runner.session = Fragile(runner.session)
    targets = prediction_files(images, Path(), PICTURES)
    found = PicturePredictor(Predictor(opened, runner)).predict(targets, 0.5, lambda done: None)
    assert [each.error for each in found] == [
        "tall.png: onnxruntime: no memory left and more",
        None,
    ]
    assert Path("a_labels.png").exists()
    assert not Path("tall_labels.png").exists()


def test_directories_stand_for_all_images_below(made):
    for name in ("in/a.png", "in/deep/b.jpg", "in/deep/er/a.PNG"):
        photograph(Path(name))
    Path("in/notes.txt").write_text("no image")
    result = run("predict", made["logits"], "in", "in/a.png", "--output", "in/out", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["images"]
    assert [image["image"] for image in found] == ["in/a.png", "in/deep/b.jpg", "in/deep/er/a.PNG"]
    assert len({image["labels"] for image in found}) == 3
    again = run("predict", made["logits"], "in", "--output", "in/out", "--json")
    assert json.loads(again.stdout)["images"] == found


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.jpg", "a/y.jpg"], ["x", "y"]),
        (["l/x.jpg", "r/x.jpg", "r/y.jpg"], ["l_x", "r_x", "y"]),
        (["d/l/x.jpg", "d/r/x.jpg"], ["l_x", "r_x"]),
        (["a/x.jpg", "a/x.png"], ["x_jpg", "x_png"]),
        (["a/x.jpg", "a/b/x.jpg"], ["x", "b_x"]),
        (["a/x.jpg", "a/X.jpg"], ["x_jpg", "X_jpg_2"]),
        (["a/b_x.jpg", "a/b/x.jpg", "a/x.jpg"], ["b_x_jpg", "b_x_jpg_2", "x"]),
    ],
)
def test_names_tell_images_apart(paths, names):
    assert unique_names([Path(path) for path in paths]) == names


PIECE = st.sampled_from(["a", "b", "A", "a_b"])
TREE = st.builds(
    lambda folders, stem, suffix: Path("r", *folders, stem + suffix),
    st.lists(PIECE, max_size=2),
    PIECE,
    st.sampled_from([".jpg", ".png"]),
)


@given(st.lists(TREE, unique=True))
def test_a_name_is_longer_only_where_another_image_given_with_it_needs_that(paths):
    """No two are alike; which ones are given together decides, their order only of numbers."""
    names = unique_names(paths)
    assert len({name.casefold() for name in names}) == len(paths)
    stems = [path.stem.casefold() for path in paths]
    for path, name in zip(paths, names, strict=True):
        if stems.count(path.stem.casefold()) == 1:
            assert re.fullmatch(re.escape(path.stem) + r"(_(jpg|png)(_\d+)?)?", name)
        assert path.stem in name
    assert [unique_names([path]) for path in paths] == [[path.stem] for path in paths]


def test_images_of_one_name_do_not_overwrite_each_other(made):
    first, second = photograph(Path("l/x.png"), seed=1), photograph(Path("r/x.png"), 30, 30, seed=2)
    assert run("predict", made["logits"], first, second, "--output", "out").exit_code == 0
    assert indices("out/l_x_labels.png").shape == (48, 80)
    assert indices("out/r_x_labels.png").shape == (30, 30)


def test_no_result_replaces_an_image_that_is_read(made):
    photograph(Path("a.png"))
    before = photograph(Path("a_labels.png")).read_bytes()
    result = run("predict", made["logits"], "a.png", "a_labels.png", "--output", ".")
    fails(result, "a_labels.png: one of the images")
    assert Path("a_labels.png").read_bytes() == before
    fails(run("predict", made["logits"], ".", "--output", "."), "another directory for --output")
    Path("taken").write_text("a file")
    taken = run("predict", made["logits"], ".", "--output", "taken")
    fails(taken, "taken: a file, expected a directory for --output")
    Path("broken").symlink_to("nowhere")
    broken = run("predict", made["logits"], "a.png", "--output", "broken")
    fails(broken, "broken: a link that leads nowhere, expected a directory for --output")


def test_old_results_stay_whole_where_new_ones_fail(made, monkeypatch):
    photograph(Path("a.png"))
    run("predict", made["logits"], "a.png", "--output", "out")
    before = Path("out/a_overlay.png").read_bytes()

    def broken(self, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Image.Image, "save", broken)
    result = run("predict", made["logits"], "a.png", "--output", "out")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert Path("out/a_overlay.png").read_bytes() == before
    assert not [path for path in Path("out").iterdir() if path.name.startswith(".")]


def test_wrong_use(made):
    photograph(Path("a.png"))
    Path("file").write_text("x")
    Path("none").mkdir()
    fails(run("predict", made["logits"], "a.png"), "--output", status=2)
    fails(run("predict", made["logits"], "--output", "out"), "IMAGE...", status=2)
    args = ("predict", made["logits"], "a.png", "--output")
    fails(run(*args, "out", "--overlay-alpha", "2"), "--overlay-alpha", status=2)
    fails(run(*args, "file"), "file: ")
    fails(run("predict", made["logits"], "none", "--output", "out"), "none: no image files")
    assert not Path("out").exists()


def test_photographs_are_turned_upright(made):
    image = Image.fromarray(np.zeros((20, 60, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save("turned.jpg", exif=exif)
    assert read_photograph("turned.jpg").shape == (60, 20, 3)
    run("predict", made["logits"], "turned.jpg", "--output", "out")
    assert indices("out/turned_labels.png").shape == (60, 20)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK"])
def test_every_kind_of_picture_is_read(mode, made):
    name = "a.tif" if mode == "CMYK" else "a.png"
    Image.new("RGB", (40, 30), (200, 100, 50)).convert(mode).save(name)
    assert run("predict", made["logits"], name, "--output", "out").exit_code == 0
    assert indices("out/a_labels.png").shape == (30, 40)


def test_strips_make_no_difference(monkeypatch):
    maps = np.random.default_rng(0).normal(size=(7, 9, 11)).astype(np.float32)
    whole = classify(maps, (50, 61))
    assert same(whole, grown(maps, 50, 61).argmax(0))
    monkeypatch.setattr(growing, "_STRIP", 7 * 61 * 3)
    assert (classify(maps, (50, 61)) == whole).all()
    assert (classify(maps, (9, 11)) == maps.argmax(0)).all()


def test_nearest_and_contours():
    labels = np.array([[1, 2], [1, 1]], np.uint8)
    assert resize_nearest(labels, (2, 4)).tolist() == [[1, 1, 2, 2], [1, 1, 1, 1]]
    assert resize_nearest(labels, (1, 1)).tolist() == [[1]]
    assert contours(labels).tolist() == [[True, True], [False, False]]
    image = np.full((2, 2, 3), 7, np.uint8)
    assert (overlaid(image, image * 0, 0) == image).all()


def test_a_legend_holds_many_and_long_names():
    names = [f"class number {index} of very many" for index in range(150)]
    write_legend(names, distinct_colours(256), Path("legend.png"))
    with Image.open("legend.png") as picture:
        assert picture.height < 500


def test_expanding_leaves_the_order_and_drops_doubles():
    for name in ("in/b.png", "in/a.png"):
        photograph(Path(name))
    found = expand_sources(["in/b.png", "in", "elsewhere.png", "./in/a.png"], Path("out"))
    assert found == [Path("in/b.png"), Path("in/a.png"), Path("elsewhere.png")]
    assert len({t.pictures["labels"] for t in prediction_files(found, Path("out"), PICTURES)}) == 3


@pytest.mark.parametrize("name", ["legend.png", "a_labels.png", "a_overlay.png"])
@pytest.mark.parametrize("kind", ["picture", "text", "empty"])
def test_a_file_of_somebody_else_is_not_replaced(made, name, kind):
    photograph(Path("a.png"))
    path = Path("out") / name
    path.parent.mkdir()
    if kind == "picture":
        photograph(path)
    else:
        path.write_text("my notes" if kind == "text" else "")
    before = path.read_bytes()
    result = run("predict", made["logits"], "a.png", "--output", "out")
    fails(result, f"{path}: a file that nasrun did not write")
    assert path.read_bytes() == before
    assert [each.name for each in Path("out").iterdir()] == [name]


def test_pictures_of_an_earlier_run_are_replaced(made):
    for height in (30, 48):
        photograph(Path("a.png"), height, 40)
        assert run("predict", made["logits"], "a.png", "--output", "out").exit_code == 0
        assert len(indices("out/a_labels.png")) == height


def test_a_link_to_itself_is_named_like_any_that_leads_nowhere(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "loop").symlink_to("loop")
    images = expand_sources([str(tmp_path)], tmp_path / "made")
    assert [path.name for path in images] == ["a.png", "loop"]

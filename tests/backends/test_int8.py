"""Int8: what is quantised, what stays in float, and what is said of it."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper
from PIL import Image

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling import checking
from auxnas.backends.images import DataError
from auxnas.backends.int8 import Int8Options, NetworkEnds, find_photographs
from auxnas.backends.int8.artefact import quantise, quantise_for_each, quantise_if_better
from auxnas.backends.int8.choosing import QuantisationTrial, Quantiser, fewest_in_float, open_model
from auxnas.backends.int8.layers import quantisable_layers
from auxnas.backends.int8.measuring import HeldOutView, Judge
from auxnas.backends.int8.options import in_onnxruntime
from auxnas.backends.int8.photographs import read_labels
from auxnas.backends.int8.result import QuantisationResult
from auxnas.backends.measuring.timing import Latency
from auxnas.backends.onnx.build import build
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.compiler import CompilerError, Graph, Program, parse_graph
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.ir import make_node
from auxnas.compiler.tasks import Disagreement, Metric, Score, Segmentation
from auxnas.compiler.weights import random_params
from auxnas.nascompile import requested
from auxnas.nascompile.cli import main
from auxnas.search.data import open_dataset
from auxnas.search.data.layouts.classes import find_key

SMALL = ("arch2", "--agg-size", "8", "--width", "0.25", "--classes", "5", "--input-size", "64x64")
ONE, TWO = Latency([1.0] * 3), Latency([2.0] * 3)
FASTER, SLOWER = {"fp32": TWO, "int8": ONE}, {"fp32": ONE, "int8": ONE}
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def photograph(seed: int, height: int, width: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Nine photographs of different sizes."""
    path = tmp_path_factory.mktemp("photographs")
    for number in range(9):
        photograph(number, 60 + 5 * number, 90 - 3 * number).save(path / f"{number}.png")
    return path


def fed(path: Path, size: int = 64) -> dict[str, np.ndarray]:
    """The network's input, worked out here."""
    image = Image.open(path).resize((size, size), Image.Resampling.BILINEAR)
    values = (np.asarray(image) / 255 - MEAN) / DEVIATION
    return {"image": values.transpose(2, 0, 1)[None].astype(np.float32)}


def options(folder: Path, times=FASTER, **more) -> Int8Options:
    return Int8Options(find_photographs(folder), timer=lambda runners, feed: times, **more)


def chain(channels: int = 16, **scales: float) -> Program:
    """Six convolutions, two resizes, a sum of three: small, with names to choose by.

    ``scales`` multiply a convolution's first filter, made positive so that it comes through
    the ReLU, and divide what the next does with it.
    """
    nodes = [make_node("image", "input", channels=3)]
    for index in range(5):
        stride = 2 if index == 1 else 1
        before = f"relu{index - 1}" if index else "image"
        conv = f"conv{index}"
        nodes.append(
            make_node(
                conv, "conv2d", (before,), conv, out=channels, kernel=3, bias=1, stride=stride
            )
        )
        nodes.append(make_node(f"relu{index}", "relu", (conv,)))
    nodes += [
        make_node("up", "resize", ("relu4", "relu0")),
        make_node("point", "global_mean", ("relu4",)),
        make_node("up3", "resize", ("relu3", "relu0")),
        make_node("sum", "add", ("up3", "up", "point")),
        make_node("clf", "conv2d", ("sum",), "clf", out=5, kernel=3, bias=1),
    ]
    graph = Graph(tuple(nodes), (("main", "clf"),))
    params = dict(random_params(graph, 3))
    for name, scale in scales.items():
        after = f"conv{int(name[-1]) + 1}.weight"
        for key in (f"{name}.weight", f"{name}.bias"):
            params[key] = params[key].copy()
            params[key][0] = scale * np.abs(params[key][0])
        params[after] = params[after].copy()
        params[after][:, 0] /= scale
    return balanced(Program(graph, params, "chain"))


def balanced(program: Program) -> Program:
    """With biases at the end that let every class win somewhere."""
    pixels = np.asarray(photograph(1, 64, 64)) / 255
    image = ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)[None].astype(np.float32)
    logits = open_model(model_of(program))({"image": image})["main"]
    params = dict(program.params)
    params["clf.bias"] = params["clf.bias"] - logits.mean((0, 2, 3))
    return replace(program, params=params)


def model_of(program: Program, size=(64, 64), batch=1) -> onnx.ModelProto:
    return build(program, ExportOptions(size, batch), {})


FIVE = Segmentation(tuple("abcde"))
ENDS = NetworkEnds((64, 64), Interface(), 5)


def ops(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_layers_are_our_nodes_with_their_activations():
    found = {layer.name: layer.nodes for layer in quantisable_layers(model_of(chain()))}
    assert list(found) == ["conv1", "conv2", "conv3", "conv4", "up", "point", "up3", "sum", "clf"]
    assert found["conv2"] == ("conv2", "relu2")
    assert found["sum"] == ("sum.partial1", "sum")


def test_everything_in_int8_where_that_is_allowed(folder):
    found = quantise(model_of(chain()), options(folder, max_drop=1), ENDS)
    assert found.ships
    assert found.kept_float == ()
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(ops(found.model))
    weights = {w.name: numpy_helper.to_array(w) for w in found.model.graph.initializer}
    assert weights["conv2.weight_quantized"].dtype == np.int8
    assert weights["conv2.weight_scale"].shape == (16,)
    assert weights["conv0.weight"].dtype == np.float32
    assert found.sizes["int8"] < found.sizes["fp32"]


GATED = """image = input(; channels=3)
    stem = conv2d(image; kernel=3, out=16, bias=1) @stem
    a = hard_swish(stem)
    b = conv2d(a; kernel=3, out=16, bias=1) @b
    c = silu(b)
    m = global_mean(c)
    d = conv2d(m; kernel=1, out=16, bias=1) @d
    g = sigmoid(d)
    x = mul(c, g)
    p = avg_pool(x; kernel=2, stride=2)
    clf = conv2d(p; kernel=3, out=5, bias=1) @clf
    return main=clf"""


def test_gates_and_smooth_activations_stay_in_float(folder):
    """The convolutions around them do not: what a gate gives is quantised where one reads it."""
    graph = parse_graph(GATED)
    program = balanced(Program(graph, random_params(graph, 3), "gated"))
    names = [layer.name for layer in quantisable_layers(model_of(program))]
    assert names == ["b", "m", "d", "clf"]
    found = quantise(model_of(program), options(folder, max_drop=1), ENDS)
    made_by = {output: node.op_type for node in found.model.graph.node for output in node.output}
    for node in found.model.graph.node:
        if node.op_type in ("HardSigmoid", "Sigmoid", "Mul", "AveragePool"):
            assert not node.output[0].endswith(("Linear_Output", "Linear_Input"))
        if node.op_type == "Conv" and node.name != "stem":
            assert made_by[node.input[0]] == "DequantizeLinear"
    assert 0 < found.drop < 0.5


def test_the_agreement_is_what_anyone_would_find(folder):
    program = chain()
    found = quantise(model_of(program), options(folder, max_drop=1), ENDS)
    held_out = [folder / "3.png", folder / "7.png"]
    labels = [
        np.stack([open_model(model)(fed(path))["main"].argmax(1) for path in held_out])
        for model in (found.model, model_of(program))
    ]
    assert found.held_out == 2
    assert found.photographs == 7
    assert found.drop == pytest.approx(float((labels[0] != labels[1]).mean()), abs=1e-12)
    assert found.drop > 0


def test_a_layer_made_to_hurt_ends_in_float(folder):
    """The outlier leaves the others a handful of the 256 levels."""
    healthy = quantise(model_of(chain()), options(folder, max_drop=0.1), ENDS)
    assert healthy.kept_float == ()
    found = quantise(model_of(chain(conv2=3000.0)), options(folder, max_drop=0.1), ENDS)
    assert set(found.kept_float) == {"conv2", "conv3"}
    assert found.drop <= 0.1
    assert found.ships
    floats = {n.name for n in found.model.graph.node if n.op_type == "Conv"}
    assert floats >= set(found.kept_float)


@pytest.mark.parametrize("forced", [False, True])
def test_what_is_slow_with_all_layers_in_int8_is_not_searched(folder, forced, monkeypatch):
    """Layers in float only cost time; unless int8 is wanted at any price."""
    searched = []
    choose = Quantiser.choose
    monkeypatch.setattr(Quantiser, "choose", lambda *a: searched.append(a) or choose(*a))
    hurt = model_of(chain(conv2=3000.0))
    found = quantise(hurt, options(folder, SLOWER, max_drop=0.1, forced=forced), ENDS)
    assert bool(searched) == bool(found.kept_float) == forced
    assert "not faster" in found.against


def test_one_choice_of_layers_suits_every_runtime(folder):
    def wrong(model, precision):
        """One that gets more than four convolutions in int8 wrong."""
        runner = open_model(model)
        names = {each.name for each in model.graph.initializer}
        many = sum(name.endswith("weight_quantized") for name in names) > 4
        return (lambda feed: {"main": -runner(feed)["main"]}) if many else None

    def of(*runtimes):
        wish = options(folder, max_drop=0.1, runtimes=runtimes)
        return quantise_for_each(model_of(chain()), wish, ENDS)

    (alone,) = of(in_onnxruntime)
    assert (alone.kept_float, alone.drop > 0) == ((), True)
    (only,) = of(wrong)
    for pair in (of(in_onnxruntime, wrong), of(wrong, in_onnxruntime)):
        first, second = pair
        assert first.model == second.model == only.model
        assert first.kept_float == second.kept_float != ()
        assert max(first.drop, second.drop) <= 0.1


def test_what_is_fast_in_one_runtime_is_searched_for_all(folder):
    times = iter((SLOWER, FASTER, SLOWER, FASTER))
    wish = options(folder, max_drop=0.1, runtimes=(in_onnxruntime,) * 2)
    wish = replace(wish, timer=lambda runners, feed: next(times))
    slow, fast = quantise_for_each(model_of(chain(conv2=3000.0)), wish, ENDS)
    assert slow.kept_float == fast.kept_float != ()
    assert "not faster" in slow.against
    assert fast.against is None


def test_no_drop_at_all_keeps_float(folder):
    found = quantise(model_of(chain()), options(folder, max_drop=0), ENDS)
    assert not found.ships
    assert "change label" in found.against
    assert found.to_dict()["precision"] == "fp32"


@pytest.mark.parametrize("drop", [0.1, 0.9])
@pytest.mark.parametrize("times", [FASTER, SLOWER])
def test_all_reasons_against_int8_are_told(times, drop):
    sizes = {"fp32": 2, "int8": 1}
    found = QuantisationResult(
        None, (), 1, "minmax", 8, 2, {(8, 8): drop}, times, sizes, FIVE, {}, 0.5
    )
    said = found.against or ""
    assert ("not faster" in said, "more than --max-drop" in said) == (times is SLOWER, drop > 0.5)
    assert found.ships == (not said)
    assert "as ONNX" in str(found)


@pytest.mark.parametrize("name", ["error", "error_by_size"])
def test_a_disagreement_called_as_the_metric_keeps_its_place(name):
    class Own(Segmentation):
        metrics = MappingProxyType({name: Metric("error", higher=False)})
        disagrees = Disagreement("error", "{:.2f} m", "m")

    scores = {kind: Score(value, {name: value}) for kind, value in (("fp32", 1), ("int8", 2))}
    sizes = {"fp32": 2, "int8": 1}
    found = QuantisationResult(
        None, (), 1, "minmax", 8, 2, {(8, 8): 0.3}, {}, sizes, Own(), scores, 0.5
    ).to_dict()
    assert (found["error"], found["error_by_size"]) == (0.3, {"8x8": 0.3})
    assert found[f"{name}_on_labels"] == {"fp32": 1, "int8": 2}


def test_what_ships_is_float_where_int8_is_not_faster(folder):
    for forced in (False, True):
        original = build(chain(), ExportOptions((64, 64)), {"genotype": "[]"})
        (found,) = quantise_if_better(
            original, options(folder, SLOWER, max_drop=1, forced=forced), ENDS
        )
        model = found.model
        known = {entry.key: entry.value for entry in model.metadata_props}
        assert "not faster" in found.against
        assert ("QuantizeLinear" in ops(model)) == forced
        assert known["genotype"] == "[]"
        assert known["precision"] == ("int8" if forced else "fp32")
        facts = json.loads(known["quantisation"])
        assert facts["reason"] == found.against
        assert facts["calibration_images"] == 7
        assert facts["layers_in_float"] == []
        assert facts["label_agreement"] == 1 - found.drop


@pytest.mark.parametrize("head", ["logits", "labels"])
def test_any_size_and_batch_of_bytes(folder, head):
    ends = Interface(head, True, "nhwc-uint8")
    program = with_interface(chain(), ends)
    original = model_of(program, None, None)
    wanted = NetworkEnds((64, 80), ends, 5, None)
    found = quantise(original, options(folder, max_drop=1), wanted)
    images = np.stack([np.asarray(photograph(number, 96, 112)) for number in range(3)])
    outputs = [open_model(m)({"image": images})["main"] for m in (found.model, original)]
    assert outputs[0].shape == outputs[1].shape
    assert Segmentation().disagreement(outputs[0], outputs[1]) < 0.1


def test_a_fixed_batch(folder):
    ends = NetworkEnds((64, 64), Interface(), 5, 2)
    found = quantise(model_of(chain(), batch=2), options(folder, max_drop=1), ends)
    one = quantise(model_of(chain()), options(folder, max_drop=1), ENDS)
    assert found.drop == pytest.approx(one.drop)


def test_the_fewest_layers_within_the_drop():
    made: list[int] = []

    def attempt(in_float: int) -> QuantisationTrial:
        made.append(in_float)
        return QuantisationTrial(
            in_float, onnx.ModelProto(), [{(8, 8): 0.05 if in_float < 11 else 0.01}]
        )

    whole = attempt(0)
    assert 11 <= fewest_in_float(attempt, whole, 90, 0.01).in_float < 22
    assert len(made) <= 7
    made.clear()
    assert fewest_in_float(attempt, whole, 8, 0.01).drop == 0.05
    assert made == [8]


def test_mean_iou_by_hand():
    label = np.array([[0, 0, 1, 255]], np.uint8)
    guess = np.array([[[[0, 1, 1, 1]]]], np.uint8)
    scores = np.zeros((1, 3, 1, 4), np.float32)
    scores[0, [0, 1, 1, 1], 0, range(4)] = 1
    for head, output in {"labels": guess, "logits": scores}.items():
        judge = Judge(
            [HeldOutView((1, 4), [{}], [output])],
            [((1, 4), label)],
            Segmentation(("a", "b", "c")),
            head,
        )
        score = judge.score([output])
        assert score.metrics["miou"] == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_error_grades_what_changes_no_label():
    expected = np.zeros((1, 3, 4, 4), np.float32)
    expected[:, 1] = 10
    judge = Judge([HeldOutView((4, 4), [{}], [expected])], [], Segmentation())
    near, far = (lambda feed, by=by: {"main": expected + by} for by in (0.1, 0.2))
    assert judge.drops(near) == judge.drops(far) == {(4, 4): 0}
    assert 0 < judge.error(near, 1) < judge.error(far, 1)


def nascompile(*args: object):
    return CliRunner().invoke(main, [*SMALL, "--no-verify", *map(str, args)])


@pytest.fixture
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def patched(monkeypatch, times) -> None:
    timed = partial(Int8Options, timer=lambda runners, feed: times)
    monkeypatch.setattr(requested, "Int8Options", timed)


@pytest.mark.usefixtures("_in_tmp")
def test_nascompile_from_bytes_to_labels(folder, monkeypatch, tmp_path):
    patched(monkeypatch, FASTER)
    labels = tmp_path / "labels"
    labels.mkdir()
    for number in range(9):
        shape = (60 + 5 * number, 90 - 3 * number)
        values = np.random.default_rng(number).integers(0, 5, shape, dtype=np.uint8)
        values += 10  # which --map takes off again
        values[:5] = 255
        Image.fromarray(values).save(labels / f"{number}.png")
    int8 = ("--precision", "int8", "--images", folder, "--max-drop", 1, "--labels", labels)
    refused = nascompile(*int8, "--map", "nonsense", "--output", "a.onnx")
    one_line(refused, "--map: expected an offset like -1, or FROM=TO")
    int8 += ("--map", -10)
    ends = ("--head", "labels", "--input-format", "nhwc-uint8")
    result = nascompile(*int8, *ends, "--json", "--output", "a.onnx")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)["int8"]
    assert result.stderr == ""
    assert facts["precision"] == "int8"
    assert facts["miou"].keys() == {"fp32", "int8"}
    assert facts["milliseconds"] == {"fp32": 2000, "int8": 1000}
    image = np.asarray(photograph(50, 64, 64))[None]
    assert nascompile(*ends, "--output", "b.onnx").exit_code == 0
    found, expected = (OrtRunner(Path(f))({"image": image})["main"] for f in ("a.onnx", "b.onnx"))
    assert found.dtype == np.uint8
    assert (found != expected).mean() < 0.2
    assert "QuantizeLinear" in ops(onnx.load("a.onnx"))


@pytest.mark.usefixtures("_in_tmp")
def test_nascompile_says_that_it_kept_float(folder, monkeypatch):
    patched(monkeypatch, SLOWER)
    result = nascompile("--precision", "int8", "--images", folder, "--max-drop", 1)
    assert result.exit_code == 0, result.output
    assert "fp32: int8 is not faster" in result.stdout
    assert "--force" in result.stdout
    assert "QuantizeLinear" not in ops(onnx.load("arch2.onnx"))


@pytest.mark.parametrize("times", [FASTER, {"fp32": ONE, "int8": TWO}])
@pytest.mark.usefixtures("_in_tmp")
def test_the_float_network_is_checked_on_two_photographs_and_not_timed(folder, monkeypatch, times):
    """int8 is judged on others, and float is timed beside it."""
    patched(monkeypatch, times)
    monkeypatch.setattr(checking, "latency_of", None)
    int8 = ("--precision", "int8", "--images", str(folder), "--max-drop", "1")
    result = CliRunner().invoke(main, [*SMALL, *int8])
    assert result.exit_code == 0, result.output
    assert "float64 reference on 2 images at 64x64" in result.stdout
    assert "latency      1000.00 ms" in result.stdout


def one_line(result, message: str, status: int = 2) -> None:
    assert result.exit_code == status, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.usefixtures("_in_tmp")
def test_bad_photographs_are_one_line_and_change_nothing(folder, tmp_path):
    Path("arch2.onnx").write_text("good")
    one_line(nascompile("--precision", "int8"), "--images DIR", 2)
    one_line(nascompile("--labels", "x"), "--labels is for --precision int8", 2)
    one_line(nascompile("--precision", "int8", "--images", folder, "--max-drop", 2), "max-drop", 2)
    images = tmp_path / "images"
    images.mkdir()
    int8 = ("--precision", "int8", "--images", images)
    one_line(nascompile(*int8), "no image files", 2)
    for number in range(8):
        (images / f"{number}.png").write_bytes((folder / f"{number}.png").read_bytes())
        if number == 3:
            one_line(nascompile(*int8), "4 images, expected 8 or more", 2)
    one_line(
        nascompile(*int8, "--target", "ort"),
        "target ort, expected target onnx or openvino or trt or rtx",
        2,
    )
    one_line(
        nascompile(*int8, "--labels", images / "no"),
        "no: no such directory, expected a directory of label images",
        2,
    )
    one_line(nascompile("--precision", "int8", "--images", images / "no"), "no such directory", 2)
    one_line(nascompile(*int8[:3], images / "3.png"), "3.png: not a directory", 2)
    (images / "5.png").write_bytes(b"\x89PNG broken")
    one_line(nascompile(*int8), "5.png: not an image file", 2)
    assert Path("arch2.onnx").read_text() == "good"
    assert {path.name for path in tmp_path.iterdir()} == {"arch2.onnx", "images"}


def test_bad_labels_are_named(folder, tmp_path):
    Image.fromarray(np.full((75, 81), 7, np.uint8)).save(tmp_path / "3.png")
    with pytest.raises(DataError, match=r"no label image 7\.png"):
        find_photographs(folder, tmp_path)
    Image.fromarray(np.zeros((95, 69), np.uint8)).save(tmp_path / "7.png")
    wish = Int8Options(find_photographs(folder, tmp_path), timer=lambda runners, feed: FASTER)
    with pytest.raises(CompilerError, match=r"3\.png: label 7, expected 0 to 4, or 255"):
        quantise(model_of(chain()), wish, ENDS)
    made = tuple(9 if value == 7 else value for value in range(256))
    other = replace(wish, photographs=replace(wish.photographs, table=made))
    with pytest.raises(CompilerError, match=r"label 9, which --map makes of 7, expected 0 to 4"):
        quantise(model_of(chain()), other, ENDS)
    many = replace(ENDS, classes=256)
    with pytest.raises(CompilerError, match="256 classes, expected at most 255"):
        quantise(model_of(chain()), wish, many)
    for wrong, message in (
        (Image.new("RGB", (81, 75), (1, 2, 3)), "mode RGB"),
        (Image.new("F", (81, 75)), "mode F"),
        (Image.new("L", (75, 81)), "label of 81x75 pixels .* expected 75x81 as its image"),
    ):
        wrong.save(tmp_path / "3.png", "TIFF")
        with pytest.raises(DataError, match=message):
            quantise(model_of(chain()), wish, ENDS)


def test_photographs_that_would_share_a_label_image_are_named(folder, tmp_path):
    images, labels = shutil.copytree(folder, tmp_path / "images"), tmp_path / "labels"
    photograph(99, 60, 90).save(images / "0.bmp")  # none of the two is held out
    labels.mkdir()
    for path in find_photographs(images).held_out:
        Image.new("L", (9, 9)).save(labels / path.name)
    with pytest.raises(DataError, match=r"0\.bmp: 0\.png beside it, and one label image for both"):
        find_photographs(images, labels)


def test_labels_of_one_bit_are_classes_0_and_1(folder, tmp_path):
    for number, size in ((3, (81, 75)), (7, (69, 95))):
        Image.new("1", size, 1).save(tmp_path / f"{number}.png")
    found = read_labels(find_photographs(folder, tmp_path), FIVE)
    assert [np.unique(label).tolist() for _, label in found] == [[1], [1]]


COLOURS = np.array([(200, 10, 10), (10, 200, 10), (10, 10, 200)], np.uint8)


def coloured(values: np.ndarray, kind: str) -> Image.Image:
    """A label image of these classes, as ``kind`` stores them."""
    if kind == "palette":
        image = Image.fromarray(values, "P")
        image.putpalette(COLOURS.tobytes())
        return image
    if kind == "RGBA":
        return Image.fromarray(COLOURS[values]).convert("RGBA")
    stored = {"colour": COLOURS[values], "grey": values, "16-bit": values.astype(np.uint16)}
    return Image.fromarray(stored[kind])


@pytest.mark.parametrize("kind", ["colour", "palette", "grey", "16-bit", "RGBA"])
@pytest.mark.parametrize("part", ["", "val"])
def test_label_images_mean_the_same_as_in_training(folder, tmp_path, kind, part):
    """As ``folder:`` reads them, wherever the table beside them lies."""
    shutil.copytree(folder, tmp_path / "images" / part)
    labels = tmp_path / "masks" / part
    labels.mkdir(parents=True)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    (tmp_path / "palette.txt").write_text("\n".join(" ".join(map(str, c)) for c in COLOURS))
    for number in range(9):
        shape = (60 + 5 * number, 90 - 3 * number)
        values = np.random.default_rng(number).integers(0, 3, shape, dtype=np.uint8)
        coloured(values, kind).save(labels / f"{number}.png")
    if part:
        for name in ("images", "masks"):
            shutil.copytree(tmp_path / name / part, tmp_path / name / "train")
    trained = open_dataset(f"folder:{tmp_path}", part=part or "train")
    places = {trained.pairs[n].image.name: n for n in range(len(trained))}
    shown = find_photographs(tmp_path / "images" / part, labels)
    shown = replace(shown, decode=find_key(labels, 3))
    found = read_labels(shown, Segmentation(("a", "b", "c")))
    for path, (_, label) in zip(shown.held_out, found, strict=True):
        assert np.array_equal(label, trained.label(places[path.name]))
        assert len(np.unique(label)) == 3
    with pytest.raises(DataError, match=r"5 asked for, expected 3 as in .*classes\.txt"):
        find_key(labels, 5)


def test_labels_of_0_and_255_judge_nothing(folder, tmp_path):
    for number, size in ((3, (81, 75)), (7, (69, 95))):
        mask = Image.new("L", size, 255)
        mask.paste(0, (0, 0, 40, 40))
        mask.save(tmp_path / f"{number}.png")
    with pytest.raises(CompilerError, match=r"pixels of class 0 alone.*store 1 for it"):
        read_labels(find_photographs(folder, tmp_path), FIVE)


def test_classes_without_labels_are_said(folder, tmp_path):
    for number, size in ((3, (81, 75)), (7, (69, 95))):
        label = Image.new("L", size, 1)
        label.paste(3, (0, 0, 40, 40))
        label.save(tmp_path / f"{number}.png")
    wish = Int8Options(find_photographs(folder, tmp_path), timer=lambda runners, feed: FASTER)
    found = quantise(model_of(chain()), wish, ENDS)
    assert "(no label has class 0, 2, 4)" in str(found)
    assert found.to_dict()["classes_without_labels"] == [0, 2, 4]
    wish = Int8Options(find_photographs(folder), timer=lambda runners, feed: FASTER)
    assert quantise(model_of(chain()), wish, ENDS).missing == ()


class NotInstalled:
    """An import of onnxruntime finds nothing."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.usefixtures("_in_tmp")
def test_without_onnxruntime_it_says_what_to_install(folder, monkeypatch):
    for name in [*sys.modules]:
        rooms = ("auxnas.backends.int8.", "auxnas.backends.runtimes.ort", "onnxruntime")
        if name.startswith(rooms):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NotInstalled(), *sys.meta_path])
    result = nascompile("--precision", "int8", "--images", folder)
    one_line(result, 'try: pip install "auxnas[ort]"', 3)
    assert not [*Path().iterdir()]

"""``nascompile`` as its users meet it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from PIL import Image

from auxnas import progress
from auxnas.backends import Request, compile_artefact
from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling import checking, forms
from auxnas.backends.compiling.verification import Difference
from auxnas.backends.images import input_batches
from auxnas.backends.onnx import build
from auxnas.backends.owned import OwnedTarget
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.compiler import CompilerError, ModelSpec, lower
from auxnas.compiler.interface import Interface
from auxnas.compiler.weights import initial_params, save_weights
from auxnas.genotype import to_json, zoo
from auxnas.nascompile.cli import main
from auxnas.nasrun.cli import main as nasrun
from auxnas.options import SizeType
from tests.strategies import CUSTOM, FIVE, PLAIN, SMALL

SMALL_NET = ("--agg-size", "8", "--width", "0.25", "--input-size", "64x48", "--classes", "5")
ARCH0 = zoo.load_published("arch0").genotype


def compile_(*args: str):
    return CliRunner().invoke(main, [*args])


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def weights(path: str, **metadata) -> str:
    spec = ModelSpec(classes=5, agg_size=8, sep_repeats=1, width=0.25)
    save_weights(path, initial_params(lower(ARCH0, spec), 0), {"model": spec.to_dict()} | metadata)
    return path


def test_a_published_architecture_by_name():
    result = compile_("arch0", *SMALL_NET)
    assert result.exit_code == 0, result.output
    assert "RANDOM" in result.stdout
    assert "checked against the float64 reference" in result.stdout
    assert "latency" in result.stdout
    output = OrtRunner(Path("arch0.onnx"))({"image": np.zeros((1, 3, 64, 48), np.float32)})["main"]
    assert output.shape == (1, 5, 16, 12)


def test_json_holds_what_it_promises():
    found = json.loads(compile_("arch0", "--json", "--dry-run").stdout)
    assert found["parameters"] == 2_629_909
    assert found["multiply_adds"] == pytest.approx(4.208e9, rel=1e-4)
    assert found["output_size"] == [128, 128]
    assert found["optimised"]["parameters"] < found["parameters"]
    assert found["optimised"]["multiply_adds"] <= found["multiply_adds"]
    found = json.loads(compile_("arch0", *SMALL_NET, "--json", "--output", "a.onnx").stdout)
    assert found["output"] == "a.onnx"
    assert 0 < found["max_relative_error"] < 1e-4
    assert found["seconds"] > 0
    assert found["genotype"] == str(ARCH0)


def test_without_verification_there_is_no_error_to_report():
    found = json.loads(compile_(PLAIN, *SMALL_NET, "--no-verify", "--json").stdout)
    assert found["max_relative_error"] is None
    assert found["latency_ms"] is None
    assert found["unchecked"] == "switched off"


def test_without_verification_no_image_is_made(monkeypatch):
    for module in (forms, checking):
        monkeypatch.setattr(module, "noise_inputs", None)
    assert compile_(PLAIN, *SMALL_NET, "--no-verify").exit_code == 0


def test_every_notation_and_the_text_itself_are_read():
    text = str(ARCH0)
    Path("paper.txt").write_text(text)
    connections, cell = json.loads(text)
    Path("cell.txt").write_text(json.dumps([cell, connections]))
    Path("log.txt").write_text(f"reward: 0.4, epoch: 1, genotype: {[cell, connections]}\n")
    Path("ours.json").write_text(to_json(ARCH0))
    for source in ("paper.txt", "cell.txt", "log.txt", "ours.json", "arch0.json", text):
        result = compile_(source, *SMALL_NET, "--no-verify", "--json", "--output", "x.onnx")
        assert json.loads(result.stdout)["genotype"] == text


@pytest.mark.parametrize("space", [SMALL, FIVE, CUSTOM])
def test_other_spaces_compile(space):
    tokens = [min(token.size - 1, 4) for token in space.layout]
    tokens[2 * space.blocks] = len(space.vocabulary) - 1
    Path("other.json").write_text(to_json(space.genotype(tokens)))
    result = compile_("other.json", *SMALL_NET)
    assert result.exit_code == 0, result.output


def test_weights_say_which_network_they_are_of():
    path = weights("w.safetensors", genotype=str(ARCH0), classes=["a", "b", "c", "d", "e"])
    result = compile_("arch0", "--weights", path, "--input-size", "32x32", "--json")
    assert json.loads(result.stdout)["model"] == {
        "classes": 5, "agg_size": 8, "sep_repeats": 1, "auxiliary": "none", "width": 0.25,
    }  # fmt: skip
    properties = {p.key: p.value for p in onnx.load("arch0.onnx").metadata_props}
    assert json.loads(properties["classes"]) == ["a", "b", "c", "d", "e"]
    assert properties["weights"] == path


GENOTYPES = {
    "out of range": (
        "[[[3,3],[3,2],[3,0]],[8,[0,0,5,2],[0,7,8,8],[0,5,1,4]]]",
        "cell.branches[1].locations[1]: 7 is not in 0..4",
    ),
    "nesting": ("[[[3,3],[3,2],[3,0]],[8,[0,0,5],[0,2,8,8],[0,5,1,4]]]", "a list of 3"),
    "unknown operation": (
        to_json(ARCH0).replace('"gap"', '"gop"'),
        "unknown operation 'gop'",
    ),
    "no genotype": ("hello", "no such file"),
    "no run, a number": ("nowhere:3", "nowhere: no search in it, expected the folder of one"),
    "no run": ("nowhere:best", "nowhere: no search in it, expected the folder of one"),
    "deep": ("[" * 100_000, "nested too deep"),
}


@pytest.mark.parametrize("kind", GENOTYPES)
def test_a_bad_genotype_is_one_line_and_status_2(kind):
    text, message = GENOTYPES[kind]
    result = compile_(text, "--output", "a.onnx")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert list(Path().iterdir()) == []


def one_line_failure(result, message: str, status: int = 2) -> None:
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_weights_of_another_architecture_are_refused():
    weights("w.safetensors")
    result = compile_("arch1", "--weights", "w.safetensors")
    one_line_failure(result, "w.safetensors: decoder.")
    weights("named.safetensors", genotype=str(ARCH0))
    result = compile_("arch1", "--weights", "named.safetensors")
    one_line_failure(result, "named.safetensors: weights of [[[3, 3]")
    assert not Path("arch1.onnx").exists()


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("hello\n" * 99),
    "truncated header": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "truncated tail": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}
CLF, VARIANCE = "decoder.clf.bias", "encoder.layer1.bn.running_var"


def keeps_the_old_artefact(path: str, message: str) -> None:
    Path("a.onnx").write_text("good")
    args = ("--weights", path, "--output", "a.onnx", "--no-verify")
    one_line_failure(compile_("arch0", *args), message)
    assert Path("a.onnx").read_text() == "good"
    assert {p.name for p in Path().iterdir()} <= {"a.onnx", path}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_weights_leave_the_old_artefact(damage):
    DAMAGE[damage](Path(weights("w.safetensors")))
    keeps_the_old_artefact("w.safetensors", "w.safetensors: ")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (CLF, np.nan, "NaN or infinity"),
        (VARIANCE, np.inf, "NaN or infinity"),
        (CLF, 1e300, "NaN or infinity"),
        (VARIANCE, -1, "a variance of -1"),
    ],
)
def test_bad_values_in_weights_leave_the_old_artefact(name, value, message):
    spec = ModelSpec(classes=5, agg_size=8, sep_repeats=1, width=0.25)
    params = initial_params(lower(ARCH0, spec), 0)
    params[name] = np.full(params[name].shape, value, np.float64)
    save_weights("w.safetensors", params, {"model": spec.to_dict()})
    keeps_the_old_artefact("w.safetensors", f"w.safetensors: {name}: {message}")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"model": [1]}, "w.safetensors: model: [1]"),
        ({"model": {"classes": "x"}}, "w.safetensors: classes: 'x'"),
        ({"model": {"depth": 3}}, "w.safetensors: model.depth: unknown"),
        ({"genotype": "nonsense"}, "w.safetensors: metadata: no genotype"),
        ({"normalisation": {"mean": [1]}}, "w.safetensors: normalisation"),
    ],
)
def test_nonsense_in_the_weights_metadata_is_named(metadata, message):
    weights("w.safetensors", **metadata)
    keeps_the_old_artefact("w.safetensors", message)


def test_an_unwritable_output_is_refused():
    one_line_failure(compile_(PLAIN, *SMALL_NET, "--output", "no/such/a.onnx"), "no/such/a.onnx")
    Path("folder").mkdir()
    one_line_failure(compile_(PLAIN, *SMALL_NET, "--output", "folder"), "folder")
    if os.geteuid() != 0:
        Path("folder").chmod(0o500)
        one_line_failure(compile_(PLAIN, *SMALL_NET, "--output", "folder/a.onnx"), "folder")


def test_an_empty_name_is_no_output():
    one_line_failure(compile_(PLAIN, *SMALL_NET, "--no-verify", "--output", ""), "a path")
    assert list(Path().iterdir()) == []


def test_a_full_disk_is_named(monkeypatch):
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    Path("a.onnx").write_text("good")
    monkeypatch.setattr(Path, "write_bytes", full)
    result = compile_(PLAIN, *SMALL_NET, "--no-verify", "--output", "a.onnx")
    one_line_failure(result, "a.onnx: No space left on device", 1)
    assert [p.name for p in Path().iterdir()] == ["a.onnx"]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("none", "none: no such directory"),
        ("empty", "empty: no image files"),
        ("file.png", "file.png: not a directory"),
        ("bad", "bad/x.png: not an image file"),
    ],
)
def test_bad_photographs_are_one_line(folder, message):
    for name in ("empty", "bad"):
        Path(name).mkdir()
    for name in ("file.png", "bad/x.png"):
        Path(name).write_bytes(b"\x89PNG nope")
    one_line_failure(compile_(PLAIN, *SMALL_NET, "--images", folder, "--output", "a"), message)
    assert not Path("a").exists()


def _shaded(size: tuple[int, int], most: int) -> Image.Image:
    """From black to a grey of ``most``, top to bottom."""
    rows = np.linspace(0, most, size[1]).round().astype(np.uint8)
    return Image.fromarray(np.repeat(rows[:, None], size[0], axis=1)).convert("RGB")


def test_photographs_that_say_nothing_are_refused():
    """Eight black ones agree on everything."""
    Path("black").mkdir()
    for number in range(8):
        Image.new("RGB", (64, 48)).save(f"black/{number}.png")
    message = "black: 8 images, 8 blank (0.png, ...), expected {} or more different ones"
    int8 = ("--precision", "int8", "--images", "black")
    for least, args in ((1, int8[2:]), (8, int8)):
        one_line_failure(compile_(PLAIN, *SMALL_NET, *args), message.format(least), 2)
    _shaded((64, 48), 99).save("black/0.png")
    message = "black: 8 images, 7 blank (1.png, ...), expected 8 or more different ones"
    one_line_failure(compile_(PLAIN, *SMALL_NET, *int8), message, 2)
    assert not list(Path().glob("*.onnx"))


@pytest.mark.parametrize("kind", ["L", "P", "RGB", "photograph"])
@pytest.mark.parametrize("folder", ["photos", "photos/masks", "photos/b"])
def test_label_images_among_photographs_are_told(kind, folder):
    """By their few values, whatever they are stored in, or by the name of their folder."""
    noise = np.random.default_rng(0)
    for place in dict.fromkeys(("photos", folder)):
        Path(place).mkdir()
        for number in range(3):
            pixels = noise.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(Path(place, f"{number}.png"))
    values = noise.integers(0, 20, (12, 16), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    made = {
        "L": Image.fromarray(values),
        "P": Image.fromarray(values).convert("P"),
        "RGB": Image.fromarray(np.stack([values, 9 * values, 3 * values], axis=2)),
    }
    if kind in made:
        made[kind].save(Path(folder, "4.png"))
    done = compile_("arch0", *SMALL_NET, "--images", "photos", "--dry-run")
    assert done.exit_code == 0, done.output
    told = "warning: photos: " in done.stderr
    assert told == (folder.endswith("masks") or kind in made)
    assert (f"such as {folder}/" in done.stderr) == told


def test_photographs_of_any_size_are_checked_on():
    Path("photographs").mkdir()
    for number, size in enumerate(((1, 1), (300, 20), (64, 48))):
        _shaded(size, 200).save(f"photographs/{number}.png")
    result = compile_(PLAIN, *SMALL_NET, "--images", "photographs")
    assert result.exit_code == 0, result.output
    assert "on 3 images at" in result.stdout


def mixing(path: Path):
    """A runner that gives every image the output of the first."""
    runner = OrtRunner(path)

    def run(inputs):
        found = runner(inputs)["main"]
        return {"main": np.repeat(found[:1], len(found), axis=0)}

    return run


@pytest.mark.parametrize("batch", ["1", "3", "dynamic"])
def test_what_mixes_the_images_of_a_batch_is_refused(batch, monkeypatch):
    args = (PLAIN, *SMALL_NET, "--batch", batch)
    assert compile_(*args, "--output", "good.onnx").exit_code == 0
    monkeypatch.setattr(OwnedTarget, "opener", lambda *_: mixing)
    result = compile_(*args, "--output", "bad.onnx")
    if batch == "1":
        assert result.exit_code == 0
    else:
        one_line_failure(result, "expected at most an error of 0.0001", 1)


@pytest.mark.parametrize(
    ("target", "name", "expected"),
    [
        ("onnx", "a.xml", ".onnx"),
        ("torch", "a.onnx", ".pt2"),
        ("ort", "a.pt2", ".ort.onnx"),
        ("ort", "b.ort", ".ort.onnx"),
        ("onnx", "a.ort", ".onnx"),
        ("onnx", "a.trt", ".onnx"),
        ("onnx", "a.PLAN", ".onnx"),
        ("onnx", "a.pth", ".onnx"),
        ("onnx", "a.bin", ".onnx"),
        ("onnx", "a.engine.json", ".onnx"),
        ("torch", "a.pt", ".pt2"),
        ("torch", "a.any", ".pt2"),
        ("trt", "a.trt", ".engine"),
        ("trt", "a.onnx", ".engine"),
        ("trt-bundle", "a.zip", ".trt.zip"),
    ],
)
def test_a_name_that_belongs_to_another_target_is_refused(target, name, expected):
    Path(name).write_text("good")
    result = compile_(PLAIN, *SMALL_NET, "--target", target, "--output", name)
    one_line_failure(result, f"output: {name}, expected a name that ends in {expected}", 2)
    assert Path(name).read_text() == "good"


@pytest.mark.parametrize("name", ["net", "net.bar", "net.onnx", "NET.ONNX"])
def test_a_name_that_tells_no_target_is_told(name):
    done = compile_("arch0", *SMALL_NET, "--dry-run", "-o", name)
    assert done.exit_code == 0
    told = f"note: --output {name}: .onnx is the suffix of target onnx"
    assert (told in done.stderr) == (not name.lower().endswith(".onnx"))


def test_where_sizes_are_fixed_nothing_runs_for_its_size_alone():
    zeros = "[[[0,0],[0,0],[0,0]],[10,[0,0,10,10],[0,0,10,10],[0,0,10,10]]]"
    for size, sized in (("64x48", False), ("dynamic", True)):
        args = (*SMALL_NET, "--input-size", size, "--output", "z.onnx")
        result = compile_(zeros, *args)
        assert result.exit_code == 0, result.output
        graph = onnx.load("z.onnx").graph
        assert any(node.name.startswith("encoder.") for node in graph.node) == sized
        read = {name for node in graph.node for name in node.input}
        assert {each.name for each in graph.initializer} <= read


def test_photographs_are_checked_in_batches(monkeypatch):
    Path("photographs").mkdir()
    for number in range(3):
        _shaded((64, 48), 20 + 99 * number).save(f"photographs/{number}.png")
    args = ("--batch", "2", "--images", "photographs", "--input-format", "nhwc-uint8")
    clock = itertools.count(step=20)
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    result = compile_(PLAIN, *SMALL_NET, *args)
    assert result.exit_code == 0, result.output
    assert ") for 2 images of 64x48, onnxruntime" in result.stdout
    lines = [line for line in result.stderr.splitlines() if line.startswith("checking")]
    told = [f"checking against the reference: {100 * done // 6} %" for done in range(1, 6)]
    assert [line.partition(",")[0] for line in lines[:-1]] == told
    assert lines[-1].startswith("checking against the reference: done in ")


def test_the_pass_is_sought_on_the_photograph_that_shows_the_error(monkeypatch):
    Path("photographs").mkdir()
    for number in range(2):
        _shaded((64, 48), 100 + 100 * number).save(f"photographs/{number}.png")

    def compare(runner, reference, inputs, task):
        return Difference(1.0, 1.0, float(inputs["image"].max() == 200), 0.0)

    monkeypatch.setattr(checking, "compare_runners", compare)
    args = ("--images", "photographs", "--input-format", "nhwc-uint8")
    result = compile_(PLAIN, *SMALL_NET, *args)
    one_line_failure(
        result, "at 64x48, before any pass already: the precision or the runtime is to blame", 1
    )


def test_the_first_photographs_fill_up_the_last_batch():
    images = [np.full((40, 32, 3), value, np.uint8) for value in (1, 2, 3)]
    bytes_ = Interface(format="nhwc-uint8")
    for count, expected in {1: [[1], [2], [3]], 2: [[1, 2], [3, 1]], 5: [[1, 2, 3, 1, 2]]}.items():
        found = [each["image"] for each in input_batches(images, count, (40, 32), bytes_)]
        assert [each[:, 0, 0, 0].tolist() for each in found] == expected


@pytest.mark.parametrize("size", ["64x48", "97x131", "72x45", "32x32"])
def test_two_other_sizes_are_checked_whatever_is_asked_for(size):
    found = json.loads(compile_(PLAIN, *SMALL_NET, "--input-size", size, "--json").stdout)
    assert next(iter(found["checks"])) == size
    assert len(found["checks"]) == 3


def test_an_artefact_for_any_size_is_itself_run_at_all_of_them(monkeypatch):
    monkeypatch.setattr(Request, "size", (64, 48))
    monkeypatch.setattr(checking, "export_program", pytest.fail)
    result = compile_(PLAIN, *SMALL_NET, "--input-size", "dynamic", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["checks"].keys() == {"64x48", "97x131", "72x45"}


def test_an_opset_that_the_runtime_lacks_is_one_line_and_leaves_nothing(monkeypatch):
    monkeypatch.setattr(build, "OPSETS", (18, 99))
    options = ExportOptions((64, 48), opset=99)
    request = Request(ARCH0, ModelSpec(classes=5, agg_size=8, width=0.25), Path("a.onnx"))
    with pytest.raises(CompilerError, match=r"a\.onnx: onnxruntime: .*[Oo]pset 99") as error:
        compile_artefact(replace(request, options=options))
    assert "\n" not in str(error.value)
    assert list(Path().iterdir()) == []


def test_past_the_tolerance_nothing_is_written():
    Path("a.onnx").write_text("good")
    result = compile_(PLAIN, *SMALL_NET, "--tolerance", "1e-12", "--output", "a.onnx")
    one_line_failure(result, "largest error", 1)
    assert Path("a.onnx").read_text() == "good"
    assert [p.name for p in Path().iterdir()] == ["a.onnx"]


def test_labels_of_more_classes_than_a_byte_tells_apart_are_refused():
    document = json.loads(to_json(ARCH0))
    for classes in (256, 257):
        model = {"classes": classes, "agg_size": 8, "sep_repeats": 1, "width": 0.25}
        Path(f"{classes}.json").write_text(json.dumps(document | {"model": model}))
    args = ("--input-size", "32x32", "--head", "labels", "--output", "a.onnx")
    result = compile_("257.json", *args)
    one_line_failure(result, "head labels: 257 classes, expected at most 256")
    assert not Path("a.onnx").exists()
    assert compile_("256.json", *args).exit_code == 0
    assert compile_("257.json", *args[:2], "--output", "b.onnx").exit_code == 0
    Image.new("RGB", (40, 40)).save("a.png")
    result = CliRunner().invoke(nasrun, ["predict", "b.onnx", "a.png", "--output", "predicted"])
    one_line_failure(result, "b.onnx: 257 classes, expected 1 to 256")
    assert not Path("predicted").exists()


LIMITS = {
    ("--precision", "fp32"): (1e-3, "0.1%"),
    ("--precision", "fp16"): (1e-2, "1%"),
    ("--tolerance", "0.02"): (0.02, "2%"),
    ("--precision", "fp16", "--tolerance", "1e-5"): (1e-5, "0.001%"),
}


@pytest.mark.parametrize("args", LIMITS)
@pytest.mark.parametrize("times", [0.99, 1.01])
def test_labels_have_a_limit_of_their_own(args, times, monkeypatch):
    allowed, shown = LIMITS[args]
    changed = Difference(None, None, None, times * allowed)
    monkeypatch.setattr(checking, "compare_runners", lambda *_: changed)
    result = compile_(PLAIN, *SMALL_NET, "--head", "labels", "--json", *args)
    if times > 1:
        one_line_failure(result, f"expected at most {shown} of pixels; nothing was written", 1)
        assert not Path("genotype.onnx").exists()
    else:
        assert json.loads(result.stdout)["allowed"] == allowed


def test_half_precision_labels_pass_and_the_limit_is_shown():
    result = compile_(PLAIN, *SMALL_NET, "--precision", "fp16", "--head", "labels")
    assert result.exit_code == 0, result.output
    assert "% of pixels change label (allowed 1% of pixels)" in result.stdout
    assert "(allowed an error of 0.0001)" in compile_(PLAIN, *SMALL_NET).stdout


@pytest.mark.parametrize(
    "args",
    [
        ("--input-size", "0x5"),
        ("--input-size", "512"),
        ("--classes", "x"),
        ("--target", "abacus"),
        ("--colour", "red"),
    ],
)
def test_wrong_use_is_status_2(args):
    one_line_failure(compile_("arch0", *args), args[0], status=2)


@pytest.mark.parametrize(
    "args",
    [
        ("--classes", "0"),
        ("--agg-size", "-3"),
        ("--width", "99"),
        ("--disable-pass", "x"),
        ("--input-size", "31x31"),
        ("--input-size", "512x1"),
        ("--opset", "17"),
        ("--opset", "99"),
        ("--tolerance", "nan"),
        ("--tolerance", "-1"),
        ("--max-drop", "nan"),
        ("--seed", "-1"),
        ("--batch", "0"),
        ("--precision", "fp16", "--target", "torch"),
    ],
)
def test_values_out_of_range_are_wrong_use(args):
    one_line_failure(compile_("arch0", *args), args[0], status=2)


@pytest.mark.parametrize(
    "args",
    [
        ("--max-drop", "0"),
        ("--force",),
        ("--labels", "x"),
        ("--map", "-1"),
        ("--tolerance", "0.1", "--no-verify"),
        ("--images", "x", "--no-verify"),
        ("--opset", "18", "--target", "openvino"),
        ("--opset", "20", "--target", "torch"),
    ],
)
def test_an_option_without_effect_is_wrong_use(args):
    result = compile_("arch0", *args)
    one_line_failure(result, f"error: {args[0]} ")
    assert list(Path().iterdir()) == []


def test_a_size_is_read_in_either_case_and_its_limit_is_named():
    assert SizeType().convert("64X48", None, None) == (64, 48)
    result = compile_("arch0", "--input-size", "99999999x64")
    one_line_failure(result, "'99999999x64': expected sides of at most 99999 pixels")


def test_the_size_is_the_one_that_the_weights_were_trained_on():
    path = weights("w.safetensors", size=[64, 96])
    found = json.loads(compile_("arch0", "--weights", path, "--no-verify", "--json").stdout)
    assert found["input_size"] == [64, 96]
    wanted = ("--input-size", "32x32", "--no-verify", "--json")
    found = json.loads(compile_("arch0", "--weights", path, *wanted).stdout)
    assert found["input_size"] == [32, 32]
    assert json.loads(compile_("arch0", *wanted[2:]).stdout)["input_size"] == [512, 512]


def test_the_installed_command_runs():
    command = Path(sys.executable).with_name("nascompile")
    result = subprocess.run(
        [command, "arch1", *SMALL_NET, "--no-verify"], capture_output=True, text=True, check=True
    )
    assert "NOT CHECKED (switched off)" in result.stdout
    assert result.stderr == ""


def test_weights_of_other_sizes_than_the_genotypes_file_says_are_told(tmp_path):
    """As after a training at another size than that of the search."""
    own, described = ModelSpec(classes=2, width=0.1, agg_size=8), {"agg_size": 4, "sep_repeats": 1}
    save_weights("w.safetensors", initial_params(lower(ARCH0, own), 0), {"model": own.to_dict()})
    Path("g.json").write_text(to_json(ARCH0, model=own.to_dict() | described))
    words = ["--weights", "w.safetensors", "--dry-run", "--output", "g.onnx"]
    result = CliRunner().invoke(main, ["g.json", *words])
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[0] == (
        "note: w.safetensors is of agg_size 8, sep_repeats 2, where the genotype's file says "
        "agg_size 4, sep_repeats 1"
    )
    Path("g.json").write_text(to_json(ARCH0, model=own.to_dict()))
    assert "note" not in CliRunner().invoke(main, ["g.json", *words]).stderr

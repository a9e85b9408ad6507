"""Opening artefacts, good and bad, and explaining them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper, numpy_helper
from PIL import Image

from auxnas.backends.artefacts import open_artefact
from auxnas.compiler import CompilerError
from auxnas.listing import sections
from auxnas.nascompile.cli import main as compile_main
from tests.auxnas.nasrun.artefacts import (
    ARCH0,
    COLOURS,
    NAMES,
    artefact,
    fails,
    foreign,
    photograph,
    run,
)

COMMANDS = {
    "explain": (),
    "bench": (),
    "profile": (),
    "predict": ("a.png", "--output", "out"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return artefact(tmp_path_factory.mktemp("nasrun") / "good.onnx")


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_an_artefact_knows_what_it_is(good):
    opened = open_artefact(good)
    assert opened.ours
    assert opened.genotype() == ARCH0
    assert opened.metadata["classes"] == NAMES
    assert opened.inputs[0].to_dict() == {
        "name": "image", "dtype": "float32", "shape": [1, 3, 64, 64],
    }  # fmt: skip
    assert opened.outputs[0].shape == (1, 5, 16, 16)


def test_explain_says_it_all(good):
    result = run("explain", good)
    assert result.exit_code == 0
    assert result.stderr == ""
    for text in (
        "auxnas",
        "opset 18",
        "image 1x3x64x64",
        "logits",
        "5: sky, road",
        "random",
        "i1-",
    ):
        assert text in result.stdout
    for line in sections(ARCH0):
        assert line in result.stdout.splitlines()
    assert "not checked" in result.stdout


@pytest.mark.parametrize("end", [("--resize-output", "input"), ("--head", "labels")])
def test_what_grows_an_output_is_no_parameter(end):
    args = ("--input-size", "64x64", "--agg-size", "8", "--width", "0.25", "--classes", "5", *end)
    compiled = CliRunner().invoke(compile_main, ["arch0", "--output", "v.onnx", "--json", *args])
    found = json.loads(run("explain", "v.onnx", "--json").stdout)
    assert found["parameters"] == json.loads(compiled.stdout)["optimised"]["parameters"]


def test_explain_agrees_with_what_nascompile_said():
    args = ("--input-size", "64x64", "--agg-size", "8", "--width", "0.25", "--classes", "5")
    compiled = CliRunner().invoke(compile_main, ["arch0", "--output", "v.onnx", "--json", *args])
    said = json.loads(compiled.stdout)
    found = json.loads(run("explain", "v.onnx", "--json").stdout)
    assert found["parameters"] == said["optimised"]["parameters"]
    assert found["metadata"]["model"] == said["model"]
    assert found["metadata"]["verification"] == said["checks"]
    assert len(said["checks"]) == 3
    lines = run("explain", "v.onnx").stdout.splitlines()
    for size, numbers in said["checks"].items():
        (line,) = [line for line in lines if f" {size} " in line]
        assert f"{numbers['max_absolute']:.1e}" in line


def test_explain_as_json_is_one_document(good):
    found = json.loads(run("explain", good, "--json").stdout)
    assert found["ours"] is True
    assert found["metadata"]["palette"] == COLOURS
    assert found["listing"] == list(sections(ARCH0))
    assert sum(found["operators"].values()) == found["nodes"]
    assert found["bytes"] == good.stat().st_size


def test_a_foreign_model_is_explained_as_far_as_it_goes():
    result = run("explain", foreign("f.onnx"))
    assert result.exit_code == 0
    assert "Relu 1" in result.stdout
    assert "not from nascompile" in result.stderr


BAD = {
    "missing": (lambda good: None, "bad.onnx: No such file"),
    "empty": (lambda good: b"", "an empty file"),
    "text": (lambda good: b"hello, I am a poem\n", "no ONNX model"),
    "truncated": (lambda good: good[: len(good) // 2], "truncated"),
    "nearly whole": (lambda good: good[:-5], "truncated"),
    "zip": (lambda good: b"PK\x03\x04" + bytes(100), "no ONNX model"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_line(command, kind, good):
    make, message = BAD[kind]
    content = make(good.read_bytes())
    if content is not None:
        Path("bad.onnx").write_bytes(content)
    fails(run(command, "bad.onnx", *COMMANDS[command]), message)
    assert not Path("out").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_is_no_artefact(command):
    fails(run(command, ".", *COMMANDS[command]), "a folder, expected an artefact's file")
    Path("page").mkdir()
    Path("page/model.onnx").touch()
    fails(run(command, "page", *COMMANDS[command]), "page: a folder, expected an artefact's file, ")
    assert "such as page/model.onnx" in run(command, "page", *COMMANDS[command]).stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "tiff"])
def test_a_picture_is_no_artefact(command, kind):
    Image.new("RGB", (9, 9)).save("x", format=kind)
    fails(run(command, "x", *COMMANDS[command]), "x: a picture, expected an artefact")


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Abacus"


def later_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def later_format(model: onnx.ModelProto) -> None:
    model.ir_version = 99


def dangling(model: onnx.ModelProto) -> None:
    model.graph.node[3].input[0] = "nowhere"


REFUSED = {
    unknown_operator: "Abacus",
    later_opset: "Opset 99",
    later_format: "onnxruntime: Unsupported model IR version: 99",
    dangling: "'nowhere'",
}


@pytest.mark.parametrize("command", ["bench", "profile", "predict"])
@pytest.mark.parametrize("damage", REFUSED)
def test_what_the_runtime_refuses_is_one_line(command, damage, good, capfd):
    model = onnx.load(good)
    damage(model)
    onnx.save(model, "odd.onnx")
    result = run(command, "odd.onnx", *COMMANDS[command])
    fails(result, "odd.onnx: onnxruntime: ")
    assert REFUSED[damage] in result.stderr
    assert "onnxruntime_src" not in result.stderr
    assert capfd.readouterr() == ("", "")
    assert {path.name for path in Path().iterdir()} == {"odd.onnx"}


def test_scores_that_are_no_numbers_are_no_labels(good):
    model = onnx.load(good)
    (bias,) = (each for each in model.graph.initializer if each.name == "decoder.clf.bias")
    bias.CopyFrom(numpy_helper.from_array(np.full(5, np.nan, np.float32), bias.name))
    onnx.save(model, "nan.onnx")
    photograph(Path("a.png"))
    fails(
        run("predict", "nan.onnx", "a.png", "--output", "out"), "a.png: outputs: NaN or infinity", 1
    )
    assert {path.name for path in Path("out").iterdir()} == {"legend.png"}


def test_damaged_bytes_never_end_in_a_traceback(good):
    content, rng = bytearray(good.read_bytes()), random.Random(0)
    tail = len(content) - 4000
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(8):
            damaged[rng.randrange(tail, len(damaged))] = rng.randrange(256)
        Path("d.onnx").write_bytes(damaged)
        result = run("explain", "d.onnx")
        assert result.exit_code in (0, 2)
        assert "unexpected" not in result.stderr
        assert "Traceback" not in result.stderr


def with_metadata(good: Path, path: str, **values: object) -> str:
    """A copy with some metadata replaced; None removes."""
    model = onnx.load(good)
    known = {each.key: each.value for each in model.metadata_props} | {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }
    del model.metadata_props[:]
    helper.set_model_props(model, {k: v for k, v in known.items() if values.get(k, "") is not None})
    onnx.save(model, path)
    return path


def test_a_damaged_genotype_does_not_hide_the_rest(good):
    result = run("explain", with_metadata(good, "g.onnx", genotype="[[1, 2"))
    assert result.exit_code == 0
    assert "not readable" in result.stdout
    assert "5: sky" in result.stdout


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"head": None}, "no metadata head"),
        ({"normalisation": None, "input_format": None}, "no metadata input_format, normalisation"),
        ({"normalisation": {"mean": [1, 2]}}, "normalisation"),
        ({"normalisation": {"mean": [0, 0, 0], "deviation": [1, 0, 1]}}, "3 numbers each"),
        ({"head": "feet"}, "head: 'feet'"),
        ({"classes": [1, 2]}, "classes: [1, 2], expected a list of names"),
        ({"palette": [[1, 2], [3]]}, "palette"),
        ({"palette": [[1, 2, 300]]}, "palette"),
    ],
)
def test_predict_names_the_metadata_that_it_misses(good, values, message):
    path = with_metadata(good, "m.onnx", **values)
    fails(run("predict", path, "a.png", "--output", "out"), message)


def test_predict_on_a_foreign_model_says_what_is_missing():
    message = "no metadata input_format, head, normalisation, expected an artefact"
    fails(run("predict", foreign("f.onnx"), "a.png", "--output", "out"), message)


def test_a_sequence_is_no_input():
    sequence = helper.make_tensor_sequence_value_info("x", 1, None)
    graph = helper.make_graph(
        [helper.make_node("SequenceLength", ["x"], ["y"])],
        "g",
        [sequence],
        [helper.make_tensor_value_info("y", 7, [])],
    )
    onnx.save(helper.make_model(graph), "s.onnx")
    with pytest.raises(CompilerError, match="no tensor"):
        open_artefact("s.onnx")


def test_the_installed_command_loads_no_torch(good):
    code = (
        "import sys\n"
        "from auxnas.nasrun.cli import main\n"
        f"for words in (['explain'], ['bench'], ['profile', '--runs', '1']):\n"
        f"    main([*words, {str(good)!r}, '--json'], standalone_mode=False)\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stderr.strip() == "False"
    help_ = subprocess.run(
        [Path(sys.executable).with_name("nasrun"), "--help"], capture_output=True, text=True
    )
    assert help_.returncode == 0
    for command in COMMANDS:
        assert command in help_.stdout


@pytest.mark.parametrize("command", ["bench", "profile", "predict"])
def test_without_onnxruntime_one_line_says_what_to_install(command, good, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "auxnas.backends.runtimes.ort", raising=False)
    fails(run(command, good, *COMMANDS[command]), "auxnas[ort]", 3)
    assert run("explain", good).exit_code == 0

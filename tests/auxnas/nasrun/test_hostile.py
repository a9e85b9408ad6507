"""Artefacts whose metadata were written to harm: one line, or shown harmlessly; JSON is exact."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import helper
from PIL import Image

from tests.auxnas.nasrun.artefacts import artefact, photograph, run

LONG, HUGE = "x" * 1_000_000, 10**400
ESCAPES = "\x1b]0;HACK\x07\x1b[2J\r\u202egnp\ud800"
METADATA = {
    "tool": json.dumps("auxnas " + ESCAPES),
    "classes": json.dumps([LONG, ESCAPES, "\n\nfake line", "d", "e"]),
    "genotype": json.dumps([[2**70]]),
    "passes": "[" * 100_000,
    "palette": json.dumps([[2**70] * 3] * 5),
    "normalisation": json.dumps({"mean": [HUGE] * 3, "deviation": [1, 1, 1]}),
    "model": json.dumps({"classes": 2**70, ESCAPES: LONG}),
    "verification": json.dumps(
        {"a": dict.fromkeys(("max_absolute", "mean_absolute", "max_relative"), HUGE)
         | {"labels_changed": HUGE}}
    ),
    "quantisation": json.dumps(
        {"label_agreement": HUGE, "held_out_images": 1, "layers_in_float": [], "layers": 1,
         "precision": "int8"}
    ),
    "mine\x1b[31m" + LONG: "a\nb",
    "head": json.dumps("labels"),
    "input_format": "5",
}  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> onnx.ModelProto:
    return onnx.load(artefact(tmp_path_factory.mktemp("hostile") / "good.onnx"))


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photograph(Path("p.png"), 64, 64)


def changed(good: onnx.ModelProto, **metadata: str) -> str:
    model = onnx.ModelProto()
    model.CopyFrom(good)
    known = {entry.key: entry.value for entry in good.metadata_props}
    helper.set_model_props(model, known | metadata)
    onnx.save(model, "a.onnx")
    return "a.onnx"


def obeyed(text: str) -> set[str]:
    return {c for c in text if not c.isprintable() and c not in "\n\t"}


@pytest.mark.parametrize("key", METADATA)
@pytest.mark.parametrize("command", [["explain"], ["predict", "p.png", "--output", "out"]])
def test_no_metadata_harm(good, key, command):
    path = changed(good, **{key: METADATA[key]})
    result = run(command[0], path, *command[1:])
    assert result.exit_code in (0, 2)
    assert "unexpected" not in result.stderr
    assert not obeyed(result.output)
    assert len(result.output) < 30_000
    if result.exit_code:
        assert result.stderr.startswith("error: a.onnx: ")
        assert result.stderr.count("\n") == 1
    legend = Path("out/legend.png")
    if legend.exists():
        with Image.open(legend) as picture:
            assert picture.width < 5000


def test_as_json_everything_is_exact(good):
    kept = {key: METADATA[key] for key in ("tool", "classes", "model")}
    result = run("explain", changed(good, **kept), "--json")
    found = json.loads(result.stdout)["metadata"]
    assert {key: found[key] for key in kept} == {k: json.loads(text) for k, text in kept.items()}
    assert not obeyed(result.stdout)


def test_an_output_that_is_not_what_the_head_says_is_named(good):
    result = run("predict", changed(good, head="labels"), "p.png", "--output", "out")
    assert result.exit_code == 2
    assert "a.onnx: output: main 1x5x16x16 float32, expected 1 map of bytes" in result.stderr

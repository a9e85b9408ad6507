"""Forms of a network that are left open: the choice among them, and what is said of the others."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from auxnas.backends.artefacts import open_artefact
from auxnas.backends.compiling import forms
from auxnas.backends.int8 import Int8Options
from auxnas.backends.measuring.timing import Latency
from auxnas.nascompile import requested
from auxnas.nascompile.cli import main
from tests.strategies import PLAIN

TINY = ("--agg-size", "4", "--width", "0.05", "--sep-repeats", "1", "--classes", "5")
ONNX, AUTO = ("--target", "onnx"), ("--target", "auto")
DIED = "its process ended with status -9"


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photographs(tmp_path):
    folder, noise = tmp_path / "photographs", np.random.default_rng(0)
    folder.mkdir()
    for number in range(8):
        pixels = noise.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return "--images", str(folder), "--max-drop", "1"


@pytest.fixture
def apart(monkeypatch):
    """Times that are found in processes of their own; what has none died there."""

    def patched(**seconds: float) -> None:
        def timed(made, inputs):
            found = {n: Latency([seconds[n.split()[1]]]) for n in made if n.split()[1] in seconds}
            return found, {name: DIED for name in made if name not in found}

        monkeypatch.setattr(forms, "side_by_side_apart", timed)

    return patched


@pytest.fixture
def together(monkeypatch):
    """Times that are found while the layers are chosen."""

    def patched(fp32: float, int8: float) -> None:
        times = {"fp32": Latency([fp32]), "int8": Latency([int8])}
        wish = partial(Int8Options, timer=lambda runners, feed: times)
        monkeypatch.setattr(requested, "Int8Options", wish)

    return patched


def compiled(*args: str):
    return CliRunner().invoke(
        main, [PLAIN, *TINY, "--input-size", "32x32", "--output", "a.onnx", *args]
    )


def against(result) -> dict[str, str | None]:
    assert result.exit_code == 0, result.output
    return {row["precision"]: row["against"] for row in json.loads(result.stdout)["forms"]}


def test_where_every_process_dies_each_is_named(apart, tmp_path):
    apart()
    result = compiled(*ONNX, "--precision", "auto")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert f"none fits (onnx fp32: {DIED}; onnx fp16: {DIED}; onnx int8: no photographs" in line
    assert list(tmp_path.iterdir()) == []


def test_where_no_int8_is_worth_it_each_is_named(apart, together, photographs):
    apart(int8=0.001)
    together(fp32=1, int8=2)
    result = compiled(*AUTO, "--precision", "int8", *photographs)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "none fits (onnx int8: int8 is not faster: 2000.00 ms against 1000.00 ms" in line


def test_int8_that_is_forced_is_taken(apart, together, photographs):
    apart(int8=0.001)
    together(fp32=1, int8=2)
    result = compiled(
        *AUTO, "--precision", "int8", *photographs, "--max-drop", "0", "--force", "--json"
    )
    assert against(result)["int8"] is None
    assert json.loads(result.stdout)["precision"] == "int8"


def test_without_float32_nothing_is_taken_unjudged(apart, together, photographs):
    apart(fp16=0.001, int8=0.002)
    together(fp32=2, int8=1)
    said = against(result := compiled(*ONNX, "--precision", "auto", *photographs, "--json"))
    assert said["fp32"] == DIED
    assert said["fp16"] == "nothing to judge it by: none ran in float32"
    assert said["int8"] is None
    assert json.loads(result.stdout)["precision"] == "int8"


@pytest.mark.parametrize("faster", [True, False])
def test_int8_is_as_fast_as_it_is_in_a_process_of_its_own(faster, apart, together, photographs):
    apart(fp32=0.002, int8=0.001 if faster else 0.003)
    together(fp32=2, int8=3 if faster else 1)
    result = compiled(*ONNX, "--precision", "auto", *photographs, "--json")
    said, found = against(result)["int8"], json.loads(result.stdout)
    assert said == (None if faster else "int8 is not faster: 3.00 ms against 2.00 ms")
    assert found["precision"] == ("int8" if faster else "fp32")
    assert open_artefact("a.onnx").metadata["precision"] == found["precision"]
    if faster:
        assert found["int8"]["milliseconds"] == {"fp32": 2.0, "int8": 1.0}

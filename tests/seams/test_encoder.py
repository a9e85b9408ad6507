"""A user's encoder, searched, trained and compiled by the real commands."""

from __future__ import annotations

import json

import pytest
from safetensors import safe_open

from auxnas.nascompile.cli import main as nascompile
from auxnas.nassearch.cli import main as nassearch
from tests.compiler.test_encoders import EncoderContract

WORDS = ["--data", "synthetic:12", "--size", "32x32", "--classes", 12, "--preset", "demo"]
TINY = [
    "--learner",
    "null",
    "--trials",
    2,
    "--set",
    "latency.measure=false",
    "--set",
    "pretrain.epochs=1",
]
TINY += ["--set", "stage1.epochs=1", "--set", "model.width=0.5", "--set", "model.agg_size=4"]
OWN = "encoder:Plain"


@pytest.mark.usefixtures("user")
class TestPlain(EncoderContract):
    name = OWN


def test_it_is_searched_and_compiled(user, command):
    run = [*WORDS, *TINY, "--set", f"model.encoder={OWN}", "--out", "run"]
    command(nassearch, "run", *run)
    with safe_open("run/best.safetensors", "numpy") as file:
        known = {name: json.loads(text) for name, text in file.metadata().items()}
        names = set(file.keys())
    assert known["model"]["encoder"] == OWN
    assert known["normalisation"] == {"mean": [0.5] * 3, "deviation": [0.25] * 3}
    assert "encoder.5.conv.weight" in names
    command(nassearch, "resume", "run", "--trials", 3)
    files = ["run/best.json", "--weights", "run/best.safetensors"]
    made = command(nascompile, *files, "--encoder", OWN, "--output", "a.onnx", "--json")
    assert json.loads(made.stdout)["model"]["encoder"] == OWN

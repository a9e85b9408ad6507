"""Small artefacts that the tests of nasrun share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from click.testing import CliRunner
from onnx import helper
from PIL import Image

from auxnas.backends import Request, Weights, compile_artefact
from auxnas.backends.base import ExportOptions
from auxnas.compiler import ModelSpec, lower
from auxnas.compiler.interface import Interface
from auxnas.compiler.weights import random_params
from auxnas.genotype import Genotype, zoo
from auxnas.nasrun.cli import main

ARCH0 = zoo.load_published("arch0").genotype
SPEC = ModelSpec(classes=5, agg_size=8, width=0.25)
NAMES = ["sky", "road", "tree", "car", "person"]
COLOURS = [[10, 20, 30], [200, 0, 0], [0, 200, 0], [0, 0, 200], [250, 250, 0]]


def artefact(
    path: Path,
    interface: Interface | None = None,
    target: str = "onnx",
    genotype: Genotype = ARCH0,
    **options: Any,
) -> Path:
    """An artefact for 64x64 images, with class names and colours."""
    weights = Weights(
        random_params(lower(genotype, SPEC), 1), "random", {"classes": NAMES, "palette": COLOURS}
    )
    request = Request(genotype, SPEC, path, weights, verify=False, target=target)
    if interface is not None:
        request = replace(request, interface=interface)
    compile_artefact(replace(request, options=ExportOptions(**{"size": (64, 64)} | options)))
    return path


def run(*args: object):
    """``nasrun`` with these arguments."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


def fails(result, message: str, status: int = 2) -> None:
    """One line on stderr that says ``message``, nothing on stdout."""
    assert result.exit_code == status, result.output
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def photograph(path: Path, height: int = 48, width: int = 80, seed: int = 0) -> Path:
    """A picture with structure at several scales."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 10, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


def foreign(path: str, **shape) -> str:
    """A model that another program might have written: y = relu(x)."""
    axes = shape.get("axes", [1, 3, 8, 8])
    ends = [helper.make_tensor_value_info(name, 1, axes) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    onnx.save(model, path)
    return path

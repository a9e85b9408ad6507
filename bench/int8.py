"""int8 against fp32: time side by side and labels changed.

    python bench/int8.py --images DIR --output int8.json [--weights arch2=FILE ...]

Ranges are found on three quarters of the photographs, labels compared on the others.
Without weights of an architecture they are random: the time stands, the labels mean
nothing. Networks take turns; figures are medians. Needs the extras ort, openvino, torch.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from functools import partial
from importlib import metadata
from pathlib import Path

import click
import onnx

from backends.base import ExportOptions, Runner
from backends.int8 import Ends, Int8Options, find_photographs
from backends.int8.artefact import quantise
from backends.int8.timing import Feed, side_by_side
from backends.onnx import build
from backends.openvino import OpenvinoExporter, OpenvinoRunner
from compiler import ModelSpec, Program, lower
from compiler.interface import Interface
from compiler.passes import INFERENCE, run
from compiler.weights import fit, load_weights, randomised
from genotype import zoo

PACKAGES = ("onnx", "onnxruntime", "openvino", "numpy")


def program_of(name: str, weights: str | None) -> tuple[Program, int]:
    """The optimised network and its number of classes."""
    known = load_weights(weights) if weights else None
    spec = json.loads(known[1]["model"]) if known else {}
    model = ModelSpec.from_dict(spec, str(weights)) if spec else ModelSpec()
    graph = lower(zoo.load(name).genotype, model)
    params = fit(graph, known[0], str(weights)) if known else randomised(graph, 0)
    return run(INFERENCE, Program(graph, params, name))[0], model.classes


def timed(other: Runner, runners: Mapping[str, Runner], feed: Feed) -> dict[str, float]:
    return side_by_side({**runners, "fp32 openvino": other}, feed)


def measure(program: Program, classes: int, size: int, images: Path, max_drop: float) -> dict:
    options = ExportOptions((size, size))
    model: onnx.ModelProto = build(program, options, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xml"
        OpenvinoExporter().export(program, path, options, {})
        timer = partial(timed, OpenvinoRunner(path))
        wish = Int8Options(find_photographs(images), max_drop, timer=timer)
        found = quantise(model, wish, Ends((size, size), Interface(), classes)).to_dict()
    times = found["milliseconds"]
    best = min(value for kind, value in times.items() if kind != "int8")
    return found | {"speedup": times["fp32"] / times["int8"], "to_best_fp32": best / times["int8"]}


@click.command()
@click.option("--images", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--weights", multiple=True, metavar="NAME=FILE")
@click.option("--max-drop", default=0.01, show_default=True)
@click.option("--size", default=512, show_default=True)
@click.option("--architectures", default="arch0,arch1,arch2", show_default=True)
def main(
    images: Path,
    output: Path,
    weights: tuple[str, ...],
    max_drop: float,
    size: int,
    architectures: str,
) -> None:
    files = dict(pair.split("=", 1) for pair in weights)
    found = {}
    for name in architectures.split(","):
        program, classes = program_of(name, files.get(name))
        found[name] = measure(program, classes, size, images, max_drop)
        found[name]["weights"] = "given" if name in files else "random"
        click.echo(f"{name}: {found[name]}")
    versions = {package: metadata.version(package) for package in PACKAGES}
    setting = {"size": size, "cpus": os.cpu_count(), "versions": versions}
    output.write_text(json.dumps({"setting": setting, "architectures": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()

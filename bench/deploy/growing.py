"""Whether outputs grow to the image's size sooner by two products with matrices than by Resize.

    python bench/deploy/growing.py --output growing.json

A network with random weights and an output of the image's size is built both ways and timed, in
turn, through onnxruntime and OpenVINO, in float32 and with OpenVINO's own default. Products are the
multiply-adds a pixel by which the compiler chooses. Needs the extras ort and openvino.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import numpy as np
from contenders import Contender, Times, race, speedup
from rivals import onnxruntime, openvino, openvino_defaults

from auxnas.backends.base import ExportOptions
from auxnas.backends.onnx.build import build, products_a_pixel
from auxnas.compiler import ModelSpec, Program, Size, infer_shapes, lower
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params
from auxnas.genotype import zoo

CASES = [
    *[("arch0", "logits", 11, *size) for size in ((96, 128), (192, 256), (384, 512))],
    *[("arch0", head, 21, 512, 512) for head in ("logits", "labels")],
    *[("arch2", "logits", 11, *size) for size in ((96, 128), (384, 512), (768, 1024))],
    *[("arch2", "logits", 11, *size) for size in ((1024, 768), (1024, 1536))],
    *[("arch2", "logits", 21, *size) for size in ((256, 256), (512, 512))],
    ("arch2", "labels", 21, 512, 512),
]
"""(network, head, classes, height and width); arch0's output has a stride of 4, arch2's of 8."""
RUNTIMES = {
    "onnxruntime": onnxruntime,
    "OpenVINO": openvino,
    "OpenVINO's default": openvino_defaults,
}
PACKAGES = ("onnx", "onnxruntime", "openvino", "numpy")


def network(name: str, head: str, classes: int) -> Program:
    """A published network with an output of the image's size, as it ships."""
    graph = lower(zoo.load_published(name).genotype, ModelSpec(classes=classes, auxiliary="none"))
    whole = Program(graph, random_params(graph, 0), name)
    return run_passes(INFERENCE, with_interface(whole, Interface(head, resize=True)))[0]


def products(program: Program, size: Size) -> float:
    """Multiply-adds of the two products, a pixel of the output."""
    shapes, node = infer_shapes(program.graph, size), program.graph["output.resize"]
    return min(products_a_pixel(shapes[node.inputs[0]], shapes[node.name]))


def timed(program: Program, size: Size, threads: int, rounds: int, repeats: int) -> dict[str, Any]:
    """How many times as fast products are, and milliseconds before and after, by runtime."""
    row: dict[str, Contender] = {}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        image = Path(temporary) / "image.npy"
        np.save(image, np.random.default_rng(1).normal(size=(1, 3, *size)).astype(np.float32))
        for way, most in (("resize", 0), ("products", math.inf)):
            path = Path(temporary) / f"{way}.onnx"
            path.write_bytes(build(program, ExportOptions(size), {}, most).SerializeToString())
            for name, runtime in RUNTIMES.items():
                row[f"{name} {way}"] = Contender(runtime, path, image, threads)
        times: dict[str, Times] = race(row, rounds, repeats)
    for name in RUNTIMES:
        before, after = times[f"{name} resize"], times[f"{name} products"]
        spent = [each.summary["median"] for each in (before, after)]
        found[name] = {"speedup": speedup(before, after), "ms": [round(each, 4) for each in spent]}
    return found


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=9, show_default=True)
@click.option("--repeats", default=3, show_default=True)
def main(output: Path, threads: int, rounds: int, repeats: int) -> None:
    rows = []
    for name, head, classes, *sides in CASES:
        program, size = network(name, head, classes), tuple(sides)
        row = {"network": name, "head": head, "classes": classes, "size": size}
        row["products"] = products(program, size)
        rows.append(row | timed(program, size, threads, rounds, repeats))
        click.echo(rows[-1])
    versions = {package: metadata.version(package) for package in PACKAGES}
    setting = {"threads": threads, "rounds": rounds, "repeats": repeats}
    known = {"setting": setting | {"versions": versions}, "rows": rows}
    output.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()

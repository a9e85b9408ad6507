"""Whether logits grow to the image's size sooner by two products of matrices than by Resize.

    python bench/deploy/growing.py --output growing.json

A network with random weights and logits of the image's size is built both ways and timed through
onnxruntime and OpenVINO, in float32 and with its own default, in turn. Multiply-adds are those of
the products, a pixel and channel, by which the compiler chooses. Needs the extras ort and openvino.
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
from auxnas.backends.onnx.build import build
from auxnas.compiler import ModelSpec, Program, Size, lower
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params
from auxnas.genotype import zoo

STRIDE = 4
"""Of the logits before they grow."""
CASES = [(11, 96, 128), (11, 128, 160), (11, 192, 256), (21, 256, 256), (11, 384, 512)]
CASES += [(2, 240, 320), (21, 512, 512), (11, 768, 1024)]
"""(channels, height and width)."""
RUNTIMES = {
    "onnxruntime": onnxruntime,
    "OpenVINO": openvino,
    "OpenVINO's default": openvino_defaults,
}
PACKAGES = ("onnx", "onnxruntime", "openvino", "numpy")


def network(name: str, channels: int) -> Program:
    """A published network with logits of the image's size, as it ships."""
    spec = ModelSpec(classes=channels, auxiliary="none")
    graph = lower(zoo.load_published(name).genotype, spec)
    whole = with_interface(Program(graph, random_params(graph, 0), name), Interface(resize=True))
    return run_passes(INFERENCE, whole)[0]


def multiply_adds(size: Size) -> float:
    """Of the products, a pixel and channel."""
    (height, width), (h, w) = size, (-(-side // STRIDE) for side in size)
    return min(w * (h / width + 1), h * (w / height + 1))


def timed(program: Program, size: Size, threads: int, rounds: int, repeats: int) -> dict[str, Any]:
    """How many times as fast products are, and the milliseconds they save, by runtime."""
    row, found = {}, {}
    with tempfile.TemporaryDirectory() as temporary:
        image = Path(temporary) / "image.npy"
        np.save(image, np.random.default_rng(1).normal(size=(1, 3, *size)).astype(np.float32))
        for way, products in (("resize", 0), ("products", math.inf)):
            path = Path(temporary) / f"{way}.onnx"
            path.write_bytes(build(program, ExportOptions(size), {}, products).SerializeToString())
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
@click.option("--network", "name", default="arch2", show_default=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=15, show_default=True)
@click.option("--repeats", default=5, show_default=True)
def main(output: Path, name: str, threads: int, rounds: int, repeats: int) -> None:
    rows = []
    for channels, *size in CASES:
        found = timed(network(name, channels), tuple(size), threads, rounds, repeats)
        rows.append({"channels": channels, "size": size, "multiply_adds": multiply_adds(size)})
        rows[-1] |= found
        click.echo(rows[-1])
    versions = {package: metadata.version(package) for package in PACKAGES}
    setting = {"network": name, "threads": threads, "rounds": rounds, "repeats": repeats}
    known = {"setting": setting | {"versions": versions}, "rows": rows}
    output.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Whether parallel convolutions of one geometry on one input should be merged.

    python bench/deploy/merging.py --output merging.json

Two convolutions with ReLU on the same map, each followed by a 1x1 convolution, against
one convolution of twice the channels whose result is split. Measured at the geometries
of the published decoders, through onnxruntime and OpenVINO, in turn; needs the extras
ort and openvino. A pass that merges them would pay where the ratio is above 1.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import click
import numpy as np
import onnx
from contenders import Contender, race, speedup
from onnx import TensorProto, helper, numpy_helper
from rivals import onnxruntime, openvino

CHANNELS = 64
GEOMETRIES = [(3, 1, 128), (3, 1, 64), (3, 3, 64), (3, 1, 32), (3, 1, 16), (1, 1, 128), (1, 1, 16)]
"""(kernel, dilation, height and width)."""
PACKAGES = ("onnx", "onnxruntime", "openvino", "numpy")


def model(kernel: int, rate: int, size: int, merged: bool) -> onnx.ModelProto:
    """The same function, merged or not."""
    rng = np.random.default_rng(0)
    shape = (CHANNELS, CHANNELS, kernel, kernel)
    first, second = (_normal(rng, shape) for _ in range(2))
    weights = {"before": _normal(rng, (CHANNELS, CHANNELS, 1, 1))}
    weights |= {f"after{n}": _normal(rng, (CHANNELS, CHANNELS, 1, 1)) for n in range(2)}
    weights |= {"both": np.concatenate([first, second])} if merged else {"0": first, "1": second}
    pad = rate * (kernel - 1) // 2
    attrs = {"dilations": [rate, rate], "pads": [pad] * 4, "kernel_shape": [kernel, kernel]}
    nodes = [*_conv_relu("x", "before", "y"), *_parallel(merged, attrs)]
    for number in range(2):
        nodes += _conv_relu(f"z{number}", f"after{number}", f"end{number}")
    nodes.append(helper.make_node("Add", ["end0", "end1"], ["out"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CHANNELS, size, size])
        for name in ("x", "out")
    ]
    arrays = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "merging", ends[:1], ends[1:], arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def _parallel(merged: bool, attrs: dict[str, list[int]]) -> Iterator[onnx.NodeProto]:
    if merged:
        yield from _conv_relu("y", "both", "z", **attrs)
        yield helper.make_node("Split", ["z"], ["z0", "z1"], axis=1, num_outputs=2)
        return
    for number in range(2):
        yield from _conv_relu("y", str(number), f"z{number}", **attrs)


def _conv_relu(source: str, weight: str, to: str, **attrs: list[int]) -> list[onnx.NodeProto]:
    conv = helper.make_node("Conv", [source, weight], [f"{to}.conv"], **attrs)
    return [conv, helper.make_node("Relu", [f"{to}.conv"], [to])]


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=15, show_default=True)
@click.option("--repeats", default=10, show_default=True)
def main(output: Path, threads: int, rounds: int, repeats: int) -> None:
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        for kernel, rate, size in GEOMETRIES:
            label = f"{kernel}x{kernel} rate {rate} on {CHANNELS}x{size}x{size}"
            image, row = Path(temporary) / "image.npy", {}
            np.save(image, _normal(np.random.default_rng(1), (1, CHANNELS, size, size)))
            for name, merged in (("separate", False), ("merged", True)):
                path = Path(temporary) / f"{name}.onnx"
                onnx.save(model(kernel, rate, size, merged), path)
                for runtime in (onnxruntime, openvino):
                    contender = Contender(runtime, path, image, threads)
                    row[f"{runtime.__name__} {name}"] = contender
            times = race(row, rounds, repeats)
            found[label] = {
                runtime: speedup(times[f"{runtime} separate"], times[f"{runtime} merged"])
                for runtime in ("onnxruntime", "openvino")
            }
            click.echo(f"{label}: {found[label]}")
    versions = {package: metadata.version(package) for package in PACKAGES}
    setting = {"threads": threads, "rounds": rounds, "repeats": repeats, "versions": versions}
    output.write_text(json.dumps({"setting": setting, "speedup": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Latency of a compiled network."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.devices import Device, latency_told
from auxnas.backends.measuring.timing import Latency, latency_of
from auxnas.backends.registry import backend
from auxnas.compiler import Graph, Program, Size
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params


def compiled_latency(
    graph: Graph,
    size: Size,
    threads: int | None = None,
    device: Device | None = None,
    cache: Path | None = None,
) -> Latency:
    """Seconds that onnxruntime takes for one image, after all inference passes.

    Args:
        graph: from an image to logits; its weights are made up, they do not matter.
        size: (height, width) of the image.
        threads: of the runtime within an operation here; None leaves it to the runtime.
        device: where it is measured, by its own command; None for here.
        cache: folder that keeps what a device measured; None for the usual one.

    Raises:
        BackendUnavailable: when onnxruntime is needed here and not installed.
        DeviceFailure: where the device gives no measurement.
    """
    opener: Any = backend("runner", "ort") if device is None else None
    exporter = backend("exporter", "onnx")()
    program, _ = run_passes(INFERENCE, Program(graph, random_params(graph, 0), "latency"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        exporter.export(program, path, ExportOptions(size=size), {})
        if device is not None:
            return latency_told(device.bench({path.name: path.read_bytes()}, cache=cache))
        return latency_of(opener(path, threads), noise_inputs(program, size, 0))

"""Latency of a compiled network."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.measuring.timing import Latency, latency_of
from auxnas.backends.registry import backend
from auxnas.compiler import Graph, Program, Size
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params


def compiled_latency(graph: Graph, size: Size, threads: int | None = None) -> Latency:
    """Seconds that onnxruntime takes for one image, after all inference passes.

    Args:
        graph: from an image to logits; its weights are made up, they do not matter.
        size: (height, width) of the image.
        threads: of the runtime within an operation; None leaves it to the runtime.

    Raises:
        BackendUnavailable: when onnxruntime is not installed.
    """
    runner, exporter = backend("runner", "ort"), backend("exporter", "onnx")()
    program, _ = run_passes(INFERENCE, Program(graph, random_params(graph, 0), "latency"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        exporter.export(program, path, ExportOptions(size=size), {})
        return latency_of(runner(path, threads), noise_inputs(program, size, 0))

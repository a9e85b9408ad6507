"""How long a network takes once it is compiled."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from auxnas.backends.base import Array, ExportOptions, Runner
from auxnas.backends.registry import backend
from auxnas.backends.verification import noise
from auxnas.compiler import Graph, Program, Size
from auxnas.compiler.passes import INFERENCE, run
from auxnas.compiler.weights import randomised

RUNS, WARM_UP = 20, 3


def median_seconds(runner: Runner, inputs: Mapping[str, Array]) -> float:
    """Median seconds of one call, after a warm-up."""
    times = []
    for _ in range(WARM_UP + RUNS):
        start = time.perf_counter()
        runner(inputs)
        times.append(time.perf_counter() - start)
    return median(times[WARM_UP:])


def compiled_latency(graph: Graph, size: Size, threads: int | None = None) -> float:
    """Seconds that onnxruntime takes for one image, after all inference passes.

    Args:
        graph: from an image to logits; its weights are made up, they do not matter.
        size: (height, width) of the image.
        threads: of the runtime within an operation; None leaves it to the runtime.

    Raises:
        BackendUnavailable: when onnxruntime is not installed.
    """
    runner, exporter = backend("runner", "ort"), backend("exporter", "onnx")()
    program, _ = run(INFERENCE, Program(graph, randomised(graph, 0), "latency"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        exporter.export(program, path, ExportOptions(size=size), {})
        return median_seconds(runner(path, threads), noise(program, size, 0))

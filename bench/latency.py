"""Latency of our artefacts against exporting the PyTorch module, side by side.

    python bench/latency.py --output latency.json

Every contender runs the same network with the same weights on the same image, fp32,
batch 1. Rounds alternate between all contenders, so that a slow spell of the machine
hits all of them; a contender's figure is the median over rounds of the median within a
round, and ratios are taken within rounds. Needs the extras torch, ort and bench.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import click
import numpy as np
import onnx
import onnxruntime as ort
import torch

from backends.base import ExportOptions
from backends.onnx import build
from backends.torch import build_module
from backends.verification import difference
from compiler import MAIN, ModelSpec, Program, Size, lower
from compiler.passes import INFERENCE, run
from compiler.weights import randomised
from genotype import zoo

Call = Callable[[], np.ndarray]
PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript", "onnxslim", "openvino", "numpy")


class Logits(torch.nn.Module):
    """The network as a person would have it in PyTorch: one tensor in, one out."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.network = build_module(program).eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of (N, 3, H, W)."""
        return self.network(image)[MAIN]


def ort_call(model: bytes, image: np.ndarray, threads: int) -> Call:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that go on spinning after a run would slow down whoever comes next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: image})[0]


def openvino_call(model: bytes, image: np.ndarray, threads: int) -> Call:
    import openvino as ov

    core = ov.Core()
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = core.compile_model(core.read_model(model, b""), "CPU", config)
    request = compiled.create_infer_request()
    return lambda: request.infer([image])[0]


def torch_call(module: torch.nn.Module, image: np.ndarray) -> Call:
    tensor = torch.from_numpy(image).to(memory_format=torch.channels_last)

    def call() -> np.ndarray:
        with torch.inference_mode():
            return module(tensor).numpy()

    return call


def exported(module: Logits, image: np.ndarray, dynamo: bool) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        path = Path(folder) / "m.onnx"
        inputs = (torch.from_numpy(image),)
        torch.onnx.export(module, inputs, str(path), dynamo=dynamo, verbose=False)
        return onnx.load(path).SerializeToString()


def contenders(program: Program, image: np.ndarray, threads: int) -> Iterator[tuple[str, Call]]:
    """(name, call) of everything that is compared; ours start with ``ours``."""
    import onnxslim

    size: Size = (image.shape[2], image.shape[3])
    optimised, _ = run(INFERENCE, program)
    ours = build(optimised, ExportOptions(size), {}).SerializeToString()
    yield "ours onnxruntime", ort_call(ours, image, threads)
    yield "ours openvino", openvino_call(ours, image, threads)
    module = Logits(program).to(memory_format=torch.channels_last)
    yield "torch eager", torch_call(module, image)
    yield "torch.compile", torch_call(torch.compile(module), image)
    for name, dynamo in (("exporter", True), ("legacy exporter", False)):
        model = exported(Logits(program), image, dynamo)
        slim = onnxslim.slim(onnx.load_from_string(model)).SerializeToString()
        yield f"{name}, onnxruntime", ort_call(model, image, threads)
        yield f"{name}, onnxslim, onnxruntime", ort_call(slim, image, threads)
        yield f"{name}, openvino", openvino_call(model, image, threads)


def ablations(program: Program, image: np.ndarray, threads: int) -> Iterator[tuple[str, Call]]:
    """Our file with each pass off in turn, and with all of them off."""
    options = ExportOptions((image.shape[2], image.shape[3]))
    names = [each.name for each in INFERENCE]
    for off in (*([name] for name in names), names):
        model = build(run(INFERENCE, program, off)[0], options, {}).SerializeToString()
        label = "all passes" if len(off) > 1 else off[0]
        yield f"without {label}", ort_call(model, image, threads)


def alternate(calls: dict[str, Call], rounds: int, repeats: int) -> dict[str, list[float]]:
    """Median milliseconds of every call in every round."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            time.sleep(0.03)
            call()
            times = [_timed(call) for _ in range(repeats)]
            if number:
                found[name].append(1e3 * statistics.median(times))
    return found


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def quartiles(values: list[float]) -> list[float]:
    return [round(q, 4) for q in statistics.quantiles(values, n=4)]


def measure(name: str, size: Size, threads: int, rounds: int, repeats: int) -> dict[str, object]:
    graph = lower(zoo.load(name).genotype, ModelSpec())
    program = Program(graph, randomised(graph, 0), name)
    image = np.random.default_rng(0).normal(size=(1, 3, *size)).astype(np.float32)
    calls = dict(contenders(program, image, threads))
    expected = calls["torch eager"]()
    errors = {key: difference(call(), expected).max_relative for key, call in calls.items()}
    times = alternate(calls, rounds, repeats)
    medians = {key: statistics.median(values) for key, values in times.items()}
    ours = min((k for k in medians if k.startswith("ours")), key=medians.__getitem__)
    rival = min((k for k in medians if not k.startswith("ours")), key=medians.__getitem__)
    ratios = [r / o for r, o in zip(times[rival], times[ours], strict=True)]
    base = {"all passes on": calls["ours onnxruntime"], **dict(ablations(program, image, threads))}
    slower = alternate(base, rounds, repeats)
    return {
        "milliseconds": {
            k: {"median": medians[k], "quartiles": quartiles(times[k])} for k in times
        },
        "max_relative_error_to_eager": errors,
        "best_of_ours": ours,
        "best_rival": rival,
        "speedup": {"median": statistics.median(ratios), "quartiles": quartiles(ratios)},
        "ablation": {
            k: {"median": statistics.median(v), "quartiles": quartiles(v)}
            for k, v in slower.items()
        },
    }


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--size", default=512, show_default=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=15, show_default=True)
@click.option("--repeats", default=5, show_default=True)
@click.option("--architectures", default="arch0,arch1,arch2", show_default=True)
def main(
    output: Path, size: int, threads: int, rounds: int, repeats: int, architectures: str
) -> None:
    torch.set_num_threads(threads)
    found = {}
    for name in architectures.split(","):
        found[name] = measure(name, (size, size), threads, rounds, repeats)
        row = found[name]
        click.echo(f"{name}: {row['best_of_ours']} against {row['best_rival']}: {row['speedup']}")
        torch._dynamo.reset()
    versions = {package: metadata.version(package) for package in PACKAGES}
    setting = {"size": size, "threads": threads, "rounds": rounds, "repeats": repeats}
    setting |= {"machine": platform.machine(), "cpus": os.cpu_count(), "versions": versions}
    output.write_text(json.dumps({"setting": setting, "architectures": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Latency of our artefacts against exporting the PyTorch module, side by side.

    python bench/latency.py --output latency.json

Every contender runs the same network with the same weights on the same image, fp32,
batch 1, in a process of its own; in every round all take their turns, so that a slow
spell of the machine hits all of them. A contender's figure is the median over rounds of
the median within a round; ratios are taken within rounds. The second race is ours
through onnxruntime with each pass off in turn. Needs the extras torch, ort, openvino
and bench.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import numpy as np
from contenders import Array, Call, Contender, race, speedup

from backends.base import ExportOptions
from backends.onnx import build
from backends.verification import difference
from compiler import MAIN, ModelSpec, Program, lower
from compiler.passes import INFERENCE, run
from compiler.weights import randomised
from genotype import zoo

PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript", "onnxslim", "openvino", "numpy")
Row = tuple[str, Contender]


def program_of(name: str) -> Program:
    """A published architecture with weights that depend on nothing but its name."""
    graph = lower(zoo.load(name).genotype, ModelSpec())
    return Program(graph, randomised(graph, 0), name)


def torch_module(name: str) -> Any:
    """The network as a person would have it in PyTorch: one tensor in, one out."""
    import torch

    from backends.torch import build_module

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = build_module(program_of(name)).eval()

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.network(image)[MAIN]

    return Logits()


# Contenders, opened in their own process -----------------------------------------------


def onnxruntime(path: Path, image: Array, threads: int) -> Call:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that go on spinning after a run would slow down whoever comes next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: image})[0]


def openvino(path: Path, image: Array, threads: int) -> Call:
    import openvino as ov

    core = ov.Core()
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    request = core.compile_model(core.read_model(path), "CPU", config).create_infer_request()
    return lambda: np.array(request.infer([image])[0])


def eager(path: Path, image: Array, threads: int) -> Call:
    return _torch_call(path.name, image, threads, compiled=False)


def torch_compile(path: Path, image: Array, threads: int) -> Call:
    return _torch_call(path.name, image, threads, compiled=True)


def _torch_call(name: str, image: Array, threads: int, compiled: bool) -> Call:
    import torch

    torch.set_num_threads(threads)
    module = torch_module(name).to(memory_format=torch.channels_last)
    module = torch.compile(module) if compiled else module
    tensor = torch.from_numpy(image).to(memory_format=torch.channels_last)

    def call() -> Array:
        with torch.inference_mode():
            return module(tensor).numpy()

    return call


# Who takes part ------------------------------------------------------------------------


def exported(name: str, image: Array, dynamo: bool, path: Path) -> Path:
    import onnx
    import torch

    with warnings.catch_warnings(action="ignore"):
        inputs = (torch.from_numpy(image),)
        torch.onnx.export(torch_module(name), inputs, str(path), dynamo=dynamo, verbose=False)
    onnx.save(onnx.load(path), path)  # weights inside
    return path


def slimmed(path: Path) -> Path:
    import onnx
    import onnxslim

    result = path.with_suffix(".slim.onnx")
    onnx.save(onnxslim.slim(onnx.load(path)), result)
    return result


def contenders(name: str, image: Path, folder: Path, threads: int) -> Iterator[Row]:
    """Everything that is compared; ours start with ``ours``."""
    ours = compiled(name, image, folder, ())
    yield "ours, onnxruntime", Contender(onnxruntime, ours, image, threads)
    yield "ours, openvino", Contender(openvino, ours, image, threads)
    yield "torch eager", Contender(eager, Path(name), image, threads)
    yield "torch.compile", Contender(torch_compile, Path(name), image, threads)
    for label, dynamo in (("exporter", True), ("legacy exporter", False)):
        path = exported(name, np.load(image), dynamo, folder / f"{name}-{label[:3]}.onnx")
        yield f"{label}, onnxruntime", Contender(onnxruntime, path, image, threads)
        yield (
            f"{label}, onnxslim, onnxruntime",
            Contender(onnxruntime, slimmed(path), image, threads),
        )
        yield f"{label}, openvino", Contender(openvino, path, image, threads)


def ablations(name: str, image: Path, folder: Path, threads: int) -> Iterator[Row]:
    """Our file with each pass off in turn, and with all of them off."""
    names = tuple(each.name for each in INFERENCE)
    for label, off in (
        ("all on", ()),
        *((f"without {pass_}", (pass_,)) for pass_ in names),
        ("all off", names),
    ):
        path = compiled(name, image, folder, off)
        yield label, Contender(onnxruntime, path, image, threads)


def compiled(name: str, image: Path, folder: Path, off: tuple[str, ...]) -> Path:
    """Our file, without some passes."""
    height, width = np.load(image).shape[2:]
    program, _ = run(INFERENCE, program_of(name), off)
    path = folder / f"{name}-ours-{len(off)}-{'-'.join(off[:1])}.onnx"
    path.write_bytes(build(program, ExportOptions((height, width)), {}).SerializeToString())
    return path


def measure(
    name: str, image: Path, folder: Path, threads: int, rounds: int, repeats: int
) -> dict[str, Any]:
    times = race(dict(contenders(name, image, folder, threads)), rounds, repeats)
    medians = {label: found.summary["median"] for label, found in times.items()}
    ours = min((k for k in medians if k.startswith("ours")), key=medians.__getitem__)
    rival = min((k for k in medians if not k.startswith("ours")), key=medians.__getitem__)
    expected = times["torch eager"].output
    passes = race(dict(ablations(name, image, folder, threads)), rounds, repeats)
    return {
        "milliseconds": {label: found.summary for label, found in times.items()},
        "max_relative_error_to_eager": {
            label: difference(found.output, expected).max_relative for label, found in times.items()
        },
        "best_of_ours": ours,
        "best_rival": rival,
        "speedup": speedup(times[rival], times[ours]),
        "ablation_milliseconds": {label: found.summary for label, found in passes.items()},
        "ablation_speedup": {
            label: speedup(found, passes["all on"])
            for label, found in passes.items()
            if label != "all on"
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
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image = folder / "image.npy"
        rng = np.random.default_rng(0)
        np.save(image, rng.normal(size=(1, 3, size, size)).astype(np.float32))
        for name in architectures.split(","):
            row = found[name] = measure(name, image, folder, threads, rounds, repeats)
            ours, rival = row["best_of_ours"], row["best_rival"]
            click.echo(f"{name}: {ours} against {rival}: {row['speedup']}")
    versions = {package: metadata.version(package) for package in PACKAGES}
    setting = {"size": size, "threads": threads, "rounds": rounds, "repeats": repeats}
    setting |= {"machine": platform.machine(), "cpus": os.cpu_count(), "versions": versions}
    output.write_text(json.dumps({"setting": setting, "architectures": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()

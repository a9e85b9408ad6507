"""The ways to run a network that benchmarks compare, each as a contender.

A network is a published name, with weights that depend on nothing but the name, or what
nassearch trained: a weights file, or the folder of a training or a run.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from contenders import Array, Call, Contender

from auxnas.compiler import MAIN, ModelSpec, Program, lower
from auxnas.compiler.weights import random_params
from auxnas.genotype import zoo
from auxnas.search.networks.networks import read_network

PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript", "onnxslim", "openvino", "numpy")
DEFAULTS = "openvino defaults"
"""End of the names of contenders that are not all fp32."""
Row = tuple[str, Contender]


def program_of(source: str) -> tuple[Program, ModelSpec]:
    """The network as described, and what is around its genotype."""
    if source in zoo.NAMES:
        spec = ModelSpec()
        graph = lower(zoo.load_published(source).genotype, spec)
        return Program(graph, random_params(graph, 0), source), spec
    trained = read_network(Path(source))
    return trained.program, trained.network.spec


def torch_module(source: str) -> Any:
    """The network as a person would have it in PyTorch: one tensor in, one out."""
    import torch

    from auxnas.backends.torch import build_module

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = build_module(program_of(source)[0]).eval()

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
    return _openvino_call(path, image, threads, {"INFERENCE_PRECISION_HINT": "f32"})


def openvino_defaults(path: Path, image: Array, threads: int) -> Call:
    """In the precision of OpenVINO's own choice: bfloat16 where the processor has it."""
    return _openvino_call(path, image, threads, {})


def _openvino_call(path: Path, image: Array, threads: int, config: dict[str, Any]) -> Call:
    import openvino as ov

    core = ov.Core()
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, **config}
    request = core.compile_model(core.read_model(path), "CPU", config).create_infer_request()
    return lambda: np.array(request.infer([image])[0])


def eager(path: Path, image: Array, threads: int) -> Call:
    return _torch_call(str(path), image, threads, compiled=False)


def torch_compile(path: Path, image: Array, threads: int) -> Call:
    return _torch_call(str(path), image, threads, compiled=True)


def _torch_call(source: str, image: Array, threads: int, compiled: bool) -> Call:
    import torch

    torch.set_num_threads(threads)
    module = torch_module(source).to(memory_format=torch.channels_last)
    module = torch.compile(module) if compiled else module
    tensor = torch.from_numpy(image).to(memory_format=torch.channels_last)

    def call() -> Array:
        with torch.inference_mode():
            return module(tensor).numpy()

    return call


# What a person has without us ---------------------------------------------------------


def exported(module: Any, image: Array, dynamo: bool, path: Path) -> Path:
    """A module of torch as ONNX, by one of torch's two exporters."""
    import onnx
    import torch

    with warnings.catch_warnings(action="ignore"):
        inputs = (torch.from_numpy(image),)
        torch.onnx.export(module, inputs, str(path), dynamo=dynamo, verbose=False)
    onnx.save(onnx.load(path), path)  # weights inside
    return path


def slimmed(path: Path) -> Path:
    import onnx
    import onnxslim

    result = path.with_suffix(".slim.onnx")
    onnx.save(onnxslim.slim(onnx.load(path)), result)
    return result


def rivals(source: str, image: Path, folder: Path, threads: int) -> Iterator[Row]:
    """What a person has without us: fp32, and with the defaults of OpenVINO."""
    yield "torch eager", Contender(eager, Path(source), image, threads)
    yield "torch.compile", Contender(torch_compile, Path(source), image, threads)
    for label, dynamo in (("exporter", True), ("legacy exporter", False)):
        path = exported(torch_module(source), np.load(image), dynamo, folder / f"{label[:3]}.onnx")
        yield f"{label}, onnxruntime", Contender(onnxruntime, path, image, threads)
        slim = Contender(onnxruntime, slimmed(path), image, threads)
        yield f"{label}, onnxslim, onnxruntime", slim
        yield f"{label}, openvino", Contender(openvino, path, image, threads)
        usual = Contender(openvino_defaults, path, image, threads)
        yield f"{label}, {DEFAULTS}", usual


def nncf_quantised(source: str, images: Sequence[Array], path: Path) -> Path:
    """The exporter's file in int8 by nncf with its own defaults, calibrated on ``images``."""
    import nncf
    import openvino as ov

    made = exported(torch_module(source), images[0], True, path.with_suffix(".onnx"))
    model = ov.Core().read_model(made)
    ov.save_model(nncf.quantize(model, nncf.Dataset(images)), path, compress_to_fp16=False)
    return path

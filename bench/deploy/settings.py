"""What runtimes' settings do to the time of our files: one changed at a time, side by side.

    python bench/deploy/settings.py --images DIR --output settings.json

Every published network as float32 and as int8, through onnxruntime and OpenVINO, first as
``nasrun`` opens it (``as run``), then with one setting changed. Ratios are taken within rounds:
above 1 the change is faster. Weights are random. Needs the extras ort, openvino and torch.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from contenders import Array, Call, Contender, add_to, race, speedup
from rivals import Row, program_of

from auxnas.backends.base import ExportOptions
from auxnas.backends.images import network_input, read_photograph
from auxnas.backends.int8 import Int8Options, NetworkEnds, Photographs, find_photographs
from auxnas.backends.int8.artefact import quantise
from auxnas.backends.measuring.machine import instruction_sets
from auxnas.backends.onnx.build import build
from auxnas.compiler import Size
from auxnas.compiler.interface import Interface
from auxnas.compiler.passes import INFERENCE, run_passes

AS_RUN = "as run"
OPENVINO: dict[str, dict[str, Any]] = {
    AS_RUN: {},
    "float32 between": {"INFERENCE_PRECISION_HINT": "f32"},
    "bfloat16 between": {"INFERENCE_PRECISION_HINT": "bf16"},
    "float16 between": {"INFERENCE_PRECISION_HINT": "f16"},
    "one thread": {"INFERENCE_NUM_THREADS": 1},
    "threads pinned": {"ENABLE_CPU_PINNING": True},
    "threads not pinned": {"ENABLE_CPU_PINNING": False},
    "no hyper-threading": {"ENABLE_HYPER_THREADING": False},
    "denormals as zero": {"CPU_DENORMALS_OPTIMIZATION": True},
    "no hint": {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": "1"},
}
ORT: dict[str, dict[str, str]] = {
    AS_RUN: {},
    "weights not prepacked": {"session.disable_prepacking": "1"},
    "threads that do not spin": {"session.intra_op.allow_spinning": "0"},
    "denormals as zero": {"session.set_denormal_as_zero": "1"},
}
SESSION: dict[str, dict[str, Any]] = {
    "one thread": {"intra_op_num_threads": 1},
    "two branches at a time": {"execution_mode": 1, "inter_op_num_threads": 2},
    "blocked layout off": {"graph_optimization_level": "ORT_ENABLE_EXTENDED"},
    "optimisation off": {"graph_optimization_level": "ORT_DISABLE_ALL"},
    "no memory pattern": {"enable_mem_pattern": False},
    "no arena": {"enable_cpu_mem_arena": False},
}


def openvino(path: Path, image: Array, threads: int, *, config: dict[str, Any]) -> Call:
    import openvino as ov

    usual = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    core = ov.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", usual | config)
    request = compiled.create_infer_request()
    return lambda: np.array(request.infer([image])[0])


def onnxruntime(
    path: Path, image: Array, threads: int, *, entries: dict[str, str], options: dict[str, Any]
) -> Call:
    import onnxruntime as ort

    found = ort.SessionOptions()
    for name, value in {"intra_op_num_threads": threads, **options}.items():
        if name == "graph_optimization_level":
            value = getattr(ort.GraphOptimizationLevel, value)
        elif name == "execution_mode":
            value = ort.ExecutionMode(value)
        setattr(found, name, value)
    # Threads that go on spinning after a run would slow down whoever comes next.
    for name, text in {"session.force_spinning_stop": "1", **entries}.items():
        found.add_session_config_entry(name, text)
    session = ort.InferenceSession(str(path), found, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: image})[0]


def rows(path: Path, image: Path, threads: int, precision: str) -> Iterator[Row]:
    """One file with every setting. OpenVINO computes as by default for int8, else in float32."""
    kept = {} if precision == "int8" else {"INFERENCE_PRECISION_HINT": "f32"}
    for name, config in OPENVINO.items():
        call = partial(openvino, config=kept | config)
        yield f"openvino, {name}", Contender(call, path, image, threads)
    for name, entries in ORT.items():
        call = partial(onnxruntime, entries=entries, options={})
        yield f"onnxruntime, {name}", Contender(call, path, image, threads)
    for name, options in SESSION.items():
        call = partial(onnxruntime, entries={}, options=options)
        yield f"onnxruntime, {name}", Contender(call, path, image, threads)


def measure(name: str, size: Size, shown: Photographs, threads: int, rounds: int) -> dict[str, Any]:
    """Ratios to the file as it is run, by precision, runtime and setting."""
    program, spec = program_of(name)
    fp32 = build(run_passes(INFERENCE, program)[0], ExportOptions(size), {})
    wish = Int8Options(shown, forced=True, timer=lambda runners, feed: {})
    int8 = quantise(fp32, wish, NetworkEnds(size, Interface(), spec.classes)).model
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image = folder / "image.npy"
        photograph = read_photograph(shown.held_out[0])
        np.save(image, network_input(photograph, size, Interface())["image"])
        for precision, model in (("int8", int8), ("fp32", fp32)):
            path = folder / f"{precision}.onnx"
            onnx.save(model, path)
            times = race(dict(rows(path, image, threads, precision)), rounds, repeats=3)
            found[precision] = {
                label: {
                    "milliseconds": each.summary["median"],
                    "speedup": speedup(times[f"{label.partition(',')[0]}, {AS_RUN}"], each),
                }
                for label, each in times.items()
            }
    return found


@click.command()
@click.option("--images", required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--networks", default="arch0,arch1,arch2", show_default=True)
@click.option("--size", default=512, show_default=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=9, show_default=True)
def main(images: str, output: Path, networks: str, size: int, threads: int, rounds: int) -> None:
    shown = find_photographs(images, None)
    found = {}
    for name in networks.split(","):
        found[name] = measure(name, (size, size), shown, threads, rounds)
        for precision, each in found[name].items():
            for label, row in each.items():
                ratio = row["speedup"]["median"]
                click.echo(f"{name} {precision} {label}: {row['milliseconds']:.1f} ms, {ratio}")
    setting = {
        "size": size,
        "threads": threads,
        "rounds": rounds,
        "cpus": os.cpu_count(),
        "instructions": instruction_sets(),
    }
    add_to(output, setting, "networks", found)


if __name__ == "__main__":
    main()

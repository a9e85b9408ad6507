"""Latency of our artefacts against exporting the PyTorch module, side by side.

    python bench/deploy/latency.py --output latency.json

Every contender runs the same network with the same weights on the same image, batch 1, in
fp32 or, where its name says so, as OpenVINO runs it by default (bfloat16 where the processor has
it), in a process of its own; in every round all take their turns, so that a slow
spell of the machine hits all of them. A contender's figure is the median over rounds of
the median within a round; ratios are taken within rounds. The second race is ours
through onnxruntime with each pass off in turn. What an earlier call with the same setting found of
other architectures stays in the file. Needs the extras torch, ort, openvino
and bench.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import numpy as np
from contenders import Contender, Times, add_to, race, speedup
from rivals import (
    DEFAULTS,
    PACKAGES,
    Row,
    onnxruntime,
    openvino,
    openvino_defaults,
    program_of,
    rivals,
)

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import output_difference
from auxnas.backends.measuring.machine import instruction_sets
from auxnas.backends.onnx.build import build
from auxnas.compiler import Size
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.options import SizeType


def contenders(name: str, image: Path, folder: Path, threads: int) -> Iterator[Row]:
    """Everything that is compared; ours start with ``ours``."""
    ours = compiled(name, image, folder, ())
    yield "ours, onnxruntime", Contender(onnxruntime, ours, image, threads)
    yield "ours, openvino", Contender(openvino, ours, image, threads)
    yield f"ours, {DEFAULTS}", Contender(openvino_defaults, ours, image, threads)
    yield from rivals(name, image, folder, threads)


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
    program, _ = run_passes(INFERENCE, program_of(name)[0], off)
    path = folder / f"{name}-ours-{len(off)}-{'-'.join(off[:1])}.onnx"
    path.write_bytes(build(program, ExportOptions((height, width)), {}).SerializeToString())
    return path


def measure(
    name: str, image: Path, folder: Path, threads: int, rounds: int, repeats: int
) -> dict[str, Any]:
    times = race(dict(contenders(name, image, folder, threads)), rounds, repeats)
    fp32 = {label: found for label, found in times.items() if not label.endswith(DEFAULTS)}
    expected = times["torch eager"].output
    passes = race(dict(ablations(name, image, folder, threads)), rounds, repeats)
    return {
        "milliseconds": {label: found.summary for label, found in times.items()},
        "max_relative_error_to_eager": {
            label: output_difference(found.output, expected).max_relative
            for label, found in times.items()
        },
        "labels_changed_from_eager": {
            label: float((found.output.argmax(1) != expected.argmax(1)).mean())
            for label, found in times.items()
        },
        **best(fp32),
        "with_defaults": best(times),
        "ablation_milliseconds": {label: found.summary for label, found in passes.items()},
        "ablation_speedup": {
            label: speedup(found, passes["all on"])
            for label, found in passes.items()
            if label != "all on"
        },
    }


def best(times: Mapping[str, Times]) -> dict[str, Any]:
    """The fastest of ours against the fastest of the others."""
    medians = {label: found.summary["median"] for label, found in times.items()}
    ours = min((k for k in medians if k.startswith("ours")), key=medians.__getitem__)
    rival = min((k for k in medians if not k.startswith("ours")), key=medians.__getitem__)
    fastest = {"best_of_ours": ours, "best_rival": rival}
    return fastest | {"speedup": speedup(times[rival], times[ours])}


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--size", type=SizeType(), default="512x512", show_default=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=15, show_default=True)
@click.option("--repeats", default=5, show_default=True)
@click.option("--architectures", default="arch0,arch1,arch2", show_default=True)
def main(
    output: Path, size: Size, threads: int, rounds: int, repeats: int, architectures: str
) -> None:
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image = folder / "image.npy"
        rng = np.random.default_rng(0)
        np.save(image, rng.normal(size=(1, 3, *size)).astype(np.float32))
        for name in architectures.split(","):
            row = found[name] = measure(name, image, folder, threads, rounds, repeats)
            for each in (row, row["with_defaults"]):
                ours, rival = each["best_of_ours"], each["best_rival"]
                click.echo(f"{name}: {ours} against {rival}: {each['speedup']}")
    versions = {package: metadata.version(package) for package in PACKAGES}
    setting = {"size": list(size), "threads": threads, "rounds": rounds, "repeats": repeats}
    setting |= {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "instructions": instruction_sets(),
        "versions": versions,
    }
    add_to(output, setting, "architectures", found)


if __name__ == "__main__":
    main()

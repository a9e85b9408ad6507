"""int8 against the best fp32 of all: time side by side, and labels changed on photographs.

    python bench/deploy/int8.py arch0 runs/street --images DIR --output int8.json

A network is a weights file as nassearch writes it, the folder of a training or a run, which has
one, or a published name: its weights are random then, so that the time stands and the labels mean
nothing. Ranges are found on three quarters of the photographs, labels compared on the others. All
contenders run as in ``latency.py``: ours and the exporters' files through onnxruntime and
OpenVINO, PyTorch eager and compiled, each in a process of its own, in turns; OpenVINO with its
own defaults too. Where nncf is installed its int8 is one of them, made of the exporter's file
with the same photographs. What an earlier call with the same setting found of other networks stays
in the file. Needs the extras torch, ort, openvino and bench.
"""

from __future__ import annotations

import os
import platform
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from contenders import Contender, Times, add_to, race, speedup
from rivals import (
    DEFAULTS,
    PACKAGES,
    Row,
    nncf_quantised,
    onnxruntime,
    openvino,
    openvino_defaults,
    program_of,
    rivals,
)

from auxnas.backends.base import ExportOptions
from auxnas.backends.images import network_input, read_photograph
from auxnas.backends.int8 import Int8Options, NetworkEnds, Photographs, find_photographs
from auxnas.backends.int8.artefact import quantise
from auxnas.backends.int8.result import QuantisationResult
from auxnas.backends.measuring.machine import instruction_sets
from auxnas.backends.onnx.build import build
from auxnas.compiler import Size
from auxnas.compiler.interface import Interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.genotype import zoo
from auxnas.options import SizeType

GOAL = 1.5
"""Times as fast as the best of the others that is not int8."""
NNCF = "nncf int8"


def ours(model: onnx.ModelProto, label: str, path: Path, image: Path, threads: int) -> list[Row]:
    """Our model through both runtimes."""
    onnx.save(model, path)
    return [
        (f"{label}, onnxruntime", Contender(onnxruntime, path, image, threads)),
        (f"{label}, openvino", Contender(openvino, path, image, threads)),
        (f"{label}, {DEFAULTS}", Contender(openvino_defaults, path, image, threads)),
    ]


def measure(
    source: str, size: Size, photographs: Photographs, max_drop: float, threads: int, rounds: int
) -> dict[str, Any]:
    program, spec = program_of(source)
    model = build(run_passes(INFERENCE, program)[0], ExportOptions(size), {})
    wish = Int8Options(photographs, max_drop, forced=True, timer=lambda runners, feed: {})
    found = quantise(model, wish, NetworkEnds(size, Interface(), spec.classes))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image = folder / "image.npy"
        np.save(
            image,
            network_input(read_photograph(photographs.held_out[0]), size, Interface())["image"],
        )
        rows = ours(found.model, "int8", folder / "int8.onnx", image, threads)
        rows += ours(model, "fp32", folder / "fp32.onnx", image, threads)
        rows += rivals(source, image, folder, threads)
        rows += nncf_rows(source, size, photographs, image, folder, threads)
        times = race(dict(rows), rounds, repeats=5)
    weights = "random" if source in zoo.NAMES else "trained"
    return {"weights": weights, **speeds(times), **labels_of(found)}


def nncf_rows(
    source: str, size: Size, photographs: Photographs, image: Path, folder: Path, threads: int
) -> list[Row]:
    """The int8 of nncf through OpenVINO; none where it is not installed."""
    if find_spec("nncf") is None:
        return []
    shown = [
        network_input(read_photograph(each), size, Interface())["image"]
        for each in photographs.calibration
    ]
    path = nncf_quantised(source, shown, folder / "nncf.xml")
    return [(f"{NNCF}, {DEFAULTS}", Contender(openvino_defaults, path, image, threads))]


def speeds(times: dict[str, Times]) -> dict[str, Any]:
    """The faster of ours against the fastest of the others."""

    def best(*kinds: str) -> str:
        some = [label for label in times if label.partition(",")[0] in kinds]
        return min(some, key=lambda label: times[label].summary["median"])

    others = {label.partition(",")[0] for label in times} - {"int8", "fp32", NNCF}
    eager, quantised = "torch eager", any(label.startswith(NNCF) for label in times)
    fast, own, rival = best("int8"), best("fp32"), best(*others)
    return {
        "best_int8": fast,
        "best_rival": rival,
        "speedup_over_best_rival": speedup(times[rival], times[fast]),
        **({"speedup_over_nncf": speedup(times[best(NNCF)], times[fast])} if quantised else {}),
        "labels_changed_in_one_image": {
            label: float((each.output.argmax(1) != times[eager].output.argmax(1)).mean())
            for label, each in times.items()
        },
        "speedup_over_our_fp32": speedup(times[own], times[fast]),
        "goal": GOAL,
        "milliseconds": {label: each.summary for label, each in times.items()},
    }


def labels_of(found: QuantisationResult) -> dict[str, Any]:
    """What int8 does to labels, and what it is made of."""
    kept = ("label_agreement", "miou", "layers", "layers_in_float", "calibration", "bytes")
    facts = found.to_dict()
    return {"labels_changed": found.drop, **{key: facts[key] for key in kept}}


@click.command()
@click.argument("networks", nargs=-1, required=True)
@click.option("--images", required=True)
@click.option("--labels", help="Label images at the same places, for mIoU.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--max-drop", default=0.01, show_default=True)
@click.option("--size", type=SizeType(), default="512x512", show_default=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=15, show_default=True)
def main(
    networks: tuple[str, ...],
    images: str,
    labels: str | None,
    output: Path,
    max_drop: float,
    size: Size,
    threads: int,
    rounds: int,
) -> None:
    photographs = find_photographs(images, labels)
    found = {}
    for source in networks:
        row = found[source] = measure(source, size, photographs, max_drop, threads, rounds)
        rival, times = row["best_rival"], row["speedup_over_best_rival"]["median"]
        changed = f"{row['labels_changed']:.2%} of labels changed"
        click.echo(f"{source}: {row['best_int8']}, {times} times as fast as {rival}, {changed}")
    setting = {
        "size": list(size),
        "threads": threads,
        "rounds": rounds,
        "max_drop": max_drop,
        "photographs": {"calibration": len(photographs.calibration)}
        | {"held_out": len(photographs.held_out)},
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "instructions": instruction_sets(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
    }
    add_to(output, setting, "networks", found)


if __name__ == "__main__":
    main()

"""Networks in the runtimes of phones against the same in onnxruntime, side by side.

    python bench/deploy/phones.py --output phones.json

Latency, size and error of the published networks at fp32 and fp16, in turns as in
``latency.py``; then random networks of the paper's space, written and run in each format
and compared with the float64 reference. Needs the extras ort, ncnn and litert.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import numpy as np
from contenders import Array, Call, Contender, Times, race, speedup
from rivals import program_of

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.registry import backend
from auxnas.backends.targets import artefact_size, atomic_write_set, target_of
from auxnas.compiler import MAIN, ModelSpec, Program, lower
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params
from auxnas.genotype import SearchSpace

FORMS = (("ncnn", "fp32"), ("ncnn", "fp16"), ("litert", "fp32"), ("litert", "fp16"))
BASE = ("onnx", "fp32")
PACKAGES = ("onnxruntime", "ncnn", "ai-edge-litert", "numpy")
SMALL = ModelSpec(classes=3, agg_size=8, sep_repeats=2, auxiliary="none", width=0.25)


def opened(path: Path, image: Array, threads: int) -> Call:
    """The artefact by our runner."""
    runner = backend("runner", target_of(_target(path)).runner)(path, threads)
    return lambda: runner({"image": image})[MAIN]


def _target(path: Path) -> str:
    """Name of the target, which is the folder's."""
    return path.parent.name


def written(program: Program, target: str, options: ExportOptions, folder: Path) -> Path:
    """The artefact in a folder of its own."""
    suffix = target_of(target).suffix
    path = folder / options.precision / target / f"net{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write_set(path, target) as temporary:
        target_of(target).export(program, temporary, options, {})
    return path


def published(name: str, folder: Path, size: int, threads: int, rounds: int) -> dict[str, Any]:
    program, _ = run_passes(INFERENCE, program_of(name)[0])
    image = folder / "image.npy"
    np.save(image, noise_inputs(program, (size, size), 0, 1)["image"])
    paths = {
        (target, precision): written(
            program, target, ExportOptions((size, size), 1, precision), folder
        )
        for target, precision in (BASE, *FORMS)
    }
    contenders = {
        " ".join(form): Contender(opened, path, image, threads) for form, path in paths.items()
    }
    times = race(contenders, rounds, repeats=3)
    base = times[" ".join(BASE)]
    return {
        " ".join(form): row(times[" ".join(form)], base, artefact_size(path, form[0]))
        for form, path in paths.items()
    }


def row(found: Times, base: Times, size: int) -> dict[str, Any]:
    """Time, size, and difference to onnxruntime's fp32."""
    error = np.abs(found.output - base.output).max() / np.abs(base.output).max()
    return {
        "milliseconds": found.summary,
        "times_as_fast_as_onnxruntime": speedup(base, found),
        "bytes": size,
        "max_relative_error_to_onnxruntime": float(error),
    }


def fuzz(count: int, folder: Path) -> dict[str, Any]:
    """Largest errors of random networks against the float64 reference, by form."""
    space, rng = SearchSpace.cvpr2019(), random.Random(0)
    errors: dict[str, list[float]] = {" ".join(form): [] for form in FORMS}
    for number in range(count):
        genotype = space.genotype(tuple(rng.randrange(token.size) for token in space.layout))
        graph = lower(genotype, SMALL)
        described = Program(graph, random_params(graph, number), str(number))
        program, _ = run_passes(INFERENCE, described)
        size = (rng.randrange(33, 97), rng.randrange(33, 97))
        inputs = noise_inputs(program, size, number, 1)
        truth = backend("runner", "reference")(described)(inputs)[MAIN]
        for target, precision in FORMS:
            path = written(program, target, ExportOptions(size, 1, precision), folder)
            found = opened(path, inputs["image"], 1)()
            scale = max(float(np.abs(truth).max()), 1e-30)
            errors[f"{target} {precision}"].append(float(np.abs(found - truth).max()) / scale)
    return {form: {"networks": count, "largest_error": max(all_)} for form, all_ in errors.items()}


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--size", default=256, show_default=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=7, show_default=True)
@click.option("--networks", default=20, show_default=True, help="Random ones.")
@click.option("--architectures", default="arch0,arch1,arch2", show_default=True)
def main(
    output: Path, size: int, threads: int, rounds: int, networks: int, architectures: str
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = {
            name: published(name, folder, size, threads, rounds)
            for name in architectures.split(",")
        }
        random_ones = fuzz(networks, folder)
    versions = {package: metadata.version(package) for package in PACKAGES}
    setting = {"size": size, "threads": threads, "rounds": rounds, "versions": versions}
    document = {"setting": setting, "architectures": found, "random": random_ones}
    output.write_text(json.dumps(document, indent=2) + "\n")
    for name, rows in found.items():
        for form, each in rows.items():
            ratio = each["times_as_fast_as_onnxruntime"]["median"]
            click.echo(f"{name} {form}: {ratio} times onnxruntime, {each['bytes'] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

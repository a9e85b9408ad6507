"""The artefact of ``--precision auto`` against what a person has without us, side by side.

    python bench/deploy/auto.py trained/arch0 --images DIR --size 192x256 --output auto.json

A network is the folder of a training, or a published name (random weights). It is compiled by
``nascompile --target auto --precision auto``, then runs as ``nasrun`` opens it, in turns with the
exporters' files through onnxruntime and OpenVINO with their defaults. Needs the extras torch, ort,
openvino and bench.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from contenders import Array, Call, Contender, race, speedup
from rivals import rivals

from auxnas.backends.images import find_images, network_input, read_photograph
from auxnas.backends.measuring.machine import instruction_sets
from auxnas.backends.runtimes.openvino import OpenvinoRunner
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.compiler import MAIN, Size
from auxnas.compiler.interface import Interface
from auxnas.genotype import zoo
from auxnas.options import SizeType


def artefact(path: Path, image: Array, threads: int) -> Call:
    """An artefact of ours as ``nasrun`` opens it."""
    runner = (OpenvinoRunner if path.suffix == ".xml" else OrtRunner)(path, threads)
    return lambda: runner({"image": image})[MAIN]


def compiled(source: str, images: str, size: Size, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The artefact, and nascompile's report."""
    named = [source]
    if source not in zoo.NAMES:
        trained = Path(source)
        named = [str(trained / "genotype.json"), "--weights", str(trained / "model.safetensors")]
    command = ["nascompile", *named, "--target", "auto", "--precision", "auto", "--images", images]
    command += ["--input-size", f"{size[0]}x{size[1]}", "--output", str(folder / "auto.onnx")]
    found = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    return next(p for p in folder.glob("auto.*") if p.suffix != ".bin"), json.loads(found.stdout)


@click.command()
@click.argument("network")
@click.option("--images", required=True)
@click.option("--size", type=SizeType(), default="512x512", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--rounds", default=41, show_default=True)
def main(network: str, images: str, size: Size, output: Path, threads: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path, report = compiled(network, images, size, folder)
        image = folder / "image.npy"
        photograph = read_photograph(find_images(images, 1)[0])
        np.save(image, network_input(photograph, size, Interface())["image"])
        rows = {"auto": Contender(artefact, path, image, threads)}
        rows |= {k: v for k, v in rivals(network, image, folder, threads) if "torch" not in k}
        times = race(rows, rounds, repeats=5)
    ratios = {label: speedup(found, times["auto"]) for label, found in times.items()}
    for label, ratio in ratios.items():
        click.echo(f"auto ({path.suffix}) is {ratio['median']} times as fast as {label}")
    setting = {
        "size": list(size),
        "threads": threads,
        "rounds": rounds,
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "instructions": instruction_sets(),
    }
    found = {
        "setting": setting,
        "forms": report["forms"],
        "milliseconds": {label: each.summary for label, each in times.items()},
        "speedup": ratios,
    }
    output.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

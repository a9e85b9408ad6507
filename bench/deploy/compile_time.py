"""Whole processes: ``nascompile`` against building the module and ``torch.onnx.export``.

    python bench/deploy/compile_time.py --output compile_time.json

Each contender is a fresh interpreter, timed from start to exit, alternating.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

EXPORT = """
import torch, warnings
warnings.simplefilter("ignore")
from auxnas.backends.torch import build_module
from auxnas.compiler import ModelSpec, Program, lower
from auxnas.compiler.weights import random_params
from auxnas.genotype import zoo
graph = lower(zoo.load_published("arch0").genotype, ModelSpec())
module = build_module(Program(graph, random_params(graph, 0))).eval()
image = torch.zeros(1, 3, 512, 512)
torch.onnx.export(module, (image,), "rival.onnx", dynamo={dynamo}, verbose=False)
"""


def contenders() -> dict[str, list[str]]:
    nascompile = str(Path(sys.executable).with_name("nascompile"))
    return {
        "nascompile": [nascompile, "arch0", "--target", "onnx", "--no-verify"],
        "torch.onnx.export": [sys.executable, "-c", EXPORT.format(dynamo=True)],
        "torch.onnx.export legacy": [sys.executable, "-c", EXPORT.format(dynamo=False)],
    }


def seconds(command: list[str], folder: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--rounds", default=5, show_default=True)
def main(output: Path, rounds: int) -> None:
    commands = contenders()
    times: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name, command in commands.items():
                value = seconds(command, folder)
                if number:
                    times[name].append(value)
    found = {
        name: {"median": statistics.median(v), "least": min(v), "most": max(v)}
        for name, v in times.items()
    }
    for name, row in found.items():
        click.echo(f"{name}: {row['median']:.2f} s ({row['least']:.2f} to {row['most']:.2f})")
    setting = {"rounds": rounds, "cpus": os.cpu_count(), "python": sys.version.split()[0]}
    output.write_text(json.dumps({"setting": setting, "seconds": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()

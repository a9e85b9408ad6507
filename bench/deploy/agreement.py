"""Does the artefact that ships predict what the trained network predicts?

    python bench/deploy/agreement.py runs/camvid list:DATA --output agreement.json

Compiles a run's best network as a user would and compares its labels with the torch
module's on the validation part of the data, pixel by pixel, at the run's size.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from auxnas.backends import Request, backend, compile_artefact, read_weights
from auxnas.backends.base import ExportOptions
from auxnas.backends.images import normalise
from auxnas.compiler import ModelSpec, Program, lower
from auxnas.compiler.tasks import Segmentation
from auxnas.genotype import read
from auxnas.search.data import open_dataset


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("data")
@click.option("--part", default="val", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(folder: Path, data: str, part: str, output: Path) -> None:
    document = read(folder / "best.json")
    spec = ModelSpec.from_dict(document.extra["model"])
    height, width = document.extra["size"]
    weights = read_weights(str(folder / "best.safetensors"), document.genotype)
    artefact = folder / "best.onnx"
    options = ExportOptions((height, width))
    report = compile_artefact(Request(document.genotype, spec, artefact, weights, options=options))
    graph = lower(document.genotype, spec)
    trained = backend("runner", "torch")(Program(graph, weights.of(graph)))
    shipped = backend("runner", "ort")(artefact)
    dataset = open_dataset(data, classes=spec.classes, size=(height, width), part=part)
    same = total = 0
    counts = np.zeros((spec.classes, spec.classes), np.int64)
    for index in range(len(dataset)):
        inputs = {"image": normalise(dataset.image(index)[None])}
        found, expected = (run(inputs)["main"].argmax(1) for run in (shipped, trained))
        same, total = same + int((found == expected).sum()), total + found.size
        label = dataset.label(index)
        rows = np.arange(height) * found.shape[1] // height
        columns = np.arange(width) * found.shape[2] // width
        guess = found[0][np.ix_(rows, columns)]
        known = label < spec.classes
        np.add.at(counts, (label[known], guess[known]), 1)
    score = Segmentation(dataset.classes).score({"confusion": counts})
    result = {
        "images": len(dataset),
        "pixels": total,
        "agreement": same / total,
        "miou_nearest": score.metrics["miou"],
        "max_relative_error": report.check.difference.max_relative,
        "latency_ms": 1e3 * report.check.latency,
    }
    output.write_text(json.dumps(result, indent=2) + "\n")
    click.echo(json.dumps(result))


if __name__ == "__main__":
    main()

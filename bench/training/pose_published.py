"""Do the metrics of pose give published files the scores that they were published with?

    python bench/training/pose_published.py DATA --output bench/results/pose-published.json

PCKh of predictions on MPII's validation set (``mpii/predictions/*.mat`` against
``mpii/annot/gt_valid.mat``; published tables call PCKh@0.11 Mean@0.1), and COCO's average precision
of results (``coco/results/*.json`` against ``coco/annotations``). No network is run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from auxnas.search.data.pose.annotations import read_annotations
from auxnas.search.data.pose.precision import average_precision
from auxnas.search.data.pose.predictions import predictions_table


def pckh_tables(folder: Path) -> dict[str, dict[str, float]]:
    """Percentages of each file of predictions."""
    truth = folder / "annot" / "gt_valid.mat"
    files = sorted((folder / "predictions").glob("*.mat"))
    return {path.stem: _rounded(predictions_table(path, truth)) for path in files}


def precisions(folder: Path) -> dict[str, dict[str, float]]:
    """Average precision of each file of results."""
    known = read_annotations(folder / "annotations" / "person_keypoints_val2017.json")
    files = sorted((folder / "results").glob("*.json"))
    texts = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    return {name: _rounded(average_precision(known, rows)) for name, rows in texts.items()}


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in figures.items()}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path))
def main(folder: Path, output: Path | None) -> None:
    """Score the files in FOLDER, which has mpii/ and coco/."""
    found: dict[str, Any] = {
        "pckh_percent": pckh_tables(folder / "mpii"),
        "average_precision": precisions(folder / "coco"),
    }
    text = json.dumps(found, indent=2)
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""``nassearch eval``: scores of a trained network, class by class."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from auxnas.backends.caching import cache_dir
from auxnas.backends.measuring.latency import compiled_latency
from auxnas.backends.measuring.timing import spread_text
from auxnas.backends.registry import backend
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import ScoreTable
from auxnas.console import OneLineCommand, print_json, say
from auxnas.nassearch import options
from auxnas.nassearch.evaluation.asked import LabelNumbers, ScoringRequest
from auxnas.nassearch.evaluation.confusion import draw_confusion
from auxnas.nassearch.evaluation.official import (
    check_meta_val,
    explain_no_official,
    official_figures,
    official_line,
)
from auxnas.options import SizeType, device_command, device_of, device_option, threads_option
from auxnas.progress import display_on_stderr
from auxnas.search.data.spec import PARTS
from auxnas.search.evaluation.candidates import settled
from auxnas.search.evaluation.scoring import (
    META_VAL,
    Evaluation,
    Measured,
    network_figures,
    scores,
)
from auxnas.search.storage.folders import check_no_result
from auxnas.terminal import Terminal

BOXES = "Boxes of persons, JSON as COCO's detections, to look into instead of the true ones."
RESULTS = "File to write answers to as COCO's results, JSON; of data in COCO's form."
FORMATS = (".png", ".jpg", ".webp")
"""Suffixes of a picture."""


@click.command("eval", cls=OneLineCommand)
@click.argument("weights", metavar="WEIGHTS", type=options.PATH)
@click.option(
    "--data",
    metavar="SPEC",
    callback=options.code_in_data,
    help=f"{options.DATA_HELP}  [default: those of the folder]",
)
@click.option(
    "--part", type=click.Choice(PARTS), help="Part of the data.  [default: val if there is]"
)
@options.parts_of("network")
@options.depth_scale
@options.label_map
@click.option("--size", type=SizeType(), help="Image height and width.  [default: the network's]")
@click.option(
    "--stored-size/--network-size",
    default=None,
    help="Score at the labels' own size, which outputs are grown to, or at the network's.  "
    "[default: as the task is scored: depth at its own, segmentation at the network's]",
)
@click.option(
    "--ignore", multiple=True, metavar="CLASS", help="Class left out of the means; may be repeated."
)
@click.option("--picture", type=options.PATH, metavar="FILE", help=options.PICTURE_HELP)
@click.option("--boxes", type=options.PATH, metavar="FILE", help=BOXES)
@click.option("--results", type=options.PATH, metavar="FILE", help=RESULTS)
@click.option(
    "--batch",
    type=click.IntRange(1),
    metavar="N",
    default=8,
    show_default=True,
    help="Images in a batch.",
)
@threads_option("all cores")
@click.option("--latency", is_flag=True, help="Time the compiled network with onnxruntime too.")
@device_option("Where --latency is measured, by the nasrun there")
@device_command
@options.learner
@options.cache
@options.as_json
def evaluate(
    weights: Path,
    data: str | None,
    part: str | None,
    encoder: str | None,
    task: str | None,
    vocabulary: str | None,
    depth_scale: float | None,
    label_map: str | None,
    size: tuple[int, int] | None,
    stored_size: bool | None,
    ignore: tuple[str, ...],
    picture: Path | None,
    boxes: Path | None,
    results: Path | None,
    batch: int,
    threads: int | None,
    latency: bool,
    device: str | None,
    device_command: str | None,
    learner: str | None,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Score WEIGHTS, or the network in the folder of a training or a run, on labelled images.

    Images are brought to the network's size, as in training, and labels too, unless --stored-size
    is given or usual in the task. The network of a run is that of its best trial. A folder knows
    its data, and which classes counted; without a part to validate on the images are those of
    meta-val, which nothing was trained on.
    """
    _check_files(picture, results)
    there = device_of(device, device_command)
    if there is not None and not latency:
        raise click.UsageError("--device is for --latency")
    if latency and there is None:
        backend("runner", "ort")  # fails now rather than after the scoring
    numbers = LabelNumbers(depth_scale, label_map)
    asked = ScoringRequest(weights, data, size, part, ignore, task, numbers, stored_size, boxes)
    work = asked.evaluation()
    if work.dataset.official(()) is None:
        explain_no_official(work.dataset, results)
    known = {"model": {"encoder": work.trained.network.spec.encoder}}
    options.check_parts({"encoder": encoder}, known, work.trained.path)
    trainer = backend("learner", learner or "torch")(threads=threads)
    where = (trainer, batch, cache_dir(cache), display_on_stderr())
    if work.task.candidates:
        check_meta_val(work, asked.source)
        work = settled(work, replace(asked, part=META_VAL, boxes=None).evaluation(), *where)
    measured = work.run(*where)
    if results is not None:
        with atomic_write(results) as path:
            path.write_text(json.dumps(measured.results), encoding="utf-8")
    official = official_figures(measured, needed=boxes is not None)
    drawn = _draw(work, measured, picture or asked.picture)
    found = _described(work, measured, {} if boxes else scores(work.task, measured.sums), official)
    found["picture"] = None if drawn is None else str(drawn)
    if latency:
        graph = work.trained.program.graph
        timed = compiled_latency(graph, work.size, threads, there, cache_dir(cache))
        found |= {"latency_ms": 1000 * timed, "latency_spread": timed.spread}
        found |= {"latency_device": device}
    if as_json:
        print_json(found)
    else:
        _print(found, None if boxes else work.task.table(measured.sums))


def _draw(work: Evaluation, measured: Measured, path: Path | None) -> Path | None:
    """Writes the confusion matrix as a picture; None where the task or the name lacks."""
    counts = work.task.confusion(measured.sums)
    if counts is None or path is None:
        return None
    with atomic_write(path) as unfinished:
        draw_confusion(counts, work.task.classes, unfinished)
    return path


def _described(
    work: Evaluation,
    measured: Measured,
    scored: Mapping[str, Any],
    official: Mapping[str, Any],
) -> dict[str, Any]:
    """Facts of a scoring: network, data, scores, costs."""
    return {
        "weights": str(work.trained.path),
        "data": work.dataset.name,
        "part": work.part,
        "images": measured.images,
        "scored_at": work.scored_at,
        **scored,
        **({"official": official} if official else {}),
        **network_figures(work.trained.network, work.size),
    }


def _check_files(picture: Path | None, results: Path | None) -> None:
    """Checks that the files to be written can be, and replace nothing of a run's."""
    if picture is not None and picture.suffix.lower() not in FORMATS:
        words = f"{picture.suffix or 'no suffix'}, expected {' or '.join(FORMATS)}"
        raise click.BadParameter(words, param_hint="--picture")
    if picture is not None:
        check_no_result(picture, "--picture")
    if results is not None:
        check_no_result(results, "--results")
        if not results.absolute().parent.is_dir():
            raise click.UsageError(f"--results: {results}: its directory does not exist")


def _print(found: Mapping[str, Any], table: ScoreTable | None) -> None:
    """Prints what was found, in words."""
    if table is not None:
        _print_table(table)
    if "official" in found:
        say(official_line(found["official"]))
    say(f"{found['images']} images, scored at {found['scored_at']}")
    say(_figures(found))
    if found["picture"] is not None:
        say(found["picture"])


def _print_table(table: ScoreTable) -> None:
    """A score in detail on stdout."""
    shown = Table()
    for number, title in enumerate(table.columns):
        shown.add_column(title, justify="right" if number else "left", no_wrap=not number)
    for row in table.rows:
        shown.add_row(*row)
    if table.total:
        shown.add_section()
        shown.add_row(*table.total)
    console = Terminal(file=sys.stdout)
    console.print_table(shown, table.columns[:1:-1])
    for line in table.notes:
        console.print(line)


def _figures(found: Mapping[str, Any]) -> str:
    """Cost of the network in a line."""
    height, width = found["size"]
    timed = ""
    if "latency_ms" in found:
        spread = found["latency_spread"]
        sure = "" if spread is None else f", spread {spread_text(spread)}"
        place = f" on {found['latency_device']}" if found["latency_device"] else ""
        timed = f", {found['latency_ms']:.2f} ms (onnxruntime{place}{sure})"
    return (
        f"{found['parameters'] / 1e6:.3f} M parameters, "
        f"{found['multiply_adds'] / 1e6:.1f} M multiply-adds{timed} at {height}x{width}"
    )

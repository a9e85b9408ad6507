"""``nassearch eval``: scores of a trained network, class by class."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from numpy.typing import NDArray
from rich.table import Table

from auxnas.backends.caching import cache_dir
from auxnas.backends.measuring.latency import compiled_latency
from auxnas.backends.registry import backend
from auxnas.compiler.files import atomic_write
from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.genotype.errors import inline
from auxnas.nassearch import options
from auxnas.nassearch.confusion import draw_confusion
from auxnas.options import SizeType, named_by_user
from auxnas.progress import display_on_stderr
from auxnas.search.data import open_dataset
from auxnas.search.data.spec import PARTS
from auxnas.search.evaluation.scoring import Evaluation, class_rows, figures, scores
from auxnas.search.evaluation.tasks import Segmentation
from auxnas.search.examples.images import pixel_key
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.sources import own_data
from auxnas.terminal import Terminal

ENCODER = "Encoder of your own, package.module:Class, where WEIGHTS is a file of such a network."
FORMATS = (".png", ".jpg", ".webp")
"""What a picture may be."""


@click.command("eval", cls=OneLineCommand)
@click.argument("weights", metavar="WEIGHTS", type=options.PATH)
@click.option("--data", metavar="SPEC", help=f"{options.DATA_HELP}  [default: those of the folder]")
@click.option(
    "--part", type=click.Choice(PARTS), help="Part of the data.  [default: val if there is]"
)
@click.option("--encoder", expose_value=False, metavar="NAME", callback=named_by_user, help=ENCODER)
@click.option("--size", type=SizeType(), help="Image height and width.  [default: the network's]")
@click.option(
    "--ignore", multiple=True, metavar="CLASS", help="Class left out of the means; may be repeated."
)
@click.option("--picture", type=options.PATH, help=options.PICTURE_HELP)
@click.option("--batch", type=click.IntRange(1), default=8, help="Images in a batch.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads.  [default: all cores]")
@click.option("--latency", is_flag=True, help="Time the compiled network with onnxruntime too.")
@click.option("--learner", type=click.Choice(["torch", "null"]), default="torch", hidden=True)
@options.cache
@options.as_json
def evaluate(
    weights: Path,
    data: str | None,
    part: str | None,
    size: tuple[int, int] | None,
    ignore: tuple[str, ...],
    picture: Path | None,
    batch: int,
    threads: int | None,
    latency: bool,
    learner: str,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Score WEIGHTS, or the network in the folder of a training or a run, on labelled images.

    Images and labels are brought to the network's size, as in training. The network of a run is
    that of its best trial. A folder knows its data, and which classes counted; without a part to
    validate on the images are those of meta-val, which nothing was trained on.
    """
    if picture is not None and picture.suffix.lower() not in FORMATS:
        words = f"{picture.suffix or 'no suffix'}, expected {' or '.join(FORMATS)}"
        raise click.BadParameter(words, param_hint="--picture")
    if latency:
        backend("runner", "ort")  # fails now rather than after the scoring
    work = _evaluation(weights, data, size, part, ignore)
    trainer = backend("learner", learner)(threads=threads)
    counts, images = work.run(trainer, batch, cache_dir(cache), display_on_stderr())
    picture = picture or (weights if weights.is_dir() else weights.parent) / "confusion.png"
    with atomic_write(picture) as path:
        draw_confusion(counts, work.task.classes, path)
    found = {
        "weights": str(work.trained.path),
        "data": work.dataset.name,
        "part": work.part,
        "images": images,
        **scores(work.task, counts),
        **figures(work.trained.network, work.size),
        "picture": str(picture),
    }
    if latency:
        graph = work.trained.program.graph
        measured = compiled_latency(graph, work.size, threads)
        found |= {"latency_ms": 1000 * measured, "latency_spread": measured.spread}
    if as_json:
        print_json(found)
    else:
        _print_table(work.task, counts, found)
        say(_figures(found))
        say(str(picture))


def _evaluation(
    weights: Path,
    data: str | None,
    size: tuple[int, int] | None,
    part: str | None,
    ignore: tuple[str, ...],
) -> Evaluation:
    """What is scored on what: where no data are given, on those that the folder was of."""
    if data is not None:
        return Evaluation.of(read_network(weights), data, size, part, ignore)
    if not weights.is_dir():
        raise click.UsageError("--data: expected, WEIGHTS is not the folder of a run or a training")
    own = own_data(weights)
    settings = own.settings
    note(f"data: {settings.source}, those of {weights}")
    work = Evaluation.of(
        read_network(weights),
        settings.source,
        size,
        part,
        ignore or own.ignore,
        settings.meta_train,
    )
    if work.part != "val" and own.key is not None:
        whole = open_dataset(settings.source, classes=settings.classes, size=settings.size)
        if pixel_key(whole) != own.key:
            note(f"warning: {settings.source}: changed since {weights} was trained on it")
    return work


def _print_table(task: Segmentation, counts: NDArray[Any], found: Mapping[str, Any]) -> None:
    """The rows and their means on stdout."""
    table = Table()
    table.add_column("class", no_wrap=True)
    for title in ("IoU", "accuracy", "of all pixels"):
        table.add_column(title, justify="right")
    for row in class_rows(task, counts):
        numbers = (row[name] for name in ("iou", "accuracy", "pixels"))
        table.add_row(_title(row, task), *map(_percent, numbers))
    table.add_section()
    table.add_row("mean", _percent(found["miou"]), _percent(found["accuracy"]), "")
    console = Terminal(file=sys.stdout)
    console.print_table(table, ("of all pixels", "accuracy"))
    weighted, pixels = _percent(found["fwiou"]), _percent(found["pixel_accuracy"])
    console.print(f"frequency-weighted IoU {weighted}, pixel accuracy {pixels}")


def _title(row: Mapping[str, Any], task: Segmentation) -> str:
    left_out = row["class"] in task.ignore
    return inline(str(row["class"])) + (" (not counted)" if left_out else "")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _figures(found: Mapping[str, Any]) -> str:
    """What the network costs, in a line."""
    height, width = found["size"]
    timed = ""
    if "latency_ms" in found:
        spread = found["latency_spread"]
        sure = "" if spread is None else f", spread {spread:.1%}"
        timed = f", {found['latency_ms']:.2f} ms (onnxruntime{sure})"
    return (
        f"{found['parameters'] / 1e6:.3f} M parameters, "
        f"{found['multiply_adds'] / 1e6:.1f} M multiply-adds{timed} at {height}x{width}"
    )

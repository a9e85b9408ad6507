"""``nassearch eval``: scores of a trained network, class by class."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.table import Table

from auxnas.backends.caching import cache_dir
from auxnas.backends.measuring.latency import compiled_latency
from auxnas.backends.registry import backend
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import ScoreTable
from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.nassearch import options
from auxnas.nassearch.confusion import draw_confusion
from auxnas.nassearch.official import (
    check_meta_val,
    explain_no_official,
    official_figures,
    official_line,
)
from auxnas.options import SizeType, device_command, device_of, device_option, threads_option
from auxnas.progress import display_on_stderr
from auxnas.search.data import open_dataset
from auxnas.search.data.spec import PARTS
from auxnas.search.errors import RequestError
from auxnas.search.evaluation.candidates import settled
from auxnas.search.evaluation.scoring import (
    META_VAL,
    Evaluation,
    network_figures,
    scores,
)
from auxnas.search.examples.images import pixel_key
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.sources import own_data
from auxnas.search.settings.search import DataSettings
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
    numbers = _Numbers(depth_scale, label_map)
    asked = _Asked(weights, data, size, part, ignore, task, numbers, stored_size, boxes)
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
    counts = work.task.confusion(measured.sums)
    shown = None if counts is None else picture or asked.picture
    if counts is not None and shown is not None:
        with atomic_write(shown) as path:
            draw_confusion(counts, work.task.classes, path)
    found = {
        "weights": str(work.trained.path),
        "data": work.dataset.name,
        "part": work.part,
        "images": measured.images,
        "scored_at": work.scored_at,
        **({} if boxes else scores(work.task, measured.sums)),
        **({"official": official} if official else {}),
        **network_figures(work.trained.network, work.size),
        "picture": None if shown is None else str(shown),
    }
    if latency:
        graph = work.trained.program.graph
        timed = compiled_latency(graph, work.size, threads, there, cache_dir(cache))
        found |= {"latency_ms": 1000 * timed, "latency_spread": timed.spread}
        found |= {"latency_device": device}
    if as_json:
        print_json(found)
    else:
        _print(found, None if boxes else work.task.table(measured.sums))


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


class _Numbers(NamedTuple):
    """Meaning of stored labels, as the options of the command say."""

    depth_scale: float | None
    label_map: str | None

    def over(self, settings: DataSettings) -> _Numbers:
        """Those given, else those of the folder."""
        return _Numbers(self.depth_scale or settings.depth_scale, self.label_map or settings.map)


@dataclass(frozen=True)
class _Asked:
    """Network and images to score, as the options of the command say; see ``Evaluation.of``."""

    weights: Path
    data: str | None
    size: tuple[int, int] | None
    part: str | None
    ignore: tuple[str, ...]
    task: str | None
    numbers: _Numbers
    stored_size: bool | None
    boxes: Path | None

    @property
    def picture(self) -> Path | None:
        """The file of the confusion matrix of the folder's own data; None of others."""
        return None if self.data or self.part else self.weights / "confusion.png"

    @property
    def source(self) -> str:
        """The data."""
        return self.data or own_data(self.weights).settings.source

    def evaluation(self) -> Evaluation:
        """Network and images; where no data are given, those that the folder was of."""
        if self.data is not None:
            meta_train = DataSettings().meta_train if self.part == META_VAL else None
            return self._of(self.data, self.ignore, meta_train, self.numbers)
        if not self.weights.exists():
            expected = "the folder of a run or a training, or a network's file and --data"
            raise RequestError(str(self.weights), "no such file or folder", expected)
        if not self.weights.is_dir():
            expected = "expected, WEIGHTS is not the folder of a run or a training"
            raise click.UsageError(f"--data: {expected}")
        own = own_data(self.weights)
        settings = own.settings
        note(f"data: {settings.source}, those of {self.weights}")
        numbers = self.numbers.over(settings)
        work = self._of(settings.source, self.ignore or own.ignore, settings.meta_train, numbers)
        if work.part != "val" and own.key is not None:
            whole = open_dataset(
                settings.source,
                classes=settings.classes,
                size=settings.size,
                task=work.task,
                depth_scale=settings.depth_scale,
                label_map=settings.map,
                padding=work.trained.padding,
            )
            if pixel_key(whole) != own.key:
                note(f"warning: {settings.source}: changed since {self.weights} was trained on it")
        return work

    def _of(
        self,
        source: str,
        ignore: tuple[str, ...],
        meta_train: float | None,
        numbers: _Numbers,
    ) -> Evaluation:
        return Evaluation.of(
            read_network(self.weights),
            source,
            self.size,
            self.part,
            ignore,
            meta_train,
            self.task,
            numbers.depth_scale,
            numbers.label_map,
            self.stored_size,
            self.boxes,
        )


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
        sure = "" if spread is None else f", spread {spread:.1%}"
        place = f" on {found['latency_device']}" if found["latency_device"] else ""
        timed = f", {found['latency_ms']:.2f} ms (onnxruntime{place}{sure})"
    return (
        f"{found['parameters'] / 1e6:.3f} M parameters, "
        f"{found['multiply_adds'] / 1e6:.1f} M multiply-adds{timed} at {height}x{width}"
    )

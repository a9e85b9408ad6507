"""``nassearch data``: labelled images, looked at before anything is trained on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.table import Table

from auxnas.backends.base import BackendUnavailable
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import DEFAULT, IGNORE, Task, find_task
from auxnas.console import DONE, FAILED, OneLineCommand, print_json, say
from auxnas.genotype.errors import inline, short_repr
from auxnas.nassearch import options
from auxnas.options import FileType
from auxnas.pictures import draw_samples
from auxnas.progress import display_on_stderr
from auxnas.search.data import DataError, Dataset, open_dataset, parts
from auxnas.search.data.colours import colour_lines, unused_line
from auxnas.search.data.joined import with_classes_of
from auxnas.search.data.spec import check_source, task_on
from auxnas.search.data.survey import (
    Survey,
    survey_data,
    survey_document,
    survey_rows,
    told_once,
)
from auxnas.search.data.views import split_dataset
from auxnas.search.examples.images import check_enough_data
from auxnas.search.settings.search import DataSettings
from auxnas.search.storage.folders import check_no_result
from auxnas.terminal import Terminal

_MOST = 10
"""Faults, sizes and files that are printed; --json and --html have all."""


@click.command("data", cls=OneLineCommand)
@click.argument("source", metavar="SPEC", callback=options.code_in_data)
@options.classes
@options.task
@options.depth_scale
@options.label_map
@click.option(
    "--picture",
    type=FileType(".png", ".jpg", ".webp"),
    metavar="FILE",
    help="Picture of eight images with their labels over them, to write.",
)
@click.option(
    "--html", type=FileType(".html"), metavar="FILE", help="One page with all that, to write."
)
@options.as_json
def survey(
    source: str,
    classes: int | None,
    task: str | None,
    depth_scale: float | None,
    label_map: str | None,
    picture: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Look at the labelled images of SPEC, as after --data of other commands.

    Images and their sizes, classes with their shares, label values and colours that are no class
    with the likely reason, files that cannot be read, images without a label and labels without
    an image, images that are there twice or in both parts. Every file is read once. Ends with 1
    where training would refuse the data.
    """
    try:
        check_source(source)
    except ValueError as error:
        raise DataError("SPEC", short_repr(source), str(error)) from None
    for path, option in (picture, "--picture"), (html, "--html"):
        if path is not None:
            check_no_result(path, option)
    write = None if html is None else _page_writer()
    name = task_on(source, task or DEFAULT)
    asked = {"task": find_task(name), "depth_scale": depth_scale, "label_map": label_map}
    surveys: list[Survey] = []
    for part in parts(source):
        first = surveys[0].dataset if surveys else None
        surveys.append(_survey(source, part, classes, asked, first))
    document = survey_document(surveys, source)
    shown = find_task(name, surveys[0].dataset.classes)
    refused = document["usable"] and _refusal(surveys[0], shown)
    if refused:
        document |= {"usable": False, "remarks": [*document["remarks"], refused]}
    drawn = _drawn(surveys, shown, picture, html is not None)
    if html is not None and write is not None:
        with atomic_write(html) as temporary:
            temporary.write_text(write(document, drawn), encoding="utf-8")
    if as_json:
        files = {"picture": picture, "html": html}
        print_json(document | {n: None if f is None else str(f) for n, f in files.items()})
    else:
        _print(surveys, document)
        for file in filter(None, (picture, html)):
            say(file)
    return DONE if document["usable"] else FAILED


def _survey(
    source: str, part: str, classes: int | None, asked: dict[str, Any], first: Dataset | None
) -> Survey:
    """A part of the data, with the classes of the first one.

    Where nothing says how many there are, all values are some.

    Raises:
        DataError: where the parts have other classes.
    """
    known = True
    try:
        dataset: Dataset = open_dataset(source, part=part, classes=classes, **asked)
    except DataError as error:
        if classes is not None or error.place != "classes":
            raise
        dataset, known = open_dataset(source, part=part, classes=IGNORE, **asked), False
    if first is not None:
        dataset = with_classes_of(dataset, first)
    with display_on_stderr().task(f"reading {dataset.name}, {part}", len(dataset)) as advance:
        return survey_data(part, dataset, known, lambda done, total: advance(done, ""))


def _refusal(survey: Survey, task: Task) -> str:
    """Words of the check of ``nassearch run`` on the two shares of a part; "" where it has none."""
    dataset, found = survey.dataset, survey.statistics
    try:
        halves = split_dataset(dataset, DataSettings().meta_train, firsts=found.together)
        for title, half, least in zip(("meta-train", "meta-val"), halves, (2, 1), strict=True):
            share = found.of(half.indices)
            check_enough_data(f"{dataset.name}: {title}", share, found, least, task)
    except DataError as error:
        return str(error)
    return ""


def _page_writer() -> Any:
    """Function that makes the page.

    Raises:
        BackendUnavailable: naming the extra that it needs.
    """
    try:
        from auxnas.html.data_page import data_page
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "matplotlib"):
            raise
        raise BackendUnavailable("nassearch data --html", error.name, "report") from None
    return data_page


def _drawn(surveys: Sequence[Survey], task: Task, picture: Path | None, needed: bool) -> bytes:
    """The picture of the first part that has examples, which is written where it is asked for."""
    samples = next((each.samples for each in surveys if each.samples), ())
    if not samples or not (needed or picture):
        return b""
    palette = surveys[0].dataset.palette
    with TemporaryDirectory() as folder:
        path = Path(folder) / "samples.png"
        draw_samples(samples, task, palette, path)
        drawn = path.read_bytes()
    if picture is not None:
        with atomic_write(picture) as temporary:
            draw_samples(samples, task, palette, temporary)
    return drawn


def _print(surveys: Sequence[Survey], document: dict[str, Any]) -> None:
    """All that was found, in words."""
    for survey in surveys:
        for line in _lines(survey, document["parts"][survey.part]):
            say(line)
    if document["classes"] and any(len(survey.statistics) for survey in surveys):
        Terminal(file=sys.stdout).print_table(_class_table(surveys))
    for line in document["remarks"]:
        say(line)
    if document["usable"]:
        say("nothing that training would refuse")
    else:
        advice = next((each.advice for each in surveys if each.advice), "")
        say(f"not to be trained on as it is{advice and f'; {advice}'}")


def _lines(survey: Survey, found: dict[str, Any]) -> Iterator[str]:
    """A part in words."""
    sizes = [f"{row['images']} of {row['height']}x{row['width']}" for row in found["sizes"]]
    yield f"{survey.part}: {found['images']} images, {_some(sizes) or 'none that can be read'}"
    total = found["labelled"] + found["unlabelled"]
    if found["unlabelled"]:
        yield f"{survey.part}: {found['unlabelled'] / total:.1%} of the labels are not labelled"
    for value in survey.strange[:_MOST]:
        yield (
            f"{survey.part}: value {value.value} is no class: {value.pixels:,} pixels of "
            f"{value.images} images, first {value.place}"
        )
    for line in colour_lines(survey.colours):
        yield line if line.startswith(" ") else f"{survey.part}: {line}"
    yield from (f"{survey.part}: {line}" for line in unused_line(survey.unused))
    if found["faults"]:
        yield f"{survey.part}: {len(found['faults'])} of {found['images']} cannot be used:"
        lines = list(told_once(found["faults"]))
        yield from (f"  {line}" for line, _ in lines[:_MOST])
        if rest := sum(count for _, count in lines[_MOST:]):
            yield f"  and {rest} more (--json, --html)"


def _some(texts: Sequence[str]) -> str:
    shown = ", ".join(texts[:_MOST])
    return shown if len(texts) <= _MOST else f"{shown} and {len(texts) - _MOST} more"


def _class_table(surveys: Sequence[Survey]) -> Table:
    """Classes with their shares."""
    shown = Table()
    for number, title in enumerate(("class", "share", "pixels", "images")):
        shown.add_column(title, justify="right" if number else "left", no_wrap=not number)
    for row in survey_rows(surveys):
        cells = f"{row['share']:.2%}", f"{row['pixels']:,}", f"{row['images']:,}"
        shown.add_row(inline(row["name"]), *cells)
    return shown

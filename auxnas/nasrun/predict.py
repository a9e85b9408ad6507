"""``nasrun predict``: an artefact's answers to photographs, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auxnas.console import DONE, FAILED, OneLineCommand, error_line, note, print_json, say
from auxnas.nasrun import options
from auxnas.options import PathType, SizeType, json_option, part_option

if TYPE_CHECKING:
    from auxnas.backends.artefacts.artefact import Artefact
    from auxnas.backends.artefacts.predict import Predictor
    from auxnas.nasrun.files import FilePredictor, PredictionResult
    from auxnas.nasrun.naming import PredictionFiles

Size = tuple[int, int]
BOXES_HELP = (
    "Boxes of persons, JSON as COCO's detections: image_id (the image's name, or the number at "
    "its end), category_id 1, bbox and score."
)
CROP_HELP = "Height and width of persons' crops.  [default: 256x192, where the artefact takes any]"


@click.command(cls=OneLineCommand)
@click.argument("artefact")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--output", type=PathType(), required=True, metavar="DIR", help="Folder to write to.")
@click.option(
    "--overlay-alpha",
    type=click.FloatRange(0, 1),
    metavar="X",
    default=0.5,
    help="Opacity of the colours.",
)
@click.option("--boxes", type=PathType(), metavar="FILE", help=BOXES_HELP)
@click.option("--crop-size", type=SizeType(), help=CROP_HELP)
@part_option("task", "the artefact's")
@options.target
@options.vocabulary
@options.threads
@json_option
def predict(
    artefact: str,
    images: tuple[str, ...],
    output: str,
    overlay_alpha: float,
    boxes: str | None,
    crop_size: Size | None,
    task: str | None,
    target: str | None,
    vocabulary: str | None,
    threads: int | None,
    as_json: bool,
) -> int:
    """Give the network's answers to photographs of any size; of a directory, to all below it.

    Writes for each the pictures that the network's task has, of the photograph's size: of
    segmentation a label map NAME_labels.png (a palette image whose indices are the labels) and
    NAME_overlay.png, and one legend.png. NAME is that of the file without suffix; where several
    given together share it, the folders that tell them apart go before it. Earlier ones are
    replaced, but no file of another program's. A file that cannot be read is reported, the others
    are done, and the exit status is 1. With --boxes the persons in them are looked for, in the
    pixels as they are stored, and keypoints.json has COCO's results.
    """
    from auxnas.backends.artefacts.artefact import open_artefact
    from auxnas.backends.artefacts.predict import Predictor
    from auxnas.backends.images import dark_remark
    from auxnas.nasrun.files import prepare_output
    from auxnas.nasrun.naming import expand_sources, prediction_files
    from auxnas.nasrun.pictures import write_legend

    opened, folder = open_artefact(artefact, target), Path(output)
    predictor = Predictor(opened, opened.runner(threads), task)
    classes = predictor.classes
    wanted = prediction_files(expand_sources(images, folder), folder, predictor.task.pictures)
    legend = folder / "legend.png" if classes.names else None
    work = _file_predictor(predictor, boxes, crop_size, wanted, folder)
    prepare_output(folder, legend, wanted)
    if legend is not None:
        write_legend(classes.names, classes.palette, legend)
    outcomes = _outcomes(work, wanted, overlay_alpha, as_json)
    work.write_results()
    if work.results is not None and not as_json:
        say(str(work.results))
    dark = dark_remark("images", max(outcome.brightest for outcome in outcomes))
    if dark:
        note(dark)
    if as_json:
        print_json(_predicted(opened, legend, outcomes, predictor, work.results))
    return FAILED if any(outcome.error for outcome in outcomes) else DONE


def _file_predictor(
    predictor: Predictor,
    boxes: str | None,
    crop_size: Size | None,
    targets: list[PredictionFiles],
    folder: Path,
) -> FilePredictor:
    """The predictor of whole pictures, or of the persons in boxes."""
    if boxes is not None:
        from auxnas.nasrun.persons import PersonPredictor

        return PersonPredictor.of(predictor, Path(boxes), crop_size, targets, folder)
    from auxnas.nasrun.files import PicturePredictor

    if crop_size is not None:
        raise click.UsageError("--crop-size: expected with --boxes alone")
    return PicturePredictor(predictor)


def _outcomes(
    work: FilePredictor, targets: list[PredictionFiles], alpha: float, as_json: bool
) -> list[PredictionResult]:
    """The outcome of every file, each told as it comes."""
    from auxnas.progress import display_on_stderr

    found, display = [], display_on_stderr()
    with display.task("predicting", len(targets)) as advance:
        for outcome in work.predict(targets, alpha, advance):
            found.append(outcome)
            with display.aside():
                _say(outcome, as_json)
    return found


def _say(outcome: PredictionResult, as_json: bool) -> None:
    """A line for an image: what it shows, or on stderr what is wrong with it."""
    if outcome.error is not None:
        note(f"error: {error_line(ValueError(outcome.error))}")
    if outcome.error is not None or as_json:
        return
    first = next(iter(outcome.target.pictures.values()))
    say(f"{outcome.target.image} -> {first}" + (f": {outcome.line}" if outcome.line else ""))


def _predicted(
    artefact: Artefact,
    legend: Path | None,
    outcomes: list[PredictionResult],
    predictor: Predictor,
    results: Path | None,
) -> dict[str, Any]:
    """All outcomes as plain data."""
    done = [outcome for outcome in outcomes if outcome.error is None]
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    return {
        "artefact": str(artefact.path),
        "task": predictor.task.name,
        "classes": list(predictor.classes.names),
        "legend": None if legend is None else str(legend),
        "images": [
            {
                "image": str(outcome.target.image),
                "size": list(outcome.size or ()),
                **{name: str(path) for name, path in outcome.target.pictures.items()},
                **outcome.facts,
            }
            for outcome in done
        ],
        "failed": [
            {"image": str(outcome.target.image), "error": outcome.error} for outcome in failed
        ],
        **({} if results is None else {"results": str(results)}),
    }

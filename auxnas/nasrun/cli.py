"""``nasrun``: uses an artefact, without the framework that its weights were trained in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auxnas.console import DONE, FAILED, OneLineGroup, error_line, note, print_json, say
from auxnas.options import (
    PathType,
    SizeType,
    device_command,
    device_option,
    json_option,
    part_option,
    threads_option,
    trust_value,
)

if TYPE_CHECKING:
    from auxnas.backends.artefacts.artefact import Artefact
    from auxnas.backends.artefacts.predict import Predictor
    from auxnas.nasrun.files import PredictionResult

Size = tuple[int, int]
RUNS, WARMUP = click.IntRange(1, 1_000_000), click.IntRange(0, 1_000_000)
"""Runs that a bench times at most; their times are kept."""

BOXES_HELP = (
    "Boxes of persons, JSON as COCO's detections: image_id (the image's name, or the number at "
    "its end), category_id 1, bbox and score."
)
CROP_HELP = "Height and width of persons' crops.  [default: 256x192, where the artefact takes any]"
RUNS_HELP = "Timed runs, or steady: as many as it takes for the latency, 10 s at most."
_threads = threads_option("the runtime's")
_size = click.option(
    "--input-size",
    type=SizeType(),
    help="Image height and width.  [default: 512x512, where the artefact takes any]",
)

_vocabulary = part_option("vocabulary")
_target = click.option(
    "--target",
    metavar="NAME",
    callback=trust_value,
    help="What ARTEFACT was made as: nascompile's --target.  [default: by its suffix]",
)


class RunsType(click.ParamType[int | None]):
    """A number of runs, or ``steady``."""

    name = "N"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        """The number, or None for steady."""
        return None if value in (None, "steady") else RUNS.convert(value, param, ctx)


@click.group(cls=OneLineGroup, context_settings={"show_default": True})
def main() -> None:
    """Use an artefact that nascompile made: ONNX, or one of another runtime by its suffix."""


@main.command()
@click.argument("artefact")
@_target
@_vocabulary
@json_option
def explain(artefact: str, target: str | None, vocabulary: str | None, as_json: bool) -> None:
    """Print the metadata of ARTEFACT: architecture, ends, weights, checks."""
    from auxnas.backends.artefacts.artefact import open_artefact
    from auxnas.nasrun.text import explanation

    opened = open_artefact(artefact, target)
    if as_json:
        print_json(_explained(opened))
        return
    say("\n".join(explanation(opened)))
    if not opened.ours:
        note("note: this file is not from nascompile, so it has no metadata of ours to show")


def _explained(artefact: Artefact) -> dict[str, Any]:
    from auxnas.nasrun.text import listing

    return {
        "artefact": str(artefact.path),
        "bytes": artefact.path.stat().st_size,
        "ours": artefact.ours,
        "producer": artefact.producer,
        "opset": artefact.opset,
        "inputs": [each.to_dict() for each in artefact.inputs],
        "outputs": [each.to_dict() for each in artefact.outputs],
        "parameters": artefact.parameters,
        "nodes": len(artefact.operators),
        "operators": artefact.counts,
        "metadata": dict(artefact.metadata),
        "listing": listing(artefact),
    }


@main.command()
@click.argument("artefact")
@click.argument("input_file", required=False, metavar="[INPUT.npy]", type=PathType())
@click.argument("output_file", required=False, metavar="[OUTPUT.npy]", type=PathType())
@click.option("--runs", type=RunsType(), metavar="N", default="100", help=RUNS_HELP)
@click.option("--warmup", type=WARMUP, metavar="N", default=10, help="Warm-up runs, not timed.")
@_threads
@_size
@_target
@_vocabulary
@device_option("Time it on this machine, where nasrun is, and keep what comes out in the cache")
@device_command
@json_option
def bench(
    artefact: str,
    input_file: str | None,
    output_file: str | None,
    runs: int | None,
    warmup: int,
    threads: int | None,
    input_size: Size | None,
    target: str | None,
    vocabulary: str | None,
    device: str | None,
    device_command: str | None,
    as_json: bool,
) -> None:
    """Time ARTEFACT on one random image, or on a batch where it is made for one.

    ARTEFACT may be any ONNX model, not only ours, or a .xml, .pt2, .engine. With INPUT.npy it
    is timed on that, as it goes into the network; OUTPUT.npy gets what comes out of one of ours.

    Every run is timed by itself after a warm-up. The paper's protocol is mean and standard
    deviation over 100 runs or more; what hardly depends on a busy machine is the latency,
    the lowest median of 5 runs in three rounds that are apart, which has a spread.
    """
    from auxnas.backends.artefacts.bench import PAPER_RUNS
    from auxnas.nasrun.benching import Bench, bench_lines

    asked = Bench(artefact, target, runs, warmup, threads, input_size)
    if device is None and device_command is not None:
        raise click.UsageError("--device-command is for --device")
    if device is not None and input_file is not None:
        raise click.UsageError("INPUT.npy: expected none with --device")
    if device is not None:
        result = asked.away(device, device_command)
    else:
        result = asked.here(input_file, output_file)
    if as_json:
        print_json(result)
    else:
        say("\n".join(bench_lines(result)))
    if device is None and runs is not None and runs < PAPER_RUNS:
        note(f"note: {runs} runs; the paper's protocol has {PAPER_RUNS} or more")


@main.command()
@click.argument("artefact")
@click.option("--runs", type=RUNS, metavar="N", default=20, help="Timed runs, for the median.")
@click.option("--warmup", type=WARMUP, metavar="N", default=5, help="Warm-up runs, not timed.")
@click.option(
    "--top", type=click.IntRange(min=1), metavar="N", default=12, help="Rows shown of a long table."
)
@_threads
@_size
@_target
@_vocabulary
@json_option
def profile(
    artefact: str,
    runs: int,
    warmup: int,
    top: int,
    threads: int | None,
    input_size: Size | None,
    target: str | None,
    vocabulary: str | None,
    as_json: bool,
) -> None:
    """Show where ARTEFACT's time goes, by the genotype's operations.

    Blocks count from 1: block 3 is decoder.block2 in names of nodes.
    """
    from auxnas.backends.artefacts.artefact import open_artefact
    from auxnas.backends.artefacts.bench import example_inputs
    from auxnas.backends.artefacts.profile import profile_artefact as profiled
    from auxnas.nasrun.benching import environment_rows, measured_facts
    from auxnas.nasrun.text import profile_json, profile_lines, text_rows
    from auxnas.progress import display_on_stderr

    opened = open_artefact(artefact, target)
    inputs = example_inputs(opened, input_size)
    with display_on_stderr().task("profiling", warmup + runs) as advance:
        found = profiled(opened, inputs, runs, warmup, threads, advance)
    result = measured_facts(opened, inputs, threads, found.devices)
    if as_json:
        print_json(result | profile_json(found))
        return
    total = f"{1e3 * found.total:.2f} ms, median of {found.runs}; profiling makes it slower"
    say("\n".join(text_rows(environment_rows(result) | {"run": total})))
    say("\n".join(profile_lines(found, top)))


@main.command()
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
@_target
@_vocabulary
@_threads
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
    NAME_overlay.png, and one legend.png. Earlier ones are replaced, but no file of another
    program's. A file that cannot be read is reported, the others are done, and the exit status
    is 1. With --boxes the persons in them are looked for, in the pixels as they are stored, and
    keypoints.json has COCO's results.
    """
    from auxnas.backends.artefacts.artefact import open_artefact
    from auxnas.backends.artefacts.predict import Predictor
    from auxnas.backends.images import dark_remark
    from auxnas.nasrun.files import predict_files, prepare_output
    from auxnas.nasrun.naming import expand_sources, prediction_files
    from auxnas.nasrun.pictures import write_legend
    from auxnas.progress import display_on_stderr

    opened, folder = open_artefact(artefact, target), Path(output)
    predictor = Predictor(opened, opened.runner(threads), task)
    classes = predictor.classes
    wanted = prediction_files(expand_sources(images, folder), folder, predictor.task.pictures)
    legend = folder / "legend.png" if classes.names else None
    persons = None
    if boxes is None and crop_size is not None:
        raise click.UsageError("--crop-size: expected with --boxes alone")
    if boxes is not None:
        from auxnas.nasrun.persons import PersonPredictor

        persons = PersonPredictor.of(predictor, Path(boxes), crop_size, wanted, folder)
    prepare_output(folder, legend, wanted)
    if legend is not None:
        write_legend(classes.names, classes.palette, legend)
    outcomes, display = [], display_on_stderr()
    with display.task("predicting", len(wanted)) as advance:
        results = (
            predict_files(predictor, wanted, overlay_alpha, advance)
            if persons is None
            else persons.predict(wanted, overlay_alpha, advance)
        )
        for outcome in results:
            outcomes.append(outcome)
            with display.aside():
                _say(outcome, as_json)
    if persons is not None:
        persons.write_results()
        if not as_json:
            say(str(persons.results))
    dark = dark_remark("images", max(outcome.brightest for outcome in outcomes))
    if dark:
        note(dark)
    if as_json:
        found = _predicted(opened, legend, outcomes, predictor)
        print_json(found if persons is None else found | {"results": str(persons.results)})
    return FAILED if any(outcome.error for outcome in outcomes) else DONE


def _say(outcome: PredictionResult, as_json: bool) -> None:
    """A line for an image: what it shows, or on stderr what is wrong with it."""
    if outcome.error is not None:
        note(f"error: {error_line(ValueError(outcome.error))}")
    if outcome.error is not None or as_json:
        return
    first = next(iter(outcome.target.pictures.values()))
    say(f"{outcome.target.image} -> {first}" + (f": {outcome.line}" if outcome.line else ""))


def _predicted(
    artefact: Artefact, legend: Path | None, outcomes: list[PredictionResult], predictor: Predictor
) -> dict[str, Any]:
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
    }

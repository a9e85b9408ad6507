"""``nascompile``: makes an artefact of an architecture and its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.options import BatchType, FileType, SizeType
from backends.targets import AUTO, HELP, INCOMPLETE, TARGETS, refuse_precision
from genotype.console import DONE, OneLineCommand, atomic_write, note, print_json

if TYPE_CHECKING:
    from backends.compile import Report
    from backends.int8 import Int8Options
    from backends.request import Request
    from backends.weights import Weights
    from compiler import ModelSpec
    from compiler.interface import Interface
    from genotype import Document


HEADS = ("logits", "probabilities", "labels")
FORMATS = ("nchw-float", "nhwc-uint8")
PRECISION_HELP = (
    "int8: the layers that bear it, calibrated on --images; the artefact stays fp32, and says "
    "so, where int8 is not faster or changes more than --max-drop."
)
IMAGES_HELP = (
    "Check on these photographs instead of noise. int8: calibrate on them (8 or more; a quarter "
    "is kept apart to judge by)."
)
MAX_DROP_HELP = "int8: largest share of pixels that may change label."
STRIDE = 32
"""Of the encoder's deepest output: a smaller image is less than one pixel of it."""
OWN = "  [default: the weights', else %s]"
_SPEC_OPTIONS = ("classes", "agg_size", "sep_repeats", "width")


@click.command(cls=OneLineCommand, context_settings={"show_default": True})
@click.argument("genotype")
@click.option("--weights", metavar="FILE", help="Safetensors file of this architecture.")
@click.option("--target", type=click.Choice([*TARGETS, AUTO]), default="onnx", help=HELP)
@click.option(
    "--classes",
    type=click.IntRange(1, 255),
    help="Number of classes.  [default: the weights', else 21]",
)
@click.option(
    "--agg-size", type=click.IntRange(1), help="Decoder channels.  [default: the weights', else 64]"
)
@click.option(
    "--sep-repeats",
    type=click.IntRange(1),
    help="Layers of a sep.  [default: the weights', else 2]",
)
@click.option(
    "--width",
    type=click.FloatRange(0.05, 4),
    help="Encoder width.  [default: the weights', else 1.0]",
)
@click.option("--input-size", type=SizeType(dynamic=True), help=f"Or dynamic.{OWN % '512x512'}")
@click.option("--batch", type=BatchType(), default="1", help="Images at once, or dynamic.")
@click.option(
    "--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", help=PRECISION_HELP
)
@click.option("--head", type=click.Choice(HEADS), default="logits", help="What comes out.")
@click.option("--resize-output", type=click.Choice(["none", "input"]), default="none")
@click.option("--input-format", type=click.Choice(FORMATS), default="nchw-float")
@click.option(
    "--opset", type=click.IntRange(18, 22), default=18, help="Version of the ONNX operators."
)
@click.option("--output", metavar="FILE", help="Artefact.  [default: NAME.SUFFIX]")
@click.option("--images", metavar="DIR", help=IMAGES_HELP)
@click.option("--labels", metavar="DIR", help="int8: label images of the same stems, for mIoU.")
@click.option("--max-drop", type=click.FloatRange(0, 1), default=0.01, help=MAX_DROP_HELP)
@click.option("--force", is_flag=True, help="int8: write it even where float is better.")
@click.option("--tolerance", type=float, help="Largest relative error.  [default: 1e-4; fp16 2e-2]")
@click.option("--no-verify", is_flag=True, help="Neither check the artefact nor time it.")
@click.option("--disable-pass", multiple=True, metavar="NAME", help="Leave a pass out.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, help="Of random weights and of noise images."
)
@click.option("--dry-run", is_flag=True, help="Do everything but write, check and time it.")
@click.option("--draw", type=FileType(".svg", ".png"), help="A drawing of what is written.")
@click.option("--report", type=FileType(".json", ".html"), help="All that is known of it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    genotype: str,
    dry_run: bool,
    draw: Path | None,
    report: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Compile GENOTYPE into an artefact that runs without this project.

    GENOTYPE is a file in any notation, a published name (arch0, arch1, arch2) or the
    nested list itself. Without --weights the weights are random, from --seed.
    """
    from backends.compile import compile_artefact, plan
    from backends.report import lines, to_dict

    _refuse_wrong_use(options)
    request = _request(genotype, options)
    _refuse_one_name(request.output, draw, report)
    with _whole(draw) as picture, _whole(report) as document:
        found = plan(request) if dry_run else compile_artefact(request)
        if picture is not None:
            _draw(found, picture)
        if document is not None:
            _write(found, document)
    if as_json:
        print_json(to_dict(found))
    else:
        click.echo("\n".join(lines(found)))
    return _status(found)


def _request(genotype: str, options: dict[str, Any]) -> Request:
    """What the words of the command line ask for."""
    from backends.base import ExportOptions
    from backends.request import Request
    from backends.weights import read_weights
    from genotype import zoo

    document = zoo.find(genotype)
    weights = options["weights"]
    found = read_weights(weights, document.genotype) if weights else None
    output = options["output"]
    if output is None:
        output = _name(genotype, document) + _suffix(options["target"])
    return Request(
        genotype=document.genotype,
        spec=_spec(document, found, options),
        weights=found,
        interface=_interface(found, options),
        options=ExportOptions(
            _size(document, found, options["input_size"]),
            options["batch"],
            options["precision"],
            options["opset"],
        ),
        output=Path(output),
        images=_images(options["images"]),
        verify=not options["no_verify"],
        tolerance=options["tolerance"],
        seed=options["seed"],
        disabled=options["disable_pass"],
        target=options["target"],
        int8=_int8(options),
    )


def _whole(path: Path | None) -> AbstractContextManager[Path | None]:
    """A temporary name for a file that appears whole or not at all; None for none."""
    return nullcontext() if path is None else atomic_write(path)


def _draw(report: Report, path: Path) -> None:
    from compiler.drawing import draw
    from genotype.pictures import save

    save(draw(report.network.optimised.graph, report.request.size, report.request.genotype), path)


def _write(report: Report, path: Path) -> None:
    """The whole report, in the form that the suffix tells."""
    from backends.report import nodes, to_dict

    if path.suffix.lower() == ".html":
        from backends.report_page import page

        path.write_text(page(report), encoding="utf-8")
        return
    document = to_dict(report) | {"graph": nodes(report)}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _status(report: Report) -> int:
    """The exit status, and a word where not all that was asked for could be done."""
    unchecked, missing = report.check.unchecked, report.made.missing
    if unchecked and report.request.verify and report.bytes is not None:
        note(f"warning: the artefact was not run: {unchecked}")
    if missing is None:
        return DONE
    builds = "builds" if report.bytes is not None else "would build"
    note(f"incomplete: {missing}; {report.made.output} {builds} it elsewhere")
    return INCOMPLETE


def _refuse_one_name(*paths: Path | None) -> None:
    named = [path.resolve() for path in paths if path is not None]
    if len(set(named)) < len(named):
        raise click.UsageError("--output, --draw and --report: one file, expected different ones")


def _refuse_wrong_use(options: dict[str, Any]) -> None:
    """What the types of the options do not see."""
    from compiler import CompilerError
    from compiler.passes import INFERENCE

    size = options["input_size"]
    if isinstance(size, tuple) and min(size) < STRIDE:
        found, least = f"{size[0]}x{size[1]}", f"{STRIDE}x{STRIDE}"
        raise click.UsageError(
            f"--input-size: {found}, expected {least} or more, the encoder's stride"
        )
    try:
        refuse_precision(options["target"], options["precision"])
    except CompilerError as error:
        raise click.UsageError(f"--{error}") from None
    for name in ("tolerance", "max_drop"):
        value = options[name]
        if value is not None and not value >= 0:  # NaN too
            raise click.UsageError(f"--{name.replace('_', '-')}: {value}, expected 0 or more")
    known = [each.name for each in INFERENCE]
    for name in options["disable_pass"]:
        if name not in known:
            raise click.UsageError(f"--disable-pass: no pass {name!r}, expected one of {known}")


def _suffix(target: str) -> str:
    """What ends a default name; ``auto`` gives its own."""
    return "" if target == AUTO else TARGETS[target].suffix


def _name(source: str, document: Document) -> str:
    """What to call the artefact: the document's name, else the file's."""
    name = document.extra.get("name")
    if isinstance(name, str) and re.fullmatch(r"[\w.-]+", name):
        return name
    return "genotype" if source.lstrip().startswith(("[", "{")) else Path(source).stem


def _spec(document: Document, weights: Weights | None, options: dict[str, Any]) -> ModelSpec:
    """Options over the weights' own word over the genotype document's over defaults."""
    from compiler import ModelSpec

    known = _model("genotype", document.extra)
    known |= _model(weights.source, weights.metadata) if weights else {}
    known |= {key: options[key] for key in _SPEC_OPTIONS if options[key] is not None}
    return ModelSpec(**known | {"auxiliary": "none"})


def _model(place: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """What a document, or a file's metadata, say of the network."""
    from compiler import CompilerError, ModelSpec

    model = source.get("model", {})
    if not isinstance(model, dict):
        raise CompilerError(f"{place}: model", repr(model)[:60], "an object")
    try:
        return ModelSpec.from_dict(model).to_dict() if model else {}
    except CompilerError as error:
        raise CompilerError(f"{place}: {error.place}", error.found, error.expected) from None


def _size(
    document: Document, weights: Weights | None, wanted: tuple[int, int] | str | None
) -> tuple[int, int] | None:
    """What was asked for, else what the network was trained on; None for dynamic."""
    if wanted is not None:
        return wanted if isinstance(wanted, tuple) else None
    for source in (weights.metadata if weights else {}, document.extra):
        own = source.get("size")
        if isinstance(own, list) and len(own) == 2 and all(type(n) is int for n in own):
            return max(own[0], STRIDE), max(own[1], STRIDE)
    return 512, 512


def _interface(weights: Weights | None, options: dict[str, Any]) -> Interface:
    """The options, with the weights' own normalisation where they name one."""
    from compiler import CompilerError
    from compiler.interface import Interface

    found = Interface(options["head"], options["resize_output"] == "input", options["input_format"])
    own = weights.metadata.get("normalisation") if weights else None
    if own is None:
        return found
    try:
        mean, deviation = ([float(v) for v in own[key]] for key in ("mean", "deviation"))
        if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        place = f"{weights.source if weights else ''}: normalisation"
        raise CompilerError(place, repr(own)[:60], "mean and deviation, 3 numbers each") from None
    return replace(found, mean=tuple(mean), deviation=tuple(deviation))


def _images(folder: str | None) -> list[Any]:
    """At most 8 photographs spread over a folder."""
    if folder is None:
        return []
    from backends.images import find_images, read_image

    return [read_image(path) for path in find_images(folder, 8)]


def _int8(options: dict[str, Any]) -> Int8Options | None:
    """What int8 is asked to be; None for another precision."""
    if options["precision"] != "int8":
        for name in ("labels", "force"):
            if options[name]:
                raise click.UsageError(f"--{name} is for --precision int8")
        return None
    if options["images"] is None:
        raise click.UsageError("--precision int8 needs photographs to calibrate on: --images DIR")
    from backends.int8 import Int8Options, find_photographs

    photographs = find_photographs(options["images"], options["labels"])
    tensorrt = options["target"].startswith("trt")
    return Int8Options(photographs, options["max_drop"], options["force"], tensorrt=tensorrt)

"""``nascompile``: makes an artefact of an architecture and its weights."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auxnas.backends.base import INCOMPLETE
from auxnas.backends.targets import AUTO, HELP, TARGETS, target_of
from auxnas.compiler.files import atomic_write
from auxnas.compiler.interface import FORMATS
from auxnas.console import DONE, OneLineCommand, note, print_json, say
from auxnas.genotype.plugins import PluginError
from auxnas.nascompile.options import (
    DEFAULTS,
    MOST_CLASSES,
    OPSETS,
    PRECISIONS,
    RESIZES,
    OptionError,
)
from auxnas.options import (
    DRAWINGS,
    BatchType,
    FileType,
    PathType,
    SizeType,
    depth_scale,
    device_command,
    device_option,
    json_option,
    part_option,
)

if TYPE_CHECKING:
    from auxnas.backends.compiling.compile import Report


class TargetType(click.ParamType[str]):
    """A target's name, or where one of the user's own is."""

    name = "target"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The name, which is that of a target."""
        try:
            return value if value == AUTO or target_of(value) else ""
        except PluginError as error:
            self.fail(error.said, param, ctx)


WEIGHTS_HELP = (
    "Of this architecture: our .safetensors, or a published checkpoint (.pth, read by torch)."
)
PRECISION_HELP = (
    "bf16: computed in bfloat16, by processors that have it. int8: the layers that bear it, "
    "calibrated on --images; the artefact stays fp32, and says so, where int8 is not faster or "
    "changes more than --max-drop. auto: the fastest of all that runs here within --max-drop, "
    "judged on --images (on noise without, and without int8). What is not asked for is not "
    "changed: fp32, of the target onnx."
)
IMAGES_HELP = (
    "Check on these photographs instead of noise. int8: calibrate on them (8 or more; a quarter "
    "is kept apart to judge by)."
)
LABELS_HELP = (
    "int8: label files at the same places, images of classes, depth maps as in training or .npy "
    "of other numbers (joints: rows of x, y and flag, then root of the area, head and score): "
    "scores of both, of segmentation the mIoU."
)
MAP_HELP = (
    "Other numbers for label values: -1 (0 becomes not labelled), 255=1, 1-150=0-149; of --labels, "
    "as in nassearch."
)
HEAD_HELP = (
    "Output of the network: of segmentation logits, probabilities or labels; of another task "
    "what that has."
)
MAX_DROP_HELP = (
    "int8 and auto: largest disagreement with the float network: of segmentation the share of "
    "pixels that may change label.  [default: 0.01]"
)
TOLERANCE_HELP = (
    "Largest error, relative to the output's scale; with --head labels the share of pixels "
    "that may change label.  [default: 1e-4, fp16 2e-2, bf16 1e-1; "
    "labels 1e-3, fp16 1e-2, bf16 5e-2]"
)
WEB_RUNTIME_HELP = (
    "web: folder of the npm package onnxruntime-web.  [default: fetched once, with npm]"
)
DRY_RUN_HELP = "Neither write the artefact nor run it; --draw and --report are written."


@click.command(cls=OneLineCommand, context_settings={"show_default": True})
@click.argument("genotype")
@click.option("--weights", type=PathType(), metavar="FILE", help=WEIGHTS_HELP)
@click.option("--target", type=TargetType(), metavar="NAME", default=DEFAULTS["target"], help=HELP)
@click.option(
    "--classes",
    type=click.IntRange(1, MOST_CLASSES),
    metavar="N",
    help="Number of classes.  [default: the weights', else 21]",
)
@click.option(
    "--agg-size",
    type=click.IntRange(1),
    metavar="N",
    help="Decoder channels.  [default: the weights', else 64]",
)
@click.option(
    "--sep-repeats",
    type=click.IntRange(1),
    metavar="N",
    help="Repeats of a separable convolution.  [default: the weights', else 2]",
)
@click.option(
    "--width",
    type=click.FloatRange(0.05, 4),
    metavar="X",
    help="Encoder width.  [default: the weights', else 1.0]",
)
@part_option("encoder", "the weights', else mobilenet_v2")
@part_option("task", "the weights', else segmentation")
@part_option("vocabulary")
@click.option(
    "--input-size",
    type=SizeType(dynamic=True),
    help="Image height and width, or dynamic.  [default: the weights', else 512x512]",
)
@click.option(
    "--batch", type=BatchType(), default=DEFAULTS["batch"], help="Images in a batch, or dynamic."
)
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default=DEFAULTS["precision"], help=PRECISION_HELP
)
@click.option("--head", metavar="NAME", default=DEFAULTS["head"], help=HEAD_HELP)
@click.option(
    "--resize-output",
    type=click.Choice(RESIZES),
    default=DEFAULTS["resize_output"],
    help="input: the output is grown to the image's size.",
)
@click.option(
    "--input-format",
    type=click.Choice(FORMATS),
    default=DEFAULTS["input_format"],
    help="nhwc-uint8: bytes of a camera; the network normalises them.",
)
@click.option(
    "--opset",
    type=click.IntRange(*OPSETS),
    metavar="N",
    help="Version of the ONNX operators.  [default: 18]",
)
@click.option(
    "--compute-capability",
    multiple=True,
    metavar="X.Y",
    help="rtx: of a GPU to build for; may be repeated.  [default: Ampere and later]",
)
@click.option("--web-runtime", type=PathType(), metavar="DIR", help=WEB_RUNTIME_HELP)
@click.option(
    "-o",
    "--output",
    type=PathType(),
    metavar="FILE",
    help="File to write, of web the folder.  [default: NAME.SUFFIX]",
)
@click.option("--images", type=PathType(), metavar="DIR", help=IMAGES_HELP)
@click.option("--labels", type=PathType(), metavar="DIR", help=LABELS_HELP)
@depth_scale
@click.option("--map", metavar="MAP", help=MAP_HELP)
@click.option("--max-drop", type=click.FloatRange(0, 1), metavar="X", help=MAX_DROP_HELP)
@click.option("--force", is_flag=True, help="int8: write it even where float is better.")
@click.option("--tolerance", type=float, metavar="X", help=TOLERANCE_HELP)
@device_option("Check and time the artefact on this machine, where nasrun is")
@device_command
@click.option("--no-verify", is_flag=True, help="Neither check the artefact nor time it.")
@click.option(
    "--disable-pass", multiple=True, metavar="NAME", help="Pass to leave out; may be repeated."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=DEFAULTS["seed"],
    help="Seed of random weights and of noise images.",
)
@click.option("--dry-run", is_flag=True, help=DRY_RUN_HELP)
@click.option("--draw", type=FileType(*DRAWINGS), help="File for a drawing of the network.")
@click.option(
    "--report", type=FileType(".json", ".html"), help="File for costs, checks and versions."
)
@json_option
def main(
    genotype: str,
    dry_run: bool,
    draw: Path | None,
    report: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Compile GENOTYPE into an artefact that runs without this project.

    GENOTYPE is a file in any notation, RUN:TRIAL or RUN:best of a search, a published name
    (arch0, arch1, arch2), a hand-made network (lwrf, deeplabv3, deeplabv3-aspp, deeplabv3plus,
    simple-resnet50) or the nested list itself. Without --weights the weights are random, from
    --seed.
    """
    from auxnas.backends.compiling.compile import compile_artefact, plan
    from auxnas.backends.compiling.report import report_lines, to_dict
    from auxnas.nascompile.requested import request_of
    from auxnas.progress import display_on_stderr

    others = {"--draw": draw, "--report": report}
    try:
        request = request_of(genotype, options, note, {k: v for k, v in others.items() if v})
    except OptionError as error:
        raise click.UsageError(error.line) from None
    with _whole(draw) as picture, _whole(report) as document:
        found = plan(request) if dry_run else compile_artefact(request, display_on_stderr())
        if picture is not None:
            _draw(found, picture)
        if document is not None:
            _write(found, document)
    if as_json:
        print_json(to_dict(found))
    else:
        say("\n".join(report_lines(found)))
    return _status(found)


def _whole(path: Path | None) -> AbstractContextManager[Path | None]:
    """A temporary name for a file that appears whole or not at all; None for none."""
    return nullcontext() if path is None else atomic_write(path)


def _draw(report: Report, path: Path) -> None:
    from auxnas.compiler.drawing.network_drawing import draw_network
    from auxnas.drawing import save

    save(
        draw_network(report.network.optimised.graph, report.request.size, report.request.genotype),
        path,
    )


def _write(report: Report, path: Path) -> None:
    """The whole report, in the form that the suffix tells."""
    from auxnas.backends.compiling.report import nodes, to_dict

    if path.suffix.lower() == ".html":
        from auxnas.nascompile.page import report_page

        path.write_text(report_page(report), encoding="utf-8")
        return
    document = to_dict(report) | {"graph": nodes(report)}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _status(report: Report) -> int:
    """The exit status, and a word where not all that was asked for could be done."""
    unchecked, missing = report.check.unchecked, report.made.missing
    made, row = report.made, target_of(report.made.target)
    suffixes = tuple(each.suffix.lower() for each in (row, *TARGETS.values()))
    if not row.folder and not made.output.name.lower().endswith(suffixes):
        note(f"note: --output {made.output}: {row.suffix} is the suffix of target {made.target}")
    if unchecked and report.request.verify and report.bytes is not None:
        note(f"warning: the artefact was not run: {unchecked}")
    if missing is None:
        return DONE
    builds = "builds" if report.bytes is not None else "would build"
    note(f"incomplete: {missing}; {report.made.output} {builds} it elsewhere")
    return INCOMPLETE

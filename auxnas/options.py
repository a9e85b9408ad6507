"""Kinds of options that our command lines share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from auxnas.genotype.plugins import trust_place
from auxnas.genotype.vocabulary import find_vocabulary

if TYPE_CHECKING:
    from auxnas.backends.devices import Device

F = TypeVar("F", bound=Callable[..., Any])


def trust_value(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """The option's value; code of the user's own that it names may be run."""
    return None if value is None else trust_place(value)


def _import_vocabulary(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """The option's value; the vocabulary is imported, which adds its primitives."""
    if value is not None:
        find_vocabulary(trust_place(value))
    return value


depth_scale = click.option(
    "--depth-scale",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Units a metre of stored depth.  [default: 1000; 1 of real numbers]",
)
_PARTS = {
    "encoder": "Encoder: mobilenet_v2, mobilenet_v2_torchvision, mobilenetv4_conv_small, "
    "mobilenetv4_conv_medium, efficientnet_lite0, repvgg_a0, resnet18, resnet34, resnet50, "
    "resnet101, resnet152, timm:NAME, or package.module:Class of your own.",
    "task": "Task: segmentation, depth, pose, with options perhaps (depth,max=80,crop=garg), or "
    "package.module:Class of your own.",
    "vocabulary": "Operations: cvpr2019, the paper's, or package.module:attribute of your own, "
    "whose module is imported with the primitives that it adds.",
}


def part_option(name: str, default: str = "") -> Callable[[F], F]:
    """``--encoder``, ``--task`` or ``--vocabulary``; code of the user's own that it names may run.

    Args:
        name: of the option.
        default: what is taken without it, in words.
    """
    return click.option(
        f"--{name}",
        metavar="NAME",
        callback=_import_vocabulary if name == "vocabulary" else trust_value,
        help=_PARTS[name] + (f"  [default: {default}]" if default else ""),
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
DRAWINGS = (".svg", ".png")
"""Suffixes of a drawing."""


def threads_option(default: str) -> Callable[[F], F]:
    """``--threads``; ``default``: those taken without it, in words."""
    return click.option(
        "--threads",
        type=click.IntRange(1, 1024),
        metavar="N",
        help=f"Processor threads within an operation.  [default: {default}]",
    )


def device_option(what: str) -> Callable[[F], F]:
    """``--device``; ``what`` is done there."""
    how = "by ssh with its own settings and keys"
    return click.option(
        "--device", metavar="ssh:USER@HOST[:PORT]", help=f"{what}; {how}.  [default: here]"
    )


device_command = click.option(
    "--device-command",
    metavar="COMMAND",
    help="Run on --device in place of nasrun bench --json, or that with its path before it. Behind "
    "it are the artefact's path, and INPUT.npy and OUTPUT.npy where outputs are compared; it "
    "prints a JSON object with latency_ms.",
)


def device_of(name: str | None, command: str | None) -> Device | None:
    """The device that ``--device`` and ``--device-command`` name; None for this machine.

    Raises:
        UsageError: for a command of none.
        CompilerError: for a device that none is called.
    """
    if name is None and command is not None:
        raise click.UsageError("--device-command is for --device")
    if name is None:
        return None
    from auxnas.backends.devices import parse_device
    from auxnas.progress import display_on_stderr

    return parse_device(name, command).telling(display_on_stderr().say)


class SizeType(click.ParamType[tuple[int, int] | str]):
    """``HxW``: two positive numbers, height first; or ``dynamic`` where that is allowed."""

    name = "HxW"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The name as it is, not in capitals."""
        return self.name

    def __init__(self, dynamic: bool = False) -> None:
        self.dynamic = dynamic
        self.words = ("dynamic",) if dynamic else ()

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int] | str:
        """(height, width), or the word ``dynamic``."""
        if isinstance(value, tuple):
            return value[0], value[1]
        if self.dynamic and value == "dynamic":
            return "dynamic"
        match = re.fullmatch(r"0*([1-9]\d*)[xX]0*([1-9]\d*)", value)
        if match is None:
            self.fail(f"{value!r}: expected HEIGHTxWIDTH, for example 512x512", param, ctx)
        from auxnas.compiler.shapes import LARGEST_SIDE

        if max(len(match[1]), len(match[2])) > len(str(LARGEST_SIDE)):
            self.fail(f"{value!r}: expected sides of at most {LARGEST_SIDE} pixels", param, ctx)
        return int(match[1]), int(match[2])


class BatchType(click.ParamType[int | None]):
    """A positive number, or ``dynamic``."""

    name = "N"
    words = ("dynamic",)

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        """The number, or None for dynamic."""
        if isinstance(value, int) or value == "dynamic":
            return value if isinstance(value, int) else None
        if not re.fullmatch(r"[1-9]\d{0,3}", value):
            self.fail(f"{value!r}: expected a number from 1 to 9999, or dynamic", param, ctx)
        return int(value)


class PathType(click.Path):
    """A path; the empty one, which would stand for the current folder, is refused.

    Args:
        words: what may stand in place of one.
    """

    def __init__(self, *words: str, **how: Any) -> None:
        super().__init__(**how)
        self.words = words

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The path."""
        if value == "":
            self.fail("'': expected a path (. is the current folder)", param, ctx)
        return super().convert(value, param, ctx)


class FileType(click.ParamType[Path]):
    """A file to write, whose suffix tells its form."""

    name = "FILE"

    def __init__(self, *suffixes: str) -> None:
        self.suffixes = suffixes

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """The path."""
        path = Path(value)
        if path.suffix.lower() not in self.suffixes:
            self.fail(f"{value!r}: expected a name that ends in {' or '.join(self.suffixes)}")
        return path

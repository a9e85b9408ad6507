"""Checks of the options of ``nascompile`` together, before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auxnas.backends.targets import AUTO, TARGETS, check_precision, target_of
from auxnas.compiler import CompilerError
from auxnas.compiler.errors import check_choice, check_integer, check_type
from auxnas.compiler.interface import FORMATS
from auxnas.compiler.passes import INFERENCE
from auxnas.genotype.errors import short_repr
from auxnas.nascompile.options import MOST_CLASSES, OPSETS, PRECISIONS, RESIZES, OptionError

STRIDE = 32
"""Of the encoder's deepest output: a smaller image is less than one pixel of it."""


def check_options(options: Mapping[str, Any]) -> None:
    """Checks the ranges of values, and that each option has an effect beside the others.

    Raises:
        CompilerError: naming an option that takes no such value.
        OptionError: for what a command line's types do not see.
    """
    _check_known(options)
    _check_size(options["input_size"])
    try:
        if options["precision"] != AUTO:
            check_precision(options["target"], options["precision"])
    except CompilerError as error:
        raise OptionError(f"--{error}") from None
    for name in ("tolerance", "max_drop"):
        value = options[name]
        if value is not None and not (isinstance(value, int | float) and value >= 0):  # NaN too
            raise OptionError(f"--{name.replace('_', '-')}: {value}, expected 0 or more")
    capabilities = options["compute_capability"]
    target = options["target"]
    if capabilities and (target == AUTO or not target_of(target).capabilities):
        built = [name for name, row in TARGETS.items() if row.capabilities]
        found = f"--compute-capability {capabilities[0]}: for --target {target}"
        expected = f"--target {' or '.join(built)}, whose engines are built for GPUs named"
        raise OptionError(f"{found}, expected {expected}")
    _check_effect(options)
    known = [each.name for each in INFERENCE]
    for name in options["disable_pass"]:
        if name not in known:
            raise OptionError(
                f"--disable-pass: no pass {name!r}, expected one of {', '.join(known)}"
            )


def _check_known(options: Mapping[str, Any]) -> None:
    choices = {
        "precision": PRECISIONS,
        "resize_output": RESIZES,
        "input_format": FORMATS,
    }
    check_type("target", options["target"], str)
    if options["target"] != AUTO:
        target_of(options["target"])
    for name, known in choices.items():
        check_choice(name, options[name], known)
    for name, least, most in (("classes", 1, MOST_CLASSES), ("opset", *OPSETS)):
        if options[name] is not None:
            check_integer(name, options[name], least, most)


def _check_size(size: Any) -> None:
    if size is None or size == "dynamic":
        return
    if not (isinstance(size, tuple) and [type(side) for side in size] == [int, int]):
        raise CompilerError("input_size", short_repr(size), "(height, width) or 'dynamic'")
    if min(size) < STRIDE:
        found, least = f"{size[0]}x{size[1]}", f"{STRIDE}x{STRIDE}"
        raise OptionError(f"--input-size: {found}, expected {least} or more")


def _check_effect(options: Mapping[str, Any]) -> None:
    """Checks that each option has an effect beside the others."""
    int8, checked = options["precision"] == "int8", not options["no_verify"]
    judged = int8 or options["precision"] == AUTO
    onnx = options["target"] == AUTO or target_of(options["target"]).opset
    web = options["target"] != AUTO and bool(target_of(options["target"]).folder)
    pointless = {
        "labels": not judged and "is for --precision int8",
        "depth_scale": options["labels"] is None and "is for --labels of depth",
        "map": options["labels"] is None and "is for --labels",
        "force": not int8 and "is for --precision int8",
        "max_drop": not judged and "is for --precision int8 and auto",
        "tolerance": not checked and "has no effect with --no-verify",
        "images": not checked and not judged and "has no effect with --no-verify",
        "device": not checked and "has no effect with --no-verify",
        "device_command": options["device"] is None and "is for --device",
        "web_runtime": not web and "is for --target web",
        "opset": not onnx and f"has no effect with --target {options['target']}",
    }
    for name, reason in pointless.items():
        if reason and options[name] is not None and options[name] is not False:
            raise OptionError(f"--{name.replace('_', '-')} {reason}")

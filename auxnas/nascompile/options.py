"""Options of ``nascompile``, for the command line and for ``auxnas.compile``: one place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from os import PathLike
from types import MappingProxyType
from typing import Any, Literal, TypedDict

from auxnas.backends.targets import AUTO
from auxnas.compiler.tasks import IGNORE
from auxnas.genotype.errors import InputError

Where = str | PathLike[str]
MOST_CLASSES = IGNORE
OPSETS = 18, 22
"""Oldest and newest version of the ONNX operators."""
PRECISIONS = ("fp32", "fp16", "bf16", "int8", AUTO)
RESIZES = ("none", "input")


class Options(TypedDict, total=False):
    """Keywords of ``auxnas.compile``: the command's options."""

    weights: Where | None
    target: str
    classes: int | None
    agg_size: int | None
    sep_repeats: int | None
    width: float | None
    encoder: str | None
    task: str | None
    vocabulary: str | None
    input_size: tuple[int, int] | Literal["dynamic"] | None
    batch: int | Literal["dynamic"]
    precision: str
    head: str
    resize_output: str
    input_format: str
    opset: int | None
    compute_capability: Sequence[str]
    web_runtime: Where | None
    images: Where | None
    labels: Where | None
    depth_scale: float | None
    map: str | None
    max_drop: float | None
    force: bool
    tolerance: float | None
    no_verify: bool
    device: str | None
    device_command: str | None
    disable_pass: Sequence[str]
    seed: int


DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        **dict.fromkeys(Options.__annotations__),
        "target": "onnx",
        "batch": 1,
        "precision": "fp32",
        "head": "logits",
        "resize_output": "none",
        "input_format": "nchw-float",
        "force": False,
        "no_verify": False,
        "disable_pass": (),
        "compute_capability": (),
        "seed": 0,
        "output": None,
    }
)
"""None: the weights' own word or the genotype's, else the default that the help names."""


class OptionError(InputError):
    """Options are wrong, or do not go together.

    Attributes:
        line: the message as a command line spells options; the error's own has keywords.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        super().__init__(re.sub(r"(?<!\S)--([a-z-]+)", lambda m: m[1].replace("-", "_"), line))

"""Ends of shipped networks, and the wording of how far two networks' outputs are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from auxnas.compiler.ir import make_node
from auxnas.compiler.primitives import Shape, primitive
from auxnas.compiler.semantics import evaluate_node

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """An end of a shipped network: what is computed of the main output.

    Attributes:
        ops: primitives without weights, applied in order: a name, or name and attributes.
        resize: whether the output is always brought to the image's size first.
        stride: of the image's sides by those of the maps that the output is brought to first,
            where its own are larger; 0 for as it is.
    """

    ops: tuple[str | tuple[str, Mapping[str, int]], ...] = ()
    resize: bool = False
    stride: int = 0

    @property
    def steps(self) -> tuple[tuple[str, Mapping[str, int]], ...]:
        """Name and attributes of each primitive."""
        return tuple((op, {}) if isinstance(op, str) else op for op in self.ops)

    def of(self, output: Array) -> Array:
        """The head's output, of a main output (N, channels, H, W) that has the right size."""
        for op, attrs in self.steps:
            output = evaluate_node(make_node("head", op, ("output",), None, **attrs), [output], {})
        return output.astype(self.result) if self.bytes else output

    @property
    def result(self) -> str:
        """Type of what comes out: that of the last primitive."""
        last = [op for op, _ in self.steps][-1:]
        return primitive(last[0], "head").result if last else "float32"

    def shape(self, maps: Shape) -> Shape:
        """Shape of the head's output, of maps (channels, height, width)."""
        for op, attrs in self.steps:
            maps = primitive(op, "head").shape(attrs, [maps])
        return maps

    @property
    def bytes(self) -> bool:
        """Whether bytes come out, the numbers of channels."""
        return self.result == "uint8"

    @property
    def decides(self) -> bool:
        """Whether choices come out: outputs are as near as their disagreement says."""
        return any(primitive(op, "head").decides for op, _ in self.steps)


@dataclass(frozen=True, slots=True)
class Mirroring:
    """Averaging of a network's output with that of the mirrored image, where it is scored.

    Attributes:
        channels: of each channel the one that it becomes in a mirror.
        shift: pixels of the output to the right that the mirrored one's is moved, its first columns
            apart: strides of a network leave the two so far from each other.
    """

    channels: tuple[int, ...]
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Name and wording of the number by which two outputs of a network differ.

    Attributes:
        name: in reports and metadata.
        text: for people, with a place for the number: ``{:.3%} of pixels change label``.
        unit: of the number, after a percent sign: ``of pixels``.
        distance: for people, with a place for the mean of the task's ``distance``; may be empty.
    """

    name: str
    text: str
    unit: str
    distance: str = ""

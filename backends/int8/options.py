"""Options of int8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from auxnas.backends.base import Runner
from auxnas.backends.int8.photographs import Photographs
from auxnas.backends.measuring.timing import Feed, Latency, side_by_side
from auxnas.compiler import Size
from auxnas.compiler.errors import check_number, check_type
from auxnas.compiler.interface import Interface
from auxnas.compiler.tasks import Task

Timer = Callable[[Mapping[str, Runner], Feed], Mapping[str, Latency]]
"""Seconds of each of several networks that take turns on an input."""

Open = Callable[[Any, str], Runner | None]
"""Opener of a network in memory, in a precision; gives None where onnxruntime does."""

LONGEST = 4.0
"""Seconds after which no more rounds are timed: float and int8 are further apart than rounds."""
MAX_DROP = 0.01
"""Disagreement allowed by default; of pixels that change label the goal of the project."""


def in_onnxruntime(model: Any, precision: str) -> None:
    """Leaves a network to onnxruntime."""


@dataclass(frozen=True)
class Int8Options:
    """Settings of a quantisation.

    Attributes:
        photographs: to calibrate on and to judge by.
        max_drop: largest disagreement with the float network: of segmentation the share of
            pixels that may change label.
        forced: whether int8 is written even where float is better.
        timer: measures both side by side.
        runtimes: each opens a network in memory, in a precision, as it will run; where one gives
            none, onnxruntime does.
        tensorrt: whether TensorRT will run it. Numbers are signed and symmetric then, and
            are not timed: onnxruntime's times would say nothing.

    Raises:
        CompilerError: naming the field that is out of range.
    """

    photographs: Photographs
    max_drop: float = MAX_DROP
    forced: bool = False
    timer: Timer = field(default=partial(side_by_side, longest=LONGEST), repr=False)
    runtimes: tuple[Open, ...] = field(default=(in_onnxruntime,), repr=False)
    tensorrt: bool = False

    def __post_init__(self) -> None:
        check_type("photographs", self.photographs, Photographs)
        check_number("max_drop", self.max_drop, 0, 1)


@dataclass(frozen=True)
class NetworkEnds:
    """Inputs and outputs of the network to be quantised.

    Attributes:
        size: (height, width) that photographs are brought to.
        interface: form of its input and output.
        classes: number of classes.
        batch: how many images it takes at once; None for any number.
        others: sizes that it is judged at besides, where it takes any.
    """

    size: Size
    interface: Interface
    classes: int
    batch: int | None = 1
    others: tuple[Size, ...] = ()

    @property
    def task(self) -> Task:
        """The meaning of its output, on so many classes."""
        task = self.interface.task
        if not task.target.classes or len(task.classes) == self.classes:
            return task
        return replace(task, classes=tuple(f"class {number}" for number in range(self.classes)))

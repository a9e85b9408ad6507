"""Input and output of a shipped network: its two ends.

Both ends are nodes of the same graph, so that one check covers them: camera bytes in,
label map out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from auxnas.compiler.encoders import IMAGENET, Normalisation
from auxnas.compiler.errors import CompilerError, check_choice, check_number, check_type
from auxnas.compiler.ir import Graph, Node, Program, make_node
from auxnas.compiler.semantics import MOST_LABELS
from auxnas.compiler.shapes import infer_shapes
from auxnas.compiler.tasks import Head, Segmentation, Task
from auxnas.genotype.errors import short_repr

FORMATS = ("nchw-float", "nhwc-uint8")
NEAR, FAR = 1e-6, 1e6
"""Bounds of a normalisation's numbers, within which float32 holds what comes of them."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The two ends of a shipped network.

    Attributes:
        head: one of the task's: of segmentation ``logits``; ``probabilities``: their
            softmax; ``labels``: (N, 1, H, W) uint8, the largest channel.
        resize: whether the output has the image's size (labels always have).
        format: ``nchw-float``: (N, 3, H, W) float32, RGB / 255 less mean over deviation;
            ``nhwc-uint8``: (N, H, W, 3) bytes, normalised inside.
        mean: per channel, of RGB / 255.
        deviation: per channel, of RGB / 255.
        task: meaning of the output.

    Raises:
        CompilerError: for an unknown head or format, or a normalisation that is none.
    """

    head: str = "logits"
    resize: bool = False
    format: str = "nchw-float"
    mean: Sequence[float] = IMAGENET.mean
    deviation: Sequence[float] = IMAGENET.deviation
    task: Task = field(default_factory=Segmentation)

    def __post_init__(self) -> None:
        check_choice("head", self.head, self.task.heads)
        check_choice("format", self.format, FORMATS)
        check_type("resize", self.resize, bool)
        if self.resize and self.end.stride:
            expected = f"none: {self.head} are found at a stride of {self.end.stride}"
            raise CompilerError("resize", "an output of the image's size", expected)
        for name, values, least in (("mean", self.mean, -FAR), ("deviation", self.deviation, NEAR)):
            if not isinstance(values, tuple | list) or len(values) != 3:
                raise CompilerError(name, short_repr(values), "3 numbers")
            for channel, value in enumerate(values):
                check_number(f"{name}[{channel}]", value, least, FAR)

    @property
    def normalisation(self) -> Normalisation:
        """Mean and deviation."""
        (a, b, c), (d, e, f) = self.mean, self.deviation
        return Normalisation((a, b, c), (d, e, f))

    @property
    def end(self) -> Head:
        """The head itself."""
        return self.task.heads[self.head]

    @property
    def resized(self) -> bool:
        """Whether the output has the image's size."""
        return self.resize or self.end.resize

    @property
    def stride(self) -> int:
        """Of the image's sides by those of the maps that the output is brought to; 0: its own."""
        return 1 if self.resized else self.end.stride


def parse_normalisation(value: Any, place: str) -> Normalisation:
    """Mean and deviation of plain data: ``{"mean": [...], "deviation": [...]}``.

    Raises:
        CompilerError: at ``place``, for anything else.
    """
    try:
        (a, b, c), (d, e, f) = (map(float, value[key]) for key in ("mean", "deviation"))
        return Normalisation((a, b, c), (d, e, f))
    except (KeyError, TypeError, ValueError, OverflowError):
        expected = "mean and deviation, 3 numbers each"
        raise CompilerError(f"{place}: normalisation", short_repr(value), expected) from None


def with_interface(program: Program, interface: Interface) -> Program:
    """``program`` with these ends; its first output is ``main`` still.

    Raises:
        CompilerError: for labels of more classes than a byte tells apart.
    """
    if interface.end.bytes:
        _check_label_range(program.graph, interface.head)
    graph, params = _output(program.graph, interface), program.params
    if interface.format == "nhwc-uint8":
        graph, params = _bytes(graph, params, interface)
    return replace(program, graph=graph, params=params)


def _check_label_range(graph: Graph, head: str) -> None:
    classes = infer_shapes(graph, (64, 64))[graph.outputs[0][1]][0]
    if classes > MOST_LABELS:
        expected = f"at most {MOST_LABELS}, as a label is a byte, or another head"
        raise CompilerError(f"head {head}", f"{classes} classes", expected)


def _output(graph: Graph, interface: Interface) -> Graph:
    (name, last), *others = graph.outputs
    added: list[Node] = []
    if interface.stride:
        like = _of_stride(graph, interface.stride, last)
        added.append(make_node("output.resize", "resize", (last, like)))
        last = added[-1].name
    for number, (op, attrs) in enumerate(interface.end.steps):
        part = f".{number}" if number else ""
        added.append(make_node(f"output.{interface.head}{part}", op, (last,), None, **attrs))
        last = added[-1].name
    return Graph((*graph.nodes, *added), ((name, last), *others))


def _of_stride(graph: Graph, stride: int, output: str) -> str:
    """A node whose maps have the image's sides over ``stride``: the image, where it is 1.

    Raises:
        CompilerError: where there is none, or the output's maps are larger.
    """
    sizes = ((64, 96), (97, 131))
    shapes = [infer_shapes(graph, size) for size in sizes]
    wanted = [tuple(-(-side // stride) for side in size) for size in sizes]
    like = [n.name for n in graph.nodes if [each[n.name][1:] for each in shapes] == wanted]
    if not like or shapes[0][output][1] > wanted[0][0]:
        found = f"maps of {'x'.join(map(str, shapes[0][output][1:]))} of an image of 64x96"
        raise CompilerError("output", found, f"a decoder whose stride is {stride} or more")
    return like[0]


def _bytes(
    graph: Graph, params: Mapping[str, Any], interface: Interface
) -> tuple[Graph, Mapping[str, Any]]:
    """Normalises inside: (b / 255 - mean) / deviation = b (1 / (255 d)) - mean / d.

    It stays its own node before the first convolution, whose zero padding then is zero in
    normalised units, as in training; folded into the convolution it would be black.
    """
    (image,) = graph.inputs
    raw = make_node(image.name, "input", channels=3, bytes=1)
    param = "input.normalise"
    scaled = make_node(param, "conv2d", (raw.name,), param, kernel=1, out=3, groups=3, bias=1)
    mean, deviation = np.array(interface.mean), np.array(interface.deviation)
    weights = {
        f"{param}.weight": (1 / (255 * deviation)).reshape(3, 1, 1, 1).astype(np.float32),
        f"{param}.bias": (-mean / deviation).astype(np.float32),
    }
    rest = tuple(node for node in graph.nodes if node is not image)
    rewired = Graph(rest, graph.outputs).substitute({image.name: scaled.name})
    return replace(rewired, nodes=(raw, scaled, *rewired.nodes)), dict(params) | weights

"""Records of primitives: everything that is known of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.semantics import Compute

Shape = tuple[int, ...]
"""(channels, height, width) of a map; of a graph's output perhaps another form."""
Shapes = Sequence[Shape]
Attrs = Mapping[str, int]
Moment = Callable[[Attrs, Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Attribute:
    """An integer attribute: its least value and, where it has one, its default."""

    least: int = 1
    default: int | None = None


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter array: its shape, whether training learns it, and its value before that.

    ``running_mean`` and ``running_var`` are statistics, not learnt and not counted. One of
    four axes is a kernel, which starts at random instead.
    """

    shape: tuple[int, ...]
    learnt: bool = True
    start: float = 0.0


@dataclass(frozen=True, slots=True)
class OnnxOp:
    """One ONNX node as plain data.

    Each of ``inputs`` is a position (``"0"``: the node's first input), ``"*"`` for all
    of them, a parameter's suffix (``"weight"``), ``""`` for one left out,
    ``"=6.0"`` for a constant, ``"size"`` for the output's size as Resize takes it, or
    ``"spread"`` for (N, 1, H, W) as int64. An ``Add`` of more than two is a chain. Among
    several nodes ``"@2"`` is the result of the third, and ``"float 1"`` or ``"int 0 -1"`` are
    vectors of float32 or int64, whatever the model's precision.
    """

    op_type: str
    inputs: tuple[str, ...]
    attrs: Mapping[str, int | float | str | list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Primitive:
    """Record of all that is known of a primitive.

    Attributes:
        name: its name in graphs and in vocabulary rows.
        arity: number of inputs (least, most).
        shape: output shape from the attributes and input shapes.
        attrs: its attributes.
        weights: parameter arrays by suffix, from the attributes and input channels; None
            for a primitive without any.
        multiply_adds: of a convolution, from the attributes, input shapes and output shape.
        elementwise: multiply-adds an output element that some countings add: 2 for a
            batch norm.
        onnx: its ONNX form from the attributes: a node, or several, of which the last is the
            result.
        pointwise: each output pixel depends on the same pixel of the inputs alone.
        keeps_nonnegative: the output is >= 0 where all inputs are.
        makes_nonnegative: the output is >= 0 whatever the input.
        constant: the output is the same whatever the input's values.
        separable: it brings the first input to the second's size, linearly, and rows and columns
            each by itself.
        size_from: index of an input of which only the size is used, if any.
        grows: the output has ``stride`` times the input's height and width, not their part.
        out_axis: axis of its kernel along which the output channels lie, where it has one: what
            is linear with such a kernel takes in a scale of each channel that follows.
        result: type of the output; what is not float32 can only be a graph's output.
        decides: the output is a choice: a small change of the input can change it by much.
        moment: mean square of the output from the attributes and those of independent inputs
            of mean 0, before training: an estimate that initial weights are scaled by.
        compute: its meaning, in numpy: the node, its operands (N, C, H, W) and its parameters
            by suffix to (N, C, H, W). None for ``input`` alone.
        torch: its form in torch, of a primitive that is not ours: a callable, or where one is
            as ``package.module:attribute``. Without weights it takes the operands in order and
            the attributes by name; with weights it takes the node and the operands' channels
            and gives a module, whose parameters have the suffixes' names. None: it cannot be
            trained.
        home: module that added it; empty for ours.
    """

    name: str
    arity: tuple[int, int]
    shape: Callable[[Attrs, Shapes], Shape]
    onnx: Callable[[Attrs], OnnxOp | tuple[OnnxOp, ...]]
    attrs: Mapping[str, Attribute] = field(default_factory=dict)
    weights: Callable[[Attrs, Sequence[int]], dict[str, Weight]] | None = None
    multiply_adds: Callable[[Attrs, Shapes, Shape], int] = lambda attrs, ins, out: 0
    elementwise: int = 0
    pointwise: bool = False
    keeps_nonnegative: bool = False
    makes_nonnegative: bool = False
    constant: bool = False
    separable: bool = False
    size_from: int | None = None
    grows: bool = False
    out_axis: int | None = None
    result: str = "float32"
    decides: bool = False
    moment: Moment = lambda attrs, ins: ins[0]
    compute: Compute | None = None
    torch: str | Callable[..., Any] | None = None
    home: str = ""

    def complete(self, given: Mapping[str, int], place: str) -> dict[str, int]:
        """``given`` with defaults filled in, validated.

        Raises:
            CompilerError: for an unknown or missing attribute or a value out of range.
        """
        unknown = sorted(given.keys() - self.attrs.keys())
        if unknown:
            known = ", ".join(self.attrs) or "none"
            raise CompilerError(place, f"{self.name} has no attribute {unknown[0]!r}", known)
        full = {}
        for name, attribute in self.attrs.items():
            value = given.get(name, attribute.default)
            if value is None:
                raise CompilerError(place, f"{self.name} without attribute {name!r}")
            if type(value) is not int or value < attribute.least:
                expected = f"an integer of at least {attribute.least}"
                raise CompilerError(f"{place}.{name}", repr(value), expected)
            full[name] = value
        return full

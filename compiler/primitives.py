"""The primitives: one record each, and everything known of it.

Shapes, costs, parameters, algebraic properties, the numpy meaning and the ONNX form are read
off the record. A primitive that is neither here nor added (``add_primitive``) does not exist:
asking for it raises.

Shapes are (channels, height, width); the batch is left out. Padding is always "same":
``dilation * (kernel - 1) / 2`` on every side, so a convolution of stride s maps H to
ceil(H / s).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import log, prod
from types import FunctionType, MappingProxyType
from typing import Any

from auxnas.compiler import semantics
from auxnas.compiler.errors import CompilerError
from auxnas.genotype.errors import short_repr
from auxnas.genotype.vocabulary import add_step

Shape = tuple[int, int, int]
Attrs = Mapping[str, int]


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
    ``"spread"`` for (N, 1, H, W) as int64. An ``Add`` of more than two is a chain.
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
        onnx: its ONNX form from the attributes.
        pointwise: each output pixel depends on the same pixel of the inputs alone.
        keeps_nonnegative: the output is >= 0 where all inputs are.
        makes_nonnegative: the output is >= 0 whatever the input.
        constant: the output is the same whatever the input's values.
        size_from: index of an input of which only the size is used, if any.
        result: type of the output; what is not float32 can only be a graph's output.
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
    shape: Callable[[Attrs, Sequence[Shape]], Shape]
    onnx: Callable[[Attrs], OnnxOp]
    attrs: Mapping[str, Attribute] = field(default_factory=dict)
    weights: Callable[[Attrs, Sequence[int]], dict[str, Weight]] | None = None
    multiply_adds: Callable[[Attrs, Sequence[Shape], Shape], int] = lambda attrs, ins, out: 0
    elementwise: int = 0
    pointwise: bool = False
    keeps_nonnegative: bool = False
    makes_nonnegative: bool = False
    constant: bool = False
    size_from: int | None = None
    result: str = "float32"
    moment: Callable[[Attrs, Sequence[float]], float] = lambda attrs, ins: ins[0]
    compute: semantics.Compute | None = None
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


def _ceil(size: int, stride: int) -> int:
    return -(-size // stride)


def _strided(shape: Shape, channels: int, stride: int) -> Shape:
    return channels, _ceil(shape[1], stride), _ceil(shape[2], stride)


def _same(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    if len(set(shapes)) > 1:
        raise CompilerError("inputs", f"shapes {list(shapes)}", "equal shapes")
    return shapes[0]


def _broadcast(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """Equal shapes, or maps of 1x1 that stand for every pixel."""
    full = [shape for shape in shapes if shape[1:] != (1, 1)]
    if len({shape[0] for shape in shapes}) > 1 or len(set(full)) > 1:
        raise CompilerError("inputs", f"shapes {list(shapes)}", "equal shapes, or maps of 1x1")
    return full[0] if full else shapes[0]


def _follow(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    return shapes[0][0], shapes[1][1], shapes[1][2]


def _spread_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    if shapes[0][1:] != (1, 1):
        raise CompilerError("inputs", f"a map of {shapes[0][1]}x{shapes[0][2]}", "one of 1x1")
    return _follow(attrs, shapes)


def _concat_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    sizes = {shape[1:] for shape in shapes}
    if len(sizes) > 1:
        raise CompilerError("inputs", f"sizes {sorted(sizes)}", "equal sizes")
    return sum(shape[0] for shape in shapes), *shapes[0][1:]


def _conv_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    return _strided(shapes[0], attrs["out"], attrs["stride"])


def _conv_weights(attrs: Attrs, channels: Sequence[int]) -> dict[str, Weight]:
    out, groups, kernel = attrs["out"], attrs["groups"], attrs["kernel"]
    if kernel % 2 == 0:
        raise CompilerError("kernel", str(kernel), "an odd number")
    if channels[0] % groups or out % groups:
        found = f"{groups} groups for {channels[0]} -> {out} channels"
        raise CompilerError("groups", found, "a divisor of both")
    weights = {"weight": Weight((out, channels[0] // groups, kernel, kernel))}
    return weights | ({"bias": Weight((out,))} if attrs["bias"] else {})


def _conv_multiply_adds(attrs: Attrs, shapes: Sequence[Shape], out: Shape) -> int:
    return prod(out) * (shapes[0][0] // attrs["groups"]) * attrs["kernel"] ** 2


def _square(attrs: Attrs) -> dict[str, list[int]]:
    padding = attrs.get("dilation", 1) * (attrs["kernel"] - 1) // 2
    return {
        "kernel_shape": [attrs["kernel"]] * 2,
        "strides": [attrs["stride"]] * 2,
        "dilations": [attrs.get("dilation", 1)] * 2,
        "pads": [padding] * 4,
    }


def _conv_onnx(attrs: Attrs) -> OnnxOp:
    inputs = ("0", "weight", "bias") if attrs["bias"] else ("0", "weight")
    return OnnxOp("Conv", inputs, {**_square(attrs), "group": attrs["groups"]})


def _batch_norm_weights(attrs: Attrs, channels: Sequence[int]) -> dict[str, Weight]:
    shape = (channels[0],)
    return {
        "weight": Weight(shape, start=1.0),
        "bias": Weight(shape),
        "running_mean": Weight(shape, False),
        "running_var": Weight(shape, False, start=1.0),
    }


_BATCH_NORM_ONNX = OnnxOp(
    "BatchNormalization",
    ("0", "weight", "bias", "running_mean", "running_var"),
    {"epsilon": semantics.BATCH_NORM_EPSILON},
)


def _resize_onnx(coordinates: str) -> OnnxOp:
    attrs = {"mode": "linear", "coordinate_transformation_mode": coordinates}
    return OnnxOp("Resize", ("0", "", "size"), attrs)


_NONE, _ONE, _TWO, _MANY = (0, 0), (1, 1), (2, 2), (1, 1 << 16)

_RECORDS = (
    Primitive(
        "input",
        _NONE,
        # Its size is the image's over ``stride``: see compiler.shapes. With ``bytes`` it
        # is fed (N, H, W, C) uint8, which the graph sees as (N, C, H, W) numbers 0..255.
        shape=lambda attrs, shapes: (attrs["channels"], 1, 1),
        onnx=lambda attrs: OnnxOp("", ()),
        attrs={
            "channels": Attribute(),
            "stride": Attribute(default=1),
            "bytes": Attribute(least=0, default=0),
        },
    ),
    Primitive(
        "vector",
        _NONE,
        compute=semantics.vector,
        shape=lambda attrs, shapes: (attrs["channels"], 1, 1),
        onnx=lambda attrs: OnnxOp("Identity", ("weight",)),
        attrs={"channels": Attribute()},
        weights=lambda attrs, channels: {"weight": Weight((1, attrs["channels"], 1, 1), False)},
    ),
    Primitive(
        "conv2d",
        _ONE,
        compute=semantics.conv2d,
        shape=_conv_shape,
        onnx=_conv_onnx,
        attrs={
            "out": Attribute(),
            "kernel": Attribute(),
            "stride": Attribute(default=1),
            "dilation": Attribute(default=1),
            "groups": Attribute(default=1),
            "bias": Attribute(least=0, default=0),
        },
        weights=_conv_weights,
        multiply_adds=_conv_multiply_adds,
    ),
    Primitive(
        "batch_norm",
        _ONE,
        compute=semantics.batch_norm,
        shape=_same,
        onnx=lambda attrs: _BATCH_NORM_ONNX,
        weights=_batch_norm_weights,
        elementwise=2,
        pointwise=True,
        moment=lambda attrs, ins: 1.0,
    ),
    Primitive(
        "relu",
        _ONE,
        compute=semantics.relu,
        shape=_same,
        moment=lambda attrs, ins: ins[0] / 2,
        onnx=lambda attrs: OnnxOp("Relu", ("0",)),
        pointwise=True,
        keeps_nonnegative=True,
        makes_nonnegative=True,
    ),
    Primitive(
        "relu6",
        _ONE,
        compute=semantics.relu6,
        shape=_same,
        moment=lambda attrs, ins: ins[0] / 2,
        onnx=lambda attrs: OnnxOp("Clip", ("0", "=0.0", "=6.0")),
        pointwise=True,
        keeps_nonnegative=True,
        makes_nonnegative=True,
    ),
    Primitive(
        "max_pool",
        _ONE,
        compute=semantics.max_pool,
        shape=lambda attrs, shapes: _strided(shapes[0], shapes[0][0], attrs["stride"]),
        onnx=lambda attrs: OnnxOp("MaxPool", ("0",), _square(attrs)),
        attrs={"kernel": Attribute(), "stride": Attribute(default=1)},
        keeps_nonnegative=True,
        # Of the largest of n independent normal numbers: 2.6 at n = 9, 4.1 at n = 25.
        moment=lambda attrs, ins: ins[0] * max(1.0, 1.5 * log(attrs["kernel"] ** 2) - 0.7),
    ),
    Primitive(
        "global_mean",
        _ONE,
        compute=semantics.global_mean,
        shape=lambda attrs, shapes: (shapes[0][0], 1, 1),
        onnx=lambda attrs: OnnxOp("GlobalAveragePool", ("0",)),
        keeps_nonnegative=True,
    ),
    Primitive(
        "spread",
        _TWO,
        compute=semantics.spread,
        shape=_spread_shape,
        onnx=lambda attrs: OnnxOp("Expand", ("0", "spread")),
        keeps_nonnegative=True,
        size_from=1,
    ),
    Primitive(
        "resize",
        _TWO,
        compute=semantics.resize,
        shape=_follow,
        onnx=lambda attrs: _resize_onnx("half_pixel"),
        keeps_nonnegative=True,
        size_from=1,
    ),
    Primitive(
        "resize_corners",
        _TWO,
        compute=semantics.resize_corners,
        shape=_follow,
        onnx=lambda attrs: _resize_onnx("align_corners"),
        keeps_nonnegative=True,
        size_from=1,
    ),
    Primitive(
        "add",
        _MANY,
        compute=semantics.add,
        shape=_broadcast,
        moment=lambda attrs, ins: sum(ins),
        onnx=lambda attrs: OnnxOp("Add", ("*",)),
        pointwise=True,
        keeps_nonnegative=True,
    ),
    Primitive(
        "concat",
        _MANY,
        compute=semantics.concat,
        shape=_concat_shape,
        moment=lambda attrs, ins: max(ins),
        onnx=lambda attrs: OnnxOp("Concat", ("*",), {"axis": 1}),
        pointwise=True,
        keeps_nonnegative=True,
    ),
    Primitive(
        "identity",
        _ONE,
        compute=semantics.identity,
        shape=_same,
        onnx=lambda attrs: OnnxOp("Identity", ("0",)),
        pointwise=True,
        keeps_nonnegative=True,
    ),
    Primitive(
        "softmax",
        _ONE,
        compute=semantics.softmax,
        shape=_same,
        onnx=lambda attrs: OnnxOp("Softmax", ("0",), {"axis": 1}),
        pointwise=True,
        makes_nonnegative=True,
    ),
    Primitive(
        "argmax",
        _ONE,
        compute=semantics.argmax,
        shape=lambda attrs, shapes: (1, *shapes[0][1:]),
        onnx=lambda attrs: OnnxOp("ArgMax", ("0",), {"axis": 1}),
        pointwise=True,
        makes_nonnegative=True,
        result="uint8",
    ),
    Primitive(
        "zero",
        _ONE,
        compute=semantics.zero,
        shape=_same,
        onnx=lambda attrs: OnnxOp("Mul", ("0", "=0.0")),
        constant=True,
        pointwise=True,
        keeps_nonnegative=True,
        makes_nonnegative=True,
    ),
)

_known = {record.name: record for record in _RECORDS}

PRIMITIVES: Mapping[str, Primitive] = MappingProxyType(_known)
"""All primitives by name: ours, and those that were added."""


def add_primitive(record: Primitive) -> None:
    """Adds a primitive of a user's own, for the operations of a vocabulary, or an encoder.

    Call it in the module that has the vocabulary: it is imported wherever a genotype of that
    vocabulary is unpickled. Once more with a record that means the same does nothing.

    Raises:
        CompilerError: for a record that is none, or of a name that means something else.
    """
    if not isinstance(record, Primitive) or record.compute is None:
        raise CompilerError("primitive", short_repr(record), "a Primitive with compute, in numpy")
    if re.fullmatch(r"[A-Za-z]\w*", record.name) is None:
        raise CompilerError(
            "primitive.name", short_repr(record.name), "letters, digits, underscores"
        )
    full = replace(record, home=sys._getframe(1).f_globals["__name__"])
    known = _known.setdefault(full.name, full)
    for each in fields(Primitive):
        if each.name != "home" and not _means_the_same(
            *(getattr(record, each.name) for record in (known, full))
        ):
            found = f"one with another {each.name} is there already"
            raise CompilerError(f"primitive {full.name!r}", found, "another name")
    follows = full.arity == (2, 2) and full.size_from == 1
    if full.result == "float32" and (follows or full.arity == (1, 1)):
        add_step(full.name, {name: a.least for name, a in full.attrs.items()}, full.home)


def _means_the_same(one: object, other: object) -> bool:
    """Whether two values of a field mean the same: functions, by what is written in them."""
    if not (isinstance(one, FunctionType) and isinstance(other, FunctionType)):
        return one == other
    cells = [[c.cell_contents for c in f.__closure__ or ()] for f in (one, other)]
    parts = [(f.__code__, f.__defaults__, f.__kwdefaults__) for f in (one, other)]
    return parts[0] == parts[1] and cells[0] == cells[1]


def primitive(name: str, place: str) -> Primitive:
    """The record of ``name``.

    Raises:
        CompilerError: when there is no such primitive.
    """
    record = PRIMITIVES.get(name) if isinstance(name, str) else None
    if record is None:
        known = ", ".join(PRIMITIVES)
        expected = f"one of {known}, or the vocabulary that adds it (--vocabulary)"
        raise CompilerError(place, f"unknown primitive {name!r}", expected)
    return record

"""Our primitives that map each number of one map by itself: activations and gates."""

from __future__ import annotations

from collections.abc import Callable

from auxnas.compiler import semantics
from auxnas.compiler.primitives import rules
from auxnas.compiler.primitives.record import Attribute, Attrs, OnnxOp, Primitive
from auxnas.compiler.semantics import Compute


def _activation(
    name: str,
    compute: Compute,
    onnx: Callable[[Attrs], OnnxOp | tuple[OnnxOp, ...]],
    moment: Callable[[float], float],
    *,
    makes_nonnegative: bool = True,
    attrs: dict[str, Attribute] | None = None,
) -> Primitive:
    """The record of an activation, whose ``moment`` is a function of its input's mean square."""
    return Primitive(
        name,
        (1, 1),
        compute=compute,
        shape=rules.same_shape,
        attrs=attrs or {},
        onnx=onnx,
        moment=lambda attrs, ins: moment(ins[0]),
        pointwise=True,
        keeps_nonnegative=True,
        makes_nonnegative=makes_nonnegative,
    )


def _half(square: float) -> float:
    return square / 2


def _smooth(square: float) -> float:
    """Of x times a gate: x / 2 where x is small, the positive half of x where it is large."""
    return square * (1 + square) / (4 + 2 * square)


def _gate(square: float) -> float:
    """Of a number from 0 to 1: 1/2 where x is small, 0 or 1 where it is large."""
    return (1 + square) / (4 + 2 * square)


ACTIVATIONS = (
    _activation("relu", semantics.relu, lambda attrs: OnnxOp("Relu", ("0",)), _half),
    _activation(
        "relu6", semantics.relu6, lambda attrs: OnnxOp("Clip", ("0", "=0.0", "=6.0")), _half
    ),
    _activation(
        "clamp",  # attributes are whole numbers: thousandths
        semantics.clamp,
        lambda attrs: OnnxOp("Clip", ("0", f"={attrs['low'] / 1000}", f"={attrs['high'] / 1000}")),
        lambda square: square,
        attrs={"low": Attribute(least=0), "high": Attribute()},
    ),
    _activation("sigmoid", semantics.sigmoid, lambda attrs: OnnxOp("Sigmoid", ("0",)), _gate),
    _activation(
        "hard_sigmoid",
        semantics.hard_sigmoid,
        lambda attrs: OnnxOp("HardSigmoid", ("0",), {"alpha": 1 / 6, "beta": 0.5}),
        _gate,
    ),
    _activation(
        "silu",
        semantics.silu,
        lambda attrs: (OnnxOp("Sigmoid", ("0",)), OnnxOp("Mul", ("0", "@0"))),
        _smooth,
        makes_nonnegative=False,
    ),
    _activation(
        "hard_swish",
        semantics.hard_swish,
        lambda attrs: (  # TensorRT has no HardSwish of bfloat16
            OnnxOp("HardSigmoid", ("0",), {"alpha": 1 / 6, "beta": 0.5}),
            OnnxOp("Mul", ("0", "@0")),
        ),
        _smooth,
        makes_nonnegative=False,
    ),
    _activation(
        "gelu",
        semantics.gelu,
        lambda attrs: (  # ONNX has an operator of its own from opset 20 on
            OnnxOp("Mul", ("0", f"={0.5**0.5}")),
            OnnxOp("Erf", ("@0",)),
            OnnxOp("Add", ("@1", "=1.0")),
            OnnxOp("Mul", ("0", "@2")),
            OnnxOp("Mul", ("@3", "=0.5")),
        ),
        _smooth,
        makes_nonnegative=False,
    ),
)
"""Records of those; ``batch_norm`` is no activation, ``softmax`` mixes channels."""

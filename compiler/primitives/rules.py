"""Rules of the primitives: shapes, parameters, multiply-adds and ONNX forms.

Padding is always "same": ``dilation * (kernel - 1) / 2`` on every side, so a convolution of
stride s maps H to ceil(H / s), a transposed one, padded by ``(kernel - stride) / 2``, to s H.
Their mathematics is in ``compiler.semantics``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.primitives.record import Attrs, OnnxOp, Shape, Weight
from auxnas.compiler.semantics import BATCH_NORM_EPSILON

FLOAT, INT64 = 1, 7
"""ONNX's numbers of types."""


def strided_shape(shape: Shape, channels: int, stride: int) -> Shape:
    """A map of ``shape`` under a stride, with ``channels``."""
    return channels, -(-shape[1] // stride), -(-shape[2] // stride)


def same_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """The one shape of all inputs."""
    if len(set(shapes)) > 1:
        raise CompilerError("inputs", f"shapes {list(shapes)}", "equal shapes")
    return shapes[0]


def broadcast_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """Equal shapes, or maps of 1x1 that stand for every pixel."""
    full = [shape for shape in shapes if shape[1:] != (1, 1)]
    if len({shape[0] for shape in shapes}) > 1 or len(set(full)) > 1:
        raise CompilerError("inputs", f"shapes {list(shapes)}", "equal shapes, or maps of 1x1")
    return full[0] if full else shapes[0]


def followed_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """Channels of the first input, size of the second."""
    return shapes[0][0], shapes[1][1], shapes[1][2]


def spread_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """A map of 1x1 at the size of the second input."""
    if shapes[0][1:] != (1, 1):
        raise CompilerError("inputs", f"a map of {shapes[0][1]}x{shapes[0][2]}", "one of 1x1")
    return followed_shape(attrs, shapes)


def concat_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """Channels of all inputs, which have one size."""
    sizes = {shape[1:] for shape in shapes}
    if len(sizes) > 1:
        raise CompilerError("inputs", f"sizes {sorted(sizes)}", "equal sizes")
    return sum(shape[0] for shape in shapes), *shapes[0][1:]


def pool_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """Shape of a pooling: windows around each pixel where odd, else blocks side by side."""
    kernel, stride = attrs["kernel"], attrs["stride"]
    if kernel % 2 == 0 and kernel != stride:
        raise CompilerError("kernel", str(kernel), f"an odd number, or the stride, {stride}")
    return strided_shape(shapes[0], shapes[0][0], stride)


def pool_onnx(attrs: Attrs) -> dict[str, list[int] | int]:
    """ONNX attributes of a pooling over those pixels of each window that are inside the map."""
    kernel = attrs["kernel"]
    return {
        "kernel_shape": [kernel] * 2,
        "strides": [attrs["stride"]] * 2,
        "pads": [(kernel - 1) // 2 * (kernel % 2)] * 4,
        "ceil_mode": 1 - kernel % 2,
    }


def conv_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """Shape of a convolution's output."""
    return strided_shape(shapes[0], attrs["out"], attrs["stride"])


def conv_weights(attrs: Attrs, channels: Sequence[int]) -> dict[str, Weight]:
    """Kernel and, if it has one, bias of a convolution."""
    out, groups, kernel = attrs["out"], attrs["groups"], attrs["kernel"]
    if kernel % 2 == 0:
        raise CompilerError("kernel", str(kernel), "an odd number")
    if channels[0] % groups or out % groups:
        found = f"{groups} groups for {channels[0]} -> {out} channels"
        raise CompilerError("groups", found, "a divisor of both")
    weights = {"weight": Weight((out, channels[0] // groups, kernel, kernel))}
    return weights | ({"bias": Weight((out,))} if attrs["bias"] else {})


def conv_multiply_adds(attrs: Attrs, shapes: Sequence[Shape], out: Shape) -> int:
    """Multiply-adds of a convolution's kernel."""
    return prod(out) * (shapes[0][0] // attrs["groups"]) * attrs["kernel"] ** 2


def window_onnx(attrs: Attrs) -> dict[str, list[int]]:
    """ONNX attributes of a sliding window."""
    padding = attrs.get("dilation", 1) * (attrs["kernel"] - 1) // 2
    return {
        "kernel_shape": [attrs["kernel"]] * 2,
        "strides": [attrs["stride"]] * 2,
        "dilations": [attrs.get("dilation", 1)] * 2,
        "pads": [padding] * 4,
    }


def conv_onnx(attrs: Attrs) -> OnnxOp:
    """ONNX form of a convolution."""
    inputs = ("0", "weight", "bias") if attrs["bias"] else ("0", "weight")
    return OnnxOp("Conv", inputs, {**window_onnx(attrs), "group": attrs["groups"]})


def deconv_shape(attrs: Attrs, shapes: Sequence[Shape]) -> Shape:
    """Shape of a transposed convolution's output: ``stride`` times as large."""
    return attrs["out"], shapes[0][1] * attrs["stride"], shapes[0][2] * attrs["stride"]


def deconv_weights(attrs: Attrs, channels: Sequence[int]) -> dict[str, Weight]:
    """Kernel, input channels first, and, if it has one, bias of a transposed convolution."""
    kernel, stride = attrs["kernel"], attrs["stride"]
    if kernel < stride or (kernel - stride) % 2:
        expected = f"stride {stride} and an even number more"
        raise CompilerError("kernel", str(kernel), expected)
    weights = {"weight": Weight((channels[0], attrs["out"], kernel, kernel))}
    return weights | ({"bias": Weight((attrs["out"],))} if attrs["bias"] else {})


def deconv_multiply_adds(attrs: Attrs, shapes: Sequence[Shape], out: Shape) -> int:
    """Multiply-adds of a transposed convolution's kernel, which every input pixel spreads."""
    return prod(shapes[0]) * attrs["out"] * attrs["kernel"] ** 2


def deconv_onnx(attrs: Attrs) -> OnnxOp:
    """ONNX form of a transposed convolution."""
    inputs = ("0", "weight", "bias") if attrs["bias"] else ("0", "weight")
    window = {
        "kernel_shape": [attrs["kernel"]] * 2,
        "strides": [attrs["stride"]] * 2,
        "pads": [(attrs["kernel"] - attrs["stride"]) // 2] * 4,
    }
    return OnnxOp("ConvTranspose", inputs, window)


def batch_norm_weights(attrs: Attrs, channels: Sequence[int]) -> dict[str, Weight]:
    """Scale, shift and statistics of batch norm."""
    shape = (channels[0],)
    return {
        "weight": Weight(shape, start=1.0),
        "bias": Weight(shape),
        "running_mean": Weight(shape, False),
        "running_var": Weight(shape, False, start=1.0),
    }


BATCH_NORM_ONNX = OnnxOp(
    "BatchNormalization",
    ("0", "weight", "bias", "running_mean", "running_var"),
    {"epsilon": BATCH_NORM_EPSILON},
)


def resize_onnx(coordinates: str) -> OnnxOp:
    """ONNX form of a bilinear resize; ``coordinates`` is ONNX's mode of them."""
    attrs = {"mode": "linear", "coordinate_transformation_mode": coordinates}
    return OnnxOp("Resize", ("0", "", "size"), attrs)


def keypoints_onnx(attrs: Attrs) -> tuple[OnnxOp, ...]:
    """ONNX form of keypoints; places are counted in float32, in which they are exact."""
    cast = {"to": FLOAT}
    return (
        OnnxOp("Cast", ("0",), cast),
        OnnxOp("Reshape", ("@0", "int 0 0 -1")),
        OnnxOp("ArgMax", ("@1",), {"axis": 2}),
        OnnxOp("Cast", ("@2",), cast),
        OnnxOp("ReduceMax", ("@1", "int 2")),
        OnnxOp("Shape", ("0",), {"start": 3, "end": 4}),
        OnnxOp("Cast", ("@5",), cast),  # 6: width
        OnnxOp("Shape", ("0",), {"start": 2, "end": 3}),
        OnnxOp("Cast", ("@7",), cast),  # 8: height
        OnnxOp("Add", ("@3", "float 0.5")),  # so that no rounding falls to the row before
        OnnxOp("Div", ("@9", "@6")),
        OnnxOp("Floor", ("@10",)),  # 11: y
        OnnxOp("Mul", ("@11", "@6")),
        OnnxOp("Sub", ("@3", "@12")),  # 13: x
        OnnxOp("Concat", ("@13", "@11"), {"axis": 2}),  # 14: x, y
        OnnxOp("Concat", ("@6", "@8"), {"axis": 0}),
        OnnxOp("Sub", ("@15", "@14")),
        OnnxOp("Min", ("@14", "@16")),
        OnnxOp("ReduceMin", ("@17", "int 2")),
        OnnxOp("Greater", ("@18", "float 1")),
        OnnxOp("Cast", ("@19",), cast),  # 20: 1 where both neighbours on both axes are inside
        OnnxOp("Concat", ("float 1", "@6"), {"axis": 0}),  # 21: steps to the next x, and y
        OnnxOp("Mul", ("@6", "@8")),
        OnnxOp("Sub", ("@22", "float 1")),
        OnnxOp("Add", ("@3", "@21")),
        OnnxOp("Min", ("@24", "@23")),
        OnnxOp("Cast", ("@25",), {"to": INT64}),
        OnnxOp("GatherElements", ("@1", "@26"), {"axis": 2}),
        OnnxOp("Sub", ("@3", "@21")),
        OnnxOp("Max", ("@28", "float 0")),
        OnnxOp("Cast", ("@29",), {"to": INT64}),
        OnnxOp("GatherElements", ("@1", "@30"), {"axis": 2}),
        OnnxOp("Sub", ("@27", "@31")),
        OnnxOp("Sign", ("@32",)),
        OnnxOp("Mul", ("@33", "float 0.25")),
        OnnxOp("Mul", ("@34", "@20")),
        OnnxOp("Add", ("@14", "@35")),
        OnnxOp("Greater", ("@4", "float 0")),
        OnnxOp("Cast", ("@37",), cast),
        OnnxOp("Mul", ("@38", f"float {attrs['stride']}")),
        OnnxOp("Mul", ("@36", "@39")),
        OnnxOp("Concat", ("@40", "@4"), {"axis": 2}),
    )

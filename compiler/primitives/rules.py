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

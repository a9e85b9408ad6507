"""Table of our primitives: one record each."""

from __future__ import annotations

from math import log

from auxnas.compiler import semantics
from auxnas.compiler.primitives import rules
from auxnas.compiler.primitives.record import Attribute, OnnxOp, Primitive, Weight

_NONE, _ONE, _TWO, _MANY = (0, 0), (1, 1), (2, 2), (1, 1 << 16)

RECORDS = (
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
        shape=rules.conv_shape,
        onnx=rules.conv_onnx,
        attrs={
            "out": Attribute(),
            "kernel": Attribute(),
            "stride": Attribute(default=1),
            "dilation": Attribute(default=1),
            "groups": Attribute(default=1),
            "bias": Attribute(least=0, default=0),
        },
        weights=rules.conv_weights,
        multiply_adds=rules.conv_multiply_adds,
    ),
    Primitive(
        "batch_norm",
        _ONE,
        compute=semantics.batch_norm,
        shape=rules.same_shape,
        onnx=lambda attrs: rules.BATCH_NORM_ONNX,
        weights=rules.batch_norm_weights,
        elementwise=2,
        pointwise=True,
        moment=lambda attrs, ins: 1.0,
    ),
    Primitive(
        "relu",
        _ONE,
        compute=semantics.relu,
        shape=rules.same_shape,
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
        shape=rules.same_shape,
        moment=lambda attrs, ins: ins[0] / 2,
        onnx=lambda attrs: OnnxOp("Clip", ("0", "=0.0", "=6.0")),
        pointwise=True,
        keeps_nonnegative=True,
        makes_nonnegative=True,
    ),
    Primitive(
        "clamp",  # attributes are whole numbers: thousandths
        _ONE,
        compute=semantics.clamp,
        shape=rules.same_shape,
        attrs={"low": Attribute(least=0), "high": Attribute()},
        onnx=lambda attrs: OnnxOp(
            "Clip", ("0", f"={attrs['low'] / 1000}", f"={attrs['high'] / 1000}")
        ),
        pointwise=True,
        keeps_nonnegative=True,
        makes_nonnegative=True,
    ),
    Primitive(
        "max_pool",
        _ONE,
        compute=semantics.max_pool,
        shape=lambda attrs, shapes: rules.strided_shape(shapes[0], shapes[0][0], attrs["stride"]),
        onnx=lambda attrs: OnnxOp("MaxPool", ("0",), rules.window_onnx(attrs)),
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
        shape=rules.spread_shape,
        onnx=lambda attrs: OnnxOp("Expand", ("0", "spread")),
        keeps_nonnegative=True,
        size_from=1,
    ),
    Primitive(
        "resize",
        _TWO,
        compute=semantics.resize,
        shape=rules.followed_shape,
        onnx=lambda attrs: rules.resize_onnx("half_pixel"),
        keeps_nonnegative=True,
        size_from=1,
    ),
    Primitive(
        "resize_corners",
        _TWO,
        compute=semantics.resize_corners,
        shape=rules.followed_shape,
        onnx=lambda attrs: rules.resize_onnx("align_corners"),
        keeps_nonnegative=True,
        size_from=1,
    ),
    Primitive(
        "add",
        _MANY,
        compute=semantics.add,
        shape=rules.broadcast_shape,
        moment=lambda attrs, ins: sum(ins),
        onnx=lambda attrs: OnnxOp("Add", ("*",)),
        pointwise=True,
        keeps_nonnegative=True,
    ),
    Primitive(
        "concat",
        _MANY,
        compute=semantics.concat,
        shape=rules.concat_shape,
        moment=lambda attrs, ins: max(ins),
        onnx=lambda attrs: OnnxOp("Concat", ("*",), {"axis": 1}),
        pointwise=True,
        keeps_nonnegative=True,
    ),
    Primitive(
        "identity",
        _ONE,
        compute=semantics.identity,
        shape=rules.same_shape,
        onnx=lambda attrs: OnnxOp("Identity", ("0",)),
        pointwise=True,
        keeps_nonnegative=True,
    ),
    Primitive(
        "softmax",
        _ONE,
        compute=semantics.softmax,
        shape=rules.same_shape,
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
        shape=rules.same_shape,
        onnx=lambda attrs: OnnxOp("Mul", ("0", "=0.0")),
        constant=True,
        pointwise=True,
        keeps_nonnegative=True,
        makes_nonnegative=True,
    ),
)

"""Support that onnx-tensorrt publishes of the operators that we emit.

Source: docs/operators.md of https://github.com/onnx/onnx-tensorrt, as published with
TensorRT 10.15 (opset 9 to 24): a row's types and restrictions, for the operators of our
graphs. The table of TensorRT 8.5 (opset 9 to 17) has the same operators. TensorRT 11
points to the same document and reads opset 9 to 25:
https://docs.nvidia.com/deeplearning/tensorrt/latest/reference/onnx-opset-guide.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

SOURCE = "https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md"
VERSION = "10.15"
OPSETS = (9, 24)

Check = Callable[[onnx.NodeProto, Mapping[str, onnx.TensorProto]], str | None]

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})
_NUMBERS = _FLOATS | {TensorProto.INT32, TensorProto.INT64}
_ANY = _NUMBERS | {TensorProto.BOOL}
_QUANTISED = frozenset({TensorProto.INT8, TensorProto.FLOAT8E4M3FN, TensorProto.INT4})


@dataclass(frozen=True, slots=True)
class Support:
    """A row of the published table.

    Attributes:
        types: of the operands that the row speaks of, ``data`` of them.
        data: how many leading operands those are: the rest are sizes, scales or bounds.
        note: the published restriction.
        check: gives the reason that a node is outside the support, or None.
    """

    types: frozenset[int]
    data: int = 1 << 16
    note: str = ""
    check: Check | None = None


def _resize(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> str | None:
    attrs = _attributes(node)
    if attrs.get("mode", b"nearest") not in (b"nearest", b"linear"):
        return f"mode {attrs['mode']!r}, expected nearest or linear"
    known = (b"half_pixel", b"pytorch_half_pixel", b"asymmetric", b"align_corners")
    if attrs.get("coordinate_transformation_mode", b"half_pixel") not in known:
        return f"coordinates {attrs['coordinate_transformation_mode']!r}"
    if attrs.get("antialias", 0):
        return "antialias"
    if attrs.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        return "an aspect ratio policy other than stretch"
    if len(node.input) > 2 and node.input[2] and "axes" in attrs:
        return "scales together with axes"
    return None


def _max_pool(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> str | None:
    attrs = _attributes(node)
    if len(node.output) > 1:
        return "indices"
    if any(value != 1 for value in attrs.get("dilations", [])):
        return "dilations"
    return None if len(attrs["kernel_shape"]) in (2, 3) else "neither 2D nor 3D"


def _average_pool(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> str | None:
    attrs = _attributes(node)
    if any(value != 1 for value in attrs.get("dilations", [])):
        return "dilations"
    return None if len(attrs["kernel_shape"]) in (2, 3) else "neither 2D nor 3D"


def _zero_point(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> str | None:
    if len(node.input) < 3:
        return None
    point = constants.get(node.input[2])
    if point is None or numpy_helper.to_array(point).astype(float).any():
        return "a zero point that is not a constant 0"
    return None


OPERATORS: Mapping[str, Support] = MappingProxyType(
    {
        "Add": Support(_NUMBERS),
        "ArgMax": Support(_NUMBERS),
        "AveragePool": Support(_FLOATS, note="2D or 3D", check=_average_pool),
        "BatchNormalization": Support(_FLOATS),
        "Cast": Support(_ANY | {TensorProto.UINT8}),
        "Clip": Support(_FLOATS),
        "Concat": Support(_ANY),
        "Conv": Support(_FLOATS),
        "ConvTranspose": Support(_FLOATS),
        "DequantizeLinear": Support(_QUANTISED, 1, "`x_zero_point` must be zero", _zero_point),
        "Div": Support(_NUMBERS),
        "Erf": Support(_FLOATS),
        "Expand": Support(_ANY, 1),
        "Floor": Support(_FLOATS),
        "GatherElements": Support(_NUMBERS),
        "GlobalAveragePool": Support(_FLOATS),
        "Greater": Support(_NUMBERS),
        "HardSigmoid": Support(_FLOATS),
        "Identity": Support(_ANY),
        "Max": Support(_NUMBERS),
        "MaxPool": Support(
            _FLOATS,
            note="2D or 3D; no `Indices` output; `dilations` empty or all ones",
            check=_max_pool,
        ),
        "Min": Support(_NUMBERS),
        "Mul": Support(_NUMBERS),
        "QuantizeLinear": Support(_FLOATS, 2, "`y_zero_point` must be 0", _zero_point),
        "ReduceMax": Support(_FLOATS, 1),
        "ReduceMin": Support(_FLOATS, 1),
        "Relu": Support(_NUMBERS),
        "Reshape": Support(_ANY, 1),
        "Resize": Support(
            _FLOATS,
            1,
            "half_pixel, pytorch_half_pixel, tf_half_pixel_for_nn, asymmetric, align_corners; "
            "nearest, linear; stretch; no antialiasing; `scales` only without `axes`",
            _resize,
        ),
        "Shape": Support(_ANY),
        "Sigmoid": Support(_FLOATS),
        "Sign": Support(_FLOATS),
        "Softmax": Support(_FLOATS),
        "Sub": Support(_NUMBERS),
        "Transpose": Support(_ANY),
    }
)
"""By ONNX name: all that a compiled graph of ours can hold."""


def violation(model: onnx.ModelProto) -> str | None:
    """Reason that a model is outside the published support; None when it is within.

    The types of intermediate values are ONNX's own inference.
    """
    opset = next(each.version for each in model.opset_import if each.domain == "")
    if not OPSETS[0] <= opset <= OPSETS[1]:
        return f"opset {opset}, expected {OPSETS[0]} to {OPSETS[1]}"
    unknown = (n for n in model.graph.node if n.domain or n.op_type not in OPERATORS)
    for node in unknown:
        kind = f"{node.domain}:{node.op_type}" if node.domain else node.op_type
        return (
            f"{node.name}: {kind}: not among TensorRT's {VERSION} operators known here: whether "
            f"it is read, see {SOURCE}"
        )
    graph = shape_inference.infer_shapes(model).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    types = {name: tensor.data_type for name, tensor in constants.items()}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    reasons = ((node, _refusal(node, types, constants)) for node in graph.node)
    return next((f"{n.name}: {n.op_type}: {reason}" for n, reason in reasons if reason), None)


def _refusal(
    node: onnx.NodeProto, types: Mapping[str, int], constants: Mapping[str, onnx.TensorProto]
) -> str | None:
    row = OPERATORS[node.op_type]
    for name in node.input[: row.data]:
        if name and types.get(name) not in row.types:
            kind = TensorProto.DataType.Name(types.get(name, TensorProto.UNDEFINED))
            return f"{name} of type {kind}"
    return row.check(node, constants) if row.check else None


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attr.name: helper.get_attribute_value(attr) for attr in node.attribute}

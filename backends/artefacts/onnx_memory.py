"""Memory that running an ONNX model takes, from its file alone."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from google.protobuf.message import DecodeError
from onnx import shape_inference

from auxnas.backends.artefacts.memory import bytes_of, peak_bytes
from auxnas.compiler import CompilerError

SMALL = 4096
"""Bytes of an array that may be a shape; what is larger is none."""


def needed_bytes(model: onnx.ModelProto, inputs: Mapping[str, tuple[int, ...]], place: str) -> int:
    """Bytes that are alive at once when it runs; open sides and unknown shapes take none.

    Args:
        model: the one that runs.
        inputs: shapes of inputs that the model leaves open.
        place: the file, for messages.

    Raises:
        CompilerError: for names that are no text, or nodes without what they need.
    """
    try:
        skeleton = _skeleton(model, inputs)
        found = _peak(shape_inference.infer_shapes(skeleton).graph)
        if any(node.op_type == "Range" for node in model.graph.node):
            return found  # followed through shapes, a range would be made in full
        return max(found, _peak(shape_inference.infer_shapes(skeleton, data_prop=True).graph))
    except (DecodeError, UnicodeDecodeError, shape_inference.InferenceError) as error:
        raise CompilerError(place, f"a damaged model ({error})", "an ONNX model") from None


def _skeleton(model: onnx.ModelProto, inputs: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """The model with its weights as mere shapes, and ``inputs`` in their shapes."""
    found, graph = onnx.ModelProto(), model.graph
    found.ir_version = max(model.ir_version, 4)  # inputs without initialisers are inputs
    found.opset_import.extend(model.opset_import)
    found.graph.node.extend(graph.node)
    found.graph.output.extend(graph.output)
    weights = {each.name for each in graph.initializer}
    for value in graph.input:
        if value.name not in weights:
            found.graph.input.append(_shaped(value, inputs.get(value.name)))
    for each in graph.initializer:
        if each.ByteSize() <= SMALL:
            found.graph.initializer.append(each)
        else:
            kind = onnx.helper.make_tensor_value_info(each.name, each.data_type, each.dims)
            found.graph.input.append(kind)
    return found


def _shaped(value: onnx.ValueInfoProto, shape: tuple[int, ...] | None) -> onnx.ValueInfoProto:
    if shape is None:
        return value
    return onnx.helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, shape)


def _peak(graph: onnx.GraphProto) -> int:
    values = [*graph.input, *graph.value_info, *graph.output]
    sizes = {value.name: _bytes(value) for value in values}
    sizes |= {each.name: each.ByteSize() for each in graph.initializer}
    return peak_bytes(((node.input, node.output) for node in graph.node), sizes)


def _bytes(value: onnx.ValueInfoProto) -> int:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return 0
    try:
        itemsize = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
    except KeyError:
        itemsize = 1
    shape = [d.dim_value if d.HasField("dim_value") else "" for d in kind.shape.dim]
    return bytes_of(shape, itemsize)

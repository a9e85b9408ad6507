"""Metadata and signature of an ONNX file, read without running it."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from auxnas.backends.artefacts.artefact import Artefact, Operator
from auxnas.backends.artefacts.memory import check_array_shape
from auxnas.backends.artefacts.metadata import decode_metadata
from auxnas.backends.tensors import Tensor
from auxnas.compiler import CompilerError
from auxnas.compiler.files import kind_of_text

_REAL = {"float16", "float32", "float64", "bfloat16"}
_MOST_BYTES = 2**31
"""Largest size of a protobuf message, in bytes."""
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*")
"""First bytes of pictures, none of which a model begins with."""
_BESIDE = {"Resize", "QuantizeLinear", "DequantizeLinear"}
"""Operators of which all inputs but the first are sizes, scales or zero points."""


def model_bytes(path: Path) -> bytes:
    """The bytes of a model, which a message of protobuf holds.

    Raises:
        CompilerError: when it is none, or larger.
    """
    if path.exists() and not path.is_dir() and not path.is_file():
        raise CompilerError(str(path), "a device or pipe", "a file")
    if path.is_dir():
        inside = sorted(path.glob("*.onnx"))
        named = f", such as {inside[0]}" if inside else ""
        raise CompilerError(str(path), "a folder", f"an artefact's file{named}")
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise CompilerError(str(path), f"{path.stat().st_size:,} bytes", "at most 2 GiB of ONNX")
    content = path.read_bytes()
    other = kind_of_text(content[:512])
    if other is not None:
        raise CompilerError(str(path), *other)
    if content.startswith(_PICTURES):
        expected = "an artefact; nasrun predict ARTEFACT IMAGE takes pictures behind it"
        raise CompilerError(str(path), "a picture", expected)
    return content


def read_onnx(path: Path, content: bytes, kind: str) -> Artefact:
    """The artefact of a serialised model.

    Args:
        path: the file it is from.
        content: the model.
        kind: name of the runner that opens ``path``.

    Raises:
        CompilerError: when it is no ONNX model, or a damaged one.
    """
    try:
        model = onnx.load_model_from_string(content)
        if not model.graph.node or not model.graph.output:
            raise CompilerError(str(path), "no ONNX model, or a truncated one", "an .onnx file")
        _check_plain_graph(path, model)
        _check_array_sizes(path, model, len(content))
        return _artefact(path, model, kind)
    except (DecodeError, UnicodeDecodeError):
        found = "no ONNX model, or a damaged or truncated one"
        own = "" if path.suffix.lower() == ".onnx" else ", or the --target that it was made as"
        expected = f"an .onnx file that nascompile wrote{own}"
        raise CompilerError(str(path), found, expected) from None


def _artefact(path: Path, model: onnx.ModelProto, kind: str) -> Artefact:
    weights = {each.name for each in model.graph.initializer}
    texts = {_text(each.key): _text(each.value) for each in model.metadata_props}
    return Artefact(
        path,
        decode_metadata(texts),
        tuple(_tensor(path, each) for each in model.graph.input if each.name not in weights),
        tuple(_tensor(path, each) for each in model.graph.output),
        kind,
        operators(model.graph.node),
        _parameters(model),
        max(
            (each.version for each in model.opset_import if each.domain in ("", "ai.onnx")),
            default=0,
        ),
        f"{_text(model.producer_name)} {_text(model.producer_version)}".strip() or "unknown",
        model=model,
    )


def _check_plain_graph(path: Path, model: onnx.ModelProto) -> None:
    """Checks that every node and array is one of the graph itself: no functions, no sparse arrays.

    Its memory is not judged; ``onnx_memory`` sees one plain graph, as all of ours are.

    Raises:
        CompilerError: naming the first.
    """
    found = next((f"a function, {_text(each.name)!r:.60}" for each in model.functions), None)
    if model.graph.sparse_initializer:
        found = "a sparse array"
    for node in model.graph.node:
        if any(a.HasField("g") or a.graphs or a.HasField("sparse_tensor") for a in node.attribute):
            found = f"{_text(node.op_type):.60}, a node with a graph or a sparse array of its own"
    if found is not None:
        raise CompilerError(str(path), found, "one plain graph, as nascompile writes")


def _check_array_sizes(path: Path, model: onnx.ModelProto, most: int) -> None:
    """Checks that the arrays fit into a file of ``most`` bytes, at 4 bits a number at least.

    Raises:
        CompilerError: naming the first.
    """
    for each in model.graph.initializer:
        check_array_shape(f"{path}: {each.name}", each.dims)
        if prod(each.dims) > 2 * most:
            found = f"an array of {'x'.join(map(str, each.dims))}"
            raise CompilerError(f"{path}: {each.name}", found, f"one that {most:,} bytes hold")


def _text(value: str | bytes) -> str:
    """A name. What is no UTF-8 is handed over as bytes: the file is damaged."""
    if isinstance(value, bytes):
        raise DecodeError("no text where a name must be")
    return value


def _tensor(path: Path, value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    except KeyError:
        raise CompilerError(f"{path}: {value.name}", "no tensor", "images or maps") from None
    axes = kind.shape.dim
    shape = (d.dim_value if d.HasField("dim_value") else _text(d.dim_param) for d in axes)
    tensor = Tensor(_text(value.name), dtype, tuple(shape))
    check_array_shape(f"{path}: {value.name}", tensor.shape)
    return tensor


def operators(nodes: Iterable[onnx.NodeProto]) -> tuple[Operator, ...]:
    """The nodes of an ONNX graph, less what only running them needs."""
    return tuple(
        Operator(_text(each.name), _text(each.op_type), tuple(map(_text, each.output)))
        for each in nodes
    )


def _parameters(model: onnx.ModelProto) -> int:
    """Numbers in arrays that are real, or quantised; lone bounds are no weights.

    Nor are what operators' forms add, whose names have spaces, which no parameter's has.
    """
    nodes = model.graph.node
    beside = {name for node in nodes if node.op_type in _BESIDE for name in node.input[1:]}
    stored = {node.input[0] for node in nodes if node.op_type == "DequantizeLinear"}
    return sum(
        prod(each.dims)
        for each in model.graph.initializer
        if each.dims and each.name not in beside and " " not in _text(each.name)
        if each.name in stored or _is_real(each.data_type)
    )


def _is_real(kind: int) -> bool:
    known = kind in onnx.TensorProto.DataType.values() and kind
    return bool(known) and onnx.helper.tensor_dtype_to_np_dtype(kind).name in _REAL

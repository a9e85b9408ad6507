"""An artefact on disk: what its file says of itself, read without running it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from backends.base import Runner
from backends.registry import backend
from compiler import CompilerError
from compiler.interface import Interface
from genotype import Genotype, GenotypeError, parse

Array = np.ndarray[Any, Any]

_REAL = {"float16", "float32", "float64", "bfloat16"}
_NEEDED = ("input_format", "head", "normalisation")
"""What must be known to feed photographs and to read what comes out."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output.

    Attributes:
        name: its name.
        dtype: numpy's name of its type.
        shape: a number an axis, or a name (perhaps empty) where any goes.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(str(s) or '?' for s in self.shape)} {self.dtype}"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True)
class Operator:
    """A node of the file's graph: its name, operator and the tensors that it writes."""

    name: str
    op: str
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Artefact:
    """A compiled network and what it says of itself.

    Attributes:
        path: the file.
        metadata: decoded values by key; empty for a file that is not ours.
        inputs: what goes in.
        outputs: what comes out.
        operators: the nodes in order.
        parameters: weights that are real numbers.
        opset: version of the ONNX operators.
        producer: which program wrote the file.
    """

    path: Path
    metadata: Mapping[str, Any] = field(repr=False)
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...] = field(repr=False)
    parameters: int
    opset: int
    producer: str

    @property
    def ours(self) -> bool:
        """Whether nascompile wrote it."""
        return str(self.metadata.get("tool", "")).startswith("auxnas")

    @property
    def counts(self) -> dict[str, int]:
        """How many nodes there are of every operator, the most frequent first."""
        return dict(Counter(each.op for each in self.operators).most_common())

    def genotype(self) -> Genotype | None:
        """The architecture; None where the file does not say.

        Raises:
            CompilerError: when what it says is no genotype.
        """
        document = self.metadata.get("genotype")
        if document is None:
            return None
        text = document if isinstance(document, str) else json.dumps(document)
        try:
            return parse(text).genotype
        except GenotypeError as error:
            raise CompilerError(f"{self.path}: genotype", str(error)) from None

    def interface(self) -> Interface:
        """What goes in and comes out.

        Raises:
            CompilerError: naming what the file does not say, or says wrongly.
        """
        missing = [key for key in _NEEDED if key not in self.metadata]
        if missing:
            found = f"no metadata {', '.join(missing)}"
            raise CompilerError(str(self.path), found, "an artefact that nascompile wrote")
        data = self.metadata
        try:
            mean, deviation = (
                tuple(float(value) for value in data["normalisation"][key])
                for key in ("mean", "deviation")
            )
            if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise CompilerError(
                f"{self.path}: normalisation",
                repr(data["normalisation"])[:60],
                "mean and deviation, 3 numbers each",
            ) from None
        resize = bool(data.get("resize_output"))
        return Interface(data["head"], resize, data["input_format"], mean, deviation)

    def runner(self, threads: int | None = None) -> Runner:
        """Opens it with onnxruntime.

        Raises:
            BackendUnavailable: when onnxruntime is not installed.
            CompilerError: when it refuses the file.
        """
        opener = backend("runner", "ort")
        try:
            runner: Runner = opener(self.path, threads)
        except ValueError as error:
            raise CompilerError(str(self.path), f"cannot be run ({error})") from None
        return runner


def open_artefact(path: str | Path) -> Artefact:
    """Reads what an ONNX file says of itself.

    Raises:
        CompilerError: when it is no ONNX model, or a damaged one.
        OSError: when it cannot be read.
    """
    path = Path(path)
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        if not model.graph.node or not model.graph.output:
            raise CompilerError(str(path), "no ONNX model, or a truncated one", "an .onnx file")
        return _artefact(path, model)
    except DecodeError:
        found = "no ONNX model, or a damaged or truncated one"
        raise CompilerError(str(path), found, "an .onnx file that nascompile wrote") from None


def _artefact(path: Path, model: onnx.ModelProto) -> Artefact:
    weights = {each.name for each in model.graph.initializer}
    return Artefact(
        path,
        {_text(each.key): _decoded(_text(each.value)) for each in model.metadata_props},
        tuple(_tensor(path, each) for each in model.graph.input if each.name not in weights),
        tuple(_tensor(path, each) for each in model.graph.output),
        operators(model.graph.node),
        _parameters(model),
        max(
            (each.version for each in model.opset_import if each.domain in ("", "ai.onnx")),
            default=0,
        ),
        f"{_text(model.producer_name)} {_text(model.producer_version)}".strip() or "unknown",
    )


def _text(value: str | bytes) -> str:
    """A name. What is no UTF-8 is handed over as bytes: the file is damaged."""
    if isinstance(value, bytes):
        raise DecodeError("no text where a name must be")
    return value


def _decoded(text: str) -> Any:
    """A JSON value; text that is none stays what it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _tensor(path: Path, value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    except KeyError:
        raise CompilerError(f"{path}: {value.name}", "no tensor", "images or maps") from None
    axes = kind.shape.dim
    shape = (d.dim_value if d.HasField("dim_value") else _text(d.dim_param) for d in axes)
    return Tensor(_text(value.name), dtype, tuple(shape))


def operators(nodes: Iterable[onnx.NodeProto]) -> tuple[Operator, ...]:
    """The nodes of an ONNX graph, less what only running them needs."""
    return tuple(
        Operator(_text(each.name), _text(each.op_type), tuple(map(_text, each.output)))
        for each in nodes
    )


def _parameters(model: onnx.ModelProto) -> int:
    """Numbers in real-valued arrays: sizes, which are whole, and lone bounds are no weights."""
    arrays = [each for each in model.graph.initializer if each.dims]
    real = {
        number
        for number in {each.data_type for each in arrays}
        if number in onnx.TensorProto.DataType.values() and number
        if onnx.helper.tensor_dtype_to_np_dtype(number).name in _REAL
    }
    return sum(prod(each.dims) for each in arrays if each.data_type in real)

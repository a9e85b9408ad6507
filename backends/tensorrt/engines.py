"""Engines of our ONNX, built by TensorRT or by TensorRT-RTX.

Precision is written into the ONNX, so that nothing of it is a builder's flag. Only calls
that the Python interfaces of TensorRT 10 and 11 and of TensorRT-RTX 1 all have are used:
``create_network`` with ``STRONGLY_TYPED`` (needed by 10, accepted and without effect in 11),
``OnnxParser``, ``create_optimization_profile``, ``build_serialized_network``.

Sources:
    https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/python-api-docs.html
    https://docs.nvidia.com/deeplearning/tensorrt/11.0.0/_static/python-api/infer/Core/Builder.html
    https://docs.nvidia.com/deeplearning/tensorrt/11.0.0/_static/python-api/infer/Core/Engine.html
    https://docs.nvidia.com/deeplearning/tensorrt/archives/tensorrt-1070/api/python_api/parsers/Onnx/pyOnnx.html
    https://docs.nvidia.com/deeplearning/tensorrt/latest/api/migration/tensorrt-10x-to-11x-python-api-reference.html
    https://docs.nvidia.com/deeplearning/tensorrt-rtx/latest/index.html
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import onnx

from auxnas.backends.base import ExportOptions
from auxnas.backends.caching import CacheError, cache_dir, make_private, seal, unseal
from auxnas.backends.onnx.build import BATCH, build
from auxnas.backends.tensorrt.operators import violation
from auxnas.compiler import CompilerError, Program
from auxnas.compiler.files import atomic_write

Shapes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
ShapeProfile = dict[str, Shapes]

BATCHES, SIDES = (1, 1, 8), (32, 512, 2048)
"""Least, usual and largest of what is dynamic."""


def tensorrt_model(program: Program, options: ExportOptions, metadata: Mapping[str, str]) -> Any:
    """The program as ONNX that is within what TensorRT's parser is published to read.

    Raises:
        CompilerError: naming the first node that is not.
    """
    return check_operators(build(program, options, metadata))


def check_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model``, which is within what TensorRT's parser is published to read.

    Raises:
        CompilerError: naming the first node that is not.
    """
    reason = violation(model)
    if reason is not None:
        raise CompilerError("trt", reason)
    return model


def properties(model: onnx.ModelProto) -> dict[str, str]:
    """A model's metadata."""
    return {each.key: each.value for each in model.metadata_props}


def profile_of(model: onnx.ModelProto) -> ShapeProfile:
    """Least, usual and largest shape of each input with dynamic dimensions."""
    found = {value.name: _shapes(value) for value in model.graph.input}
    return {name: shapes for name, shapes in found.items() if len(set(shapes)) > 1}


def _shapes(value: onnx.ValueInfoProto) -> Shapes:
    ranges = []
    for dim in value.type.tensor_type.shape.dim:
        usual = BATCHES if dim.dim_param == BATCH else SIDES
        ranges.append(usual if dim.dim_param else (dim.dim_value,) * 3)
    least, opt, most = zip(*ranges, strict=True)
    return least, opt, most


@cache
def logger_of(trt: Any) -> Any:
    """The one logger of a library, which keeps errors.

    A library goes on with the first logger that it was given, whatever a later builder is made
    with; its own prints on stdout, which is the result's.
    """

    class Logger(trt.ILogger):  # type: ignore[misc]
        """See ``logger_of``."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            """Keeps a message that says what went wrong."""
            if severity in (trt.Logger.INTERNAL_ERROR, trt.Logger.ERROR):
                self.errors.append(message)

    return Logger()


def parse_model(trt: Any, model: bytes) -> tuple[Any, Any, Any]:
    """Builder, network and parser of an ONNX model; the last owns weights of the network.

    Raises:
        CompilerError: with the parser's errors and their nodes, for a model that it refuses.
    """
    logger = logger_of(trt)
    logger.errors.clear()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        errors = map(_error_text, map(parser.get_error, range(parser.num_errors)))
        raise CompilerError("TensorRT", "; ".join(errors) or "the model could not be parsed")
    return builder, network, parser


def _error_text(error: Any) -> str:
    """Node, operator and text of a parser's error, as far as it has them."""
    return ": ".join(filter(None, (error.node_name(), error.node_operator(), error.desc())))


def build_engine(
    trt: Any, model: bytes, profile: ShapeProfile, capabilities: Sequence[Any] = ()
) -> bytes:
    """A serialised engine of an ONNX model.

    Args:
        trt: the library.
        model: serialised ONNX.
        profile: shapes of dynamic inputs.
        capabilities: the library's numbers of the GPUs' compute capabilities, of TensorRT-RTX;
            none for what it builds by default.

    Raises:
        CompilerError: with TensorRT's last error, when it cannot be built.
    """
    builder, network, parser = parse_model(trt, model)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    if capabilities:
        config.num_compute_capabilities = len(capabilities)
        for index, capability in enumerate(capabilities):
            config.set_compute_capability(capability, index)
    if profile:
        shapes = builder.create_optimization_profile()
        for name, (least, usual, most) in profile.items():
            shapes.set_shape(name, least, usual, most)
        config.add_optimization_profile(shapes)
    engine = builder.build_serialized_network(network, config)
    del parser  # which the network needs until here
    if engine is None:
        errors = logger_of(trt).errors
        raise CompilerError("TensorRT", " ".join(errors[-1:]) or "no engine was built")
    return bytes(engine)


class EngineExporter(ABC):
    """Writes an engine, and beside it a JSON file with the metadata.

    An engine is kept in a cache under the model's content and ``origin``, so that the same
    model is built once.

    Args:
        trt: the library.
        cache: folder that engines are kept in; by default one in the user's cache.
    """

    name: str
    """Of the target, and of the folder in the cache."""

    def __init__(self, trt: Any, cache: Path | None = None) -> None:
        self.trt, self.cache = trt, cache

    @abstractmethod
    def origin(self, options: ExportOptions) -> dict[str, Any]:
        """Plain data that an engine depends on besides the model and its shapes."""

    @abstractmethod
    def build(self, model: bytes, profile: ShapeProfile, options: ExportOptions) -> bytes:
        """A serialised engine.

        Raises:
            CompilerError: when it cannot be built.
        """

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes the engine.

        Raises:
            CompilerError: for a node outside the published support, or a failed build.
            OSError: when a file cannot be written.
        """
        self.pack(build(program, options, metadata), path, options)

    def pack(self, model: onnx.ModelProto, path: Path, options: ExportOptions) -> None:
        """Writes the engine of a model that has its metadata; those do not change it.

        Raises:
            CompilerError: for a node outside the published support, or a failed build.
            OSError: when a file cannot be written.
        """
        metadata, bare = properties(check_operators(model)), onnx.ModelProto()
        bare.CopyFrom(model)
        del bare.metadata_props[:]
        data, profile = bare.SerializeToString(deterministic=True), profile_of(bare)
        facts = self.facts(data, profile, options)
        engine = self._engine(data, profile, facts, options)
        path.write_bytes(engine)
        digest = hashlib.sha256(engine).hexdigest()
        document = {"engine": facts, "sha256": digest, "metadata": metadata}
        facts_file(path).write_text(json.dumps(document, indent=2) + "\n", "utf-8")

    def facts(self, model: bytes, profile: ShapeProfile, options: ExportOptions) -> dict[str, Any]:
        """All that an engine depends on."""
        return {
            "onnx_sha256": hashlib.sha256(model).hexdigest(),
            **self.origin(options),
            "profile": {name: [list(s) for s in shapes] for name, shapes in profile.items()},
            "tf32": False,
        }

    def _engine(
        self, model: bytes, profile: ShapeProfile, facts: Mapping[str, Any], options: ExportOptions
    ) -> bytes:
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        # Without a place to keep it, it is built again: no reason to lose this one.
        with suppress(OSError, CacheError):
            found = unseal(key, self._kept(key).read_bytes())
            if found is not None:
                return found
        engine = self.build(model, profile, options)
        with suppress(OSError, CacheError):
            make_private(self._kept(key).parent)
            with atomic_write(self._kept(key)) as temporary:
                temporary.write_bytes(seal(key, engine))
        return engine

    def _kept(self, key: str) -> Path:
        return (self.cache or cache_dir() / self.name) / f"{key}.engine"


def facts_file(path: Path) -> Path:
    """The file beside an engine that holds its metadata."""
    return path.with_suffix(f"{path.suffix}.json")


def read_metadata(path: Path) -> dict[str, str] | None:
    """Metadata of an engine from the file beside it; None where there is no such file.

    Raises:
        CompilerError: for an engine that is not the one that the file was written with.
        ValueError: for a file that holds none.
        OSError: when one of both cannot be read.
    """
    beside = facts_file(path)
    try:
        document = json.loads(beside.read_text("utf-8"))
        found = {str(key): str(value) for key, value in document["metadata"].items()}
        digest = document.get("sha256")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{beside}: no metadata of an engine") from None
    if digest not in (None, hashlib.sha256(path.read_bytes()).hexdigest()):
        raise CompilerError(str(path), "damaged, or of another artefact", f"that of {beside.name}")
    return found

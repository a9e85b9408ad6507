"""TensorRT: strongly typed engines of our ONNX, built where the library and a GPU are.

Precision is written into the ONNX, so that nothing of it is a builder's flag. Only calls
that the Python interfaces of TensorRT 10 and 11 both have are used: ``create_network``
with ``STRONGLY_TYPED`` (needed by 10, accepted and without effect in 11), ``OnnxParser``,
``create_optimization_profile``, ``build_serialized_network``.

Sources:
    https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/python-api-docs.html
    https://docs.nvidia.com/deeplearning/tensorrt/11.0.0/_static/python-api/infer/Core/Builder.html
    https://docs.nvidia.com/deeplearning/tensorrt/11.0.0/_static/python-api/infer/Core/Engine.html
    https://docs.nvidia.com/deeplearning/tensorrt/archives/tensorrt-1070/api/python_api/parsers/Onnx/pyOnnx.html
    https://docs.nvidia.com/deeplearning/tensorrt/latest/api/migration/tensorrt-10x-to-11x-python-api-reference.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import onnx

from auxnas.backends.base import BackendUnavailable, ExportOptions
from auxnas.backends.caching import CacheError, cache_dir, make_private, seal, unseal
from auxnas.backends.onnx.build import BATCH, build
from auxnas.backends.tensorrt.cuda import Cuda, CudaError
from auxnas.backends.tensorrt.operators import violation
from auxnas.compiler import CompilerError, Program
from auxnas.compiler.files import atomic_write

Shapes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
ShapeProfile = dict[str, Shapes]

GENERATIONS = (10, 11)
BATCHES, SIDES = (1, 1, 8), (32, 512, 2048)
"""Least, usual and largest of what is dynamic."""


def library() -> Any:
    """The module ``tensorrt``.

    Raises:
        BackendUnavailable: when it is not installed.
    """
    try:
        return import_module("tensorrt")
    except ModuleNotFoundError:
        raise BackendUnavailable("trt", "tensorrt", "tensorrt") from None


def missing(trt: Callable[[], Any] = library, device: Callable[[], Cuda] = Cuda) -> str | None:
    """All that keeps an engine from being built here; None when one can."""
    reasons = [_missing_library(trt), _missing_device(device)]
    return " and ".join(reason for reason in reasons if reason) or None


def _missing_library(trt: Callable[[], Any]) -> str | None:
    try:
        version: str = trt().__version__
    except BackendUnavailable as error:
        return str(error)
    if int(version.split(".")[0]) in GENERATIONS:
        return None
    return f"trt: TensorRT {version} is installed, expected 10.x or 11.x"


def _missing_device(device: Callable[[], Cuda]) -> str | None:
    try:
        device()
    except CudaError as error:
        return str(error)
    return None


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


def trtexec(onnx_name: str, engine_name: str, profile: ShapeProfile, generation: int) -> list[str]:
    """The command line that builds the same engine.

    ``--stronglyTyped`` is the default in 11, and ``--noTF32`` keeps float32 what it is.

    Source: https://docs.nvidia.com/deeplearning/tensorrt/11.0.0/api/migration/tensorrt-10x-to-11x-trtexec.html
    """
    words = ["trtexec", f"--onnx={onnx_name}", f"--saveEngine={engine_name}", "--noTF32"]
    words += ["--stronglyTyped"] if generation == GENERATIONS[0] else []
    for index, which in enumerate(("min", "opt", "max") if profile else ()):
        shapes = (f"{name}:{'x'.join(map(str, s[index]))}" for name, s in profile.items())
        words.append(f"--{which}Shapes={','.join(shapes)}")
    return words


def build_engine(trt: Any, model: bytes, profile: ShapeProfile) -> bytes:
    """A serialised engine of an ONNX model.

    Raises:
        CompilerError: with TensorRT's last error, when it cannot be built.
    """
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        errors = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise CompilerError("TensorRT", "; ".join(errors) or "the model could not be parsed")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    if profile:
        shapes = builder.create_optimization_profile()
        for name, (least, usual, most) in profile.items():
            shapes.set_shape(name, least, usual, most)
        config.add_optimization_profile(shapes)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise CompilerError("TensorRT", " ".join(logger.errors[-1:]) or "no engine was built")
    return bytes(engine)


def make_logger(trt: Any) -> Any:
    """A logger that keeps errors; TensorRT's own prints on stdout, which is the result's."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        """See ``make_logger``."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            """Keeps a message that says what went wrong."""
            if severity in (trt.Logger.INTERNAL_ERROR, trt.Logger.ERROR):
                self.errors.append(message)

    return Logger()


class TrtExporter:
    """Writes an engine, and ``NAME.engine.json`` beside it with the metadata.

    An engine fits one version of TensorRT and one kind of GPU. It is kept in a cache
    under the model's content and both, so that the same model is built once.

    Args:
        trt: the module ``tensorrt``, or one that has its calls.
        device: the GPU.
        cache: folder that engines are kept in; by default one in the user's cache.
    """

    def __init__(self, trt: Any = None, device: Any = None, cache: Path | None = None) -> None:
        self.trt = library() if trt is None else trt
        self.device = Cuda() if device is None else device
        self.cache = cache

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes the engine.

        Raises:
            CompilerError: for a node outside the published support, or a failed build.
            OSError: when a file cannot be written.
        """
        self.pack(build(program, options, metadata), path)

    def pack(self, model: onnx.ModelProto, path: Path) -> None:
        """Writes the engine of a model that has its metadata; those do not change it.

        Raises:
            CompilerError: for a node outside the published support, or a failed build.
            OSError: when a file cannot be written.
        """
        metadata, bare = properties(check_operators(model)), onnx.ModelProto()
        bare.CopyFrom(model)
        del bare.metadata_props[:]
        data, profile = bare.SerializeToString(deterministic=True), profile_of(bare)
        facts = self.facts(data, profile)
        path.write_bytes(self._engine(data, profile, facts))
        path.with_suffix(".engine.json").write_text(
            json.dumps({"engine": facts, "metadata": metadata}, indent=2) + "\n", "utf-8"
        )

    def facts(self, model: bytes, profile: ShapeProfile) -> dict[str, Any]:
        """All that an engine depends on."""
        return {
            "onnx_sha256": hashlib.sha256(model).hexdigest(),
            "tensorrt": self.trt.__version__,
            "device": self.device.name,
            "compute_capability": list(self.device.capability),
            "profile": {name: [list(s) for s in shapes] for name, shapes in profile.items()},
            "tf32": False,
        }

    def _engine(self, model: bytes, profile: ShapeProfile, facts: Mapping[str, Any]) -> bytes:
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        # Without a place to keep it, it is built again: no reason to lose this one.
        with suppress(OSError, CacheError):
            found = unseal(key, self._kept(key).read_bytes())
            if found is not None:
                return found
        engine = build_engine(self.trt, model, profile)
        with suppress(OSError, CacheError):
            make_private(self._kept(key).parent)
            with atomic_write(self._kept(key)) as temporary:
                temporary.write_bytes(seal(key, engine))
        return engine

    def _kept(self, key: str) -> Path:
        return (self.cache or cache_dir() / "trt") / f"{key}.engine"

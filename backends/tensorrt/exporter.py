"""TensorRT: strongly typed engines, built where the library and a GPU are."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable, ExportOptions
from auxnas.backends.tensorrt.cuda import Cuda, missing_device
from auxnas.backends.tensorrt.engines import EngineExporter, ShapeProfile, build_engine

GENERATIONS = (10, 11)


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
    reasons = [_missing_library(trt), missing_device(device)]
    return " and ".join(reason for reason in reasons if reason) or None


def _missing_library(trt: Callable[[], Any]) -> str | None:
    try:
        version: str = trt().__version__
    except BackendUnavailable as error:
        return str(error)
    if int(version.split(".")[0]) in GENERATIONS:
        return None
    return f"trt: TensorRT {version} is installed, expected 10.x or 11.x"


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


class TrtExporter(EngineExporter):
    """Writes an engine, which fits one version of TensorRT and one kind of GPU.

    Args:
        trt: the module ``tensorrt``, or one that has its calls.
        device: the GPU.
        cache: folder that engines are kept in; by default one in the user's cache.
    """

    name = "trt"

    def __init__(self, trt: Any = None, device: Any = None, cache: Path | None = None) -> None:
        super().__init__(library() if trt is None else trt, cache)
        self.device = Cuda() if device is None else device

    def origin(self, options: ExportOptions) -> dict[str, Any]:
        """Version and device."""
        return {
            "tensorrt": self.trt.__version__,
            "device": self.device.name,
            "compute_capability": list(self.device.capability),
        }

    def build(self, model: bytes, profile: ShapeProfile, options: ExportOptions) -> bytes:
        """An engine for the device."""
        return build_engine(self.trt, model, profile)

"""TensorRT-RTX: portable engines, built on any machine, for GPUs from Ampere on.

NVIDIA's parser and builder need no GPU. The engine is specialised by the runtime where it is
loaded first.

Source: https://docs.nvidia.com/deeplearning/tensorrt-rtx/latest/index.html
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable, ExportOptions
from auxnas.backends.tensorrt.engines import EngineExporter, ShapeProfile, build_engine
from auxnas.backends.tensorrt.runner import TrtRunner
from auxnas.compiler import CompilerError

_MODULES = ("tensorrt_rtx", "tensorrt_rtx_bindings")
"""The library by its meta package's name, and as its bindings alone install it."""


@cache
def rtx_library() -> Any:
    """The Python module of TensorRT-RTX.

    Raises:
        BackendUnavailable: when it is not installed.
    """
    _load_cuda_runtime()
    for name in _MODULES:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in _MODULES:
                raise
    raise BackendUnavailable("rtx", _MODULES[0], "rtx") from None


def _load_cuda_runtime() -> None:
    """Loads the CUDA runtime that pip installs, which the library looks for by its bare name."""
    spec = find_spec("nvidia.cuda_runtime") if find_spec("nvidia") else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("lib/libcudart.so.*")):
            with suppress(OSError):  # of another machine's kind: the library itself says so
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def rtx_missing() -> str | None:
    """Reason that no engine can be built here; None where one can."""
    try:
        rtx_library()
    except BackendUnavailable as error:
        return str(error).removeprefix("rtx: ")
    except ImportError as error:
        return f"TensorRT-RTX cannot be loaded: {error}"
    return None


def find_capabilities(trt: Any, asked: tuple[str, ...]) -> list[Any]:
    """The library's compute capabilities of those asked for, ``8.9``.

    Raises:
        CompilerError: naming one that it has not.
    """
    members = trt.ComputeCapability.__members__
    known = {f"{n[2:-1]}.{n[-1]}": n for n in members if n.startswith("SM")}
    for each in asked:
        if each not in known:
            raise CompilerError("compute capability", repr(each), f"one of {', '.join(known)}")
    return [members[known[each]] for each in asked]


class RtxExporter(EngineExporter):
    """Writes an engine that fits one version of TensorRT-RTX, and no machine.

    Args:
        trt: the library.
        cache: folder that engines are kept in; by default one in the user's cache.
    """

    name = "rtx"

    def __init__(self, trt: Any = None, cache: Path | None = None) -> None:
        super().__init__(rtx_library() if trt is None else trt, cache)

    def origin(self, options: ExportOptions) -> dict[str, Any]:
        """Version, and the GPUs that were named."""
        return {
            "tensorrt_rtx": self.trt.__version__,
            "compute_capabilities": sorted(options.capabilities),
        }

    def build(self, model: bytes, profile: ShapeProfile, options: ExportOptions) -> bytes:
        """An engine for the GPUs that were named, else for those from Ampere on."""
        asked = find_capabilities(self.trt, options.capabilities)
        return build_engine(self.trt, model, profile, asked)


class RtxRunner(TrtRunner):
    """An engine of TensorRT-RTX on the GPU; see ``TrtRunner``."""

    def __init__(
        self, path: str | Path, threads: int | None = None, trt: Any = None, device: Any = None
    ) -> None:
        super().__init__(path, threads, rtx_library() if trt is None else trt, device)

"""Our own targets: one class, and subclasses of those that say more of this machine.

What they are made with is imported by the methods, when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auxnas.backends.base import BackendUnavailable, ExportOptions, Runner
from auxnas.backends.registry import backend
from auxnas.backends.target import Opener, Target
from auxnas.compiler import Program
from auxnas.genotype.plugins import import_place


@dataclass(frozen=True)
class OwnedTarget(Target):
    """One of ours, whose exporter and runner are in the registry.

    Attributes:
        name: of the target, and of its exporter.
        onnx: ``module:function`` that gives the ONNX model, and refuses what the target cannot
            take; None where it is not made from ONNX.
        reader: ``module:function`` that gives the ONNX model in a file; None where there is none.
    """

    name: str
    runner: str
    runtime: str
    suffix: str
    precisions: tuple[str, ...] = ("fp32", "fp16")
    beside: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    onnx: str | None = "auxnas.backends.onnx.build:build"
    fallback: str | None = None
    reader: str | None = None
    opset: bool = True
    signed: bool = False
    stand_in: str | None = None
    capabilities: bool = False
    folder: tuple[str, ...] = ()

    def missing(self) -> str | None:
        """The library that its exporter needs, where it is not there."""
        try:
            backend("exporter", self.name)
        except BackendUnavailable as error:
            return str(error).removeprefix(f"{self.name}: ")
        return None

    def model(
        self, program: Program, options: ExportOptions, metadata: Mapping[str, str]
    ) -> Any | None:
        """Result of the function at ``onnx``."""
        return None if self.onnx is None else import_place(self.onnx)(program, options, metadata)

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Leaves it to the exporter."""
        backend("exporter", self.name)().export(program, path, options, metadata)

    def pack(self, model: Any, path: Path, options: ExportOptions) -> None:
        """Leaves it to the exporter."""
        backend("exporter", self.name)().pack(model, path, options)

    def read_model(self, path: Path) -> bytes | None:
        """Result of the function at ``reader``."""
        return None if self.reader is None else import_place(self.reader)(path)

    def open(self, path: Path) -> Runner:
        """Opens it with our runner."""
        runner: Runner = self.opener()(path)
        return runner

    def opener(self) -> Opener:
        """The runner's class."""
        found: Opener = backend("runner", self.runner)
        return found


class OpenvinoTarget(OwnedTarget):
    """OpenVINO, whose default precision depends on the processor."""

    def missing_precision(self, precision: str) -> str | None:
        """Reason that the processor has no bfloat16, where that is asked for."""
        if self.missing() is not None:
            return None
        from auxnas.backends.runtimes import openvino

        return openvino.missing_precision(precision)

    def with_defaults(self, path: Path) -> tuple[str, Runner] | None:
        """An IR without our setting of the precision."""
        from auxnas.backends.runtimes import openvino

        return openvino.with_defaults(path)

    def open_model(self, model: Any, precision: str) -> Runner | None:
        """The model read by OpenVINO itself."""
        from auxnas.backends.runtimes import openvino

        return openvino.open_onnx(model, precision)


class EngineTarget(OwnedTarget):
    """Engines, whose metadata are in a file beside them."""

    def read_metadata(self, path: Path) -> Mapping[str, str] | None:
        """From that file."""
        from auxnas.backends.tensorrt.engines import read_metadata

        return read_metadata(path)


class TrtTarget(EngineTarget):
    """TensorRT, which takes a GPU."""

    def missing(self) -> str | None:
        """The library, or the GPU."""
        from auxnas.backends.tensorrt.exporter import missing

        return missing()


class RtxTarget(EngineTarget):
    """TensorRT-RTX, which builds without a GPU what runs on one."""

    def missing(self) -> str | None:
        """The library."""
        from auxnas.backends.tensorrt.rtx import rtx_missing

        return rtx_missing()

    def unrunnable(self) -> str | None:
        """The GPU."""
        from auxnas.backends.tensorrt.cuda import missing_device

        return missing_device()

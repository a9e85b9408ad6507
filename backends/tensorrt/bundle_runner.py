"""Running what a TensorRT bundle holds, before there is an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from auxnas.backends.runtimes.ort import Array, OrtRunner
from auxnas.backends.tensorrt.bundle import read_bundle


class BundleRunner:
    """The archive's model, run by onnxruntime: the numbers that an engine must give.

    Args:
        path: the archive.
        threads: within an operation; None leaves it to the runtime.

    Attributes:
        metadata: of the artefact, by key.
        devices: those that it computes on.

    Raises:
        ValueError: when the archive is damaged or the runtime refuses the model.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        model, manifest = read_bundle(path)
        self.metadata: dict[str, str] = manifest["metadata"]
        self._run = OrtRunner(model, threads)
        self.devices = self._run.devices

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name."""
        return self._run(inputs)

"""ONNX models that onnxruntime has already optimised, for machines of this kind.

The file has the runtime's own operators and memory layouts (NCHWc blocks as wide as this
processor's vectors), so that a session starts sooner and runs what a session on the plain
model would run. It is bound to the kind of processor and to the runtime.

Source: https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from auxnas.backends.base import ExportOptions
from auxnas.backends.onnx.build import build_for_cpu
from auxnas.backends.runtimes.ort import CPU, OrtRunner
from auxnas.compiler import CompilerError, Program


class OrtExporter:
    """Writes a program as onnxruntime optimises it."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes the optimised model, metadata included.

        Raises:
            CompilerError: for an option out of range, or a model that the runtime refuses.
            OSError: when it cannot be written.
        """
        model = build_for_cpu(program, options, metadata).SerializeToString()
        path.touch()
        try:
            OrtRunner(model, on=[CPU], optimized_model_filepath=str(path))
        except CompilerError:
            path.write_bytes(model)  # where it cannot be written, this error says why
            raise

"""Running ONNX models with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

Array = np.ndarray[Any, Any]


class OrtRunner:
    """A session on a model file or its bytes.

    Args:
        model: path or serialised model.
        threads: within an operation; None leaves it to the runtime.

    Raises:
        ValueError: when the runtime refuses the model.
    """

    def __init__(self, model: str | Path | bytes, threads: int | None = None) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        source = str(model) if isinstance(model, Path) else model
        try:
            self.session = ort.InferenceSession(
                source, options, providers=ort.get_available_providers()
            )
        except Exception as error:
            # The runtime's own exceptions share no base class but Exception.
            raise ValueError(f"onnxruntime: {str(error).splitlines()[0]}") from error

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name."""
        names = [output.name for output in self.session.get_outputs()]
        feed = {name: np.ascontiguousarray(x) for name, x in inputs.items()}
        return dict(zip(names, self.session.run(names, feed), strict=True))

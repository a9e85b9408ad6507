"""Running ONNX models with onnxruntime."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from auxnas.compiler import CompilerError

Array = np.ndarray[Any, Any]

CPU = "CPUExecutionProvider"
PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", CPU)
"""Execution providers in order of preference. A build may offer more, among them services on
other machines: those are not used."""


_NOISE = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : "
    r"(Load model from .*? failed: ?)?"
    r"(/\S+:\d+ .*?\) (?=[A-Z]))?"
)
"""Start of the runtime's messages: an error number, the file's name, a place in its source."""
SILENT = 4
"""Severity from which the runtime writes on stderr: what fails is raised as well."""


@contextmanager
def convert_errors(place: str = "onnxruntime") -> Iterator[None]:
    """Turns what the runtime raises into one line.

    Raises:
        CompilerError: at ``place``, with the runtime's message.
    """
    try:
        yield
    except Exception as error:
        # The runtime's own exceptions share no base class but Exception.
        text = " ".join(str(error).split())
        raise CompilerError(place, _NOISE.sub("", text, 1) or type(error).__name__) from error


def providers() -> list[str]:
    """Those of ``PROVIDERS`` that the installed build offers."""
    offered = ort.get_available_providers()
    return [name for name in PROVIDERS if name in offered]


class OrtRunner:
    """A session on a model file or its bytes.

    Args:
        model: path or serialised model.
        threads: within an operation; None leaves it to the runtime.
        on: execution providers; None for ``providers()``.
        settings: attributes of ``onnxruntime.SessionOptions``.

    Attributes:
        session: the session.

    Raises:
        CompilerError: when the runtime refuses the model.
    """

    def __init__(
        self,
        model: str | Path | bytes,
        threads: int | None = None,
        on: Sequence[str] | None = None,
        **settings: Any,
    ) -> None:
        options = ort.SessionOptions()
        for name, value in ({"log_severity_level": SILENT} | settings).items():
            setattr(options, name, value)
        if threads is not None:
            options.intra_op_num_threads = threads
        source = str(model) if isinstance(model, Path) else model
        with convert_errors(
            "onnxruntime" if isinstance(source, bytes) else f"{source}: onnxruntime"
        ):
            self.session = ort.InferenceSession(source, options, on or providers())

    @property
    def devices(self) -> list[str]:
        """The execution providers that the session uses."""
        found: list[str] = self.session.get_providers()
        return found

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            CompilerError: when the runtime fails on them.
        """
        names = [output.name for output in self.session.get_outputs()]
        feed = {name: np.ascontiguousarray(x) for name, x in inputs.items()}
        with convert_errors():
            return dict(zip(names, self.session.run(names, feed), strict=True))

"""Which backends there are: a literal table, imported only when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from backends.base import BackendUnavailable

TABLE = {
    ("exporter", "onnx"): ("backends.onnx:OnnxExporter", "onnx", "ort"),
    ("runner", "ort"): ("backends.ort:OrtRunner", "onnxruntime", "ort"),
    ("runner", "reference"): ("backends.reference:ReferenceRunner", "numpy", "ort"),
    ("runner", "torch"): ("backends.torch:TorchRunner", "torch", "torch"),
    ("learner", "torch"): ("backends.torch:TorchLearner", "torch", "torch"),
    ("encoder", "torch"): ("backends.torch:load_encoder", "torch", "torch"),
    ("learner", "null"): ("backends.null:NullLearner", "numpy", "torch"),
}
"""(role, name) -> (where it is, the package it needs, the extra that installs that)."""


def backend(role: str, name: str) -> Any:
    """The class of a backend.

    Raises:
        ValueError: when there is none of this name.
        BackendUnavailable: when its framework is not installed.
    """
    if (role, name) not in TABLE:
        known = ", ".join(n for r, n in TABLE if r == role)
        raise ValueError(f"{role} {name!r}: unknown, expected one of {known}")
    target, package, extra = TABLE[role, name]
    module, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise BackendUnavailable(name, package, extra) from None

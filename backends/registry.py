"""Which backends there are: a literal table, imported only when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from auxnas.backends.base import BackendUnavailable

TABLE = {
    ("exporter", "onnx"): ("auxnas.backends.onnx:OnnxExporter", "onnx", "ort"),
    ("exporter", "ort"): ("auxnas.backends.ort_exporter:OrtExporter", "onnxruntime", "ort"),
    ("exporter", "openvino"): ("auxnas.backends.openvino:OpenvinoExporter", "openvino", "openvino"),
    ("exporter", "torch"): ("auxnas.backends.torch.exported:Pt2Exporter", "torch", "torch"),
    ("exporter", "trt"): ("auxnas.backends.trt:TrtExporter", "tensorrt", "tensorrt"),
    ("exporter", "trt-bundle"): ("auxnas.backends.trt_bundle:BundleExporter", "onnx", "ort"),
    ("runner", "ort"): ("auxnas.backends.ort:OrtRunner", "onnxruntime", "ort"),
    ("runner", "openvino"): ("auxnas.backends.openvino:OpenvinoRunner", "openvino", "openvino"),
    ("runner", "pt2"): ("auxnas.backends.torch.exported:Pt2Runner", "torch", "torch"),
    ("runner", "trt"): ("auxnas.backends.trt_runner:TrtRunner", "tensorrt", "tensorrt"),
    ("runner", "trt-bundle"): (
        "auxnas.backends.trt_bundle_runner:BundleRunner",
        "onnxruntime",
        "ort",
    ),
    ("runner", "reference"): ("auxnas.backends.reference:ReferenceRunner", "numpy", "ort"),
    ("runner", "torch"): ("auxnas.backends.torch:TorchRunner", "torch", "torch"),
    ("learner", "torch"): ("auxnas.backends.torch:TorchLearner", "torch", "torch"),
    ("checkpoint", "torch"): ("auxnas.backends.torch:read_checkpoint", "torch", "torch"),
    ("quantiser", "int8"): ("auxnas.backends.int8.artefact:shipped", "onnxruntime", "ort"),
    ("learner", "null"): ("auxnas.backends.null:NullLearner", "numpy", "torch"),
    ("policy", "torch"): ("auxnas.backends.torch.policy:LstmPolicy", "torch", "torch"),
    ("policy", "null"): ("auxnas.backends.null_policy:TablePolicy", "numpy", "torch"),
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

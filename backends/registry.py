"""Which backends there are: a literal table, imported only when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from backends.base import BackendUnavailable

TABLE = {
    ("exporter", "onnx"): ("backends.onnx:OnnxExporter", "onnx", "ort"),
    ("exporter", "ort"): ("backends.ort_exporter:OrtExporter", "onnxruntime", "ort"),
    ("exporter", "openvino"): ("backends.openvino:OpenvinoExporter", "openvino", "openvino"),
    ("exporter", "torch"): ("backends.torch.exported:Pt2Exporter", "torch", "torch"),
    ("exporter", "trt"): ("backends.trt:TrtExporter", "tensorrt", "tensorrt"),
    ("exporter", "trt-bundle"): ("backends.trt_bundle:BundleExporter", "onnx", "ort"),
    ("runner", "ort"): ("backends.ort:OrtRunner", "onnxruntime", "ort"),
    ("runner", "openvino"): ("backends.openvino:OpenvinoRunner", "openvino", "openvino"),
    ("runner", "pt2"): ("backends.torch.exported:Pt2Runner", "torch", "torch"),
    ("runner", "trt"): ("backends.trt_runner:TrtRunner", "tensorrt", "tensorrt"),
    ("runner", "trt-bundle"): ("backends.trt_bundle_runner:BundleRunner", "onnxruntime", "ort"),
    ("runner", "reference"): ("backends.reference:ReferenceRunner", "numpy", "ort"),
    ("runner", "torch"): ("backends.torch:TorchRunner", "torch", "torch"),
    ("learner", "torch"): ("backends.torch:TorchLearner", "torch", "torch"),
    ("checkpoint", "torch"): ("backends.torch:read_checkpoint", "torch", "torch"),
    ("encoder", "torch"): ("backends.torch:load_encoder", "torch", "torch"),
    ("quantiser", "int8"): ("backends.int8.artefact:shipped", "onnxruntime", "ort"),
    ("learner", "null"): ("backends.null:NullLearner", "numpy", "torch"),
    ("policy", "torch"): ("backends.torch.policy:LstmPolicy", "torch", "torch"),
    ("policy", "null"): ("backends.null_policy:TablePolicy", "numpy", "torch"),
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

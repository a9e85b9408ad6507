"""Registry of backends: a literal table of classes, each imported when first asked for."""

from __future__ import annotations

from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.genotype.plugins import import_place

_OURS = "auxnas.backends"

TABLE = {
    ("exporter", "onnx"): (f"{_OURS}.onnx.build:OnnxExporter", "onnx", "ort"),
    ("exporter", "ort"): (f"{_OURS}.runtimes.ort_exporter:OrtExporter", "onnxruntime", "ort"),
    ("exporter", "openvino"): (
        f"{_OURS}.runtimes.openvino:OpenvinoExporter",
        "openvino",
        "openvino",
    ),
    ("exporter", "torch"): (f"{_OURS}.torch.exported:Pt2Exporter", "torch", "torch"),
    ("exporter", "trt"): (f"{_OURS}.tensorrt.exporter:TrtExporter", "tensorrt", "tensorrt"),
    ("exporter", "rtx"): (f"{_OURS}.tensorrt.rtx:RtxExporter", "tensorrt-rtx-cu12-libs", "rtx"),
    ("exporter", "trt-bundle"): (f"{_OURS}.tensorrt.bundle:BundleExporter", "onnx", "ort"),
    ("exporter", "web"): (f"{_OURS}.web.exporter:WebExporter", "onnx", "ort"),
    ("exporter", "ncnn"): (f"{_OURS}.phones.ncnn_file:NcnnExporter", "numpy", "ncnn"),
    ("runner", "ncnn"): (f"{_OURS}.phones.ncnn_runner:NcnnRunner", "ncnn", "ncnn"),
    ("exporter", "litert"): (
        f"{_OURS}.phones.litert_file:LitertExporter",
        "ai_edge_litert",
        "litert",
    ),
    ("runner", "litert"): (
        f"{_OURS}.phones.litert_runner:LitertRunner",
        "ai_edge_litert",
        "litert",
    ),
    ("exporter", "executorch"): (
        f"{_OURS}.phones.executorch_file:ExecutorchExporter",
        "executorch",
        "executorch",
    ),
    ("runner", "executorch"): (
        f"{_OURS}.phones.executorch_runner:ExecutorchRunner",
        "executorch",
        "executorch",
    ),
    ("runner", "web"): (f"{_OURS}.web.runner:WebRunner", "onnxruntime", "ort"),
    ("runner", "ort"): (f"{_OURS}.runtimes.ort:OrtRunner", "onnxruntime", "ort"),
    ("runner", "openvino"): (f"{_OURS}.runtimes.openvino:OpenvinoRunner", "openvino", "openvino"),
    ("runner", "pt2"): (f"{_OURS}.torch.exported:Pt2Runner", "torch", "torch"),
    ("runner", "trt"): (f"{_OURS}.tensorrt.runner:TrtRunner", "tensorrt", "tensorrt"),
    ("runner", "rtx"): (f"{_OURS}.tensorrt.rtx:RtxRunner", "tensorrt-rtx-cu12-libs", "rtx"),
    ("runner", "trt-bundle"): (
        "auxnas.backends.tensorrt.bundle_runner:BundleRunner",
        "onnxruntime",
        "ort",
    ),
    ("runner", "reference"): (f"{_OURS}.runtimes.reference:ReferenceRunner", "numpy", "ort"),
    ("runner", "torch"): (f"{_OURS}.torch:TorchRunner", "torch", "torch"),
    ("learner", "torch"): (f"{_OURS}.torch:TorchLearner", "torch", "torch"),
    ("checkpoint", "torch"): (f"{_OURS}.torch:read_checkpoint", "torch", "torch"),
    ("quantiser", "int8"): (f"{_OURS}.int8.artefact:quantise_if_better", "onnxruntime", "ort"),
    ("quantiser", "described"): (f"{_OURS}.int8.artefact:describe", "onnxruntime", "ort"),
    ("learner", "null"): (f"{_OURS}.null.learner:NullLearner", "numpy", "torch"),
    ("policy", "torch"): (f"{_OURS}.torch.policy:LstmPolicy", "torch", "torch"),
    ("policy", "null"): (f"{_OURS}.null.policy:TablePolicy", "numpy", "torch"),
}
"""(role, name) -> (where it is, the package it needs, the extra that installs that)."""


def packages_of(role: str, name: str) -> tuple[str, ...]:
    """The packages, of which one is needed, of a backend; none of one that is not in the table."""
    row = TABLE.get((role, name))
    return () if row is None else (row[1], f"{row[1]}-gpu")


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
    try:
        return import_place(target)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise BackendUnavailable(name, package, extra) from None

"""onnxruntime's quantisation tool: ranges of activations, and Q/DQ nodes by them.

Calibrating and inserting nodes are apart here (the tool's ``quantize_static`` does both),
because one calibration serves many choices of layers.

Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from auxnas.backends.int8.layers import OPERATORS, Layer

Feed = Mapping[str, np.ndarray[Any, Any]]

METHODS: Mapping[str, tuple[CalibrationMethod, Mapping[str, Any]]] = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"percentile": 99.999}),
}
"""Calibrations of an activation's range: over all its values, or all but one in 100,000."""


@dataclass(frozen=True)
class QuantisationForm:
    """Number format that a runtime computes int8 in; weights are symmetric, with a scale a channel.

    Attributes:
        operators: ONNX operators that are quantised.
        activations: their type.
        settings: more for the tool.
    """

    operators: tuple[str, ...]
    activations: QuantType
    settings: Mapping[str, Any] = field(default_factory=dict)


ONNXRUNTIME = QuantisationForm(OPERATORS, QuantType.QUInt8)
"""uint8 activations: on x86, onnxruntime's kernels for int8 ones ran slower than float.
Processors without VNNI add pairs of products in 16 bits, which can saturate: what was
measured holds for processors like the one that measured."""
TENSORRT = QuantisationForm(
    ("Conv",),
    QuantType.QInt8,
    {
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "AddQDQPairToWeight": True,
        "DedicatedQDQPair": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": ["Conv"],
    },
)
"""Signed and symmetric, as TensorRT asks, and only maps that a convolution reads: TensorRT
fuses what comes after one into it, and by its table a resize, a sum or a mean has no int8
form. Weights are float with a Q/DQ pair behind them, which all versions read, and each
convolution has a pair of its own, as in onnxruntime's TensorRT examples. Biases are float.

Source: https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/quantized-types-explicit-quantization.html
"""


class _One(CalibrationDataReader):  # type: ignore[misc]
    """A single photograph."""

    def __init__(self, feed: Feed) -> None:
        self._feeds: Iterator[Feed] = iter((feed,))

    def get_next(self) -> Feed | None:
        """The photograph, then None."""
        return next(self._feeds, None)


def calibrate_ranges(
    model: onnx.ModelProto, feeds: Iterable[Feed], method: str, advance: Callable[[int], None]
) -> Any:
    """The tool's ranges of all values of a model on photographs.

    Args:
        model: with the shapes of its values.
        feeds: inputs of the model, one photograph each.
        method: one of ``METHODS``.
        advance: told how many photographs are done.
    """
    kind, options = METHODS[method]
    # The tool prints; our stdout is for the result.
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        path = Path(folder) / "float.onnx"
        onnx.save(model, path)
        tool = create_calibrator(
            path,
            list(OPERATORS),
            augmented_model_path=str(Path(folder) / "observed.onnx"),
            calibrate_method=kind,
            extra_options=dict(options),
        )
        for number, feed in enumerate(feeds, 1):
            # One at a time: the tool holds all values of what it is given at once.
            tool.collect_data(_One(feed))
            advance(number)
        return tool.compute_data()


def insert_quantisation(
    model: onnx.ModelProto,
    ranges: Any,
    layers: Sequence[Layer],
    form: QuantisationForm = ONNXRUNTIME,
) -> onnx.ModelProto:
    """A model with Q/DQ nodes around some layers.

    Args:
        model: with the shapes of its values.
        ranges: of ``calibrate_ranges``.
        layers: those to quantise; none leaves the model as it is.
        form: of the numbers.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    names = [node for layer in layers for node in layer.nodes]
    if names:
        tool = QDQQuantizer(
            result,
            True,  # per channel
            False,  # the whole range
            QuantType.QInt8,
            form.activations,
            ranges,
            names,
            [],
            list(form.operators),
            dict(form.settings),
        )
        tool.quantize_model()
        tool.model.topological_sort()  # the new nodes stand last
        result = tool.model.model
        result.producer_name, result.producer_version = model.producer_name, ""
    del result.graph.value_info[:]
    return result

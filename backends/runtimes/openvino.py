"""OpenVINO: the intermediate representation of a program, and running it on a CPU.

The IR is two files, ``NAME.xml`` and the weights in ``NAME.bin``. Our metadata is in the
model's runtime information under ``auxnas``, with the weights' hash, so that files that
do not belong together are noticed.

Source: https://docs.openvino.ai/2025/openvino-workflow/model-preparation/conversion-parameters.html
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from auxnas.backends.artefacts.memory import bytes_of, check_memory, peak_bytes
from auxnas.backends.base import ExportOptions, Runner
from auxnas.backends.onnx.build import build_for_openvino
from auxnas.backends.tensors import Tensor
from auxnas.compiler import CompilerError, Program

Array = np.ndarray[Any, Any]


def _without_telemetry() -> Any:
    """OpenVINO, kept from reporting its imports and conversions over the network.

    Its package does without ``openvino_telemetry`` where that cannot be imported. A process
    that has imported it before us keeps its own choice.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_module("openvino")


ov = _without_telemetry()
GROUP = "auxnas"
WEIGHTS = "weights_sha256"
CONFIG = {"PERFORMANCE_HINT": "LATENCY"}
"""One image at a time."""
PRECISION, HINT = "precision", "INFERENCE_PRECISION_HINT"
"""Key of our metadata, and the runtime's setting: processors that have bfloat16 compute in it
where nothing is set, and no IR can carry the setting (its runtime options are not read for it).

https://docs.openvino.ai/2025/openvino-workflow/running-inference/inference-devices-and-modes/cpu-device.html
"""
_NAMES = {"f32": "fp32", "f16": "fp16"}

_IR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*)*<net\s[^>]*version=", re.DOTALL)
"""Pattern of the start of an ``.xml`` file of the IR."""


class OpenvinoExporter:
    """Writes a program as OpenVINO IR, by way of our ONNX."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes ``path``, which ends in ``.xml``, and the ``.bin`` beside it.

        Raises:
            CompilerError: for an option out of range.
            OSError: when a file cannot be written.
        """
        # The runtime rounds to bfloat16 by itself, where it is told to.
        kept = options if options.precision != "bf16" else replace(options, precision="fp32")
        self.pack(build_for_openvino(program, kept, metadata), path, options)

    def pack(self, found: ModelProto, path: Path, options: ExportOptions) -> None:
        """Writes the IR of a model that has its metadata.

        Raises:
            CompilerError: when OpenVINO cannot read it.
            OSError: when a file cannot be written.
        """
        bare = ModelProto()
        bare.CopyFrom(found)
        del bare.metadata_props[:]
        onnx = bare.SerializeToString()
        model = _read(onnx)
        for entry in found.metadata_props:
            model.set_rt_info(entry.value, [GROUP, entry.key])
        _save(model, path, onnx)
        model.set_rt_info(_hash(path.with_suffix(".bin")), [GROUP, WEIGHTS])
        _save(model, path, onnx)


def _read(onnx: bytes) -> Any:
    return ov.Core().read_model(BytesIO(onnx))


def _save(model: Any, path: Path, onnx: bytes) -> None:
    """Both files. OpenVINO's own error says nothing of the reason; writing ``onnx`` does."""
    path.touch()
    try:
        ov.save_model(model, str(path), compress_to_fp16=False)
    except RuntimeError as error:
        path.write_bytes(onnx)
        raise CompilerError("openvino", _reason(error)) from error


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def missing_precision(precision: str) -> str | None:
    """Reason that this processor cannot compute in a precision; None where it can."""
    found = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision != "bf16" or "BF16" in found:
        return None
    return "this processor has no bfloat16"


def hint_of(precision: str) -> str:
    """The setting for an artefact: what is left in float of int8 is computed as by default."""
    return default_hint() if precision == "int8" else {"bf16": "bf16"}.get(precision, "f32")


def default_hint() -> str:
    """Precision, in OpenVINO's words, that this processor computes in where nothing is set."""
    found: str = ov.Core().get_property("CPU", HINT).get_type_name()
    return found


def with_defaults(path: Path) -> tuple[str, OpenvinoRunner] | None:
    """An IR of ours as OpenVINO opens it, where its default here is not what the IR says."""
    usual = OpenvinoRunner(path)
    default = default_hint()
    if default == hint_of(usual.metadata.get(PRECISION, "")):
        return None
    return _NAMES.get(default, default), OpenvinoRunner(path, hint=default)


def open_onnx(model: ModelProto, precision: str) -> Runner:
    """An ONNX model in memory, compiled as an IR of it in ``precision`` is.

    Raises:
        ValueError: when OpenVINO refuses it.
    """
    try:
        found = _read(model.SerializeToString())
        compiled = ov.Core().compile_model(found, "CPU", CONFIG | {HINT: hint_of(precision)})
    except RuntimeError as error:
        raise CompilerError("openvino", _reason(error)) from error
    names = [port.get_any_name() for port in found.outputs]

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        results = compiled({name: np.ascontiguousarray(x) for name, x in inputs.items()})
        return dict(zip(names, (np.array(x) for x in results.values()), strict=True))

    return run


class OpenvinoRunner:
    """An IR compiled for the CPU, in the precision that its metadata say: lowest latency.

    Args:
        model: path of the ``.xml``.
        threads: None leaves it to the runtime.
        hint: precision in OpenVINO's words; None for what the artefact was checked in.

    Attributes:
        metadata: of the artefact, by key.
        inputs: names, types and shapes of the inputs.
        outputs: names, types and shapes of the outputs.
        devices: those that it computes on.

    Raises:
        ValueError: when OpenVINO refuses the model, or the weights are another file's.
    """

    devices = ("CPU",)

    def __init__(
        self, model: str | Path, threads: int | None = None, hint: str | None = None
    ) -> None:
        path = Path(model)
        config = CONFIG | ({} if threads is None else {"INFERENCE_NUM_THREADS": threads})
        _check_files(path)
        try:
            core = ov.Core()
            found = core.read_model(str(path))
            self.metadata = _metadata(found)
            self.inputs, self.outputs = _tensors(found.inputs), _tensors(found.outputs)
            check_memory(str(path), _needed(found), "values")
            config = config | {HINT: hint or hint_of(self.metadata.get(PRECISION, ""))}
            self._model = core.compile_model(found, "CPU", config)
        except RuntimeError as error:
            raise CompilerError(str(path), f"openvino: {_reason(error)}") from error
        if WEIGHTS in self.metadata and self.metadata[WEIGHTS] != _hash(path.with_suffix(".bin")):
            raise CompilerError(
                str(path.with_suffix(".bin")), "weights of another file", f"those of {path}"
            )

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            ValueError: when OpenVINO fails on them.
        """
        try:
            found = self._model({name: np.ascontiguousarray(x) for name, x in inputs.items()})
        except RuntimeError as error:
            raise ValueError(f"openvino: {_reason(error)}") from error
        return {each.name: x for each, x in zip(self.outputs, found.values(), strict=True)}


def _check_files(path: Path) -> None:
    """Checks the files before OpenVINO, which would try them as other kinds of model.

    Raises:
        CompilerError: when it is no IR, or has no weights beside it.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if _IR.match(head) is None:
        raise CompilerError(str(path), "not an OpenVINO IR", "an .xml file that nascompile wrote")
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise CompilerError(str(weights), "no such file", f"the weights of {path}")


def _needed(model: Any) -> int:
    """Bytes of the values that are alive at once; open sides take none."""
    steps, sizes = [], dict[str, int]()
    for node in model.get_ordered_ops():
        name, outputs = node.get_friendly_name(), node.outputs()
        names = [f"{name}:{number}" for number in range(len(outputs))]
        sizes |= dict(zip(names, map(_bytes, outputs), strict=True))
        sources = (value.get_source_output() for value in node.inputs())
        read = [f"{each.get_node().get_friendly_name()}:{each.get_index()}" for each in sources]
        steps.append((read, names))
    return peak_bytes(steps, sizes)


def _bytes(port: Any) -> int:
    shape = port.get_partial_shape()
    sides = [] if shape.rank.is_dynamic else ["" if d.is_dynamic else d.get_length() for d in shape]
    return bytes_of(sides, port.get_element_type().size)


def _tensors(ports: Any) -> tuple[Tensor, ...]:
    """Inputs or outputs of a model; what is dynamic has no name."""
    return tuple(
        Tensor(
            port.get_any_name(),
            np.dtype(port.get_element_type().to_dtype()).name,
            tuple("" if d.is_dynamic else d.get_length() for d in port.get_partial_shape()),
        )
        for port in ports
    )


def _metadata(model: Any) -> dict[str, str]:
    if not model.has_rt_info([GROUP]):
        return {}
    return {key: model.get_rt_info([GROUP, key]).value for key in model.rt_info[GROUP]}


def _reason(error: RuntimeError) -> str:
    """The last line that is not a place in OpenVINO's source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "refused the model"

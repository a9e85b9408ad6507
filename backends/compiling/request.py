"""Request to compile: from what, into what, under which metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import Difference, default_tolerance
from auxnas.backends.devices import Device
from auxnas.backends.int8 import MAX_DROP, Int8Options
from auxnas.backends.targets import nothing_written, target_of
from auxnas.backends.weights import Weights
from auxnas.compiler import CompilerError, Graph, ModelSpec, Program, Size
from auxnas.compiler.architecture import Architecture, describe_architecture
from auxnas.compiler.decoders import HandMade
from auxnas.compiler.errors import check_choice, check_integer, check_number, check_type
from auxnas.compiler.interface import Interface
from auxnas.compiler.passes import INFERENCE
from auxnas.compiler.weights import random_params
from auxnas.genotype import Genotype

Array = np.ndarray[Any, Any]


_TYPES: dict[str, type] = {
    "spec": ModelSpec,
    "output": Path,
    "target": str,
    "interface": Interface,
    "options": ExportOptions,
    "disabled": tuple,
}


@dataclass(frozen=True)
class Request:
    """Request to compile a genotype into an artefact.

    Attributes:
        genotype: the architecture, or a hand-made network in its place.
        spec: the network around it, auxiliary heads left out.
        output: path of the artefact.
        weights: None for random ones from ``seed``.
        target: a name in ``backends.targets.TARGETS``, or ``auto``.
        interface: form of the input and the output.
        options: size, batch, precision, opset.
        verify: whether to run the artefact against the float64 reference.
        tolerance: largest relative error allowed, or share of labels changed where labels
            come out; None for the default.
        images: (H, W, 3) uint8 images to check on; none for noise.
        seed: of random weights and noise.
        disabled: names of passes to leave out.
        int8: how to quantise, for that precision.
        open_precision: whether the precision is chosen by trying all; ``options`` then has fp32.
        max_drop: largest disagreement with the float32 network, where it is.
        device: where the artefact is run and timed; None for here.

    Raises:
        CompilerError: naming the field that is not of its type or out of range.
    """

    genotype: Architecture
    spec: ModelSpec
    output: Path
    weights: Weights | None = None
    target: str = "onnx"
    interface: Interface = field(default_factory=Interface)
    options: ExportOptions = field(default_factory=ExportOptions)
    verify: bool = True
    tolerance: float | None = None
    images: Sequence[Array] = ()
    seed: int = 0
    disabled: tuple[str, ...] = ()
    int8: Int8Options | None = None
    open_precision: bool = False
    max_drop: float = MAX_DROP
    device: Device | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.genotype, HandMade):
            check_type("request.genotype", self.genotype, Genotype)
        for name, wanted in _TYPES.items():
            check_type(f"request.{name}", getattr(self, name), wanted)
        if self.tolerance is not None:
            check_number("request.tolerance", self.tolerance)
        check_integer("request.seed", self.seed)
        if self.options.precision == "int8" and self.int8 is None:
            raise CompilerError("request.int8", "None", "Int8Options, for that precision")
        for name in self.disabled:
            check_choice("request.disabled", name, [each.name for each in INFERENCE])

    @property
    def size(self) -> Size:
        """(height, width) that costs and times are quoted for."""
        return self.options.size or (512, 512)

    @property
    def batch(self) -> int:
        """Images at once that it is checked on; two show where they mix."""
        return self.options.batch or 2

    @property
    def checked_images(self) -> Sequence[Array]:
        """Those of ``images`` that are compared with the reference.

        Two for int8: of the float network that it is made of, since it is judged on others.
        """
        return self.images[:2] if self.options.precision == "int8" else self.images

    @property
    def allowed(self) -> float:
        """The tolerance in force."""
        if self.tolerance is not None:
            return self.tolerance
        return default_tolerance(self.options.precision, self.interface.end)

    @property
    def origin(self) -> str:
        """Origin of the weights."""
        return self.weights.source if self.weights else f"random, seed {self.seed}"

    def params(self, graph: Graph) -> dict[str, Any]:
        """The weights of ``graph``.

        Raises:
            CompilerError: naming the first parameter that does not fit.
        """
        return random_params(graph, self.seed) if self.weights is None else self.weights.of(graph)


def export_program(
    request: Request,
    program: Program,
    path: Path,
    differences: Mapping[Size, Difference] | None = None,
    size: Size | None = None,
) -> None:
    """Writes ``program`` as the request's target.

    Args:
        request: target, options and metadata.
        program: to be written.
        path: where.
        differences: results of the check, by image size, for its metadata.
        size: another size than the request's, where that is fixed.

    Raises:
        CompilerError: when the target writes nothing.
    """
    options = request.options
    if size is not None and options.size is not None:
        options = replace(options, size=size)
    target_of(request.target).export(
        program, path, options, artefact_metadata(request, differences)
    )
    if not path.exists():
        raise nothing_written(request.output, request.target)


def artefact_metadata(
    request: Request, differences: Mapping[Size, Difference] | None = None
) -> dict[str, str]:
    """Metadata of the artefact by key; values are text or JSON."""
    known = request.weights.metadata if request.weights else {}
    ends = request.interface
    values = {
        **describe_architecture(request.genotype),
        "key": request.genotype.key("isomorphism"),
        "model": request.spec.to_dict(),
        "weights": request.origin,
        "normalisation": {"mean": list(ends.mean), "deviation": list(ends.deviation)},
        "input_format": ends.format,
        "head": ends.head,
        "resize_output": ends.resized,
        "precision": "fp32" if request.options.precision == "int8" else request.options.precision,
        "passes": [each.name for each in INFERENCE if each.name not in request.disabled],
        "tool": f"auxnas {metadata.version('auxnas')}",
    }
    if differences is not None:
        values["verification"] = {
            f"{height}x{width}": found.to_dict() for (height, width), found in differences.items()
        }
        target = target_of(request.target)
        if request.device is None and target.unrunnable() is not None:
            values["verified_as"] = target.stand_in or ""
        if request.device is not None:
            values["verified_on"] = request.device.name
    values |= {k: known[k] for k in ("classes", "palette") if isinstance(known.get(k), list)}
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}

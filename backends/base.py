"""The protocols between the framework-free core and what runs or learns.

Those of learners and policies are in ``learning`` and ``policies``, and here under the same names.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from auxnas.backends.learning import (
    Batch,
    Examples,
    Learner,
    OnOutput,
    Optimiser,
    Progress,
    Recipe,
    TrainingState,
    TrainingStep,
    ignore_output,
    ignore_step,
)
from auxnas.backends.policies import Ascent, Policy, PolicyStep, Weigh
from auxnas.compiler import CompilerError, Program, Size
from auxnas.compiler.errors import check_choice, check_integer, check_type

__all__ = [
    "INCOMPLETE",
    "Array",
    "Ascent",
    "BackendUnavailable",
    "Batch",
    "Examples",
    "ExportOptions",
    "Exporter",
    "Learner",
    "OnOutput",
    "Optimiser",
    "Policy",
    "PolicyStep",
    "Progress",
    "Recipe",
    "Runner",
    "TrainingState",
    "TrainingStep",
    "TrainingWarning",
    "TrialFailure",
    "Weigh",
    "ignore_output",
    "ignore_step",
]

Array = np.ndarray[Any, Any]

INCOMPLETE = 3
"""Exit status when less than what was asked for, or nothing, could be made here."""


class BackendUnavailable(RuntimeError):
    """Package that is needed and not installed; the message says what to do."""

    exit_status = INCOMPLETE

    def __init__(self, backend: str, missing: str, extra: str) -> None:
        super().__init__(
            f"{backend}: the package {missing!r} is not installed, "
            f'try: pip install "auxnas[{extra}]"'
        )


PLACE = "LOCAL_RANK"
"""Variable of the environment with a process's number among those of a machine, as torchrun names
it; of several GPUs it chooses one."""


class TrainingWarning(UserWarning):
    """A training goes on otherwise than it was asked to, which is said of each."""


warnings.simplefilter("always", TrainingWarning, append=True)


class TrialFailure(RuntimeError):
    """Training or scoring a program failed for a reason that is data, not a bug.

    Attributes:
        kind: ``oom``, ``nan``, ``timeout``, ``crash`` or ``invalid``.
    """

    def __init__(self, kind: str, detail: str) -> None:
        self.kind, self.detail = kind, detail
        super().__init__(f"{kind}: {detail}")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The form of an artefact.

    Attributes:
        size: (height, width) of the images; None for any.
        batch: images at once; None for any number.
        precision: ``fp32``, ``fp16`` or ``bf16``: of weights and of what is computed between the
            ends, which stay float32. ``int8`` is written as ``fp32``, to be quantised.
        opset: version of the ONNX operators.
        capabilities: compute capabilities of the GPUs that an engine is for, ``8.9``; none for
            those that the builder takes by default.
        web_runtime: folder of onnxruntime-web's files, for a page; None for those in the cache,
            fetched where they are not there.

    Raises:
        CompilerError: naming the field that is out of range.
    """

    size: Size | None = (512, 512)
    batch: int | None = 1
    precision: str = "fp32"
    opset: int = 18
    capabilities: tuple[str, ...] = ()
    web_runtime: Path | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            check_type("size", self.size, tuple)
            if len(self.size) != 2:
                raise CompilerError("size", repr(self.size), "(height, width)")
            for name, side in zip(("height", "width"), self.size, strict=True):
                check_integer(f"size: {name}", side, 1)
        if self.batch is not None:
            check_integer("batch", self.batch, 1)
        check_choice("precision", self.precision, ("fp32", "fp16", "bf16", "int8"))
        check_integer("opset", self.opset, 1)


class Exporter(Protocol):
    """Writes a program to disk as an artefact that runs without this project."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes ``program`` to ``path``.

        Raises:
            OSError: when the file cannot be written.
        """


class Runner(Protocol):
    """Something that runs, opened from an artefact or a program."""

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name for inputs by name."""

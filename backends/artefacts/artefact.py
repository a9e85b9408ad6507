"""An artefact on disk: its metadata and signature, and its runner."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auxnas.backends.artefacts.memory import check_memory
from auxnas.backends.artefacts.metadata import decode_metadata
from auxnas.backends.base import BackendUnavailable
from auxnas.backends.registry import TABLE, backend
from auxnas.backends.targets import installed_target, target_of, target_of_file
from auxnas.backends.tensorrt.cuda import NoGpuError
from auxnas.backends.tensors import Tensor
from auxnas.compiler import CompilerError
from auxnas.compiler.interface import Interface, parse_normalisation
from auxnas.compiler.tasks import DEFAULT, Task, find_task
from auxnas.genotype import Genotype, GenotypeError, parse
from auxnas.genotype.errors import short_repr
from auxnas.genotype.plugins import may_run

_NEEDED = ("input_format", "head", "normalisation")
"""Metadata keys without which images cannot be fed, nor outputs read."""

_TOLD = ("metadata", "inputs", "outputs", "devices")
"""Attributes of an opened artefact."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A node of the file's graph: its name, operator and the tensors that it writes."""

    name: str
    op: str
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Artefact:
    """A compiled network on disk, with its metadata and signature.

    Attributes:
        path: the file.
        metadata: decoded values by key; empty for a file that is not ours.
        inputs: names, types and shapes of the inputs.
        outputs: likewise of the outputs.
        kind: name of the runner that opens it.
        operators: the nodes in order; those of an ONNX graph.
        parameters: weights that are real numbers; None where the file's form hides them.
        opset: version of the ONNX operators; None for another form.
        producer: name and version of the program that wrote the file.
        opened: the runner, where it was needed to read the file.
        model: the ONNX model; None for another form.
        unopened: reason that its metadata are all that was read; None where it was opened.
    """

    path: Path
    metadata: Mapping[str, Any] = field(repr=False)
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kind: str
    operators: tuple[Operator, ...] = field(default=(), repr=False)
    parameters: int | None = None
    opset: int | None = None
    producer: str = "unknown"
    opened: Any = field(default=None, repr=False)
    model: Any = field(default=None, repr=False)
    unopened: str | None = None

    @property
    def ours(self) -> bool:
        """Whether nascompile wrote it."""
        return str(self.metadata.get("tool", "")).startswith("auxnas")

    @property
    def size(self) -> int:
        """Bytes of the file, with what belongs beside it and is there."""
        beside = (self.path.with_suffix(each) for each in target_of_file(self.path.name).beside)
        return sum(each.stat().st_size for each in (self.path, *beside) if each.is_file())

    @property
    def counts(self) -> dict[str, int]:
        """Number of nodes by operator, the most frequent first."""
        return dict(Counter(each.op for each in self.operators).most_common())

    def genotype(self) -> Genotype | None:
        """The architecture; None where the file does not say.

        Raises:
            CompilerError: for metadata that is no genotype.
        """
        document = self.metadata.get("genotype")
        if document is None:
            return None
        text = document if isinstance(document, str) else json.dumps(document)
        try:
            return parse(text).genotype
        except GenotypeError as error:
            raise CompilerError(f"{self.path}: genotype", str(error)) from None

    def interface(self, task: str | None = None) -> Interface:
        """Inputs and outputs.

        Args:
            task: what the output means; None for what the file says.

        Raises:
            CompilerError: naming what the file does not say, or says wrongly.
        """
        missing = [key for key in _NEEDED if key not in self.metadata]
        if missing:
            found = f"no metadata {', '.join(missing)}"
            raise CompilerError(str(self.path), found, "an artefact that nascompile wrote")
        data = self.metadata
        by = parse_normalisation(data["normalisation"], str(self.path))
        resize = bool(data.get("resize_output"))
        try:
            form = data["input_format"]
            meaning = self._task() if task is None else find_task(task)
            return Interface(data["head"], resize, form, by.mean, by.deviation, meaning)
        except CompilerError as error:
            place = f"{self.path}: {error.place}"
            raise CompilerError(place, error.found, error.expected) from None

    def _task(self) -> Task:
        model = self.metadata.get("model")
        name = model.get("task", DEFAULT) if isinstance(model, dict) else DEFAULT
        if not isinstance(name, str) or not may_run(name):
            expected = f"--task {name}, if that code of yours is to run"
            raise CompilerError("model.task", f"{short_repr(name)}, which is no name", expected)
        return find_task(name)

    def check_memory(self, inputs: Mapping[str, tuple[int, ...]]) -> None:
        """Checks, before running it, that the network takes no more memory than it may.

        Args:
            inputs: shapes of the inputs; without, open sides take nothing.

        Raises:
            CompilerError: saying how much it takes.
        """
        if self.model is None:
            return
        from auxnas.backends.artefacts.onnx_memory import needed_bytes

        place = str(self.path)
        check_memory(place, needed_bytes(self.model, inputs, place), "values")

    def runner(self, threads: int | None = None, **settings: Any) -> Any:
        """Opens it with its runtime.

        Args:
            threads: within an operation; None leaves it to the runtime.
            settings: more for the runner.

        Returns:
            A ``Runner`` that tells the ``devices`` it computes on.

        Raises:
            BackendUnavailable: when the runtime is not installed.
            ValueError: when it refuses the file, or it takes too much memory.
        """
        own = ("runner", self.kind) not in TABLE
        if own and threads is not None:
            raise CompilerError("threads", str(threads), f"none: {self.kind} opens files by itself")
        if own or (self.opened is not None and threads is None):
            return self.opened
        self.check_memory({})
        return backend("runner", self.kind)(self.path, threads, **settings)


def open_artefact(path: str | Path, target: str | None = None) -> Artefact:
    """Opens an artefact and reads its metadata.

    One with an ONNX model in it is read without its runtime, the others by theirs.

    Args:
        path: the file.
        target: what it was made as; None for what its suffix tells, ONNX by default.

    Raises:
        BackendUnavailable: when a runtime is needed that is not installed.
        ValueError: when it is damaged, or not what its suffix says.
        OSError: when it cannot be read.
    """
    path = Path(path)
    target = target or installed_target(path.name)
    row = target_of_file(path.name) if target is None else target_of(target)
    kind, model = row.runner or str(target), row.read_model(path)
    if model is not None:
        from auxnas.backends.artefacts.onnx_file import read_onnx

        return read_onnx(path, model, kind)
    opener = row.opener()
    with path.open("rb"):
        runner: Any = opener(path)
    missing = [name for name in _TOLD if not hasattr(runner, name)]
    if missing:
        found = f"its runner does not say its {', '.join(missing)}"
        raise CompilerError(kind, found, "an OpenedArtefact from its open")
    metadata = decode_metadata(runner.metadata)
    return Artefact(path, metadata, runner.inputs, runner.outputs, kind, opened=runner)


def describe_artefact(path: str | Path, target: str | None = None) -> Artefact:
    """Opens an artefact, or reads its metadata alone where that takes more than is here.

    Args:
        path: the file.
        target: as of ``open_artefact``.

    Raises:
        BackendUnavailable, NoGpuError: when it takes more and has no metadata to be read.
        ValueError: when it is damaged, or not what its suffix says.
        OSError: when it cannot be read.
    """
    try:
        return open_artefact(path, target)
    except (BackendUnavailable, NoGpuError) as error:
        path, reason = Path(path), str(error)
        target = target or installed_target(path.name)
        row = target_of_file(path.name) if target is None else target_of(target)
        texts = row.read_metadata(path)
        if texts is None:
            raise
    kind = row.runner or str(target)
    return Artefact(path, decode_metadata(texts), (), (), kind, unopened=reason)

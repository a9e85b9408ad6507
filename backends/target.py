"""Target: a kind of artefact that a network can be compiled into."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.base import BackendUnavailable, ExportOptions, Runner
from auxnas.backends.tensors import Tensor
from auxnas.compiler import MAIN, CompilerError, Program
from auxnas.genotype.errors import short_repr, truncate
from auxnas.genotype.plugins import PluginError

Array = np.ndarray[Any, Any]
Opener = Callable[[Path], Runner]


class TargetUnavailable(BackendUnavailable):
    """A target cannot be made here, and there is none to be made in its place."""

    def __init__(self, target: str, missing: str) -> None:
        RuntimeError.__init__(self, f"{target}: {missing}")


def main_output(found: object) -> Array:
    """The main one of a runner's outputs.

    Raises:
        CompilerError: when it is not among them, or they are no arrays by name.
    """
    if not isinstance(found, Mapping):
        raise CompilerError("outputs", short_repr(found), "arrays by name")
    if MAIN not in found:
        raise CompilerError("outputs", ", ".join(map(str, found)) or "none", f"one named {MAIN}")
    main = found[MAIN]
    if not isinstance(main, np.ndarray):
        raise CompilerError(f"outputs.{MAIN}", short_repr(main), "an array of numpy's")
    return main


@dataclass(frozen=True)
class OpenedArtefact:
    """A runner, and what its artefact says of itself.

    Attributes:
        runner: runs it.
        metadata: the texts that ``Target.export`` was given.
        inputs: what goes in.
        outputs: what comes out.
        devices: what computes.
    """

    runner: Runner
    metadata: Mapping[str, str]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    devices: tuple[str, ...] = ("CPU",)

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """All outputs by name for inputs by name."""
        return self.runner(inputs)


class Target(ABC):
    """Kind of artefact; one of your own is a subclass that is made without arguments.

    Attributes:
        runtime: name of the runtime, for people.
        suffix: how its file's name ends.
        precisions: those that it is made in: fp32, fp16, bf16, int8.
        beside: suffixes of the files that belong to it, beside it under its stem.
        foreign: suffixes by which others know such files: nasrun does not open it by them.
        fallback: name of the target that is made where this one cannot be.
        runner: name of our runner that opens it; empty for one of your own.
        opset: whether the version of the ONNX operators means something to it.
        signed: whether its int8 numbers are signed and symmetric, before convolutions alone, and
            are not timed here, as TensorRT's.
        stand_in: name of the target that is checked in its place where it cannot run.
        capabilities: whether GPUs that it is built for can be named.
        folder: names of its files, where it is a folder, of any name, with a page for a browser.
    """

    runtime: str = ""
    suffix: str = ""
    precisions: tuple[str, ...] = ("fp32",)
    beside: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    fallback: str | None = None
    runner: str = ""
    opset: bool = False
    signed: bool = False
    stand_in: str | None = None
    capabilities: bool = False
    folder: tuple[str, ...] = ()

    def missing(self) -> str | None:
        """Reason that it cannot be made on this machine; None where it can."""
        return None

    def unrunnable(self) -> str | None:
        """Reason that what can be made here cannot run here; None where it can."""
        return None

    def missing_precision(self, precision: str) -> str | None:
        """Reason that this machine cannot compute in a precision; None where it can."""
        return None

    def with_defaults(self, path: Path) -> tuple[str, Runner] | None:
        """An artefact as its runtime opens it without our settings, where that differs.

        Returns:
            The precision that it computes in then, and a runner; None where nothing differs.
        """
        return None

    def model(
        self, program: Program, options: ExportOptions, metadata: Mapping[str, str]
    ) -> Any | None:
        """The ONNX model it is made from; None where it is not.

        Raises:
            CompilerError: for what the target cannot take.
        """
        return None

    @abstractmethod
    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes ``program`` to ``path``, and what belongs beside it under its stem.

        The inputs are the graph's; float ones stay float32 in any precision. ``metadata``
        are texts that the artefact has to keep.

        Raises:
            CompilerError: for what the target cannot take.
            BackendUnavailable: when what it is made with is not installed.
            OSError: when a file cannot be written.
        """

    def pack(self, model: Any, path: Path, options: ExportOptions) -> None:
        """Writes an ONNX model, which int8 is chosen in, as the target; needed for int8 alone."""
        raise CompilerError("precision int8", type(self).__name__, "a target with pack")

    def open_model(self, model: Any, precision: str) -> Runner | None:
        """An ONNX model in memory as the target will run it; None where onnxruntime does."""
        return None

    @abstractmethod
    def open(self, path: Path) -> Runner:
        """The artefact, ready to run: all outputs by name for inputs by name.

        For ``nasrun`` it is an ``OpenedArtefact``, which says what ``export`` was told.
        """

    def read_model(self, path: Path) -> bytes | None:
        """The ONNX model in an artefact, which tells all of it; None where only ``open`` can.

        Raises:
            ValueError: when there is none in it.
            OSError: when it cannot be read.
        """
        return None

    def read_metadata(self, path: Path) -> Mapping[str, str] | None:
        """An artefact's metadata as far as they are read without its runtime; None for not at all.

        Raises:
            ValueError: when the files do not belong together.
            OSError: when one cannot be read.
        """
        return None

    def opener(self) -> Opener:
        """Function or class that opens an artefact of this kind.

        Raises:
            BackendUnavailable: when its runtime is not installed.
        """
        return self.open


_EXPECTED = (
    "a subclass of auxnas.backends.target.Target with a runtime and a .suffix, export and open"
)


def made_target(name: str, found: object, precisions: Sequence[str]) -> Target:
    """The target of a user's class.

    Args:
        name: of the target, or the place of the class.
        found: the class.
        precisions: those that there are.

    Raises:
        PluginError: when it is no whole target, or says what no target can be.
    """
    seam, place = "targets", truncate(name)
    if not (isinstance(found, type) and issubclass(found, Target)):
        raise PluginError(seam, f"{place} is {short_repr(found)}", _EXPECTED)
    if missing := sorted(found.__abstractmethods__):
        raise PluginError(seam, f"{place} without {', '.join(missing)}", _EXPECTED)
    made: Target = found()
    some = f"some of {', '.join(precisions)}"
    suffixes = "a tuple of suffixes, each with its dot"
    known = isinstance(made.precisions, tuple | list) and set(made.precisions) <= set(precisions)
    facts = (
        ("runtime", isinstance(made.runtime, str) and made.runtime, _EXPECTED),
        ("suffix", _are_suffixes((made.suffix,)), _EXPECTED),
        ("precisions", known and made.precisions, some),
        ("beside", _are_suffixes(made.beside), suffixes),
        ("foreign", _are_suffixes(made.foreign), suffixes),
        ("folder", _are_names(made.folder), "a tuple of names of files"),
    )
    for fact, fits, expected in facts:
        if not fits:
            raise PluginError(seam, f"{place}: {fact} {short_repr(getattr(made, fact))}", expected)
    return made


def _are_names(values: object) -> bool:
    """Whether these are names of files within a folder; there may be none."""
    return isinstance(values, tuple) and all(
        isinstance(each, str) and each not in ("", ".", "..") and "/" not in each for each in values
    )


def _are_suffixes(values: object) -> bool:
    """Whether these are endings of names; there may be none."""
    return isinstance(values, tuple) and all(
        isinstance(each, str) and each.startswith(".") and len(each) > 1 for each in values
    )

"""The front door's functions: compiling a genotype, and using an artefact.

Neither prints, unless a display is given, nor ends the process: what is wrong with the input is
a ``ValueError`` with one line that says where, what was found and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from auxnas.backends.artefacts.artefact import Artefact, open_artefact
from auxnas.backends.artefacts.predict import Predictor, class_legend
from auxnas.backends.compiling.compile import Report, compile_artefact
from auxnas.backends.images import DataError, read_photograph
from auxnas.backends.progress import Display, Silent
from auxnas.genotype import Genotype
from auxnas.nascompile.options import Options
from auxnas.nascompile.requested import request_of

Array = np.ndarray[Any, Any]

__all__ = ["Model", "compile", "load"]


def compile(
    genotype: Genotype | str | PathLike[str],
    output: str | PathLike[str],
    *,
    display: Display | None = None,
    **options: Unpack[Options],
) -> Report:
    """Compiles a genotype into a checked artefact, as ``nascompile`` does.

    Args:
        genotype: the architecture; a file of it, a published name (``arch0``) or its text.
        output: the file to write; it appears whole, once it is checked, or not at all.
        display: destination of progress; ``auxnas.progress.display_on_stderr()`` for a terminal.
        options: those of ``nascompile``, with its defaults: ``weights``, a file (random ones
            without); ``target``, ``"onnx"``; ``input_size``, (height, width) in pixels or
            ``"dynamic"``; ``batch``, a number of images or ``"dynamic"``; ``precision``;
            ``head``; ``images``, a folder of photographs; ``tolerance``; and so on.

    Returns:
        The costs, what checking showed and what was written: ``report.made.output``. Its
        ``made.missing`` says why something less than the target could be made here, or is None.

    Raises:
        GenotypeError: for what is no genotype.
        CompilerError: for weights that do not fit, options out of range, or an artefact that
            errs by more than the tolerance.
        PluginError: for an encoder, target, task or vocabulary that there is not.
        OptionError: for options that do not go together, or an output that would replace input.
        DataError: for images that cannot be used.
        BackendUnavailable: when the target's library is not installed.
        OSError: when a file cannot be read or written.
    """
    display = display or Silent()
    return compile_artefact(
        request_of(genotype, {**options, "output": output}, display.say), display
    )


def load(path: str | PathLike[str], *, threads: int | None = None) -> Model:
    """Opens an artefact that ``compile`` or ``nascompile`` wrote.

    Args:
        path: the file; its suffix tells the runtime, onnxruntime by default.
        threads: within an operation; None leaves it to the runtime.

    Raises:
        BackendUnavailable: when its runtime is not installed and is needed to read the file.
        ValueError: when it is damaged, or not what its suffix says.
        OSError: when it cannot be read.
    """
    return Model(open_artefact(Path(path)), threads)


class Model:
    """An artefact that labels images.

    Args:
        artefact: the opened file.
        threads: within an operation; None leaves it to the runtime.
    """

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        self.artefact = artefact
        self._threads = threads

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Everything that the file says of itself; empty for one that is not ours."""
        return self.artefact.metadata

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names by label.

        Raises:
            CompilerError: when the file does not say how many there are.
        """
        return class_legend(self.artefact, self.artefact.interface()).names

    def predict(self, image: Array | str | PathLike[str]) -> Array:
        """The network's answer to one image.

        Args:
            image: (height, width, 3) uint8 RGB of any size, or the file of a photograph.

        Returns:
            (height, width) uint8: the label of every pixel; of another task than segmentation
            what its ``answer`` is.

        Raises:
            DataError: for what is no such image.
            CompilerError: when the file does not say how it is fed.
            BackendUnavailable: when its runtime is not installed.
            ValueError: when the runtime fails on it.
        """
        pixels = _pixels(image) if isinstance(image, np.ndarray) else read_photograph(Path(image))
        return self._predictor.answers([pixels])[0]

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self.artefact, self.artefact.runner(self._threads))


def _pixels(image: Array) -> Array:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        found = f"{image.dtype} of shape {image.shape}"
        raise DataError("image", found, "(height, width, 3) uint8")
    return image

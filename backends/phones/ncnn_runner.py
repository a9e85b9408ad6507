"""Running networks with ncnn, one image after the other, on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from auxnas.backends.phones.facts import FactsRunner
from auxnas.backends.phones.ncnn_file import FACTS, WEIGHTS
from auxnas.compiler import CompilerError

Array = np.ndarray[Any, Any]


class NcnnRunner(FactsRunner):
    """A ``.ncnn.param`` file with its weights beside it.

    Args:
        path: the file.
        threads: within an operation; None leaves it to ncnn.

    Raises:
        ValueError: when ncnn cannot load it, or its files do not belong together.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        path = Path(path)
        weights = path.with_suffix(WEIGHTS)
        super().__init__(path, FACTS, (weights,))
        self._net = ncnn.Net()
        if threads is not None:
            self._net.opt.num_threads = threads
        for load, each in ((self._net.load_param, path), (self._net.load_model, weights)):
            if load(str(each)) != 0:
                raise CompilerError(str(each), "refused by ncnn", "a newer ncnn")

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            ValueError: when ncnn fails on them.
        """
        fed = {name: _maps(x) for name, x in self._facts.fed(inputs).items()}
        images = [
            self._one(dict(zip(fed, each, strict=True))) for each in zip(*fed.values(), strict=True)
        ]
        return {
            each.name: np.stack([image[each.name] for image in images]) for each in self.outputs
        }

    def _one(self, image: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs of one image, (C, H, W) each."""
        run, found = self._net.create_extractor(), {}
        for name, x in image.items():
            run.input(name, ncnn.Mat(x))
        for each in self.outputs:
            status, mat = run.extract(each.name)
            if status != 0:
                raise CompilerError(f"ncnn: {each.name}", f"error {status}", "an output")
            found[each.name] = np.array(mat)
        return found


def _maps(x: Array) -> Array:
    """(N, C, H, W) float32 of these, or of (N, H, W, C) bytes."""
    if x.dtype != np.uint8:
        return x
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32)

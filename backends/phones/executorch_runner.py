"""Running ``.pte`` files with ExecuTorch on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from executorch.runtime import Runtime

from auxnas.backends.phones.executorch_file import FACTS
from auxnas.backends.phones.facts import FactsRunner
from auxnas.compiler import CompilerError

Array = np.ndarray[Any, Any]


class ExecutorchRunner(FactsRunner):
    """A ``.pte`` file with our metadata beside it.

    Args:
        path: the file.
        threads: has no effect: XNNPACK takes all cores.

    Raises:
        ValueError: when ExecuTorch cannot load it, or its files do not belong together.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        path = Path(path)
        super().__init__(path, FACTS)
        try:
            self._program = Runtime.get().load_program(str(path))
            self._method = self._program.load_method("forward")
        except RuntimeError as error:
            place = "a newer ExecuTorch"
            raise CompilerError(str(path), f"ExecuTorch: {error}", place) from error

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            ValueError: when ExecuTorch fails on them.
        """
        fed = [torch.from_numpy(x) for x in self._facts.fed(inputs).values()]
        try:
            found = self._method.execute(fed)
        except RuntimeError as error:
            raise ValueError(f"ExecuTorch: {error}") from error
        names = [each.name for each in self.outputs]
        return {name: each.numpy().copy() for name, each in zip(names, found, strict=True)}

"""Running ``.tflite`` files with LiteRT on a CPU, by XNNPACK, which is its default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from auxnas.backends.phones.facts import FactsRunner
from auxnas.backends.phones.litert_file import FACTS, SIGNATURE
from auxnas.compiler import CompilerError

Array = np.ndarray[Any, Any]


class LitertRunner(FactsRunner):
    """A ``.tflite`` file with our metadata beside it.

    Args:
        path: the file.
        threads: within an operation; None leaves it to LiteRT, which takes one.

    Raises:
        ValueError: when LiteRT cannot load it, or its files do not belong together.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        path = Path(path)
        super().__init__(path, FACTS)
        try:
            self._interpreter = Interpreter(str(path), num_threads=threads)
            self._run = self._interpreter.get_signature_runner(SIGNATURE)
        except (RuntimeError, ValueError) as error:
            raise CompilerError(str(path), f"LiteRT: {_line(error)}", "a newer LiteRT") from error

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            ValueError: when LiteRT fails on them.
        """
        fed = self._facts.fed(inputs)
        try:
            found: dict[str, Array] = self._run(**fed)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"LiteRT: {_line(error)}") from error
        return {each.name: found[each.name] for each in self.outputs}


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

"""The oracle: a whole program in numpy, float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from auxnas.compiler import Program
from auxnas.compiler.semantics import evaluate_node

Array = np.ndarray[Any, Any]


class ReferenceRunner:
    """Runs a program in float64 (or ``dtype``) on (N, C, H, W) arrays."""

    def __init__(self, program: Program, dtype: type[np.floating[Any]] = np.float64) -> None:
        self.program, self.dtype = program, dtype

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            KeyError: when an input is missing.
        """
        graph = self.program.graph
        last = {name: node.name for node in graph.nodes for name in node.inputs}
        kept = {node for _, node in graph.outputs}
        values: dict[str, Array] = {}
        for node in graph.nodes:
            if node.op == "input":
                value = np.asarray(inputs[node.name], self.dtype)
                values[node.name] = value.transpose(0, 3, 1, 2) if node["bytes"] else value
                continue
            operands = [values[name] for name in node.inputs]
            values[node.name] = evaluate_node(node, operands, self.program.params)
            for name in set(node.inputs) - kept:
                if last[name] == node.name:
                    del values[name]
        return {name: values[node] for name, node in graph.outputs}

"""Networks as ``.pte`` files of ExecuTorch, lowered to XNNPACK by its own converter.

It takes what ``torch.export`` makes of our module. Our metadata is in ``NAME.pte.json``.

Source: https://docs.pytorch.org/executorch/stable/using-executorch-export.html
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower

from auxnas.backends.base import ExportOptions
from auxnas.backends.phones.facts import facts_of, write_facts
from auxnas.backends.torch.exported import example_tensor
from auxnas.backends.torch.functions import global_mean
from auxnas.backends.torch.module import build_module
from auxnas.compiler import CompilerError, Program

FACTS = ".pte.json"


class ExecutorchExporter:
    """Writes a program as one ``.pte`` file; it takes minutes for networks of hundreds of nodes."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes ``path``, and our metadata beside it.

        Raises:
            CompilerError: for an open size.
            OSError: when a file cannot be written.
        """
        check_executorch(program, options, metadata)
        module = build_module(program).eval()
        for node in module.graph.nodes:
            if node.target is global_mean:
                node.target = plain_mean
        module.recompile()
        inputs = tuple(example_tensor(node, options)[0] for node in program.graph.inputs)
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            exported = torch.export.export(module, inputs)
            lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            path.write_bytes(lowered.to_executorch().buffer)
        write_facts(path.with_suffix(FACTS), facts_of(program, options, metadata), (path,))


def plain_mean(x: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) to (N, C, 1, 1), by the one operator that XNNPACK has for it."""
    return x.mean((2, 3), keepdim=True)


def check_executorch(program: Program, options: ExportOptions, metadata: Mapping[str, str]) -> None:
    """Checks that a file is for one size.

    Raises:
        CompilerError: for an open one.
    """
    if options.size is None or options.batch is None:
        expected = "an --input-size and a --batch: a .pte file is for one size"
        raise CompilerError("target executorch", "any size or number of images", expected)

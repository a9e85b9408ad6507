"""Runs a program in inference mode."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from auxnas.backends.torch.devices import Array, choose_device, input_tensors, place_module
from auxnas.backends.torch.module import build_module
from auxnas.compiler import Program


class TorchRunner:
    """A program opened in torch; see ``backends.base.Runner``.

    Opening builds the module: keep the runner where a program runs more than once.

    Attributes:
        module: the module, in inference mode.
        device: of the module's parameters.
    """

    def __init__(self, program: Program, device: str | torch.device | None = None) -> None:
        self.device = choose_device(device)
        self.graph = program.graph
        self.module = place_module(build_module(program).eval(), self.device)

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, (N, C, H, W) float32.

        Raises:
            ValueError: naming the first input that is missing or has the wrong shape.
        """
        tensors = input_tensors(self.graph, inputs, self.device)
        with torch.inference_mode():
            outputs = self.module(*tensors)
        return {name: tensor.cpu().contiguous().numpy() for name, tensor in outputs.items()}

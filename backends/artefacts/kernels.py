"""From the kernels that onnxruntime runs back to the nodes that we wrote.

The runtime fuses nodes (a convolution takes in the ReLU and the sum behind it) and adds
others (reorderings into its blocked layout and back, casts). A fused kernel keeps the name
of one of its nodes, with something around it, or at least writes the tensor of its last
one. Some kernels have no name; the graph that the runtime saves has its nodes in the order
of execution, so that the position tells which one it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auxnas.backends.artefacts.artefact import Operator
from auxnas.compiler.places import OVERHEAD, UNMATCHED, Place, Places

LAYOUT = {"ReorderInput", "ReorderOutput", "Reshape", "Transpose", "Squeeze", "Unsqueeze"}
CONVERSION = {"Cast", "QuantizeLinear", "DequantizeLinear"}
COPY = {"MemcpyFromHost", "MemcpyToHost"}
_ADDED = (
    (LAYOUT, "layout reorders"),
    (CONVERSION, "conversions of type"),
    (COPY, "copies to and from the device"),
)
_AROUND = re.compile(r"^Inserted\w*?Cast_|(_nchwc|_nhwc|_token_\d+|_quant)+$")
"""Prefixes and suffixes that onnxruntime adds to a node's name."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A node of the optimised graph, attributed.

    Attributes:
        name: the runtime's name of it.
        op: its operator.
        node: our node that it stands for; None for what the runtime added.
        place: where that stands in the network.
    """

    name: str
    op: str
    node: str | None
    place: Place


class Attribution:
    """Attributes the kernels of an optimised graph.

    Args:
        original: the nodes of the artefact.
        optimised: the nodes of the graph that the runtime made of it.
        places: tells where a node stands.
    """

    def __init__(
        self, original: Iterable[Operator], optimised: Iterable[Operator], places: Places
    ) -> None:
        self.places, self._optimised = places, tuple(optimised)
        originals = tuple(original)
        self._ops = {each.name: each.op for each in originals}
        self._producers = {name: each.name for each in originals for name in each.outputs}

    def kernels(self, executed: Sequence[tuple[str, str]]) -> tuple[Kernel, ...]:
        """Attributed kernels of one run, given as (name, operator) in order of execution."""
        written = self._written(executed)
        return tuple(
            self._kernel(name, op, outputs)
            for (name, op), outputs in zip(executed, written, strict=True)
        )

    def absorbed(self, kernels: Iterable[Kernel]) -> list[str]:
        """Our nodes without a kernel of their own: fused into others, or folded away."""
        return sorted(self._ops.keys() - {each.node for each in kernels})

    def _written(self, executed: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
        """The tensors that each kernel writes: by position, else by name, else unknown."""
        if [op for _, op in executed] == [each.op for each in self._optimised]:
            return [each.outputs for each in self._optimised]
        by_name = {each.name: each.outputs for each in self._optimised}
        return [by_name.get(name, ()) for name, _ in executed]

    def _kernel(self, name: str, op: str, outputs: Iterable[str]) -> Kernel:
        added = next((label for group, label in _ADDED if op in group), None)
        if added is not None and self._ops.get(name) != op:
            return Kernel(name, op, None, Place(OVERHEAD, added))
        node = self._node(name, outputs)
        place = self.places.of(node) if node is not None else None
        return Kernel(name, op, node, place or Place(UNMATCHED, f"unmatched {op}"))

    def _node(self, name: str, outputs: Iterable[str]) -> str | None:
        for candidate in (name, _AROUND.sub("", name)):
            if candidate in self._ops:
                return candidate
        tensors = (_AROUND.sub("", output) for output in outputs)
        return next((self._producers[each] for each in tensors if each in self._producers), None)

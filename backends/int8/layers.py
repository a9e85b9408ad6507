"""The layers of an ONNX model of ours that can be quantised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from auxnas.backends.onnx.build import PARTIAL
from auxnas.compiler.places import SIZES

OPERATORS = ("Conv", "Relu", "Clip", "Add", "Resize", "Concat", "GlobalAveragePool", "MaxPool")
"""ONNX operators that are quantised; softmax, argmax and casts gain nothing from int8, and
onnxruntime has no kernel of a transposed convolution or of a hard swish in it. Sigmoids, and the
products and means beside them, stay in float between layers that are quantised."""
ACTIVATIONS = ("Relu", "Clip")
FEW_CHANNELS = 4
"""A convolution of so few inputs is slower in int8 than in float: on a photograph's 3
channels it took a quarter of the time of a whole int8 network."""
ENDS = "output."
"""Start of the names of nodes behind the logits: on 256 levels, classes would tie."""


@dataclass(frozen=True)
class Layer:
    """ONNX nodes that are quantised, or left in float, together.

    Attributes:
        name: of our node.
        nodes: ONNX nodes: our node's, and the activation that only it feeds.
    """

    name: str
    nodes: tuple[str, ...]


def quantisable_layers(model: onnx.ModelProto, operators: Sequence[str] = OPERATORS) -> list[Layer]:
    """The layers of a model that can be quantised, in order of execution.

    Args:
        model: the model.
        operators: ONNX operators that may be quantised.
    """
    weights = {each.name: each for each in model.graph.initializer}
    groups: dict[str, list[str]] = {}
    made_by: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in operators and _has_use(node, weights):
            fused = node.op_type in ACTIVATIONS and node.input[0] in made_by
            name = made_by[node.input[0]] if fused else node.name.partition(PARTIAL)[0]
            groups.setdefault(name, []).append(node.name)
            made_by[node.output[0]] = name
    heads = [name for name in groups if _is_activation(model, groups[name])]
    return [Layer(n, tuple(nodes)) for n, nodes in groups.items() if n not in heads]


def _is_activation(model: onnx.ModelProto, names: Sequence[str]) -> bool:
    """Whether a group has nothing but activations: those of a layer that stays in float."""
    return all(n.op_type in ACTIVATIONS for n in model.graph.node if n.name in names)


def _has_use(node: onnx.NodeProto, weights: Mapping[str, Any]) -> bool:
    if node.name.startswith(ENDS) or SIZES in node.name:
        return False
    if node.op_type != "Conv":
        return True
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    return bool(weights[node.input[1]].dims[1] * group > FEW_CHANNELS)

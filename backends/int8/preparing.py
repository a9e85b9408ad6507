"""Our ONNX in the form that onnxruntime quantises well, and its layers.

* The tool quantises ``Add`` but not ``Sum``: a sum becomes a chain of additions of two.
* Eight-bit convolutions run with the channels last. Moving the layout change past a
  ``Resize`` that names its axes makes onnxruntime refuse the model (1.32: "Number of elements of
  input 'sizes' (0)"), so a resize is told the size of all four axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPERATORS = ("Conv", "Relu", "Clip", "Add", "Resize", "Concat", "GlobalAveragePool", "MaxPool")
"""What is quantised. The rest (softmax, argmax, changes of type) has no use for it."""
ACTIVATIONS = ("Relu", "Clip")
FEW_CHANNELS = 4
"""A convolution of so few inputs is slower in int8 than in float: on a photograph's 3
channels it took a quarter of the time of a whole int8 network."""
ENDS = "output."
"""Start of the names of nodes behind the logits: on 256 levels, classes would tie."""
PARTIAL = ".partial"


@dataclass(frozen=True)
class Layer:
    """What is quantised, or left in float, together.

    Attributes:
        name: of our node.
        nodes: ONNX nodes: our node's, and the activation that only it feeds.
    """

    name: str
    nodes: tuple[str, ...]


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` as the tool wants it, with the shapes of all values; it computes the same."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    shapes = _shapes(model)
    writer = _Rewriter(shapes, {each.name: each for each in result.graph.initializer})
    nodes = [new for node in result.graph.node for new in writer.rewritten(node)]
    used = {name for node in nodes for name in node.input}
    kept = [each for name, each in writer.initialisers.items() if name in used]
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(nodes)
    result.graph.initializer.extend(kept)
    return onnx.shape_inference.infer_shapes(result)


def _shapes(model: onnx.ModelProto) -> dict[str, list[int | None]]:
    """Sizes by value; None for one that is known at run time only."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: [d.dim_value or None for d in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    }


class _Rewriter:
    def __init__(
        self,
        shapes: Mapping[str, Sequence[int | None]],
        initialisers: Mapping[str, onnx.TensorProto],
    ) -> None:
        self.shapes, self.initialisers = shapes, dict(initialisers)

    def rewritten(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """What stands for ``node``, under its name."""
        if node.op_type == "Sum":
            yield from self._sum(node)
        elif node.op_type == "Resize":
            yield from self._resize(node)
        else:
            yield node

    def _sum(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """a + b + c = (a + b) + c; the 1x1 maps, which are broadcast, first meet each other."""
        first, *rest = sorted(node.input, key=self._is_full)
        if not rest:
            yield helper.make_node("Identity", [first], list(node.output), node.name)
        for number, term in enumerate(rest, 1):
            last = number == len(rest)
            name = node.name if last else f"{node.name}{PARTIAL}{number}"
            output = node.output[0] if last else name
            yield helper.make_node("Add", [first, term], [output], name)
            first = output

    def _is_full(self, name: str) -> bool:
        return list(self.shapes.get(name, ()))[2:] != [1, 1]

    def _resize(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """The size of every axis instead of that of the last two."""
        values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if list(values.pop("axes", [])) != [2, 3]:
            yield node
            return
        source, size = node.input[0], node.input[3]
        batch, channels = self.shapes[source][:2]
        name = f"{node.name}.sizes"
        if batch is not None and channels is not None and size in self.initialisers:
            known = numpy_helper.to_array(self.initialisers[size])
            value = np.array([batch, channels, *known], np.int64)
            self.initialisers[name] = numpy_helper.from_array(value, name)
        else:
            kept = f"{name}.kept"
            yield helper.make_node("Shape", [source], [kept], kept, start=0, end=2)
            yield helper.make_node("Concat", [kept, size], [name], name, axis=0)
        inputs = [source, "", "", name]
        yield helper.make_node("Resize", inputs, list(node.output), node.name, **values)


def layers(model: onnx.ModelProto) -> list[Layer]:
    """What can be quantised of a prepared model, in order."""
    weights = {each.name: each for each in model.graph.initializer}
    groups: dict[str, list[str]] = {}
    made_by: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in OPERATORS and _has_use(node, weights):
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
    if node.name.startswith(ENDS) or ".sizes" in node.name:
        return False
    if node.op_type != "Conv":
        return True
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    return bool(weights[node.input[1]].dims[1] * group > FEW_CHANNELS)

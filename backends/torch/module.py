"""A program as a ``torch.fx`` GraphModule, built straight from its graph.

Nodes keep their names; a weighted node calls the submodule at its ``param``, so the
state dict's keys are the project's parameter names. Nothing is traced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from keyword import iskeyword
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from auxnas.backends.torch.functions import form_of, from_bytes
from auxnas.compiler import CompilerError, Graph, Node, Program, graph_weights, infer_shapes
from auxnas.compiler.weights import fit_params

Array = np.ndarray[Any, Any]


def build_module(program: Program) -> fx.GraphModule:
    """The program as a module, in training mode, with its parameter values.

    ``forward`` takes the inputs by position, in the order of ``graph.inputs``, each
    (N, C, H, W) float32 ((N, H, W, C) uint8 for one with ``bytes``), and returns the
    outputs by name.

    Raises:
        CompilerError: for a primitive without a form in torch, a parameter that is
            missing or does not fit, or two nodes that cannot share a parameter.
    """
    graph = program.graph
    values = fit_params(graph, program.params, program.name or "program")
    modules = _modules(graph)
    for param, module in modules.items():
        _load(param, module, values)
    return fx.GraphModule(modules, _fx_graph(graph), class_name="AuxnasModule")


def module_params(module: nn.Module, graph: Graph) -> dict[str, Array]:
    """The values of the graph's parameters in ``module``: float32 copies by name."""
    state = module.state_dict()
    return {name: _to_numpy(state[name]) for name in graph_weights(graph)}


def _to_numpy(tensor: Tensor) -> Array:
    return np.array(tensor.detach().cpu().contiguous().numpy(), dtype=np.float32, order="C")


def _modules(graph: Graph) -> dict[str, nn.Module]:
    """One empty module a parameter name; nodes of one ``param`` share it."""
    shapes = infer_shapes(graph, (64, 64))
    owners: dict[str, Node] = {}
    modules: dict[str, nn.Module] = {}
    for node in graph.nodes:
        if node.param is None:
            continue
        owner = owners.setdefault(node.param, node)
        if owner is node:
            channels = [shapes[name][0] for name in node.inputs]
            modules[node.param] = form_of(node)(node, channels)
        elif (owner.op, owner.attrs) != (node.op, node.attrs):
            raise CompilerError(node.name, str(node), f"the form of {owner}, whose weights it has")
    return modules


@torch.no_grad()
def _load(param: str, module: nn.Module, values: dict[str, Array]) -> None:
    """Allocates a module's parameters and sets their values; ``num_batches_tracked`` becomes 0."""
    for suffix, tensor in module.to_empty(device="cpu").state_dict().items():
        value = values.get(f"{param}.{suffix}")
        tensor.copy_(torch.zeros_like(tensor) if value is None else torch.tensor(value))


def _fx_graph(graph: Graph) -> fx.Graph:
    result = fx.Graph()
    made: dict[str, fx.Node] = {}
    arguments = [(node, result.placeholder(name)) for node, name in _arguments(graph)]
    for node, argument in arguments:
        bytes_in = node["bytes"]
        made[node.name] = result.call_function(from_bytes, (argument,)) if bytes_in else argument
    for node in graph.nodes:
        if node.op != "input":
            made[node.name] = _call(result, node, tuple(made[name] for name in node.inputs))
    result.output({name: made[source] for name, source in graph.outputs})
    return result


def _call(graph: fx.Graph, node: Node, operands: tuple[fx.Node, ...]) -> fx.Node:
    if node.param is not None:
        return graph.create_node("call_module", node.param, operands, name=node.name)
    attrs: dict[str, Any] = dict(node.attrs)
    return graph.create_node("call_function", form_of(node), operands, attrs, node.name)


def _arguments(graph: Graph) -> Iterator[tuple[Node, str]]:
    """The graph's inputs, each with a Python identifier of its own."""
    taken = {"self"}
    for node in graph.inputs:
        name = re.sub(r"\W|^(?=\d)", "_", node.name)
        while name in taken or iskeyword(name):
            name += "_"
        taken.add(name)
        yield node, name

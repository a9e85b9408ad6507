"""Networks of torch as graphs of ours, from traces of their feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from auxnas.backends.timm.encoder import IMAGE, ImportedNetwork
from auxnas.backends.timm.operators import RULES, Traced, UnfitOperator
from auxnas.backends.torch import TorchRunner
from auxnas.compiler import CompilerError, Program
from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders.base import PREFIX, Normalisation
from auxnas.compiler.ir import Graph
from auxnas.compiler.rewriting import unused_name
from auxnas.compiler.semantics import BATCH_NORM_EPSILON
from auxnas.compiler.weights import random_params
from auxnas.genotype.errors import inline
from auxnas.genotype.plugins import PluginError

SIZE = (96, 160)
"""(height, width) of the image that is traced; strides divide it."""
MOST_ERROR = 1e-4
"""Difference to the network's own outputs, relative to their largest number, that is refused."""


def trace_network(
    name: str, features: nn.Module, params: Sequence[str], normalisation: Normalisation
) -> ImportedNetwork:
    """A network as a graph of ours, compared with the network itself.

    Args:
        name: of the network, for messages.
        features: gives its feature maps as a list, the finest first; gets random weights.
        params: names of the parameters and statistics of the whole network, which are those of
            ``features`` but that dots may be ``_`` there.
        normalisation: of the images that its weights are for.

    Raises:
        PluginError: naming its first operator that no primitive stands for.
    """
    features.eval()
    try:
        traced = torch.export.export(features, (torch.zeros(1, 3, *SIZE),), strict=False)
    except Exception as error:  # a trace ends in any
        raise unfit_network(name, f"cannot be traced ({inline(str(error))[:200]})") from None
    names = {param.replace(".", "_"): param for param in params}
    writer = _Writer(name, traced, names)
    graph, maps = writer.graph()
    epsilons = {p: e for p, e in writer.epsilons.items() if e != BATCH_NORM_EPSILON}
    used = {node.param for node in graph.nodes}
    beyond = sorted(p for p in params if f"{PREFIX}{p.rpartition('.')[0]}" not in used)
    mean, deviation = [*normalisation.mean], [*normalisation.deviation]
    network = ImportedNetwork(str(graph), maps, mean, deviation, epsilons, beyond)
    _check_same(name, features, names, network, graph)
    return network


def unfit_network(name: str, found: str) -> PluginError:
    """The error of a network that cannot be an encoder."""
    expected = "convolutions, batch norms, and the activations, gates, poolings that primitives are"
    return PluginError("encoders", f"timm:{name}: {found}", expected)


class _Writer:
    """Writes a traced network node by node.

    Args:
        name: of the network.
        traced: what ``torch.export`` made of it.
        names: the whole network's parameters, by their names with ``_`` for dots.
    """

    def __init__(self, name: str, traced: torch.export.ExportedProgram, names: Mapping[str, str]):
        self.name, self.traced, self.names = name, traced, names
        self.builder = Builder()
        self.taken = {IMAGE}
        self.epsilons: dict[str, float] = {}
        signature = traced.graph_signature
        self.params = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.values: dict[fx.Node, str] = {}
        modules = (part for name in names.values() for part in _modules(name))
        self.modules = {part.replace(".", "_"): part for part in modules}

    def graph(self) -> tuple[Graph, list[list[Any]]]:
        """The graph, and (node, channels, stride) of its outputs, the finest first.

        Raises:
            PluginError: naming the first operator without a primitive.
        """
        found: list[list[Any]] = []
        for node in self.traced.graph.nodes:
            if node.op == "placeholder" and node.name not in self.params:
                self.values[node] = self.builder.add(IMAGE, "input", channels=3)
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                found = [self._map(each) for each in node.args[0]]
        outputs = {f"map{index}": name for index, (name, _, _) in enumerate(found)}
        return self.builder.graph(outputs).live(), found

    def _call(self, node: fx.Node) -> None:
        operator = str(node.target).removeprefix("aten.").partition(".")[0]
        rule = RULES.get(operator.removesuffix("_"))
        try:
            if rule is None:
                raise UnfitOperator("no primitive")
            traced = Traced(node, self.values, self._param)
            self.values[node] = rule(traced, self._add)
            self.epsilons |= traced.epsilons
        except UnfitOperator as error:
            place = f"{self._module(node)}: ".removeprefix(": ")
            where = f"{place}{node.name} (aten.{operator}): {error}"
            raise unfit_network(self.name, where) from None
        if operator.endswith("_"):  # what is read from now on is the result
            (changed, *_) = (each for each in node.args if isinstance(each, fx.Node))
            self.values[changed] = self.values[node]

    def _add(self, node: fx.Node, op: str, *inputs: str, param: str = "", **attrs: int) -> str:
        """Adds a primitive, named as its parameters, or after the module that it is in."""
        if param and f"{PREFIX}{param}" in self.taken:
            raise UnfitOperator(f"{param} is used twice")
        name = param or ".".join(filter(None, (self._module(node), op)))
        name = unused_name(f"{PREFIX}{name}", self.taken)
        self.taken.add(name)
        return self.builder.add(name, op, *inputs, **attrs)

    def _param(self, node: object) -> str:
        """timm's name of a parameter."""
        name = self.params.get(node.name, "") if isinstance(node, fx.Node) else ""
        known = self.names.get(name.replace(".", "_"), "")
        if not known:
            raise UnfitOperator("weights that are computed, or none")
        return known

    def _module(self, node: fx.Node) -> str:
        """Path of the innermost module that a node is of; empty of the network itself."""
        stack = [*node.meta.get("nn_module_stack", {}).values()]
        path = str(stack[-1][0]) if stack else ""
        return self.modules.get(path.replace(".", "_"), "")

    def _map(self, node: fx.Node) -> list[Any]:
        _, channels, height, _ = node.meta["val"].shape
        return [self.values[node], int(channels), SIZE[0] // int(height)]


def _modules(name: str) -> list[str]:
    """``a`` and ``a.b`` of the parameter ``a.b.weight``."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _check_same(
    name: str,
    features: nn.Module,
    names: Mapping[str, str],
    network: ImportedNetwork,
    graph: Graph,
) -> None:
    """Checks that random weights and statistics give the same in both.

    Raises:
        PluginError: for a network that does not.
    """
    params = random_params(graph, 0)
    state = {n: names[n.replace(".", "_")] for n in features.state_dict()}
    arrays = {n: params.get(f"{PREFIX}{own}") for n, own in state.items()}
    given = {n: torch.from_numpy(a.copy()) for n, a in arrays.items() if a is not None}
    features.load_state_dict(given, strict=False)
    shifted = {**params}
    for param, epsilon in network.epsilons.items():
        shifted[f"{param}.running_var"] = params[f"{param}.running_var"] + np.float32(
            epsilon - BATCH_NORM_EPSILON
        )
    image = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        truth: list[Tensor] = features(image)
    try:
        found = TorchRunner(Program(graph, shifted), "cpu")({IMAGE: image.numpy()})
    except CompilerError as error:
        raise unfit_network(name, str(error)) from None
    for own, theirs in zip(found.values(), truth, strict=True):
        expected: Any = theirs.numpy()
        apart = np.abs(own - expected).max() / max(np.abs(expected).max(), 1e-6)
        if not apart < MOST_ERROR:
            raise unfit_network(name, f"its import differs from it by {apart:.1e}")

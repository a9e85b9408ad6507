"""Do scores of an untrained decoder tell its reward? Rank correlations on the tabular benchmark.

    OMP_NUM_THREADS=1 python bench/search/zero_cost.py --work runs/tabular --output zero-cost.json

Random rows of the table; each network as ``tabular.py`` trained it, with its first weights,
on one batch of stored encoder outputs. ``parameters`` and ``multiply-adds`` of the whole network;
``relus``, how many there are; ``loss`` before training, its sign changed; ``gradient norm`` and
``snip`` (sum of abs(weight x gradient); Lee et al., 2019) of that loss; ``synflow`` (Tanaka et al.,
2020: the same of the sum of outputs, weights made positive, inputs of ones); ``naswot`` (Mellor et
al., 2021: log determinant of how often two images agree in which ReLUs are on) and ``jacobian
covariance`` (the earlier score of the same authors: how little two images' gradients of the sum of
outputs correlate). Interrupted, it goes on where it was: scores are lines of
``WORK/zero-cost.jsonl``. Needs the extra torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from tabular import SETTINGS
from torch import Tensor, fx, nn
from torch.nn import functional as F

from auxnas.backends.base import Batch
from auxnas.backends.torch import build_module
from auxnas.backends.torch.devices import input_tensors
from auxnas.backends.torch.losses import SegmentationLosses
from auxnas.compiler import (
    MAIN,
    Graph,
    ModelSpec,
    Program,
    cost,
    encoder_outputs,
    lower,
    split_graph,
)
from auxnas.compiler.files import atomic_write
from auxnas.compiler.weights import initial_params
from auxnas.genotype import Genotype
from auxnas.progress import display_on_stderr
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.loop.context import RunContext
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.storage.environment import package_versions
from auxnas.search.studies.ranks import spearman
from auxnas.search.tabular import load_table

SIZE = (48, 64)
"""Of the images, as in the table."""


def gradients(module: nn.Module, value: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Weights of more than one axis, each with the gradient of ``value``."""
    weights = [each for each in module.parameters() if each.ndim > 1]
    found = torch.autograd.grad(value, weights, allow_unused=True)
    pairs = zip(weights, found, strict=True)
    return [(weight, gradient) for weight, gradient in pairs if gradient is not None]


def loss_of(module: nn.Module, inputs: list[Tensor], labels: Tensor) -> Tensor:
    losses, output = SegmentationLosses(), module(*inputs)[MAIN]
    return losses(output, losses.at(labels, output.shape[2:]))


def gradient_norm(module: nn.Module, inputs: list[Tensor], labels: Tensor) -> float:
    pairs = gradients(module, loss_of(module, inputs, labels))
    return sum(float(gradient.norm()) for _, gradient in pairs)


def snip(module: nn.Module, inputs: list[Tensor], labels: Tensor) -> float:
    pairs = gradients(module, loss_of(module, inputs, labels))
    return sum(float((weight * gradient).abs().sum()) for weight, gradient in pairs)


def synflow(module: nn.Module, inputs: list[Tensor]) -> float:
    """Its logarithm; batch norm is the identity."""
    module = module.double().eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.abs_()
    output = module(*(torch.ones_like(each[:1]).double() for each in inputs))[MAIN]
    pairs = gradients(module, output.sum())
    return float(np.log(sum(float((weight * gradient).sum()) for weight, gradient in pairs)))


class Switches(fx.Interpreter):
    """Runs a module and keeps which of its ReLUs are on, (images, elements)."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.found: list[Tensor] = []

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Calls it."""
        result = super().call_function(target, args, kwargs)
        if target is F.relu:
            self.found.append((result > 0).flatten(1).float())
        return result


@torch.no_grad()
def naswot(module: fx.GraphModule, inputs: list[Tensor], labels: Tensor) -> float:
    switches = Switches(module)
    switches.run(*inputs)
    codes = torch.cat(switches.found, 1).double()
    agree = codes @ codes.T + (1 - codes) @ (1 - codes).T
    return float(torch.linalg.slogdet(agree).logabsdet)


def jacobian_covariance(module: nn.Module, inputs: list[Tensor], labels: Tensor) -> float:
    inputs = [each.clone().requires_grad_() for each in inputs]
    found = torch.autograd.grad(module(*inputs)[MAIN].sum(), inputs, allow_unused=True)
    rows = torch.cat([each.flatten(1) for each in found if each is not None], 1).numpy()
    values = np.linalg.eigvalsh(np.corrcoef(rows.astype(np.float64)))
    return -float(np.sum(np.log(values + 1e-5) + 1 / (values + 1e-5)))


def first_loss(module: nn.Module, inputs: list[Tensor], labels: Tensor) -> float:
    return -float(loss_of(module, inputs, labels).detach())


SCORES: Mapping[str, Callable[..., float]] = {
    "loss": first_loss,
    "gradient norm": gradient_norm,
    "snip": snip,
    "naswot": naswot,
    "jacobian covariance": jacobian_covariance,
}


def scored(genotype: Genotype, spec: ModelSpec, batch: Batch, seed: int) -> dict[str, float]:
    """All scores of an architecture."""
    graph = lower(genotype, spec)
    graph = graph.select([MAIN])
    found = cost(graph, SIZE)
    _, decoder = split_graph(graph, encoder_outputs(graph))
    module = made(decoder, seed)
    labels, inputs = torch.from_numpy(batch.labels), input_tensors(decoder, batch.inputs, CPU)
    return {
        "parameters": float(found.parameters),
        "multiply-adds": float(found.multiply_adds),
        "relus": float(sum(node.op == "relu" for node in decoder.nodes)),
        **{name: score(module, inputs, labels) for name, score in SCORES.items()},
        "synflow": synflow(made(decoder, seed), inputs),
    }


CPU = torch.device("cpu")


def made(decoder: Graph, seed: int) -> fx.GraphModule:
    """A decoder with its first weights, in training mode."""
    return build_module(Program(decoder, initial_params(decoder, seed), "")).train()


@click.command(help="Rank correlations of scores before training with the table's rewards.")
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--count", default=400, show_default=True, help="Rows of the table.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(work: Path, count: int, output: Path) -> None:
    torch.set_num_threads(1)
    display, table = display_on_stderr(), load_table()
    context = RunContext(resolve(nest(SETTINGS)), work, work / "cache", display)
    evaluate = evaluator_of(context.model)
    batch = evaluate.first.train.batch(range(24), None)
    rows = np.random.default_rng(0).permutation(len(table.rewards))[:count]
    genotypes = list(table.space.enumerate("functional"))
    rewards = table.rewards[rows].tolist()
    path = work / "zero-cost.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    with path.open("a") as lines, display.task("architectures", count) as advance:
        for number in range(len(found), count):
            found.append(scored(genotypes[rows[number]], evaluate.spec, batch, number))
            lines.write(json.dumps(found[-1]) + "\n")
            lines.flush()
            advance(number + 1, "")
    columns = {name: [row[name] for row in found[:count]] for name in found[0]}
    about = {
        "rows": count,
        "spearman": {name: round(spearman(each, rewards), 4) for name, each in columns.items()},
        "versions": package_versions(),
    }
    with atomic_write(output) as temporary:
        temporary.write_text(json.dumps(about) + "\n")
    for name, figure in about["spearman"].items():
        click.echo(f"{name:22} {figure:+.3f}")


if __name__ == "__main__":
    main()

"""Steps a second of stage 1 against the plain formulation, side by side.

    python bench/training/stage1.py --output stage1.json

Random genotypes (uniform over isomorphism classes) with auxiliary cells, 48 channels, 21
classes and a teacher train on batches of 32 stored encoder outputs of 160x160 images
(40x40 at stride 4). Ours is what the search runs. The plain formulation is what a person
would write from the paper: contiguous tensors, the auxiliary heads as modules of their
own, labels and teacher resized in every step and for every head, a tensor at a time in
optimiser, clipping and averaging. Both start from the same weights and have the same
losses to rounding, which is checked. They take turns; a ratio is that of the medians of a
genotype's steps. On a GPU (``--device cuda``) ours replays a CUDA graph.
``--compiled`` adds the plain formulation under ``torch.compile`` and ours without a recording,
``--alone`` ours without auxiliary outputs and ``--bf16`` ours in bfloat16, with both of them that
without auxiliary outputs in bfloat16, all of which compute something else.
Needs the extra torch.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auxnas.backends.base import Batch, Recipe, TrialFailure
from auxnas.backends.torch import build_module
from auxnas.backends.torch.learner import use_deterministic_algorithms
from auxnas.backends.torch.recording import WARM_UP, side_stream
from auxnas.backends.torch.training import Training
from auxnas.compiler import MAIN, Graph, ModelSpec, Program, encoder_outputs, lower, split_graph
from auxnas.compiler.tasks import Segmentation
from auxnas.compiler.weights import initial_params
from auxnas.genotype import SearchSpace
from auxnas.search.evaluation.two_stages import stage_recipe
from auxnas.search.settings.stages import StageSettings

SPEC = ModelSpec(classes=21, agg_size=48, sep_repeats=1, auxiliary="cell")
BATCH, IMAGE = 32, 160
STAGE = StageSettings(epochs=5, batch_size=BATCH, polyak=0.9, distillation=0.3)
Step = Callable[[], float]
ALONE = "ours, main output alone"
BF16 = "ours, bfloat16"
ALONE_BF16 = "ours, main output alone, bfloat16"


class Plain:
    """Stage 1 without any of our measures."""

    def __init__(
        self,
        program: Program,
        settings: Recipe,
        batch: Batch,
        device: torch.device,
        compiled: bool = False,
    ) -> None:
        graph, heads = program.graph, _heads(program.graph)
        trunk = Graph(graph.nodes, (*graph.outputs[:1], *((n, n) for n, _ in heads))).live()
        self.settings = settings
        self.trunk = build_module(Program(trunk, program.params, program.name)).to(device)
        self.heads = [
            (n, build_module(Program(h, program.params, "aux")).to(device)) for n, h in heads
        ]
        modules = nn.ModuleList([self.trunk, *(module for _, module in self.heads)])
        self.params = list(modules.parameters())
        if compiled:
            self.trunk = torch.compile(self.trunk)
            self.heads = [(name, torch.compile(module)) for name, module in self.heads]
        groups = [{"params": list(self.trunk.parameters())}]
        groups.append({"params": [p for _, m in self.heads for p in m.parameters()]})
        rate = settings.optimisers[0].rate
        groups = [group for group in groups if group["params"]]
        self.groups = groups
        self.optimiser = torch.optim.Adam(groups, rate, foreach=False, fused=False)
        self.average = [param.detach().clone() for param in self.params]
        self.weight = 0.0
        self.device = device
        self.inputs = [torch.from_numpy(batch.inputs[node.name]) for node in trunk.inputs]
        self.labels = torch.from_numpy(batch.labels)
        self.teacher = torch.from_numpy(batch.teacher)

    def __call__(self) -> float:
        """One step; the loss before it."""
        outputs = self.trunk(*(each.to(self.device) for each in self.inputs))
        labels, teacher = self.labels.to(self.device), self.teacher.to(self.device)
        loss = self._entropy(outputs[MAIN], labels) + self.settings.distillation * F.mse_loss(
            outputs[MAIN], F.interpolate(teacher, outputs[MAIN].shape[2:], mode="bilinear")
        )
        for node, head in self.heads:
            (logits,) = head(outputs[node]).values()
            loss = loss + self.settings.auxiliary * self._entropy(logits, labels)
        self.optimiser.zero_grad()
        loss.backward()
        for group in self.groups:
            nn.utils.clip_grad_norm_(group["params"], self.settings.clip_norm, foreach=False)
        self.optimiser.step()
        self._polyak()
        return loss.item()

    def _entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        target = F.interpolate(labels[:, None].float(), logits.shape[2:], mode="nearest-exact")[
            :, 0
        ].long()
        return F.cross_entropy(logits, target, ignore_index=255)

    @torch.no_grad()
    def _polyak(self) -> None:
        self.weight = self.settings.polyak * self.weight + 1
        for average, param in zip(self.average, self.params, strict=True):
            average.lerp_(param, 1 / self.weight)


def _heads(graph: Graph) -> list[tuple[str, Graph]]:
    """The block output that each auxiliary head starts from, and the head alone."""
    found = []
    for name, _ in graph.outputs[1:]:
        alone = graph.select([name])
        own = {node.name for node in alone.nodes if node.name.startswith("auxiliary")}
        (start,) = {i for n in own for i in alone[n].inputs if i not in own}
        found.append((start, split_graph(alone, [start])[1]))
    return found


def material(graph: Graph) -> Batch:
    """Encoder outputs, labels and a teacher's logits, all random."""
    rng = np.random.default_rng(0)
    inputs = {
        node.name: rng.normal(
            size=(BATCH, node["channels"], IMAGE // node["stride"], IMAGE // node["stride"])
        ).astype(np.float32)
        for node in graph.inputs
    }
    labels = rng.integers(0, SPEC.classes, (BATCH, IMAGE, IMAGE)).astype(np.uint8)
    teacher = rng.normal(size=(BATCH, SPEC.classes, IMAGE // 4, IMAGE // 4)).astype(np.float32)
    return Batch(inputs, labels, teacher)


def measure(
    graph: Graph,
    steps: int,
    device: torch.device,
    compiled: bool = False,
    main: bool = False,
    bf16: bool = False,
) -> dict[str, object]:
    """Seconds a step of each form, in turn."""
    decoder = split_graph(graph, encoder_outputs(graph))[1]
    program, batch, settings = (
        Program(decoder, initial_params(graph, 0), "x"),
        material(decoder),
        stage_recipe(STAGE, Segmentation()),
    )
    training = Training(program, settings, WARM_UP + 1 + steps, device)
    calls: dict[str, Step] = {
        "plain": Plain(program, settings, batch, device),
        "ours": lambda: training.step(batch),
    }
    if compiled:
        eager = Training(program, settings, WARM_UP + 1 + steps, device)
        eager.recorded = None
        calls["plain, compiled"] = Plain(program, settings, batch, device, compiled=True)
        calls["ours, not recorded"] = lambda: eager.step(batch)
    if main:
        alone = Program(decoder.select([MAIN]), program.params, "x")
        inputs = {node.name: batch.inputs[node.name] for node in alone.graph.inputs}
        short = Training(alone, settings, WARM_UP + 1 + steps, device)
        less = replace(batch, inputs=inputs)
        calls[ALONE] = lambda: short.step(less)
    if bf16:
        half = Training(program, settings, WARM_UP + 1 + steps, device, "bf16")
        calls[BF16] = lambda: half.step(batch)
    if main and bf16:
        least = Training(alone, settings, WARM_UP + 1 + steps, device, "bf16")
        calls[ALONE_BF16] = lambda: least.step(less)
    times: dict[str, list[float]] = {name: [] for name in calls}
    with use_deterministic_algorithms(device), side_stream(device):
        first = {name: call() for name, call in calls.items()}
        for other in (ALONE, BF16, ALONE_BF16):
            first.pop(other, None)
        if any(abs(loss - first["plain"]) > 1e-3 * first["plain"] for loss in first.values()):
            raise SystemExit(f"they do not compute the same: {first}")
        for _ in range(WARM_UP if device.type == "cuda" else 0):
            [call() for call in calls.values()]
        for _ in range(steps):
            for name, call in [*calls.items()]:
                start = time.perf_counter()
                try:
                    call()
                except TrialFailure:  # of noise in bfloat16: a search goes over to float32
                    del calls[name], times[name]
                    continue
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                times[name].append(time.perf_counter() - start)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    return {"seconds_a_step": seconds, "speedup": seconds["plain"] / seconds["ours"]}


def quartiles(values: Sequence[float]) -> list[float]:
    """Rounded for a file that people read."""
    return [round(value, 4) for value in statistics.quantiles(values)]


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--count", default=20, show_default=True, type=click.IntRange(min=2))
@click.option("--steps", default=5, show_default=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="Or cuda.")
@click.option("--compiled", is_flag=True, help="Two more forms.")
@click.option("--alone", is_flag=True, help="Ours without auxiliary outputs too.")
@click.option("--bf16", is_flag=True, help="Ours in bfloat16 too.")
def main(
    output: Path,
    count: int,
    steps: int,
    threads: int,
    device: str,
    compiled: bool,
    alone: bool,
    bf16: bool,
) -> None:
    torch.set_num_threads(threads)
    space, rng = SearchSpace.cvpr2019(), random.Random(0)
    rows = []
    for number in range(count):
        genotype = space.sample(rng, "isomorphism")
        row = measure(lower(genotype, SPEC), steps, torch.device(device), compiled, alone, bf16)
        rows.append({"genotype": str(genotype), **row})
        click.echo(f"{number}: {row}")
    speedups = [float(row["speedup"]) for row in rows]
    seconds = [row["seconds_a_step"] for row in rows]
    shares = {
        name: [each[name] / each["ours"] for each in seconds if name in each]
        for name in max(seconds, key=len)
    }
    found = {
        "setting": {
            "batch": BATCH,
            "device": torch.cuda.get_device_name(device) if device != "cpu" else device,
            "threads": threads,
            "steps": steps,
            "cpus": os.cpu_count(),
            "versions": {name: metadata.version(name) for name in ("torch", "numpy")},
        },
        "speedup": {"median": statistics.median(speedups), "quartiles": quartiles(speedups)},
        "share of ours, quartiles": {name: quartiles(each) for name, each in shares.items()},
        "finite": {name: len(each) for name, each in shares.items()},
        "genotypes": rows,
    }
    output.write_text(json.dumps(found, indent=2) + "\n")
    click.echo(f"median {statistics.median(speedups):.2f}")


if __name__ == "__main__":
    main()

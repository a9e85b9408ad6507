"""One training under way: its module, optimisers and average, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auxnas.backends.base import (
    Batch,
    Examples,
    Progress,
    Recipe,
    TrainingState,
    TrainingStep,
    TrialFailure,
)
from auxnas.backends.torch.batches import Draw, prefetch
from auxnas.backends.torch.devices import (
    Array,
    input_tensors,
    keep_depthwise_full,
    place_module,
    to_tensor,
)
from auxnas.backends.torch.failures import check_finite
from auxnas.backends.torch.losses import BatchShare, Objective
from auxnas.backends.torch.module import build_module, module_params
from auxnas.backends.torch.optimisers import (
    ParameterGroup,
    PolyakAverage,
    clear_gradients,
    magnify_gradients,
    make_groups,
    set_rates,
    step_groups,
)
from auxnas.backends.torch.recording import RecordedStep, cuda_graph, side_stream
from auxnas.backends.torch.states import TAKEN, load_state, save_state
from auxnas.backends.torch.team import Team
from auxnas.compiler import Graph, Program, infer_shapes

_LOW: dict[str, tuple[torch.dtype | None, float]] = {
    "fp32": (None, 1.0),
    "bf16": (torch.bfloat16, 1.0),
    "fp16": (torch.float16, 4096.0),
}
"""Type of most of a network's arithmetic, and what a loss is multiplied with for its gradients not
to vanish in it. Weights, batch norms' sums and losses are float32."""


@dataclass(frozen=True)
class Work:
    """A part of a training to be done, here or in several processes.

    Attributes:
        program: the network at the beginning of the part.
        examples: to train on.
        recipe: how.
        draws: gives the batches.
        start: the state at the beginning.
        steps: of the whole training.
    """

    program: Program
    examples: Examples
    recipe: Recipe
    draws: Callable[[], Iterable[Draw]]
    start: TrainingState
    steps: int

    def do(
        self, device: torch.device, precision: str, progress: Progress, team: Team | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """The state and the parameters then; in a team, of which each member does this."""
        training = Training(self.program, self.recipe, self.steps, device, precision, team)
        training.restore(self.start)
        draws = self.draws()
        training.run(self.examples, draws if team is None else team.parts_of(draws), progress)
        return training.state(), training.finish()


class Training:
    """One training under way: the module, its optimisers and their average."""

    def __init__(
        self,
        program: Program,
        recipe: Recipe,
        steps: int,
        device: torch.device,
        precision: str = "fp32",
        team: Team | None = None,
    ) -> None:
        self.graph, self.recipe, self.steps, self.device = program.graph, recipe, steps, device
        self.low, self.magnified = _LOW[precision]
        self.module = place_module(build_module(program).train(), device)
        if self.low is not None and device.type == "cpu":
            keep_depthwise_full(self.module)
        if recipe.frozen:
            freeze_statistics(self.module)
        self.groups: list[ParameterGroup] = make_groups(self.module, recipe.optimisers)
        params = [param for group in self.groups for param in group.params]
        self.average = PolyakAverage(params, recipe.polyak) if recipe.polyak else None
        self.objective = Objective(recipe, self.graph.outputs[0][0])
        self.taken, self.team = 0, team
        self.network = self.module if team is None else team.joined(self.module)
        alone = device.type == "cuda" and team is None
        self.recorded = RecordedStep(cuda_graph) if alone else None

    def run(self, examples: Examples, draws: Iterable[Draw], progress: Progress) -> None:
        """One update a draw."""
        task, outputs = self.recipe.task, main_channels(self.graph)
        try:
            with side_stream(self.device), prefetch(examples, draws, task, outputs) as batches:
                for batch in batches:
                    loss = self.step(batch)
                    progress(TrainingStep(self.taken, self.steps, loss))
        finally:
            self._release()

    def step(self, batch: Batch) -> float:
        """One update; returns the loss before it.

        Raises:
            TrialFailure: ``nan`` for a loss that is not finite.
        """
        set_rates(self.groups, self.recipe, self.taken / self.steps)
        tensors = self._tensors(batch)
        recorded = self.recorded
        loss = self._update(tensors) if recorded is None else recorded(self._update, tensors)
        value = loss.item()
        if not np.isfinite(value):
            raise TrialFailure("nan", f"loss {value} at step {self.taken + 1} of {self.steps}")
        if self.average is not None:
            self.average.update()
        self.taken += 1
        return value

    def _tensors(self, batch: Batch) -> list[Tensor]:
        """A batch on the device: inputs, targets, and where it is distilled from the teacher's."""
        found = input_tensors(self.graph, batch.inputs, self.device)
        dtype = np.dtype(self.recipe.task.target.dtype)
        found.append(to_tensor(batch.labels, dtype).to(self.device))
        if batch.teacher is not None and self.recipe.distillation:
            found.append(to_tensor(batch.teacher).to(self.device))
        return found

    def _update(self, tensors: Sequence[Tensor]) -> Tensor:
        """Changes the parameters; the loss before it.

        Nothing in it waits for the device or depends on more than tensors that stay.
        """
        clear_gradients(self.groups)
        parts = self._parts(tensors)
        shares: Sequence[BatchShare | None] = [None]
        if len(parts) > 1 or self.team is not None:
            targets = [part[len(self.graph.inputs)] for part in parts]
            shares = self.objective.parts(targets, self.team)
        losses = [self._learn(*pair) for pair in zip(parts, shares, strict=True)]
        if self.magnified != 1:
            magnify_gradients(self.groups, 1 / self.magnified)
        step_groups(self.groups, self.recipe)
        loss = sum(losses[1:], losses[0])
        return loss if self.team is None else self.team.mean(loss)

    def _parts(self, tensors: Sequence[Tensor]) -> list[Sequence[Tensor]]:
        """A batch in as many parts as it is taken through in turn, of two examples at least."""
        count = min(self.recipe.accumulate, len(tensors[0]) // 2)
        if count < 2:
            return [tensors]
        return list(zip(*(each.tensor_split(count) for each in tensors), strict=True))

    def _learn(self, tensors: Sequence[Tensor], part: BatchShare | None) -> Tensor:
        """Adds the gradients of a batch, or of a part of one; its loss."""
        count = len(self.graph.inputs)
        inputs, (labels, *teacher) = tensors[:count], tensors[count:]
        with torch.autocast(self.device.type, self.low, enabled=self.low is not None):
            outputs = self.network(*inputs)
        if self.low is not None:
            outputs = {name: output.float() for name, output in outputs.items()}
        loss = self.objective(outputs, labels, teacher[0] if teacher else None, part)
        if loss.requires_grad:
            torch.autograd.backward(loss * self.magnified if self.magnified != 1 else loss)
        return loss.detach()

    def _release(self) -> None:
        """Frees what only steps need."""
        clear_gradients(self.groups)
        if self.recorded is not None:
            self.recorded.release()

    def state(self) -> dict[str, Array]:
        """Everything that the steps to come depend on, by name."""
        weights = module_params(self.module, self.graph)
        return save_state(weights, self.module, self.groups, self.average, self.taken)

    def restore(self, state: TrainingState) -> None:
        """Goes on from a state whose weights the module has."""
        load_state(state, self.module, self.groups, self.average)
        self.taken = int(state[TAKEN])

    def finish(self) -> dict[str, Array]:
        """The parameters by name, averaged where the recipe says so.

        Raises:
            TrialFailure: ``nan`` for one that is not finite.
        """
        if self.average is not None and self.taken:
            self.average.apply()
        for name, tensor in self.module.state_dict().items():
            check_finite(tensor, name)
        return module_params(self.module, self.graph)


def freeze_statistics(module: torch.nn.Module) -> None:
    """Lets batch norm use its statistics as they are."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eval()


def main_channels(graph: Graph) -> int:
    """Channels of the graph's main (first) output."""
    return infer_shapes(graph, (64, 64))[graph.outputs[0][1]][0]


@contextmanager
def use_deterministic_algorithms(device: torch.device) -> Iterator[None]:
    """Chooses deterministic algorithms on a GPU; on a CPU all of ours are."""
    if device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)

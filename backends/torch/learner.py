"""Trains and scores programs in torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from auxnas.backends.base import (
    Batch,
    Examples,
    OnOutput,
    Progress,
    Recipe,
    TrainingState,
    TrainingStep,
    TrialFailure,
    ignore_output,
    ignore_step,
)
from auxnas.backends.torch.batches import (
    Draw,
    prefetch,
    scoring_draws,
    steps_an_epoch,
    training_draws,
)
from auxnas.backends.torch.devices import (
    Array,
    choose_device,
    input_tensors,
    place_module,
    to_tensor,
)
from auxnas.backends.torch.failures import check_finite, convert_memory_errors
from auxnas.backends.torch.losses import Objective
from auxnas.backends.torch.module import build_module, module_params
from auxnas.backends.torch.optimisers import (
    ParameterGroup,
    PolyakAverage,
    clear_gradients,
    make_groups,
    set_rates,
    step_groups,
)
from auxnas.backends.torch.recording import RecordedStep, cuda_graph, side_stream
from auxnas.backends.torch.runner import TorchRunner
from auxnas.backends.torch.scoring import measure_batch, sees_images
from auxnas.backends.torch.states import EACH, TAKEN, load_state, save_state, weights_of
from auxnas.compiler import Graph, Program, infer_shapes
from auxnas.compiler.tasks import Sums, Task

_KEPT_OPEN = 2
"""Number of programs that ``infer`` keeps open."""


class TorchLearner:
    """Trains and scores programs; see ``backends.base.Learner``.

    Attributes:
        device: torch's device; by default CUDA where there is one.
    """

    def __init__(
        self, device: str | torch.device | None = None, threads: int | None = None
    ) -> None:
        self.device, self._threads = choose_device(device), threads
        self._open: list[tuple[Program, TorchRunner]] = []
        if threads is not None:
            torch.set_num_threads(threads)

    def __reduce__(self) -> tuple[type[TorchLearner], tuple[str, int | None]]:
        return TorchLearner, (str(self.device), self._threads)

    @property
    def where(self) -> str:
        """The device, a GPU by its name."""
        if self.device.type != "cuda":
            return str(self.device)
        return f"{self.device} ({torch.cuda.get_device_name(self.device)})"

    def fit(
        self,
        program: Program,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        progress: Progress = ignore_step,
    ) -> Program:
        """``program`` with trained parameters and batch-norm statistics.

        Raises:
            TrialFailure: ``nan`` for a loss or a parameter that is not finite, ``oom``.
            ValueError: for a recipe or data that cannot train the program.
        """
        whole = range(recipe.epochs)
        return self.fit_part(program, examples, recipe, seed, whole, None, progress)[0]

    def fit_part(
        self,
        program: Program,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        part: range,
        state: TrainingState | None = None,
        progress: Progress = ignore_step,
    ) -> tuple[Program, TrainingState]:
        """The epochs ``part`` of a training; see ``backends.base.Learner``.

        Raises:
            TrialFailure: as ``fit``.
            ValueError: likewise, and for a part that does not follow ``state``.
        """
        before = {TAKEN: np.array(0)} if state is None else state
        each = steps_an_epoch(len(examples), recipe.batch_size) if recipe.epochs else 0
        if int(before[TAKEN]) != part.start * int(before.get(EACH, each)):
            raise ValueError(f"state: after {before[TAKEN]} steps, expected {part.start * each}")
        draws = training_draws(len(examples), part, recipe.batch_size, seed)
        program = replace(program, params={**program.params, **weights_of(before)})
        graph = program.graph if recipe.auxiliary else _main_only(program.graph)
        with convert_memory_errors(), use_deterministic_algorithms(self.device):
            steps = recipe.epochs * each
            training = Training(replace(program, graph=graph), recipe, steps, self.device)
            training.restore({**before, TAKEN: np.array(part.start * each)})
            training.run(examples, draws, progress)
            after = training.state() | {EACH: np.array(each)}
            trained = training.finish()
        return replace(program, params={**program.params, **trained}), {**before, **after}

    def measure(
        self,
        program: Program,
        examples: Examples,
        task: Task,
        batch_size: int,
        on_output: OnOutput = ignore_output,
    ) -> Sums:
        """The task's statistics of all examples.

        Raises:
            TrialFailure: ``nan`` for an output that is not finite, ``oom``.
            ValueError: for targets or a program of other outputs.
        """
        graph = _main_only(program.graph)
        outputs = main_channels(graph)
        if outputs != task.outputs:
            raise ValueError(f"program: {outputs} output channels, expected {task.outputs}")
        draws = scoring_draws(len(examples), batch_size)
        sums: dict[str, Array] = {}
        with convert_memory_errors(), torch.inference_mode():
            module = place_module(build_module(replace(program, graph=graph)).eval(), self.device)
            with prefetch(examples, draws, task, outputs) as batches:
                for batch in batches:
                    inputs = input_tensors(graph, batch.inputs, self.device)
                    (logits,) = module(*inputs).values()
                    mirrored = None
                    if task.mirroring is not None and sees_images(graph):
                        (mirrored,) = module(*(each.flip(3) for each in inputs)).values()
                    measured = measure_batch(logits, batch.labels, task, mirrored, on_output)
                    for name, value in measured.items():
                        sums[name] = sums[name] + value if name in sums else value
        return sums

    def infer(self, program: Program, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, in inference mode.

        Raises:
            TrialFailure: ``oom``.
        """
        with convert_memory_errors():
            return self._runner(program)(inputs)

    def _runner(self, program: Program) -> TorchRunner:
        """The program opened, and kept open for the batches to come: for a small one, opening
        takes as long as running. An encoder and a teacher may take turns.
        """
        for known, runner in self._open:
            if known is program:
                return runner
        opened = TorchRunner(program, self.device)
        self._open = [(program, opened), *self._open[: _KEPT_OPEN - 1]]
        return opened


class Training:
    """One training under way: the module, its optimisers and their average."""

    def __init__(self, program: Program, recipe: Recipe, steps: int, device: torch.device) -> None:
        self.graph, self.recipe, self.steps, self.device = program.graph, recipe, steps, device
        self.module = place_module(build_module(program).train(), device)
        if recipe.frozen:
            freeze_statistics(self.module)
        self.groups: list[ParameterGroup] = make_groups(self.module, recipe.optimisers)
        params = [param for group in self.groups for param in group.params]
        self.average = PolyakAverage(params, recipe.polyak) if recipe.polyak else None
        self.objective = Objective(recipe, self.graph.outputs[0][0])
        self.taken = 0
        self.recorded = RecordedStep(cuda_graph) if device.type == "cuda" else None

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
        count = len(self.graph.inputs)
        inputs, (labels, *teacher) = tensors[:count], tensors[count:]
        clear_gradients(self.groups)
        outputs = self.module(*inputs)
        loss = self.objective(outputs, labels, teacher[0] if teacher else None)
        if loss.requires_grad:
            torch.autograd.backward(loss)
        step_groups(self.groups, self.recipe)
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


def _main_only(graph: Graph) -> Graph:
    return graph.select([graph.outputs[0][0]])


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

"""Trains and scores programs in torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from auxnas.backends.base import (
    Examples,
    OnOutput,
    Progress,
    Recipe,
    TrainingState,
    TrialFailure,
    ignore_output,
    ignore_step,
)
from auxnas.backends.torch.batches import (
    prefetch,
    scoring_draws,
    steps_an_epoch,
    training_draws,
)
from auxnas.backends.torch.devices import (
    Array,
    choose_device,
    choose_precision,
    input_tensors,
    place_module,
)
from auxnas.backends.torch.failures import convert_memory_errors
from auxnas.backends.torch.module import build_module
from auxnas.backends.torch.runner import TorchRunner
from auxnas.backends.torch.scoring import measure_batch, sees_images
from auxnas.backends.torch.states import EACH, FULL, TAKEN, weights_of
from auxnas.backends.torch.training import Training, main_channels
from auxnas.compiler import Graph, Program
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

        In reduced precision, a part in which anything is not finite is trained again in float32,
        and so are all parts after it.

        Raises:
            TrialFailure: as ``fit``.
            ValueError: likewise, and for a part that does not follow ``state``.
        """
        before = {TAKEN: np.array(0)} if state is None else state
        each = steps_an_epoch(len(examples), recipe.batch_size) if recipe.epochs else 0
        if int(before[TAKEN]) != part.start * int(before.get(EACH, each)):
            raise ValueError(f"state: after {before[TAKEN]} steps, expected {part.start * each}")
        draws = partial(training_draws, len(examples), part, recipe.batch_size, seed)
        whole = program
        graph = program.graph if recipe.auxiliary else _main_only(program.graph)
        program = replace(program, params={**program.params, **weights_of(before)})
        program = replace(program, graph=graph)
        start = {**before, TAKEN: np.array(part.start * each)}
        precision = "fp32" if FULL in before else choose_precision(recipe.precision, self.device)

        def train(precision: str) -> tuple[dict[str, Array], dict[str, Array], str]:
            """State, parameters, and the reason that a reduced precision will not do."""
            training = Training(program, recipe, recipe.epochs * each, self.device, precision)
            training.restore(start)
            try:
                training.run(examples, draws(), progress)
                return training.state() | {EACH: np.array(each)}, training.finish(), ""
            except TrialFailure as failure:
                if failure.kind != "nan" or precision == "fp32":
                    raise
                return {}, {}, failure.detail

        with convert_memory_errors(), use_deterministic_algorithms(self.device):
            after, trained, reason = train(precision)
            if reason:
                warnings.warn(f"trained in fp32, as in {precision} {reason}", stacklevel=2)
                after, trained, _ = train("fp32")
                after[FULL] = np.array(1)
        return replace(whole, params={**program.params, **trained}), {**before, **after}

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

"""Trains and scores programs in torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
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
    TrainingWarning,
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
from auxnas.backends.torch.team import LEAST
from auxnas.backends.torch.together import train_together
from auxnas.backends.torch.training import Work, main_channels, use_deterministic_algorithms
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
        self._asked = None if device is None else str(device)
        self._open: list[tuple[Program, TorchRunner]] = []
        if threads is not None:
            torch.set_num_threads(threads)

    def __reduce__(self) -> tuple[type[TorchLearner], tuple[str | None, int | None]]:
        return TorchLearner, (self._asked, self._threads)

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
        least = LEAST * recipe.processes
        each = steps_an_epoch(len(examples), recipe.batch_size, least) if recipe.epochs else 0
        if int(before[TAKEN]) != part.start * int(before.get(EACH, each)):
            raise ValueError(f"state: after {before[TAKEN]} steps, expected {part.start * each}")
        graph = program.graph if recipe.auxiliary else _main_only(program.graph)
        work = Work(
            replace(program, graph=graph, params={**program.params, **weights_of(before)}),
            examples,
            recipe,
            partial(training_draws, len(examples), part, recipe.batch_size, seed),
            {**before, TAKEN: np.array(part.start * each)},
            recipe.epochs * each,
        )
        precision = "fp32" if FULL in before else choose_precision(recipe.precision, self.device)
        mark = {EACH: np.array(each)}
        with convert_memory_errors(), use_deterministic_algorithms(self.device):
            try:
                after, trained = self._done(work, precision, progress)
                reason = ""
            except TrialFailure as failure:
                if failure.kind != "nan" or precision == "fp32":
                    raise
                reason = failure.detail
            if reason:
                line = f"trained in fp32, as in {precision} {reason}"
                warnings.warn(line, TrainingWarning, stacklevel=2)
                after, trained = self._done(work, "fp32", progress)
                mark[FULL] = np.array(1)
        return replace(program, params={**work.program.params, **trained}), {
            **before,
            **after,
            **mark,
        }

    def _done(
        self, work: Work, precision: str, progress: Progress
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """State and parameters after ``work``, be it of one process or of several."""
        if work.recipe.processes > 1:
            return train_together(work, self._asked, self._threads, precision, progress)
        return work.do(self.device, precision, progress)

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

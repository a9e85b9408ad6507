"""Running an artefact against the network that it was made from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from auxnas.backends.base import Runner
from auxnas.backends.compiling.request import Array, Request, export_program
from auxnas.backends.compiling.verification import (
    OTHER_SIZES,
    Difference,
    compare_runners,
    first_break,
    noise_inputs,
    pooled_difference,
    run_one_by_one,
    worst_difference,
)
from auxnas.backends.devices import DeviceRunner
from auxnas.backends.measuring.timing import Latency, latency_of
from auxnas.backends.progress import Display, Silent
from auxnas.backends.registry import backend
from auxnas.backends.target import Opener
from auxnas.backends.targets import target_of
from auxnas.compiler import CompilerError, Program, Size
from auxnas.compiler.passes import INFERENCE, Change, run_passes
from auxnas.genotype.errors import CommandError, short_repr

Feed = dict[str, Array]


@dataclass(frozen=True)
class DefaultRun:
    """An artefact as its runtime opens it without our settings.

    Attributes:
        precision: that it computes in then.
        difference: from the artefact as it was checked.
        latency: as ``CheckResult``'s.
    """

    precision: str
    difference: Difference
    latency: Latency


@dataclass(frozen=True)
class CheckResult:
    """Findings of running the artefact.

    Attributes:
        differences: against the float64 reference, by image size.
        latency: seconds for a batch of the requested size; for one image where any number
            goes.
        unchecked: reason that there are none, if there are none.
        default: how the artefact does as its runtime opens it by default, where that differs.
        instead: reason that another target of the same network was run in the artefact's place.
        machine: name and facts of the device that it was run and timed on, where that is another.
    """

    differences: Mapping[Size, Difference] = field(default_factory=dict)
    latency: Latency | None = None
    unchecked: str | None = None
    default: DefaultRun | None = None
    instead: str | None = None
    machine: Mapping[str, Any] | None = None

    @property
    def difference(self) -> Difference | None:
        """The worst of all sizes."""
        return worst_difference(list(self.differences.values())) if self.differences else None


class Checker:
    """Runs a request's artefact against the reference, at other sizes too.

    One that is made for a single size has siblings there, written in the same way.

    Args:
        request: whose artefact is checked.
        described: the network as the genotype describes it, with its ends.
        opener: opens an artefact.
        display: destination of progress.
    """

    def __init__(
        self, request: Request, described: Program, opener: Opener, display: Display = Silent()
    ) -> None:
        self.request, self.described, self.opener = request, described, opener
        self.display = display
        self.reference: Runner = run_one_by_one(backend("runner", "reference")(described))

    def check(self, path: Path, optimised: Program, changes: Sequence[Change]) -> CheckResult:
        """The errors at the requested size and two others, and the latency.

        Raises:
            CommandError: past the tolerance, naming the pass that breaks it.
        """
        runner, differences, sizes, done = self._opened(path), {}, self._sizes(), itertools.count(1)
        batches = max(1, math.ceil(len(self.request.checked_images) / self.request.batch))
        title, total = "checking against the reference", len(sizes) * batches
        with self.display.task(title, total) as advance:
            for size in sizes:
                taken = self.request.options.size in (None, size)
                at = runner if taken else self._sibling(optimised, size)
                found: list[tuple[Difference, Feed]] = []
                for inputs in self._inputs(size):
                    found.append((self._compared(at, inputs), inputs))
                    advance(next(done), "")
                differences[size] = self._within(found, size, changes)
        if isinstance(runner, DeviceRunner):
            latency = runner.latency(self._timed())
            return CheckResult(differences, latency, machine=runner.machine)
        if self.request.options.precision == "int8":  # the float network is timed beside it
            return CheckResult(differences)
        latency = latency_of(runner, self._timed())
        return CheckResult(differences, latency, default=self._with_defaults(path, runner))

    def _with_defaults(self, path: Path, runner: Runner) -> DefaultRun | None:
        """The artefact without our settings, at the requested size."""
        found = target_of(self.request.target).with_defaults(path)
        if found is None:
            return None
        precision, usual = found
        task, inputs = self.request.interface.task, self._inputs(self.request.size)
        apart = pooled_difference([compare_runners(usual, runner, one, task) for one in inputs])
        return DefaultRun(precision, apart, latency_of(usual, self._timed()))

    def _sizes(self) -> list[Size]:
        """The requested one and two others."""
        own = self.request.size
        return [own, *[size for size in OTHER_SIZES if size != own][:2]]

    def _compared(self, runner: Runner, inputs: Feed) -> Difference:
        """The difference on ``inputs``."""
        try:
            return compare_runners(runner, self.reference, inputs, self.request.interface.task)
        except ValueError as error:
            if self.request.device is None:
                raise
            raise CommandError(f"{self.request.device}: {error}; nothing was written") from None

    def _within(
        self, found: Sequence[tuple[Difference, Feed]], size: Size, changes: Sequence[Change]
    ) -> Difference:
        """The difference over all inputs, which is within the tolerance."""
        allowed, whole = self.request.allowed, pooled_difference([each for each, _ in found])
        if whole.within(allowed):
            return whole
        _, inputs = max(found, key=lambda each: (not each[0].within(allowed), each[0].error))
        raise self._failure(whole, inputs, size, changes)

    def _sibling(self, program: Program, size: Size) -> Runner:
        """A runner of ``program`` made for another size."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / self.request.output.name
            export_program(self.request, program, path, size=size)
            return self._opened(path)

    def _opened(self, path: Path) -> Runner:
        """The artefact's runner.

        Raises:
            CompilerError: for a target that gives none.
        """
        opened: Any = self.opener(path)
        if not callable(opened):
            found = f"open gives {short_repr(opened)}"
            expected = "a runner: all outputs by name for inputs by name"
            raise CompilerError(f"target {self.request.target}", found, expected)
        runner: Runner = opened
        return runner

    def _failure(
        self, found: Difference, inputs: Feed, size: Size, changes: Sequence[Change]
    ) -> CommandError:
        """Names the first change after which the error on ``inputs`` is past the tolerance."""
        request, expected = self.request, self.reference(inputs)
        task = request.interface.task

        def breaks(limit: int) -> bool:
            program, _ = run_passes(INFERENCE, self.described, request.disabled, limit)
            runner = self._sibling(program, size)
            return not compare_runners(runner, lambda _: expected, inputs, task).within(
                request.allowed
            )

        first = first_break(len(changes), breaks)
        on = "" if request.device is None else f" on {request.device}"
        if first is None:
            culprit = "before any pass already: the precision or the runtime is to blame"
        else:
            culprit = f"from pass {changes[first - 1].name} on"
        return CommandError(
            f"{request.output}: {found} against the float64 reference at {size[0]}x{size[1]}{on}, "
            f"{culprit}; expected at most {found.limit(request.allowed)}; nothing was written"
            " (a larger --tolerance would allow it)"
        )

    def _inputs(self, size: Size) -> list[Feed]:
        """Inputs to compare on: batches of the request's images at ``size``, or of noise."""
        request, count = self.request, self.request.batch
        if not request.checked_images:
            return [noise_inputs(self.described, size, request.seed, count)]
        from auxnas.backends.images import input_batches

        return list(input_batches(request.checked_images, count, size, request.interface))

    def _timed(self) -> Feed:
        """Input of the latency: a batch, or one image where the batch is dynamic."""
        first, count = self._inputs(self.request.size)[0], self.request.options.batch or 1
        return {name: x[:count] for name, x in first.items()}

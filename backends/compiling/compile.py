"""From a genotype and weights to a checked artefact on disk."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from auxnas.backends.artefacts.memory import available_bytes, check_memory
from auxnas.backends.base import BackendUnavailable
from auxnas.backends.compiling.checking import Checker, CheckResult
from auxnas.backends.compiling.forms import Form, fastest_form, quantised_networks, try_forms
from auxnas.backends.compiling.network import CompiledNetwork, network_of
from auxnas.backends.compiling.request import Request, artefact_metadata, export_program
from auxnas.backends.devices import device_opener
from auxnas.backends.progress import Display, Silent
from auxnas.backends.registry import backend
from auxnas.backends.targets import (
    AUTO,
    ResolvedTarget,
    artefact_size,
    atomic_write_set,
    check_places,
    check_precision,
    copy_artefact,
    model_of,
    resolve_target,
    target_of,
    with_target_suffix,
)
from auxnas.backends.tensors import bfloat16_of
from auxnas.compiler import Cost, cost
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.files import discard

if TYPE_CHECKING:
    from auxnas.backends.int8.result import QuantisationResult

__all__ = ["Report", "Request", "compile_artefact", "plan"]


REFERENCE = 2
"""Memory of the float64 reference, as a multiple of an image's float32 maps."""


@dataclass(frozen=True)
class Report:
    """Result of a compile.

    Attributes:
        request: the request that it answers.
        network: the graphs, from the genotype's to the optimised one.
        check: comparison with the reference, and latency.
        seconds: time of the whole compile.
        made: target and path of the artefact, and why not another.
        bytes: size of the artefact; None where there is none.
        int8: outcome of the quantisation, where int8 was asked for.
        forms: all that were tried, where target or precision were left open.
    """

    request: Request
    network: CompiledNetwork = field(repr=False)
    check: CheckResult
    seconds: float
    made: ResolvedTarget
    bytes: int | None = None
    int8: QuantisationResult | None = None
    forms: tuple[Form, ...] = ()

    @property
    def described(self) -> Cost:
        """Cost of the network as the genotype describes it."""
        return cost(self.network.described, self.request.size)

    @property
    def optimised(self) -> Cost:
        """Cost of the graph that was written."""
        return cost(self.network.optimised.graph, self.request.size)


def compile_artefact(request: Request, display: Display = Silent()) -> Report:
    """Lowers, optimises, writes and checks.

    The artefact appears under its name only when the check is passed; one that was there
    before stays until then.

    Args:
        request: the artefact to make.
        display: destination of progress.

    Raises:
        GenotypeError: for a genotype that is not a member of its space.
        CompilerError: for weights that do not fit.
        CommandError: for a failed check.
        OSError: when the artefact cannot be written.
    """
    start = time.perf_counter()
    _check_request(request)
    if request.device is not None:
        request = replace(request, device=request.device.telling(display.say))
    made = resolve_target(request.target, request.output)
    check_places(made.target, made.output)
    network = network_of(request)
    _check_memory(request, network)
    forms: tuple[Form, ...] = ()
    form: Form | None = None
    int8: QuantisationResult | None = None
    with TemporaryDirectory() as folder:
        if made.target == AUTO or request.open_precision:
            forms = try_forms(request, network, Path(folder), display)
            form = fastest_form(forms)
            made = resolved_form(request, made, form)
            request = replace(request, options=replace(request.options, precision=form.precision))
        request = replace(request, target=made.target, output=made.output)
        with atomic_write_set(made.output, made.target) as temporary:
            if form is None or form.path is None or form.int8 is not None:
                export_program(request, network.optimised, temporary)
            else:
                copy_artefact(form.path, temporary, made.target)
            check = _check(request, network, temporary, display)
            if request.options.precision == "int8":
                int8 = _quantise(request, network, temporary, check, form, display)
            elif check.differences:
                export_program(request, network.optimised, temporary, check.differences)
    if int8 is not None:
        check = replace(check, latency=int8.times.get("int8" if int8.ships else "fp32"))
    size, seconds = artefact_size(made.output, made.target), time.perf_counter() - start
    return Report(request, network, check, seconds, made, size, int8, forms)


def resolved_form(request: Request, made: ResolvedTarget, form: Form) -> ResolvedTarget:
    """The target of a form that was chosen."""
    if made.target != AUTO:
        return made
    return ResolvedTarget(form.target, with_target_suffix(request.output, form.target))


def plan(request: Request) -> Report:
    """All of ``compile_artefact`` that writes and runs nothing.

    Raises:
        GenotypeError: for a genotype that is not a member of its space.
        CompilerError: for weights that do not fit, or what the target cannot take.
    """
    start = time.perf_counter()
    _check_request(request)
    made = resolve_target(request.target, request.output)
    network = network_of(request)
    model_of(made.target, network.optimised, request.options, {})
    request = replace(request, target=made.target, output=made.output)
    check = CheckResult(unchecked="dry run")
    return Report(request, network, check, time.perf_counter() - start, made)


def _check_request(request: Request) -> None:
    """Before the work, rather than after it."""
    precision = request.options.precision
    check_precision(request.target, precision)
    if request.verify and request.target != AUTO and request.device is None:
        reason = target_of(request.target).missing_precision(precision)
        if reason is not None:
            found = f"{reason}, so that it cannot be checked here"
            raise CompilerError(f"precision {precision}", found, "another, or no check")
    if request.options.precision != "int8":
        return
    if request.int8 is None:
        raise CompilerError("precision int8", "no photographs to calibrate on", "some")
    backend("quantiser", "int8")


def _check_memory(request: Request, network: CompiledNetwork) -> None:
    """Before what is to be run here is given memory that there is not."""
    if request.verify or request.target == AUTO or request.int8 is not None:
        peak = cost(network.whole.graph, request.size).peak_bytes
        needed = (request.batch + REFERENCE) * peak
        place = "input size {}x{} (a smaller --input-size, or --no-verify)".format(*request.size)
        check_memory(place, needed, "maps", available_bytes())


def _check(request: Request, network: CompiledNetwork, path: Path, display: Display) -> CheckResult:
    if not request.verify:
        return CheckResult(unchecked="switched off")
    target = target_of(request.target)
    if request.device is not None:
        opener = device_opener(request.device, target, request.output.name)
        checker = Checker(request, network.whole, opener, display)
        return checker.check(path, network.optimised, network.changes)
    reason, stand_in = target.unrunnable(), target.stand_in
    if reason is not None and stand_in is not None:
        return _check_stand_in(request, network, display, stand_in, reason)
    try:
        opener = target.opener()
    except BackendUnavailable as error:
        return CheckResult(unchecked=str(error))
    checker = Checker(request, network.whole, opener, display)
    return checker.check(path, network.optimised, network.changes)


def _check_stand_in(
    request: Request, network: CompiledNetwork, display: Display, stand_in: str, reason: str
) -> CheckResult:
    """Checks what an artefact that cannot run here is built from, as another target."""
    output, program, options = (
        with_target_suffix(request.output, stand_in),
        network.optimised,
        request.options,
    )
    if options.precision not in target_of(stand_in).precisions:
        reason += f"; {stand_in} has no {options.precision}: its weights, in float32 arithmetic"
        program = replace(program, params={n: bfloat16_of(v) for n, v in program.params.items()})
        options = replace(options, precision="fp32")
    request = replace(
        request, target=stand_in, output=output, options=options, tolerance=request.allowed
    )
    network = replace(network, optimised=program)
    with TemporaryDirectory() as folder:
        path = Path(folder) / output.name
        export_program(request, network.optimised, path)
        found = _check(request, network, path, display)
    return replace(found, latency=None, instead=reason)


def _quantise(
    request: Request,
    network: CompiledNetwork,
    path: Path,
    check: CheckResult,
    form: Form | None,
    display: Display,
) -> QuantisationResult:
    """Replaces the artefact by an int8 one where that is better."""
    metadata = artefact_metadata(request, check.differences or None)
    if form is None or form.int8 is None:
        made = quantised_networks(request, network, (request.target,), metadata, display)
        found = made[request.target]
    else:
        found = backend("quantiser", "described")(form.int8, metadata)
    discard(path)  # so that a target that packs nothing is not taken for one that did
    target_of(request.target).pack(found.model, path, request.options)
    return found

"""Forms of a network: targets and precisions, tried, judged and timed on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auxnas.backends.base import BackendUnavailable, Runner
from auxnas.backends.compiling.network import CompiledNetwork
from auxnas.backends.compiling.request import Request, artefact_metadata, export_program
from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.devices import (
    DeviceFailure,
    device_model_opener,
    device_opener,
    device_times,
)
from auxnas.backends.int8 import NetworkEnds
from auxnas.backends.measuring.apart import side_by_side_apart
from auxnas.backends.measuring.timing import Feed, Latency
from auxnas.backends.progress import Display, Silent
from auxnas.backends.registry import backend
from auxnas.backends.target import TargetUnavailable
from auxnas.backends.targets import AUTO, CPU_TARGETS, artefact_size, target_of
from auxnas.compiler import MAIN, CompilerError, Size

if TYPE_CHECKING:
    from auxnas.backends.int8.result import QuantisationResult

PRECISIONS = ("fp32", "bf16", "fp16", "int8")
"""Those that are tried, that of the reference first."""
INT8_SIZES: tuple[Size, ...] = ((256, 256), (768, 768))
"""Besides 512x512, what an int8 network for any size is judged at."""


@dataclass(frozen=True)
class Form:
    """A target and a precision, and what came of it.

    Attributes:
        target: its name.
        precision: its name.
        latency: in turns with the others; None where it was not run.
        drop: disagreement with the float32 network, as the task has it; None where that is
            not asked for.
        bytes: on disk.
        against: reason that it is not chosen, however fast; None for none.
        int8: the network, where that is what was made.
        path: where it was written.
    """

    target: str
    precision: str
    latency: Latency | None = None
    drop: float | None = None
    bytes: int | None = None
    against: str | None = None
    int8: QuantisationResult | None = field(default=None, repr=False)
    path: Path | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.target} {self.precision}"


def try_forms(
    request: Request, network: CompiledNetwork, folder: Path, display: Display = Silent()
) -> tuple[Form, ...]:
    """All forms that the request leaves open, written to ``folder``.

    They are timed in turns, each in a process of its own, so that what else the machine does
    strikes all alike and none strikes another. Where the precision is open they are judged by what
    the task calls disagreement: on the request's images, int8 on those of them that it was not
    calibrated on, without any on noise.

    Raises:
        TargetUnavailable: when no target is installed.
    """
    targets = CPU_TARGETS if request.target == AUTO else (request.target,)
    pairs = list(_pairs(request, targets))

    @cache
    def int8() -> Mapping[str, QuantisationResult]:
        some = [target for target, kind in pairs if kind == "int8"]
        some = [target for target in some if _reason(request, target, "int8") is None]
        return quantised_networks(request, network, some, artefact_metadata(request), display)

    found: list[Form] = []
    runners: dict[str, Runner] = {}
    for target, precision in pairs:
        form, runner = _tried(request, network, target, precision, folder, int8)
        found.append(form)
        if runner is not None:
            runners[str(form)] = runner
    if not runners:
        raise _nothing_runs(request, str(found[0].against))
    inputs = _inputs(request, network)
    first = _first(inputs[0], request.options.batch or 1)
    if request.device is None:
        made = {str(one): (one.target, one.path) for one in found if one.path is not None}
        times, refused = side_by_side_apart(made, first)
    else:
        times, refused = _times_there(runners, first)
    found = [_timed(form, times, refused.get(str(form))) for form in found]
    if request.open_precision:
        drops = _drops(request, {name: runners[name] for name in times}, inputs)
        found = [_judged(form, drops.get(str(form)), request) for form in found]
    return exact_if_as_fast(tuple(found))


def _timed(form: Form, times: Mapping[str, Latency], refused: str | None) -> Form:
    """A form with its latency; int8 is as fast as it is in turns with the others."""
    form = replace(form, latency=times.get(str(form)), against=refused or form.against)
    made = form.int8
    if made is None or form.against:
        return form
    named = {kind: f"{form.target} {kind}" for kind in made.times}
    if times.keys() >= set(named.values()):
        made = replace(made, times={kind: times[name] for kind, name in named.items()})
    return replace(form, int8=made, against=None if made.ships else made.against)


def _nothing_runs(request: Request, reason: str) -> TargetUnavailable:
    """The error where no form can be run, with what can be made all the same."""
    row = None if request.target == AUTO else target_of(request.target)
    if row is not None and request.open_precision and row.missing() is None:
        named = ", ".join(each for each in row.precisions if each != "int8")
        reason += f"; --precision auto chooses by running, one that is named works here: {named}"
    return TargetUnavailable(request.target, reason)


def _times_there(
    runners: Mapping[str, Runner], inputs: Feed
) -> tuple[dict[str, Latency], dict[str, str]]:
    """Seconds of each on a device, and of those that do not run there the reason.

    Raises:
        DeviceFailure: when it went away, or runs none in float32.
    """
    times, refused = dict[str, Latency](), dict[str, str]()
    for name, runner in runners.items():
        try:
            times |= device_times({name: runner}, inputs)
        except DeviceFailure as failure:
            if failure.gone or name == next(iter(runners)):
                raise
            refused[name] = str(failure)
    return times, refused


def exact_if_as_fast(forms: tuple[Form, ...]) -> tuple[Form, ...]:
    """The forms, with a word against each that is less exact than fp32 and hardly faster.

    Rounds are spread: what is faster by less than that may be so by chance.
    """
    exact = [form for form in forms if form.precision == PRECISIONS[0]]
    if all(form.latency is None or form.against for form in exact):
        return forms
    best = fastest_form(tuple(exact))

    def judged(form: Form) -> Form:
        latency, truth = form.latency, best.latency
        if form in exact or form.against or latency is None or truth is None or latency >= truth:
            return form
        reason = f"not faster than {best} by more than the spread of the rounds"
        return form if latency.clearly_below(truth) else replace(form, against=reason)

    return tuple(judged(form) for form in forms)


def fastest_form(forms: tuple[Form, ...]) -> Form:
    """The fastest of those that nothing is against.

    Raises:
        CompilerError: when there is none, with what is against each.
    """
    fitting = [form for form in forms if form.latency is not None and form.against is None]
    if not fitting:
        reasons = "; ".join(f"{form}: {form.against}" for form in forms)
        raise CompilerError("forms", f"none fits ({reasons})", "a target and a precision that do")
    return min(fitting, key=lambda form: form.latency or 0.0)


def _pairs(request: Request, targets: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for target in targets:
        own = target_of(target).precisions
        for precision in PRECISIONS if request.open_precision else (request.options.precision,):
            if precision in own:
                yield target, precision


def _tried(
    request: Request,
    network: CompiledNetwork,
    target: str,
    precision: str,
    folder: Path,
    int8: Callable[[], Mapping[str, QuantisationResult]],
) -> tuple[Form, Runner | None]:
    """A form and what runs it, or the reason that it does not run."""
    row, form = target_of(target), Form(target, precision)
    reason = _reason(request, target, precision)
    if reason is not None:
        return replace(form, against=reason), None
    path = folder / f"{precision}{row.suffix}"
    request = replace(
        request, target=target, output=path, options=replace(request.options, precision=precision)
    )
    try:
        opener = row.opener() if request.device is None else device_opener(request.device, row)
        if precision == "int8":
            made = int8()[target]
            row.pack(made.model, path, request.options)
            form = replace(form, int8=made, drop=made.drop)
        else:
            export_program(request, network.optimised, path)
        return replace(form, bytes=artefact_size(path, target), path=path), opener(path)
    except (BackendUnavailable, CompilerError) as error:
        return replace(form, against=str(error)), None


def _reason(request: Request, target: str, precision: str) -> str | None:
    """Reason that a form cannot be tried; None where it can."""
    if precision == "int8" and request.int8 is None:
        return "no photographs to calibrate on (--images DIR)"
    row = target_of(target)
    if request.device is not None:
        return row.missing()
    return row.missing() or row.unrunnable() or row.missing_precision(precision)


def quantised_networks(
    request: Request,
    network: CompiledNetwork,
    targets: Sequence[str],
    metadata: dict[str, str],
    display: Display,
) -> dict[str, QuantisationResult]:
    """One int8 network, judged and timed as each of some targets made from one ONNX will run it."""
    rows, device = [target_of(target) for target in targets], request.device
    options = replace(request.options, precision="int8")
    wish = request.int8 and replace(request.int8, runtimes=tuple(row.open_model for row in rows))
    if wish is not None and device is not None:
        runtimes = tuple(device_model_opener(device, row, options) for row in rows)
        wish = replace(wish, runtimes=runtimes, timer=device_times)
    model = rows[0].model(network.optimised, options, metadata)
    found = backend("quantiser", "int8")(model, wish, quantisation_ends(request), display)
    return dict(zip(targets, found, strict=True))


def quantisation_ends(request: Request) -> NetworkEnds:
    """Inputs and outputs of the int8 network; one for any size is judged at several."""
    options = request.options
    others = () if options.size else INT8_SIZES
    return NetworkEnds(request.size, request.interface, request.spec.classes, options.batch, others)


def _inputs(request: Request, network: CompiledNetwork) -> list[dict[str, Any]]:
    """The request's images in batches, or noise."""
    if not (request.images and request.open_precision):
        return [noise_inputs(network.whole, request.size, request.seed, request.options.batch or 1)]
    from auxnas.backends.images import input_batches

    return list(
        input_batches(request.images, request.options.batch or 1, request.size, request.interface)
    )


def _first(inputs: Feed, count: int) -> dict[str, Any]:
    return {name: values[:count] for name, values in inputs.items()}


def _drops(
    request: Request, runners: dict[str, Runner], inputs: list[dict[str, Any]]
) -> dict[str, float]:
    """Disagreement of each with the first one in float32; empty where none runs in it."""
    outputs = {
        name: np.concatenate([runner(feed)[MAIN] for feed in inputs])
        for name, runner in runners.items()
    }
    truths = [value for name, value in outputs.items() if name.endswith(" fp32")]
    task = request.interface.task
    return {
        name: float(task.disagreement(value, truths[0]))
        for name, value in outputs.items()
        if truths
    }


def _judged(form: Form, drop: float | None, request: Request) -> Form:
    """A form with its disagreement, and whether that is too much."""
    drop = drop if form.drop is None else form.drop
    if form.against is None and drop is None:
        return replace(form, against="nothing to judge it by: none ran in float32")
    if form.against is None and drop is not None and not drop <= request.max_drop:
        text = request.interface.task.disagrees.text.format(drop)
        return replace(form, drop=drop, against=f"{text}, more than {request.max_drop:g}")
    return replace(form, drop=drop)

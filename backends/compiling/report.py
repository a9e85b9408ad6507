"""Result of a compile, as lines for people and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from operator import attrgetter
from typing import Any

from auxnas.backends.compiling.checking import DefaultRun
from auxnas.backends.compiling.compile import Report
from auxnas.backends.compiling.forms import Form
from auxnas.backends.compiling.network import Effect
from auxnas.backends.compiling.request import Request
from auxnas.backends.devices import device_text
from auxnas.backends.measuring.machine import cores, cores_text, runtime_versions
from auxnas.backends.measuring.timing import Latency, told_apart
from auxnas.backends.targets import TARGETS, target_of
from auxnas.compiler import Cost, infer_shapes
from auxnas.compiler.places import Places

PACKAGES = ("auxnas", "onnx", "onnxruntime", "openvino", "torch", "tensorrt", "numpy")
COUNTS = ("parameters", "multiply_adds", "multiply_adds_with_norm", "bytes_moved", "peak_bytes")
"""Fields of ``Cost``."""


def to_dict(report: Report) -> dict[str, Any]:
    """The report as plain data, less what is counted per node."""
    request, check, made = report.request, report.check, report.made
    difference = check.difference
    return {
        "genotype": str(request.genotype),
        "model": request.spec.to_dict(),
        "input_size": list(request.size),
        "batch": request.options.batch,
        **_cost(report.described),
        "optimised": _cost(report.optimised),
        "passes": [_effect(each) for each in report.network.effects(request.size)],
        "weights": request.origin,
        "target": request.target,
        "precision": precision(report),
        "output": str(request.output),
        "written": report.bytes is not None,
        "bytes": report.bytes,
        "timings_ms": {n: 1e3 * t for n, t in timings(report).items()},
        "timings_spread": {n: t.spread for n, t in timings(report).items()},
        "forms": [_form_facts(form, is_chosen(form, report)) for form in report.forms],
        "missing": made.missing,
        "max_relative_error": difference.max_relative if difference else None,
        "difference": difference.to_dict() if difference else None,
        "allowed": request.allowed,
        "checks": {f"{h}x{w}": d.to_dict() for (h, w), d in check.differences.items()},
        "unchecked": check.unchecked,
        "not_run": check.instead,
        "device": check.machine and dict(check.machine),
        "by_default": None
        if check.default is None
        else {
            "precision": check.default.precision,
            "difference": check.default.difference.to_dict(),
            "latency_ms": 1e3 * check.default.latency,
        },
        "int8": report.int8.to_dict() if report.int8 else None,
        "latency_ms": None if check.latency is None else 1e3 * check.latency,
        "latency_spread": None if check.latency is None else check.latency.spread,
        "seconds": report.seconds,
        "versions": runtime_versions(*PACKAGES),
    }


def precision(report: Report) -> str:
    """Of what was written; where it is only planned, of what was asked for."""
    if report.int8 is not None and not report.int8.ships:
        return "fp32"
    return report.request.options.precision


def nodes(report: Report) -> list[dict[str, Any]]:
    """Costs of each node of the written graph, in order of execution."""
    graph, size = report.network.optimised.graph, report.request.size
    places, shapes = Places(report.request.genotype), infer_shapes(graph, size)
    found = report.optimised.nodes
    return [
        {
            "name": node.name,
            "op": node.op,
            "place": place.label if (place := places.of(node.name)) else None,
            "shape": list(shapes[node.name]),
            **asdict(found[node.name]),
        }
        for node in graph.nodes
    ]


def _cost(cost: Cost) -> dict[str, Any]:
    counts = {name: getattr(cost, name) for name in COUNTS}
    return {"nodes": len(cost.nodes), **counts, "output_size": list(cost.output_size)}


def _effect(effect: Effect) -> dict[str, Any]:
    return {"name": effect.name} | {n: [before, after] for n, before, after in effect.numbers()}


def report_lines(report: Report) -> Iterator[str]:
    """``name   value`` lines; further lines of a value stand below its first."""
    for name, value in report_rows(report).items():
        yield f"{name:13}{value.replace(chr(10), chr(10) + ' ' * 13)}"


def report_rows(report: Report) -> dict[str, str]:
    """Text of the report by heading; some have several lines."""
    request, check, int8 = report.request, report.check, report.int8
    found = {
        "genotype": str(request.genotype),
        "weights": request.weights.source
        if request.weights
        else f"RANDOM, from seed {request.seed} (no --weights): predictions mean nothing",
        "as described": cost_text(report.described),
        "optimised": cost_text(report.optimised),
        "passes": "\n".join(effect_lines(report)) or "nothing to do",
        "numerics": _numerics(report),
    }
    where = cores_text(cores())
    if check.machine is not None:
        found["device"], where = device_text(check.machine), str(request.device)
    if check.latency is not None:
        found["latency"] = (
            f"{check.latency} for {_timed(request)}, {target_of(request.target).runtime}, {where}"
        )
    if check.default is not None:
        found["by default"] = default_text(report, check.default)
    if int8 is not None:
        found |= {"precision": int8.verdict, "int8": str(int8)}
    if request.open_precision:
        found["forms"] = "\n".join(form_lines(report))
    else:
        timed = timings(report)
        for name, text in zip(timed, told_apart([*timed.values()]), strict=True):
            chosen = ", chosen" if name == request.target else ""
            found[TARGETS[name].runtime] = f"{text}, in turns{chosen}"
    if report.bytes is None:
        found["dry run"] = f"{request.output} was not written"
    else:
        size = f"{report.bytes / 1e6:.1f} MB"
        found["written"] = f"{request.output} ({size}, {report.seconds:.1f} s)"
    return found


def timings(report: Report) -> dict[str, Latency]:
    """Seconds of one run of the forms that ran: by target, and by precision where that was open."""
    named = str if report.request.open_precision else attrgetter("target")
    return {named(form): form.latency for form in report.forms if form.latency is not None}


def is_chosen(form: Form, report: Report) -> bool:
    """Whether a form is what was written."""
    request = report.request
    return (form.target, form.precision) == (request.target, request.options.precision)


def form_lines(report: Report) -> Iterator[str]:
    """A line for each form: time, disagreement, size, and why it is not the one."""
    text = report.request.interface.task.disagrees.text
    timed = timings(report)
    times = dict(zip(timed, told_apart([*timed.values()]), strict=True))
    for form in report.forms:
        parts = [
            times.get(str(form), ""),
            "" if form.drop is None or form.precision == "fp32" else text.format(form.drop),
            "" if form.bytes is None else f"{form.bytes / 1e6:.1f} MB",
            f"not taken: {form.against}" if form.against else "",
            "CHOSEN" if is_chosen(form, report) else "",
        ]
        yield f"{form!s:15} {', '.join(filter(None, parts))}"


def _form_facts(form: Form, chosen: bool) -> dict[str, Any]:
    return {
        "target": form.target,
        "precision": form.precision,
        "latency_ms": None if form.latency is None else 1e3 * form.latency,
        "disagreement": form.drop,
        "bytes": form.bytes,
        "against": form.against,
        "chosen": chosen,
    }


def default_text(report: Report, default: DefaultRun) -> str:
    """An artefact as its runtime opens it without our settings, in words."""
    runtime = target_of(report.request.target).runtime
    return (
        f"{runtime} itself opens it in {default.precision} here: {default.latency},"
        f" {default.difference} against {precision(report)}, which it was checked in and in"
        " which nasrun opens it"
    )


def _timed(request: Request) -> str:
    """Description of the timed input: ``a 512x512 image``."""
    (height, width), count = request.size, request.options.batch or 1
    return f"{count} images of {height}x{width}" if count > 1 else f"a {height}x{width} image"


def cost_text(cost: Cost) -> str:
    """The numbers that people compare."""
    output = "x".join(map(str, cost.output_size))
    return (
        f"{cost.parameters:,} parameters, {cost.multiply_adds / 1e9:.3f}e9 multiply-adds"
        f" (convolutions), output {output}, {len(cost.nodes)} nodes"
    )


def effect_lines(report: Report) -> list[str]:
    """A line for each pass that changed something, with all that it changed."""
    found: dict[str, dict[str, int]] = {}
    for effect in report.network.effects(report.request.size):
        sums = found.setdefault(effect.name, {})
        for name, before, after in effect.numbers():
            sums[name] = sums.get(name, 0) + after - before
    width = max(map(len, found), default=0) + 2
    return [f"{name:{width}}{_changes(sums)}" for name, sums in found.items()]


def _changes(sums: dict[str, int]) -> str:
    texts = {
        "nodes": "{:+,} nodes",
        "parameters": "{:+,} parameters",
        "multiply_adds": "{:+,.1f} M multiply-adds",
        "bytes_moved": "{:+,.1f} MB moved",
        "peak_bytes": "{:+,.1f} MB at the peak",
    }
    whole = ("nodes", "parameters")
    parts = [
        text.format(sums[name] if name in whole else sums[name] / 1e6)
        for name, text in texts.items()
        if sums[name]
    ]
    return ", ".join(parts) or "the order of nodes"


def _numerics(report: Report) -> str:
    request, found = report.request, report.check.difference
    if found is None:
        return f"NOT CHECKED ({report.check.unchecked})"
    sizes = ", ".join(f"{height}x{width}" for height, width in report.check.differences)
    count = len(request.checked_images)
    on = f"{count} images" if count else "noise"
    there = "" if request.device is None else f" on {request.device}"
    text = (
        f"checked{there} against the float64 reference on {on} at {sizes}: {found}"
        f" (allowed {found.limit(request.allowed)})"
    )
    if report.check.instead is None:
        return text
    target = target_of(request.target)
    return (
        f"the ONNX that the engine is built from, in {target_of(target.stand_in or '').runtime}: "
        f"{text}\n{target.runtime} parsed and built it; it was NOT RUN ({report.check.instead})"
    )

"""From a genotype and weights to a checked artefact on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from backends.base import BackendUnavailable, ExportOptions, Runner
from backends.registry import backend
from backends.verification import TOLERANCE, Difference, compare, noise
from compiler import Cost, Graph, ModelSpec, Program, Size, cost, lower
from compiler.errors import CompilerError
from compiler.passes import INFERENCE, Change, run
from compiler.weights import fit, load_weights, randomised
from genotype import Genotype, GenotypeError, parse, to_json
from genotype.console import atomic_write

LATENCY_RUNS = 20
WARM_UP = 3


@dataclass(frozen=True)
class Weights:
    """Parameter arrays and what is known of them.

    Attributes:
        params: arrays by name.
        source: for messages: a path, or how they were made.
        metadata: decoded metadata: ``genotype``, ``model``, ``classes``,
            ``normalisation`` where present.
    """

    params: Mapping[str, Any] = field(repr=False)
    source: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What to make.

    Attributes:
        genotype: the architecture.
        spec: the network around it, auxiliary heads left out.
        weights: None for random ones from ``seed``.
        size: (height, width) of the images.
        output: where the artefact goes.
        verify: whether to run the artefact against the float64 reference.
        tolerance: largest relative error allowed.
        seed: of random weights and noise images.
        disabled: names of passes to leave out.
        target: name of the exporter.
    """

    genotype: Genotype
    spec: ModelSpec
    weights: Weights | None
    size: Size
    output: Path
    verify: bool = True
    tolerance: float = TOLERANCE
    seed: int = 0
    disabled: tuple[str, ...] = ()
    target: str = "onnx"


@dataclass(frozen=True)
class Report:
    """What was made.

    Attributes:
        described: cost of the network as the genotype describes it.
        optimised: cost of the graph that was written.
        nodes: number of nodes of both graphs.
        changes: what the passes did.
        difference: against the reference; None where it was not checked.
        latency: seconds for one image, median; None where it was not run.
        unchecked: why there is no difference, if there is none.
        seconds: the whole work.
    """

    described: Cost
    optimised: Cost
    nodes: tuple[int, int]
    changes: tuple[Change, ...]
    difference: Difference | None
    latency: float | None
    unchecked: str | None
    seconds: float


def compile_artefact(request: Request) -> Report:
    """Lowers, optimises, writes and checks.

    The artefact appears under its name only when the check is passed; one that was there
    before stays until then.

    Raises:
        GenotypeError: for a genotype that is not a member of its space.
        CompilerError: for weights that do not fit, or a failed check.
        OSError: when the artefact cannot be written.
    """
    start = time.perf_counter()
    graph = lower(request.genotype, request.spec)
    program = Program(graph, _params(request, graph), str(request.genotype))
    optimised, changes = run(INFERENCE, program, request.disabled)
    exporter = backend("exporter", request.target)()
    found: tuple[Difference | None, float | None, str | None] = (None, None, "switched off")
    with atomic_write(request.output) as temporary:
        options = ExportOptions(request.size)
        exporter.export(optimised, temporary, options, artefact_metadata(request))
        if request.verify:
            found = _check(request, program, temporary)
    difference, latency, unchecked = found
    return Report(
        cost(graph, request.size),
        cost(optimised.graph, request.size),
        (len(graph), len(optimised.graph)),
        changes,
        difference,
        latency,
        unchecked,
        time.perf_counter() - start,
    )


def _params(request: Request, graph: Graph) -> dict[str, Any]:
    if request.weights is None:
        return randomised(graph, request.seed)
    return fit(graph, request.weights.params, request.weights.source)


def _check(
    request: Request, program: Program, path: Path
) -> tuple[Difference | None, float | None, str | None]:
    """Runs the artefact; raises when it errs by more than the tolerance."""
    try:
        runner: Runner = backend("runner", "ort")(path)
    except BackendUnavailable as error:
        return None, None, str(error)
    inputs = noise(request.size, request.seed)
    found = compare(runner, backend("runner", "reference")(program), inputs)
    if not found.within(request.tolerance):
        raise CompilerError(
            str(request.output),
            f"errs by {found.max_relative:.2e} of the output's scale against the reference",
            f"at most {request.tolerance:.0e}; nothing was written",
        )
    return found, _latency(runner, inputs), None


def _latency(runner: Runner, inputs: Mapping[str, Any]) -> float:
    """Median seconds of one call, after a warm-up."""
    times = []
    for _ in range(WARM_UP + LATENCY_RUNS):
        start = time.perf_counter()
        runner(inputs)
        times.append(time.perf_counter() - start)
    return median(times[WARM_UP:])


def artefact_metadata(request: Request) -> dict[str, str]:
    """What the artefact says of itself: values are text or JSON."""
    known = request.weights.metadata if request.weights else {}
    values = {
        "genotype": json.loads(to_json(request.genotype)),
        "model": request.spec.to_dict(),
        "weights": request.weights.source if request.weights else f"random, seed {request.seed}",
        "tool": f"auxnas {metadata.version('auxnas')}",
    }
    values |= {key: known[key] for key in ("classes", "normalisation") if key in known}
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}


def read_weights(path: str, genotype: Genotype) -> Weights:
    """Weights of ``genotype``'s network from a safetensors file.

    Raises:
        CompilerError: when the file cannot be read, or says that it is of another genotype.
    """
    params, texts = load_weights(path)
    known = {}
    for key, text in texts.items():
        try:
            known[key] = json.loads(text)
        except ValueError:
            known[key] = text
    if "genotype" in known:
        _same_genotype(path, known["genotype"], genotype)
    return Weights(params, path, known)


def _same_genotype(path: str, found: object, expected: Genotype) -> None:
    text = found if isinstance(found, str) else json.dumps(found)
    try:
        theirs = parse(text).genotype
    except GenotypeError as error:
        raise CompilerError(f"{path}: metadata", f"no genotype ({error})", "one") from None
    if theirs != expected:
        raise CompilerError(path, f"weights of {theirs}", f"of {expected}")

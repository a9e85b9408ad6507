"""From a genotype and weights to a checked artefact on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.base import BackendUnavailable, ExportOptions, Runner
from backends.int8 import Ends, Int8Options
from backends.latency import median_seconds
from backends.registry import backend
from backends.targets import TARGETS, Settled, placed, settle
from backends.verification import (
    OTHER_SIZES,
    TOLERANCES,
    Difference,
    compare,
    first_break,
    noise,
    worst,
)
from backends.weights import Weights
from compiler import Cost, Graph, ModelSpec, Program, Size, cost, lower
from compiler.errors import CompilerError
from compiler.interface import Interface, with_interface
from compiler.passes import INFERENCE, Change, run
from compiler.weights import randomised
from genotype import Genotype, to_json

if TYPE_CHECKING:
    from backends.int8.choosing import Outcome

Array = np.ndarray[Any, Any]
Opener = Callable[[Path], Runner]


@dataclass(frozen=True)
class Request:
    """What to make.

    Attributes:
        genotype: the architecture.
        spec: the network around it, auxiliary heads left out.
        output: where the artefact goes.
        weights: None for random ones from ``seed``.
        target: a name in ``backends.targets.TARGETS``, or ``auto``.
        interface: what goes in and comes out.
        options: size, batch, precision, opset.
        verify: whether to run the artefact against the float64 reference.
        tolerance: largest relative error allowed; None for the precision's default.
        images: (H, W, 3) uint8 images to check on; none for noise.
        seed: of random weights and noise.
        disabled: names of passes to leave out.
        int8: how to quantise, for that precision.
    """

    genotype: Genotype
    spec: ModelSpec
    output: Path
    weights: Weights | None = None
    target: str = "onnx"
    interface: Interface = field(default_factory=Interface)
    options: ExportOptions = field(default_factory=ExportOptions)
    verify: bool = True
    tolerance: float | None = None
    images: Sequence[Array] = ()
    seed: int = 0
    disabled: tuple[str, ...] = ()
    int8: Int8Options | None = None

    @property
    def size(self) -> Size:
        """(height, width) that costs and times are quoted for."""
        return self.options.size or (512, 512)

    @property
    def allowed(self) -> float:
        """The tolerance in force."""
        return TOLERANCES[self.options.precision] if self.tolerance is None else self.tolerance


@dataclass(frozen=True)
class Check:
    """What running the artefact showed.

    Attributes:
        differences: against the float64 reference, by image size.
        latency: seconds for one image of the requested size, median.
        unchecked: why there are none, if there are none.
    """

    differences: Mapping[Size, Difference] = field(default_factory=dict)
    latency: float | None = None
    unchecked: str | None = None

    @property
    def difference(self) -> Difference | None:
        """The worst of all sizes."""
        return worst(list(self.differences.values())) if self.differences else None


@dataclass(frozen=True)
class Report:
    """What was made.

    Attributes:
        described: cost of the network as the genotype describes it.
        optimised: cost of the graph that was written.
        nodes: number of nodes of both graphs.
        changes: what the passes did.
        check: what running it showed.
        seconds: the whole work.
        made: which target, where, and why not another.
        int8: what quantising it gave, where that was asked for.
    """

    described: Cost
    optimised: Cost
    nodes: tuple[int, int]
    changes: tuple[Change, ...]
    check: Check
    seconds: float
    made: Settled
    int8: Outcome | None = None


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
    _refuse_int8(request)
    graph = lower(request.genotype, request.spec)
    described = Program(graph, _params(request, graph), str(request.genotype))
    whole = with_interface(described, request.interface)
    optimised, changes = run(INFERENCE, whole, request.disabled)
    made = _settle(request, whole, optimised)
    request = replace(request, target=made.target, output=made.output)
    with placed(made.output, made.target) as temporary:
        export(request, optimised, temporary)
        check = _check(request, whole, optimised, changes, temporary)
        if check.differences:
            export(request, optimised, temporary, check)
        int8 = _quantise(request, temporary)
    if int8 is not None and check.latency is not None:
        check = replace(check, latency=int8.times["int8" if int8.ships else "fp32"])
    return Report(
        cost(graph, request.size),
        cost(optimised.graph, request.size),
        (len(graph), len(optimised.graph)),
        changes,
        check,
        time.perf_counter() - start,
        made,
        int8,
    )


def _quantise(request: Request, path: Path) -> Outcome | None:
    """Makes the artefact int8 where that was asked for and is better."""
    if request.options.precision != "int8":
        return None
    ends = Ends(request.size, request.interface, request.spec.classes, request.options.batch)
    found: Outcome = backend("quantiser", "int8")(path, request.int8, ends)
    return found


def _settle(request: Request, described: Program, optimised: Program) -> Settled:
    """What will be made: the fastest runtime's where that was asked, else the request's."""

    def write(target: str, path: Path) -> None:
        export(replace(request, target=target), optimised, path)

    inputs = noise(described, request.size, request.seed)
    return settle(request.target, request.output, write, inputs)


def export(
    request: Request,
    program: Program,
    path: Path,
    check: Check | None = None,
    size: Size | None = None,
) -> None:
    """Writes ``program`` as the request's target.

    Args:
        request: target, options and metadata.
        program: what to write.
        path: where.
        check: what checking it showed, for its metadata.
        size: another size than the request's, where that is fixed.
    """
    options = request.options
    if size is not None and options.size is not None:
        options = replace(options, size=size)
    exporter = backend("exporter", request.target)()
    exporter.export(program, path, options, artefact_metadata(request, check))


def _check(
    request: Request,
    described: Program,
    optimised: Program,
    changes: Sequence[Change],
    path: Path,
) -> Check:
    if not request.verify:
        return Check(unchecked="switched off")
    try:
        opener: Opener = backend("runner", TARGETS[request.target].runner)
    except BackendUnavailable as error:
        return Check(unchecked=str(error))
    return _Checker(request, described, opener).check(path, optimised, changes)


def _refuse_int8(request: Request) -> None:
    """Before the work, rather than after it."""
    if request.options.precision != "int8":
        return
    if request.int8 is None:
        raise CompilerError("precision int8", "no photographs to calibrate on", "some")
    if request.target != "onnx":
        raise CompilerError("precision int8", f"target {request.target}", "target onnx")
    backend("quantiser", "int8")


def _params(request: Request, graph: Graph) -> dict[str, Any]:
    if request.weights is None:
        return randomised(graph, request.seed)
    return request.weights.of(graph)


class _Checker:
    """Runs a request's artefact, and siblings of it at other sizes, against the reference."""

    def __init__(self, request: Request, described: Program, opener: Opener) -> None:
        self.request, self.described, self.opener = request, described, opener
        self.reference: Runner = backend("runner", "reference")(described)

    def check(self, path: Path, optimised: Program, changes: Sequence[Change]) -> Check:
        """The errors at the requested size and two others, and the latency.

        Raises:
            CompilerError: past the tolerance, naming the pass that breaks it.
        """
        runner, differences = self.opener(path), {}
        for size in (self.request.size, *OTHER_SIZES):
            at = runner if size == self.request.size else self._sibling(optimised, size)
            found = worst([compare(at, self.reference, x) for x in self._inputs(size)])
            if not found.within(self.request.allowed):
                raise self._failure(found, size, changes)
            differences[size] = found
        return Check(differences, median_seconds(runner, self._inputs(self.request.size)[0]))

    def _sibling(self, program: Program, size: Size) -> Runner:
        """A runner of ``program`` made for another size."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / self.request.output.name
            export(self.request, program, path, size=size)
            return self.opener(path)

    def _failure(self, found: Difference, size: Size, changes: Sequence[Change]) -> CompilerError:
        """Names the first change after which the error is past the tolerance."""
        request, inputs = self.request, self._inputs(size)[0]
        expected = self.reference(inputs)

        def breaks(limit: int) -> bool:
            program, _ = run(INFERENCE, self.described, request.disabled, limit)
            runner = self._sibling(program, size)
            return not compare(runner, lambda _: expected, inputs).within(request.allowed)

        first = first_break(len(changes), breaks)
        culprit = "before any pass" if first is None else f"from pass {changes[first - 1].name} on"
        return CompilerError(
            str(request.output),
            f"{found} against the float64 reference at {size[0]}x{size[1]}, {culprit}",
            f"an error of at most {request.allowed:.0e}; nothing was written",
        )

    def _inputs(self, size: Size) -> list[dict[str, Array]]:
        """What to run on: the images at ``size``, or noise."""
        if not self.request.images:
            return [noise(self.described, size, self.request.seed)]
        from backends.images import fed

        return [fed(image, size, self.request.interface) for image in self.request.images]


def artefact_metadata(request: Request, check: Check | None = None) -> dict[str, str]:
    """What the artefact says of itself: values are text or JSON."""
    known = request.weights.metadata if request.weights else {}
    ends = request.interface
    values = {
        "genotype": json.loads(to_json(request.genotype)),
        "key": request.genotype.key("isomorphism"),
        "model": request.spec.to_dict(),
        "weights": request.weights.source if request.weights else f"random, seed {request.seed}",
        "normalisation": {"mean": list(ends.mean), "deviation": list(ends.deviation)},
        "input_format": ends.format,
        "head": ends.head,
        "resize_output": ends.resize or ends.head == "labels",
        "passes": [each.name for each in INFERENCE if each.name not in request.disabled],
        "tool": f"auxnas {metadata.version('auxnas')}",
    }
    if check is not None:
        values["verification"] = {
            f"{height}x{width}": found.to_dict()
            for (height, width), found in check.differences.items()
        }
    values |= {key: known[key] for key in ("classes", "palette") if key in known}
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}

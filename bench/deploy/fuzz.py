"""Random genotypes through the compiler: does every artefact compute its network?

    python bench/deploy/fuzz.py --output bench/results/fuzz.json

Every other genotype is uniform over isomorphism classes; in the others half of the operations
are zero, skip or gap, which most passes are about. Networks are as they ship (21 classes, full
width), every weight and batch-norm statistic random; in half of the latter networks every other
bias is so low that maps come out constant. Each genotype is put to two tests:

* the whole INFERENCE pipeline, written as ONNX for any size and batch, run by onnxruntime
  at 64x96 and at a random size, against the network as described in float64: the errors
  are over the output's scale, and at most 1e-4, what nascompile allows;
* some of the passes in a random order, run to their fixed point, in float64 on both
  sides: at most 1e-9.

Exit status 1 where anything fails; the genotype, sizes and passes of it are in the file.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

import click
import numpy as np

from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.verification import TOLERANCES, compare_runners, noise_inputs
from auxnas.backends.onnx.build import build
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.compiler import ModelSpec, Program, Size, lower
from auxnas.compiler.passes import INFERENCE, Pass, run_passes
from auxnas.compiler.weights import random_params
from auxnas.genotype import Genotype, SearchSpace

EXACT = 1e-9
"""What float64 arithmetic in another order may differ by, of the output's scale."""
SIZE: Size = (64, 96)
PACKAGES = ("auxnas", "numpy", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        test: which of the two.
        genotype: in the paper's notation.
        passes: those that were applied, in order.
        size: (height, width) of the image.
        error: largest, over the output's scale; None where there is no result.
        allowed: the largest that passes.
        failure: what was raised instead of a result.
    """

    test: str
    genotype: str
    passes: tuple[str, ...]
    size: Size
    error: float | None
    allowed: float
    failure: str | None = None

    @property
    def good(self) -> bool:
        """Whether there is a result, and near enough."""
        return self.error is not None and self.error <= self.allowed


def shipped(program: Program, sizes: list[Size]) -> Iterator[float | None]:
    """The errors of the artefact at each size."""
    optimised, _ = run_passes(INFERENCE, program)
    model = build(optimised, ExportOptions(None, None), {}).SerializeToString()
    runner, reference = OrtRunner(model, threads=1), ReferenceRunner(program)
    for size in sizes:
        yield compare_runners(runner, reference, noise_inputs(program, size, 0)).max_relative


def reordered(program: Program, passes: list[Pass], sizes: list[Size]) -> Iterator[float | None]:
    """The errors of what some passes make, everything in float64."""
    exact = {name: value.astype(np.float64) for name, value in program.params.items()}
    program = replace(program, params=exact)
    runners = [ReferenceRunner(each) for each in (run_passes(passes, program)[0], program)]
    for size in sizes:
        yield compare_runners(*runners, noise_inputs(program, size, 0)).max_relative


def drawn(space: SearchSpace, number: int, rng: random.Random) -> Genotype:
    """The genotype of a number, the first being 1."""
    genotype = space.sample(rng, "isomorphism")
    if number % 2:
        return genotype
    special = [space.vocabulary.names.index(name) for name in ("zero", "skip", "gap")]
    tokens = list(genotype.tokens)
    for place, token in enumerate(space.layout):
        if token.kind == "operation" and rng.random() < 0.5:
            tokens[place] = rng.choice(special)
    return space.genotype(tokens)


def cases(genotype: Genotype, dead: bool, rng: random.Random) -> Iterator[Case]:
    """All comparisons of one genotype; where ``dead``, with maps that are constant."""
    graph = lower(genotype, ModelSpec())
    params = random_params(graph, rng.randrange(1 << 30))
    if dead:
        biases = [name for name in params if name.endswith("bias")]
        params = {**params, **{name: params[name] - 9 for name in biases[::2]}}
    program = Program(graph, params, str(genotype))
    other = (rng.randint(33, 160), rng.randint(33, 160))
    some = rng.sample(INFERENCE, rng.randint(1, len(INFERENCE)))
    whole = shipped(program, [SIZE, other])
    yield from _cases("artefact", genotype, INFERENCE, [SIZE, other], whole, TOLERANCES["fp32"])
    yield from _cases("passes", genotype, some, [other], reordered(program, some, [other]), EXACT)


def _cases(
    test: str,
    genotype: Genotype,
    passes: Sequence[Pass],
    sizes: list[Size],
    errors: Iterator[float | None],
    allowed: float,
) -> Iterator[Case]:
    """A comparison a size; after a failure none."""
    names = tuple(each.name for each in passes)
    for size in sizes:
        case = Case(test, str(genotype), names, size, None, allowed)
        try:
            yield replace(case, error=next(errors))
        except Exception as error:
            yield replace(case, failure=f"{type(error).__name__}: {error}")
            return


def summary(found: list[Case]) -> dict[str, object]:
    """Counts, errors and what failed, of the comparisons of one test."""
    errors = [case.error for case in found if case.error is not None]
    return {
        "comparisons": len(found),
        "allowed": found[0].allowed,
        "largest_error": max(errors, default=None),
        "median_error": float(np.median(errors)) if errors else None,
        "failures": [asdict(case) for case in found if not case.good],
    }


def setting(genotypes: int, seed: int, seconds: float) -> dict[str, object]:
    return {
        "genotypes": genotypes,
        "seed": seed,
        "model": ModelSpec().to_dict(),
        "passes": [each.name for each in INFERENCE],
        "seconds": round(seconds, 1),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--genotypes", default=500, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(output: Path, genotypes: int, seed: int) -> None:
    start, rng, found = time.perf_counter(), random.Random(seed), list[Case]()
    space = SearchSpace.cvpr2019()
    for number in range(1, genotypes + 1):
        found += cases(drawn(space, number, rng), number % 4 == 0, rng)
        if number % 50 == 0:
            click.echo(f"{number} genotypes, {sum(not c.good for c in found)} failures", err=True)
    result = {"setting": setting(genotypes, seed, time.perf_counter() - start)}
    for test in ("artefact", "passes"):
        result[test] = summary([case for case in found if case.test == test])
        click.echo(f"{test}: {result[test]}")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=2) + "\n")
    sys.exit(any(not case.good for case in found))


if __name__ == "__main__":
    main()

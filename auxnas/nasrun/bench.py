"""``nasrun bench`` and ``nasrun profile``: times of an artefact, and where they go."""

from __future__ import annotations

from typing import Any

import click

from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.nasrun import options
from auxnas.options import PathType, device_command, device_of, device_option, json_option

Size = tuple[int, int]
RUNS, WARMUP = click.IntRange(1, 1_000_000), click.IntRange(0, 1_000_000)
"""Runs that a bench times at most; their times are kept."""
RUNS_HELP = "Timed runs, or steady: as many as it takes for the latency, 10 s at most."


class RunsType(click.ParamType[int | None]):
    """A number of runs, or ``steady``."""

    name = "N"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | None:
        """The number, or None for steady."""
        return None if value in (None, "steady") else RUNS.convert(value, param, ctx)


@click.command(cls=OneLineCommand)
@click.argument("artefact")
@click.argument("input_file", required=False, metavar="[INPUT.npy]", type=PathType())
@click.argument("output_file", required=False, metavar="[OUTPUT.npy]", type=PathType())
@click.option("--runs", type=RunsType(), metavar="N", default="100", help=RUNS_HELP)
@click.option("--warmup", type=WARMUP, metavar="N", default=10, help="Warm-up runs, not timed.")
@options.threads
@options.size
@options.target
@options.vocabulary
@device_option("Time it on this machine, where nasrun is, and keep what comes out in the cache")
@device_command
@json_option
def bench(
    artefact: str,
    input_file: str | None,
    output_file: str | None,
    runs: int | None,
    warmup: int,
    threads: int | None,
    input_size: Size | None,
    target: str | None,
    vocabulary: str | None,
    device: str | None,
    device_command: str | None,
    as_json: bool,
) -> None:
    """Time ARTEFACT on one random image, or on a batch where it is made for one.

    ARTEFACT may be any ONNX model, not only ours, or a .xml, .pt2, .engine. With INPUT.npy it
    is timed on that, as it goes into the network; OUTPUT.npy gets what comes out of one of ours.

    Every run is timed by itself after a warm-up. The paper's protocol is mean and standard
    deviation over 100 runs or more; what hardly depends on a busy machine is the latency,
    the lowest median of 5 runs in three rounds that are apart, which has a spread.
    """
    from auxnas.backends.artefacts.bench import PAPER_RUNS
    from auxnas.nasrun.benching import Bench, bench_lines

    asked = Bench(artefact, target, runs, warmup, threads, input_size)
    there = device_of(device, device_command)
    if there is not None and input_file is not None:
        raise click.UsageError("INPUT.npy: expected none with --device")
    result = asked.here(input_file, output_file) if there is None else asked.away(there)
    if as_json:
        print_json(result)
    else:
        say("\n".join(bench_lines(result)))
    if device is None and runs is not None and runs < PAPER_RUNS:
        note(f"note: {runs} runs; the paper's protocol has {PAPER_RUNS} or more")


@click.command(cls=OneLineCommand)
@click.argument("artefact")
@click.option("--runs", type=RUNS, metavar="N", default=20, help="Timed runs, for the median.")
@click.option("--warmup", type=WARMUP, metavar="N", default=5, help="Warm-up runs, not timed.")
@click.option(
    "--top", type=click.IntRange(min=1), metavar="N", default=12, help="Rows shown of a long table."
)
@options.threads
@options.size
@options.target
@options.vocabulary
@json_option
def profile(
    artefact: str,
    runs: int,
    warmup: int,
    top: int,
    threads: int | None,
    input_size: Size | None,
    target: str | None,
    vocabulary: str | None,
    as_json: bool,
) -> None:
    """Show where ARTEFACT's time goes, by the genotype's operations.

    Blocks count from 1: block 3 is decoder.block2 in names of nodes.
    """
    from auxnas.backends.artefacts.artefact import open_artefact
    from auxnas.backends.artefacts.bench import example_inputs
    from auxnas.backends.artefacts.profile import profile_artefact as profiled
    from auxnas.nasrun.benching import environment_rows, measured_facts
    from auxnas.nasrun.text import profile_json, profile_lines, text_rows
    from auxnas.progress import display_on_stderr

    opened = open_artefact(artefact, target)
    inputs = example_inputs(opened, input_size)
    with display_on_stderr().task("profiling", warmup + runs) as advance:
        found = profiled(opened, inputs, runs, warmup, threads, advance)
    result = measured_facts(opened, inputs, threads, found.devices)
    if as_json:
        print_json(result | profile_json(found))
        return
    total = f"{1e3 * found.total:.2f} ms, median of {found.runs}; profiling makes it slower"
    say("\n".join(text_rows(environment_rows(result) | {"run": total})))
    say("\n".join(profile_lines(found, top)))

"""``nasrun bench`` and ``nasrun profile``: what they report, never how fast it was."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from auxnas import progress
from auxnas.backends.artefacts import open_artefact
from auxnas.backends.artefacts.artefact import Operator
from auxnas.backends.artefacts.bench import RunTimes, example_inputs, time_runs
from auxnas.backends.artefacts.kernels import Attribution
from auxnas.backends.artefacts.profile import summarise
from auxnas.backends.measuring import timing
from auxnas.compiler.interface import Interface
from auxnas.compiler.places import UNMATCHED, Places
from auxnas.progress import display_on_stderr
from tests.auxnas.nasrun.artefacts import ARCH0, artefact, fails, foreign, run

BYTES = Interface(head="labels", format="nhwc-uint8")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("times")
    return {
        "fixed": artefact(folder / "fixed.onnx"),
        "bytes": artefact(folder / "bytes.onnx", BYTES, size=None, batch=None),
        "fp16": artefact(folder / "fp16.onnx", precision="fp16"),
    }


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_statistics_are_those_of_the_timed_runs():
    times = RunTimes((0.001, 0.002, 0.003, 0.006)).to_dict()
    assert times["mean_ms"] == pytest.approx(3)
    assert times["deviation_ms"] == pytest.approx(np.std([1, 2, 3, 6], ddof=1))
    assert times["median_ms"] == pytest.approx(2.5)
    assert times["p95_ms"] == pytest.approx(np.percentile([1, 2, 3, 6], 95))
    assert times["min_ms"] == pytest.approx(1)
    assert RunTimes((0.5,)).to_dict()["deviation_ms"] == 0


def test_warm_up_runs_are_run_but_do_not_count():
    calls, heard = [], []
    times = time_runs(lambda x: calls.append(x) or {}, {}, runs=7, warmup=3, advance=heard.append)
    assert len(calls) == 10
    assert len(times.seconds) == 7
    assert heard == list(range(1, 11))


def test_runs_are_timed_in_parts_that_are_apart():
    calls = []
    clock = SimpleNamespace(sleep=calls.append, perf_counter=lambda: 0.0)
    time_runs(lambda x: calls.append("run") or {}, {}, runs=17, warmup=1, clock=clock)
    apart, untimed = [timing.APART], ["run"]
    assert calls == ["run"] * 6 + 2 * (apart + untimed + ["run"] * 6)


def test_bench_as_json_is_one_document(made):
    found = json.loads(run("bench", made["fixed"], "--json", "--threads", "1").stdout)
    assert (found["runs"], found["warmup"], found["threads"]) == (100, 10, 1)
    assert found["input_size"] == [64, 64]
    assert 0 < found["min_ms"] <= found["median_ms"] <= found["p95_ms"]
    assert found["min_ms"] <= found["mean_ms"]
    assert {"onnxruntime", "auxnas", "python"} <= set(found["versions"])
    assert found["cores"] >= 1
    assert found["cpu"]


def test_bench_in_words(made):
    result = run("bench", made["fixed"], "--runs", "101", "--warmup", "0", "--threads", "1")
    assert result.exit_code == 0
    assert "101 after 0 for warm-up" in result.stdout
    for word in ("mean", "standard deviation", "median", "p95", "1 thread on", "onnxruntime"):
        assert word in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(("runs", "said"), [(1, True), (99, True), (100, False)])
def test_fewer_than_100_runs_are_done_with_a_note(made, runs, said):
    result = run("bench", made["fixed"], "--runs", str(runs), "--json", "--threads", "1")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["runs"]) == (0, runs)
    assert found["min_ms"] <= found["latency_ms"] <= found["median_ms"]
    assert (found["latency_spread"] is None) == (runs == 1)
    note = f"note: {runs} runs; the paper's protocol has 100 or more\n"
    assert result.stderr == (note if said else "")
    fails(run("bench", made["fixed"], "--runs", "0"), "--runs", status=2)


def test_a_dynamic_artefact_takes_the_size_asked_for(made):
    args = ("bench", made["bytes"], "--input-size", "40x56", "--warmup", "0", "--json")
    found = json.loads(run(*args).stdout)
    assert found["inputs"] == {"image": [1, 40, 56, 3]}
    assert found["input_size"] == [40, 56]
    assert example_inputs(open_artefact(made["bytes"]))["image"].shape == (1, 512, 512, 3)


@pytest.mark.parametrize("command", ["bench", "profile"])
def test_another_size_than_the_fixed_one_is_refused(command, made):
    fails(run(command, made["fixed"], "--input-size", "32x64"), "made for 64x64 only")
    assert run("bench", made["fixed"], "--input-size", "64x64", "--json").exit_code == 0


def test_any_onnx_model_is_timed():
    assert run("bench", foreign("f.onnx")).exit_code == 0
    last = open_artefact(foreign("l.onnx", axes=["N", "H", "W", 3]))
    assert example_inputs(last, (5, 7))["x"].shape == (1, 5, 7, 3)
    fails(run("bench", foreign("o.onnx", axes=["N", 4])), "open axes")


def profiled(path: Path, *args: str) -> dict:
    result = run("profile", path, "--runs", "2", "--warmup", "1", "--json", *args)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("kind", ["fixed", "bytes", "fp16"])
def test_every_kernel_is_attributed(kind, made):
    size = ("--input-size", "48x64") if kind == "bytes" else ()
    found = profiled(made[kind], *size)
    kernels = found["kernels"]
    assert found["unmatched"] == []
    assert UNMATCHED not in {kernel["group"] for kernel in kernels}
    groups = {group["name"]: group for group in found["groups"]}
    expected = {"encoder", "adapters", "classifier", "output", "overhead"}
    expected |= {f"decoder block {block}" for block in (1, 2, 3)}
    assert expected <= set(groups)
    assert ("input" in groups) == (kind != "fixed") or kind == "fp16"
    assert sum(group["kernels"] for group in groups.values()) == len(kernels)
    whole = sum(group["ms"] for group in groups.values()) + found["between_kernels_ms"]
    assert whole == pytest.approx(found["total_ms"])


def test_every_convolution_of_the_file_is_timed_where_the_genotype_has_it(made):
    found = profiled(made["fixed"])
    opened = open_artefact(made["fixed"])
    names = {operator.name for operator in opened.operators}
    assert {kernel["node"] for kernel in found["kernels"]} - {None} <= names
    timed = Counter(
        re.sub(r"\.\w+$", "", kernel["node"])
        for kernel in found["kernels"]
        if kernel["op"] == "Conv" and kernel["node"].startswith("decoder.block")
    )
    written = Counter(
        re.sub(r"\.\w+$", "", operator.name)
        for operator in opened.operators
        if operator.op == "Conv" and operator.name.startswith("decoder.block")
    )
    assert timed == written


def test_the_cells_operations_have_the_genotypes_names(made):
    found = profiled(made["fixed"])
    operations = {share["name"]: share["kernels"] for share in found["operations"]}
    cell, vocabulary = ARCH0.cell, ARCH0.space.vocabulary
    expected = {f"cell.first {vocabulary[cell.first].abbreviation}"}
    for index, branch in enumerate(cell.branches):
        for part in (0, 1):
            abbreviation = vocabulary[branch[2 + part]].abbreviation
            expected.add(f"cell.branch{index}.op{part} {abbreviation}")
    assert expected <= set(operations)
    assert min(operations.values()) > 0
    places = {share["name"] for share in found["places"]}
    assert "cell.branch1.op1 sep5x5 rate 6, block 3 left" in places


def test_the_profile_in_words_leaves_no_files(made, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(Path.cwd()))
    result = run("profile", made["fixed"], "--runs", "1", "--top", "3")
    assert result.exit_code == 0
    assert result.stderr == ""
    for text in ("encoder", "decoder block 3", "cell.branch1.op1 sep5x5 rate 6", "between kernels"):
        assert text in result.stdout
    assert "none is unmatched" in result.stdout
    assert list(Path().iterdir()) == []


def test_a_foreign_models_time_is_unmatched():
    found = profiled(Path(foreign("f.onnx")))
    assert [group["name"] for group in found["groups"]] == [UNMATCHED]
    assert len(found["unmatched"]) == len(found["kernels"]) == 1
    assert "unmatched: " in run("profile", "f.onnx").stdout


PLACES = {
    "encoder.layer4.1.expand.conv": ("encoder", "encoder layer 4"),
    "decoder.adapt2.conv": ("adapters", "adapter 2"),
    "decoder.block2.left.branch1.op1.0.depthwise": (
        "decoder block 3",
        "cell.branch1.op1 sep5x5 rate 6, block 3 left",
    ),
    "decoder.block0.right.first.conv.part1": (
        "decoder block 1",
        "cell.first sep5x5 rate 6, block 1 right",
    ),
    "decoder.block0.right.branch2.sum": ("decoder block 1", "cell.branch2.sum, block 1 right"),
    "decoder.block0.right.branch9.op0.conv": ("decoder block 1", "cell.branch9.op0, block 1 right"),
    "decoder.block1.left.agg.conv": ("decoder block 2", "1x1 after the cell, block 2 left"),
    "decoder.block1.left.sum": ("decoder block 2", "cell sum, block 2 left"),
    "decoder.block1.left.odd": ("decoder block 2", "cell, block 2 left"),
    "decoder.block1.up": ("decoder block 2", "block 2, joining its sides"),
    "decoder.clf": ("classifier", "classifier clf"),
    "decoder.concat1.up": ("classifier", "classifier concat1"),
    "image.cast.t": ("input", "input"),
    "input.normalise": ("input", "input"),
    "output.resize": ("output", "output"),
    "main.output": ("output", "output"),
    "decoder.block1.sum.sizes.8": ("overhead", "sizes at run time"),
}


@pytest.mark.parametrize("name", PLACES)
def test_names_tell_places(name):
    place = Places(ARCH0).of(name)
    assert place is not None
    assert (place.group, place.label) == PLACES[name]


def test_other_names_tell_nothing():
    assert Places(ARCH0).of("Conv_17") is None
    assert Places().of("decoder.block0.left.first.conv").operation == "cell.first"


ORIGINAL = (
    Operator("encoder.layer1.conv", "Conv", ("encoder.layer1.conv",)),
    Operator("encoder.layer1.relu6", "Clip", ("encoder.layer1.relu6",)),
    Operator("decoder.clf", "Conv", ("decoder.clf",)),
    Operator("main.output", "Cast", ("main",)),
)


def test_kernels_without_our_names_are_found_by_what_they_write():
    optimised = (
        Operator("", "ReorderInput", ("reorder",)),
        Operator("", "FusedConv", ("InsertedPrecisionFreeCast_encoder.layer1.relu6",)),
        Operator("decoder.clf_nchwc", "Conv", ("reorder_token_3",)),
        Operator("", "Mystery", ("m",)),
        Operator("main.output", "Cast", ("main",)),
        Operator("InsertedCast_main", "Cast", ("main_",)),
    )
    executed = [(o.name or f"{o.op}_{i}", o.op) for i, o in enumerate(optimised)]
    attribution = Attribution(ORIGINAL, optimised, Places(ARCH0))
    kernels = attribution.kernels(executed)
    nodes = [kernel.node for kernel in kernels]
    assert nodes == [None, "encoder.layer1.relu6", "decoder.clf", None, "main.output", None]
    groups = [kernel.place.group for kernel in kernels]
    assert groups == ["overhead", "encoder", "classifier", "unmatched", "output", "overhead"]
    assert attribution.absorbed(kernels) == ["encoder.layer1.conv"]
    shuffled = attribution.kernels(executed[::-1])
    assert [kernel.node for kernel in shuffled][3] == "decoder.clf"
    assert shuffled[4].place.group == UNMATCHED


def test_only_the_last_runs_count_and_an_outlier_does_not():
    def event(name, ts, dur, **args):
        cat = "Node" if args else "Session"
        return {"name": name, "cat": cat, "ts": ts, "dur": dur, "args": args}

    events = []
    for start, scale in ((0, 100), (5000, 1), (10000, 2), (15000, 99)):
        events.append(event("decoder.clf_kernel_time", start + 1, 10 * scale, op_name="Conv"))
        events.append(event("decoder.clf_fence_before", start + 1, 7, op_name="Conv"))
        events.append(event("model_run", start, 20 * scale))
    found = summarise(events, 3, Attribution(ORIGINAL, (), Places(ARCH0)))
    assert found.runs == 3
    assert found.total == pytest.approx(40e-6)
    ((kernel, seconds),) = found.kernels
    assert (kernel.node, seconds) == ("decoder.clf", pytest.approx(20e-6))
    assert found.between == pytest.approx(20e-6)


def test_without_a_terminal_a_long_step_is_told_in_lines(monkeypatch, capsys):
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    with display_on_stderr().task("timing", 9) as advance:
        for done in range(1, 10):
            advance(done)
    told = ["timing: 33 %, 36 s left", "timing: 66 %, 18 s left", "timing: done in 1:00"]
    assert capsys.readouterr().err.splitlines() == told

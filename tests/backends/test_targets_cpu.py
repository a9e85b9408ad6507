"""Artefacts for runtimes on a CPU: what they compute, say and survive."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auxnas.backends import owned, targets
from auxnas.backends.artefacts import open_artefact
from auxnas.backends.base import BackendUnavailable, ExportOptions
from auxnas.backends.compiling import checking, forms
from auxnas.backends.compiling import compile as compile_module
from auxnas.backends.compiling.request import export_program
from auxnas.backends.compiling.verification import (
    LABELS,
    compare_runners,
    default_tolerance,
    noise_inputs,
    output_difference,
)
from auxnas.backends.int8 import choosing
from auxnas.backends.measuring.timing import Latency
from auxnas.backends.onnx.build import build
from auxnas.backends.owned import OwnedTarget, RtxTarget, TrtTarget
from auxnas.backends.registry import TABLE, backend
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.targets import TARGETS, atomic_write_set, resolve_target, with_target_suffix
from auxnas.backends.tensorrt.operators import violation
from auxnas.compiler import CompilerError, Graph, ModelSpec, Program, lower, parse_graph
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params
from auxnas.genotype import zoo
from auxnas.nascompile.cli import main
from auxnas.nasrun.cli import main as nasrun
from tests.backends.contract_target import TargetContract
from tests.strategies import PLAIN

ROOT = Path(__file__).parents[2]
SPEC = ModelSpec(classes=5, agg_size=8, auxiliary="none", width=0.25)
SMALL_NET = ("--agg-size", "8", "--width", "0.25", "--input-size", "64x64", "--classes", "5")
SIZES = ((64, 96), (97, 131))
METADATA = {"genotype": '{"x": [1, "é <&>\\n"]}', "tool": "auxnas"}

needs_openvino = pytest.param(
    "openvino",
    marks=pytest.mark.skipif(
        "not __import__('importlib').util.find_spec('openvino')", reason="needs openvino"
    ),
)


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def network(ends: Interface | None = None) -> Program:
    graph = lower(zoo.load_published("arch2").genotype, SPEC)
    return with_interface(Program(graph, random_params(graph, 0), "arch2"), ends or Interface())


def made(target: str, program: Program, options: ExportOptions):
    """A runner of ``program`` as an artefact of ``target``."""
    path = Path(f"net{TARGETS[target].suffix}")
    backend("exporter", target)().export(run_passes(INFERENCE, program)[0], path, options, METADATA)
    return backend("runner", TARGETS[target].runner)(path)


def compile_(*args: str):
    return CliRunner().invoke(main, [PLAIN, *SMALL_NET, *args])


ENDS = (Interface(), Interface("labels", True, "nhwc-uint8"), Interface("probabilities", True))


@pytest.mark.parametrize("target", ["ort", needs_openvino])
@pytest.mark.parametrize("ends", ENDS, ids=lambda ends: ends.head)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_any_size_and_batch_computes_the_network(target, ends, precision):
    program = network(ends)
    runner, reference = made(target, program, ExportOptions(None, None, precision)), None
    reference = ReferenceRunner(program)
    for size in SIZES:
        one = noise_inputs(program, size, 0)
        found = compare_runners(runner, reference, one)
        assert found.within(default_tolerance(precision, ends.end))
        two = {name: np.concatenate([x, x[:, ::-1].copy()]) for name, x in one.items()}
        again = runner(two)["main"]
        assert again.shape[0] == 2
        np.testing.assert_allclose(again[:1], runner(one)["main"], rtol=1e-2, atol=1e-2)
        assert (again[0] != again[1]).any()


SHORT = """
    image = input(; channels=3)
    a = conv2d(image; kernel=3, out=8, stride=2) @a
    b = batch_norm(a) @b
    c = relu6(b)
    d = conv2d(c; kernel=5, out=8, groups=8, stride=2, dilation=6) @d
    e = relu(d)
    m = global_mean(e)
    n = conv2d(m; kernel=1, out=8) @n
    s = spread(n, e)
    t = add(s, e)
    u = resize(t, c)
    v = concat(u, c)
    main = conv2d(v; kernel=1, out=5, bias=1) @main
    return main=main
"""
"""What networks are made of: torch takes ten seconds to export a whole one for any size."""


def test_torch_computes_a_network_at_any_size_and_loads_without_this_project():
    graph = parse_graph(SHORT)
    short = Program(graph, random_params(graph, 0), "short")
    program = with_interface(short, Interface("labels", True, "nhwc-uint8"))
    runner = made("torch", program, ExportOptions(None, None))
    for size in SIZES:
        assert compare_runners(
            runner, ReferenceRunner(program), noise_inputs(program, size, 0)
        ).within(LABELS["fp32"])
    assert runner.metadata == METADATA | {"inputs": '["image"]'}
    code = (
        "import sys, torch\n"
        "extra = {'metadata.json': ''}\n"
        "module = torch.export.load('net.pt2', extra_files=extra).module()\n"
        "found = module(torch.zeros(1, 64, 96, 3, dtype=torch.uint8))['main']\n"
        "print(tuple(found.shape), 'genotype' in extra['metadata.json'])\n"
        "print(any(n.split('.')[0] in ('backends', 'compiler', 'genotype') for n in sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split("\n")[:2] == ["(1, 1, 64, 96) True", "False"]


def test_torch_takes_fp32_only():
    with pytest.raises(CompilerError, match="precision: fp16, expected fp32"):
        made("torch", network(), ExportOptions((64, 96), 1, "fp16"))


def test_the_offline_file_keeps_metadata_and_is_optimised():
    made("ort", network(), ExportOptions((64, 96)))
    model = onnx.load("net.ort.onnx")
    assert {p.key: p.value for p in model.metadata_props} == METADATA
    made("onnx", network(), ExportOptions((64, 96)))
    plain = onnx.load("net.onnx")
    assert len(model.graph.node) < len(plain.graph.node)


def test_openvino_keeps_metadata_and_float32():
    pytest.importorskip("openvino", reason="needs openvino")
    runner = made("openvino", network(), ExportOptions((64, 96)))
    assert METADATA.items() <= runner.metadata.items()
    assert len(runner.metadata["weights_sha256"]) == 64
    assert hint_of(runner) == "float32"


def hint_of(runner: Any) -> str:
    """The precision that an opened IR computes in, as OpenVINO itself says."""
    return re.findall("'(.*)'", str(runner._model.get_property("INFERENCE_PRECISION_HINT")))[0]


@pytest.fixture
def openvino():
    pytest.importorskip("openvino", reason="needs openvino")
    from auxnas.backends.runtimes import openvino as module

    return module


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_an_ir_is_opened_in_the_precision_that_it_was_checked_in(asked, openvino, monkeypatch):
    """By nasrun too; what the runtime does by itself is said where that is another one."""
    if openvino.missing_precision(asked):
        pytest.skip(openvino.missing_precision(asked))
    result = compile_("--target", "openvino", "--precision", asked, "--json")
    assert result.exit_code == 0, result.output
    found, runner = json.loads(result.stdout), open_artefact("genotype.xml").runner()
    assert hint_of(runner) == {"fp32": "float32", "bf16": "bfloat16"}[asked]
    assert (found["max_relative_error"] > 1e-4) == (asked == "bf16")
    default = {"f32": "fp32"}.get(openvino.default_hint(), openvino.default_hint())
    assert (found["by_default"] or {"precision": asked})["precision"] == default


def test_a_default_that_is_another_precision_is_run_and_reported(openvino, monkeypatch):
    monkeypatch.setattr(openvino, "default_hint", lambda: "bf16")
    text = compile_("--target", "openvino", "--input-size", "64x64").stdout
    assert "OpenVINO itself opens it in bf16 here: " in text
    assert "against fp32, which it was checked in" in text
    monkeypatch.setattr(openvino, "default_hint", lambda: "f32")
    assert "by default" not in compile_("--target", "openvino", "--input-size", "64x64").stdout


def test_a_precision_that_the_processor_lacks_is_not_checked_here(openvino, monkeypatch):
    monkeypatch.setattr(openvino, "missing_precision", lambda precision: "no such unit")
    result = compile_("--target", "openvino", "--precision", "bf16")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "precision bf16: no such unit, so that it cannot be checked here" in result.stderr
    assert compile_("--target", "openvino", "--precision", "bf16", "--no-verify").exit_code == 0


def test_openvino_reports_nothing_over_the_network(tmp_path):
    pytest.importorskip("openvino", reason="needs openvino")
    code = (
        "from auxnas.backends.registry import backend; backend('exporter', 'openvino')\n"
        "from openvino.tools import ovc; print(type(ovc.telemetry).__module__)"
    )
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "openvino.tools.ovc.telemetry_stub\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def good_ir(tmp_path_factory) -> Path:
    pytest.importorskip("openvino", reason="needs openvino")
    folder = tmp_path_factory.mktemp("ir")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made("openvino", network(), ExportOptions((64, 96)))
    return folder


@pytest.mark.parametrize("damage", ["xml", "bin", "no bin", "other bin"])
def test_a_damaged_ir_is_refused_in_one_line(damage, good_ir):
    for path in good_ir.iterdir():
        shutil.copy(path, path.name)
    weights = Path("net.bin")
    if damage == "xml":
        Path("net.xml").write_text(Path("net.xml").read_text()[:-5000])
    elif damage == "bin":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "no bin":
        weights.unlink()
    else:
        data = bytearray(weights.read_bytes())
        data[1000] ^= 1
        weights.write_bytes(data)
    with pytest.raises(ValueError, match=r"net\.(xml|bin): ") as error:
        backend("runner", "openvino")(Path("net.xml"))
    assert "\n" not in str(error.value)


NO_IR = {
    "empty": b"",
    "text": b"hello\n",
    "another document": b"<?xml version='1.0'?><html/>",
    "hollow": b"<?xml version='1.0'?><net name='x'></net>",
    "truncated": b"<?xml version='1.0'?><net name='x' version='11'><layers>",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("kind", NO_IR)
def test_what_is_no_ir_is_one_line(kind, capfd):
    pytest.importorskip("openvino", reason="needs openvino")
    Path("a.xml").write_bytes(NO_IR[kind])
    Path("a.bin").touch()
    result = CliRunner().invoke(nasrun, ["explain", "a.xml"])
    assert re.fullmatch(r"error: a\.xml: .+\n", result.stderr)
    assert capfd.readouterr() == ("", "")


ARCHIVES = {
    "text": (lambda good: b"not an archive", "no archive, or a truncated one"),
    "empty": (lambda good: b"", "no archive, or a truncated one"),
    "half": (lambda good: good[: len(good) // 2], "no archive, or a truncated one"),
    "nearly whole": (lambda good: good[:-30], "a truncated archive, or one without"),
    "one bit": (lambda good: good[:5000] + bytes([good[5000] ^ 1]) + good[5001:], "is damaged"),
    "another archive": (lambda good: zipped("a/b.txt"), "one without metadata.json"),
    "hollow": (lambda good: zipped("a/extra/metadata.json"), "torch: "),
}


def zipped(name: str) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, "{}")
    return archive.getvalue()


@pytest.fixture(scope="module")
def pt2(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("pt2") / "good.pt2"
    backend("exporter", "torch")().export(network(), path, ExportOptions((64, 64)), METADATA)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ARCHIVES)
def test_damaged_archives_are_one_line(kind, pt2, capfd):
    make, message = ARCHIVES[kind]
    Path("a.pt2").write_bytes(make(pt2))
    with pytest.raises(ValueError, match=r"a\.pt2: ") as error:
        backend("runner", "pt2")(Path("a.pt2"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    if kind != "hollow":
        assert capfd.readouterr() == ("", "")
    with pytest.raises(FileNotFoundError):
        backend("runner", "pt2")(Path("none.pt2"))


# nascompile

WORDS = [".any", ".onnx", ".ort", ".ort.onnx", ".xml", ".bin", ".pt2", ".pt", ".pth", ".engine",
         ".engine.json", ".trt", ".plan", ".trt.zip", ".zip", ""]  # fmt: skip


@pytest.mark.parametrize("target", [name for name, row in TARGETS.items() if not row.folder])
@pytest.mark.parametrize("word", [*WORDS, *map(str.upper, WORDS)])
def test_what_is_accepted_as_a_name_is_opened_with_the_targets_runner(target, word, monkeypatch):
    for kind in (OwnedTarget, TrtTarget, RtxTarget):
        monkeypatch.setattr(kind, "missing", lambda row: None)
    row, output = TARGETS[target], Path(f"a{word}")
    opened = targets.target_of_file(output.name).runner == row.runner
    others = {".ort", ".trt", ".plan", ".pt", ".pth", ".zip", ".bin", ".engine.json"}
    foreign = word.lower() in others
    if opened and not foreign:
        assert resolve_target(target, output) == targets.ResolvedTarget(target, output)
    else:
        assert word != row.suffix
        expected = f"output: a{word}, expected a name that ends in {row.suffix}"
        with pytest.raises(CompilerError, match=f"^{re.escape(expected)}$"):
            resolve_target(target, output)


def test_a_fallback_is_refused_the_names_of_others_too(monkeypatch):
    monkeypatch.setattr(TrtTarget, "missing", lambda row: "no GPU")
    for name in ("a.engine", "a.trt.zip", "a", "a.any"):
        assert resolve_target("trt", Path(name)).target == "trt-bundle"
    for name in ("a.onnx", "a.xml", "a.trt", "a.pt2", "a.ort.onnx"):
        with pytest.raises(CompilerError, match=r"expected a name that ends in \.engine"):
            resolve_target("trt", Path(name))


@pytest.mark.parametrize("target", ["onnx", "ort", "torch", "trt", needs_openvino])
def test_a_disk_that_takes_no_more_is_one_line(target, capfd):
    suffix = {"openvino": ".xml", "torch": ".pt2"}.get(target, ".any")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        result = compile_("--target", target, "--no-verify", "--output", f"a{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 1
    assert re.fullmatch(
        r"error: a\.(any|any\.trt\.zip|bin|xml|pt2): File too large\n", result.stderr
    )
    assert capfd.readouterr() == ("", "")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("target", ["ort", needs_openvino])
def test_nascompile_makes_and_checks(target):
    result = compile_("--target", target, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    row = TARGETS[target]
    assert (found["target"], found["output"]) == (target, f"genotype{row.suffix}")
    assert 0 < found["max_relative_error"] < 1e-4
    names = {f"genotype{suffix}" for suffix in (row.suffix, *row.beside)}
    assert {p.name for p in Path().iterdir()} == names
    assert targets.artefact_size(Path(found["output"]), target) == sum(
        path.stat().st_size for path in Path().iterdir()
    )


RUNS = ("--warmup", "0", "--runs", "2")


@pytest.mark.parametrize("target", ["onnx", "ort", needs_openvino, "torch", "trt-bundle", "auto"])
def test_a_batch_is_made_checked_and_used_on_every_target(target, monkeypatch):
    monkeypatch.setattr(checking, "OTHER_SIZES", ())
    small = ("--agg-size", "4", "--width", "0.1", "--sep-repeats", "1", "--json")
    result = compile_("--batch", "3", "--head", "probabilities", "--target", target, *small)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["batch"] == 3
    assert 0 < found["checks"]["64x64"]["max_relative"] < 1e-4
    bench = CliRunner().invoke(nasrun, ["bench", found["output"], *RUNS, "--json"])
    assert json.loads(bench.stdout)["inputs"] == {"image": [3, 3, 64, 64]}
    for number in range(4):
        Image.new("RGB", (50, 40), (60 * number, 99, 200)).save(f"{number}.png")
    images = [f"{number}.png" for number in range(4)]
    predicted = CliRunner().invoke(nasrun, ["predict", found["output"], *images, "--output", "a"])
    assert predicted.exit_code == 0, predicted.output
    assert len(list(Path("a").glob("*_labels.png"))) == 4


def test_auto_measures_and_picks_the_fastest():
    pytest.importorskip("openvino", reason="needs openvino")
    result = compile_("--target", "auto", "--json", "--output", "best.onnx")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    times = found["timings_ms"]
    assert times.keys() == {"onnx", "openvino"}
    assert found["target"] == min(times, key=lambda name: times[name])
    assert Path(found["output"]).stem == "best"
    assert Path(found["output"]).suffix == TARGETS[found["target"]].suffix
    assert 0 < found["max_relative_error"] < 1e-4


def test_auto_prints_a_table(monkeypatch):
    monkeypatch.setattr(
        compile_module,
        "try_forms",
        lambda *args: (
            forms.Form("onnx", "fp32", Latency([0.002])),
            forms.Form("openvino", "fp32", Latency([0.001])),
        ),
    )
    pytest.importorskip("openvino", reason="needs openvino")
    printed = compile_("--target", "auto", "--no-verify").stdout
    assert "onnxruntime  " in printed
    assert "OpenVINO     " in printed
    assert printed.count("chosen") == 1


@given(
    st.permutations([("onnx", "fp32"), ("openvino", "bf16"), ("onnx", "int8")]), st.integers(0, 2)
)
def test_the_fastest_that_nothing_is_against_wins(order, refused):
    tried = [
        forms.Form(
            *pair, Latency([0.001 * (place + 1)]), against="far" if place < refused else None
        )
        for place, pair in enumerate(order)
    ]
    unmeasured = forms.Form("onnx", "fp16", against="not here")
    assert forms.fastest_form((unmeasured, *tried)) == tried[refused]


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 200)), min_size=3, max_size=3))
def test_the_exact_form_wins_unless_another_is_clearly_faster(times):
    """The first is float32; what is faster by less than the spread of either is told so."""
    pairs = (("onnx", "fp32"), ("openvino", "bf16"), ("onnx", "int8"))
    tried = [
        forms.Form(*pair, Latency.told(ms / 1000, spread / 100, 3))
        for pair, (ms, spread) in zip(pairs, times, strict=True)
    ]
    judged = forms.exact_if_as_fast(tuple(tried))
    chosen, (exact, spread) = forms.fastest_form(judged), times[0]
    clear = [
        form
        for form, (ms, own) in zip(tried, times, strict=True)
        if 1000 * form.latency * (1 + max(spread, own) / 100) < exact
    ]
    assert chosen == (min(clear, key=lambda form: form.latency) if clear else tried[0])
    for before, after in zip(tried, judged, strict=True):
        told = before.latency < tried[0].latency and before not in clear
        assert (after.against is not None) == told
    assert forms.exact_if_as_fast(judged[1:]) == judged[1:]


def kept_apart(images: int) -> Path:
    folder = Path("photographs")
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(images):
        pixels = noise.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_an_open_precision_tries_all_judges_them_and_writes_the_fastest(openvino, monkeypatch):
    made: list[int] = []

    def export(*args):
        made.append(len(args))
        return export_program(*args)

    calibrated, observe = [], choosing.observe_maps
    monkeypatch.setattr(choosing, "observe_maps", lambda *a: calibrated.append(a) or observe(*a))
    monkeypatch.setattr(compile_module, "export_program", export)
    tiny = ("--agg-size", "4", "--width", "0.05", "--sep-repeats", "1")
    images = ("--images", str(kept_apart(8)), "--max-drop", "1")
    result = compile_("--target", "auto", "--precision", "auto", *tiny, *images, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    rows = {(row["target"], row["precision"]): row for row in found["forms"]}
    assert {precision for _, precision in rows} == {"fp32", "bf16", "fp16", "int8"}
    ran = {name: row for name, row in rows.items() if row["latency_ms"] is not None}
    assert {("onnx", "fp32"), ("openvino", "fp32")} <= ran.keys()
    assert ran["onnx", "fp32"]["disagreement"] == 0
    assert all(row["against"] for name, row in rows.items() if name not in ran)
    assert {("onnx", "int8"), ("openvino", "int8")} <= ran.keys()
    assert len(calibrated) == 1  # one int8 network for both
    fitting = {name: row["latency_ms"] for name, row in ran.items() if not row["against"]}
    (chosen,) = (name for name, row in rows.items() if row["chosen"])
    assert chosen == min(fitting, key=fitting.__getitem__)
    assert (found["target"], found["precision"]) == chosen
    assert open_artefact(found["output"]).metadata["precision"] == chosen[1]
    assert made == ([3] if chosen[1] == "int8" else [4])  # with what was checked, no more


def test_without_photographs_int8_is_left_out_of_an_open_precision_and_said():
    tiny = ("--agg-size", "4", "--width", "0.05", "--sep-repeats", "1", "--input-size", "32x32")
    result = compile_("--precision", "auto", *tiny)
    assert result.exit_code == 0, result.output
    assert (
        "onnx int8       not taken: no photographs to calibrate on (--images DIR)" in result.stdout
    )
    assert result.stdout.count("CHOSEN") == 1


def test_auto_does_with_what_is_installed(monkeypatch):
    def absent(role: str, name: str):
        if (role, name) == ("runner", "openvino"):
            raise BackendUnavailable("openvino", "openvino", "openvino")
        return backend(role, name)

    monkeypatch.setattr(owned, "backend", absent)
    found = json.loads(compile_("--target", "auto", "--json", "--no-verify").stdout)
    assert (found["target"], found["timings_ms"].keys()) == ("onnx", {"onnx"})


def test_auto_without_any_runtime_says_what_to_install(monkeypatch):
    def absent(role: str, name: str):
        raise BackendUnavailable(name, name, "ort")

    monkeypatch.setattr(owned, "backend", absent)
    result = compile_("--target", "auto")
    assert result.exit_code == 3
    assert "pip install" in result.stderr
    assert list(Path().iterdir()) == []


def test_an_ir_under_another_name_is_refused():
    result = compile_("--target", "openvino", "--output", "a.onnx")
    assert result.exit_code == 2
    assert "a.onnx, expected a name that ends in .xml" in result.stderr
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("target", ["ort", needs_openvino])
def test_past_the_tolerance_nothing_is_written(target):
    row = TARGETS[target]
    names = [f"a{suffix}" for suffix in (row.suffix, *row.beside)]
    for name in names:
        Path(name).write_text("good")
    result = compile_("--target", target, "--tolerance", "1e-12", "--output", f"a{row.suffix}")
    assert result.exit_code == 1
    assert "largest error" in result.stderr
    assert sorted(p.name for p in Path().iterdir()) == sorted(names)
    assert {p.read_text() for p in Path().iterdir()} == {"good"}


@pytest.mark.parametrize("target", ["openvino", "ort", "torch"])
def test_a_target_that_is_not_installed_names_the_extra(target, monkeypatch):
    place, package, extra = TABLE["exporter", target]
    monkeypatch.setitem(sys.modules, package, None)
    for module in (place.partition(":")[0], "auxnas.backends.runtimes.ort"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    result = compile_("--target", target)
    assert result.exit_code == 3
    found = f"the package '{package}' is not installed"
    assert result.stderr == f'error: {target}: {found}, try: pip install "auxnas[{extra}]"\n'
    assert list(Path().iterdir()) == []


def write(both: bool) -> None:
    """New files in place of a.xml and a.bin, in vain: the check fails, or one is not made."""
    with atomic_write_set(Path("a.xml"), "openvino") as temporary:
        temporary.write_text("new")
        if both:
            temporary.with_suffix(".bin").write_text("new")
            raise KeyError


def test_files_beside_appear_with_the_artefact_or_not_at_all():
    with atomic_write_set(Path("a.xml"), "openvino") as temporary:
        temporary.write_text("xml")
        temporary.with_suffix(".bin").write_text("bin")
        assert not Path("a.xml").exists()
    assert (Path("a.xml").read_text(), Path("a.bin").read_text()) == ("xml", "bin")
    for both, error in ((True, KeyError), (False, CompilerError)):
        with pytest.raises(error):
            write(both)
    assert (Path("a.xml").read_text(), Path("a.bin").read_text()) == ("xml", "bin")
    assert sorted(p.name for p in Path().iterdir()) == ["a.bin", "a.xml"]


@pytest.mark.parametrize(
    ("given", "target", "expected"),
    [
        ("a", "onnx", "a.onnx"),
        ("d/a.onnx", "openvino", "d/a.xml"),
        ("a.ort.onnx", "openvino", "a.xml"),
        ("a.engine", "trt-bundle", "a.trt.zip"),
        ("foo.zip", "trt-bundle", "foo.trt.zip"),
        ("net.v2", "onnx", "net.v2.onnx"),
    ],
)
def test_a_chosen_target_gives_its_suffix(given, target, expected):
    assert with_target_suffix(Path(given), target) == Path(expected)


def test_a_size_that_follows_bytes_is_taken_from_numbers():
    program = network(Interface("labels", True, "nhwc-uint8"))
    *rest, last, argmax = program.graph.nodes
    assert last.op == "resize"
    followed = replace(last, inputs=(last.inputs[0], "image"))
    graph = Graph((*rest, followed, argmax), program.graph.outputs)
    model = build(replace(program, graph=graph), ExportOptions(None, None), {})
    assert violation(model) is None
    image = np.random.default_rng(0).integers(0, 256, (2, 97, 131, 3), np.uint8)
    expected = ReferenceRunner(program)({"image": image})["main"]
    found = OrtRunner(model.SerializeToString())({"image": image})["main"]
    assert output_difference(found, expected).within(LABELS["fp32"])


class TestOnnx(TargetContract):
    name = "onnx"


class TestOrt(TargetContract):
    name = "ort"


class TestOpenvino(TargetContract):
    name = "openvino"


class TestTorch(TargetContract):
    name = "torch"

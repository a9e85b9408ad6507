"""What ``nascompile`` says, plans, draws and writes down besides the artefact."""

from __future__ import annotations

import json
import os
import random
import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from auxnas.backends.artefacts import open_artefact
from auxnas.backends.compiling import compile as compile_module
from auxnas.backends.compiling.network import network_of
from auxnas.backends.compiling.request import Request
from auxnas.backends.tensorrt import operators as operators_module
from auxnas.backends.tensorrt.operators import OPERATORS
from auxnas.compiler import ModelSpec, cost
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.genotype import to_json, zoo
from auxnas.nascompile.cli import main
from tests.strategies import SMALL

SMALL_NET = ("--agg-size", "8", "--width", "0.25", "--input-size", "64x48", "--classes", "5")
ARCH0 = zoo.load_published("arch0").genotype


def compile_(*args: str, name: str = "arch0"):
    return CliRunner().invoke(main, [name, *SMALL_NET, *args])


def names() -> set[str]:
    return {path.name for path in Path().iterdir()}


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_each_change_is_costed_before_and_after():
    network = network_of(Request(ARCH0, ModelSpec(classes=5, agg_size=8, width=0.25), Path("a")))
    effects = network.effects((64, 48))
    assert [each.name for each in effects] == [change.name for change in network.changes]
    assert effects[0].before == cost(network.whole.graph, (64, 48))
    assert effects[-1].after == cost(network.optimised.graph, (64, 48))
    for limit, effect in enumerate(effects, 1):
        program, changes = run_passes(INFERENCE, network.whole, limit=limit)
        assert changes[-1].name == effect.name
        assert effect.after == cost(program.graph, (64, 48))


def test_a_line_a_pass_says_what_it_changed():
    found = json.loads(compile_("--dry-run", "--json").stdout)
    (fold,) = [each for each in found["passes"] if each["name"] == "fold-batch-norm"]
    nodes, parameters = (after - before for before, after in (fold["nodes"], fold["parameters"]))
    printed = compile_("--dry-run").stdout
    assert "passes       strip-auxiliary  -" in printed
    (line,) = [line for line in printed.splitlines() if "fold-batch-norm" in line]
    assert line.split()[1:5] == [f"{nodes:+,}", "nodes,", f"{parameters:+,}", "parameters,"]
    assert nodes < 0 > parameters
    off = compile_("--dry-run", "--disable-pass", "fold-batch-norm").stdout
    assert "fold-batch-norm" not in off
    assert found["passes"][0]["nodes"][0] == found["nodes"]
    assert found["passes"][-1]["nodes"][1] == found["optimised"]["nodes"]
    assert found["passes"][-1]["bytes_moved"][1] == found["optimised"]["bytes_moved"]
    assert found["optimised"]["multiply_adds_with_norm"] < found["multiply_adds_with_norm"]


def test_all_passes_off_changes_nothing():
    off = [word for each in INFERENCE for word in ("--disable-pass", each.name)]
    assert "passes       nothing to do" in compile_("--dry-run", *off).stdout


@pytest.mark.parametrize("target", ["onnx", "ort", "openvino", "torch", "auto"])
def test_a_dry_run_tells_the_same_and_writes_nothing(target, monkeypatch):
    monkeypatch.setattr(compile_module, "try_forms", pytest.fail)
    found = json.loads(compile_("--dry-run", "--target", target, "--json").stdout)
    assert names() == set()
    assert (found["written"], found["bytes"], found["unchecked"]) == (False, None, "dry run")
    assert found["target"] == target
    made = json.loads(compile_("--no-verify", "--json").stdout)
    for key in ("genotype", "model", "parameters", "optimised", "passes", "input_size"):
        assert found[key] == made[key]
    assert (made["written"], made["bytes"]) == (True, Path("arch0.onnx").stat().st_size)


def test_a_dry_run_in_words():
    result = compile_("--dry-run")
    assert result.exit_code == 0
    assert "arch0.onnx was not written" in result.stdout
    assert "NOT CHECKED (dry run)" in result.stdout
    assert result.stderr == ""


def test_a_dry_run_refuses_what_the_target_cannot_take(monkeypatch):
    def fails(message: str, *args: str, status: int = 2) -> None:
        result = compile_("--dry-run", *args)
        assert (result.exit_code, result.stdout) == (status, "")
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert names() == set()

    half = ("--target", "torch", "--precision", "fp16")
    fails("target torch, expected target onnx or", *half, status=2)
    fails("a name that ends in .xml", "--target", "openvino", "--output", "a.onnx")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    operators = {k: v for k, v in OPERATORS.items() if k != "Conv"}
    monkeypatch.setattr(operators_module, "OPERATORS", operators)
    fails("Conv: not among TensorRT's", "--target", "trt")


def test_a_dry_run_for_tensorrt_says_what_is_missing_here(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    result = compile_("--dry-run", "--target", "trt", "--json")
    assert result.exit_code == 3
    assert "arch0.trt.zip would build it elsewhere" in result.stderr
    assert json.loads(result.stdout)["target"] == "trt-bundle"
    assert names() == set()


@pytest.mark.parametrize("dry", [("--dry-run",), ("--no-verify",)])
def test_the_network_is_drawn(dry):
    assert compile_(*dry, "--draw", "a.svg").exit_code == 0
    root = ET.parse("a.svg").getroot()
    texts = ["".join(element.itertext()) for element in root.iter()]
    assert "sep5x5 rate 6" in texts
    assert "8x16x12" in texts
    assert ("arch0.onnx" in names()) == (dry != ("--dry-run",))


def test_a_png_is_drawn():
    Path("small.json").write_text(to_json(SMALL.sample(random.Random(0))))
    assert compile_("--dry-run", "--draw", "a.PNG", name="small.json").exit_code == 0
    with Image.open("a.PNG") as picture:
        assert picture.format == "PNG"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs affinity")
def test_the_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5})
    latency = r" ms \((lowest of )?\d+ rounds, .*\) for a 64x48 image, onnxruntime, 1 core"
    assert re.search(latency, compile_().stdout)


def test_the_whole_report_as_json():
    result = compile_("--report", "r.json", "--json")
    assert result.exit_code == 0, result.output
    printed, whole = json.loads(result.stdout), json.loads(Path("r.json").read_text())
    graph = whole.pop("graph")
    assert whole == printed
    assert len(graph) == whole["optimised"]["nodes"]
    for name in ("parameters", "multiply_adds", "multiply_adds_with_norm"):
        assert sum(node[name] for node in graph) == whole["optimised"][name]
    moved = sum(node["bytes_read"] + node["bytes_written"] for node in graph)
    assert moved == whole["optimised"]["bytes_moved"]
    assert graph[-1]["shape"] == [5, 16, 12]
    assert "cell.branch1.op1 sep5x5 rate 6, block 3 left" in {node["place"] for node in graph}
    assert whole["checks"].keys() == {"64x48", "97x131", "72x45"}
    assert {"onnxruntime", "numpy"} <= whole["versions"].keys()
    assert open_artefact("arch0.onnx").metadata["verification"] == whole["checks"]


class Tables(HTMLParser):
    """The text of every cell, row by row; fails on tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "link", "img")
        if tag not in ("meta", "rect", "path", "polygon", "circle"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_the_whole_report_as_a_page():
    result = compile_("--report", "r.html", "--json")
    found = json.loads(result.stdout)
    text = Path("r.html").read_text()
    rows = {row[0]: row[1:] for row in Tables(text).rows if row}
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert rows["genotype"] == [str(ARCH0)]
    both = (found, found["optimised"])
    assert rows["parameters"] == [f"{each['parameters']:,}" for each in both]
    counted = [f"{each['multiply_adds_with_norm']:,}" for each in both]
    assert rows["and 2 per batch-norm element"] == counted
    assert rows["64x48"][0] == f"{found['checks']['64x48']['max_absolute']:.2e}"
    assert rows["decoder.clf"][:3] == ["conv2d", "classifier clf", "5x16x12"]
    assert rows["numpy"] == [found["versions"]["numpy"]]
    assert "sep5x5 rate 6" in text
    styled = text[text.index("<style>") : text.index("</style>")]
    light, dark = (re.findall(r"(--\w+): (#\w+)", part) for part in styled.split("@media")[:2])
    assert "(prefers-color-scheme: dark)" in styled
    assert [name for name, _ in light] == [name for name, _ in dark]
    assert set(light).isdisjoint(dark)
    assert styled.count("#") == len(light) + len(dark)


def test_labels_have_no_errors_to_tabulate():
    assert compile_("--head", "labels", "--report", "r.html").exit_code == 0
    rows = {row[0]: row[1:] for row in Tables(Path("r.html").read_text()).rows if row}
    assert rows["64x48"][:3] == ["", "", ""]


@pytest.mark.parametrize(
    "args",
    [
        ("--draw", "a.gif"),
        ("--draw", "svg"),
        ("--report", "a.txt"),
        ("--report", "a.json", "--output", "a.json"),
    ],
)
def test_a_name_of_another_kind_is_wrong_use(args):
    result = compile_("--dry-run", *args)
    assert result.exit_code == 2
    assert args[0] in result.stderr
    assert result.stderr.count("\n") == 1
    assert names() == set()


@pytest.mark.parametrize("option", [("--draw", "a.svg"), ("--report", "a.html")])
def test_what_fails_leaves_the_old_files(option):
    _, path = option
    Path(path).write_text("good")
    result = compile_("--tolerance", "1e-12", *option)
    assert result.exit_code == 1
    assert Path(path).read_text() == "good"
    assert names() == {path}
    result = compile_(option[0], f"no/such/{path}")
    assert (result.exit_code, names()) == (2, {path})
    assert f"no/such/{path}" in result.stderr

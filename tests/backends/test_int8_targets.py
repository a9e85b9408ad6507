"""Int8 for TensorRT, and for any size of image."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from auxnas.backends.artefacts import open_artefact
from auxnas.backends.artefacts.onnx_file import read_onnx
from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.forms import quantisation_ends
from auxnas.backends.compiling.request import Request
from auxnas.backends.int8 import NetworkEnds
from auxnas.backends.int8.artefact import quantise
from auxnas.backends.int8.measuring import HeldOutView, Judge
from auxnas.backends.tensorrt import cuda
from auxnas.backends.tensorrt.bundle import read_bundle
from auxnas.backends.tensorrt.operators import violation
from auxnas.compiler import ModelSpec
from auxnas.compiler.interface import Interface
from auxnas.compiler.tasks import Segmentation
from auxnas.genotype import to_json, zoo
from auxnas.nascompile.cli import main
from tests.auxnas.nasrun.artefacts import run as nasrun
from tests.backends.fake_tensorrt import FakeDriver, FakeTensorrt
from tests.backends.test_int8 import ENDS, chain, folder, model_of, options
from tests.strategies import SMALL

__all__ = ["folder"]
"""The photographs, a fixture of the other file."""


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


PARAMETERS = sum(array.size for array in chain().params.values())


def is_dq(node: onnx.NodeProto) -> bool:
    return node.op_type == "DequantizeLinear"


def test_for_tensorrt_numbers_are_signed_and_symmetric_before_convolutions(folder):
    found = quantise(model_of(chain()), options(folder, max_drop=1, tensorrt=True), ENDS)
    graph = found.model.graph
    onnx.checker.check_model(found.model, full_check=True)
    assert violation(found.model) is None
    arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    points = [array for name, array in arrays.items() if name.endswith("_zero_point")]
    assert {array.dtype for array in points} == {np.dtype(np.int8)}
    assert not any(array.any() for array in points)
    biases = {array.dtype for name, array in arrays.items() if name.endswith(".bias")}
    assert biases == {np.dtype(np.float32)}
    made_by = {node.output[0]: node for node in graph.node}
    for node in graph.node:
        quantised = [name in made_by and is_dq(made_by[name]) for name in node.input]
        if node.op_type == "Conv":
            assert quantised[:2] == [node.name != "conv0"] * 2
    assert read_onnx(Path("a"), found.model.SerializeToString(), "ort").parameters == PARAMETERS
    assert found.times == {}
    assert found.against is None
    assert "not timed" in str(found)


def test_what_is_made_for_onnxruntime_is_outside_tensorrts_table(folder):
    found = quantise(model_of(chain()), options(folder, max_drop=1), ENDS)
    assert "relu0_QuantizeLinear_Output of type UINT8" in str(violation(found.model))
    assert read_onnx(Path("a"), found.model.SerializeToString(), "ort").parameters == PARAMETERS


def test_a_network_for_any_size_is_judged_at_several(folder):
    wanted = NetworkEnds((64, 64), Interface(), 5, None, ((32, 48), (96, 96)))
    found = quantise(model_of(chain(), None, None), options(folder, max_drop=1), wanted)
    assert list(found.drops) == [(64, 64), (32, 48), (96, 96)]
    assert found.drop == max(found.drops.values()) > 0
    assert found.to_dict()["label_agreement_by_size"]["32x48"] == 1 - found.drops[32, 48]
    assert "at 32x48" in str(found)


def test_the_worst_size_decides():
    expected = np.zeros((1, 2, 4, 4), np.float32)
    expected[:, 1] = 1
    views = [HeldOutView((n, n), [{"image": np.zeros(n)}], [expected]) for n in (4, 8)]

    def good_at_4(feed):
        return {"main": expected if feed["image"].size == 4 else -expected}

    judge = Judge(views, [], Segmentation())
    assert judge.drops(good_at_4) == {(4, 4): 0.0, (8, 8): 1.0}


@pytest.mark.parametrize("size", [(64, 96), None])
def test_only_where_the_size_is_open_are_there_several(size):
    options = ExportOptions(size, None)
    request = Request(zoo.load_published("arch0").genotype, ModelSpec(), Path("a"), options=options)
    ends = quantisation_ends(request)
    assert ends.size == (size or (512, 512))
    assert ends.others == (() if size else ((256, 256), (768, 768)))
    assert ends.batch is None


def nascompile(folder: Path, *args: str):
    Path("small.json").write_text(to_json(SMALL.sample(random.Random(3)), name="small"))
    tiny = ("--agg-size", "4", "--width", "0.05", "--classes", "3", "--input-size", "32x32")
    int8 = ("--target", "trt", "--precision", "int8", "--images", str(folder), "--json")
    return CliRunner().invoke(main, ["small.json", *tiny, *int8, *args])


def test_openvino_judges_and_times_int8_itself(folder, monkeypatch):
    openvino = pytest.importorskip("auxnas.backends.runtimes.openvino", exc_type=ImportError)
    opened, real = [], openvino.open_onnx
    monkeypatch.setattr(
        openvino, "open_onnx", lambda model, kind: opened.append(kind) or real(model, kind)
    )
    result = nascompile(folder, "--target", "openvino", "--force", "--max-drop", "1")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["target"], found["precision"]) == ("openvino", "int8")
    assert found["int8"]["milliseconds"].keys() == {"fp32", "int8"}
    assert (opened.count("fp32"), opened[-1]) == (1, "int8")
    artefact = open_artefact(found["output"])
    assert artefact.metadata["precision"] == "int8"
    kinds = artefact.opened._model.get_runtime_model().get_ordered_ops()
    assert any("I8" in op.get_rt_info()["runtimePrecision"].astype(str).upper() for op in kinds)


def test_nascompile_makes_a_bundle_where_there_is_no_tensorrt(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    result = nascompile(folder, "--no-verify", "--max-drop", "1")
    assert result.exit_code == 3, result.output
    assert result.stderr.count("\n") == 1
    facts = json.loads(result.stdout)
    assert facts["precision"] == "int8"
    assert facts["int8"]["milliseconds"] == {}
    content, manifest = read_bundle("small.trt.zip")
    assert manifest["precision"] == "int8"
    assert json.loads(manifest["metadata"]["quantisation"])["layers"] == facts["int8"]["layers"]
    model = onnx.load_from_string(content)
    assert violation(model) is None
    assert any(map(is_dq, model.graph.node))


def test_nascompile_packs_an_engine_where_there_is(folder, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorrt", FakeTensorrt())
    monkeypatch.setattr(cuda, "load_driver", FakeDriver)
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))
    result = nascompile(folder, "--max-drop", "1")
    assert result.exit_code == 0, result.output
    facts, engine = json.loads(result.stdout), Path("small.engine").read_bytes()
    assert b"QuantizeLinear" in engine
    assert b"auxnas/genotype" not in engine
    metadata = json.loads(Path("small.engine.json").read_text())["metadata"]
    assert metadata["precision"] == "int8"
    assert metadata["key"]
    assert facts["latency_ms"] is None
    assert facts["max_relative_error"] < 1e-4
    assert "verification" not in metadata
    explained = nasrun("explain", "small.engine").stdout
    assert "of the float network:" in explained
    assert facts["int8"]["label_agreement"] > 0.9
    agreement = facts["int8"]["disagreement"]
    assert f"{agreement} against fp32 on 2 held-out photographs" in explained

"""NVIDIA's real parser and builder, which need no GPU: TensorRT-RTX."""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from auxnas.backends.base import BackendUnavailable, ExportOptions
from auxnas.backends.int8.artefact import quantise
from auxnas.backends.tensorrt import rtx
from auxnas.backends.tensorrt.bundle import BundleExporter, read_bundle
from auxnas.backends.tensorrt.engines import (
    build_engine,
    check_operators,
    logger_of,
    parse_model,
    profile_of,
)
from auxnas.backends.tensorrt.operators import OPERATORS
from auxnas.compiler import CompilerError
from auxnas.nascompile.cli import main
from auxnas.nasrun.cli import main as nasrun
from tests.backends.fake_tensorrt import FakeTensorrt
from tests.backends.random_models import random_model
from tests.backends.test_int8 import ENDS, chain, folder, model_of, options

__all__ = ["folder"]
"""The photographs, a fixture of the other file."""

TINY = ("--agg-size", "4", "--width", "0.05", "--input-size", "64x48", "--classes", "5")

pytestmark = pytest.mark.skipif(rtx.rtx_missing() is not None, reason=str(rtx.rtx_missing()))


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def trt():
    return rtx.rtx_library()


@pytest.mark.parametrize("seed", range(60))
def test_the_builder_takes_every_random_network(seed, trt):
    """Precisions, heads, passes and open sizes are drawn with the genotype."""
    model = check_operators(random_model(random.Random(seed)))
    assert len(build_engine(trt, model.SerializeToString(), profile_of(model))) > 1000


@pytest.mark.parametrize("size", [(64, 64), None])
def test_the_builder_takes_int8(size, trt, folder):
    model = quantise(
        model_of(chain(), size), options(folder, max_drop=1, tensorrt=True), ENDS
    ).model
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}
    assert len(build_engine(trt, model.SerializeToString(), profile_of(model))) > 1000


def test_what_the_parser_refuses_is_said_and_nothing_of_it_later(trt):
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in "xy")
    graph = helper.make_graph([helper.make_node("NoSuchOperator", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    for wrong, word in ((b"garbage", "parse"), (model.SerializeToString(), "NoSuchOperator")):
        with pytest.raises(CompilerError, match=f"^TensorRT: .*{word}"):
            build_engine(trt, wrong, {})
    parse_model(trt, random_model(random.Random(0)).SerializeToString())
    assert logger_of(trt).errors == []


def test_every_operator_of_the_table_is_one_that_the_parser_knows(trt):
    _, _, parser = parse_model(trt, simple())
    assert [name for name in OPERATORS if not parser.supports_operator(name)] == []
    assert not parser.supports_operator("NoSuchOperator")


def simple() -> bytes:
    return random_model(random.Random(0)).SerializeToString()


def test_the_stand_in_has_no_call_that_the_library_has_not(trt):
    """Names of parameters, too: those are what we call by."""
    fake = FakeTensorrt()
    real = {
        "Builder": trt.Builder,
        "Config": trt.IBuilderConfig,
        "Context": trt.IExecutionContext,
        "Engine": trt.ICudaEngine,
        "OnnxParser": trt.OnnxParser,
        "Profile": trt.IOptimizationProfile,
        "Runtime": trt.Runtime,
    }
    stand_ins = vars(sys.modules[FakeTensorrt.__module__])
    for name, library in real.items():
        for method, code in vars(stand_ins[name]).items():
            if method.startswith("_"):
                continue
            signature = getattr(library, method).__doc__
            for parameter in code.__code__.co_varnames[1 : code.__code__.co_argcount]:
                assert re.search(rf"\b{parameter}\b", signature), (name, method, parameter)
    assert all(
        hasattr(trt, name) for name in vars(fake) if name not in ("fails", "flags", "configs")
    )
    assert trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    assert trt.BuilderFlag.TF32


def test_nascompile_builds_without_a_gpu_and_says_what_was_not_run():
    result = CliRunner().invoke(main, ["arch0", *TINY, "--target", "rtx", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["output"] == "arch0.rtx"
    assert 0 < found["max_relative_error"] < 1e-4
    assert "NVIDIA" in found["not_run"]
    assert found["latency_ms"] is None
    assert {path.name for path in Path().iterdir()} == {"arch0.rtx", "arch0.rtx.json", "cache"}
    beside = json.loads(Path("arch0.rtx.json").read_text())
    assert beside["engine"]["tensorrt_rtx"] == rtx.rtx_library().__version__
    assert beside["metadata"]["verified_as"] == "trt-bundle"
    assert "64x48" in json.loads(beside["metadata"]["verification"])
    text = CliRunner().invoke(main, ["arch0", *TINY, "--target", "rtx"]).stdout
    assert "the ONNX that the engine is built from, in onnxruntime" in text
    assert "it was NOT RUN (" in text


def test_without_a_gpu_an_engine_is_explained_by_the_file_beside_it():
    made = CliRunner().invoke(main, ["arch0", *TINY, "--target", "rtx", "--no-verify"])
    assert made.exit_code == 0, made.output
    told = CliRunner().invoke(nasrun, ["explain", "arch0.rtx"])
    assert told.exit_code == 0, told.output
    assert "RGB / 255 less" in told.stdout
    assert "random, seed 0" in told.stdout
    assert "NVIDIA" in told.stderr
    assert "were not looked at" in told.stderr
    found = json.loads(CliRunner().invoke(nasrun, ["explain", "arch0.rtx", "--json"]).stdout)
    assert found["ours"] is True
    assert "NVIDIA" in found["unopened"]

    whole = Path("arch0.rtx").read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        Path("arch0.rtx").write_bytes(damaged)
        refused = CliRunner().invoke(nasrun, ["explain", "arch0.rtx"])
        assert refused.exit_code == 2
        assert "arch0.rtx: damaged, or of another artefact" in refused.stderr
    Path("arch0.rtx").write_bytes(whole)
    Path("arch0.rtx.json").unlink()
    assert CliRunner().invoke(nasrun, ["explain", "arch0.rtx"]).exit_code == 3


def test_without_a_gpu_a_precision_is_named():
    """auto measures; the line says which work, and they do."""
    refused = CliRunner().invoke(main, ["arch0", *TINY, "--target", "rtx", "--precision", "auto"])
    assert refused.exit_code == 3
    assert "NVIDIA" in refused.stderr
    said = refused.stderr.rpartition("works here: ")[2].strip().split(", ")
    assert set(said) == {"fp32", "fp16", "bf16"}
    for precision in said:
        words = ["arch0", *TINY, "--target", "rtx", "--precision", precision, "--no-verify"]
        assert CliRunner().invoke(main, words).exit_code == 0


def test_gpus_that_are_named_change_the_engine(trt):
    model = model_of(chain()).SerializeToString()
    for name in ("7.5", "12.0"):
        asked = rtx.find_capabilities(trt, (name,))
        assert build_engine(trt, model, {}, asked) != build_engine(trt, model, {})
    with pytest.raises(CompilerError, match=r"compute capability: '9\.9', expected one of 7\.5, "):
        rtx.find_capabilities(trt, ("9.9",))


def test_gpus_are_named_for_engines_alone():
    result = CliRunner().invoke(main, ["arch0", *TINY, "--compute-capability", "8.9"])
    assert result.exit_code == 2
    assert "expected --target rtx" in result.stderr


def test_a_bundle_says_which_parser_has_read_it():
    model = random_model(random.Random(1))
    BundleExporter().pack(model, Path("a.trt.zip"), ExportOptions())
    version = rtx.rtx_library().__version__
    assert read_bundle("a.trt.zip")[1]["parsed_by"] == f"TensorRT-RTX {version}"


def test_without_the_library_it_says_what_to_install(monkeypatch):
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    rtx.rtx_library.cache_clear()
    try:
        with pytest.raises(BackendUnavailable, match=r'pip install "auxnas\[rtx\]"'):
            rtx.rtx_library()
        result = CliRunner().invoke(main, ["arch0", *TINY, "--target", "rtx"])
    finally:
        rtx.rtx_library.cache_clear()
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "auxnas[rtx]" in result.stderr

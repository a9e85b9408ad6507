"""TensorRT up to the library's door: published operators, engines, cache, bundles."""

from __future__ import annotations

import json
import random
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from auxnas.backends.base import BackendUnavailable, ExportOptions
from auxnas.backends.compiling.verification import compare_runners, noise_inputs
from auxnas.backends.onnx.build import build
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.tensorrt import cuda, operators
from auxnas.backends.tensorrt.bundle import BundleExporter, read_bundle
from auxnas.backends.tensorrt.bundle_runner import BundleRunner
from auxnas.backends.tensorrt.cuda import Cuda, CudaError
from auxnas.backends.tensorrt.engines import build_engine, profile_of
from auxnas.backends.tensorrt.exporter import TrtExporter, library, missing, trtexec
from auxnas.backends.tensorrt.operators import OPERATORS, violation
from auxnas.backends.tensorrt.runner import TrtRunner
from auxnas.compiler import CompilerError, Program, lower
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.primitives import PRIMITIVES
from auxnas.compiler.weights import initial_params
from auxnas.genotype import zoo
from auxnas.nascompile.cli import main
from tests.backends.fake_tensorrt import FakeDriver, FakeTensorrt
from tests.backends.random_models import SPEC, random_model

SMALL_NET = ("--agg-size", "8", "--width", "0.25", "--input-size", "64x48", "--classes", "5")


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def described() -> Program:
    graph = lower(zoo.load_published("arch1").genotype, SPEC)
    return Program(graph, initial_params(graph, 0), "arch1")


@pytest.fixture(scope="module")
def small(described) -> Program:
    return run_passes(INFERENCE, described)[0]


# Operators


@pytest.mark.parametrize("seed", range(40))
def test_every_node_of_a_random_network_is_within_the_published_support(seed):
    assert violation(random_model(random.Random(seed))) is None


def test_every_primitive_has_a_row():
    attrs = {"out": 1, "kernel": 3, "stride": 1, "dilation": 1, "groups": 1, "bias": 0}
    attrs |= {"low": 0, "high": 1}
    forms = [record.onnx(attrs) for record in PRIMITIVES.values()]
    ops = [each for form in forms for each in (form if isinstance(form, tuple) else (form,))]
    emitted = {op.op_type for op in ops} - {""}
    assert emitted | {"Cast", "Transpose", "Shape", "Concat"} <= OPERATORS.keys()


def of(op: str, kind: int = TensorProto.FLOAT, opset: int = 18, zero_point: int = 0, **attrs):
    """A model of one node."""
    inputs = {"Resize": ["x", "", "", "s"], "QuantizeLinear": ["x", "scale", "s"]}.get(op, ["x"])
    outputs = ["y", "i"] if attrs.pop("indices", False) else ["y"]
    node = helper.make_node(op, inputs, outputs, "node", **attrs)
    scale = numpy_helper.from_array(np.float32(0.5), "scale")
    extra = {
        "Resize": [numpy_helper.from_array(np.array([8, 8]), "s")],
        "QuantizeLinear": [numpy_helper.from_array(np.int8(zero_point), "s"), scale],
    }
    x = helper.make_tensor_value_info("x", kind, [1, 3, 4, 4])
    graph = helper.make_graph([node], "g", [x], [helper.make_empty_tensor_value_info("y")])
    graph.initializer.extend(extra.get(op, []))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


POOL = {"kernel_shape": [2, 2]}
RESIZE = {"mode": "linear", "coordinate_transformation_mode": "half_pixel", "axes": [2, 3]}


def test_single_nodes_within():
    for model in (
        of("Relu"),
        of("Cast", TensorProto.UINT8, to=TensorProto.FLOAT),
        of("Resize", **RESIZE),
        of("MaxPool", **POOL),
        of("QuantizeLinear"),
    ):
        assert violation(model) is None


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (of("Det"), "not among TensorRT's"),
        (of("Relu", domain="com.example"), "not among TensorRT's"),
        (of("Relu", opset=8), "opset 8"),
        (of("Shape", TensorProto.UINT8), "node: Shape: x of type UINT8"),
        (of("Relu", TensorProto.DOUBLE), "x of type DOUBLE"),
        (of("Resize", **RESIZE | {"mode": "cubic"}), "cubic"),
        (of("Resize", **RESIZE | {"antialias": 1}), "antialias"),
        (
            of("Resize", **RESIZE | {"coordinate_transformation_mode": "tf_crop_and_resize"}),
            "coordinates",
        ),
        (of("MaxPool", dilations=[2, 2], **POOL), "dilations"),
        (of("MaxPool", indices=True, **POOL), "indices"),
        (of("QuantizeLinear", zero_point=3), "zero point"),
    ],
)
def test_single_nodes_outside(model, reason):
    assert reason in str(violation(model))


def test_an_export_outside_the_support_is_refused_by_name(small, monkeypatch):
    monkeypatch.setattr(
        operators,
        "OPERATORS",
        {k: v for k, v in OPERATORS.items() if k != "Conv"},
    )
    with pytest.raises(CompilerError, match=r"trt: .*: Conv: not among"):
        BundleExporter().export(small, Path("a.trt.zip"), ExportOptions((64, 48)), {})


# What is missing


def test_without_library_and_gpu_both_are_named():
    def absent():
        raise BackendUnavailable("trt", "tensorrt", "tensorrt")

    def no_gpu():
        return Cuda(FakeDriver(status=100))

    assert missing(FakeTensorrt, lambda: Cuda(FakeDriver())) is None
    assert missing(lambda: FakeTensorrt("11.1.0"), lambda: Cuda(FakeDriver())) is None
    assert "TensorRT 8.6.1 is installed" in str(
        missing(lambda: FakeTensorrt("8.6.1"), lambda: Cuda(FakeDriver()))
    )
    both = str(missing(absent, no_gpu))
    assert "auxnas[tensorrt]" in both
    assert "no NVIDIA GPU" in both


def test_a_driver_without_devices_or_none_at_all(monkeypatch):
    with pytest.raises(CudaError, match="no NVIDIA GPU"):
        Cuda(FakeDriver(devices=0))
    monkeypatch.setattr(cuda.sys, "platform", "win32")
    with pytest.raises(CudaError, match="no NVIDIA driver"):
        cuda.load_driver()


def test_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendUnavailable, match=r"auxnas\[tensorrt\]"):
        library()


# Engines


def exporter(trt: FakeTensorrt, name: bytes = b"Fake GPU") -> TrtExporter:
    return TrtExporter(trt, Cuda(FakeDriver(name=name)), Path("engines"))


@pytest.mark.parametrize("version", ["10.9.0.34", "11.1.0"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_engine_is_strongly_typed_and_computes_the_network(described, small, version, precision):
    trt = FakeTensorrt(version)
    exporter(trt).export(small, Path("a.engine"), ExportOptions((64, 48), 1, precision), {"k": "v"})
    assert trt.flags == [1 << 1]
    assert trt.configs[0].cleared == ["TF32"]
    assert trt.configs[0].profiles == []
    device = FakeDriver()
    runner = TrtRunner("a.engine", None, trt, Cuda(device))
    found = compare_runners(
        runner, ReferenceRunner(described), noise_inputs(described, (64, 48), 0)
    )
    assert found.within({"fp32": 1e-4, "fp16": 2e-2}[precision])
    assert device.memory == {}
    beside = json.loads(Path("a.engine.json").read_text())
    assert beside["metadata"] == {"k": "v"}
    assert beside["engine"]["tensorrt"] == version
    assert beside["engine"]["compute_capability"] == [9, 0]


def test_dynamic_dimensions_get_a_profile(small):
    trt = FakeTensorrt()
    exporter(trt).export(small, Path("a.engine"), ExportOptions(None, None), {})
    expected = ((1, 3, 32, 32), (1, 3, 512, 512), (8, 3, 2048, 2048))
    assert trt.configs[0].profiles[0].shapes == {"image": expected}
    runner = TrtRunner("a.engine", None, trt, Cuda(FakeDriver()))
    assert runner(noise_inputs(small, (64, 48), 0))["main"].shape == (1, 5, 8, 6)
    with pytest.raises(ValueError, match=r"input 'image': \(1, 3, 16, 16\) is outside"):
        runner(noise_inputs(small, (16, 16), 0))


def test_the_cache_knows_content_version_and_device(small):
    options = ExportOptions((64, 48))

    def built(program: Program, trt: FakeTensorrt, name: bytes = b"Fake GPU", **metadata) -> int:
        exporter(trt, name).export(program, Path("a.engine"), options, metadata)
        return len(trt.configs)

    first = FakeTensorrt()
    assert built(small, first) == 1
    assert built(small, first, verification="other metadata, same engine") == 1
    assert built(small, FakeTensorrt()) == 0
    assert built(small, FakeTensorrt("10.10.0")) == 1
    assert built(small, FakeTensorrt(), b"Another GPU") == 1
    bias = small.params["decoder.clf.bias"] + 1
    changed = replace(small, params=dict(small.params) | {"decoder.clf.bias": bias})
    assert built(changed, FakeTensorrt()) == 1
    assert len(list(Path("engines").iterdir())) == 4


def cut(kept: bytes) -> bytes:
    return kept[:40]


def exchanged(kept: bytes) -> bytes:
    return kept[:-1] + bytes([kept[-1] ^ 1])


@pytest.mark.parametrize("damage", [cut, exchanged, bytes.swapcase])
def test_a_kept_engine_that_was_changed_is_built_again(small, damage):
    exporter(FakeTensorrt()).export(small, Path("a.engine"), ExportOptions((64, 48)), {})
    (kept,) = Path("engines").iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    trt = FakeTensorrt()
    exporter(trt).export(small, Path("b.engine"), ExportOptions((64, 48)), {})
    assert len(trt.configs) == 1
    assert Path("b.engine").read_bytes() == Path("a.engine").read_bytes()


def test_an_engine_under_the_name_of_another_is_built_again(small):
    for size in ((64, 48), (64, 64)):
        exporter(FakeTensorrt()).export(small, Path("a.engine"), ExportOptions(size), {})
    first, second = Path("engines").iterdir()
    second.write_bytes(first.read_bytes())
    trt = FakeTensorrt()
    for size in ((64, 48), (64, 64)):
        exporter(trt).export(small, Path("a.engine"), ExportOptions(size), {})
    assert len(trt.configs) == 1


def test_engines_are_kept_where_the_cache_is(small, tmp_path):
    made = TrtExporter(FakeTensorrt(), Cuda(FakeDriver()))
    made.export(small, Path("a.engine"), ExportOptions((64, 48)), {})
    (kept,) = (tmp_path / "cache" / "trt").iterdir()
    assert kept.suffix == ".engine"


def test_a_cache_that_cannot_be_written_loses_no_engine(small):
    Path("file").write_text("in the way")
    made = TrtExporter(FakeTensorrt(), Cuda(FakeDriver()), Path("file/engines"))
    made.export(small, Path("a.engine"), ExportOptions((64, 48)), {})
    assert Path("a.engine").is_file()


def test_a_build_that_fails_says_why_in_one_line(small):
    trt = FakeTensorrt(fails=True)
    with pytest.raises(CompilerError, match="TensorRT: no kernel for this"):
        exporter(trt).export(small, Path("a.engine"), ExportOptions((64, 48)), {})
    assert not Path("a.engine").exists()
    assert not Path("engines").exists()
    with pytest.raises(CompilerError, match="error 0: not a model"):
        build_engine(FakeTensorrt(), b"garbage", {})


def test_an_engine_is_held_to_the_file_beside_it(small):
    """Where that says which it is; an older one does not."""
    exporter(FakeTensorrt()).export(small, Path("a.engine"), ExportOptions((64, 48), 1), {"k": "v"})
    whole = Path("a.engine").read_bytes()
    Path("a.engine").write_bytes(b"x" + whole[1:])
    with pytest.raises(ValueError, match=r"a\.engine: damaged, or of another artefact, expected"):
        TrtRunner("a.engine", None, FakeTensorrt(), Cuda(FakeDriver()))
    Path("a.engine").write_bytes(whole)
    beside = json.loads(Path("a.engine.json").read_text())
    del beside["sha256"]
    Path("a.engine.json").write_text(json.dumps(beside))
    assert TrtRunner("a.engine", None, FakeTensorrt(), Cuda(FakeDriver())).metadata == {"k": "v"}


def test_an_engine_of_another_version_is_refused():
    Path("a.engine").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"a\.engine: TensorRT: serialized by another version"):
        TrtRunner("a.engine", None, FakeTensorrt(), Cuda(FakeDriver()))


def test_nascompile_makes_a_checked_engine_where_it_can(monkeypatch):
    trt = FakeTensorrt()
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    monkeypatch.setattr(cuda, "load_driver", FakeDriver)
    result = CliRunner().invoke(main, ["arch0", *SMALL_NET, "--target", "trt", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["output"] == "arch0.engine"
    assert found["missing"] is None
    assert 0 < found["max_relative_error"] < 1e-4
    assert len(trt.configs) == 3
    beside = json.loads(Path("arch0.engine.json").read_text())["metadata"]
    assert "64x48" in json.loads(beside["verification"])


# Bundles


def test_without_tensorrt_nascompile_writes_a_bundle_and_ends_with_3(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    Path("arch0.json").write_text("mine")
    result = CliRunner().invoke(main, ["arch0", *SMALL_NET, "--target", "trt", "--json"])
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "the package 'tensorrt' is not installed" in result.stderr
    found = json.loads(result.stdout)
    assert found["target"] == "trt-bundle"
    assert found["output"] == "arch0.trt.zip"
    assert 0 < found["max_relative_error"] < 1e-4
    assert {p.name for p in Path().iterdir()} == {"arch0.json", "arch0.trt.zip"}
    model, manifest = read_bundle("arch0.trt.zip")
    assert manifest["trtexec"] == {
        "10": "trtexec --onnx=model.onnx --saveEngine=model.engine --noTF32 --stronglyTyped",
        "11": "trtexec --onnx=model.onnx --saveEngine=model.engine --noTF32",
    }
    assert {p.key for p in onnx.load_from_string(model).metadata_props} >= {"genotype", "key"}
    assert json.loads(manifest["metadata"]["verification"])
    with zipfile.ZipFile("arch0.trt.zip") as archive:
        scripts = [archive.read(f"trtexec-{n}.sh").decode() for n in (10, 11)]
    assert scripts == [f"#!/bin/sh\n{manifest['trtexec'][n]}\n" for n in ("10", "11")]


def test_dynamic_shapes_are_on_the_command_line(small):
    profile = profile_of(build(small, ExportOptions(None, None), {}))
    assert trtexec("a.onnx", "a.engine", profile, 11)[-3:] == [
        "--minShapes=image:1x3x32x32",
        "--optShapes=image:1x3x512x512",
        "--maxShapes=image:8x3x2048x2048",
    ]


def test_a_bundle_is_the_same_bytes_again_and_notices_damage(small):
    for name in ("a.trt.zip", "b.trt.zip"):
        BundleExporter().export(small, Path(name), ExportOptions((64, 48)), {"k": "v"})
    whole = Path("a.trt.zip").read_bytes()
    assert whole == Path("b.trt.zip").read_bytes()
    assert BundleRunner("a.trt.zip").metadata == {"k": "v"}
    Path("a.trt.zip").write_bytes(whole[:-500])
    with pytest.raises(ValueError, match=r"a\.trt\.zip: not a whole bundle"):
        BundleRunner("a.trt.zip")
    with zipfile.ZipFile("b.trt.zip") as old, zipfile.ZipFile("c.trt.zip", "w") as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry) + (b" " if entry.endswith(".onnx") else b""))
    with pytest.raises(ValueError, match=r"model\.onnx is not what the manifest says"):
        BundleRunner("c.trt.zip")

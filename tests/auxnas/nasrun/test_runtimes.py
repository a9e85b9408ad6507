"""``nasrun`` on artefacts of other runtimes than onnxruntime."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from auxnas.backends.artefacts import Artefact, open_artefact
from auxnas.backends.artefacts.predict import Predictor
from auxnas.backends.artefacts.profile import profile_artefact
from auxnas.backends.images import read_photograph
from auxnas.backends.targets import TARGETS
from auxnas.backends.tensorrt import cuda
from auxnas.compiler import CompilerError
from auxnas.compiler.interface import Interface
from auxnas.genotype import parse
from auxnas.nasrun.text import explanation
from tests.auxnas.nasrun.artefacts import NAMES, artefact, fails, foreign, photograph, run
from tests.backends.fake_tensorrt import FakeDriver, FakeTensorrt
from tests.strategies import PLAIN

BYTES = Interface("labels", True, "nhwc-uint8")
PACKAGES = {"openvino": "openvino", "torch": "torch", "trt-bundle": "onnxruntime", "trt": None}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Artefact]:
    """The same network for every target, opened."""
    folder = tmp_path_factory.mktemp("runtimes")

    def of(target: str) -> Artefact:
        path = folder / f"net{TARGETS[target].suffix}"
        return open_artefact(artefact(path, BYTES, target, parse(PLAIN).genotype))

    opened = {target: of(target) for target in ("onnx", "openvino", "torch", "trt-bundle")}
    with pytest.MonkeyPatch.context() as patch:
        fake_gpu(patch)
        patch.setenv("AUXNAS_CACHE", str(folder / "cache"))
        return opened | {"trt": of("trt")}


def fake_gpu(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sys.modules, "tensorrt", FakeTensorrt())
    patch.setattr(cuda, "load_driver", FakeDriver)


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("target", PACKAGES)
def test_bench_times_it_with_its_own_runtime(target, made, monkeypatch):
    if target == "trt":
        fake_gpu(monkeypatch)
    runs = {} if target == "openvino" else {"--runs": 3}  # 100 of the fastest, where none are said
    words = (word for option in {"--warmup": 0, **runs}.items() for word in option)
    found = json.loads(run("bench", made[target].path, *words, "--json").stdout)
    assert found["inputs"] == {"image": [1, 64, 64, 3]}
    assert found["runs"] == runs.get("--runs", 100)
    assert 0 < found["min_ms"] <= found["median_ms"]
    assert found["versions"].keys() == {"python", "auxnas", "numpy", PACKAGES[target]} - {None}
    assert found["devices"]
    assert not set(found["devices"]) & {"AzureExecutionProvider"}


@pytest.mark.parametrize("target", PACKAGES)
def test_predict_gives_the_labels_of_the_onnx_file(target, made):
    image = read_photograph(photograph(Path("a.png")))
    found, expected = (
        Predictor(each, each.runner()).answers([image])[0] for each in (made[target], made["onnx"])
    )
    assert found.shape == (48, 80)
    assert (found != expected).mean() < 2e-3


@pytest.mark.parametrize("target", PACKAGES)
def test_it_says_what_the_onnx_file_says(target, made):
    found, expected = made[target], made["onnx"]
    assert found.ours
    assert found.genotype() == expected.genotype()
    assert found.inputs == expected.inputs
    assert found.outputs == expected.outputs
    text = "\n".join(explanation(found))
    assert f"{len(NAMES)}: sky, road" in text
    assert ("opset" in text) == (target == "trt-bundle")


@pytest.mark.parametrize("target", PACKAGES)
def test_profile_is_for_onnx_files(target, made):
    with pytest.raises(CompilerError, match=r"another runtime's artefact, expected an \.onnx file"):
        profile_artefact(made[target], {}, 1, 0)


def test_an_axis_that_is_open_is_told_and_anyones_model_is_timed():
    import openvino

    model = openvino.Core().read_model(foreign("f.onnx", axes=["N", "H", "W", 3]))
    openvino.save_model(model, "f.xml")
    opened = open_artefact("f.xml")
    assert opened.inputs[0].shape == ("", "", "", 3)
    assert not opened.ours
    args = ("bench", "f.xml", "--input-size", "5x7", "--json", "--threads", "1")
    found = json.loads(run(*args).stdout)
    assert found["inputs"] == {"x": [1, 5, 7, 3]}
    assert found["threads"] == 1


@pytest.mark.parametrize("command", ["bench", "explain"])
@pytest.mark.parametrize("suffix", [row.suffix for row in TARGETS.values()])
def test_a_damaged_or_missing_file_is_one_line(command, suffix):
    path = f"net{suffix}"
    if suffix == ".pte":
        pytest.importorskip("executorch")
    fails(run(command, path), f"{path}: No such file")
    Path(path).write_bytes(b"PK\x03\x04 no artefact")
    message = "trt: the package" if suffix == ".engine" else path
    status = 3 if suffix in (".engine", ".rtx") else 2  # there is no library, or no GPU
    fails(run(command, path), message, status)


@pytest.mark.parametrize("target", ["openvino", "torch"])
def test_a_runtime_that_fails_on_an_image_is_one_line(target, made):
    with pytest.raises(ValueError, match=f"{target}: ") as error:
        made[target].runner()({"image": np.zeros((1, 32, 32, 3), np.uint8)})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("target", "package", "module"),
    [
        ("openvino", "openvino", "auxnas.backends.runtimes.openvino"),
        ("trt", "tensorrt", "auxnas.backends.tensorrt.runner"),
        ("torch", "torch", "auxnas.backends.torch.exported"),
    ],
)
def test_a_runtime_that_is_not_installed_is_named(target, package, module, made, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    fails(run("bench", made[target].path), f"auxnas[{package}]", 3)


def test_an_engine_without_a_gpu_cannot_be_run_here(made, monkeypatch):
    def absent():
        raise cuda.NoGpuError("no NVIDIA driver (libcuda.so.1)")

    fake_gpu(monkeypatch)
    monkeypatch.setattr(cuda, "load_driver", absent)
    said = "no NVIDIA driver (libcuda.so.1), which an engine runs on"
    fails(run("bench", made["trt"].path), said, 3)

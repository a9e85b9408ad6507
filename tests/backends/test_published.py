"""``nascompile --weights`` with a checkpoint as the authors publish them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.backends.weights import is_state_dict
from auxnas.compiler import ModelSpec, Program, lower
from auxnas.compiler.published import from_published
from auxnas.compiler.weights import save_weights
from auxnas.genotype import zoo
from auxnas.nascompile.cli import main
from tests.compiler.test_published import needs_lists, tensors


def checkpoint(path: Path, name: str, prefix: str = "") -> dict[str, torch.Tensor]:
    """A file with the published names and shapes and random, not too wild, values."""
    rng, values = np.random.default_rng(0), {}
    for key, value in tensors(name).items():
        scale = np.sqrt(1 / max(1, np.prod(value.shape[1:]))) if value.ndim == 4 else 0.3
        drawn = rng.normal(0, scale, value.shape).astype(np.float32)
        values[key] = torch.tensor(np.abs(drawn) + 0.5 if key.endswith("running_var") else drawn)
    torch.save({prefix + key: value for key, value in values.items()}, path)
    return values


def compile_(*args: str):
    return CliRunner().invoke(main, [*args, "--input-size", "64x96"])


@needs_lists
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_checkpoint_compiles_to_what_it_holds(tmp_path, prefix):
    values = checkpoint(tmp_path / "a.pth", "arch2", prefix)
    output = tmp_path / "a.onnx"
    result = compile_("arch2", "--weights", str(tmp_path / "a.pth"), "--output", str(output))
    assert result.exit_code == 0, result.output
    graph = lower(zoo.load_published("arch2").genotype, ModelSpec())
    arrays = {key: value.numpy() for key, value in values.items()}
    params = from_published(arrays, graph, "a.pth")
    image = {"image": np.random.default_rng(1).normal(size=(1, 3, 64, 96)).astype(np.float32)}
    expected = ReferenceRunner(Program(graph, params))(image)["main"]
    found = OrtRunner(output)(image)["main"]
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@needs_lists
def test_a_checkpoint_of_another_architecture_is_refused_by_name(tmp_path):
    checkpoint(tmp_path / "a.pth", "arch0")
    result = compile_("arch1", "--weights", str(tmp_path / "a.pth"), "--output", "no.onnx")
    assert result.exit_code == 2
    assert "a.pth: decoder.cells.0.op_1._ops.0" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("no.onnx").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a.pth: no such file, expected a safetensors file or a state dict"),
        ({"state_dict": {}}, "a.pth: a dict under the key 'state_dict', expected a state dict"),
        ([], "a.pth: a list, expected a state dict"),
    ],
)
def test_what_is_no_state_dict_is_one_line(content, message, tmp_path):
    if content is not None:
        torch.save(content, tmp_path / "a.pth")
    result = compile_("arch0", "--weights", str(tmp_path / "a.pth"), "--output", "no.onnx")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr


def test_a_truncated_checkpoint_is_one_line(tmp_path):
    torch.save({"decoder.conv_clf.weight": torch.zeros(99)}, tmp_path / "whole.pth")
    (tmp_path / "a.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:400])
    result = compile_("arch0", "--weights", str(tmp_path / "a.pth"), "--output", "no.onnx")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "expected a whole safetensors file or PyTorch state dict" in result.stderr


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "a.pth").write_bytes(pickle.dumps({"decoder.conv_clf.weight": Evil()}, 2))
    result = compile_("arch0", "--weights", str(tmp_path / "a.pth"), "--output", "no.onnx")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists()


def test_a_safetensors_file_is_never_taken_for_a_pickle(tmp_path):
    """Its first bytes are its header's length, which may look like anything."""
    looks = set()
    for length in range(8, 200, 8):
        save_weights(tmp_path / "w", {"a": np.zeros(1)}, {"x": "y" * length})
        looks.add((tmp_path / "w").read_bytes()[:1])
        assert not is_state_dict(tmp_path / "w")
    assert b"\x80" in looks
    torch.save({"a": torch.zeros(1)}, tmp_path / "new")
    torch.save({"a": torch.zeros(1)}, tmp_path / "old", _use_new_zipfile_serialization=False)
    assert is_state_dict(tmp_path / "new")
    assert is_state_dict(tmp_path / "old")

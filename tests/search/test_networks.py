"""Weights whose metadata are nonsense are one line that names the file."""

import json

import numpy as np
import pytest

from auxnas.compiler import CompilerError, ModelSpec
from auxnas.compiler.weights import save_weights
from auxnas.genotype import to_json, zoo
from auxnas.search.networks.networks import read_network

KNOWN = {
    "model": ModelSpec(classes=2, agg_size=4, width=0.05).to_dict(),
    "genotype": json.loads(to_json(zoo.load_published("arch0").genotype)),
    "classes": ["a", "b"],
    "size": [32, 32],
}


@pytest.mark.parametrize(
    "change",
    [
        {"model": [1]},
        {"model": 2**70},
        {"model": {"agg_size": 2**63}},
        {"model": {"x\x1b[31m": 1}},
        {"genotype": [[2**70]]},
        {"genotype": None},
        {"classes": 5},
        {"classes": [1, 2]},
        {"size": [2**63, 2**63]},
        {"size": [0, 32]},
        {"size": "x"},
        {"size": [32]},
    ],
)
def test_nonsense_is_named(tmp_path, change):
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": np.zeros(1, np.float32)}, KNOWN | change)
    with pytest.raises(CompilerError) as caught:
        read_network(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "missing" not in str(caught.value)


def test_what_is_sound_comes_to_its_weights(tmp_path):
    save_weights(tmp_path / "w.safetensors", {"a": np.zeros(1, np.float32)}, KNOWN)
    with pytest.raises(CompilerError, match=r"encoder\.layer1\.conv\.weight: missing"):
        read_network(tmp_path / "w.safetensors")

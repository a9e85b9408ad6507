"""The authors' checkpoints: by name, by shape, by position."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from auxnas.compiler import CompilerError, ModelSpec, graph_weights, lower
from auxnas.compiler.published import from_published, is_published, published_names
from auxnas.genotype import zoo

DATA = Path(os.environ.get("AUXNAS_DATA", "../shared/data")) / "published"
needs_lists = pytest.mark.skipif(
    not DATA.is_dir(), reason="lists of published tensors not found (set AUXNAS_DATA)"
)


def tensors(name: str) -> dict[str, np.ndarray]:
    """A checkpoint with the published names and shapes, numbered values."""
    rows = json.loads((DATA / f"{name}_segmentation_21.json").read_text())
    return {key: np.full(shape, number, np.float32) for number, (key, shape) in enumerate(rows)}


def graph(name: str, auxiliary: str = "cell"):
    return lower(zoo.load_published(name).genotype, ModelSpec(auxiliary=auxiliary))


@needs_lists
@pytest.mark.parametrize("name", zoo.NAMES)
def test_every_tensor_is_mapped_by_shape(name):
    theirs, whole = tensors(name), graph(name)
    names = published_names(whole)
    counted = {key for key in theirs if not key.endswith("num_batches_tracked")}
    assert set(names.values()) == counted
    assert len(set(names.values())) == len(names)
    assert is_published(theirs)
    for ours, weight in graph_weights(whole).items():
        assert theirs[names[ours]].shape == weight.shape


@needs_lists
@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_mapping_keeps_positions(name):
    """Within each group of the checkpoint, our order of use is its order of storage."""
    theirs, whole = tensors(name), graph(name)
    values = from_published(theirs, whole, "f")
    groups: dict[str, list[float]] = {}
    for ours, theirs_name in published_names(whole).items():
        group = ".".join(theirs_name.split(".")[:4])
        groups.setdefault(group, []).append(float(values[ours].flat[0]))
    assert len(groups) > 30
    for group, numbers in groups.items():
        assert numbers == sorted(numbers), group


@needs_lists
def test_auxiliary_weights_may_be_absent():
    theirs = {key: value for key, value in tensors("arch0").items() if ".aux_" not in key}
    assert from_published(theirs, graph("arch0", "none"), "f")
    with pytest.raises(CompilerError, match=r"f: decoder\.aux_clfs\.0\..*: missing"):
        from_published(theirs, graph("arch0"), "f")


@needs_lists
@pytest.mark.parametrize("name", ["arch1", "arch2"])
def test_another_architecture_is_refused_by_the_first_parameter(name):
    with pytest.raises(
        CompilerError, match=r"f: decoder\.cells\.0\.op_1\._ops\.0.*: (missing|shape)"
    ):
        from_published(tensors("arch0"), graph(name, "none"), "f")


@needs_lists
def test_another_shape_or_a_stranger_is_refused():
    theirs = tensors("arch0")
    wrong = theirs | {"decoder.conv_clf.bias": np.zeros(5, np.float32)}
    with pytest.raises(CompilerError, match=r"decoder\.conv_clf\.bias: shape \(5,\)"):
        from_published(wrong, graph("arch0", "none"), "f")
    with pytest.raises(CompilerError, match=r"stranger: unexpected"):
        from_published(theirs | {"stranger": np.zeros(1)}, graph("arch0", "none"), "f")


def test_what_the_published_networks_lack_is_named():
    genotype = zoo.load_published("arch0").genotype
    names = published_names(lower(genotype, ModelSpec(sep_repeats=1)))
    assert names["decoder.block0.left.first.depthwise.weight"] == (
        "decoder.cells.0.op_1._ops.0.op.sep_0.0.weight"
    )

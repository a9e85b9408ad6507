"""Light-Weight RefineNet on ResNet: its size, and the names of its published weights."""

from __future__ import annotations

import numpy as np
import pytest

from auxnas.compiler import CompilerError, cost, graph_weights, infer_shapes, lower_resnet_refinenet
from auxnas.compiler.decoders.resnet_refinenet import (
    BLOCKS,
    from_published,
    is_published,
    published_names,
)


def tensors(depth: int, classes: int = 3) -> dict[str, np.ndarray]:
    """A checkpoint with the authors' names, zeros of the right shapes that take no memory."""
    graph = lower_resnet_refinenet(depth, classes)
    names, weights = published_names(graph), graph_weights(graph)
    zero = np.zeros((), np.float32)
    return {names[ours]: np.broadcast_to(zero, w.shape) for ours, w in weights.items()}


@pytest.mark.parametrize(
    ("depth", "parameters"), [(50, 27_357_525), (101, 46_349_653), (152, 61_993_301)]
)
def test_sizes_are_the_published_ones(depth, parameters):
    """27, 46 and 62 million (Nekrasov et al., 2018, Table 1)."""
    graph = lower_resnet_refinenet(depth, 21)
    assert cost(graph, (64, 64)).parameters == parameters
    assert infer_shapes(graph, (65, 97))["refinenet.clf"] == (21, 17, 25)


@pytest.mark.parametrize("depth", BLOCKS)
def test_the_encoder_has_the_names_and_number_of_arrays_of_torchvision(depth):
    found = [name for name in tensors(depth) if name.startswith(("conv1.", "bn1.", "layer"))]
    convolutions = 1 + 3 * sum(BLOCKS[depth]) + 4  # stem, blocks, projections
    assert len(found) == len(set(found)) == 5 * convolutions
    assert {"bn1.running_var", "layer1.0.conv1.weight", "layer3.5.bn3.bias"} <= set(found)
    assert {f"layer{n}.0.downsample.{m}.weight" for n in (1, 2, 3, 4) for m in (0, 1)} <= set(found)
    assert not [name for name in found if "1.downsample" in name.removeprefix("layer1.0.")]


def test_the_decoder_has_the_authors_names_and_shapes():
    found = {name: array.shape for name, array in tensors(152).items()}
    shapes = {
        "p_ims1d2_outl1_dimred": (512, 2048),
        "p_ims1d2_outl2_dimred": (256, 1024),
        "p_ims1d2_outl3_dimred": (256, 512),
        "p_ims1d2_outl4_dimred": (256, 256),
        "mflow_conv_g1_b3_joint_varout_dimred": (256, 512),
        **{f"mflow_conv_g{stage}_b3_joint_varout_dimred": (256, 256) for stage in (2, 3)},
        **{f"adapt_stage{stage}_b2_joint_varout_dimred": (256, 256) for stage in (2, 3, 4)},
        **{
            f"mflow_conv_g{stage}_pool.0.{n}_outvar_dimred": (512, 512)
            if stage == 1
            else (256,) * 2
            for stage in (1, 2, 3, 4)
            for n in (1, 2, 3, 4)
        },
    }
    decoder = {n: s for n, s in found.items() if not n.startswith(("conv1.", "bn1.", "layer"))}
    expected = {f"{name}.weight": (*shape, 1, 1) for name, shape in shapes.items()}
    assert decoder == expected | {"clf_conv.weight": (3, 256, 3, 3), "clf_conv.bias": (3,)}


@pytest.mark.parametrize("depth", BLOCKS)
def test_a_checkpoint_tells_its_depth_and_classes(depth):
    values = tensors(depth, 5) | {"bn1.num_batches_tracked": np.zeros(())}
    assert is_published(values)
    assert from_published(values, "f").graph == lower_resnet_refinenet(depth, 5)


WRONG = [
    (lambda v: v.pop("bn1.bias"), "f: bn1.bias: missing"),
    (lambda v: v.update(fc=np.zeros(1)), "f: fc: unexpected"),
    (lambda v: v.update({"conv1.weight": np.zeros((64, 3, 3, 3))}), "f: conv1.weight: shape"),
    (lambda v: v.update({"layer3.6.conv1.weight": np.zeros(1)}), "f: layer3: 7 blocks"),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
def test_what_does_not_fit_is_named(spoil, message):
    values = tensors(50)
    spoil(values)
    with pytest.raises(CompilerError, match=message):
        from_published(values, "f")


def test_other_checkpoints_and_depths_are_none():
    assert not is_published({"decoder.conv_clf.weight": 0})
    with pytest.raises(CompilerError, match="depth: 34, expected one of 50, 101, 152"):
        lower_resnet_refinenet(34, 21)

"""The facts that the paper and the published checkpoints fix."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given

from auxnas.compiler import (
    PRIMITIVES,
    CompilerError,
    ModelSpec,
    cost,
    encoder_outputs,
    infer_shapes,
    lower,
    split_graph,
)
from auxnas.compiler.encoders import find_encoder
from auxnas.compiler.lowering import unsampled_locations
from auxnas.compiler.wellformed import verify_graph
from auxnas.genotype import CVPR2019, Cell, Operation, SearchSpace, Step, zoo
from auxnas.genotype.vocabulary import GLOBAL_MEAN, STEPS
from tests.strategies import CUSTOM, FIVE, PAPER, SMALL, TINY, genotypes


def published(name: str, auxiliary: str = "none"):
    return lower(zoo.load_published(name).genotype, ModelSpec(auxiliary=auxiliary))


def test_encoder_has_the_published_number_of_parameters():
    nodes = cost(published("arch0"), (512, 512)).nodes
    assert sum(c.parameters for n, c in nodes.items() if n.startswith("encoder")) == 1_812_800


@pytest.mark.parametrize(("auxiliary", "parameters"), [("none", 2_629_909), ("cell", 3_034_516)])
def test_arch0_parameters(auxiliary, parameters):
    assert cost(published("arch0", auxiliary), (512, 512)).parameters == parameters


def test_arch0_multiply_adds():
    assert cost(published("arch0"), (512, 512)).multiply_adds == pytest.approx(4.208e9, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "millions", "size"), [("arch0", 2.6, 128), ("arch1", 2.8, 64), ("arch2", 2.9, 64)]
)
def test_table_1(name, millions, size):
    found = cost(published(name), (512, 512))
    assert round(found.parameters / 1e6, 1) == millions
    assert found.output_size == (size, size)


def test_encoder_outputs_are_layers_2_3_6_8_of_the_paper():
    graph = published("arch0")
    shapes = infer_shapes(graph, (512, 512))
    found = [shapes[name] for name in encoder_outputs(graph)]
    assert found == [(24, 128, 128), (32, 64, 64), (96, 32, 32), (320, 16, 16)]


def test_an_unused_encoder_output_keeps_its_adapter_as_described():
    graph = published("arch0")
    assert all(1 not in pair for pair in zoo.load_published("arch0").genotype.connections)
    assert "decoder.adapt1.conv" in graph.by_name


@given(genotypes())
def test_every_genotype_of_every_space_lowers(genotype):
    graph = lower(genotype, TINY)
    verify_graph(graph)
    assert nx.is_directed_acyclic_graph(graph.dag)
    assert len(graph.dag) == len(graph)
    heads = [name for name, _ in graph.outputs]
    assert heads == ["main", *(f"aux{block}" for block in range(genotype.space.blocks))]


@given(genotypes(PAPER, FIVE))
def test_main_output_has_the_finest_loose_stride(genotype):
    """Independent of the lowering: strides followed through the genotype's own numbers."""
    count = genotype.space.encoder_outputs
    stride_of = {2: 2, 3: 4, 4: 8, 5: 16, 6: 16, 7: 32, 8: 32}
    strides = [stride_of[1 + place] for place in find_encoder("mobilenet_v2").taps(count)]
    for left, right in genotype.connections:
        strides.append(min(strides[left], strides[right]))
    used = {i for pair in genotype.connections for i in pair}
    finest = min(s for i, s in enumerate(strides) if i >= count and i not in used)
    size = 256 // finest
    assert cost(lower(genotype, TINY), (256, 256)).output_size == (size, size)


@given(genotypes(SMALL))
def test_auxiliary_kinds_add_heads_and_leave_the_rest(genotype):
    graphs = {
        kind: lower(genotype, ModelSpec(**TINY.to_dict() | {"auxiliary": kind}))
        for kind in ("none", "classifier", "cell")
    }
    assert graphs["classifier"].select(["main"]) == graphs["none"].live()
    assert graphs["cell"].select(["main"]) == graphs["none"].live()
    counts = [cost(graph, (64, 64)).parameters for graph in graphs.values()]
    assert counts[0] < counts[1] <= counts[2]


def test_a_concatenation_of_three_grows_one_by_one():
    """16, 32 and 128 pixels: the coarsest map is resized twice."""
    genotype = PAPER.genotype([3, 3, 2, 2, 0, 0, 0, *[0, 0, 0, 0] * 3])
    graph = lower(genotype, ModelSpec())
    assert graph["decoder.concat0.up"].inputs[1] == "decoder.block1.sum"
    second = graph["decoder.concat1.up"]
    assert second.inputs == ("decoder.concat0", "decoder.block2.sum")


def test_gap_is_spread_and_not_resized():
    graph = published("arch0")
    spread = [node for node in graph.nodes if node.op == "spread"]
    assert len(spread) == 6
    assert all(node.name.endswith("branch2.op1.spread") for node in spread)


@pytest.mark.parametrize(
    ("branches", "ends"),
    [
        (((0, 0, 5, 2), (0, 2, 8, 8), (0, 5, 1, 4)), (1, 4, 7, 10)),
        (((1, 0, 3, 6), (0, 1, 2, 8), (2, 0, 6, 1)), (4, 7, 10)),
        (((0, 1, 0, 0), (4, 4, 0, 0), (7, 7, 0, 0)), (10,)),
    ],
)
def test_loose_ends_of_a_cell(branches, ends):
    assert unsampled_locations(Cell(0, branches)) == ends


def test_width_multiplier_scales_to_multiples_of_8():
    graph = lower(zoo.load_published("arch0").genotype, ModelSpec(width=0.35))
    shapes = infer_shapes(graph, (64, 64))
    assert [shapes[name][0] for name in encoder_outputs(graph)] == [8, 16, 32, 112]


@given(genotypes(PAPER))
def test_split_halves_share_names_and_cover_the_whole(genotype):
    graph = lower(genotype, TINY)
    names = encoder_outputs(graph)
    head, tail = split_graph(graph, names)
    verify_graph(head)
    verify_graph(tail)
    assert {n.name for n in tail.inputs} == set(names) == {n for n, _ in head.outputs}
    both = {n.name for n in head.nodes} | {n.name for n in tail.nodes}
    assert both >= {n.name for n in graph.live().nodes}


def test_a_row_added_in_user_code_lowers():
    row = len(CVPR2019)
    genotype = CUSTOM.genotype([0, 1, 2, 3, 4, 5, row, *[0, 1, row, 9] * 3])
    graph = lower(genotype, TINY)
    names = [n.name for n in graph.nodes if n.name.startswith("decoder.block0.left.first")]
    assert [name.rpartition(".")[2] for name in names] == [
        "conv", "depthwise", "bn", "relu", "conv_", "bn_",
    ]  # fmt: skip


def test_steps_are_the_primitives_of_one_map_with_their_attributes():
    """``STEPS`` says again what the compiler knows, where the compiler cannot be asked.

    A transposed convolution, which makes maps larger, is for decoders made by hand alone, and
    keypoints are an end.
    """
    others = {"input", "vector", "add", "mul", "concat", "argmax", "deconv2d", "keypoints"}
    assert set(STEPS) == set(PRIMITIVES) - others
    for name, known in STEPS.items():
        least = {key: attribute.least for key, attribute in PRIMITIVES[name].attrs.items()}
        ours = {key: value for key, value in known.items() if key != "depthwise"}
        assert ours == {k: v for k, v in least.items() if k not in ("out", "groups")}


@pytest.mark.parametrize("name", STEPS)
def test_a_row_of_each_primitive_lowers(name):
    """Spread needs a map of one pixel; the rest take any."""
    needed = {"high": 1000, "kernel": 3, "low": 0}
    attrs = tuple((key, value) for key, value in needed.items() if key in STEPS[name])
    mean = (GLOBAL_MEAN,) if name == "spread" else ()
    steps = (*mean, Step(name, attrs))
    space = SearchSpace(vocabulary=CVPR2019.extended(Operation("own", "own", "", steps)))
    verify_graph(lower(space.genotype([0] * 6 + [11] + [0] * 12), TINY))


@pytest.mark.parametrize("field", ["classes", "agg_size", "sep_repeats"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3"])
def test_a_spec_out_of_range_is_refused(field, value):
    with pytest.raises(CompilerError, match=field):
        ModelSpec(**{field: value})


def test_a_space_with_more_outputs_than_the_encoder_is_refused():
    space = SearchSpace(encoder_outputs=9)
    with pytest.raises(CompilerError, match=r"encoder_outputs: 9"):
        lower(space.genotype([0] * len(space.layout)), TINY)

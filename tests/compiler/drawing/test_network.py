"""Pictures of networks: all of the network is there, and nothing stands on anything else."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auxnas.compiler import Graph, make_node
from auxnas.compiler.drawing.network_diagram import (
    ENCODER,
    cells,
    diagram,
    is_cell,
    node_text,
    operands,
    overview,
)
from auxnas.compiler.drawing.network_drawing import draw_network
from auxnas.compiler.drawing.scene import Scene
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.drawing import svg
from auxnas.genotype import Cell, Genotype, SearchSpace, zoo
from tests.compiler.drawing.scenes import faults
from tests.strategies import SMALL, genotypes, program

ARCH0 = zoo.load_published("arch0").genotype
WITHOUT_CELLS = Genotype(
    connections=((0, 0), (0, 0), (0, 0)),
    cell=Cell(10, ((0, 1, 10, 0), (0, 0, 0, 0), (7, 1, 10, 0))),
    space=SearchSpace.cvpr2019(),
)


def network(genotype: Genotype, optimised: bool) -> Graph:
    whole = program(genotype)
    return run_passes(INFERENCE, whole)[0].graph if optimised else whole.graph


def without_frames(scene: Scene) -> Scene:
    return replace(scene, boxes=tuple(box for box in scene.boxes if not box.is_frame))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_stands_on_anything_else(seed):
    genotype = ARCH0 if seed == 0 else SMALL.sample(random.Random(seed))
    scene = draw_network(network(genotype, seed % 2 == 0), (96, 64), genotype)
    assert faults(without_frames(scene)) == []
    frames = [box for box in scene.boxes if box.is_frame]
    assert faults(replace(scene, boxes=tuple(frames), paths=(), texts=())) == []
    for box in without_frames(scene).boxes:
        assert sum(_inside(box, frame) for frame in frames) == 1


def _inside(box, frame) -> bool:
    return (
        abs(box.x - frame.x) <= (frame.width - box.width) / 2
        and abs(box.y - frame.y) <= (frame.height - box.height) / 2
    )


def test_the_check_finds_boxes_that_overlap_and_lines_behind_them():
    genotype = SMALL.sample(random.Random(0))
    scene = without_frames(draw_network(network(genotype, True), (96, 64), genotype))
    squeezed = (replace(box, y=box.y / 2 + 30) for box in scene.boxes)
    found = faults(replace(scene, boxes=tuple(squeezed)))
    assert any("overlap" in fault for fault in found)
    assert any("path" in fault for fault in found)


@settings(max_examples=6)
@given(genotype=genotypes(), optimised=st.booleans())
def test_every_node_of_the_decoder_is_in_one_box_and_every_edge_is_drawn(genotype, optimised):
    graph = network(genotype, optimised)
    blocks = diagram(graph, genotype)
    of = {node.name: block for block in blocks for node in block.nodes}
    assert sum(len(block.nodes) for block in blocks) == len(of)
    hidden = {node.name for node in graph.nodes} - of.keys()
    assert all(name.split(".")[0] in ("image", "encoder", "input") for name in hidden)
    assert {name for _, name in graph.outputs} <= of.keys()
    for block in blocks:
        first = [of[name].name for name in operands(block.nodes[0]) if name in of]
        assert block.sources == first
        for before, after in zip(block.nodes, block.nodes[1:], strict=False):
            assert operands(after) == (before.name,)


@settings(max_examples=6)
@given(genotype=genotypes(), optimised=st.booleans())
@example(genotype=WITHOUT_CELLS, optimised=True)
def test_every_box_is_drawn_or_stands_in_a_cell_that_is(genotype, optimised):
    graph = network(genotype, optimised)
    blocks = diagram(graph, genotype)
    whole = overview(blocks)
    lanes = {block.lane for block in blocks if is_cell(block)}
    assert [block.title for block in whole if block.whole] == [
        f"cell, {n}" for n in _ordered(whole)
    ]
    assert set(_ordered(whole)) == lanes
    names = {block.name for block in whole}
    assert all(source in names for block in whole for source in block.sources)
    parts = [whole, *cells(blocks)]
    said = [_said(part) for part in parts[1:]]
    assert bool(said) == bool(lanes)
    assert len({str(each) for each in said}) == len(said)
    for lane in lanes:
        assert _said([block for block in blocks if block.lane == lane]) in said
    scene = draw_network(graph, (64, 64), genotype)
    drawn = Counter(path.target for path in scene.paths if path.target)
    for number, part in enumerate(parts):
        prefix = f"cell{number}/" if number else ""
        for block in part:
            assert (prefix + block.name in drawn) == bool(block.sources)
    assert sum(not box.is_frame for box in scene.boxes) == sum(map(len, parts))


def _ordered(blocks):
    return [block.title.removeprefix("cell, ") for block in blocks if block.whole]


def _said(blocks):
    """Texts of a cell's boxes, its input apart."""
    return [(block.where, block.title, *block.lines) for block in blocks if block.whole != "io"]


@pytest.mark.parametrize("name", zoo.NAMES)
def test_a_picture_fits_a_page(name):
    """The same cell was drawn for each side of each block, over 3,500 points high."""
    genotype = zoo.load_published(name).genotype
    scene = draw_network(network(genotype, True), (96, 64), genotype)
    assert scene.height < 1300
    assert scene.width < 1100
    assert sum(text.text.startswith("branch1.op1") for text in scene.texts) == 1


def test_boxes_say_what_is_in_them_and_how_large_it_is():
    graph = network(ARCH0, True)
    scene = draw_network(graph, (64, 96), ARCH0)
    texts = [text.text for text in scene.texts]
    for text in (
        "sep5x5 rate 6",
        "branch1.op1",
        "depthwise 5x5, rate 6",
        "cell, block 3 left",
        "resize",
    ):
        assert text in texts
    assert "4x16x24" in texts
    assert sum(box.kind == "encoder" for box in scene.boxes) == 6
    assert sum(box.kind == "cell" for box in scene.boxes) == 6
    assert str(ARCH0) in svg(scene)
    lanes = [box.name for box in scene.boxes if box.is_frame]
    assert lanes[0] == ENCODER
    assert lanes[1:3] == ["decoder", "classifier"]
    assert lanes[3:] == ["cell1/cell, as in block 1 left"]


def test_everything_flows_to_the_right():
    scene = draw_network(network(ARCH0, True), (96, 64), ARCH0)
    for path in scene.paths:
        xs = [x for x, _ in path.polyline()]
        assert xs == sorted(xs)


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"kernel": 1, "out": 4}, "conv 1x1"),
        ({"kernel": 3, "out": 3, "groups": 3, "stride": 2}, "depthwise 3x3, stride 2"),
        ({"kernel": 3, "out": 4, "dilation": 12}, "conv 3x3, rate 12"),
    ],
)
def test_a_convolution_in_words(attrs, words):
    assert node_text(make_node("c", "conv2d", ["x"], "c", **attrs)) == words

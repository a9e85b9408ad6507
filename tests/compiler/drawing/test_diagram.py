"""What the pictures show, and what of it is pale."""

import random
from dataclasses import replace

import pytest

from auxnas.compiler.drawing.genotype_diagram import (
    Diagram,
    cell_diagram,
    connections_diagram,
    operation_kind,
)
from auxnas.compiler.drawing.genotype_drawing import draw_cell, draw_connections, draw_genotype
from auxnas.genotype import CVPR2019, GenotypeError, SearchSpace, parse
from auxnas.genotype.zoo import load_published


def test_the_cell_of_arch0_is_the_papers() -> None:
    diagram = cell_diagram(load_published("arch0").genotype)
    labels = {name: node.label for name, node in diagram.nodes.items()}
    assert labels == {
        "0": "input",
        "1": "sep5x5 rate 6",
        "2": "conv3x3 rate 3",
        "3": "sep3x3",
        "5": "sep5x5 rate 6",
        "6": "sep5x5 rate 6",
        "8": "conv3x3",
        "9": "gap",
        "sum": "",
        "output": "output",
    }
    assert sorted(diagram.edges) == sorted(
        [("0", n) for n in "12358"]
        + [("2", "6"), ("5", "9"), ("sum", "output")]
        + [(n, "sum") for n in "1235689"]
    )
    assert all(node.live for node in diagram.nodes.values())


def test_every_sum_shows_those_that_only_the_output_uses() -> None:
    diagram = cell_diagram(load_published("arch0").genotype, every_sum=True)
    assert [low for low, high in diagram.edges if high == "sum"] == ["1", "4", "7", "10"]
    assert [low for low, high in diagram.edges if high == "7"] == ["5", "6"]


def test_the_decoder_of_arch2_is_the_papers() -> None:
    diagram = connections_diagram(load_published("arch2").genotype)
    assert [diagram.nodes[str(i)].label for i in range(4)] == [
        "stride 4", "stride 8", "stride 16", "stride 32",
    ]  # fmt: skip
    assert [name for name, node in diagram.nodes.items() if not node.live] == ["0"]
    operands = {
        total: [diagram_source(diagram, cell) for cell, high in diagram.edges if high == total]
        for total in "456"
    }
    assert operands == {"4": ["1", "3"], "5": ["4", "3"], "6": ["2", "2"]}
    assert [low for low, high in diagram.edges if high == "concat"] == ["5", "6"]
    assert diagram.edges[-2:] == (("concat", "conv1x1"), ("conv1x1", "classifier"))


def diagram_source(diagram: Diagram, name: str) -> str:
    (source,) = (low for low, high in diagram.edges if high == name)
    return source


def test_a_single_loose_end_needs_neither_concat_nor_sum() -> None:
    text = "[[[0, 1], [4, 2], [5, 3]], [0, [1, 0, 1, 1], [4, 0, 1, 1], [7, 0, 1, 1]]]"
    genotype = parse(text).genotype
    assert "concat" not in connections_diagram(genotype).nodes
    diagram = cell_diagram(genotype)
    assert "sum" not in diagram.nodes
    assert diagram.edges[-1] == ("10", "output")


@pytest.mark.parametrize(
    ("cell", "pale"),
    [
        ("[0, [0, 0, 1, 10], [0, 0, 1, 1], [0, 0, 1, 1]]", {"3"}),
        ("[10, [1, 0, 9, 1], [0, 0, 1, 1], [0, 0, 1, 1]]", {"1", "2"}),
        ("[10, [1, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]", {"1"}),
        ("[0, [1, 0, 1, 1], [4, 0, 10, 1], [0, 0, 1, 1]]", {"1", "2", "3", "4", "5"}),
        ("[0, [1, 0, 10, 10], [4, 0, 9, 1], [0, 0, 1, 1]]", {"1", "2", "3", "4", "5"}),
    ],
)
def test_what_the_output_does_not_depend_on_is_pale(cell: str, pale: set[str]) -> None:
    genotype = parse(f"[[[0, 1], [2, 3], [0, 0]], {cell}]").genotype
    diagram = cell_diagram(genotype)
    assert {name for name, node in diagram.nodes.items() if not node.live} == pale
    scene = draw_cell(genotype)
    assert {box.name[2:] for box in scene.boxes if not box.live} == pale
    for path in scene.paths:
        if path.target is not None:
            ends = {path.source[2:], path.target[2:]}
            assert path.live == (not ends & pale), path


def test_nothing_but_zeros_leaves_the_output_alone() -> None:
    zero = "[10, [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]]"
    diagram = cell_diagram(parse(f"[[[0, 1], [2, 3], [0, 0]], {zero}]").genotype)
    assert [name for name, node in diagram.nodes.items() if node.live] == ["output"]


def test_kinds_come_from_the_primitives() -> None:
    kinds = [operation_kind(row) for row in CVPR2019]
    assert kinds == ["conv"] * 2 + ["sep"] * 2 + ["gap", "conv", "conv", "sep", "sep"] + [
        "skip",
        "zero",
    ]


def test_strides_are_given_numbered_or_refused() -> None:
    genotype = SearchSpace(5, 2, 1).sample(random.Random(0))
    texts = {text.text for text in draw_connections(genotype).texts}
    assert "output 4" in texts
    texts = {text.text for text in draw_connections(genotype, (2, 4, 8, 16, 32)).texts}
    assert {"stride 2", "stride 32"} <= texts
    with pytest.raises(GenotypeError, match="strides: 1 of them, expected 5"):
        draw_genotype(genotype, (4,))


def test_a_genotype_outside_its_space_is_refused() -> None:
    for function in (draw_genotype, draw_cell, draw_connections):
        with pytest.raises(GenotypeError, match="9 is not in"):
            function(
                replace(load_published("arch0").genotype, connections=((0, 9), (0, 0), (0, 0)))
            )

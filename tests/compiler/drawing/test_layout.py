"""Few crossings: against exhaustive search over all orders of all layers."""

import itertools
import random
from collections import Counter

import numpy as np
import pytest

from auxnas.compiler.drawing.genotype_diagram import Diagram, cell_diagram, connections_diagram
from auxnas.compiler.drawing.genotype_drawing import draw_connections
from auxnas.compiler.drawing.layout import LayeredGraph, Layout, _Plan, _with_bends, lay_out
from auxnas.compiler.drawing.ordering import Layers, Segments, crossings, orderings
from auxnas.compiler.drawing.scene import text_width
from auxnas.genotype import SearchSpace, parse
from auxnas.genotype.zoo import load_published
from tests.compiler.drawing.scenes import faults


def fewest(layers: Layers, segments: Segments, fixed: frozenset[int]) -> int:
    """The least number of crossings over all orders of all layers, exhaustively.

    Layer by layer: the best total for every order of a layer follows from the best
    totals for every order of the layer below. With an order written as the signs of all
    its pairs, the crossings between two orders are a bilinear form of the two.
    """
    orders = [
        [layer] if i in fixed else list(itertools.permutations(layer))
        for i, layer in enumerate(layers)
    ]
    best = np.zeros(len(orders[0]))
    for i, (low, high) in enumerate(itertools.pairwise(layers)):
        edges = [(low.index(a), high.index(b)) for a, b in segments if a in low]
        form = np.zeros((len(low), len(low), len(high), len(high)))
        for (a, b), (c, d) in itertools.combinations(edges, 2):
            form[a, c, b, d] += 1
        opposite = form.sum() - np.einsum(
            "pac,acbd,qbd->pq",
            signs(low, orders[i]),
            form,
            signs(high, orders[i + 1]),
            optimize=True,
        )
        same_end = sum(a == c or b == d for (a, b), (c, d) in itertools.combinations(edges, 2))
        best = (best[:, None] + (opposite - same_end) / 2).min(axis=0)
    return round(best.min())


def signs(layer: tuple[str, ...], orders: list[tuple[str, ...]]) -> np.ndarray:
    """Per order and two nodes of the layer: +1 when the second stands right, -1 left."""
    places = np.array([[order.index(name) for name in layer] for order in orders])
    return np.sign(places[:, None, :] - places[:, :, None]).astype(float)


def graph_of(diagram: Diagram) -> LayeredGraph:
    widths = {name: 20 + text_width(node.label, 11.0) for name, node in diagram.nodes.items()}
    return LayeredGraph(widths, diagram.edges, diagram.row)


def test_exhaustive_search_finds_known_minima() -> None:
    complete = [(a, b) for a in "abc" for b in "xyz"]
    assert fewest((("a", "b", "c"), ("x", "y", "z")), complete, frozenset()) == 9
    swapped = [("a", "y"), ("b", "x")]
    assert fewest((("a", "b"), ("x", "y")), swapped, frozenset()) == 0
    assert fewest((("a", "b"), ("x", "y")), swapped, frozenset({0, 1})) == 1


@pytest.mark.parametrize(
    ("name", "decoder", "cell", "every_sum"),
    [("arch0", 1, 0, 0), ("arch1", 1, 0, 1), ("arch2", 1, 0, 2)],
)
def test_crossings_of_the_published_architectures_are_the_fewest(
    name: str, decoder: int, cell: int, every_sum: int
) -> None:
    """With exhaustive search over the orders, for the layers drawn.

    One crossing in each decoder cannot be avoided by other layers either: a block on two
    encoder outputs and the row below them enclose an output between the two, whose line
    to the classifier, high above, has to get out.
    """
    genotype = load_published(name).genotype
    for diagram, expected in (
        (connections_diagram(genotype), decoder),
        (cell_diagram(genotype), cell),
        (cell_diagram(genotype, every_sum=True), every_sum),
    ):
        graph = graph_of(diagram)
        layout = lay_out(graph)
        assert layout.crossings == expected
        assert crossings(layout.layers, layout.segments) == expected
        assert fewest(layout.layers, layout.segments, graph.fixed) == expected


@pytest.mark.parametrize("seed", range(10))
def test_crossings_of_random_architectures_are_the_fewest(seed: int) -> None:
    genotype = SearchSpace.cvpr2019().sample(random.Random(seed))
    for diagram in (connections_diagram(genotype), cell_diagram(genotype, every_sum=True)):
        graph = graph_of(diagram)
        layout = lay_out(graph)
        if max(map(len, layout.layers)) <= 6:
            assert fewest(layout.layers, layout.segments, graph.fixed) == layout.crossings


def test_edges_are_drawn_apart_where_that_avoids_a_crossing() -> None:
    text = "[[[0,0],[0,4],[0,4]],[10,[0,0,1,3],[1,3,4,1],[1,5,2,5]]]"
    genotype = parse(text).genotype
    layout = lay_out(graph_of(connections_diagram(genotype)))
    assert layout.crossings == crossings(layout.layers, layout.segments) == 0
    assert faults(draw_connections(genotype)) == []


def fewest_however_bent(graph: LayeredGraph, layout: Layout) -> int | None:
    """As ``fewest``, over all choices of nodes whose edges have bends of their own."""
    levels = {name: i for i, layer in enumerate(layout.layers) for name in layer}
    long = [low for low, high in graph.edges if levels[high] - levels[low] > 1]
    names = [name for name, times in Counter(long).items() if times > 1]
    found = []
    for number in range(len(names) + 1):
        for apart in itertools.combinations(names, number):
            layers, segments, _ = _with_bends(graph, _Plan(levels, frozenset(apart)))
            if max(map(len, layers)) > 6:
                return None
            found.append(fewest(layers, segments, graph.fixed))
    return min(found)


def test_crossings_are_the_fewest_however_the_edges_bend() -> None:
    rng, compared = random.Random(11), 0
    for _ in range(24):
        graph = graph_of(connections_diagram(SearchSpace.cvpr2019().sample(rng)))
        layout = lay_out(graph)
        expected = fewest_however_bent(graph, layout)
        if expected is not None:
            compared += 1
            assert layout.crossings == expected
    assert compared > 12


def test_a_fixed_layer_keeps_its_order() -> None:
    layers = (("a", "b", "c"), ("x", "y", "z"))
    segments = [("a", "z"), ("b", "y"), ("c", "x")]
    (found, *_) = orderings(layers, segments, frozenset({0}))
    assert found == (("a", "b", "c"), ("z", "y", "x"))
    (found, *_) = orderings(layers, segments, frozenset({0, 1}))
    assert crossings(found, segments) == 3


@pytest.mark.parametrize("edges", [(), (("a", "b"), ("b", "a"))])
def test_what_cannot_be_laid_out_is_refused(edges: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValueError, match=r"edges|cycle"):
        lay_out(LayeredGraph({"a": 1.0, "b": 1.0}, edges))

"""Few crossings: against exhaustive search over all orders of all layers."""

import itertools
import random

import numpy as np
import pytest

from genotype import SearchSpace
from genotype.diagram import Diagram, cell_diagram, connections_diagram
from genotype.layout import Graph, lay_out
from genotype.ordering import Layers, Segments, crossings, orderings
from genotype.scene import text_width
from genotype.zoo import load


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


def graph_of(diagram: Diagram) -> Graph:
    widths = {name: 20 + text_width(node.label, 11.0) for name, node in diagram.nodes.items()}
    return Graph(widths, diagram.edges, diagram.row)


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
    genotype = load(name).genotype
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
        lay_out(Graph({"a": 1.0, "b": 1.0}, edges))
